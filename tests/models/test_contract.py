"""What every architecture must do, tried with its smallest preset."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.schema_py_generated import ModelT

from kerasdenoise.export.litert import TOLERANCE, write_litert
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.models import get_architecture, get_parts, list_architectures, make_config
from kerasdenoise.models._parts import find_detail, find_layers

SHIPPED = Path(__file__).parents[2] / "saved_models"


@functools.cache
def _smallest(architecture: str) -> Any:
    module = get_architecture(architecture)
    presets = module.PRESETS
    if "tiny" in presets:
        return presets["tiny"]
    return min(presets.values(), key=lambda config: module.build(config).count_params())


def _randomize(network: keras.Model, seed: int, shape: Callable = lambda values: values) -> None:
    """Gives all weights random values that keep the size of what flows through them."""
    rng = np.random.default_rng(seed)
    for layer in find_layers(network):  # also in parts that are trained elsewhere
        layer.trainable = True
    for weight in network.trainable_variables:
        fan_in = max(1, int(np.prod(weight.shape[:-1])))
        weight.assign(shape(rng.normal(0, fan_in**-0.5, weight.shape)))


def _noisy(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).random(shape, np.float32)


def _inputs(network: keras.Model, noisy: np.ndarray) -> Any:
    """A noisy image, and ones for each other input: a map as large as it, or one statistic."""
    images, height, width, _ = noisy.shape
    inputs = [noisy]
    for tensor in network.inputs[1:]:
        shape = tensor.shape[1:]
        shape = (height, width, *shape[2:]) if shape[0] is None else shape
        inputs.append(np.ones((images, *shape), np.float32))
    return inputs if len(inputs) > 1 else noisy


def _denoise(network: keras.Model, noisy: np.ndarray) -> np.ndarray:
    denoised = network(_inputs(network, noisy), training=False)
    return keras.ops.convert_to_numpy(denoised)


def _can_estimate(architecture: str) -> bool:
    return hasattr(get_architecture(architecture).Config, "estimates_level")


ESTIMATING = [name for name in list_architectures() if _can_estimate(name)]
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in list_architectures()},
    **{f"{name}_level": (name, {"estimates_level": True}) for name in ESTIMATING},
    "ddim_drawing": ("ddim", {"eta": 0.5}),
}
COLORS = {"gray": 1, "color": 3}
# Steps of diffusion treat the channels of an image in ways of their own. In other networks, gray
# and color differ in the first and the last convolution alone, so that one conversion stands for
# both.
MIXED = ("perona_malik", "p1_diffusion", "reaction_diffusion")
CONVERTED = [
    (name, color)
    for name, (architecture, settings) in VARIANTS.items()
    for color in COLORS
    if color == "color" or architecture in MIXED or "estimates_level" in settings
]
# The level is another channel of the first convolution, for which `dncnn` stands, or enters in
# another way.
TOLD = ("dncnn", "unet", "p1_diffusion", "reaction_diffusion", "ddim", "latent_ddim", "stabilized")


@pytest.fixture(scope="module", params=itertools.product(VARIANTS, COLORS), ids="-".join)
def case(request: pytest.FixtureRequest) -> tuple[str, Any]:
    """An architecture, and a small config."""
    name, color = request.param
    architecture, settings = VARIANTS[name]
    smallest = _smallest(architecture)
    return architecture, dataclasses.replace(smallest, channels=COLORS[color], **settings)


converted = pytest.mark.parametrize("case", CONVERTED, indirect=True, ids="-".join, scope="module")


@pytest.fixture(scope="module")
def architecture(case: tuple[str, Any]) -> str:
    return case[0]


@pytest.fixture(scope="module")
def config(case: tuple[str, Any]) -> Any:
    return case[1]


@pytest.fixture(scope="module")
def network(architecture: str, config: Any) -> keras.Model:
    return _build(architecture, config)


def _build(architecture: str, config: Any) -> keras.Model:
    """A network of random weights, the same each time."""
    network = get_architecture(architecture).build(config)
    _randomize(network, seed=2)
    return network


Save = Callable[[str, Any, keras.Model], Path]


@pytest.fixture(scope="module")
def save(tmp_path_factory: pytest.TempPathFactory) -> Save:
    """Writes a network's LiteRT files, which are equal to it, into a folder: once of a config."""
    folders: dict[str, Path] = {}

    def find(architecture: str, config: Any, network: keras.Model) -> Path:
        key = f"{architecture}: {config}"
        if key not in folders:
            folders[key] = tmp_path_factory.mktemp("saved")
            write(architecture, config, network, folders[key])
        return folders[key]

    def write(architecture: str, config: Any, network: keras.Model, folder: Path) -> None:
        difference = write_litert(network, folder, config.stride)
        assert difference < TOLERANCE
        metadata = {
            "name": "any",
            "architecture": architecture,
            "summary": "Random weights",
            "channels": config.channels,
            "stride": config.stride,
            "radius": config.radius,
            "global_context": get_parts(network).context is not None,
            "noise_level": config.noise_level,
            "estimates_level": get_parts(network).noise_level is not None,
        }
        if find_detail(network) is not None:
            metadata["mean_radius"] = config.mean_radius
        (folder / "metadata.json").write_text(json.dumps(metadata), "utf-8")
        (folder / "config.json").write_text("{}", "utf-8")

    return find


