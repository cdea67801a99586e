"""How well a denoiser does on a noisy set, image by image."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TextIO

import numpy as np

from kerasdenoise import plain_json
from kerasdenoise.errors import InputError
from kerasdenoise.evaluation.figures import level_ratio, low_frequency_error, mean_with_error
from kerasdenoise.evaluation.noisy_sets import NoisySet, Sample
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.metrics import psnr, ssim
from kerasdenoise.metrics.perception import Measure

if TYPE_CHECKING:
    from rich.table import Table

FIGURES = ("noisy_psnr", "psnr", "ssim")

# Wide enough for the table where nobody's terminal sets the width.
_WIDTH = 120


class Denoises(Protocol):
    """The one method of `Denoiser` that measuring needs."""

    def denoise_pixels(self, pixels: np.ndarray, *, name: object = "image") -> np.ndarray:
        """Denoises pixels; see `Denoiser.denoise_pixels`."""
        ...


@dataclass(frozen=True)
class Figures:
    """What was measured on one image.

    Attributes:
        name: The image's file name.
        height: Rows of pixels that were measured.
        width: Pixels in a row.
        noisy_psnr: PSNR of the noisy image in dB; where its noise is not clipped, neither is
            the image.
        psnr: PSNR of the denoised image, clipped to [0, 1], in dB.
        ssim: Mean structural similarity of the same.
        seconds: Time that denoising took.
        others: What else was asked for, by name; see `metrics.perception.METRICS`.
    """

    name: str
    height: int
    width: int
    noisy_psnr: float
    psnr: float
    ssim: float
    seconds: float
    others: Mapping[str, float] = field(default_factory=dict, kw_only=True)


@dataclass(frozen=True)
class PhotoFigures(Figures):
    """What was measured on a photo whose noise is its own.

    Attributes:
        noisy_low_frequency_error: See `figures.low_frequency_error`, of the noisy image.
        low_frequency_error: The same of the denoised image.
        level_ratio: Estimated level of the noise over the true one; None if the denoiser
            estimates none.
    """

    noisy_low_frequency_error: float
    low_frequency_error: float
    level_ratio: float | None


@dataclass(frozen=True)
class Failure:
    """An image that could not be measured, and why."""

    name: str
    error: str


@dataclass(frozen=True)
class Result:
    """All that was measured with one kind of noise.

    Attributes:
        noise: What the noise is called.
        images: Figures of each image.
        failures: Images that are in no mean.
    """

    noise: str
    images: tuple[Figures, ...]
    failures: tuple[Failure, ...] = ()

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of all figures that are of every image."""
        return (*FIGURES, *(self.images[0].others if self.images else ()))

    def mean(self, figure: str) -> float:
        """Mean of a figure over images; not a number if there are none."""
        return mean_with_error(self._values(figure))[0]

    def standard_error(self, figure: str) -> float:
        """Standard error of that mean; not a number for less than two finite figures."""
        return mean_with_error(self._values(figure))[1]

    @property
    def seconds_per_megapixel(self) -> float:
        """Time that denoising took, by the number of pixels; not a number if there are none."""
        pixels = sum(image.height * image.width for image in self.images)
        return 1e6 * float(self._values("seconds").sum()) / pixels if pixels else math.nan

    def _values(self, figure: str) -> np.ndarray:
        values = [{**vars(image), **image.others}[figure] for image in self.images]
        return np.array(values, np.float64)


def measure(
    denoiser: Denoises,
    samples: NoisySet,
    *,
    photos: bool = False,
    metrics: Mapping[str, Measure] | None = None,
    on_start: Callable[[str], None] = lambda name: None,
    on_end: Callable[[Figures | Failure], None] = lambda outcome: None,
) -> Result:
    """Denoises all samples and compares each with its clean image.

    An image that cannot be read or measured is left out, and recorded as a failure.

    Args:
        denoiser: What is measured.
        samples: What it is measured on.
        photos: Whether the figures of photos with their own noise are measured: tone and level.
        metrics: What else is measured, by name; see `metrics.perception.get_metrics`.
        on_start: Called with an image's name before its turn.
        on_end: Called with what came of it.
    """
    images: list[Figures] = []
    failures: list[Failure] = []
    for index, name in enumerate(samples.names):
        on_start(name)
        try:
            outcome = _measure_one(denoiser, samples, index, metrics or {}, photos=photos)
            images.append(outcome)
        except InputError as error:
            outcome = Failure(name, str(error))
            failures.append(outcome)
        on_end(outcome)
    return Result(samples.label, tuple(images), tuple(failures))


