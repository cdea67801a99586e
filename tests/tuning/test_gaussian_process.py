"""What the Gaussian process chooses next: only what can be tried, and what is likely good."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from kerasdenoise.runtime import prepare_keras

prepare_keras()

import keras_tuner  # noqa: E402

from kerasdenoise.tuning.gaussian_process import draw, propose  # noqa: E402

_KINDS = ["a", "b", "c", "d", "e", "f"]
_GAINS = {"a": 0.0, "b": -1.0, "c": 2.0, "d": -0.5, "e": 1.0, "f": -2.0}


@functools.cache
def _space() -> keras_tuner.HyperParameters:
    space = keras_tuner.HyperParameters()
    for name in ("first", "second", "third"):
        space.Choice(name, _KINDS)
    with space.conditional_scope("first", ["c", "e"]):
        space.Float("rate", 1e-4, 1e-1, sampling="log")
    space.Choice("width", [0, 1, 2, 3])
    return space


def _score(values: dict[str, Any]) -> float:
    score = sum(_GAINS[values[name]] for name in ("first", "second", "third"))
    if "rate" in values:
        score += 1 - abs(np.log10(values["rate"]) + 2)
    return 25 + score + 0.5 * values["width"]


def _search(trials: int, seed: int, at_random: int) -> list[tuple[dict[str, Any], float]]:
    rng, tried = np.random.default_rng(seed), []
    for number in range(trials):
        if number < at_random:
            values = draw(_space(), {}, rng)
        else:
            values = propose(_space(), tried, [], np.random.default_rng((seed, number)))
            assert values is not None
        tried.append((values, _score(values)))
    return tried


def _best(tried: list[tuple[dict[str, Any], float]]) -> float:
    return max(score for _, score in tried)


def test_it_finds_better_settings_than_chance_and_tries_none_again():
    # The best of the 864 lists, at its best rate, has 25 + 6 + 1 + 1.5 = 33.5.
    guided = [_search(24, seed, at_random=8) for seed in range(2)]
    at_random = [_search(24, seed, at_random=24) for seed in range(2)]
    assert np.mean([_best(each) for each in guided]) > 32.5
    assert np.mean([_best(each) for each in guided]) > np.mean(list(map(_best, at_random))) + 1
    for tried in guided:
        chosen = {tuple((k, f"{v:.1g}" if k == "rate" else v) for k, v in values.items())
                  for values, _ in tried}  # fmt: skip
        assert len(chosen) > 20


def test_values_that_depend_on_others_are_there_only_with_them():
    tried = _search(8, 0, at_random=8)
    for number in range(8):
        values = propose(_space(), tried, [], np.random.default_rng(number))
        assert values is not None
        assert ("rate" in values) == (values["first"] in ("c", "e"))
        assert set(values) >= {"first", "second", "third", "width"}


def test_the_same_draws_choose_the_same_and_what_is_running_is_not_chosen_again():
    tried = _search(10, 1, at_random=10)
    one = propose(_space(), tried, [], np.random.default_rng(5))
    assert one is not None
    assert propose(_space(), tried, [], np.random.default_rng(5)) == one
    other = propose(_space(), tried, [one], np.random.default_rng(5))
    assert other != one


@pytest.mark.parametrize("disaster", [-1e4, 0.0])
def test_a_disaster_does_not_hide_the_differences_of_the_others(disaster: float):
    tried = _search(10, 2, at_random=10)
    spoiled = [*tried, ({**tried[0][0], "third": "f", "second": "f"}, disaster)]
    values = propose(_space(), spoiled, [], np.random.default_rng(0))
    assert values is not None
    assert _score(values) > np.median([score for _, score in tried])
