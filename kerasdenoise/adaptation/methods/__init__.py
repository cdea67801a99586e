"""Ways of learning from noisy photos, one a file, and which of them suits which noise."""

from __future__ import annotations

from dataclasses import dataclass

from kerasdenoise.adaptation.methods.method import Method
from kerasdenoise.adaptation.methods.neighbors import Neighbors
from kerasdenoise.adaptation.methods.quick import Quick
from kerasdenoise.adaptation.survey import Survey
from kerasdenoise.errors import UsageError

# The first that suits the noise is chosen.
METHODS: tuple[type[Method], ...] = (Quick, Neighbors)


@dataclass(frozen=True)
class Choice:
    """How to learn.

    Attributes:
        method: By which method.
        reason: Why.
        warning: Why it will hardly succeed; empty if nothing speaks against it.
    """

    method: type[Method]
    reason: str
    warning: str = ""


def choose_method(survey: Survey, asked: str | None = None) -> Choice:
    """Chooses the method that the noise allows.

    Args:
        survey: What the photos are like.
        asked: The name of the method that the user wants, whatever the noise.

    Raises:
        UsageError: Nothing can be learned from single photos with this noise, or there is no such
            method.
    """
    folder = survey.photos[0].file.parent
    noise = survey.describe_kind()
    if survey.kind == "unknown":
        raise UsageError(
            folder,
            f"has noise that is {noise}, which a single photo does not tell apart from the scene",
            "use the model as it is, or give raw files",
        )
    if asked is not None:
        method = find_method(asked)
        return Choice(method, "asked for", method.warn(survey))
    for method in METHODS:
        if method.is_chosen(survey):
            return Choice(method, f"the noise is {noise}", method.warn(survey))
    raise UsageError(
        folder,
        f"has noise that is {noise}, which is hard to tell apart from the scene",
        "use the model as it is, give raw files, or try --method neighbors",
    )


def find_method(name: str) -> type[Method]:
    """Finds a method by its name.

    Raises:
        UsageError: There is none.
    """
    known = {method.name: method for method in METHODS}
    if name not in known:
        raise UsageError(f"method {name!r}", "is unknown", f"known: {', '.join(known)}")
    return known[name]
