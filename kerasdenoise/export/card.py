"""A saved model's metadata, its card for people, and its entry in the index."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from kerasdenoise.errors import ModelError
from kerasdenoise.plain_json import read_object, write_json
from kerasdenoise.zoo import INDEX, INT8

_WARNING = (
    "**What looks like detail in its results is partly invented.** Use another model for "
    "pictures that serve as evidence."
)


def render_card(metadata: dict[str, Any]) -> str:
    """Renders `metadata.json` as Markdown, with what the Hugging Face Hub reads at its top.

    Args:
        metadata: What is known of the model: `training` by `write_saved_model`, or else
            `trained_from` by `save_model`; `figures` is a list of rows
            with the keys `set`, `noise`, `images`, `noisy_psnr`, `psnr`, `psnr_error` and
            `ssim`; `facts`, if it is there, has further rows; and
            `files`, if it is there, what `ParityGate.measure` says of each file.

    Returns:
        The text of the model's README.md.
    """
    sight = f"{metadata['radius']} pixels in each direction"
    if metadata["global_context"]:
        sight += ", and statistics of the whole image"
    given = ", and the noise level at each pixel" if metadata["noise_level"] else ""
    estimated = "estimated by `level.tflite` at each pixel; `tile.tflite` takes it, or another"
    levels = [("Noise level", estimated)] if metadata.get("estimates_level") else []
    if "highest_level" in metadata:
        most = f"up to {255 * metadata['highest_level']:g}/255; stronger noise is treated as that"
        levels.append(("Noise level in training", most))
    facts = [
        ("Architecture", f"`{metadata['architecture']}`, see `config.json`"),
        ("Parameters", f"{metadata['parameters']:,}"),
        ("Multiply-accumulates per pixel", f"{metadata['mac_per_pixel']:,}"),
        ("Memory", f"{metadata['bytes_per_pixel']:,} bytes per pixel of a tile"),
        ("Receptive field", sight),
        ("Input and output", (f"float32, 1 x H x W x {metadata['channels']}, nominally in [0, 1], "
         f"sides multiples of {metadata['stride']}{given}; the output is not clipped")),
        *levels,
        *metadata.get("facts", {}).items(),
        *_training(metadata),
        ("License of the weights", metadata["license"]),
        ("LiteRT compared with Keras", f"largest difference {metadata['litert_difference']:.1e}"),
    ]  # fmt: skip
    lines = [f"# {metadata['name']}", "", f"{metadata['summary']}.", "", "| | |", "|---|---|"]
    if metadata.get("invents_detail"):
        lines[1:1] = ["", _WARNING]
    lines += [f"| {name} | {value} |" for name, value in facts]
    lines += ["", *_files(metadata.get("files", {})), *_figures(metadata["figures"])]
    if "training" in metadata:
        lines += ["This page is written by `python cli.py export`; edit the recipe instead.", ""]
    return "\n".join([*_hub(metadata), *lines])


def _hub(metadata: dict[str, Any]) -> list[str]:
    """The block by which the Hub lists a model. JSON values are YAML, too."""
    license_name = metadata["license"]
    known = license_name == "Apache-2.0"
    values = {
        "license": "apache-2.0" if known else "other",
        **({} if known else {"license_name": license_name}),
        "library_name": "keras",
        "pipeline_tag": "image-to-image",
        "tags": ["image-denoising", "image-restoration", "kerasdenoise", "litert"],
    }
    if metadata["figures"]:
        results = [_hub_result(row) for row in metadata["figures"]]
        values["model-index"] = [{"name": metadata["name"], "results": results}]
    block = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return ["---", *block, "---", ""]


def _hub_result(row: dict[str, Any]) -> dict[str, Any]:
    noise = row["noise"] or "its own noise"
    dataset = {"name": f"{row['set']}, {noise}", "type": row["set"].partition(",")[0].lower()}
    metrics = [
        {"type": "psnr", "value": round(row["psnr"], 2), "name": "PSNR in dB"},
        {"type": "ssim", "value": round(row["ssim"], 4), "name": "SSIM"},
    ]
    task = {"type": "image-to-image", "name": "denoising"}
    return {"task": task, "dataset": dataset, "metrics": metrics}


def _training(metadata: dict[str, Any]) -> list[tuple[str, str]]:
    if "training" not in metadata:
        return [("Trained", f"by its user from `{metadata['trained_from']}`, without a recipe")]
    training = metadata["training"]
    earlier = ", ".join(f"`{name}`" for name in reversed(training.get("earlier", [])))
    begun = f" after {earlier}" if earlier else ""
    taught = f", taught by `{training['teacher']}`" if training.get("teacher") else ""
    return [
        ("Trained", (f"{training['steps']:,} steps by `recipe.toml`{begun}{taught}, at commit "
         f"`{training['commit'][:12]}`, version {training['version']}")),
        ("Noise in training", ", ".join(f"`{kind}`" for kind in training["noise"])),
        ("Data", ", ".join(f"`{folder}`" for folder in training["data"])),
        ("License of the data", training["data_license"]),
    ]  # fmt: skip


def _files(rows: dict[str, dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    lines = [
        (
            "Each file was compared with Keras on the same crops from photos, with Gaussian noise, "
            "clipped and rounded to 8 bits. Files for phones run on their GPUs and NPUs."
        ),
        "",
        "| file | computes with | for | side | bytes | photos | denoised, dB | Keras, dB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        target = {"mobile": "phones", "onnx": "ONNX engines"}.get(row["target"], "CPUs")
        forced = " (`--force`)" if row.get("forced") else ""
        lines.append(
            f"| `{name}`{forced} | {row['kind']} | {target} | {row['size'] or 'any'} "
            f"| {row['bytes']:,} | {row['images']} of {row['photos']}, `{row['noise']}` "
            f"| {row['psnr']:.2f} | {row['psnr_keras']:.2f} |"
        )
    if any(row.get("forced") for row in rows.values()):
        said = "Files marked `--force` lose more than `export` accepts without that option."
        lines += ["", said]
    return [*lines, ""]


def _figures(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return ["Not measured: none of the recipe's test sets was available.", ""]
    lines = [
        (
            "Results of the LiteRT files, which were not told the noise level. Figures are means "
            "over images, with standard errors. Only the denoised image is clipped."
        ),
        "",
        "| set | images | noise | noisy, dB | denoised, dB | SSIM |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['set']} | {row['images']} | {row['noise'] or 'its own'} "
            f"| {row['noisy_psnr']:.2f} | {_with_error(row)} "
            f"| {row['ssim']:.4f} |"
        )
    return [*lines, ""]


def _with_error(row: dict[str, Any]) -> str:
    """The mean; one image alone has no standard error."""
    error = row["psnr_error"]
    return f"{row['psnr']:.2f}" if error is None else f"{row['psnr']:.2f} ± {error:.2f}"


def index_with(target: Path, folder: Path, summary: str) -> dict[str, Any]:
    """Returns the index with a model's files and their checksums entered into it.

    Args:
        target: Where the model is going to be.
        folder: Where its files are now.
        summary: What the model is for.
    """
    path = target.parent / INDEX
    index = (
        read_object(path, ModelError) if path.exists() else {"default": target.name, "models": {}}
    )
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    index["models"][target.name] = {
        "summary": summary,
        "files": {
            file.relative_to(folder).as_posix(): {
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
                "bytes": file.stat().st_size,
            }
            for file in files
        },
    }
    return index


def enter_files(metadata: dict[str, Any], rows: dict[str, dict[str, Any]]) -> None:
    """Enters what was measured of LiteRT files into a model's metadata."""
    metadata["files"] = dict(sorted({**metadata.get("files", {}), **rows}.items()))
    if INT8 in rows:
        row = rows[INT8]
        metadata["int8"] = {
            **{name: row[name] for name in ("images", "noise", "bytes")},
            "psnr_float": row["psnr_keras"],
            "psnr_int8": row["psnr"],
        }


def write_card(folder: Path, metadata: dict[str, Any]) -> None:
    """Writes a model's metadata, as JSON and as a page."""
    write_json(folder / "metadata.json", metadata)
    (folder / "README.md").write_text(render_card(metadata), "utf-8")
