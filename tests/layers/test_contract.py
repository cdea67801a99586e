"""What Keras asks of every layer, under each of its backends."""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

from kerasdenoise import layers
from kerasdenoise.layers import P1Flux

ROOT = Path(__file__).parents[2]
BATCH = 2


class Case(NamedTuple):
    """A layer's arguments, and the shapes of its call arguments without the batch."""

    arguments: dict[str, Any]
    shapes: dict[str, tuple[int | None, ...]]
    summary: tuple[tuple[int, ...], tuple[int, ...]] | None = None


IMAGE, MAP, ONE = (None, None, 3), (None, None, 1), (1, 1, 1)
CASES: dict[str, Case] = {
    "AngleEmbedding": Case({"size": 6, "fastest": 5.0}, {"angle": MAP}),
    "AngleLevels": Case({"steps": 3, "spread": 0.3}, {"noise_level": MAP}),
    "BlockDct": Case({"block": 2, "inverse": True}, {"blocks": (None, None, 12)}),
    "BorderMix": Case({"hard": False}, {"border": MAP, "at_border": ONE, "elsewhere": ONE}),
    "ContentNoise": Case({"maps": 2, "seed": 3}, {"image": IMAGE, "seed": ONE}),
    "ContrastRegressor": Case(
        {"start": (0.1, 0.2), "widths": (4, 6)}, {"inputs": IMAGE}, ((6,), (1,))
    ),
    "DdimStep": Case(
        {"eta": 0.5},
        {"u": IMAGE, "clean": IMAGE, "levels": (None, None, 2), "sample": IMAGE},
    ),
    "DiffusionStep": Case(
        {
            "function": "rational",
            "tau": 0.15,
            "argument": "norm",
            "learn_tau": True,
            "reaction": 0.3,
        },
        {"u": IMAGE, "contrast": ONE, "noisy": IMAGE, "gate": MAP},
    ),
    "EdgeIndicator": Case({"convolutions": 2, "width": 5}, {"image": IMAGE}),
    "EmbeddingDistance": Case({}, {"first": (6,), "second": (6,)}),
    "GlobalMaximum": Case({"floor": 0.01}, {"inputs": IMAGE}, ((1, 1, 3), (1, 1, 3))),
    "HeatDecay": Case(
        {"block": 2, "tau": 0.7},
        {"coefficients": (None, None, 12), "rate": (None, None, 12)},
    ),
    "ImageRegressor": Case(
        {"start": (0.1, -2.0), "widths": (4, 6)}, {"inputs": IMAGE}, ((6,), (1,))
    ),
    "IterationGates": Case(
        {"steps": 4, "tau": 0.15, "epsilon": 0.02, "kappa": 3.0}, {"noise_level": MAP}
    ),
    "LambdaLayer": Case(
        {
            "out_channels": 8,
            "key_depth": 4,
            "heads": 2,
            "intra_depth": 2,
            "window": 3,
            "embedding_initializer": "paper",
            "normalization": "batch",
        },
        {"inputs": IMAGE},
        ((2, 4, 4), (2, 4, 1)),
    ),
    "P1Coefficient": Case(
        {
            "pieces": 3,
            "monotone": True,
            "continuous": False,
            "backward": 0.2,
            "roughness": 0.1,
            "degree": 1,
        },
        {"indicator": MAP, "thetas": (1, 1, 6), "top": ONE},
    ),
    "P1Flux": Case({"pieces": 3, "reach": 2.0}, {"responses": (None, None, 5)}),
    "PeronaMalikFlux": Case({"terms": 2, "coupled": False}, {"responses": (None, None, 5)}),
    "ReactionDiffusionStep": Case(
        {"filters": 5, "size": 3, "flux": P1Flux(3), "strength": 0.4, "reaction": 0.1},
        {"u": IMAGE, "contrast": ONE, "noisy": IMAGE},
    ),
    "SharedValues": Case({"start": (0.5, 2.0), "learned": False}, {"inputs": IMAGE}),
    "VarianceStabilizer": Case({"low": 0.1, "high": 0.8, "knots": 9}, {"values": IMAGE}),
}
# Another backend has its own rounding, but no code of ours for one half or the other.
HALVES = ("mixed_bfloat16", "mixed_float16")
POLICIES = HALVES if keras.backend.backend() == "tensorflow" else HALVES[:1]


