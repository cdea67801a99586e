from __future__ import annotations

import numpy as np
import pytest

from kerasdenoise.errors import InputError, UsageError
from kerasdenoise.evaluation.corruption import Corruption


@pytest.mark.parametrize(
    ("text", "multiple"), [("gaussian:25", 1), ("camera", 16), ("camera:reduced", 16)]
)
def test_it_is_noise_for_one_image(text: str, multiple: int):
    corruption = Corruption(text)
    assert (corruption.label, corruption.multiple) == (text, multiple)
    clean = np.full((multiple * 2, multiple * 3, 3), 0.5, np.float32)
    first, again, other = (corruption(clean, seed) for seed in (2**32 - 1, 2**32 - 1, 0))
    assert (first.dtype, first.shape) == (np.float32, clean.shape)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, clean)


def test_gray_takes_gaussian_but_no_camera_noise():
    gray = np.full((16, 16, 1), 0.5, np.float32)
    assert Corruption("gaussian:25")(gray, 0).shape == gray.shape
    with pytest.raises(InputError, match=r"a\.png: .*gray.*; .*gaussian"):
        Corruption("camera")(gray, 0, name="a.png")


def test_an_unknown_kind_is_refused():
    with pytest.raises(UsageError, match="did you mean 'camera'"):
        Corruption("camra")
