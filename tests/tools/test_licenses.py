from __future__ import annotations

import re
import runpy
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
TOOL: dict[str, Any] = runpy.run_path(str(ROOT / "tools" / "licenses.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REQUIREMENTS = [Requirement(text) for text in PROJECT["dependencies"]]


def test_every_dependency_has_a_license():
    found = {
        name.lower().replace("_", "-"): text
        for name, text in TOOL["find_dependencies"]("kerasdenoise").items()
    }
    for requirement in REQUIREMENTS:
        assert found[requirement.name.lower().replace("_", "-")] != "not stated"
    # What a dependency needs, too.
    assert "protobuf" in found


def test_every_dependency_has_bounds_that_the_locked_versions_keep():
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M))
    locked = {name.lower().replace("_", "-"): version for name, version in locked.items()}
    for requirement in REQUIREMENTS:
        assert any(each.operator == "<" for each in requirement.specifier), requirement
        assert locked[requirement.name.lower().replace("_", "-")] in requirement.specifier
    assert metadata.version("click") in next(
        each.specifier for each in REQUIREMENTS if each.name == "click"
    )
