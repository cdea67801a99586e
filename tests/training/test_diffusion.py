from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasdenoise.errors import RecipeError
from kerasdenoise.models.ddim import PREDICTOR, SPREAD
from kerasdenoise.training.network import load_run
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.run import train
from kerasdenoise.training.tasks import build_task, find_task
from kerasdenoise.training.tasks.diffusion import AdversarialDiffusion, Diffusion

TOLD = '{ preset = "tiny", noise_level = true }'
JUDGED = "\n[discriminator]\nwidths = [4]\nembedding = 4\n"


@pytest.fixture
def text(recipe_text: Callable[..., str]) -> Callable[..., str]:
    """The recipe of a diffusion model, with some lines changed."""

    def write(steps: str = "6", **changes: str) -> str:
        steps += '\nobjective = "diffusion"\nlearning_rate = 5e-3'
        return recipe_text(
            **{"architecture": '"ddim"', "kind": '"gaussian:0-100"', "steps": steps, **changes}
        )

    return write


def test_angles_are_drawn_evenly_and_noise_of_their_levels(text: Callable[..., str]):
    task = build_task(parse_recipe(text(config=TOLD, kind='"gaussian:20-100"')))
    clean = np.full((400, 16, 16, 3), 0.5, np.float32)
    noisy, target, _ = (keras.ops.convert_to_numpy(each) for each in task.draw(clean))
    np.testing.assert_array_equal(target, clean)
    angles = np.arctan((noisy - clean).std(axis=(1, 2, 3)) / SPREAD)
    low, high = np.arctan(np.array([20, 100]) / 255 / SPREAD)
    shares = np.histogram(angles, bins=4, range=(low, high))[0] / 400
    np.testing.assert_allclose(shares, 0.25, atol=0.08)


def test_what_is_compared_is_noise_of_unit_variance(text: Callable[..., str]):
    task = build_task(parse_recipe(text(config=TOLD)))
    clean = np.full((2, 16, 16, 3), 0.5, np.float32)
    noise = np.random.default_rng(0).normal(size=clean.shape).astype(np.float32)
    errors = []
    for level in (0.05, 0.3):
        noisy = clean + level * noise
        seen = {"noisy": noisy, "target": clean, "denoised": clean + 0.1 * (noisy - clean)}
        errors.append(float(task.compare(seen)))
    assert errors[0] == pytest.approx(errors[1], rel=1e-3)
    assert errors[0] == pytest.approx(0.1 * np.abs(noise).mean(), rel=0.03)


def test_only_the_network_within_and_the_estimate_are_called(text: Callable[..., str]):
    recipe = parse_recipe(text())
    task = build_task(recipe)
    seen = task(np.full((4, 48, 48, 3), 0.5, np.float32))
    (predictor,) = (layer for layer in task.denoiser._flatten_layers() if layer.name == PREDICTOR)
    expected = predictor(seen["told"])
    np.testing.assert_allclose(seen["denoised"], expected, atol=1e-6)
    assert "level_error" in seen


def test_it_learns_to_denoise_by_its_chain_of_steps(
    text: Callable[..., str], photos: Path, tmp_path: Path
):
    recipe = parse_recipe(text("60", interval="60", config=TOLD))
    last = train(recipe, tmp_path, photos)
    assert last is not None
    assert last.psnr["gaussian:25"] > last.noisy["gaussian:25"] + 1
    assert PREDICTOR in {layer.name for layer in load_run(tmp_path)[1].layers}


def test_a_discriminator_is_an_option(text: Callable[..., str]):
    recipe = parse_recipe(text())
    assert find_task(recipe) is Diffusion
    recipe = parse_recipe(text() + JUDGED)
    assert find_task(recipe) is AdversarialDiffusion
    task = build_task(recipe)
    before = task.discriminator.get_weights()
    logs = task.train_on_batch(np.full((4, 48, 48, 3), 0.5, np.float32), return_dict=True)
    assert {"near", "far", "sharpness"} < set(logs)
    pairs = zip(before, task.discriminator.get_weights(), strict=True)
    assert all(np.any(old != new) for old, new in pairs)


