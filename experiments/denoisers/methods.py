"""What is measured: saved models, and peers with their settings, all in the same form."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kerasdenoise.errors import ModelError
from kerasdenoise.evaluation.peers import Peer, ToldDenoiser
from kerasdenoise.evaluation.quality import Denoises
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.inference.network import turns_of
from kerasdenoise.zoo import ModelInfo, default_model, find_model, list_models

_GENERAL = ("gaussian", "camera")


class Cost(NamedTuple):
    """Parameters, and multiply-accumulates per pixel where they are known."""

    parameters: int
    mac: float | None = None


@dataclass(frozen=True)
class Method:
    """A denoiser that can be measured.

    Attributes:
        title: What tables call it.
        origin: What its results come from: a file's checksum, or a package's version.
        prepare: Makes it ready for one kind of noise; only peers make use of being told.
        cost: What it computes, if it is a network.
        slow: Whether it takes so long that only a few images are measured.
        few: Whether it takes so long that only few sets are measured.
    """

    title: str
    origin: str
    prepare: Callable[[str], Denoises]
    cost: Cost | None = None
    slow: bool = False
    few: bool = False


def find_methods(names: Iterable[str], threads: int) -> list[Method]:
    """The models of these names or folders; every general denoiser that is saved if none.

    A model is general if it was trained on Gaussian or camera noise. The default model, and any
    with more arithmetic, are there twice, the second time at their best quality.

    Raises:
        ModelError: A model is unknown, or none is general.
    """
    asked = list(names) or [info.name for info in list_models() if _is_general(info)]
    if not asked:
        raise ModelError("saved models", "none is a general denoiser", "name one with --model")
    least = _mac(default_model())
    best = [name for name in asked if _mac(name) >= least]
    return [_of_model(name, threads) for name in asked] + [_at_its_best(n, threads) for n in best]


def of_peer(peer: Peer, factor: float, title: str | None = None) -> Method:
    """An installed peer with one setting."""
    return Method(
        title or peer.title,
        f"{peer.package} {peer.version}, factor {factor:g}",
        lambda noise: ToldDenoiser(peer, factor, level_of(noise)),
        slow=peer.slow,
    )


def level_of(noise: str) -> float | None:
    """Sigma on the [0, 1] scale of Gaussian noise of one level; None for other noise."""
    kind, _, level = noise.partition(":")
    return float(level) / 255 if kind == "gaussian" and level.isdigit() else None


def _is_general(info: ModelInfo) -> bool:
    return any(
        noise.startswith(_GENERAL) for noise in info.metadata.get("training", {}).get("noise", [])
    )


def _mac(name: str) -> float:
    """Multiply-accumulates per pixel; 0 of what computes by other means."""
    return find_model(name).metadata.get("mac_per_pixel") or 0


def _of_model(name: str, threads: int) -> Method:
    info = find_model(name)
    digests = " ".join(_digest(path) for path in info.run_paths)
    cost = Cost(info.metadata["parameters"], info.metadata["mac_per_pixel"])
    return Method(info.name, digests, lambda noise: Denoiser(name, threads=threads), cost)


def _at_its_best(name: str, threads: int) -> Method:
    model = _of_model(name, threads)
    assert model.cost is not None
    mac = model.cost.mac and len(turns_of("best")) * model.cost.mac
    return Method(
        f"{name} --quality best",
        model.origin,
        lambda noise: Denoiser(name, threads=threads, quality="best"),
        Cost(model.cost.parameters, mac),
        few=True,
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()[:12]}"
