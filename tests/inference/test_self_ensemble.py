from __future__ import annotations

import numpy as np
import pytest

from kerasdenoise.inference.network import ALL_TURNS, UPRIGHT, Turn

BATCH = np.arange(2 * 3 * 5 * 1, dtype=np.float32).reshape(2, 3, 5, 1)


@pytest.mark.parametrize("turn", ALL_TURNS)
def test_a_turn_is_undone(turn: Turn):
    turned = turn.apply(BATCH)
    assert turned.shape == ((2, 5, 3, 1) if turn.swap else (2, 3, 5, 1))
    assert turned.flags.c_contiguous
    np.testing.assert_array_equal(turn.undo(turned), BATCH)


def test_the_eight_are_all_different_and_those_of_one_shape_stand_together():
    turned = {turn.apply(BATCH).tobytes() + bytes(turn.swap) for turn in ALL_TURNS}
    assert len(ALL_TURNS) == len(turned) == 8
    assert [turn.swap for turn in ALL_TURNS] == [False] * 4 + [True] * 4


def test_they_are_flips_and_right_angles():
    square = np.arange(16.0).reshape(1, 4, 4, 1)
    expected = {
        np.rot90(image, times).tobytes()
        for image in (square[0, ..., 0], square[0, :, ::-1, 0])
        for times in range(4)
    }
    assert {turn.apply(square).tobytes() for turn in ALL_TURNS} == expected


def test_upright_is_no_change():
    (turn,) = UPRIGHT
    np.testing.assert_array_equal(turn.apply(BATCH), BATCH)