@pytest.fixture(params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def case(name: str) -> Case:
    return CASES[name]


def _make(name: str, **options: Any) -> keras.layers.Layer:
    arguments = CASES[name].arguments
    if "flux" in arguments:  # a layer of its own each time
        arguments = {**arguments, "flux": P1Flux.from_config(arguments["flux"].get_config())}
    keras.utils.set_random_seed(0)
    return getattr(layers, name)(**arguments, name="layer", **options)


def _tensors(case: Case, height: int = 8, width: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    sides = {0: height, 1: width}
    return {
        name: rng.uniform(
            0.1, 0.9, (BATCH, *(sides[i] if n is None else n for i, n in enumerate(shape)))
        ).astype(np.float32)
        for name, shape in case.shapes.items()
    }


def _call(layer: keras.layers.Layer, case: Case) -> np.ndarray:
    tensors = {key: keras.ops.convert_to_tensor(v) for key, v in _tensors(case).items()}
    return _numpy(layer(**tensors))


def _build(name: str, **options: Any) -> keras.Model:
    inputs = {key: keras.Input(shape, name=key) for key, shape in CASES[name].shapes.items()}
    return keras.Model(inputs, _make(name, **options)(**inputs), name=name.lower())


def test_every_layer_has_a_case():
    kinds = [value for value in vars(layers).values() if inspect.isclass(value)]
    assert set(CASES) == {kind.__name__ for kind in kinds if issubclass(kind, keras.layers.Layer)}


def test_arguments_are_attributes_of_the_same_name(name: str, case: Case):
    layer = _make(name)
    known = set(inspect.signature(type(layer).__init__).parameters) - {"options"}
    known -= set(inspect.signature(keras.layers.Layer.__init__).parameters)
    assert known == set(case.arguments)
    for moment in ("made", "built"):
        for argument in case.arguments:
            value = getattr(layer, argument)
            if argument == "flux":
                assert isinstance(value, P1Flux)
            else:
                assert value == case.arguments[argument], moment
            assert argument in layer.get_config()
        _call(layer, case)


def test_a_config_of_a_registered_name_makes_the_same_layer_again(name: str, case: Case):
    layer = _make(name)
    _call(layer, case)
    config = keras.saving.serialize_keras_object(layer)
    assert config["registered_name"] == f"kerasdenoise>{name}"
    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))
    assert type(again) is type(layer)
    assert json.dumps(again.get_config()) == json.dumps(layer.get_config())
    _call(again, case)
    assert [weight.path for weight in again.weights] == [weight.path for weight in layer.weights]


def test_symbols_have_the_shape_and_type_of_results(name: str, case: Case):
    layer = _make(name)
    symbols = {key: keras.KerasTensor((None, *shape)) for key, shape in case.shapes.items()}
    symbol = layer(**symbols)
    first = next(iter(symbols.values()))
    assert symbol.shape == layer.compute_output_shape(first.shape)
    assert len(symbol.shape) == len(first.shape)
    for height, width in ((8, 6), (5, 7)):
        tensors = _tensors(case, height, width)
        result = layer(**{key: keras.ops.convert_to_tensor(v) for key, v in tensors.items()})
        shape = layer.compute_output_shape(next(iter(tensors.values())).shape)
        assert tuple(result.shape) == tuple(shape)
        assert keras.backend.standardize_dtype(result.dtype) == symbol.dtype
        assert all(known in (None, size) for known, size in zip(symbol.shape, shape, strict=True))


@pytest.mark.parametrize("summarizing", [n for n, case in CASES.items() if case.summary])
@pytest.mark.parametrize("policy", ["float32", *POLICIES])
def test_summaries_have_the_shapes_of_their_symbols(summarizing: str, policy: str):
    case, layer = CASES[summarizing], _make(summarizing, dtype=policy)
    assert case.summary is not None
    symbols = layer(keras.KerasTensor((None, None, None, 3)), summarize=True)
    image = keras.ops.convert_to_tensor(_tensors(case)["inputs"])
    results = layer(image, summarize=True)
    for symbol, result, shape in zip(symbols, results, case.summary, strict=True):
        assert symbol.shape == (None, *shape)
        assert tuple(result.shape) == (BATCH, *shape)
        assert keras.backend.standardize_dtype(result.dtype) == symbol.dtype
    told = layer(image, context=results[0])
    np.testing.assert_allclose(_numpy(told), _numpy(layer(image)), rtol=0.05, atol=0.1)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("is_global", [True, False], ids=["global", "own"])
