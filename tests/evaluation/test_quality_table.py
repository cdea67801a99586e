from __future__ import annotations

import io
import json
import math

import pytest

from kerasdenoise.evaluation.quality import Failure, Figures, Result
from kerasdenoise.evaluation.quality_table import print_table, to_json

RESULTS = [
    Result(
        "gaussian:25",
        (
            Figures("a.png", 100, 100, 20.0, 30.0, 0.9, 0.01),
            Figures("b.png", 100, 100, 20.2, 32.0, 0.8, 0.02),
        ),
    ),
    Result("pairs [x]", (Figures("c.png", 10, 10, math.inf, 30.126, 0.91236, 0.1),)),
    Result("camera", (), (Failure("d.png", "d.png: is gray"),)),
]


@pytest.mark.parametrize(("encoding", "sign"), [("utf-8", "±"), ("ascii", "+/-")])
def test_the_table_holds_means_and_errors_in_any_encoding(encoding: str, sign: str):
    content = io.BytesIO()
    stream = io.TextIOWrapper(content, encoding=encoding)
    print_table(RESULTS, "tiny on set", stream)
    stream.flush()
    lines = content.getvalue().decode(encoding).splitlines()
    assert lines[0].strip() == "tiny on set"
    cells = [
        [cell.strip() for cell in line.replace("│", "|").split("|")[1:-1]]
        for line in lines
        if any(result.noise in line for result in RESULTS)
    ]
    assert cells == [
        ["gaussian:25", "2", "20.10", f"31.00 {sign} 1.00", f"0.8500 {sign} 0.0500", "1.50"],
        ["pairs [x]", "1", "inf", "30.13", "0.9124", "1000.00"],
        ["camera", "0", "-", "-", "-", "-"],
    ]


def test_json_is_strict_and_whole():
    def refuse(constant: str):
        raise AssertionError(f"{constant} is not JSON")

    content = json.loads(to_json(RESULTS, seed=3, note=None), parse_constant=refuse)
    assert (content["seed"], content["note"]) == (3, None)
    first, second, third = content["results"]
    assert first["mean"] == pytest.approx({"noisy_psnr": 20.1, "psnr": 31.0, "ssim": 0.85})
    assert first["standard_error"]["psnr"] == pytest.approx(1.0)
    assert first["images"][1] == {
        "name": "b.png",
        "height": 100,
        "width": 100,
        "noisy_psnr": 20.2,
        "psnr": 32.0,
        "ssim": 0.8,
        "seconds": 0.02,
    }
    assert second["images"][0]["noisy_psnr"] is None
    assert second["standard_error"] == {"noisy_psnr": None, "psnr": None, "ssim": None}
    assert third["failed"] == [{"name": "d.png", "error": "d.png: is gray"}]
    assert third["mean"]["psnr"] is None
