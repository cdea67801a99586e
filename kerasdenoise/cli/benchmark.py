"""`kerasdenoise benchmark`: speed, memory, size and quality of a model's files."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kerasdenoise.cli.options import SIZE, needs_training, threads_option
from kerasdenoise.cli.report import Report, is_terminal, say, verbose_option
from kerasdenoise.files import check_target, write_file
from kerasdenoise.foreign import printable

if TYPE_CHECKING:
    from kerasdenoise.evaluation.noisy_sets import EightBit
    from kerasdenoise.evaluation.subjects import ModelFiles, Subject, Task
    from kerasdenoise.zoo import ModelInfo

_SAMPLE = Path(__file__).parents[2] / "docs" / "images" / "sample_clean.png"


@click.command("benchmark", short_help="Compare a model's speed with other denoisers.")
@click.argument("model")
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Folder of clean images for PSNR.  [default: the repository's sample]",
)
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Use only the first N images."
)
@click.option(
    "--photo",
    "size",
    type=SIZE,
    default="4000x3000",
    show_default=True,
    help="Width x height of the photo.",
)
@click.option(
    "--tile",
    "edge",
    type=click.IntRange(min=1),
    default=512,
    show_default=True,
    metavar="N",
    help="Tile size, for files that take any size.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar="N",
    help="Number of timings of each file.",
)
@threads_option
@click.option(
    "--no-peers", is_flag=True, help="Measure only the model's own files, without TensorFlow."
)
@click.option(
    "--json",
    "json_path",
    metavar="PATH|-",
    help="Write all figures as JSON; - is standard output.",
)
@click.option("--page", type=click.Path(path_type=Path), help="Write a Markdown page.")
@click.option("--overwrite", is_flag=True, help="Overwrite an existing JSON file or page.")
@verbose_option
@click.pass_context
@needs_training
def command(
    ctx: click.Context,
    model: str,
    images: Path | None,
    limit: int | None,
    size: tuple[int, int],
    edge: int,
    rounds: int,
    threads: int | None,
    no_peers: bool,
    json_path: str | None,
    page: Path | None,
    overwrite: bool,
) -> None:
    """Compare a model's speed with other denoisers.

    \b
        kerasdenoise benchmark photo

    Prints latency, peak memory, size and PSNR of each LiteRT file, for one tile and for a whole
    photo. Compares them with other denoisers, if installed (OpenCV, scikit-image, CBM3D: pip
    install "kerasdenoise[peers]"), with FFDNet's graph, and with the same network in
    onnxruntime, if the extra onnx is installed. All are timed in turns. It takes minutes; an
    idle computer gives steadier figures.
    """  # noqa: D301 (\b keeps the lines after it as they are)
    from kerasdenoise._version import __version__
    from kerasdenoise.evaluation.comparison import (
        Comparison,
        compare,
        print_comparison,
        render_page,
        to_json,
    )
    from kerasdenoise.evaluation.noisy_sets import write_noisy
    from kerasdenoise.evaluation.quality import mean_psnr
    from kerasdenoise.evaluation.subjects import Task
    from kerasdenoise.runtime import usable_cores
    from kerasdenoise.zoo import find_model, verify_model

    json_file = None if json_path in (None, "-") else Path(json_path)
    replaced = {
        target: check_target(target, overwrite=overwrite)
        for target in (json_file, page)
        if target is not None
    }
    info = find_model(model)
    verify_model(info)
    pictures = _pictures(images, limit, gray=info.channels == 1)
    width, height = size
    threads = threads or usable_cores()
    talks = is_terminal() or ctx.ensure_object(Report).verbosity > 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photo = folder / "photo.jpg"
        write_noisy(photo, height, width, channels=info.channels, quality=92)
        task = Task(threads, edge, photo, height, width, folder / "denoised.jpg")
        subjects, versions = _subjects(
            info, task, folder, peers=not no_peers and info.channels == 3
        )
        rows = compare(subjects, task, rounds, pictures, say if talks else lambda text: None)
    comparison = Comparison(
        model=info.name,
        rows=rows,
        int8=info.int8_path.name if info.int8_path else None,
        threads=threads,
        rounds=rounds,
        pictures=printable(pictures.label) if pictures else None,
        count=len(pictures.files) if pictures else 0,
        noisy_psnr=mean_psnr(pictures) if pictures else None,
        versions={"kerasdenoise": __version__, **versions},
        processor=_processor(),
    )
    print_comparison(comparison, sys.stderr if json_path == "-" else sys.stdout)
    if page is not None:
        write_file(page, render_page(comparison), replaces=replaced[page], option="--page")
    if json_file is not None:
        write_file(json_file, to_json(comparison), replaces=replaced[json_file], option="--json")
    elif json_path is not None:
        click.echo(to_json(comparison), nl=False)


def _pictures(images: Path | None, limit: int | None, *, gray: bool) -> EightBit | None:
    """The requested images, or the sample, which the installed package lacks."""
    from kerasdenoise.evaluation.noisy_sets import EightBit, find_images

    if images is not None:
        return EightBit(images.resolve().name, find_images(images)[:limit], gray)
    if _SAMPLE.is_file():
        return EightBit(_SAMPLE.name, [_SAMPLE], gray)
    say("PSNR not measured: give --images")
    return None


def _subjects(
    info: ModelInfo, task: Task, folder: Path, *, peers: bool
) -> tuple[list[Subject], dict[str, str]]:
    """What is measured, and the versions of the packages used."""
    import importlib.metadata

    from kerasdenoise.evaluation.peers import PEERS
    from kerasdenoise.evaluation.subjects import (
        find_model_files,
        of_files,
        of_onnx,
        of_peer,
    )
    from kerasdenoise.export import onnx

    models = folder / "models"
    models.mkdir()
    found, broken = find_model_files(info, models)
    for error in broken:
        say(f"not measured: {error}")
    subjects = [of_files(files, task) for files in found]
    packages = ["ai-edge-litert", "numpy"]
    if peers:
        subjects.append(of_files(_write_ffdnet(folder / "ffdnet"), task))
        # Converted, a file from elsewhere would run in this process.
        is_known = info.files is not None
        if onnx.has_onnx() and not info.takes_noise_level and is_known:
            onnx.convert_litert(info.litert_path, folder / "model.onnx")
            title = f"{info.litert_path.name} in onnxruntime"
            shape = subjects[0].shape
            file = folder / "model.onnx"
            subjects.append(of_onnx(file, title, info.channels, shape, task))
            packages += onnx.PACKAGES
        installed = [peer for peer in PEERS if peer.version]
        subjects += [of_peer(peer, task) for peer in installed]
        packages += dict.fromkeys(peer.package for peer in installed)
    return subjects, {package: importlib.metadata.version(package) for package in packages}


def _write_ffdnet(folder: Path) -> ModelFiles:
    """Writes FFDNet's graph as a model, with random weights, to measure its speed."""
    from kerasdenoise.evaluation.subjects import FFDNET, ModelFiles, build_ffdnet
    from kerasdenoise.zoo import FileRecord, ModelInfo

    network = build_ffdnet()
    # This imports Keras, which prints nothing by now.
    from kerasdenoise.export.litert import export_litert

    folder.mkdir()
    path = folder / "model.tflite"
    export_litert(network, path)
    content = path.read_bytes()
    info = ModelInfo(
        name="ffdnet",
        folder=folder,
        files={path.name: FileRecord(hashlib.sha256(content).hexdigest(), len(content))},
        architecture="ffdnet",
        summary=FFDNET,
        channels=3,
        stride=2,
        radius=26,
        takes_noise_level=True,
    )
    return ModelFiles(FFDNET, info, in_tiles=False)


def _processor() -> str:
    """The processor's name, as the system reports it."""
    import platform

    cpus = Path("/proc/cpuinfo")
    if cpus.is_file():
        for line in cpus.read_text("utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
