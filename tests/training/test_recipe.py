from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kerasdenoise.errors import KerasDenoiseError, RecipeError
from kerasdenoise.losses import get_loss
from kerasdenoise.models import make_config, unet
from kerasdenoise.noise import Gaussian
from kerasdenoise.training.optimization import make_optimizer
from kerasdenoise.training.recipe import Recipe, parse_recipe, read_recipe
from kerasdenoise.training.tasks import build_task, find_task

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*.toml"))
SHIPPED = sorted((ROOT / "saved_models").glob("*/recipe*.toml"))


def _says(words: str, message: str) -> bool:
    """Whether a message has these words, with any others where there are three dots."""
    return re.search(".*".join(map(re.escape, words.split(" ... "))), message) is not None


def _refusal(kind: type[KerasDenoiseError], act: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_recipe_says_all_and_defaults_the_rest(recipe_text: Callable[..., str]):
    recipe = parse_recipe(recipe_text())
    assert recipe.name == "quick"
    assert recipe.model.config == unet.PRESETS["tiny"]
    assert recipe.data.train == ("train",)
    assert [section.kind for section in recipe.noise] == [Gaussian(0.0, 55 / 255)]
    assert [section.kind.text for section in recipe.noise] == ["gaussian:0-55"]
    assert (recipe.optimization.steps, recipe.optimization.loss) == (6, "l1")
    assert recipe.benchmark == ()
    assert recipe.source == recipe_text()


def test_a_file_reads_as_its_text(recipe_text: Callable[..., str], tmp_path: Path):
    (tmp_path / "quick.toml").write_text(recipe_text(), "utf-8")
    assert read_recipe(tmp_path / "quick.toml") == parse_recipe(recipe_text())


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
class TestOfTheRepository:
    def test_can_be_followed(self, path: Path):
        recipe = read_recipe(path)
        config = recipe.model.config
        get_loss(recipe.optimization.loss)
        assert find_task(recipe)
        assert make_optimizer(recipe.optimization).use_ema
        assert recipe.data.patch_size % config.stride == 0
        assert recipe.validation.crop_size % config.stride == 0

    def test_is_named_as_its_file(self, path: Path):
        assert read_recipe(path).name == path.stem

    def test_never_trains_on_what_it_is_measured_on(self, path: Path):
        recipe = read_recipe(path)
        measured = [*recipe.data.validation, *(section.folder for section in recipe.benchmark)]
        for trained in recipe.data.train:
            assert not [other for other in measured if other.startswith(trained)]


def test_there_are_recipes():
    assert RECIPES
    assert len({path.parent for path in SHIPPED}) > 2


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_saved_models_recipe_can_be_read(path: Path):
    recipe = read_recipe(path)
    assert recipe.source == path.read_text("utf-8")
    described = json.loads((path.parent / "config.json").read_text("utf-8"))
    assert recipe.model.architecture == described["architecture"]
    if path.name == "recipe.toml":
        assert recipe.model.config == make_config(described["architecture"], described["config"])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('name = "quick"', "name: ... missing; ... recipes/photo.toml"),
        ("seed = 5", "seed: ... missing"),
        ('architecture = "unet"', "[model] architecture: ... missing"),
        ('train = ["train"]', "[data] train: ... missing"),
        ('license = "Made up"', "[data] license: ... missing"),
        ("steps = 6", "[optimization] steps: ... missing"),
        ('kind = "gaussian:0-55"', "[[noise]] kind: ... missing"),
        ('[[noise]]\nkind = "gaussian:0-55"', "[[noise]]: ... missing; ... one"),
    ],
)
def test_a_missing_entry_is_named(recipe_text: Callable[..., str], line: str, said: str):
    text = recipe_text()
    assert line in text
    text = text.replace(line, "")
    assert _says(said, _refusal(RecipeError, lambda: parse_recipe(text, "a.toml")))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": '"5"'}, "a.toml seed = '5': ... whole number"),
        ({"steps": "6.5"}, "a.toml [optimization] steps = 6.5: ... whole number"),
        ({"batch_size": "true"}, "a.toml [data] batch_size = True: ... whole number"),
        ({"batch_size": "4\naugment = 1"}, "a.toml [data] augment = 1: ... true or false"),
        ({"train": '"train"'}, "a.toml [data] train = 'train': ... list"),
        ({"config": '"tiny"'}, "a.toml [model] config = 'tiny': ... table"),
        ({"ema_momentum": "false"}, "a.toml [optimization] ema_momentum = False: ... number"),
        ({"kind": "25"}, "a.toml [[noise]] kind = 25: ... text"),
        ({"train": "[1]"}, "a.toml [data] train = 1: ... text"),
        ({"batch_size": '4\nscales = [1.0, "a"]'}, "a.toml [data] scales = 'a': ... number"),
        (
            {"architecture": '"unet"\npart_weights.border = 3'},
            "[model] part_weights.border = 3: ... text",
        ),
        ({"crop_size": "64\nnoises = [25]"}, "a.toml [validation] noises = 25: ... text"),
    ],
)
def test_a_value_of_another_kind_is_named(
    recipe_text: Callable[..., str], changes: dict[str, str], said: str
):
    text = recipe_text(**changes)
    assert _says(said, _refusal(RecipeError, lambda: parse_recipe(text, "a.toml")))


