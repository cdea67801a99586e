from __future__ import annotations

import importlib
import logging
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

import kerasdenoise

ROOT = Path(__file__).parents[2]
TOOL: dict[str, Any] = runpy.run_path(str(ROOT / "tools" / "site.py"))
MODULES = ("layers", "losses", "metrics", "models", "noise")


def test_the_api_has_all_public_names():
    pages = (ROOT / "docs" / "api").glob("*.md")
    shown = {
        name for page in pages for name in re.findall(r"^::: (\S+)$", page.read_text("utf-8"), re.M)
    }
    public = {f"kerasdenoise.{name}" for name in kerasdenoise.__all__} - {
        "kerasdenoise.__version__",
        *(f"kerasdenoise.{module}" for module in MODULES),
    }
    for module in MODULES:
        names = importlib.import_module(f"kerasdenoise.{module}").__all__
        public |= {f"kerasdenoise.{module}.{name}" for name in names}
    assert shown == public


def test_links_out_of_the_docs_lead_to_the_repository(caplog: pytest.LogCaptureFixture):
    redirect = TOOL["redirect_links"]
    page = (
        "See [the *license*](../../LICENSE), [noise](../noise.md#x) and ![](../images/quality.png)."
    )
    here = "https://example.org/me/fork/blob/main"
    assert redirect(page, "papers/hourglass.md", here) == page.replace(
        "../../LICENSE", f"{here}/LICENSE"
    )
    assert "See the *license*, [noise]" in redirect(page, "papers/hourglass.md", "")
    assert not caplog.records
    # A warning ends a strict build.
    with caplog.at_level(logging.WARNING):
        redirect("[gone](../gone.md)", "index.md", here)
    assert "index.md links to gone.md" in caplog.text


def test_the_repository_is_that_of_the_workflow(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert TOOL["find_repository"]() == ""
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://example.org")
    monkeypatch.setenv("GITHUB_REPOSITORY", "me/fork")
    assert TOOL["find_repository"]() == "https://example.org/me/fork/blob/main"
