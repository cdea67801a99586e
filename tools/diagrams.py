"""Draws all architectures: `PYTHONPATH=. python tools/diagrams.py`.

Writes docs/architectures.md and a picture of each network in docs/images/architectures/. A box is
what a network's layers call by one name, as `body_1` of `body_1_conv` and `body_1_activation`; its
height in the picture says at which scale it works. Parts of a network have a row of their own.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock
from xml.sax.saxutils import escape

from kerasdenoise.runtime import prepare_keras

prepare_keras()

import keras  # noqa: E402

from kerasdenoise import layers, models  # noqa: E402
from kerasdenoise.evaluation.pages import wrap  # noqa: E402
from kerasdenoise.files import write_file  # noqa: E402

DOCS = Path(__file__).parents[1] / "docs"
PICTURES = Path("images") / "architectures"
INTRODUCTION = """# Architectures

`PYTHONPATH=. python tools/diagrams.py` writes this page and its pictures from the networks as they
are built, and a test checks that the page is current. [How it works](how_it_works.md) explains
them.

A box is what the names of a network's layers have in common, with its layers, its channels and its
number of weights; lower boxes work at a lower resolution. Blue boxes are convolutions, orange ones
layers of this package, green ones networks with a row of their own. Inputs and simple operations
are gray.

    python cli.py models list --architectures

lists every preset with its parameters, arithmetic and radius."""

# What is drawn of each: as in its paper, as the shipped model, or else the first real one.
_PRESETS = ("paper", "photo")
# What a layer's name says of its place in a box, as in `body_1_conv` and `encoder_0_0_conv2`.
_KINDS = "conv|normalization|relu|activation|dropout|add|skip"
_PLACE = re.compile(rf"_({_KINDS})$|(?<=\d)_({_KINDS})\d$")
_WIDTH, _HEIGHT, _GAP, _STEP, _TITLE = 118, 46, 26, 64, 26
_COLORS = {
    "input": "#e4e7ea",
    "convolution": "#cfe0ee",
    "own": "#f6d8c6",
    "model": "#dfe8cf",
    "other": "#f1efe7",
}


@dataclass
class Box:
    """Layers that are drawn as one.

    Attributes:
        name: What their names begin with.
        kinds: What each does, in order.
        sources: Names of the boxes that it gets its inputs from.
        channels: Channels of its result.
        side: Height and width of its result in pixels, of an image of `Row.side`; 0 for a result
            that is no image.
        parameters: Its number of weights.
        count: How many boxes of this kind come one after another.
    """

    name: str
    kinds: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    channels: int = 0
    side: int = 0
    parameters: int = 0
    count: int = 1


@dataclass
class Row:
    """A network, or one of its parts."""

    name: str
    side: int
    boxes: list[Box]


def find_preset(architecture: str) -> str:
    """Names the preset that is drawn."""
    presets = list(models.get_architecture(architecture).PRESETS)
    named = [*(name for name in _PRESETS if name in presets), *(p for p in presets if p != "tiny")]
    return (named or presets)[0]


def find_rows(network: keras.Model, side: int) -> list[Row]:
    """Lists what is drawn of a network: itself, unless only one part has layers, and its parts."""
    rows = [Row(network.name, side, join_equal(find_boxes(network, side)))]
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            rows += find_rows(layer, side)
    return list({row.name: row for row in rows}.values())


def find_boxes(network: keras.Model, side: int) -> list[Box]:
    """Lists the boxes of one network, without those of its parts."""
    shapes = _measure(network, side)
    plain = keras.Model(network.inputs, network.outputs)  # some networks' files hold no graph
    inbound = {
        entry["name"]: [*_find_sources(entry["inbound_nodes"])]
        for entry in plain.get_config()["layers"]
    }
    titles = {layer.name: _PLACE.sub("", layer.name) for layer in network.layers}

    def find_titles(name: str) -> Iterator[str]:
        """Names the boxes before a layer; operations that are no layers are not drawn."""
        for source in inbound[name]:
            if source in titles:
                yield titles[source]
            else:
                yield from find_titles(source)

    boxes: dict[str, Box] = {}
    for layer in network.layers:
        title = titles[layer.name]
        box = boxes.setdefault(title, Box(title))
        box.kinds.append(_describe(layer))
        box.sources += [
            each
            for each in dict.fromkeys(find_titles(layer.name))
            if each != title and each not in box.sources
        ]
        box.parameters += layer.count_params()
        box.side, box.channels = shapes[layer.name]
    return list(boxes.values())


def join_equal(boxes: list[Box]) -> list[Box]:
    """Joins boxes that follow each other and do the same."""
    joined: list[Box] = []
    for box in boxes:
        last = joined[-1] if joined else None
        used = [each for each in boxes if last and last.name in each.sources]
        if last and used == [box] and box.sources == [last.name] and _alike(last, box):
            name = f"{last.name.partition(' to ')[0]} to {box.name.rpartition('_')[2]}"
            for each in boxes:
                each.sources = [name if s in (last.name, box.name) else s for s in each.sources]
            last.name, last.count = name, last.count + 1
            last.parameters += box.parameters
        else:
            joined.append(box)
    return joined


def _alike(one: Box, other: Box) -> bool:
    what = [(box.kinds, box.side, box.channels) for box in (one, other)]
    return what[0] == what[1] and one.parameters == one.count * other.parameters


def _find_sources(value: Any) -> Iterator[str]:
    """Names the operations whose results stand anywhere in a node's arguments."""
    if isinstance(value, dict):
        if "keras_history" in value:
            yield value["keras_history"][0]
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _find_sources(each)


