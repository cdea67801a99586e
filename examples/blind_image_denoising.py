"""
Title: Blind image denoising with a bias-free U-Net
Author: The kerasdenoise developers
Date created: 2026/11/30
Last modified: 2026/11/30
Description: Train a small U-Net without biases to remove noise of levels it has never seen.
Accelerator: GPU
"""

"""
## Introduction

A denoiser is *blind* if nobody tells it how strong the noise is. Trained on a range of noise
levels, most networks work inside that range and fail outside it.
[Mohan et al., 2020](https://arxiv.org/abs/1906.05478) found a simple reason and a simple cure: the
biases of convolutions adapt to the levels of training. A network without biases, and with ReLU as
its only nonlinearity, is *homogeneous*: `f(a * x) = a * f(x)` for every `a > 0`. What it learned
for one noise level then holds for others.

In this example we train two U-Nets, with and without biases, on weak noise only, and test both on
strong noise. It takes a few minutes on a GPU, and some more on a CPU.
"""

"""
## Setup
"""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import itertools

import keras
import numpy as np
from keras import layers, ops

keras.utils.set_random_seed(0)

# STEPS=20 runs the whole example in a moment.
STEPS = int(os.environ.get("STEPS", "4000"))
BATCH_SIZE = 32
TRAIN_SIGMA = 25 / 255  # training sees noise up to this level
TEST_SIGMAS = (15, 25, 50, 75)  # of 255

"""
## Data

We use the images of CIFAR-10, without their labels. Without a network connection, we draw simple
pictures instead: shaded discs and bars on gradients, which is enough to see the effect.
"""


def draw_pictures(count, side=32, seed=0):
    """Draws pictures of three discs or bars each: (count, side, side, 3), uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    pictures = []
    for _ in range(count):
        slope = rng.normal(size=(2, 3)) / 2
        picture = rng.random(3) + x[..., None] * slope[0] + y[..., None] * slope[1]
        for _ in range(3):
            center, radius, turn = rng.random(2), rng.uniform(0.1, 0.4), rng.uniform(0, np.pi)
            disc = np.hypot(x - center[0], y - center[1]) < radius
            across = (x - center[0]) * np.cos(turn) + (y - center[1]) * np.sin(turn)
            shape = disc if rng.random() < 0.5 else np.abs(across) < radius / 4
            picture[shape] = rng.random(3)
        pictures.append(picture)
    return (255 * np.clip(pictures, 0, 1)).astype("uint8")


try:
    (train_images, _), (test_images, _) = keras.datasets.cifar10.load_data()
except Exception as error:  # the download fails in different ways
    print("No CIFAR-10 here, so pictures are drawn:", type(error).__name__)
    train_images, test_images = draw_pictures(2000), draw_pictures(256, seed=1)

train_images = train_images.astype("float32") / 255
test_images = test_images[:256].astype("float32") / 255

"""
Each batch gets fresh noise, of one level per image. The noisy image is not clipped: clipping would
make the noise depend on the image.
"""


class NoisyImages(keras.utils.PyDataset):
    """Pairs of noisy and clean images."""

    def __init__(self, images, steps, **kwargs):
        super().__init__(**kwargs)
        self.images, self.steps = images, steps
        self.rng = np.random.default_rng(0)

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        clean = self.images[self.rng.integers(len(self.images), size=BATCH_SIZE)]
        clean = clean[:, :, ::-1] if self.rng.random() < 0.5 else clean
        sigma = self.rng.uniform(0, TRAIN_SIGMA, (BATCH_SIZE, 1, 1, 1))
        noise = sigma * self.rng.normal(size=clean.shape)
        return (clean + noise).astype("float32"), clean


"""
## The network

A U-Net: residual blocks at three scales, strided convolutions on the way down, transposed ones on
the way up, and sums instead of concatenations. It estimates the noise, which is subtracted. The
only difference between the two networks is `use_bias`. There is no batch normalization: it would
add biases again.
"""


def make_unet(use_bias, widths=(32, 48, 64)):
    """Builds a U-Net from noisy images of any size that is a multiple of 4."""

    def convolve(x, width, kernel=3, strides=1, activation=None, start="glorot_uniform"):
        return layers.Conv2D(
            width,
            kernel,
            strides=strides,
            padding="same",
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=start,
        )(x)

    def block(x, width):
        return layers.Add()([x, convolve(convolve(x, width, activation="relu"), width)])

    noisy = keras.Input((None, None, 3))
    x = convolve(noisy, widths[0])
    shortcuts = []
    for width, deeper in itertools.pairwise(widths):
        x = block(x, width)
        shortcuts.append(x)
        x = convolve(x, deeper, kernel=2, strides=2)
    x = block(x, widths[-1])
    for width, shortcut in zip(widths[-2::-1], reversed(shortcuts), strict=False):
        x = layers.Conv2DTranspose(width, 2, strides=2, use_bias=use_bias)(x)
        x = block(layers.Add()([x, shortcut]), width)
    noise = convolve(x, 3, start="zeros")  # training starts at the noisy image
    return keras.Model(noisy, layers.Subtract()([noisy, noise]))


"""
## Training

Both networks see the same images and the same noise.
"""


def psnr(clean, denoised):
    """Mean PSNR of images in [0, 1], in dB."""
    error = ops.mean(ops.square(clean - denoised), axis=(1, 2, 3))
    return ops.mean(-10 * ops.log10(error + 1e-10))


networks = {}
for name, use_bias in (("with biases", True), ("bias-free", False)):
    network = make_unet(use_bias)
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, STEPS)
    network.compile(keras.optimizers.Adam(schedule), loss="mse", metrics=[psnr])
    epochs = min(8, STEPS)
    network.fit(NoisyImages(train_images, STEPS // epochs), epochs=epochs, verbose=2)
    networks[name] = network

"""
## Levels that training never saw

Training ended at 25 of 255. At 50 and 75 the network with biases leaves much of the noise, while
the bias-free one goes on denoising.
"""

results = {}
for level in TEST_SIGMAS:
    noise = np.random.default_rng(level).normal(size=test_images.shape)
    noisy = (test_images + level / 255 * noise).astype("float32")
    row = [float(psnr(test_images, noisy))]
    for network in networks.values():
        denoised = np.clip(network.predict(noisy, verbose=0), 0, 1)
        row.append(float(psnr(test_images, denoised)))
    results[level] = row

print(f"{'sigma':>6} {'noisy':>8} " + " ".join(f"{name:>12}" for name in networks))
for level, row in results.items():
    print(f"{level:6} {row[0]:8.2f} " + " ".join(f"{value:12.2f}" for value in row[1:]))

"""
## Twice the image, twice the result

The reason, as a test: only the bias-free network is homogeneous.
"""

scaled = {}
for name, network in networks.items():
    images = test_images[:8] + 0.1
    single, double = (network.predict(factor * images, verbose=0) for factor in (1, 2))
    scaled[name] = float(np.abs(double - 2 * single).max())
    print(f"{name}: f(2x) differs from 2 f(x) by up to {scaled[name]:.1e}")

"""
## What next

- Train on real camera noise, which depends on brightness and on neighboring pixels.
- Estimate the level by a second small network, and give it to the denoiser as an input: then users
  can ask for more or less denoising.
- Noise2Noise ([Lehtinen et al., 2018](https://arxiv.org/abs/1803.04189)): train with a second noisy
  image as the target, without any clean one.
"""
