from __future__ import annotations

import re

import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.noise import Camera, Film, Gaussian, Noise, parse_noise
from kerasdenoise.noise.camera import _REDUCED


@pytest.mark.parametrize(
    ("text", "noise"),
    [
        ("gaussian:25", Gaussian(25 / 255, 25 / 255)),
        ("gaussian:12.5", Gaussian(12.5 / 255, 12.5 / 255)),
        ("gaussian:0-55", Gaussian(0.0, 55 / 255)),
        ("gaussian:255", Gaussian(1.0, 1.0)),
        ("gaussian:5e-1-2.5E+1", Gaussian(0.5 / 255, 25 / 255)),
        ("camera", Camera()),
        ("camera:", Camera()),
        ("camera:0.004", Camera(shot=(0.004, 0.004))),
        ("film:10", Film(10 / 255, 10 / 255)),
        ("camera:reduced", Camera(**_REDUCED)),
    ],
)
def test_a_text_names_a_noise(text: str, noise: Noise):
    assert parse_noise(text) == noise


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gausian:25", "gausian:25: .*kind of noise; .*'gaussian'"),
        ("", ": .*kind of noise; .*gaussian, camera"),
        ("Gaussian:25", "; .*'gaussian'"),
        *(
            (f"gaussian:{argument}", "number.* range .*0-255")
            for argument in ("", "x", "-5", "256", "50-10", "1-2-3", "nan", "inf", "10-")
        ),
        *(
            (f"camera:{argument}", r"shot noise .*0 .*0\.1")
            for argument in ("0", "-1", "0.2", "nan", "x", "0.001-0.002")
        ),
    ],
)
def test_what_names_none_is_refused_with_a_remedy(text: str, message: str):
    with pytest.raises(UsageError) as caught:
        parse_noise(text)
    assert re.search(message, str(caught.value))
    assert caught.value.remedy
    assert caught.value.exit_code == 2