@pytest.mark.parametrize("option", ["net2wider", "reinitialize_dead_units"])
def test_what_changes_a_trained_network_needs_one(recipe_text: Callable[..., str], option: str):
    text = recipe_text(architecture=f'"unet"\n{option} = true')
    said = f"a.toml [model] {option}: ... trained network ... run"
    assert _says(said, _refusal(RecipeError, lambda: parse_recipe(text, "a.toml")))


def test_a_whole_number_is_a_number(recipe_text: Callable[..., str]):
    assert parse_recipe(recipe_text(ema_momentum="0")).optimization.ema_momentum == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("seed = 5", "a.toml stepz: ... unknown; ... name"),
        ('architecture = "unet"', "a.toml [model] stepz: ... unknown; ... architecture"),
        ("patch_size = 32", "a.toml [data] stepz: ... unknown"),
        ('kind = "gaussian:0-55"', "a.toml [[noise]] stepz: ... unknown; ... kind, share"),
        ("steps = 6", "a.toml [optimization] stepz: ... unknown; ... steps"),
        ("crop_size = 64", "a.toml [validation] stepz: ... unknown"),
    ],
)
def test_an_unknown_entry_is_named(recipe_text: Callable[..., str], line: str, said: str):
    text = recipe_text().replace(line, f"{line}\nstepz = 1")
    assert _says(said, _refusal(RecipeError, lambda: parse_recipe(text, "a.toml")))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": "0"}, "a.toml [optimization] steps = 0: ... range; ... 1"),
        ({"steps": "-5"}, "steps = -5: ... range"),
        ({"interval": "0"}, "a.toml [validation] interval = 0: ... range; ... 1"),
        ({"images": "0"}, "images = 0: ... range"),
        ({"crop_size": "0"}, "crop_size = 0: ... range"),
        (
            {"crop_size": "64\nnoises = []"},
            "a.toml [validation] noises: ... empty; ... one",
        ),
        ({"train": "[]"}, "a.toml [data] train: ... empty"),
        ({"validation": "[]"}, "a.toml [data] validation: ... empty"),
        ({"batch_size": "4\nscales = []"}, "a.toml [data] scales: ... empty"),
        ({"batch_size": "0"}, "a.toml [data] batch_size = 0: ... range"),
        ({"patch_size": "-16"}, "patch_size = -16: ... range"),
        ({"margin": "-8"}, "margin = -8: ... range; ... 0"),
        ({"batch_size": "4\nscales = [1.0, 0]"}, "scales = 0: ... range; ... 0"),
        ({"seed": "-1"}, "a.toml seed = -1: ... range; ... 0"),
        ({"seed": "5000000000"}, "seed = 5000000000: ... range"),
        (
            {"ema_momentum": "1.5"},
            "ema_momentum = 1.5: ... range; ... 1",
        ),
        ({"ema_momentum": "nan"}, "ema_momentum = nan: ... range"),
        (
            {"warmup_steps": "3\nlearning_rate = -1.0"},
            "learning_rate = -1.0: ... range; ... 0",
        ),
        ({"warmup_steps": "3\nlearning_rate = inf"}, "learning_rate = inf: ... range"),
        ({"warmup_steps": "3\nmomentum = 0.9"}, "momentum = 0.9: ... optimizer 'adam'"),
        (
            {"warmup_steps": '3\nschedule = "exponential"'},
            "warmup_steps = 3: ... schedule 'exponential'",
        ),
        ({"seed": "2026-11-30"}, "a.toml 2026-11-30: ... date"),
        ({"warmup_steps": "3\nweight_decay = -1"}, "weight_decay = -1: ... range"),
        ({"kind": '"gaussian:5"\nshare = 0'}, "a.toml [[noise]] share = 0: ... range"),
        ({"kind": '"gaussian:5"\nshare = nan'}, "share = nan: ... range"),
        ({"seed": "= 5"}, "a.toml: ... TOML"),
        ({"seed": "9" * 5000}, "a.toml: ... TOML"),
        ({"train": "[" * 400 + "]" * 400}, "a.toml: ... TOML ... nested"),
        ({"train": "[" * 10**5 + "]" * 10**5}, "a.toml: ... TOML"),
        ({"seed": ""}, "a.toml: ... TOML"),
        ({"seed": "5\nmodel = 3"}, "a.toml"),
    ],
)
def test_an_unusable_entry_is_refused(
    recipe_text: Callable[..., str], changes: dict[str, str], said: str
):
    text = recipe_text(**changes)
    assert _says(said, _refusal(RecipeError, lambda: parse_recipe(text, "a.toml")))