@pytest.fixture(scope="module")
def saved(architecture: str, config: Any, network: keras.Model, save: Save) -> Path:
    return save(architecture, config, network)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (3, 2), (8, 8)])
def test_any_multiple_of_the_stride_comes_out_as_it_went_in(
    network: keras.Model, config: Any, size: tuple[int, int]
):
    noisy = _noisy(2, *(config.stride * n for n in size), config.channels)
    denoised = _denoise(network, noisy)
    assert denoised.shape == noisy.shape
    assert denoised.dtype == np.float32
    assert np.isfinite(denoised).all()


def test_the_images_of_a_batch_do_not_mix(network: keras.Model, config: Any):
    noisy = _noisy(3, 4 * config.stride, 4 * config.stride, config.channels)
    alone = np.concatenate([_denoise(network, image[np.newaxis]) for image in noisy])
    np.testing.assert_allclose(_denoise(network, noisy), alone, atol=1e-5)


def test_a_config_survives_json(architecture: str, config: Any):
    assert make_config(architecture, json.loads(json.dumps(dataclasses.asdict(config)))) == config


def test_every_preset_makes_a_config(architecture: str):
    for name, preset in get_architecture(architecture).PRESETS.items():
        assert make_config(architecture, {"preset": name}) == preset
        assert preset.stride >= 1
        assert preset.radius >= 0


def test_every_layer_has_a_name_of_its_own(architecture: str, config: Any):
    build = get_architecture(architecture).build
    weights = [[weight.path for weight in build(config).weights] for _ in range(2)]
    assert weights[0] == weights[1]  # a counted name would differ: conv2d, conv2d_1


def test_a_saved_network_loads_equal(network: keras.Model, config: Any, tmp_path: Path):
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    noisy = _noisy(1, 4 * config.stride, 3 * config.stride, config.channels)
    np.testing.assert_array_equal(_denoise(loaded, noisy), _denoise(network, noisy))


@converted
def test_litert_needs_no_operation_from_elsewhere(saved: Path):
    for file in saved.glob("*.tflite"):
        codes = ModelT.InitFromPackedBuf(file.read_bytes()).operatorCodes
        assert codes
        assert [code.customCode for code in codes if code.customCode is not None] == []


@converted
def test_litert_takes_any_height_and_width(saved: Path, config: Any):
    for file in saved.glob("*.tflite"):
        given = Interpreter(model_path=str(file)).get_signature_runner().get_input_details()
        assert given["noisy"]["shape_signature"].tolist() == [1, -1, -1, config.channels]


def test_the_radius_is_honest(network: keras.Model, config: Any):
    # What is known of the whole image stays as it is.
    parts = get_parts(network)
    local = network if parts.context is None else parts.tile
    assert _reach(local, config, lambda kernel: kernel, 0.5) <= config.radius
    # With positive weights nothing cancels and no ReLU closes, with small ones no sigmoid
    # saturates; the large change is not lost in rounding on its long way.
    reach = _reach(local, config, _small_positive, 1e4)
    if reach < config.radius - config.stride:  # it was, on the way through the deepest ones
        reach = _reach(local, config, _small_positive, 1e8)
    assert config.radius - config.stride <= reach <= config.radius


def _small_positive(values: np.ndarray) -> np.ndarray:
    return np.abs(values) / np.sqrt(max(16, np.prod(values.shape[:-1])))


