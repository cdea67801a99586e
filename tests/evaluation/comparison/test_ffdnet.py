from __future__ import annotations

from pathlib import Path

import numpy as np

from kerasdenoise.evaluation.comparison.alone import NetworkAlone
from kerasdenoise.evaluation.comparison.ffdnet import build_ffdnet
from kerasdenoise.export.cost import mac_per_pixel
from kerasdenoise.export.litert import export_litert
from kerasdenoise.zoo import ModelInfo


def test_the_graph_is_that_of_the_paper(tmp_path: Path):
    network = build_ffdnet()
    assert network.count_params() == 852_108
    assert mac_per_pixel(network, 2) == 212_760
    info = ModelInfo(
        "f", tmp_path, "f", "", channels=3, stride=2, radius=26, takes_noise_level=True
    )
    export_litert(network, info.litert_path)
    noisy = np.random.default_rng(0).random((1, 8, 12, 3), np.float32)
    denoised = NetworkAlone(info, 1)(noisy)
    level = np.full((1, 8, 12, 1), 25 / 255, np.float32)
    np.testing.assert_allclose(denoised, network([noisy, level]), atol=1e-5)
