from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasdenoise.errors import UsageError
from kerasdenoise.inference import tiles
from kerasdenoise.inference.tiles import TileGrid, cut_parts, fit_part, halve, reflect, tile_grid

SIZES = st.integers(1, 400)


@st.composite
def grids(draw: st.DrawFn) -> tuple[int, int, int, int, TileGrid]:
    """An image's height and width, a model's radius and stride, and a grid for them."""
    height, width = draw(SIZES), draw(SIZES)
    radius, stride = draw(st.integers(0, 30)), draw(st.sampled_from([1, 2, 3, 4, 8]))
    smallest = 2 * -(-radius // stride) * stride + stride
    tile: Any = draw(st.just("auto") | st.integers(smallest, smallest + 100))
    return (
        height,
        width,
        radius,
        stride,
        tile_grid(height, width, tile=tile, radius=radius, stride=stride),
    )


@given(grids())
def test_every_pixel_is_placed_exactly_once(case):
    height, width, _, _, grid = case
    placed = np.zeros((height, width), int)
    for tile in grid.tiles:
        placed[tile.place] += 1
    assert (placed == 1).all()


@given(grids())
def test_what_is_kept_is_read_from_where_it_is_placed_and_sees_no_edge(case):
    _, _, radius, _, grid = case
    for tile in grid.tiles:
        for read, keep, place in zip(tile.read, tile.keep, tile.place, strict=True):
            assert list(read[keep]) == list(range(place.start, place.stop))
            assert keep.start >= radius
            assert keep.stop <= len(read) - radius


@given(grids())
def test_tiles_are_of_one_size_and_aligned_to_the_stride(case):
    _, _, _, stride, grid = case
    assert grid.tile_size[0] % stride == grid.tile_size[1] % stride == 0
    for tile in grid.tiles:
        assert tuple(map(len, tile.read)) == grid.tile_size
        assert tile.read[0].start % stride == tile.read[1].start % stride == 0


@given(grids(), st.integers(0, 40))
def test_no_tile_is_larger_than_asked_for(case, extra):
    height, width, radius, stride, _ = case
    tile = 2 * -(-radius // stride) * stride + stride + extra
    grid = tile_grid(height, width, tile=tile, radius=radius, stride=stride)
    assert max(grid.tile_size) <= tile


@given(SIZES, st.integers(-900, 900), st.integers(1, 900))
def test_reflect_is_what_numpy_pads(size, start, count):
    before, after = max(-start, 0), max(start + count - size, 0)
    padded = np.pad(np.arange(size), (before, after), mode="reflect")
    expected = padded[start + before :][:count]
    np.testing.assert_array_equal(reflect(range(start, start + count), size), expected)


def test_a_small_image_is_one_tile_just_big_enough():
    grid = tile_grid(17, 23, tile="auto", radius=9, stride=8)
    assert grid.tile_size == (24 + 32, 24 + 32)
    assert len(grid.tiles) == 1


def test_auto_wastes_little_and_stays_in_its_limit():
    height, width, radius = 4000, 6000, 72
    grid = tile_grid(height, width, tile="auto", radius=radius, stride=8)
    area = grid.tile_size[0] * grid.tile_size[1]
    assert area <= (tiles.AUTO_INTERIOR + 2 * radius) ** 2
    assert len(grid.tiles) * area / (height * width) < 1.35


def test_auto_makes_long_tiles_of_a_long_image():
    grid = tile_grid(16, 20_000, tile="auto", radius=72, stride=8)
    assert len(grid.tiles) <= 3


def test_tiles_are_balanced():
    grid = tile_grid(8, 1001, tile=1000, radius=0, stride=8)
    assert grid.tile_size == (8, 504)


def test_automatic_tiles_take_no_more_memory_than_allowed():
    heavy = 2000
    grid = tile_grid(3000, 4000, tile="auto", radius=11, stride=4, bytes_per_pixel=heavy)
    area = grid.tile_size[0] * grid.tile_size[1]
    assert 0.8 * tiles.AUTO_BYTES < area * heavy <= tiles.AUTO_BYTES
    # One that is too heavy for any tile gets the smallest.
    least = tile_grid(100, 100, tile="auto", radius=11, stride=4, bytes_per_pixel=10**9)
    assert least.tile_size == (28, 28)


@pytest.mark.parametrize("tile", ["auto", 3000])
def test_memory_can_be_given(tile):
    grid = tile_grid(
        3000, 4000, tile=tile, radius=11, stride=4, bytes_per_pixel=100, max_memory=9_000_000
    )
    assert 70_000 < grid.tile_size[0] * grid.tile_size[1] <= 90_000
    with pytest.raises(UsageError, match=r"max_memory 78\.399K: .*; give 78\.4K"):
        tile_grid(9, 9, tile=tile, radius=11, stride=4, bytes_per_pixel=100, max_memory=78399)


@settings(max_examples=25)
@given(grids())
def test_halves_take_the_place_of_a_tile(case):
    height, width, radius, stride, grid = case
    waiting = [(tile, 2) for tile in grid.tiles]
    placed = np.zeros((height, width), int)
    while waiting:
        tile, times = waiting.pop()
        halves = halve(tile, grid.halo, stride) if times else []
        for half in halves:
            assert half.area < tile.area
            for read, keep, place in zip(half.read, half.keep, half.place, strict=True):
                assert list(read[keep]) == list(range(place.start, place.stop))
                assert keep.start >= radius
                assert keep.stop <= len(read) - radius
                assert read.start % stride == len(read) % stride == 0
            waiting.append((half, times - 1))
        if not halves:
            placed[tile.place] += 1
    assert (placed == 1).all()


def test_there_is_nothing_smaller_than_one_stride():
    (tile,) = tile_grid(4, 4, tile="auto", radius=5, stride=4).tiles
    assert halve(tile, 8, 4) == []


@pytest.mark.parametrize(("height", "width"), [(1, 1), (16, 40), (17, 81), (30, 5)])
def test_parts_hold_each_pixel_once(height: int, width: int):
    counts = np.zeros((-(-height // 8) * 8, -(-width // 8) * 8), int)
    for rows, columns in cut_parts(height, width, stride=8, edge=14):
        assert len(rows) % 8 == len(columns) % 8 == 0
        assert max(len(rows), len(columns)) <= 16
        counts[np.ix_(rows, columns)] += 1
    assert (counts == 1).all()


@pytest.mark.parametrize("tile", [0, 1, 151])
def test_a_tile_without_an_interior_is_refused_and_the_least_is_named(tile):
    with pytest.raises(UsageError, match="; use 152"):
        tile_grid(500, 500, tile=tile, radius=70, stride=8)
    assert tile_grid(500, 500, tile=152, radius=70, stride=8).tile_size == (152, 152)


@pytest.mark.parametrize("heavy", [1, 700, 5000, 10**9])
def test_a_part_takes_no_more_memory_than_allowed(heavy: int):
    part = fit_part(heavy)
    assert part % 64 == 0
    assert 64 <= part <= tiles.PART
    assert part == 64 or part**2 * heavy <= tiles.AUTO_BYTES
    assert part == tiles.PART or (part + 64) ** 2 * heavy > tiles.AUTO_BYTES
