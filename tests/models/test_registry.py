from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.models import get_architecture, list_architectures, make_config


def test_architectures_are_listed_by_file_name():
    names = list_architectures()
    assert "unet" in names
    assert names == sorted(names)
    assert not [name for name in names if name.startswith("_")]


def test_listing_imports_no_framework():
    code = (
        "import sys; from kerasdenoise.models import list_architectures; list_architectures();"
        "sys.exit(bool({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_architecture_is_told_its_neighbor():
    with pytest.raises(ModelError, match=r"^unett: .*did you mean 'unet'\?$"):
        get_architecture("unett")


def test_an_architecture_like_no_other_is_told_all():
    with pytest.raises(ModelError, match=r"known: .*unet"):
        get_architecture("zzzzzz")


def test_a_config_starts_from_its_preset():
    unet = get_architecture("unet")
    assert make_config("unet", {"preset": "small"}) == unet.PRESETS["small"]
    assert make_config("unet", {}) == unet.Config()
    gray = make_config("unet", {"preset": "small", "channels": 1})
    assert gray == dataclasses.replace(unet.PRESETS["small"], channels=1)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"preset": "gigantic"}, "'gigantic': is unknown; known: tiny"),
        ({"width": 3}, "'width': is unknown; known: channels"),
        ({"widths": [4, 8], "blocks": [1]}, "are not one number each"),
        ({"widths": [], "blocks": []}, "are not one number each"),
        ({"widths": [4, 0], "blocks": [1, 1]}, "below 1"),
        ({"widths": [4], "blocks": [0]}, "below 1"),
        ({"channels": 0}, "below 1"),
        ({"channels": -3}, "below 1"),
    ],
)
def test_a_bad_config_is_refused_in_one_line(values: dict, said: str):
    with pytest.raises(ModelError) as caught:
        make_config("unet", values)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_making_a_config_leaves_its_values_alone():
    values = {"preset": "tiny", "widths": [4, 8]}
    make_config("unet", values)
    assert values == {"preset": "tiny", "widths": [4, 8]}
