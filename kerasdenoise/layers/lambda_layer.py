"""The lambda layer: attention to a whole image at the cost of convolutions."""

from __future__ import annotations

from typing import Any, Literal

import keras
import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.tensors import Tensor

# A kernel with fewer input channels is faster in two steps; see `correlate`.
_FEW_INPUTS = 4


@keras.saving.register_keras_serializable("kerasdenoise")
class LambdaLayer(keras.layers.Layer):
    """Turns a pixel's context into a linear function, and applies it to the pixel's query.

    Bello, "LambdaNetworks: modeling long-range interactions without attention", ICLR 2021. In
    an image of N pixels x, with 1x1 convolutions without bias, each pixel n has

    - queries Q = normalize(x W_q): `key_depth` k numbers for each of `heads` h;
    - keys K = x W_k: k numbers for each of `intra_depth` u;
    - values V = normalize(x W_v): v = `out_channels` / h numbers for each of u,

    and the result is y[n, head] = Q[n, head] (C + P[n]), the heads one after the other, with
    two matrices k x v that the heads share, the lambdas:

    - the content lambda C = sum over u and all pixels of softmax(K) V, softmax over the pixels:
      the content of the whole image, the same for each pixel;
    - the positional lambda P[n] = sum over u and the window around n of E V: what lies where,
      a convolution with the embedding E, zero beyond the borders.

    `normalize` is batch normalization of momentum 0.9 and epsilon 1e-5, or, with
    `normalization="layer"`, normalization over the channels of each pixel. In channels c, the layer
    has c k h + 2 k h + c k u + c v u + 2 v u + k u `window`^2 trainable weights.

    **Tiles.** Only the content lambda needs the whole photo. It is a mean weighted by a softmax,
    so those of several parts combine exactly to that of the photo, weighted by their softmax's
    denominators. `Inputs.pass_context` makes it a part of its own.

    The computation differs from these formulas only in its order: batch normalization is
    multiplied into the kernel before it and, if the image has few channels, the queries into the
    embedding.

    Args:
        out_channels: Channels of the result, a multiple of `heads`.
        key_depth: Numbers in a query and in a key.
        heads: Queries of a pixel, each of which gives `out_channels` / `heads` channels.
        intra_depth: Keys of a pixel, and as many groups of values.
        window: Height and width of the positional lambda's window, an odd number. None for one
            embedding without position, of the pixel itself: the same as 1.
        embedding_initializer: How E starts. `unit`: N(0, 1 / (k u window^2)), which gives the
            result a variance of about one. `paper`: N(0, 1), as in the code of the student
            paper on denoising with LambdaNetworks; with a window of 23 the result's standard
            deviation is then near 92, and steps of 1e-3 hardly move E.
        normalization: `batch`, or `layer`, which the student paper leaves to future work: it
            depends on no batch, and costs a product of queries and lambdas at each pixel that batch
            normalization saves.
        **options: Other settings of a Keras layer.

    Call arguments:
        inputs: Images (batch, height, width, channels), of any size.
        context: A content lambda to use instead of the images' own, float32
            (batch, intra_depth, key_depth, out_channels / heads).
        summarize: Whether to return only the images' content lambda.
        training: Whether batch normalization uses the batch's statistics, and learns them.

    Returns:
        (batch, height, width, out_channels). With `summarize`, two tensors: the content lambda,
        its u summands apart, in the shape of `context`, and the logarithm of its softmax's
        denominator, float32 (batch, intra_depth, key_depth, 1).

    Raises:
        ModelError: If a number is not positive, `window` is even, `heads` does not divide
            `out_channels`, or `embedding_initializer` or `normalization` is unknown.
    """

    def __init__(
        self,
        out_channels: int,
        key_depth: int = 16,
        heads: int = 4,
        intra_depth: int = 1,
        window: int | None = 23,
        embedding_initializer: Literal["unit", "paper"] = "unit",
        normalization: Literal["batch", "layer"] = "batch",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if normalization not in _PROJECTIONS:
            raise ModelError(
                f"lambda layer normalization {normalization!r}",
                "is unknown",
                f"known: {', '.join(_PROJECTIONS)}",
            )
        _check(out_channels, key_depth, heads, intra_depth, window, embedding_initializer)
        self.out_channels = out_channels
        self.key_depth = key_depth
        self.heads = heads
        self.intra_depth = intra_depth
        self.window = window
        self.embedding_initializer = embedding_initializer
        self._head_channels = out_channels // heads
        self._side = window or 1
        self.normalization = normalization
        project = _PROJECTIONS[normalization]
        self._queries = project(heads * key_depth, dtype=self.variable_dtype, name="queries")
        self._values = project(
            self._head_channels * intra_depth, dtype=self.variable_dtype, name="values"
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the weights for the channels of `input_shape`."""
        channels = input_shape[-1]
        assert channels is not None
        depth, intra, side = self.key_depth, self.intra_depth, self._side
        self._queries.build(input_shape)
        self._values.build(input_shape)
        self._keys = self.add_weight(
            name="keys", shape=(channels, intra * depth), initializer=_uniform(channels)
        )
        unit = self.embedding_initializer == "unit"
        deviation = (depth * intra * side**2) ** -0.5 if unit else 1.0
        self._embedding = self.add_weight(
            name="embedding",
            shape=(side, side, intra, depth),
            initializer=keras.initializers.RandomNormal(stddev=deviation),
        )
        self._channels = channels
        self.built = True

    def call(
        self,
        inputs: Tensor,
        context: Tensor | None = None,
        summarize: bool = False,
        training: bool | None = None,
    ) -> Tensor:
        """Returns the result, or the content lambda and its weight; see the class."""
        layered = self.normalization == "layer"
        # Networks call the layer twice per step; batch normalization learns only once.
        matrix = self._values(inputs, training=training, update=not summarize)
        matrix = keras.ops.cast(matrix, self.compute_dtype)
        values = matrix if layered else project(inputs, matrix)
        if summarize:
            keys = self._find_keys(inputs)
            denominator = keras.ops.logsumexp(keys, axis=-1, keepdims=True)
            shape = (-1, self.intra_depth, self.key_depth, 1)
            return self._find_content(keys, values), keras.ops.reshape(denominator, shape)
        if context is None:
            context = self._find_content(self._find_keys(inputs), values)
        matrix = keras.ops.cast(self._queries(inputs, training=training), self.compute_dtype)
        if layered:
            return self._apply_each(matrix, values, context)
        # Queries of few channels are cheaper to apply to the embedding than to each lambda.
        fold = self.heads * (self._channels + 1) <= self.key_depth
        apply = self._apply_folded if fold else self._apply
        return apply(inputs, matrix, values) + self._apply_content(inputs, matrix, context)

    def _find_keys(self, inputs: Tensor) -> Tensor:
        """Returns the keys, float32 (batch, intra * depth, pixels): one row per key."""
        batch, height, width, channels = keras.ops.shape(inputs)
        pixels = keras.ops.reshape(inputs, (batch, height * width, channels))
        keys = keras.ops.matmul(
            keras.ops.transpose(self._keys), keras.ops.transpose(pixels, (0, 2, 1))
        )
        return keras.ops.cast(keys, "float32")

    def _find_content(self, keys: Tensor, values: Tensor) -> Tensor:
        """Returns the content lambda, float32 (batch, intra, depth, head channels)."""
        intra, depth, wide = self.intra_depth, self.key_depth, self._head_channels
        batch, height, width, _ = keras.ops.shape(values)
        values = keras.ops.reshape(values, (batch, height * width, wide * intra))
        weights = keras.ops.softmax(keys, axis=-1)
        content = keras.ops.matmul(weights, keras.ops.cast(values, "float32"))
        # One product of all keys and values is faster than sorting out matching pairs; the others
        # are dropped here.
        own = keras.ops.reshape(keras.ops.eye(intra, dtype="float32"), (1, intra, 1, intra))
        content = keras.ops.reshape(content, (batch, intra, depth * wide, intra)) * own
        return keras.ops.reshape(keras.ops.sum(content, axis=-1), (batch, intra, depth, wide))

    def _apply_content(self, inputs: Tensor, matrix: Tensor, context: Tensor) -> Tensor:
        """Multiplies the queries by the content lambda.

        It is the same for all pixels of an image, and so is its product with the matrix that maps
        pixels to queries: a 1x1 convolution, with a different kernel for each image.
        """
        batch, height, width, channels = keras.ops.shape(inputs)
        content = keras.ops.cast(keras.ops.sum(context, axis=1), self.compute_dtype)
        kernel = keras.ops.matmul(keras.ops.reshape(matrix, (-1, self.key_depth)), content)
        kernel = keras.ops.reshape(kernel, (batch, channels + 1, self.out_channels))
        pixels = keras.ops.reshape(inputs, (batch, height * width, channels))
        result = keras.ops.matmul(pixels, kernel[:, :-1]) + kernel[:, -1:]
        return keras.ops.reshape(result, (batch, height, width, self.out_channels))

    def _apply_each(self, queries: Tensor, values: Tensor, context: Tensor) -> Tensor:
        """Multiplies each pixel's queries by the sum of both lambdas."""
        batch, height, width, _ = keras.ops.shape(queries)
        depth, pixels = self.key_depth, height * width
        content = keras.ops.cast(keras.ops.sum(context, axis=1), self.compute_dtype)
        content = keras.ops.expand_dims(keras.ops.transpose(content, (0, 2, 1)), 2)
        lambdas = self._find_lambdas(values, self._embedding) + content
        heads = []
        for start in range(0, self.heads * depth, depth):
            query = keras.ops.reshape(
                queries[..., start : start + depth], (batch, 1, pixels, depth)
            )
            heads.append(keras.ops.sum(query * lambdas, axis=-1))
        result = keras.ops.transpose(keras.ops.concatenate(heads, axis=1), (0, 2, 1))
        return keras.ops.reshape(result, (batch, height, width, self.out_channels))

    def _apply(self, inputs: Tensor, matrix: Tensor, values: Tensor) -> Tensor:
        """Multiplies each head's queries by the positional lambdas."""
        batch, height, width, _ = keras.ops.shape(inputs)
        depth, pixels = self.key_depth, height * width
        lambdas = self._find_lambdas(values, self._embedding)
        heads = []
        for start in range(0, self.heads * depth, depth):
            queries = project(inputs, matrix[:, start : start + depth])
            queries = keras.ops.reshape(queries, (batch, 1, pixels, depth))
            heads.append(keras.ops.sum(queries * lambdas, axis=-1))
        result = keras.ops.transpose(keras.ops.concatenate(heads, axis=1), (0, 2, 1))
        return keras.ops.reshape(result, (batch, height, width, self.out_channels))

    def _apply_folded(self, inputs: Tensor, matrix: Tensor, values: Tensor) -> Tensor:
        """Like `_apply`, with the queries' matrix multiplied into the embedding.

        Each pixel then needs only a product with its few channels and a one.
        """
        batch, height, width, channels = keras.ops.shape(inputs)
        heads, extended = self.heads, channels + 1
        folded = keras.ops.reshape(matrix, (extended, heads, self.key_depth))
        folded = keras.ops.reshape(keras.ops.transpose(folded, (2, 1, 0)), (-1, heads * extended))
        lambdas = self._find_lambdas(values, keras.ops.matmul(self._embedding, folded))
        # The pixel and a one, for each head.
        repeat = np.tile(np.eye(extended), heads)
        repeated = project(inputs, keras.ops.convert_to_tensor(repeat, self.compute_dtype))
        products = lambdas * keras.ops.reshape(
            repeated, (batch, 1, height * width, heads * extended)
        )
        # Sums over each head's share, as a convolution: LiteRT's sums are slow on short axes.
        ones = np.kron(np.eye(heads), np.ones((extended, 1)))
        result = convolve(
            keras.ops.reshape(products, (-1, height, width, heads * extended)),
            keras.ops.convert_to_tensor(ones.reshape(1, 1, -1, heads), self.compute_dtype),
        )
        result = keras.ops.reshape(result, (batch, self._head_channels, height * width, heads))
        result = keras.ops.transpose(result, (0, 2, 3, 1))
        return keras.ops.reshape(result, (batch, height, width, self.out_channels))

    def _find_lambdas(self, values: Tensor, kernel: Tensor) -> Tensor:
        """Returns positional lambdas: (batch, head channels, pixels, the kernel's filters)."""
        batch, height, width, _ = keras.ops.shape(values)
        intra, wide, pixels = self.intra_depth, self._head_channels, height * width
        values = keras.ops.reshape(values, (batch, pixels, wide, intra))
        values = keras.ops.transpose(values, (0, 2, 1, 3))
        values = keras.ops.reshape(values, (batch * wide, height, width, intra))
        lambdas = correlate(values, kernel)
        return keras.ops.reshape(lambdas, (batch, wide, pixels, kernel.shape[-1]))

    def mac_per_position(self) -> int:
        """Counts the multiply-accumulates per pixel of the formulas in the class.

        They are those of the three 1x1 convolutions, the sum for the content lambda, the
        embedding's convolution, and the product of the queries with the lambdas' sum.

        Raises:
            ModelError: If the layer is not built.
        """
        if not self.built:
            raise ModelError(self.name, "is not built", "call it on an image first")
        depth, intra, wide = self.key_depth, self.intra_depth, self._head_channels
        projections = self._channels * (self.heads * depth + intra * depth + intra * wide)
        lambdas = depth * intra * wide * (1 + self._side**2)
        return projections + lambdas + self.heads * depth * wide

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the result."""
        return (*input_shape[:-1], self.out_channels)

    def compute_output_spec(
        self,
        inputs: Tensor,
        context: Tensor | None = None,
        summarize: bool = False,
        training: bool | None = None,
    ) -> keras.KerasTensor | tuple[keras.KerasTensor, keras.KerasTensor]:
        """Returns the results of `call` as symbols."""
        if not summarize:
            return keras.KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)
        keys = (inputs.shape[0], self.intra_depth, self.key_depth)
        return (
            keras.KerasTensor((*keys, self._head_channels), "float32"),
            keras.KerasTensor((*keys, 1), "float32"),
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {
            **super().get_config(),
            "out_channels": self.out_channels,
            "key_depth": self.key_depth,
            "heads": self.heads,
            "intra_depth": self.intra_depth,
            "window": self.window,
            "embedding_initializer": self.embedding_initializer,
            "normalization": self.normalization,
        }


class _NormalizedProjection(keras.layers.Layer):
    """A 1x1 convolution without bias, and batch normalization, as one matrix.

    That is (channels + 1, filters), the last row for a one appended to each pixel. Mean and
    variance of the projected pixels follow from those of the pixels.
    """

    momentum = 0.9
    epsilon = 1e-5

    def __init__(self, filters: int, **options: Any) -> None:
        super().__init__(**options)
        self.filters = filters

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = input_shape[-1]
        assert channels is not None
        self.kernel = self.add_weight(
            name="kernel", shape=(channels, self.filters), initializer=_uniform(channels)
        )
        shape = (self.filters,)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")
        self.moving_mean = self.add_weight(
            name="moving_mean", shape=shape, initializer="zeros", trainable=False
        )
        self.moving_variance = self.add_weight(
            name="moving_variance", shape=shape, initializer="ones", trainable=False
        )
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None, update: bool = True) -> Tensor:
        ops = keras.ops
        if training and self.trainable:
            mean, variance = self._find_moments(inputs)
            if update:
                for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
                    moving.assign(moving * self.momentum + new * (1 - self.momentum))
        else:
            mean, variance = self.moving_mean, self.moving_variance
        scale = self.gamma * ops.rsqrt(variance + self.epsilon)
        offset = self.beta - mean * scale
        return ops.concatenate([self.kernel * scale, ops.expand_dims(offset, 0)], axis=0)

    def _find_moments(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        ops = keras.ops
        pixels = ops.reshape(inputs, (-1, inputs.shape[-1]))
        mean = ops.mean(pixels, axis=0, keepdims=True)
        centered = pixels - mean
        count = ops.cast(ops.shape(pixels)[0], centered.dtype)
        covariance = ops.matmul(ops.transpose(centered), centered) / count
        variance = ops.sum(self.kernel * ops.matmul(covariance, self.kernel), axis=0)
        return ops.matmul(mean, self.kernel)[0], ops.maximum(variance, 0.0)


class _LayeredProjection(keras.layers.Layer):
    """A 1x1 convolution without bias, and normalization over the channels of each pixel."""

    epsilon = 1e-5

    def __init__(self, filters: int, **options: Any) -> None:
        super().__init__(**options)
        self.filters = filters

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = input_shape[-1]
        assert channels is not None
        self.kernel = self.add_weight(
            name="kernel", shape=(channels, self.filters), initializer=_uniform(channels)
        )
        self.gamma = self.add_weight(name="gamma", shape=(self.filters,), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(self.filters,), initializer="zeros")
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None, update: bool = True) -> Tensor:
        """Returns the normalized projection (batch, height, width, filters), not a matrix."""
        del training, update  # there are no statistics
        ops = keras.ops
        kernel = ops.reshape(self.kernel, (1, 1, *self.kernel.shape))
        projected = convolve(ops.cast(inputs, self.variable_dtype), kernel)
        projected = projected - ops.mean(projected, axis=-1, keepdims=True)
        power = ops.mean(ops.square(projected), axis=-1, keepdims=True)
        return projected * ops.rsqrt(power + self.epsilon) * self.gamma + self.beta


_PROJECTIONS: dict[str, type[keras.layers.Layer]] = {
    "batch": _NormalizedProjection,
    "layer": _LayeredProjection,
}


def project(inputs: Tensor, matrix: Tensor) -> Tensor:
    """Multiplies each pixel, with a one appended, by a matrix (channels + 1, filters)."""
    kernel = keras.ops.expand_dims(keras.ops.expand_dims(matrix[:-1], 0), 0)
    return convolve(inputs, kernel) + matrix[-1]


def convolve(inputs: Tensor, kernel: Tensor) -> Tensor:
    """Convolves with a kernel (rows, columns, channels, filters), zero beyond the borders."""
    return keras.ops.conv(inputs, kernel, padding="same", data_format="channels_last")


def correlate(inputs: Tensor, kernel: Tensor) -> Tensor:
    """Convolves with an odd square kernel, zero beyond the borders.

    With one input channel, LiteRT spends most of the time fetching single numbers. So a first
    convolution with ones writes each row of the window into channels, over which a second one,
    a column of the window, runs much faster.
    """
    side, _, channels, filters = kernel.shape
    if channels >= _FEW_INPUTS or side == 1:
        return convolve(inputs, kernel)
    row = np.eye(side * channels).reshape(1, side, channels, side * channels)
    row = keras.ops.convert_to_tensor(row, inputs.dtype)
    gathered = convolve(inputs, row)
    column = keras.ops.reshape(kernel, (side, 1, side * channels, filters))
    return convolve(gathered, column)


def _uniform(channels: int) -> keras.initializers.Initializer:
    """PyTorch's initialization of a 1x1 convolution."""
    return keras.initializers.RandomUniform(-(channels**-0.5), channels**-0.5)


def _check(
    out_channels: int,
    key_depth: int,
    heads: int,
    intra_depth: int,
    window: int | None,
    embedding_initializer: str,
) -> None:
    numbers = {
        "out_channels": out_channels,
        "key_depth": key_depth,
        "heads": heads,
        "intra_depth": intra_depth,
        "window": 1 if window is None else window,
    }
    for name, number in numbers.items():
        if number < 1:
            raise ModelError(f"lambda layer {name} {number}", "is below 1", "give 1 or more")
    if numbers["window"] % 2 == 0:
        raise ModelError(
            f"lambda layer window {window}", "is even, so it has no middle", "give an odd one"
        )
    if out_channels % heads:
        raise ModelError(
            f"lambda layer of {out_channels} channels",
            f"cannot be divided among {heads} heads",
            "make out_channels a multiple of heads",
        )
    if embedding_initializer not in ("unit", "paper"):
        raise ModelError(
            f"lambda layer embedding_initializer {embedding_initializer!r}",
            "is unknown",
            "known: unit, paper",
        )
