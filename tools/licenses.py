"""Lists the licenses of this package's dependencies, and of theirs, as far as they are installed.

python tools/licenses.py
"""

from __future__ import annotations

from importlib import metadata
from typing import Any

from packaging.requirements import Requirement


def find_dependencies(name: str) -> dict[str, str]:
    """Returns what each distribution that a distribution needs says of its license, by name."""
    found: dict[str, str] = {}
    waiting = [Requirement(name)]
    while waiting:
        requirement = waiting.pop()
        try:
            distribution = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:  # of another system, or an extra that is left out
            continue
        title = distribution.metadata["Name"]
        if title in found and not requirement.extras:
            continue
        found[title] = _license(distribution)
        for text in distribution.requires or ():
            needed = Requirement(text)
            extras = requirement.extras or {""}
            if not needed.marker or any(needed.marker.evaluate({"extra": each}) for each in extras):
                waiting.append(needed)
    return dict(sorted(found.items(), key=lambda row: row[0].lower()))


def _license(distribution: metadata.Distribution) -> str:
    facts: Any = distribution.metadata  # a message, which typeshed does not say
    classified = [
        each.rpartition(" :: ")[2]
        for each in facts.get_all("Classifier") or ()
        if each.startswith("License :: ") and each[9:] != " :: OSI Approved"
    ]
    stated = (facts.get("License") or "").strip().splitlines()
    return facts.get("License-Expression") or ", ".join(classified) or (*stated, "not stated")[0]


def main() -> None:
    """Prints a line for each."""
    for name, text in find_dependencies("kerasdenoise[heif,raw,scale,serve]").items():
        print(f"{name:32} {text}")


if __name__ == "__main__":
    main()
