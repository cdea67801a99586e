from __future__ import annotations

from pathlib import Path

import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.paths.template import NameTemplate

WORDS = {"model": "photo", "strength": "0.5"}


@pytest.mark.parametrize(
    ("template", "source", "expected"),
    [
        ("{stem}_denoised{ext}", "x/a.b.JPG", "a.b_denoised.JPG"),
        ("{stem}_{model}_{strength}.png", "a.jpg", "a_photo_0.5.png"),
        ("{{{stem}}}{ext}", "a.jpg", "{a}.jpg"),
        ("{stem}{ext}", "照片.png", "照片.png"),
        ("{stem}{ext}", "no_suffix", "no_suffix"),
        ("{stem}{ext}", "photo.nef", "photo.tif"),  # raw is written as what can hold it
        ("..{stem}{ext}", "..a.jpg", "....a.jpg"),
    ],
)
def test_names_of_results(template: str, source: str, expected: str):
    assert NameTemplate(template, WORDS).apply(Path(source)) == expected


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{stem", "has an unmatched brace"),
        ("{name}{ext}", "{name} is not known; {stem}, {ext}, {model}, {strength} are"),
        ("{stem.__class__}{ext}", "is not known"),
        ("{stem:>99999999999}{ext}", "is not known"),
        ("{stem!r}{ext}", "is not known"),
        ("../{stem}{ext}", "names a folder; give the folder with -o"),
        ("sub\\{stem}{ext}", "names a folder"),
    ],
)
def test_a_text_that_is_no_template(template: str, text: str):
    with pytest.raises(UsageError) as caught:
        NameTemplate(template, WORDS)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", "gives no valid file name for a.jpg"),
        ("..", "file name"),
        ("{stem}", "has no suffix, for a.jpg"),
        ("{stem}.xyz", "files ending in .xyz cannot be written"),
        ("{stem}.nef", "files ending in .nef cannot be written"),
    ],
)
def test_a_template_that_makes_no_name(template: str, text: str):
    with pytest.raises(UsageError) as caught:
        NameTemplate(template).apply(Path("a.jpg"))
    assert text in str(caught.value)


@pytest.mark.parametrize("name", ["../evil", "sub\\evil"])
def test_a_word_names_no_folder(name: str):
    # As a model's name, which whoever made the model has chosen.
    with pytest.raises(UsageError, match=r"name.* a\.jpg"):
        NameTemplate("{model}{ext}", {"model": name}).apply(Path("a.jpg"))