@pytest.fixture(scope="module")
def encoded(recipe_text: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of an autoencoder."""
    folder = tmp_path_factory.mktemp("runs") / "autoencoder"
    recipe = parse_recipe(recipe_text(architecture='"autoencoder"', kind='"gaussian:1"', steps="2"))
    train(recipe, folder, Path(recipe.data.root))
    return folder


def _on_codes(encoded: Path) -> dict[str, str]:
    source = encoded.as_posix()
    weights = f'{{ encoder = "{source}", decoder = "{source}" }}'
    return {"architecture": f'"latent_ddim"\npart_weights = {weights}'}


def test_on_codes_the_autoencoder_keeps_the_weights_of_its_run(
    text: Callable[..., str], encoded: Path, photos: Path, tmp_path: Path
):
    train(parse_recipe(text("2", **_on_codes(encoded))), tmp_path, photos)
    tile = load_run(tmp_path)[1].get_layer("tile")
    given = load_run(encoded)[1]
    for part in ("encoder", "decoder"):
        pairs = zip(
            tile.get_layer(part).get_weights(), given.get_layer(part).get_weights(), strict=True
        )
        for one, other in pairs:
            np.testing.assert_array_equal(one, other)
    assert tile.get_layer(PREDICTOR).get_layer("tail").get_weights()[0].any()


def test_on_codes_codes_are_compared(text: Callable[..., str], encoded: Path):
    task = build_task(parse_recipe(text(**_on_codes(encoded))))
    seen = task(np.random.default_rng(0).random((4, 48, 48, 3), np.float32))
    encoder = task.denoiser.get_layer("tile").get_layer("encoder")
    code = keras.ops.convert_to_numpy(encoder(seen["target"]))
    assert seen["denoised"].shape == code.shape == (4, 8, 8, 4)
    assert float(task.compare({**seen, "denoised": code})) == 0
    assert float(task.compare(seen)) > 0.1


def test_codes_without_the_weights_of_an_autoencoder_are_refused(
    text: Callable[..., str], photos: Path, tmp_path: Path
):
    with pytest.raises(RecipeError, match=r"part '(en|de)coder'.*part_weights"):
        train(parse_recipe(text(architecture='"latent_ddim"')), tmp_path, photos)


def test_a_discriminator_sees_no_codes(text: Callable[..., str], encoded: Path):
    with pytest.raises(RecipeError, match=r"\[discriminator\].*codes"):
        build_task(parse_recipe(text(**_on_codes(encoded)) + JUDGED))


def test_the_highest_level_is_that_of_the_noise(text: Callable[..., str]):
    recipe = parse_recipe(text(kind='"gaussian:20-100"'))
    assert find_task(recipe).find_highest_level(recipe.mixture) == pytest.approx(100 / 255)
    other = parse_recipe(text(architecture='"unet"').replace('"diffusion"', '"supervised"'))
    assert find_task(other).find_highest_level(other.mixture) is None


@pytest.mark.parametrize(
    "kind",
    [
        "camera",
        "gaussian:pixel:25",
        "gaussian:lines:25",
        "gaussian:0",
        'gaussian:25"\n[[noise]]\nkind = "gaussian:50',
    ],
)
def test_other_noise_is_refused(text: Callable[..., str], kind: str):
    with pytest.raises(RecipeError, match=r"needs white Gaussian.*gaussian:0-100"):
        build_task(parse_recipe(text(kind=f'"{kind}"')))


def test_a_network_without_steps_is_refused(text: Callable[..., str]):
    with pytest.raises(RecipeError, match=r'in unet, which is no diffusion model.*"ddim"'):
        build_task(parse_recipe(text(architecture='"unet"')))
