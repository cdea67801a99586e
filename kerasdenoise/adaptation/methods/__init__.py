"""Ways of learning from noisy photos, one a file, and which of them suits which noise."""

from __future__ import annotations

from dataclasses import dataclass

from kerasdenoise.adaptation.methods.exposures import Burst, Pairs
from kerasdenoise.adaptation.methods.fast import Fast
from kerasdenoise.adaptation.methods.method import Method
from kerasdenoise.adaptation.methods.neighbors import Neighbors
from kerasdenoise.adaptation.methods.quick import Quick
from kerasdenoise.adaptation.methods.zero_shot import ZeroShot
from kerasdenoise.adaptation.survey import Survey
from kerasdenoise.errors import UsageError

# The first that suits the noise is chosen.
METHODS: tuple[type[Method], ...] = (Quick, Neighbors, ZeroShot, Fast, Burst, Pairs)


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
    method = find_method(asked) if asked else None
    if method and method.learns_from_scenes:
        return Choice(method, "asked for", method.warn(survey))
    if survey.kind == "unknown":
        raise UsageError(
            folder,
            f"has noise that is {noise}, which a single photo does not tell apart from the scene",
            "use the model as it is, give raw files, or bursts with --method burst",
        )
    if method:
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