def _reach(network: keras.Model, config: Any, shape: Callable, change: float) -> int:
    """How far a changed pixel made a difference, for each place in a cell of the stride."""
    weights = network.get_weights()
    _randomize(network, 3, shape)
    center = config.stride * (-(-config.radius // config.stride) + 1)
    side = 2 * center + config.stride
    noisy = _noisy(1, side, side, config.channels)
    before = network.predict_on_batch(_inputs(network, noisy))
    reach = 0
    for row, column in itertools.product(range(center, center + config.stride), repeat=2):
        changed = noisy.copy()
        changed[0, row, column] += change
        after = network.predict_on_batch(_inputs(network, changed))
        rows, columns = np.nonzero((after != before)[0].any(-1))
        reach = int(max([reach, *abs(rows - row), *abs(columns - column)]))
    network.set_weights(weights)
    return reach


def test_every_weight_gets_a_gradient(network: keras.Model, config: Any):
    noisy = _noisy(2, 4 * config.stride, 4 * config.stride, config.channels)
    with tf.GradientTape() as tape:
        loss = keras.ops.sum(keras.ops.square(network(_inputs(network, noisy), training=True)))
    gradients = tape.gradient(loss, [weight.value for weight in network.trainable_variables])
    idle = [
        weight.path
        for weight, gradient in zip(network.trainable_variables, gradients, strict=True)
        if gradient is None or not np.any(gradient)
    ]
    assert idle == []


@converted
@pytest.mark.parametrize("channels", [1, 3], ids=["a gray image", "a color image"])
@pytest.mark.parametrize("size", [(1, 1), (17, 23), (64, 64)])
def test_an_image_of_any_size_is_denoised(saved: Path, size: tuple[int, int], channels: int):
    pixels = _noisy(*size, channels)
    denoised = Denoiser(saved).denoise_pixels(pixels)
    assert denoised.shape == pixels.shape
    assert np.isfinite(denoised).all()


@converted
def test_tiles_agree_with_the_whole(saved: Path, config: Any):
    side = 2 * config.radius + 4 * config.stride
    pixels = _noisy(side + 5, 2 * side + 3, config.channels)
    whole, tiled = Denoiser(saved, tile=10_000), Denoiser(saved, tile=side + 2 * config.stride)
    assert whole.tile_count(*pixels.shape[:2]) == 1 < tiled.tile_count(*pixels.shape[:2])
    expected = whole.denoise_pixels(pixels)
    np.testing.assert_allclose(tiled.denoise_pixels(pixels), expected, atol=1e-5)


@converted
def test_tiles_agree_when_the_image_has_many_parts(saved: Path, config: Any, tmp_path: Path):
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    metadata = json.loads((saved / "metadata.json").read_text("utf-8"))
    if not metadata["global_context"]:
        pytest.skip("this architecture takes no statistics of the whole image")
    metadata["part"] = 2 * config.stride + 5
    (tmp_path / "metadata.json").write_text(json.dumps(metadata), "utf-8")
    side = 2 * config.radius + 4 * config.stride
    pixels = _noisy(side + 5, 2 * side + 3, config.channels)
    whole, tiled = Denoiser(tmp_path, tile=10_000), Denoiser(tmp_path, tile=side + 2)
    expected = whole.denoise_pixels(pixels)
    np.testing.assert_allclose(tiled.denoise_pixels(pixels), expected, atol=1e-5)


@pytest.mark.parametrize("told", list_architectures())
def test_the_level_of_the_noise_can_be_told(told: str):
    config = dataclasses.replace(_smallest(told), noise_level=True)
    network = _build(told, config)
    assert [tensor.name for tensor in network.inputs] == ["noisy", "noise_level"]
    noisy, level = _inputs(
        network, _noisy(1, 4 * config.stride, 5 * config.stride, config.channels)
    )
    low, high = (network([noisy, np.float32(sigma) * level]) for sigma in (0.02, 0.5))
    assert low.shape == noisy.shape
    assert np.abs(keras.ops.convert_to_numpy(low - high)).max() > 1e-4


@pytest.mark.parametrize("told", TOLD)
def test_a_saved_model_can_be_told_the_level(told: str, save: Save):
    config = dataclasses.replace(_smallest(told), noise_level=True)
    folder = save(told, config, _build(told, config))
    pixels = _noisy(4 * config.stride + 3, 5 * config.stride, config.channels)
    low, high = (Denoiser(folder, sigma=sigma).denoise_pixels(pixels) for sigma in (0.02, 0.5))
    assert low.shape == pixels.shape
    assert np.abs(low - high).max() > 1e-4
    doubled = Denoiser(folder, sigma=0.25).denoise_pixels(pixels, strength=2)
    np.testing.assert_array_equal(doubled, high)


@pytest.fixture(
    scope="module",
    params=itertools.product(ESTIMATING, (1, 3)),
    ids=lambda each: "-".join(map(str, each)),
)
def estimating(request: pytest.FixtureRequest, save: Save) -> tuple[keras.Model, Path]:
    """A network that estimates the level of the noise, and the folder of its files."""
    architecture, channels = request.param
    config = dataclasses.replace(_smallest(architecture), channels=channels, estimates_level=True)
    network = _build(architecture, config)
    return network, save(architecture, config, network)


def _as_a_tile(denoiser: Denoiser, network: Callable, pixels: np.ndarray) -> np.ndarray:
    """What a network makes of an image that it sees with a halo, as the denoiser shows it."""
    halo = -(-denoiser.info.radius // denoiser.info.stride) * denoiser.info.stride
    wide = np.pad(pixels, ((halo, halo), (halo, halo), (0, 0)), mode="reflect")
    result = keras.ops.convert_to_numpy(network(wide[np.newaxis]))
    return result[0, halo:-halo, halo:-halo]


@pytest.mark.parametrize(
    ("sigma", "strength"), [(None, 1.0), (None, 1.6), (0.1, 1.0), (0.1, 2.0)], ids=str
)
def test_an_estimated_level_can_be_replaced_and_raised(
    estimating: tuple[keras.Model, Path], sigma: float | None, strength: float
):
    network, folder = estimating
    estimator, _, told = get_parts(network)
    assert estimator is not None
    denoiser = Denoiser(folder, sigma=sigma)
    stride = denoiser.info.stride
    pixels = _noisy(4 * stride, 5 * stride, denoiser.info.channels)

    def expected(noisy: np.ndarray) -> Any:
        level = keras.ops.convert_to_numpy(estimator(noisy))
        level = level if sigma is None else np.full_like(level, sigma)
        return told([noisy, np.float32(strength) * level])

    denoised = denoiser.denoise_pixels(pixels, strength)
    np.testing.assert_allclose(denoised, _as_a_tile(denoiser, expected, pixels), atol=1e-4)
    blind = _as_a_tile(denoiser, network, pixels)
    unchanged = (sigma, strength) == (None, 1.0)
    assert (np.abs(denoised - blind).max() < 1e-4) == unchanged


@pytest.mark.parametrize("channels", [1, 3], ids=["a gray image", "a color image"])
def test_the_noise_is_estimated_in_tiles_as_in_the_whole(
    estimating: tuple[keras.Model, Path], channels: int
):
    network, folder = estimating
    estimator = get_parts(network).noise_level
    assert estimator is not None
    whole = Denoiser(folder, tile=10_000)
    stride = whole.info.stride
    tiled = Denoiser(folder, tile=2 * (whole.info.radius + stride) + 3 * stride)
    pixels = _noisy(8 * stride, 6 * stride, channels)
    assert whole.tile_count(*pixels.shape[:2]) == 1 < tiled.tile_count(*pixels.shape[:2])
    level = whole.estimate_noise(pixels)
    assert (level.shape, level.dtype) == (pixels.shape[:2], np.float32)
    np.testing.assert_allclose(tiled.estimate_noise(pixels), level, atol=1e-6)

    if channels < whole.info.channels:
        pixels = np.repeat(pixels, 3, axis=2)
    views = np.split(pixels, channels, axis=2) if whole.info.channels == 1 else [pixels]
    levels = [_as_a_tile(whole, estimator, view)[..., 0] for view in views]
    np.testing.assert_allclose(level, np.sqrt(np.mean(np.square(levels), axis=0)), atol=1e-5)


def _shipped() -> list[Any]:
    index = SHIPPED / "index.json"
    names = sorted(json.loads(index.read_text("utf-8"))["models"]) if index.exists() else []
    none = pytest.param("", marks=pytest.mark.skip(reason="no model is shipped yet"))
    return [*names] or [none]


@pytest.mark.parametrize("name", _shipped())
def test_a_shipped_model_leaves_even_gray_alone(name: str):
    denoiser = Denoiser(SHIPPED / name)
    levels = [((17, 23), level) for level in (0.0, 0.02, 0.25, 0.5, 0.75, 0.98, 1.0)]
    sizes = [(size, 0.25) for size in ((1, 1), (64, 64), (75, 130))]
    for size, level in levels + sizes:
        gray = np.full((*size, denoiser.info.channels), level, np.float32)
        change = np.abs(denoiser.denoise_pixels(gray) - level).max()
        assert change <= 1 / 255, f"{255 * change:.2f}/255 at {level} on {size}"