def mean_psnr(
    samples: NoisySet, denoise: Callable[[np.ndarray], np.ndarray] | None = None
) -> float:
    """Mean PSNR in dB of a set's noisy images, or of what denoises them, clipped to [0, 1].

    Args:
        samples: The set.
        denoise: From a noisy image to a denoised one, both float32 (H, W, channels).

    Raises:
        InputError: An image cannot be read.
    """
    values = []
    for index in range(len(samples.names)):
        sample = samples.load(index)
        image = sample.noisy if denoise is None else np.clip(denoise(sample.noisy), 0, 1)
        values.append(psnr(sample.clean, image))
    return mean_with_error(values)[0]


def _measure_one(
    denoiser: Denoises,
    samples: NoisySet,
    index: int,
    metrics: Mapping[str, Measure],
    *,
    photos: bool,
) -> Figures:
    name = samples.names[index]
    sample = samples.load(index)
    start = time.perf_counter()
    denoised = denoiser.denoise_pixels(sample.noisy, name=name)
    seconds = time.perf_counter() - start
    denoised = np.clip(denoised, 0.0, 1.0)
    try:
        similarity = ssim(sample.clean, denoised)
    except ValueError as error:
        raise InputError(name, str(error), "leave it out of the folder") from error
    height, width, _ = sample.clean.shape
    figures = Figures(
        name=name,
        height=height,
        width=width,
        noisy_psnr=psnr(sample.clean, sample.noisy),
        psnr=psnr(sample.clean, denoised),
        ssim=similarity,
        seconds=seconds,
        others={key: metric(sample.clean, denoised) for key, metric in metrics.items()},
    )
    if not photos:
        return figures
    return PhotoFigures(
        **asdict(figures),
        noisy_low_frequency_error=low_frequency_error(sample.noisy, sample.clean),
        low_frequency_error=low_frequency_error(denoised, sample.clean),
        level_ratio=measure_level(denoiser, sample),
    )


def measure_level(denoiser: Denoises, sample: Sample) -> float | None:
    """Estimated level of a sample's noise over the true one; None if the model estimates none."""
    estimates_level = denoiser.info.estimates_level if isinstance(denoiser, Denoiser) else True
    estimate = getattr(denoiser, "estimate_noise", None)
    if estimate is None or not estimates_level:
        return None
    return level_ratio(estimate(sample.noisy), sample.noisy, sample.clean)


def print_table(results: Sequence[Result], title: str, stream: TextIO) -> None:
    """Prints one row for each kind of noise.

    Args:
        results: What was measured.
        title: The table's heading.
        stream: Where to print.
    """
    from rich.console import Console

    width = None if stream.isatty() else _WIDTH
    console = Console(file=stream, width=width, markup=False, highlight=False)
    console.print(_table(results, title, ascii_only=console.options.ascii_only))


def to_json(results: Sequence[Result], **facts: object) -> str:
    """Writes results as a JSON object.

    Args:
        results: What was measured.
        **facts: What else to say, at the top of the object.

    Returns:
        The text, ending with a newline. Figures that are not finite are null: the PSNR of
        equal images, and a mean or standard error of too few.
    """
    content = {**facts, "results": [_as_dict(result) for result in results]}
    return plain_json.to_json(content, indent=2) + "\n"


def _table(results: Sequence[Result], title: str, *, ascii_only: bool) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("noise")
    others = list(dict.fromkeys(name for each in results for name in each.figures[len(FIGURES) :]))
    headings = ("images", "noisy PSNR", "PSNR", "SSIM", *map(str.upper, others), "s/megapixel")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    sign = "+/-" if ascii_only else "±"
    for result in results:
        table.add_row(
            result.noise,
            str(len(result.images)),
            _number(result.mean("noisy_psnr"), 2),
            _with_error(result, "psnr", 2, sign),
            _with_error(result, "ssim", 4, sign),
            *(_with_error(result, name, 4, sign) if result.images else "-" for name in others),
            _number(result.seconds_per_megapixel, 2),
        )
    return table


def _with_error(result: Result, figure: str, digits: int, sign: str) -> str:
    mean = _number(result.mean(figure), digits)
    error = result.standard_error(figure)
    return mean if math.isnan(error) else f"{mean} {sign} {_number(error, digits)}"


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _as_dict(result: Result) -> dict[str, Any]:
    return {
        "noise": result.noise,
        "mean": {figure: result.mean(figure) for figure in result.figures},
        "standard_error": {figure: result.standard_error(figure) for figure in result.figures},
        "seconds_per_megapixel": result.seconds_per_megapixel,
        "images": [_flatten(image) for image in result.images],
        "failed": [asdict(failure) for failure in result.failures],
    }


def _flatten(image: Figures) -> dict[str, Any]:
    """All figures of an image in one table."""
    values = asdict(image)
    others = values.pop("others")
    return {**values, **others}
