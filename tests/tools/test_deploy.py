"""What the files in deploy/ name is what the code has; no image is built and no cluster started."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest

from kerasdenoise.cli import group
from kerasdenoise.cli.options import BYTES

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
STAGES = dict(
    re.findall(r"^FROM \S+ AS (\S+)\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
)


def _read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text("utf-8"))


def _parse(words: list[str]) -> dict[str, Any]:
    """Parses a command of ours; an unknown option or an unusable value raises."""
    command = group.get_command(group.make_context("kerasdenoise", ["info", "x"]), words[0])
    assert command is not None
    return command.make_context(words[0], words[1:]).params


def test_images_name_no_registry():
    names = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    names += re.findall(r"image: (?:&image )?(\S+)", (DEPLOY / "rayjob.yaml").read_text("utf-8"))
    names += [service["image"] for service in _read("compose.yaml")["services"].values()]
    assert len(names) > 5
    assert not [name for name in names if "/" in name]


def test_what_images_copy_exists_and_is_not_ignored():
    kept = re.findall(r"^!(.+)$", (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8"), re.M)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    assert sources == set(kept)
    for source in sources:
        assert (ROOT / source).exists(), source
    extras = re.findall(r'"\.\[([a-z,]+)\]"', DOCKERFILE)
    known = (ROOT / "pyproject.toml").read_text("utf-8")
    for extra in ",".join(extras).split(","):
        assert f"\n{extra} = [" in known


def test_images_run_as_a_user_without_rights():
    assert "USER 10001" in STAGES["base"]
    assert "USER" not in STAGES["cpu"] + STAGES["cuda"]
    pods = _read("rayjob.yaml")["spec"]["rayClusterSpec"]
    for part in (pods["headGroupSpec"], *pods["workerGroupSpecs"]):
        assert part["template"]["spec"]["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
        }


def test_services_name_commands_ports_and_stages():
    services = _read("compose.yaml")["services"]
    for service in services.values():
        assert service["build"]["dockerfile"] == "deploy/Dockerfile"
        assert service["build"]["target"] in STAGES
        assert (DEPLOY / service["build"]["context"]).resolve() == ROOT
    serve = services["serve"]
    port = _parse(serve["command"])["port"]
    assert serve["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"EXPOSE {port}" in STAGES["cpu"]
    code = (ROOT / "kerasdenoise" / "cli" / "serve.py").read_text("utf-8")
    assert f'"{next(iter(serve["environment"]))}"' in code
    assert serve["healthcheck"]["test"][-1] == f"http://127.0.0.1:{port}/health"

    train = services["train"]
    asked = _parse(train["command"])
    assert (ROOT / asked["recipe"]).is_file()
    targets = [re.sub(r":ro$", "", volume).rpartition(":")[2] for volume in train["volumes"]]
    for place in (asked["data"], str(asked["run"].parent)):
        assert place in targets


def test_the_job_names_a_command_and_fits_its_machines():
    spec = _read("rayjob.yaml")["spec"]
    program, *words = shlex.split(spec["entrypoint"])
    assert program == "kerasdenoise"
    assert "--skip-existing" in words
    _parse(words)
    cluster = spec["rayClusterSpec"]
    pinned = (ROOT / "constraints.txt").read_text("utf-8")
    assert f"\nray=={cluster['rayVersion']}\n" in pinned
    memory = BYTES.convert(words[words.index("--max-memory") + 1], None, None)
    for workers in cluster["workerGroupSpecs"]:
        (container,) = workers["template"]["spec"]["containers"]
        limits = container["resources"]["limits"]
        # Each process, of one core, reserves twice its limit.
        assert int(limits["cpu"]) * 2 * memory < int(limits["memory"].removesuffix("Gi")) * 2**30


def test_costs_on_paper_are_those_of_the_command(capsys: pytest.CaptureFixture[str]):
    costs = runpy.run_path(str(ROOT / "benchmarks" / "archive_costs.py"))
    costs["main"]([])
    printed = capsys.readouterr().out.strip()
    assert printed in (ROOT / "docs" / "scale.md").read_text("utf-8")
    page = (
        "## photo: a tile, threads: 4\n| `tile.tflite + level.tflite` |a|b|c|d|e| 10.0 |f|g| 500 |"
    )
    assert costs["read_measured"](page) == (10.0, 4, 500.0)
    small = costs["compute_costs"](page, 86_400, megapixels=6, megabytes=1, days=1)
    assert "| 480 core-hours |" in small
    assert "| cores, all the time | 20 |" in small
