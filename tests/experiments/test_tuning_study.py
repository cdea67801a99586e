from __future__ import annotations

import pytest
import tuning_study


@pytest.mark.parametrize(
    ("differences", "said"),
    [
        # The t quantile of two degrees of freedom is 4.303.
        ([0.10, 0.12, 0.11], "**The winner is better**: +0.11 dB, 95 % interval +0.09 to +0.13"),
        ([-0.10, -0.12, -0.11], "**The usual settings are better**: -0.11 dB"),
        ([0.10, -0.12, 0.05], "**No difference beyond chance**: +0.01 dB"),
        ([0.5], "one seed says nothing of chance"),
    ],
)
def test_a_winner_is_judged_by_what_seeds_leave(differences: list[float], said: str):
    assert said in tuning_study._judge(differences)


@pytest.mark.parametrize("name", tuning_study.PLANS)
def test_what_is_usual_stands_in_the_searched_space(name: str):
    from kerasdenoise.tuning.space import find_space, read_space

    plan = tuning_study.PLANS[name]
    space = read_space(find_space(plan.architecture), plan.architecture)
    searched = {(entry.section, entry.name) for entry in space.entries}
    for section, entries in plan.usual.items():
        assert {(section, entry) for entry in entries} <= searched
