from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest

from kerasdenoise.data.patches import PatchSampler, prefetch
from kerasdenoise.errors import RecipeError

PATCH = 4


def _photo(number: int, height: int = 9, width: int = 12) -> np.ndarray:
    """A photo whose every pixel says whose it is: row, column, photo."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.full_like(rows, number)], axis=-1).astype(np.uint8)


def _sampler(*photos: np.ndarray, patch: int = PATCH, batch: int = 8, seed: int = 3):
    return PatchSampler(photos or [_photo(0), _photo(1)], patch, batch, seed)


def _patches(sampler: PatchSampler, steps: int = 100) -> np.ndarray:
    """Many patches, with the values of the photos."""
    batches = np.concatenate([sampler.batch_of(step) for step in range(steps)])
    return np.rint(batches * 255).astype(np.uint8)


def _orientations(patch: np.ndarray) -> list[np.ndarray]:
    turned = [np.rot90(patch, turns) for turns in range(4)]
    return [*turned, *(patch[:, ::-1] for patch in turned)]


def test_patches_stay_as_they_are_where_nothing_is_turned():
    upright = PatchSampler([_photo(0)], PATCH, 8, 3, turns=False)
    for patch in _patches(upright, 20):
        top, left, _ = patch[0, 0]
        np.testing.assert_array_equal(patch, _photo(0)[top:, left:][:PATCH, :PATCH])


def test_a_batch_is_what_the_network_takes():
    batch = _sampler().batch_of(0)
    assert batch.shape == (8, PATCH, PATCH, 3)
    assert batch.dtype == np.float32
    assert 0.0 <= batch.min() <= batch.max() <= 1.0


def test_white_is_one():
    white = np.full((9, 9, 3), 255, np.uint8)
    np.testing.assert_array_equal(_sampler(white).batch_of(0), 1.0)


def test_photos_of_any_type_have_one_scale():
    photo = np.random.default_rng(0).random((PATCH, PATCH, 3), np.float32)
    deep = np.rint(65535 * photo).astype(np.uint16)
    batches = [PatchSampler([p], PATCH, 2, 0, turns=False).batch_of(0) for p in (photo, deep)]
    np.testing.assert_array_equal(batches[0][0], photo)
    np.testing.assert_allclose(batches[1], batches[0], atol=1e-5)


def test_a_batch_depends_on_seed_and_step_alone():
    fresh, used = _sampler(), _sampler()
    for step in (0, 1, 2, 9, 4):
        used.batch_of(step)
    np.testing.assert_array_equal(used.batch_of(7), fresh.batch_of(7))


def test_batches_go_on_where_a_run_stopped():
    whole = list(itertools.islice(_sampler().batches(0), 6))
    resumed = list(itertools.islice(_sampler().batches(4), 2))
    np.testing.assert_array_equal(whole[4:], resumed)


@pytest.mark.parametrize(("seed", "step"), [(3, 8), (4, 7), (7, 3)])
def test_other_seeds_and_steps_give_other_batches(seed: int, step: int):
    assert not np.array_equal(_sampler(seed=seed).batch_of(step), _sampler(seed=3).batch_of(7))


def test_a_patch_is_a_piece_of_one_photo():
    photos = [_photo(0), _photo(1)]
    for patch in _patches(_sampler(*photos)):
        top, left, number = patch.reshape(-1, 3).min(0)
        piece = photos[number][top : top + PATCH, left : left + PATCH]
        assert any(np.array_equal(patch, turned) for turned in _orientations(piece))


def test_patches_come_in_all_eight_orientations():
    patches = _patches(_sampler(_photo(0, PATCH, PATCH)))
    turned = _orientations(_photo(0, PATCH, PATCH))
    counts = [sum(np.array_equal(patch, t) for patch in patches) for t in turned]
    assert sum(counts) == len(patches)
    assert min(counts) > len(patches) / 16


def test_patches_come_from_everywhere():
    corners = {tuple(p.reshape(-1, 3).min(0)[:2]) for p in _patches(_sampler(_photo(0)))}
    assert corners == set(itertools.product(range(9 - PATCH + 1), range(12 - PATCH + 1)))


def test_each_place_is_as_likely_whichever_photo_it_is_in():
    large, small = _photo(0, 20, 23), _photo(1, 7, 8)  # 340 places and 20
    share = np.mean(_patches(_sampler(large, small), 400)[..., 2])
    assert share == pytest.approx(20 / 360, abs=0.02)


@pytest.mark.parametrize("size", [(PATCH - 1, 40), (40, PATCH - 1)])
def test_photos_smaller_than_a_patch_are_left_out(size: tuple[int, int]):
    patches = _patches(_sampler(_photo(0, *size), _photo(1), _photo(2, *size)))
    assert set(patches[..., 2].flat) == {1}


def test_a_photo_of_just_a_patch_is_used():
    assert _sampler(_photo(0, PATCH, PATCH)).batch_of(0).shape == (8, PATCH, PATCH, 3)


@pytest.mark.parametrize("photos", [[], [_photo(0)]], ids=["no photo", "a small photo"])
def test_no_photo_of_a_patch_is_refused(photos: list[np.ndarray]):
    with pytest.raises(RecipeError, match=r"patch 10: .*larger"):
        PatchSampler(photos, 10, 8, 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_small_pictures_are_used_whole(channels: int):
    pictures = np.random.default_rng(0).integers(0, 256, (50, 32, 32, channels), np.uint8)
    patches = _patches(_sampler(*pictures, patch=32, batch=64), 1)
    assert patches.shape == (64, 32, 32, channels)
    known = {turned.tobytes() for picture in pictures for turned in _orientations(picture)}
    assert all(patch.tobytes() in known for patch in patches)


LONGEST = 20  # seconds; only a failing test waits so long


def _is_alive(name: str = "prefetch") -> bool:
    return any(thread.name.startswith(name) for thread in threading.enumerate())


def test_batches_come_in_order_from_any_step():
    assert list(itertools.islice(prefetch(lambda step: step * step, 3), 5)) == [9, 16, 25, 36, 49]


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_batches_are_made_while_one_is_used(ahead: int):
    made = [threading.Event() for _ in range(ahead + 2)]
    batches = prefetch(lambda step: made[step].set(), 0, ahead)
    next(batches)
    assert all(event.wait(LONGEST) for event in made[: ahead + 1])
    batches.close()
    assert not made[ahead + 1].is_set()


def test_nothing_is_made_before_the_first_is_asked_for():
    prefetch(lambda step: pytest.fail("asked for nothing"), 0)
    assert not _is_alive()


def test_batches_are_made_one_after_the_other_in_another_thread():
    threads = list(itertools.islice(prefetch(lambda step: threading.get_ident(), 0), 20))
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


@pytest.mark.parametrize("end", ["close", "drop", "raise"])
def test_the_thread_ends_with_the_iterator(end: str):
    batches = prefetch(lambda step: step, 0)
    next(batches)
    assert _is_alive()
    if end == "close":
        batches.close()
    elif end == "drop":
        del batches
    else:
        with pytest.raises(KeyboardInterrupt):
            batches.throw(KeyboardInterrupt)
    assert not _is_alive()


def test_an_error_comes_in_place_of_its_batch():
    def fail_at_two(step: int) -> int:
        if step == 2:
            raise ValueError("no batch")
        return step

    batches = prefetch(fail_at_two, 0, ahead=2)
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(ValueError, match="no batch"):
        next(batches)
    assert not _is_alive()