def _measure(network: keras.Model, side: int) -> dict[str, tuple[int, int]]:
    """Returns the height and the channels of each layer's result."""
    images = [
        keras.ops.ones((1, *(size or side for size in each.shape[1:]))) for each in network.inputs
    ]
    shapes = {each.name: image.shape for each, image in zip(network.inputs, images, strict=True)}
    with contextlib.ExitStack() as stack:
        for layer in network.layers:
            stack.enter_context(mock.patch.object(layer, "call", _noting(layer, shapes)))
        network(images if len(images) > 1 else images[0], training=False)
    return {
        name: (shape[1] if len(shape) == 4 and shape[1] > 1 else 0, shape[-1])
        for name, shape in shapes.items()
    }


def _noting(layer: Any, shapes: dict[str, Any]) -> Any:
    call = layer.call

    # Keras looks at the names of arguments, such as `training`.
    @functools.wraps(call)
    def noting(*args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        shapes[layer.name] = keras.tree.flatten(result)[0].shape
        return result

    return noting


def _describe(layer: Any) -> str:
    kind = type(layer).__name__
    if isinstance(layer, keras.layers.Conv2D):  # transposed convolutions are none of these
        kind = f"conv {layer.kernel_size[0]}x{layer.kernel_size[1]}"
    elif isinstance(layer, keras.layers.Conv2DTranspose):
        kind = f"transposed {layer.kernel_size[0]}x{layer.kernel_size[1]}"
    elif isinstance(layer, keras.layers.Activation):
        kind = layer.activation.__name__
    elif isinstance(layer, keras.layers.MaxPooling2D):
        kind = "max pooling"
    elif isinstance(layer, keras.Model):
        return "part, see below"
    names = {"InputLayer": "input", "BatchNormalization": "batch norm", "ReLU": "relu"}
    if strides := [each for each in getattr(layer, "strides", ()) if each > 1]:
        kind += f", stride {strides[0]}"
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    if activation not in ("linear", kind):
        kind += f", {activation}"
    return names.get(kind, kind)


def draw(rows: list[Row]) -> str:
    """Draws networks as SVG, one below the other."""
    parts, y, width = [], 0.0, 0.0
    for row in rows:
        drawn, size = _draw_row(row, y)
        parts += drawn
        width, y = max(width, size[0]), y + size[1]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {y:g}" '
        f'width="{width:g}" height="{y:g}" font-family="sans-serif" font-size="10">'
    )
    arrow = (
        '<marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker>'
    )
    paper = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([head, f"<defs>{arrow}</defs>", paper, *parts, "</svg>", ""])


