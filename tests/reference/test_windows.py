from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kerasdenoise.errors import UsageError
from kerasdenoise.reference import Windows, fold, unfold

KERNELS = st.tuples(st.integers(1, 5), st.integers(1, 5))
STRIDES = st.tuples(st.integers(1, 4), st.integers(1, 4))
PADDINGS = st.just("same") | st.integers(0, 3)
WINDOWS = st.builds(Windows, KERNELS, STRIDES, PADDINGS)
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))


def fits(windows: Windows, size: tuple[int, int]) -> bool:
    if windows.padding == "same":
        return True
    return all(
        n + 2 * windows.padding >= kernel for n, kernel in zip(size, windows.kernel, strict=True)
    )


@given(WINDOWS, SIZES, st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**32))
def test_fold_is_the_adjoint_of_unfold(windows, size, batch, channels, seed):
    assume(fits(windows, size))
    rng = np.random.default_rng(seed)
    # Whole numbers, of which float64 sums are exact.
    images = rng.integers(-9, 10, (batch, *size, channels)).astype(float)
    unfolded = unfold(images, windows)
    matrix = rng.integers(-9, 10, unfolded.shape).astype(float)
    assert np.sum(unfolded * matrix) == np.sum(images * fold(matrix, images.shape, windows))


@given(WINDOWS, SIZES)
def test_each_window_is_a_row_line_by_line_with_all_channels(windows, size):
    assume(fits(windows, size))
    images = np.random.default_rng(0).random((2, *size, 3))
    padded = np.pad(images, ((0, 0), *windows.pads(*size), (0, 0)))
    (height, width), (down, across) = windows.kernel, windows.stride
    rows, columns = windows.grid(*size)
    expected = [
        image[row * down : row * down + height, column * across : column * across + width].ravel()
        for image in padded
        for row in range(rows)
        for column in range(columns)
    ]
    np.testing.assert_array_equal(unfold(images, windows), expected)


def test_windows_that_do_not_overlap_are_folded_back_to_the_image():
    images = np.random.default_rng(0).random((2, 6, 8, 3))
    windows = Windows((3, 2), (3, 2))
    np.testing.assert_array_equal(fold(unfold(images, windows), images.shape, windows), images)


def test_where_windows_overlap_their_values_add_up():
    windows = Windows((3, 3), (1, 1), 0)
    ones = np.ones((1, 4, 5, 1))
    seen = fold(unfold(ones, windows), ones.shape, windows)[0, :, :, 0]
    np.testing.assert_array_equal(seen, np.outer([1, 2, 2, 1], [1, 2, 3, 2, 1]))


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (1, 3), (4, 2)])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (2, 5), (4, 3)])
@pytest.mark.parametrize("size", [(6, 8), (7, 5)])
def test_the_product_with_a_kernel_is_keras_convolution(size, kernel, strides, padding):
    rng = np.random.default_rng(0)
    images = rng.random((2, *size, 3))
    weights = rng.normal(size=(*kernel, 3, 4))
    windows = Windows(kernel, strides, "same" if padding == "same" else 0)
    expected = keras.ops.conv(images, weights, strides=strides, padding=padding)
    output = unfold(images, windows) @ weights.reshape(-1, 4)
    output = output.reshape(2, *windows.grid(*size), 4)
    np.testing.assert_allclose(output, keras.ops.convert_to_numpy(expected), rtol=1e-10, atol=1e-12)


def test_an_odd_zero_lies_after_the_image():
    assert Windows((3, 4), (2, 1)).pads(8, 8) == ((0, 1), (1, 2))
    assert Windows((5, 1), (2, 2)).pads(8, 7) == ((1, 2), (0, 0))


@given(WINDOWS, SIZES, st.data())
def test_an_image_of_the_size_has_the_grid(windows, grid, data):
    extra = tuple(data.draw(st.integers(0, stride - 1)) for stride in windows.stride)
    try:
        size = windows.image_size(*grid, extra)
    except UsageError:
        # Padding alone then fills the windows.
        least = zip(grid, windows.stride, windows.kernel, extra, strict=True)
        assert min((n - 1) * s + k - 2 * windows.padding + e for n, s, k, e in least) < 1
        return
    assert windows.grid(*size) == grid


@given(WINDOWS, SIZES)
def test_by_default_the_size_is_the_largest_of_the_grid(windows, grid):
    try:
        height, width = windows.image_size(*grid)
    except UsageError:
        assume(False)
    assert windows.grid(height, width) == grid
    rows, columns = windows.grid(height + 1, width + 1)
    assert (rows, columns) == (grid[0] + 1, grid[1] + 1)
    if windows.padding == "same":
        assert (height, width) == (grid[0] * windows.stride[0], grid[1] * windows.stride[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_type_stays(dtype):
    windows = Windows((3, 3), (2, 2))
    images = np.ones((1, 4, 4, 2), dtype)
    matrix = unfold(images, windows)
    assert matrix.dtype == fold(matrix, images.shape, windows).dtype == dtype


@pytest.mark.parametrize(
    "values",
    [((0, 3), (1, 1)), ((3, 3), (1, 0)), ((3, 3), (1, 1), -1), ((3, 3), (1, 1), "valid")],
)
def test_impossible_windows_are_refused(values):
    with pytest.raises(UsageError):
        Windows(*values)


def test_an_image_smaller_than_a_window_is_refused():
    with pytest.raises(UsageError, match=r"2x9.*3x3"):
        unfold(np.zeros((1, 2, 9, 1)), Windows((3, 3), (1, 1), 0))
    with pytest.raises(UsageError):
        unfold(np.zeros((1, 0, 9, 1)), Windows((3, 3)))


def test_a_matrix_of_other_images_is_refused():
    with pytest.raises(UsageError, match=r"; give .*\(16, 18\)"):
        fold(np.zeros((16, 9)), (1, 4, 4, 2), Windows((3, 3)))


@pytest.mark.parametrize("output_padding", [(2, 0), (0, -1)])
def test_an_output_padding_out_of_range_is_refused(output_padding):
    with pytest.raises(UsageError, match="output_padding"):
        Windows((3, 3), (2, 2)).image_size(4, 4, output_padding)


def test_a_grid_of_no_image_is_refused():
    with pytest.raises(UsageError, match="no image"):
        Windows((1, 1), (1, 1), 1).image_size(2, 4)
