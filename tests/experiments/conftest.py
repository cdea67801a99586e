"""A CIFAR-10 that was made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def made_up_cifar10(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 200 training images and 12 test images, all smooth."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)

    def make(count: int) -> np.ndarray:
        spots = rng.integers(0, 256, (count, 4, 4, 3), np.uint8)
        return np.stack([np.asarray(Image.fromarray(spot).resize((32, 32))) for spot in spots])

    (root / "cifar10").mkdir()
    np.savez(
        root / "cifar10" / "cifar10_lossless_subset.npz",
        x_train=make(200),
        train_index=np.arange(200),
        x_test=make(12),
        test_index=np.arange(12),
    )
    return root
