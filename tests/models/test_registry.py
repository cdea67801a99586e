from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from typing import Any

import pytest

from kerasdenoise import models
from kerasdenoise.errors import ModelError
from kerasdenoise.models import (
    find_architecture,
    get_architecture,
    list_architectures,
    make_config,
)


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
    with pytest.raises(ModelError, match=r"^unett: .*; .*'unet'"):
        get_architecture("unett")


def test_an_architecture_like_no_other_is_told_all():
    with pytest.raises(ModelError, match=r"known: .*unet"):
        get_architecture("zzzzzz")


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What architectures there are, to be chosen by the test."""
    names: list[str] = []
    monkeypatch.setattr(models, "list_architectures", lambda: names)
    return names


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("lambda_net", "lambda_net"),
        ("lambda", "lambda_net"),
        ("border", "border"),
        ("border_unet", "border_unet"),
        ("poisson_auto", "poisson_auto_encoder"),
        ("unet", "unet"),
    ],
)
def test_the_first_words_name_an_architecture(names: list[str], given: str, found: str):
    names += ["border", "border_unet", "lambda_net", "poisson_auto_encoder", "unet"]
    assert find_architecture(given) == found


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("lambda", "lambda: .*several.*; .*lambda_net, lambda_unet"),
        ("lambd", "architecture; .*lambda"),
        ("lambda_", "architecture; .*lambda"),
        ("", "architecture; .*lambda_net, lambda_unet, unet"),
        ("net", "architecture; .*'unet'"),
    ],
)
def test_half_a_word_names_none_and_two_meanings_are_refused(
    names: list[str], given: str, said: str
):
    names += ["lambda_net", "lambda_unet", "unet"]
    with pytest.raises(ModelError) as caught:
        find_architecture(given)
    assert re.search(said, str(caught.value))


def test_a_short_name_does_all_that_the_full_one_does():
    module = get_architecture("poisson_autoencoder")
    assert get_architecture("poisson") is module
    assert make_config("poisson", {"preset": "tiny"}) == module.PRESETS["tiny"]


def test_a_config_starts_from_its_preset():
    unet = get_architecture("unet")
    assert make_config("unet", {"preset": "small"}) == unet.PRESETS["small"]
    assert make_config("unet", {}) == unet.Config()
    gray = make_config("unet", {"preset": "small", "channels": 1})
    assert gray == dataclasses.replace(unet.PRESETS["small"], channels=1)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"preset": "gigantic"}, "'gigantic': .*unknown; .*tiny"),
        ({"width": 3}, "unet width: .*unknown; .*channels"),
        ({"widths": [4, 8], "blocks": [1]}, "one number each"),
        ({"widths": [], "blocks": []}, "one number each"),
        ({"widths": [4, 0], "blocks": [1, 1]}, "below 1"),
        ({"widths": [4], "blocks": [0]}, "below 1"),
        ({"channels": 0}, "below 1"),
        ({"channels": -3}, "below 1"),
    ],
)
def test_a_bad_config_is_refused_in_one_line(values: dict, said: str):
    with pytest.raises(ModelError) as caught:
        make_config("unet", values)
    assert re.search(said, str(caught.value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"widths": "4"}, "unet widths = '4': .*list"),
        ({"widths": [4, 8.5]}, "unet widths = 8.5: .*whole number"),
        ({"channels": "3"}, "unet channels = '3': .*whole number"),
        ({"channels": True}, "unet channels = True: .*whole number"),
        ({"noise_level": 1}, "unet noise_level = 1: .*true or false"),
    ],
)
def test_a_value_of_another_kind_is_refused(values: dict, said: str):
    with pytest.raises(ModelError) as caught:
        make_config("unet", values)
    assert re.search(said, str(caught.value))


def test_a_whole_number_is_a_number_too():
    config: Any = make_config("perona_malik", {"contrast": 1})
    assert config.contrast == 1


def test_making_a_config_leaves_its_values_alone():
    values = {"preset": "tiny", "widths": [4, 8]}
    make_config("unet", values)
    assert values == {"preset": "tiny", "widths": [4, 8]}


def test_a_network_is_built_by_name_and_preset():
    network = models.build("lambda", preset="paper", channels=1)
    assert network.input_shape == (None, None, None, 1)
    with pytest.raises(ModelError, match=r"preset 'none'.*is unknown"):
        models.build("lambda_net", preset="none")