def _draw_row(row: Row, top: float) -> tuple[list[str], tuple[float, float]]:
    sides = {box.side for box in row.boxes} - {0} or {0}
    levels = {0: 0} | {side: level for level, side in enumerate(sorted(sides, reverse=True))}
    skips = [
        (box.name, source)
        for number, box in enumerate(row.boxes)
        for source in box.sources
        if number == 0 or source != row.boxes[number - 1].name
    ]
    above = _TITLE + 14 + 12 * min(len(skips), 6)
    places = {
        box.name: (
            _GAP + number * (_WIDTH + _GAP),
            top + above + levels[box.side] * _STEP,
        )
        for number, box in enumerate(row.boxes)
    }
    lines = [f'<text x="{_GAP}" y="{top + 18:g}" font-size="13">{escape(row.name)}</text>']
    for lane, (name, source) in enumerate(skips):
        lines.append(_draw_skip(places[source], places[name], top + above - 10 - lane % 6 * 12))
    for before, box in itertools.pairwise(row.boxes):
        if before.name in box.sources:
            (x1, y1), (x2, y2) = places[before.name], places[box.name]
            lines.append(_line(f"M{x1 + _WIDTH} {y1 + 23:g}L{x2} {y2 + 23:g}"))
    for box in row.boxes:
        lines += _draw_box(box, row.side, *places[box.name])
    width = _GAP + len(row.boxes) * (_WIDTH + _GAP)
    return lines, (width, above + (len(sides) - 1) * _STEP + _HEIGHT + 20)


def _draw_skip(start: tuple[float, float], end: tuple[float, float], y: float) -> str:
    x1, x2 = start[0] + _WIDTH * 0.7, end[0] + _WIDTH * 0.3
    return _line(f"M{x1:g} {start[1]:g}V{y:g}H{x2:g}V{end[1]:g}")


def _line(path: str) -> str:
    return f'<path d="{path}" fill="none" stroke="#555" marker-end="url(#arrow)"/>'


def _draw_box(box: Box, side: int, x: float, y: float) -> list[str]:
    repeated = [(kind, len([*same])) for kind, same in itertools.groupby(box.kinds)]
    kinds = "; ".join(f"{count} {kind}" if count > 1 else kind for kind, count in repeated)
    scale = f"1/{side // box.side}, " if 0 < box.side < side else ""
    unit = ("channel" if box.side else "number") + "s" * (box.channels > 1)
    size = f"{scale}{box.channels} {unit}"
    weights = f", {box.parameters:,}" if box.parameters else ""
    color = _COLORS[_kind(box)]
    texts = [
        f'<tspan font-weight="bold">{escape(box.name)}</tspan>',
        escape(kinds if len(kinds) < 27 else kinds[:24] + "..."),
        size + weights,
    ]
    return [
        (
            f"<g><title>{escape(f'{box.name}: {kinds}')}</title>"
            f'<rect x="{x}" y="{y:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="4" fill="{color}" '
            'stroke="#777"/>'
        ),
        *(
            f'<text x="{x + _WIDTH / 2:g}" y="{y + 13 + 13 * line:g}" text-anchor="middle" '
            f'font-size="{_fit(text)}">{text}</text>'
            for line, text in enumerate(texts)
        ),
        "</g>",
    ]


def _fit(text: str) -> float:
    """A size of letters at which a text is as wide as its box."""
    length = len(re.sub("<[^>]*>", "", text))
    return round(min(10, 1.65 * _WIDTH / max(length, 1)), 1)


def _kind(box: Box) -> str:
    kinds = " ".join(box.kinds)
    if kinds == "input":
        return "input"
    if "part, see below" in kinds:
        return "model"
    if re.search("conv|transposed", kinds):
        return "convolution"
    return "own" if any(hasattr(layers, kind) for kind in box.kinds) else "other"


def write_all(folder: Path = DOCS) -> None:
    """Draws all architectures and writes their page."""
    pictures = folder / PICTURES
    pictures.mkdir(parents=True, exist_ok=True)
    parts = [INTRODUCTION]
    for name in models.list_architectures():
        architecture = models.get_architecture(name)
        preset = find_preset(name)
        config = architecture.PRESETS[preset]
        network = architecture.build(config)
        write_file(pictures / f"{name}.svg", draw(find_rows(network, find_side(config))))
        (about,) = re.findall(r"\A.*", inspect.getdoc(architecture) or "")
        mac = models.mac_per_pixel(network, config.stride)
        parts += [
            f"## {name}",
            about,
            (
                f"Preset `{preset}`: {network.count_params():,} parameters, {mac:,} "
                f"multiply-accumulates per pixel, sees {config.radius} pixels around each."
            ),
            f"![{name}]({PICTURES.as_posix()}/{name}.svg)",
        ]
    write_file(folder / "architectures.md", wrap("\n\n".join(parts)))


def find_side(config: Any) -> int:
    """A height and width of images that an architecture takes, about 96 pixels."""
    return config.stride * math.ceil(96 / config.stride)


if __name__ == "__main__":
    write_all()
