"""A study's report: Markdown, pictures, and the winner's recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasdenoise.files import write_file
from kerasdenoise.metrics import warn_if_worse
from kerasdenoise.tuning.importance import describe_best, measure_importance
from kerasdenoise.tuning.narrator import describe_duration, describe_value
from kerasdenoise.tuning.pareto import find_front
from kerasdenoise.tuning.pictures import draw_front, draw_parallel
from kerasdenoise.tuning.results import Result, describe_noisy, find_best, read_results
from kerasdenoise.tuning.study import Study

REPORT, TUNED = "report.md", "tuned.toml"
PARALLEL, FRONT = "parallel.png", "front.png"

_TITLES = {"psnr": "PSNR, dB", "ssim": "SSIM"}


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
            "What no trial is as cheap as and better than:",
            _describe_front(front),
            f"![PSNR against multiply-accumulates per pixel]({prefix}{FRONT})",
        ]
    failed = [result for result in results if result.status == "failed"]
    if failed:
        parts += ["## Failed", _describe_failed(failed)]
    return "\n\n".join(parts) + "\n"


def make_table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Writes a table in Markdown."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
    return make_table(("", ""), rows)


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
    table = make_table([*heading, "steps", "s", *names], rows)
    return (
        f"{table}\n\nThe best come first. PSNR and SSIM are of images that no trial was trained "
        "on. LiteRT ran on one core, beside whatever else the machine did."
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
    table = make_table(("", "importance", "in the best quarter of the trials"), rows)
    explained = (
        f"explains {100 * importance.explained:.0f} % of the spread of trials it has not seen"
        if importance.explained > 0
        else "foretells nothing of trials it has not seen, so that these shares are chance"
    )
    return (
        f"{table}\n\nThe share of each in what a random forest knows of {_TITLES[figure]}; the "
        f"forest {explained}. The winner is the best of many by figures that vary by chance: "
        "it would do a little worse on other images or with another seed."
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
    return make_table((*heading, "recipe"), rows)


def _describe_failed(failed: list[Result]) -> str:
    rows = [
        (
            str(result.number),
            result.reason.replace("|", "/"),
            ", ".join(f"{name} {describe_value(value)}" for name, value in result.values.items()),
        )
        for result in failed
    ]
    return make_table(("trial", "why", "settings"), rows)


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