def test_a_long_value_is_shown_in_part(recipe_text: Callable[..., str]):
    text = recipe_text(seed='"' + "5 " * 10**4 + '"')
    assert len(_refusal(RecipeError, lambda: parse_recipe(text, "a.toml"))) < 300


def test_a_section_that_is_no_table_is_refused(recipe_text: Callable[..., str]):
    text = (
        recipe_text()
        .replace("[validation]", "[ignored]")
        .replace("seed = 5", "seed = 5\nvalidation = 1")
    )
    refusal = _refusal(RecipeError, lambda: parse_recipe(text, "a.toml"))
    assert _says("[validation]: ... table", refusal)


@pytest.mark.parametrize("table", ["noise", "benchmark"])
def test_tables_that_are_none_are_refused(recipe_text: Callable[..., str], table: str):
    text = recipe_text().replace("seed = 5", f"seed = 5\n{table} = 3")
    if table == "noise":
        text = text.replace('[[noise]]\nkind = "gaussian:0-55"\n', "")
    said = f"a.toml [[{table}]]: ... table"
    assert _says(said, _refusal(RecipeError, lambda: parse_recipe(text, "a.toml")))


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"], ids=["gone", "not text"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None):
    path = tmp_path / "a.toml"
    if content is not None:
        path.write_bytes(content)
    said = _refusal(RecipeError, lambda: read_recipe(path))
    assert re.search(f"^{re.escape(str(path))}: .*read", said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"architecture": '"unett"'}, "a.toml [model] unett: ... architecture; ... 'unet'"),
        (
            {"config": '{ preset = "huge" }'},
            "[model] unet preset 'huge': ... unknown; ... tiny",
        ),
        ({"config": "{ preset = { a = 1 } }"}, "unet preset {'a': 1}: ... unknown"),
        (
            {"config": '{ preset = "tiny" }\ndtype = "foo"'},
            "[model] dtype = 'foo': ... unknown",
        ),
        (
            {"config": '{ preset = "tiny", channels = 1 }', "kind": '"camera"'},
            "noise 'camera': ... colors ... 1 channel",
        ),
        (
            {"config": '{ preset = "tiny", channels = 1 }', "crop_size": '64\nnoises = ["camera"]'},
            "noise 'camera': ... colors",
        ),
        (
            {"kind": '"gaussian:5"\nshare = 0.01\n[[noise]]\nkind = "gaussian:9"'},
            "noise 'gaussian:5': ... share of 4",
        ),
        ({"batch_size": "900000", "patch_size": "900000"}, "batch_size 900000 ... memory"),
        ({"config": "{ widths = [1000000000], blocks = [1] }"}, "unet widths: ... larger"),
        ({"config": "{ depth = 3 }"}, "a.toml [model] unet depth: ... unknown; ... channels"),
        (
            {"kind": '"gausian:25"'},
            "[[noise]] gausian:25: ... kind of noise; ... 'gaussian'",
        ),
        ({"kind": '"gaussian:many"'}, "[[noise]] gaussian:many: ... number ... range"),
        ({"warmup_steps": '3\nloss = "l3"'}, "loss 'l3': ... unknown; ... l1, l2"),
        (
            {"warmup_steps": '3\nobjective = "magic"'},
            "objective 'magic': ... unknown; ... supervised",
        ),
    ],
)
def test_an_unknown_name_is_refused(
    recipe_text: Callable[..., str], changes: dict[str, str], said: str
):
    text = recipe_text(**changes)
    refusal = _refusal(KerasDenoiseError, lambda: build_task(parse_recipe(text, "a.toml")))
    assert _says(said, refusal)


