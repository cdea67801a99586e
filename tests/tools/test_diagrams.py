from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from kerasdenoise import models

ROOT = Path(__file__).parents[2]
TOOL: dict[str, Any] = runpy.run_path(str(ROOT / "tools" / "diagrams.py"))
PAGE = (ROOT / "docs" / "architectures.md").read_text("utf-8")


def test_the_page_shows_all_architectures():
    shown = re.findall(r"^## (\w+)\n.*?^Preset `(\w+)`.*?^!\[\w+\]\((.*?)\)", PAGE, re.M | re.S)
    assert [name for name, _, _ in shown] == models.list_architectures()
    for name, preset, picture in shown:
        assert preset == TOOL["find_preset"](name)
        ElementTree.parse(ROOT / "docs" / picture)


def test_a_picture_is_current():
    config = models.get_architecture("lambda_net").PRESETS["paper"]
    network = models.build("lambda_net", preset="paper")
    rows = TOOL["find_rows"](network, TOOL["find_side"](config))
    picture = ROOT / "docs/images/architectures/lambda_net.svg"
    assert TOOL["draw"](rows) == picture.read_text("utf-8")


def test_boxes_are_what_a_network_computes():
    network = models.build("unet", widths=(4, 6), blocks=(2, 1))
    boxes = {box.name: box for box in TOOL["join_equal"](TOOL["find_boxes"](network, 16))}
    assert sum(box.parameters for box in boxes.values()) == network.count_params()
    encoder = boxes["encoder_0_0 to 1"]
    assert (encoder.count, encoder.side, encoder.channels) == (2, 8, 4)
    assert encoder.kinds == ["conv 3x3, relu", "conv 3x3", "Add"]
    assert boxes["down_1"].sources == ["encoder_0_0 to 1"]
    assert boxes["down_1"].side == 4
    # The shortcut, which crosses an operation that is not drawn.
    assert boxes["skip_0"].sources == ["up_0", "encoder_0_0 to 1"]
    assert boxes["denoised"].sources == ["noisy", "tail"]
