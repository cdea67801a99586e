"""A study's report: Markdown, pictures, and the winner's recipe."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from kerasdenoise.evaluation.pages import table
from kerasdenoise.files import write_file
from kerasdenoise.metrics import warn_if_worse
from kerasdenoise.runtime import make_figure
from kerasdenoise.tuning.study import (
    Result,
    Study,
    describe_duration,
    describe_noisy,
    describe_value,
    describe_values,
    find_best,
    read_results,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REPORT, TUNED = "report.md", "tuned.toml"
PARALLEL, FRONT = "parallel.png", "front.png"

_Item = TypeVar("_Item")

_TITLES = {"psnr": "PSNR, dB", "ssim": "SSIM"}

# Fewer trials say nothing about so many settings.
FEWEST = 8
_TREES, _REPEATS = 300, 20
_BEST_SHARE = 4

_OURS, _OTHERS = "#c1440e", "#33546b"
# So many trials, of all that are drawn, are drawn strongly.
_STRONG = 4
_INCHES = 1.5
# The height of a value that a trial does not have.
_NOWHERE = -0.12


def write_report(study: Study) -> list[str]:
    """Writes `report.md`, its pictures, and `tuned.toml`, in the study's folder.

    Returns:
        Lines that say what was found.
    """
    results = read_results(study)
    best = find_best(results, study.settings.objective)
    files = [study.folder / REPORT]
    if best is not None:
        write_file(study.folder / TUNED, _tuned(study, best, len(results)))
        files.append(study.folder / TUNED)
    write_file(study.folder / REPORT, describe_study(study, results, study.folder, ""))
    failed = sum(result.status == "failed" for result in results)
    line = f"{study.folder}: {len(results)} trials"
    line += f", {failed} failed" if failed else ""
    if best is None:
        return [f"{line}, none completed; see {files[0]}"]
    figures = best.figures
    line += (
        f"; the best is trial {best.number}: {figures['psnr']:.2f} dB{describe_noisy(figures)}, "
    )
    noisy = figures.get("noisy")
    worse = [] if noisy is None else warn_if_worse("the best trial", noisy, figures["psnr"])
    return [
        f"{line}SSIM {figures['ssim']:.3f}, {figures['mac_per_pixel']:,} MAC per pixel",
        *worse,
        f"written: {', '.join(map(str, files))}; next: kerasdenoise train {files[1]}",
    ]


def describe_study(study: Study, results: list[Result], pictures: Path, prefix: str) -> str:
    """Writes the report's text, and its pictures.

    Args:
        study: The study.
        results: Its trials.
        pictures: Folder for the pictures.
        prefix: What their names begin with, in files and, with a folder, in the text.
    """
    settings = study.settings
    figure = "ssim" if settings.objective == "ssim" else "psnr"
    done = [result for result in results if result.status == "completed"]
    parts = [f"# Study of {settings.architecture}", _describe_settings(study, results)]
    if done:
        name = Path(prefix).name
        names = list(dict.fromkeys(key for result in done for key in result.values))
        draw_parallel(done, names, figure, pictures / f"{name}{PARALLEL}")
        front = find_front(
            done, lambda each: each.figures["mac_per_pixel"], lambda each: each.figures["psnr"]
        )
        draw_front(done, front, pictures / f"{name}{FRONT}", settings.architecture)
        parts += [
            "## Trials",
            _describe_trials(done, names, figure),
            f"![Each trial as a line through its values]({prefix}{PARALLEL})",
            "## What matters",
            _describe_importance(done, figure),
            "## Quality against cost",
            "Each of these trials is better than every cheaper one:",
            _describe_front(front),
            f"![PSNR against multiply-accumulates per pixel]({prefix}{FRONT})",
        ]
    failed = [result for result in results if result.status == "failed"]
    if failed:
        parts += ["## Failed", _describe_failed(failed)]
    return "\n\n".join(parts) + "\n"


def find_front(
    items: Iterable[_Item], cost: Callable[[_Item], float], quality: Callable[[_Item], float]
) -> list[_Item]:
    """Returns those items that no other is as cheap and better than, the cheapest first."""
    front: list[_Item] = []
    for item in sorted(items, key=lambda each: (cost(each), -quality(each))):
        if not front or quality(item) > quality(front[-1]):
            front.append(item)
    return front


def _tuned(study: Study, best: Result, trials: int) -> str:
    figures, settings = best.figures, study.settings
    text = (best.folder / "recipe.toml").read_text("utf-8")
    reached = f"{figures['psnr']:.2f} dB{describe_noisy(figures)} and SSIM {figures['ssim']:.4f}"
    share = "" if best.share == 1 else f" after {figures['steps']:,} of its steps"
    return (
        f"# Trial {best.number} of {trials} of a {settings.tuner} search for {settings.objective}: "
        f"{reached}{share}.\n{text}"
    )


def _describe_settings(study: Study, results: list[Result]) -> str:
    settings = study.settings
    counts = {
        status: sum(result.status == status for result in results)
        for status in ("completed", "failed", "running")
    }
    equal = "steps" if settings.equal == "steps" else "multiply-accumulates"
    rows = [
        ("data", settings.data.description),
        ("noise", ", ".join(settings.noise or (each.text for each in study.space.base.noise))),
        ("tuner", settings.tuner),
        ("objective", settings.objective),
        ("equal for all trials", f"{equal}, {settings.steps:,} steps of the base settings"),
        ("trials", ", ".join(f"{count} {status}" for status, count in counts.items() if count)),
        ("time", describe_duration(sum(result.seconds for result in results))),
    ]
    return table(("", ""), rows)


def _describe_trials(done: list[Result], names: list[str], figure: str) -> str:
    order = sorted(done, key=lambda result: (-result.share, -result.figures[figure]))
    rows = [
        [
            str(result.number),
            _number(result.figures.get("noisy")),
            f"{result.figures['psnr']:.2f}",
            f"{result.figures['ssim']:.4f}",
            f"{result.figures['parameters']:,}",
            f"{result.figures['mac_per_pixel']:,}",
            _latency(result),
            f"{result.figures['steps']:,}",
            f"{result.seconds:.0f}",
            *(_value(result.values, name) for name in names),
        ]
        for result in order
    ]
    heading = [
        "",
        "noisy, dB",
        "PSNR, dB",
        "SSIM",
        "parameters",
        "MAC per pixel",
        "LiteRT, ms per megapixel",
    ]
    text = table([*heading, "steps", "s", *names], rows)
    return (
        f"{text}\n\nThe best trials come first. PSNR and SSIM are for images that no trial was "
        "trained on. LiteRT ran on one core while the machine may have done other work."
    )


def _describe_importance(done: list[Result], figure: str) -> str:
    share = max(result.share for result in done)
    full = [result for result in done if result.share == share]
    values, scores = [each.values for each in full], [each.figures[figure] for each in full]
    importance = measure_importance(values, scores)
    if importance is None:
        return f"{len(full)} trials are too few to say."
    rows = []
    for name, part in importance.shares.items():
        best = describe_best([each.get(name) for each in values], scores)
        rows.append((name, f"{100 * part:.0f} %", _range(best)))
    text = table(("", "importance", "in the best quarter of the trials"), rows)
    explained = (
        f"explains {100 * importance.explained:.0f} % of the spread of trials that it has not seen"
        if importance.explained > 0
        else "explains nothing of trials that it has not seen, so these shares are chance"
    )
    return (
        f"{text}\n\nA random forest predicts {_TITLES[figure]} from the settings. The importance "
        f"of a setting is its share in that prediction. The forest {explained}. The winner is the "
        "best of many trials whose figures vary by chance, so it would do slightly worse on other "
        "images or with another seed."
    )


def _describe_front(front: list[Result]) -> str:
    rows = [
        (
            str(result.number),
            f"{result.figures['mac_per_pixel']:,}",
            f"{result.figures['psnr']:.2f}",
            f"{result.figures['parameters']:,}",
            _latency(result),
            f"`{result.folder.parent.name}/{result.folder.name}/recipe.toml`",
        )
        for result in front
    ]
    heading = ("trial", "MAC per pixel", "PSNR, dB", "parameters", "LiteRT, ms per megapixel")
    return table((*heading, "recipe"), rows)


def _describe_failed(failed: list[Result]) -> str:
    rows = [
        (
            str(result.number),
            result.reason.replace("|", "/"),
            describe_values(result.values),
        )
        for result in failed
    ]
    return table(("trial", "why", "settings"), rows)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _latency(result: Result) -> str:
    latency = result.figures["latency"]
    return "-" if latency is None else f"{latency:,.0f}"


def _value(values: dict[str, Any], name: str) -> str:
    return describe_value(values[name]) if name in values else "-"


def _range(values: list[Any]) -> str:
    if len(values) > 3 and all(isinstance(value, int | float) for value in values):
        return f"{describe_value(values[0])} to {describe_value(values[-1])}"
    return ", ".join(map(describe_value, values)) or "-"


@dataclass(frozen=True)
class Importance:
    """What the trials say of hyperparameters.

    Attributes:
        shares: The share of each in what all of them explain, by name, the largest first.
        explained: The part of the figure's spread that is foretold of trials that the forest has
            not seen, at most 1; 0 or less means that the shares are chance.
    """

    shares: dict[str, float]
    explained: float


def measure_importance(
    values: Sequence[dict[str, Any]], figures: Sequence[float]
) -> Importance | None:
    """Measures by how much worse a forest foretells the figure with one hyperparameter shuffled.

    The permutation importance of Breiman, "Random forests", Machine Learning 2001.

    Args:
        values: Each trial's values by name; what does not apply to a trial is not in it.
        figures: What each reached.

    Returns:
        The importance, or None if there are fewer than 8 trials or all are alike.
    """
    if len(values) < FEWEST or max(figures) == min(figures):
        return None
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    names = list(dict.fromkeys(name for each in values for name in each))
    columns = np.array([_encode([each.get(name) for each in values], figures) for name in names]).T
    forest = RandomForestRegressor(_TREES, oob_score=True, random_state=0, min_samples_leaf=2)
    forest.fit(columns, figures)
    found: Any = permutation_importance(
        forest, columns, figures, n_repeats=_REPEATS, random_state=0
    )
    drops = np.maximum(found.importances_mean, 0.0)
    shares = drops / drops.sum() if drops.sum() else drops
    order = np.argsort(-shares, kind="stable")
    return Importance(
        {names[index]: float(shares[index]) for index in order}, float(forest.oob_score_)
    )


def describe_best(values: Sequence[Any], figures: Sequence[float]) -> list[Any]:
    """Returns a hyperparameter's values in the best quarter of the trials, sorted, each once."""
    count = max(1, len(values) // _BEST_SHARE)
    order = sorted(range(len(values)), key=lambda index: -figures[index])[:count]
    best = [_hashable(values[index]) for index in order if values[index] is not None]
    if all(isinstance(value, int | float) for value in best):
        return sorted(set(best))
    return sorted(set(best), key=lambda value: (-best.count(value), str(value)))


def is_logarithmic(values: Sequence[Any]) -> bool:
    """Whether numbers are over more than a factor of 20 and so differ by their logarithms."""
    numbers = [value for value in values if value is not None]
    return is_number(numbers) and min(numbers) > 0 and max(numbers) > 20 * min(numbers)


def is_number(values: Sequence[Any]) -> bool:
    """Whether values are numbers, of which there is one."""
    return bool(values) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )


def _encode(values: list[Any], figures: Sequence[float]) -> list[float]:
    """Numbers as they are or by their logarithms, other values in the order of their figures."""
    given = [value for value in values if value is not None]
    if is_number(given):
        numbers = [math.log(v) if is_logarithmic(given) else float(v) for v in given]
        missing = min(numbers) - 1.0
        rest = iter(numbers)
        return [missing if value is None else next(rest) for value in values]
    kinds = [_hashable(value) for value in values]
    means = {
        kind: np.mean([f for k, f in zip(kinds, figures, strict=True) if k == kind])
        for kind in kinds
    }
    order = sorted(means, key=lambda kind: float(means[kind]))
    return [float(order.index(kind)) for kind in kinds]


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def draw_parallel(
    results: Sequence[Result], names: Sequence[str], figure: str, target: Path
) -> None:
    """Draws each trial as a line through its values, and its figure at the end, as a PNG.

    Args:
        results: Completed trials, at least one.
        names: The hyperparameters, one axis each.
        figure: `psnr` or `ssim`.
        target: The file to write.
    """
    from matplotlib import colormaps

    columns = [[result.values.get(name) for result in results] for name in names]
    scores = [result.figures[figure] for result in results]
    picture = make_figure(max(6.0, _INCHES * (len(names) + 1)), 5)
    axes = picture.subplots()
    places = [_place(column) for column in columns] + [_place(scores)]
    low, high = min(scores), max(scores)
    colors = colormaps["viridis_r"]
    strong = sorted(scores)[-max(1, len(scores) // _STRONG) :][0]
    for index in sorted(range(len(results)), key=lambda each: scores[each]):
        share = (scores[index] - low) / (high - low) if high > low else 1.0
        heights = [place[index] for place in places]
        axes.plot(
            range(len(places)),
            heights,
            color=colors(share),
            alpha=0.9 if scores[index] >= strong else 0.3,
            linewidth=2 if scores[index] >= strong else 1,
        )
    label = "PSNR, dB" if figure == "psnr" else "SSIM"
    _label_axes(axes, [*names, label], [*columns, scores])
    picture.savefig(target, dpi=110)


def draw_front(
    results: Sequence[Result], front: Sequence[Result], target: Path, title: str
) -> None:
    """Draws PSNR against multiply-accumulates as a PNG, and the front as a line.

    Args:
        results: Completed trials.
        front: Those that none is as cheap and better than, the cheapest first.
        target: The file to write.
        title: What was measured.
    """
    picture = make_figure(8, 5)
    axes = picture.subplots()
    axes.set_xscale("log")
    others = [result for result in results if result not in front]
    axes.plot(*_points(others), "o", color=_OTHERS, alpha=0.6, label="trials")
    axes.plot(*_points(front), "o-", color=_OURS, drawstyle="steps-post", label="the front")
    for result in front:
        mac, psnr = result.figures["mac_per_pixel"], result.figures["psnr"]
        axes.annotate(
            str(result.number), (mac, psnr), xytext=(4, 5), textcoords="offset points", fontsize=8
        )
    axes.set(xlabel="multiply-accumulates per pixel", ylabel="PSNR, dB", title=title)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right")
    picture.savefig(target, dpi=120)


def _points(results: Sequence[Result]) -> tuple[Sequence[float], Sequence[float]]:
    macs = [max(1, result.figures["mac_per_pixel"]) for result in results]
    return macs, [result.figures["psnr"] for result in results]


def _place(column: Sequence[Any]) -> list[float]:
    """Heights from 0 to 1; below them for a trial that has no such value."""
    given = [value for value in column if value is not None]
    if is_number(given):
        scale = math.log if is_logarithmic(given) else float
        low, high = scale(min(given)), scale(max(given))
        spread = high - low or 1.0
        return [_NOWHERE if v is None else (scale(v) - low) / spread for v in column]
    kinds = _kinds(column)
    spread = max(1, len(kinds) - 1)
    return [_NOWHERE if v is None else kinds.index(v) / spread for v in column]


def _kinds(column: Sequence[Any]) -> list[Any]:
    kinds: list[Any] = []
    for value in column:
        if value is not None and value not in kinds:
            kinds.append(value)
    return sorted(kinds, key=str)


def _label_axes(axes: Axes, names: Sequence[str], columns: Sequence[Sequence[Any]]) -> None:
    axes.set_xticks(range(len(names)), names, rotation=20, ha="right")
    axes.set_yticks([])
    axes.set_xlim(-0.3, len(names) - 0.4)
    axes.spines[:].set_visible(False)
    for place, column in enumerate(columns):
        axes.axvline(place, color="#999999", linewidth=0.8, zorder=0)
        given = [value for value in column if value is not None]
        if is_number(given):
            marks = list(dict.fromkeys([(0.0, min(given)), (1.0, max(given))]))
            marks = marks if min(given) < max(given) else marks[:1]
        else:
            kinds = _kinds(column)
            marks = [(index / max(1, len(kinds) - 1), kind) for index, kind in enumerate(kinds)]
        labels = [(height, describe_value(value)) for height, value in marks]
        if len(given) < len(column):
            labels.append((_NOWHERE, "none"))
        for height, label in labels:
            box = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1}
            axes.text(place + 0.04, height, label, fontsize=8, va="center", bbox=box)