class TestIdentity:
    @staticmethod
    def _same(text: str, other: str) -> bool:
        recipes: list[Recipe] = [parse_recipe(text), parse_recipe(other)]
        return recipes[0].identity() == recipes[1].identity()

    @pytest.mark.parametrize(
        "changes",
        [
            {"steps": "60"},
            {"warmup_steps": "3\ndecay_fraction = 0.5"},
            {"root": '"elsewhere"'},
            {"interval": "1"},
            {"summary": '"Of use"'},
            {"name": '"slow"'},
            {"license": '"Public domain"'},
            {"architecture": '"unet"\nlicense = "CC0"'},
        ],
    )
    def test_end_place_and_report_may_change(
        self, recipe_text: Callable[..., str], changes: dict[str, str]
    ):
        assert self._same(recipe_text(), recipe_text(**changes))

    @pytest.mark.parametrize(
        ("changes", "others"),
        [
            ({}, {"config": "{ widths = [4, 8], blocks = [1, 1] }"}),
            ({}, {"config": '{ preset = "tiny", noise_level = false }'}),
            ({}, {"batch_size": "4\nscales = [1]\naugment = true"}),
            ({}, {"warmup_steps": '3\noptimizer = "adam"\nbeta_2 = 0.99\nlearning_rate = 0.001'}),
            ({}, {"architecture": '"unet"\ndtype = "float32"\ninitial_weights = ""'}),
            ({"kind": '"gaussian:0-55"'}, {"kind": '"gaussian:0-55.0"\nshare = 1'}),
            ({"kind": '"poisson"'}, {"kind": '"poisson:5.5"'}),
            (
                {"steps": '100\nschedule = "exponential"', "warmup_steps": None},
                {"steps": '100\nschedule = "exponential"\ndecay_steps = 2', "warmup_steps": None},
            ),
        ],
    )
    def test_what_means_the_same_is_the_same(
        self, recipe_text: Callable[..., str], changes: dict[str, str], others: dict[str, str]
    ):
        assert self._same(recipe_text(**changes), recipe_text(**others))

    def test_an_exponential_rate_that_goes_by_the_length_is_of_that_length(
        self, recipe_text: Callable[..., str]
    ):
        texts = [
            recipe_text(steps=f'{steps}\nschedule = "exponential"', warmup_steps=None)
            for steps in (100, 200)
        ]
        assert not self._same(*texts)

    @pytest.mark.parametrize(
        "changes",
        [
            {"seed": "6"},
            {"config": "{ widths = [4, 9], blocks = [1, 1] }"},
            {"train": '["validation"]'},
            {"batch_size": "5"},
            {"kind": '"gaussian:0-50"'},
            {"warmup_steps": "4"},
            {"warmup_steps": '3\noptimizer = "adamax"'},
            {"architecture": '"unet"\ndtype = "mixed_bfloat16"'},
        ],
    )
    def test_all_else_may_not(self, recipe_text: Callable[..., str], changes: dict[str, str]):
        assert not self._same(recipe_text(), recipe_text(**changes))
