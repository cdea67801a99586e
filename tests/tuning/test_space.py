from __future__ import annotations

import tomllib
from pathlib import Path

import keras_tuner
import pytest

from kerasdenoise.errors import RecipeError
from kerasdenoise.losses import LOSSES
from kerasdenoise.models import list_architectures, make_config
from kerasdenoise.training.optimization import UNIONS
from kerasdenoise.tuning.space import (
    active_values,
    find_space,
    from_hyperparameters,
    parse_space,
    read_space,
    space_folders,
    to_hyperparameters,
)

SPACES = sorted(space_folders()[0].glob("*.toml"))


@pytest.mark.parametrize("architecture", list_architectures())
def test_every_single_choice_of_an_architecture_can_be_built(architecture: str):
    space = read_space(find_space(architecture), architecture)
    for entry in space.entries:
        known = {"loss": LOSSES, **{name: kinds for name, (kinds, _) in UNIONS.items()}}.get(
            entry.name
        )
        for alternative in entry.alternatives:
            values = alternative.choices or (alternative.low, alternative.high)
            assert not known or set(values) <= set(known)
            if entry.section == "config":
                for value in values:
                    make_config(architecture, {**space.base.config, entry.name: value})


@pytest.mark.parametrize("file", SPACES, ids=lambda file: file.stem)
def test_a_space_names_architectures_that_are_there_and_no_other_has(file: Path):
    named = tomllib.loads(file.read_text("utf-8"))["architectures"]
    assert set(named) <= set(list_architectures())
    assert [find_space(each) for each in named] == [file] * len(named)
    assert bool(named) == (file.name != "default.toml")


def test_an_architecture_that_no_file_names_gets_the_default():
    file = find_space("of_tomorrow")
    assert file.name == "default.toml"
    space = read_space(file, "strided_autoencoder")
    assert [entry.name for entry in space.entries] == ["optimizer", "learning_rate", "widths"]
    assert space.entries[-1].alternatives[0].choices[:3] == ((24, 48), (36, 72), (48, 96))


def _one(*lines: str) -> str:
    return "\n".join(['architectures = ["unet"]', "[space.optimization]", *lines])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = ", "space: .*TOML"),
        ("extra = 1", "space extra: .*unknown; .*architectures, base, space"),
        ('architectures = ["dncnn"]', "space: .*unet; .*dncnn"),
        ('architectures = ["unet"]', "space: .*nothing.*unet"),
        (_one("speed = [1]"), r"\[space.optimization\] speed: .*unknown"),
        (_one("learning_rate = []"), "learning_rate: .*values"),
        (_one("learning_rate = { low = 2.0, high = 1.0 }"), "learning_rate: .*range"),
        (
            _one("learning_rate = { low = 0.0, high = 1.0, log = true }"),
            "learning_rate: .*range",
        ),
        (_one("learning_rate = { low = 'a', high = 1.0 }"), "low = 'a': .*whole number"),
        (
            _one("decay_fraction = [{ when = { optimizer = ['sgd'] }, choices = [0.1] }]"),
            r"decay_fraction when optimizer = \[\"sgd\"\]: .*earlier",
        ),
        (_one("[base]", "steps = 0"), r"\[base\] steps = 0: .*range; .*1"),
        (_one("learning_rate = [1]", "[base.optimization]", "speed = 1"), "speed: .*unknown"),
        (_one("learning_rate = 3"), "choices = 3: .*list"),
        (_one("learning_rate = [1]", "[base]", "steps = true"), "steps = True: .*whole"),
        (_one("learning_rate = [1]", "[base]", "noise = ['fog']"), r"\[base\] fog: .*kind"),
        (_one("learning_rate = [1]", "[base]", "noise = []"), r"\[base\] noise: .*empty"),
        (_one("learning_rate = [1]", "[base]", "dtype = 'half'"), "dtype = 'half': .*unknown"),
        (
            _one("learning_rate = [1]", "[base.config]", "preset = 'x'"),
            r"\[base.config\] unet preset",
        ),
        (_one("optimizer = ['lion']"), "optimizer = lion: .*unknown; .*adam, adamax"),
        (
            _one("momentum = [0.0, 0.9]"),
            r"\[space.optimization\] momentum: .* optimizer 'adam'; .*\[\"sgd\"\]",
        ),
        (
            _one(
                "optimizer = ['adam', 'sgd']",
                "beta_2 = [{ when = { optimizer = ['sgd'] }, choices = [0.9] }]",
            ),
            "beta_2: .* optimizer 'sgd'",
        ),
        (
            _one("optimizer = ['adam', 'sgd']", "[base.optimization]", "beta_2 = 0.9"),
            r"\[base.optimization\] beta_2: .* optimizer 'sgd'",
        ),
        (
            _one("decay_rate = [0.9]"),
            "decay_rate: .* schedule 'warmup_stable_decay'",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused(text: str, message: str):
    with pytest.raises(RecipeError, match=message):
        parse_space(text, "unet")


def test_two_entries_of_one_name_are_refused():
    text = "[space.optimization]\nsteps = [1]\n[space.config]\nsteps = [2]"
    with pytest.raises(RecipeError, match=r"steps: .*twice"):
        parse_space(text, "perona_malik")


def test_a_field_that_the_architecture_lacks_is_refused():
    text = 'architectures = ["unet"]\n[space.config]\nspeed = [1]'
    with pytest.raises(RecipeError, match=r"\[space\.config\] speed: .*unknown; .*channels"):
        parse_space(text, "unet")


def test_values_survive_the_way_through_keras_tuner():
    text = """
architectures = ["unet"]
[space.optimization]
optimizer = ["adam", "sgd"]
learning_rate = [
    { when = { optimizer = ["adam"] }, low = 1e-4, high = 1e-2, log = true },
    { when = { optimizer = ["sgd"] }, choices = [0.1, 0.3] },
]
[space.config]
widths = [[4, 8], [8, 8]]
estimates_level = [false, true]
"""
    space = parse_space(text, "unet")
    parameters = to_hyperparameters(space)
    seen = set()
    for seed in range(40):
        values = {}
        for each in parameters.space:
            parameters.values = values
            if parameters.is_active(each):
                values[each.name] = each.random_sample(100 * seed + len(values))
        before = dict(values)
        parameters.ensure_active_values()
        assert parameters.values == before  # else KerasTuner would draw others, unseeded
        # As a worker gets it from the chief.
        sent = keras_tuner.HyperParameters.from_proto(parameters.to_proto())
        assert set(active_values(sent)) == set(values)
        found = from_hyperparameters(space, values)
        optimization, config = found["optimization"], found["config"]
        if optimization["optimizer"] == "sgd":
            assert optimization["learning_rate"] in (0.1, 0.3)
        else:
            assert 1e-4 <= optimization["learning_rate"] <= 1e-2
        assert config["widths"] in ((4, 8), (8, 8))
        assert type(config["estimates_level"]) is bool
        seen.add((optimization["optimizer"], config["widths"], config["estimates_level"]))
    assert len(seen) > 2
