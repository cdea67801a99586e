"""What `make docs` does besides building mkdocs.yml: MkDocs calls the functions below.

Pages link to files elsewhere in the repository as GitHub shows them, as in `../recipes/`. The site
has no such files: there the links lead to the repository, if the build runs in its workflow, and
are plain text if not.
"""

from __future__ import annotations

import logging
import os
import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(((?:\.\./)+[^)#\s]+)(#[^)\s]*)?\)")

# Its warnings end a strict build.
_log = logging.getLogger("mkdocs.hooks.site")


def on_config(config: Any) -> Any:
    """Lists all decisions in the navigation, by their numbers."""
    decisions = sorted((DOCS / "decisions").glob("*.md"))
    for entry in config.nav:
        if "Decisions" in entry:
            entry["Decisions"] = [page.relative_to(DOCS).as_posix() for page in decisions]
    return config


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Redirects a page's links to files outside docs/."""
    return redirect_links(markdown, page.file.src_uri, find_repository())


def find_repository() -> str:
    """The address of the repository's files, in its workflow; empty elsewhere."""
    names = [os.environ.get(name) for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY")]
    return f"{names[0]}/{names[1]}/blob/main" if all(names) else ""


def redirect_links(markdown: str, page: str, repository: str) -> str:
    """Redirects the links that leave docs/.

    Args:
        markdown: A page's text.
        page: Its path in docs/, with slashes.
        repository: The address of the repository's files; empty for text instead of links.
    """

    def redirect(link: re.Match[str]) -> str:
        title, target, anchor = link.group(1), link.group(2), link.group(3) or ""
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), target))
        if path == "docs" or path.startswith("docs/"):
            return link.group(0)
        if not (ROOT / path).exists():
            _log.warning("%s links to %s, which does not exist", page, path)
        return f"[{title}]({repository}/{path}{anchor})" if repository else title

    return LINK.sub(redirect, markdown)
