"""Runs on several devices and hosts, under JAX in processes of their own."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.errors import RecipeError, UsageError
from kerasdenoise.training.devices import Devices
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.run import train

CLI = Path(__file__).parents[2] / "cli.py"

needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed"
)

# What has to be split: two kinds of noise, and a filter over whole patches.
_PARTS = {
    "architecture": '"dncnn"',
    "kind": '"gaussian:0-55"\n[[noise]]\nkind = "poisson"',
    "warmup_steps": '3\nobjective = "exposures"',
}


def _checkpoint(run: Path) -> dict[str, np.ndarray]:
    with np.load(run / "checkpoint.npz") as arrays:
        return dict(arrays)


def _check_same(one: Path, other: Path) -> None:
    expected, found = _checkpoint(one), _checkpoint(other)
    assert found.keys() == expected.keys()
    for name in expected.keys() - {"meta"}:
        # Gradients are added up in another order, so that the last bits may differ.
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5, err_msg=name)


def check_runs_on_two_devices(text: str, folder: Path) -> None:
    recipe = parse_recipe(text)
    photos = Path(recipe.data.root)
    two = Devices(recipe, 2)
    assert "4 patches per step, 2 on each device" in two.describe(recipe)
    with pytest.raises(UsageError, match="3 devices: are more than this machine has: 2 "):
        Devices(recipe, 3)
    with pytest.raises(RecipeError, match=r"batch_size 3: .* write 4"):
        Devices(parse_recipe(text.replace("batch_size = 4", "batch_size = 3")), 2)
    with pytest.raises(RecipeError, match="without gradients"):
        Devices(parse_recipe(text.replace('"exposures"', '"mean_optimal"')), 2)
    train(recipe, folder / "one", photos)
    train(recipe, folder / "both", photos, devices=two, stop_at=3)
    train(recipe, folder / "both", photos)
    _check_same(folder / "one", folder / "both")


@needs_jax
def test_a_run_on_two_devices_resumes_on_one_as_if_it_had_always_been_there(
    recipe_text: Callable[..., str], tmp_path: Path
):
    (tmp_path / "quick.toml").write_text(recipe_text(**_PARTS), "utf-8")
    code = (
        "import sys; from test_devices import *; "
        "check_runs_on_two_devices(Path(sys.argv[1], 'quick.toml').read_text(), Path(sys.argv[1]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=Path(__file__).parent,
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "PYTHONPATH": str(CLI.parent),
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        },
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_other_backends_train_on_one_device(recipe_text: Callable[..., str]):
    with pytest.raises(UsageError, match=r"2 devices: need .*JAX.*KERAS_BACKEND=jax"):
        Devices(parse_recipe(recipe_text()), 2)


@contextlib.contextmanager
def _start(recipe: Path, run: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(CLI), "train", str(recipe), "--run", str(run), *options]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(CLI.parent)},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@contextlib.contextmanager
def _start_two(recipe: Path, run: Path, *options: str) -> Iterator[list[subprocess.Popen[str]]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = ("--hosts", f"127.0.0.1:{port}", "--host-count", "2", *options, "--host-index")
    with (
        _start(recipe, run, *shared, "0") as first,
        _start(recipe, run, *shared, "1") as second,
    ):
        yield [first, second]


@needs_jax
@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_two_hosts_end_if_one_is_lost_and_resume(
    recipe_text: Callable[..., str], tmp_path: Path, lost: int
):
    recipe, run = tmp_path / "quick.toml", tmp_path / "run"
    recipe.write_text(recipe_text(**_PARTS, steps="4000", interval="5"), "utf-8")
    with _start_two(recipe, run) as hosts:
        assert hosts[0].stderr is not None
        assert any(line.startswith("step 5/") for line in hosts[0].stderr)
        os.killpg(hosts[lost].pid, signal.SIGKILL)
        printed = hosts[1 - lost].communicate(timeout=600)[1]
        assert hosts[1 - lost].returncode == 1
        assert f"{run}: lost another host" in printed.splitlines()[-1]
    step = json.loads(str(_checkpoint(run)["meta"]))["step"]
    assert step >= 5

    end = ("--stop-at", str(step + 5))
    with _start_two(recipe, run, *end) as hosts:
        printed = [host.communicate(timeout=600)[1] for host in hosts]
        assert [host.returncode for host in hosts] == [0, 0], printed
    assert f"step {step + 5}/4000" in printed[0]
    assert "step 5/" not in printed[0]
    assert "dB" not in printed[1]
    with _start(recipe, tmp_path / "one", *end) as alone:
        alone.communicate(timeout=600)
    _check_same(tmp_path / "one", run)


@needs_jax
@pytest.mark.slow
def test_hosts_with_other_recipes_do_not_train(recipe_text: Callable[..., str], tmp_path: Path):
    recipes = [tmp_path / f"{seed}.toml" for seed in "12"]
    for recipe in recipes:
        recipe.write_text(recipe_text(**_PARTS, seed=recipe.stem), "utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        shared = ("--hosts", f"127.0.0.1:{probe.getsockname()[1]}", "--host-count", "2")
    with (
        _start(recipes[0], tmp_path / "run", *shared, "--host-index", "0") as first,
        _start(recipes[1], tmp_path / "run", *shared, "--host-index", "1") as second,
    ):
        for host in (first, second):
            printed = host.communicate(timeout=600)[1]
            assert host.returncode == 2, printed
            assert "host 1: has another recipe than host 0" in printed