def test_half_precision_keeps_weights_and_what_is_computed(
    name: str, case: Case, policy: str, is_global: bool
):
    expected = _call(_make(name), case)
    if is_global:
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            layer = _make(name)
            result = _call(layer, case)
        finally:
            keras.config.set_dtype_policy(before)
    else:
        layer = _make(name, dtype=policy)
        result = _call(layer, case)
    assert {weight.dtype for weight in layer.weights} <= {"float32"}
    if is_global:  # of which most layers take no notice
        np.testing.assert_allclose(result, expected, rtol=0.05, atol=0.05 * np.abs(expected).max())
    assert np.isfinite(result).all()


def test_a_step_of_training_changes_what_can_be_trained(name: str, case: Case):
    model = _randomize(_build(name))
    tensors = _tensors(case)
    target = np.zeros(_numpy(model(tensors)).shape, np.float32)
    before = [_numpy(weight) for weight in model.trainable_weights]
    if not before:
        pytest.skip("has nothing to train")
    model.compile("sgd", "mse", run_eagerly=keras.backend.backend() != "jax")
    assert np.isfinite(model.train_on_batch(tensors, target))
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.isfinite(_numpy(weight)).all()
        assert (_numpy(weight) != old).any(), weight.path


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a model and its result for each layer."""
    folder = tmp_path_factory.mktemp("saved")
    for name, case in CASES.items():
        model = _randomize(_build(name))
        model.save(folder / f"{name}.keras")
        result = _numpy(model(_tensors(case)))
        np.savez(folder / f"{name}.npz", **_tensors(case), result=result)  # pyright: ignore
    return folder


@pytest.mark.parametrize("floatx", ["float16", "float64"])
def test_files_load_whatever_a_user_has_set(saved: Path, name: str, floatx: str):
    before = keras.config.image_data_format(), keras.config.floatx()
    keras.config.set_image_data_format("channels_first")
    keras.config.set_floatx(floatx)
    try:
        _load(saved / f"{name}.keras")
    finally:
        keras.config.set_image_data_format(before[0])
        keras.config.set_floatx(before[1])


def _load(file: Path) -> None:
    """Loads a model and compares its result with that of the saved one."""
    arrays = dict(np.load(file.with_suffix(".npz")))
    expected = arrays.pop("result")
    result = keras.ops.convert_to_numpy(keras.models.load_model(file)(arrays))
    assert result.dtype == np.float32, file.stem
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6, err_msg=file.stem)


def _load_all(folder: str) -> None:
    for file in sorted(Path(folder).glob("*.keras")):
        _load(file)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="is no matter of the backend")
def test_files_load_in_another_process_whatever_its_keras_json(saved: Path, tmp_path: Path):
    settings = {"image_data_format": "channels_first", "floatx": "float16"}
    (tmp_path / "keras.json").write_text(json.dumps(settings), "utf-8")
    script = "import runpy, sys; runpy.run_path(sys.argv[1])['_load_all'](sys.argv[2])"
    environment = {"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "tensorflow"}
    _run([sys.executable, "-c", script, __file__, str(saved)], environment)


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="is itself run so")
def test_all_of_this_holds_under_another_backend(backend: str):
    if importlib.util.find_spec(backend) is None:  # not imported here, which takes seconds
        pytest.skip(f"{backend} is not installed")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    _run(command, {"KERAS_BACKEND": backend})


def _run(command: list[str], environment: dict[str, str]) -> None:
    result = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]


def _randomize(model: keras.Model) -> keras.Model:
    """Makes weights other than those that each layer starts from, and of the same size."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        old = _numpy(weight)
        if old.dtype.kind == "f":
            weight.assign(old + 0.1 * rng.uniform(0.1, 0.9, old.shape).astype(np.float32))
    return model


def _numpy(tensor: Any) -> np.ndarray:
    tensor = keras.ops.cast(tensor, "float32")
    return np.array(keras.ops.convert_to_numpy(tensor))
