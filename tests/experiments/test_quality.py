from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import quality
from denoisers.methods import Cost, Method, find_methods, level_of, of_peer
from denoisers.published import COLOR, GRAY
from denoisers.quality_page import render_page
from denoisers.scores import Cache, Report, Row, Scores, choose_setting, mean, measure_row, time_all
from denoisers.standard_sets import ALL, PAIRS, REAL, ImageSet, Source
from PIL import Image

from kerasdenoise.errors import InputError
from kerasdenoise.evaluation.peers import PEERS, Peer, ToldDenoiser
from kerasdenoise.images.read import read_image
from kerasdenoise.metrics import psnr

ROW = Row("photo", "CBSD68", "gaussian:25")


class Identity:
    """Changes nothing, and counts what it is given; it can be told to fail at one call."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.calls = 0
        self.fail_at = fail_at

    def denoise_pixels(self, pixels: np.ndarray, *, name: object = "image") -> np.ndarray:
        self.calls += 1
        if self.calls == self.fail_at:
            raise KeyboardInterrupt
        return pixels


def method(denoiser: object, title: str = "identity", origin: str = "1") -> Method:
    return Method(title, origin, lambda noise: denoiser)  # type: ignore[arg-type,return-value]


def write_images(folder: Path, *names: str, gray: bool = False) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(len(names))
    shape = (32, 32) if gray else (32, 32, 3)
    for name in names:
        pixels = rng.integers(0, 256, shape).astype(np.uint8)
        Image.fromarray(pixels).resize((32, 32)).save(folder / name)


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., Source]:
    """A set of two small images with one kind of noise."""
    write_images(tmp_path / "small", "a.png", "b.png")

    def make(noise: str = "gaussian:25") -> Source:
        return Source(ImageSet("small", "small", (noise,)), noise, tmp_path)

    return make


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache.json")


def test_the_cache_keeps_what_each_figure_adds(tmp_path: Path):
    file = tmp_path / "results" / "cache.json"
    cache = Cache(file)
    for count, name in enumerate(("a.png", "b.png"), start=1):
        cache.put(ROW, "of this file", name, [20.0, None, 0.9])
        known = Cache(file).get(ROW, "of this file")
        assert len(known) == count
        assert known[name] == [20.0, None, 0.9]
    assert len(file.read_text("utf-8").splitlines()) == 3, "one row a line"


def test_a_row_of_another_origin_is_replaced(tmp_path: Path):
    file = tmp_path / "cache.json"
    cache = Cache(file)
    cache.put(ROW, "old file", "a.png", 1)
    assert cache.get(ROW, "new file") == {}
    cache.put(ROW, "new file", "b.png", 2)
    assert cache.get(ROW, "new file") == {"b.png": 2}
    assert cache.get(ROW, "old file") == {}
    assert len(json.loads(file.read_text("utf-8"))) == 1


def test_processes_that_share_a_cache_keep_what_the_other_adds(tmp_path: Path):
    one, two = (Cache(tmp_path / "cache.json") for _ in range(2))
    one.put(ROW, "1", "a.png", 1)
    two.put(ROW, "1", "b.png", 2)
    one.put(ROW._replace(noise="poisson"), "1", "a.png", 3)
    assert Cache(tmp_path / "cache.json").get(ROW, "1") == {"a.png": 1, "b.png": 2}


def test_a_cache_can_be_forgotten(tmp_path: Path):
    Cache(tmp_path / "cache.json").put(ROW, "1", "a.png", 1)
    assert Cache(tmp_path / "cache.json", forget=True).get(ROW, "1") == {}


def test_only_what_is_new_is_measured(source: Callable[..., Source], cache: Cache):
    denoiser = Identity()
    first = measure_row(method(denoiser), source(), cache, 1)
    both = measure_row(method(denoiser), source(), cache)
    assert denoiser.calls == 2
    assert both[0] == first[0]
    assert measure_row(method(denoiser), source(), cache) == both
    assert denoiser.calls == 2
    measure_row(method(denoiser, origin="2"), source(), cache)
    assert denoiser.calls == 4


def test_an_image_has_the_same_noise_whether_or_not_others_are_measured(
    source: Callable[..., Source], cache: Cache, tmp_path: Path
):
    measure_row(method(Identity()), source(), cache, 1)
    parts = measure_row(method(Identity()), source(), cache)
    assert parts == measure_row(method(Identity()), source(), Cache(tmp_path / "other.json"))
    assert parts[0].noisy != parts[1].noisy


def test_a_kill_loses_one_image(source: Callable[..., Source], cache: Cache):
    with pytest.raises(KeyboardInterrupt):
        measure_row(method(Identity(fail_at=2)), source(), cache)
    denoiser = Identity()
    assert len(measure_row(method(denoiser), source(), cache)) == 2
    assert denoiser.calls == 1


def test_an_image_that_cannot_be_measured_stops_it(tmp_path: Path, cache: Cache):
    write_images(tmp_path / "tiny", "a.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "tiny" / "b.png")
    tiny = Source(ImageSet("tiny", "tiny", ("gaussian:25",)), "gaussian:25", tmp_path)
    with pytest.raises(InputError, match=r"identity \| tiny \| gaussian:25"):
        measure_row(method(Identity()), tiny, cache)


def test_equal_images_have_no_finite_psnr(source: Callable[..., Source], cache: Cache):
    scores = mean(measure_row(method(Identity()), source("gaussian:0"), cache))
    assert scores.psnr == np.inf
    assert scores.ssim == pytest.approx(1)


def test_a_fingerprint_follows_the_files_and_the_noise(
    source: Callable[..., Source], tmp_path: Path
):
    before = source().fingerprint
    assert source().fingerprint == before
    assert source("gaussian:26").fingerprint != before
    Image.new("RGB", (32, 32)).save(tmp_path / "small" / "b.png")
    assert source().fingerprint != before


def test_jpeg_compresses_the_noisy_image_alone(source: Callable[..., Source], tmp_path: Path):
    sample = source("gaussian:25").samples.load(0)
    compressed = source("gaussian:25+jpeg:60").samples
    assert compressed.label == "gaussian:25+jpeg:60"
    assert list(compressed.names) == ["a.png", "b.png"]
    np.testing.assert_array_equal(compressed.load(0).clean, sample.clean)
    pixels = np.round(255 * sample.noisy.clip(0, 1)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "expected.jpg", quality=60)
    expected = read_image(tmp_path / "expected.jpg").pixels
    np.testing.assert_array_equal(compressed.load(0).noisy, expected)


def test_a_limit_takes_the_first_images(tmp_path: Path, source: Callable[..., Source]):
    limited = ImageSet("small", "small", ("poisson",), limit=1)
    assert list(Source(limited, "poisson", tmp_path).samples.names) == ["a.png"]


@pytest.mark.parametrize(
    ("noise", "level"),
    [("gaussian:25", 25 / 255), ("gaussian:25+jpeg:75", None), ("poisson", None), (PAIRS, None)],
)
def test_only_gaussian_noise_has_a_level_to_tell(noise: str, level: float | None):
    assert level_of(noise) == level


def test_the_best_setting_on_validation_images_is_chosen(
    source: Callable[..., Source], cache: Cache
):
    # Its error grows with the factor's distance from 2.
    peer = Peer("peer", "numpy", lambda noisy, sigma, factor: 0.5 + 0 * noisy + abs(factor - 2) / 4,
                (1.0, 2.0, 4.0))  # fmt: skip
    chosen = choose_setting(peer, [source()], cache)
    assert chosen.title == "peer"
    assert chosen.origin == f"numpy {np.__version__}, factor 2"


def test_a_peer_is_told_the_level_or_estimates_it(source: Callable[..., Source]):
    pytest.importorskip("skimage")
    told: list[float] = []
    peer = Peer("peer", "numpy", lambda noisy, sigma, factor: (told.append(sigma), noisy)[1])
    assert of_peer(peer, 1.0).prepare("gaussian:51") == ToldDenoiser(peer, 1.0, 0.2)
    rng = np.random.default_rng(0)
    noisy = rng.normal(0.5, 0.1, (64, 64, 3)).astype(np.float32)
    for noise in ("gaussian:51", PAIRS):
        of_peer(peer, 1.0).prepare(noise).denoise_pixels(noisy)
    assert told[0] == 0.2
    assert told[1] == pytest.approx(0.1, rel=0.1)


def test_a_peer_that_is_not_installed_has_no_version():
    assert Peer("peer", "no such package", lambda noisy, sigma, factor: noisy).version is None


@pytest.mark.parametrize("peer", [peer for peer in PEERS if peer.version], ids=lambda p: p.title)
def test_peers_denoise_pixels_of_this_project(peer: Peer):
    rows = np.linspace(0.2, 0.8, 48, dtype=np.float32)
    clean = np.stack(np.broadcast_arrays(rows[:, None], rows[None], 0.5), axis=-1)
    clean = clean.astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 0.1, clean.shape).astype(np.float32)
    denoised = ToldDenoiser(peer, peer.factors[1 % len(peer.factors)], 0.1).denoise_pixels(
        clean + noise
    )
    assert denoised.shape == clean.shape
    assert denoised.dtype == np.float32
    assert psnr(clean, denoised) > psnr(clean, clean + noise) + 3


def test_all_are_timed_together_or_not_at_all(source: Callable[..., Source], cache: Cache):
    one, two = Identity(), Identity()
    methods = [method(one, "one"), method(two, "two")]
    seconds = time_all(methods, source(), cache, 2)
    assert set(seconds) == {"one", "two"}
    assert min(seconds.values()) >= 0
    calls = one.calls
    assert time_all(methods, source(), cache, 2) == seconds
    assert one.calls == calls
    time_all([methods[0], method(two, "two", origin="2")], source(), cache, 2)
    assert one.calls == 2 * calls


def test_the_published_networks_cost_what_their_authors_say():
    # The counts that the networks' own code prints, and SwinIR's and DPIR's tables round.
    parameters = {row.title: row.cost.parameters for row in COLOR if row.cost}
    assert parameters["FFDNet"] == 852_108
    assert parameters["CDnCNN-B"] == 668_227
    assert parameters["DRUNet"] == 32_640_960
    assert {row.title: row.cost.parameters for row in GRAY if row.cost}["DnCNN-S"] == 555_137
    mac = {row.title: row.cost.mac for row in COLOR if row.cost}
    assert mac["FFDNet"] == pytest.approx(13.9e9 / 256**2, rel=0.01)
    assert mac["CDnCNN-B"] == pytest.approx(43.7e9 / 256**2, rel=0.01)


@pytest.fixture
def report() -> Report:
    """A model that was measured on everything, and two peers that were not."""
    model = Method("photo", "1", lambda noise: Identity(), Cost(1234, 56_780.0))
    fast, slow = (Method(title, f"{title} 1.0", lambda noise: Identity()) for title in "FS")
    two = [Scores(20.0, 31.0, 0.9), Scores(20.0, 32.0, 0.8)]
    rows = {Row("photo", images.title, noise): two for images in ALL for noise in images.noises}
    photos = [Scores(36.0, 38.0, 0.9, 2.5, 1.0, 0.8), Scores(36.0, 39.0, 0.9, 2.5, 1.5, 1.0)]
    rows |= {Row("photo", images.title, PAIRS): photos for images in REAL}
    rows[Row("F", REAL[1].title, PAIRS)] = [Scores(36.0, 37.0, 0.8, 2.5, 2.0)] * 2
    rows[Row("photo", "CID22", "gaussian:0")] = [Scores(np.inf, 48.25, 1.0)]
    rows[Row("F", "CBSD68", "gaussian:25")] = [Scores(20.0, 25.0, 0.5), Scores(20.0, 27.0, 0.5)]
    rows[Row("S", "CBSD68", "gaussian:25")] = [Scores(20.0, 29.0, 0.5)]
    return Report([model], [fast, slow], rows, {"photo": 1.5}, threads=2)


def test_the_page_shows_means_and_leaves_out_what_is_missing(report: Report):
    page = render_page(report, "images/quality.png")
    assert "](images/quality.png)" in page
    assert "| `photo` | 1,234 | 56.8 | 1.50 |" in page
    assert "| F | - | - | - |" in page
    assert "| `photo` | no | 31.50 / 31.50 / 31.50 | 31.50 / 31.50 / 31.50 |" in page
    assert "| F | yes | - / 26.00 / - | - / 0.5000 / - | 26.00 |" in page
    assert "| S | yes | - / - / - | - / - / - | - |" in page, "measured on fewer images"
    assert "| `photo` | 31.50 | 31.50 | 31.50 | 31.50 | 48.25 |" in page
    assert "| noisy | 20.00 | 20.00 | 20.00 | 20.00 | - |" in page
    assert "| FFDNet, *published*[^color][^layers] | yes | 33.87 / 31.21 / 27.96 |" in page
    assert page.count("[^gray]:") == 1
    first, second = page.partition("## Real photos")[2].split("\n\n")[3:6:2]
    assert "| noisy | 36.00 | 2.50 | - | 36.00 | 2.50 | - |" in first
    measured = "38.50 / 0.9000 | 1.25 | 0.90"
    for real in (first, second):
        assert f"| `photo` | {measured} | {measured} |" in real
    assert "| F | - | - | - | - | - | - |" in first
    assert "| F | 37.00 / 0.8000 | 2.00 | - | 37.00 / 0.8000 | 2.00 | - |" in second


def test_every_table_has_as_many_cells_as_headings(report: Report):
    tables: list[list[str]] = [[]]
    for line in render_page(report, "quality.png").splitlines():
        if line.startswith("|"):
            tables[-1].append(line)
        elif tables[-1]:
            tables.append([])
    assert len(tables) > 6
    assert all(len({line.count("|") for line in table}) == 1 for table in tables if table)


def test_the_picture_shows_networks_as_points_and_others_as_lines(report: Report, tmp_path: Path):
    points = {point.title: point for point in quality.find_points(report)}
    assert points["photo"].ours
    assert points["photo"].psnr == 31.5
    assert points["photo"].kmac == 56.78
    assert not points["FFDNet"].ours
    assert "SwinIR" not in points, "its arithmetic is not known"
    lines = {line.title: line.psnr for line in quality.find_lines(report)}
    assert lines == {"F": 26.0, "CBM3D, as published": 30.71}
    quality.write_report(report, tmp_path)
    with Image.open(tmp_path / "images" / "quality.png") as picture:
        assert picture.width > picture.height > 400
        colors = picture.convert("RGB").getcolors(2**24)
    assert colors is not None
    assert (0xC1, 0x44, 0x0E) in {color for _, color in colors}, "the model is not there"
    assert (tmp_path / "quality.md").read_text("utf-8").startswith("# Quality")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """All sets, of two tiny images each."""
    folder = tmp_path / "data"
    for images in ALL:
        names = ("a_real.png", "a_mean.png") if PAIRS in images.noises else ("a.png", "b.png")
        gray = images.title in ("BSD68", "Set12")
        write_images(folder / images.folder, *names, gray=gray)
    return folder


@pytest.fixture
def model(models_folder: Path, tmp_path: Path, run_here: None) -> Path:
    """A tiny model of which it is known what it computes, without a process for each row."""
    folder = tmp_path / "saved" / "tiny"
    shutil.copytree(models_folder / "tiny", folder)
    metadata = json.loads((folder / "metadata.json").read_text("utf-8"))
    cost = {"parameters": 900, "mac_per_pixel": 250}
    (folder / "metadata.json").write_text(json.dumps({**metadata, **cost}), "utf-8")
    return folder


def test_the_command_measures_once_and_writes_the_page(
    data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
):  # fmt: skip
    calls: list[float] = []

    def halve(noisy: np.ndarray, sigma: float, factor: float) -> np.ndarray:
        calls.append(sigma)
        return noisy / 2

    pytest.importorskip("skimage")
    monkeypatch.setattr(quality, "PEERS", (Peer("halving", "numpy", halve),))
    options = ["--model", str(model), "--data", str(data), "--output", str(tmp_path / "docs")]
    options += ["--cache", str(tmp_path / "cache.json"), "--threads", "1"]
    quality.main(options)
    page = (tmp_path / "docs" / "quality.md").read_text("utf-8")
    assert "| `tiny` | 900 | 0.250 |" in page
    assert "| halving | yes |" in page
    rows = page.partition("PolyU, Canon 5D2:")[2].partition("## Other")[0]
    (tiny,) = (line.split(" | ") for line in rows.splitlines() if line.startswith("| `tiny` "))
    assert float(tiny[2]) > 0, "the low-frequency error of the tiny model"
    assert tiny[3] == "-", "which estimates no level"
    (halving,) = (line.split(" | ") for line in rows.splitlines() if line.startswith("| halving "))
    assert float(halving[3]) > 0, "the level that it is told"
    assert (tmp_path / "docs" / "images" / "quality.png").is_file()
    assert calls
    capsys.readouterr()
    calls.clear()
    quality.main(options)
    assert not calls
    assert capsys.readouterr().out == ""
    assert (tmp_path / "docs" / "quality.md").read_text("utf-8") == page
    quality.main([*options, "--again", "--images", "1"])
    assert calls
    assert "CBSD68, 1 images" in (tmp_path / "docs" / "quality.md").read_text("utf-8")


def test_the_default_model_is_measured_at_its_best_quality_as_well(
    models: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("KERASDENOISE_MODEL", "photo")
    methods = {method.title: method for method in find_methods([], threads=1)}
    model, best = methods["photo"], methods["photo --quality best"]
    assert model.cost is not None
    assert best.cost is not None
    assert best.cost.parameters == model.cost.parameters
    assert best.cost.mac == pytest.approx(8 * (model.cost.mac or 0))
    assert best.few
    assert not model.few
    assert [method.title for method in find_methods(["photo_tiny"], threads=1)] == ["photo_tiny"]


def test_a_model_with_more_arithmetic_is_too(models: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KERASDENOISE_MODEL", "photo_tiny")
    titles = [method.title for method in find_methods(["photo", "perona_malik"], threads=1)]
    assert titles == ["photo", "perona_malik", "photo --quality best"]


def test_a_model_has_rows_where_it_was_measured(report: Report):
    best = Method("photo --quality best", "1", lambda noise: Identity(), Cost(1234, 454_240.0))
    rows = {**report.rows, Row(best.title, "CBSD68", "gaussian:25"): [Scores(20.0, 33.0, 0.9)] * 2}
    whole = dataclasses.replace(report, models=[*report.models, best], rows=rows)
    page = render_page(whole, "quality.png")
    assert "| `photo --quality best` | no | - / 33.00 / - | - / - / - | - / - / - |" in page
    gray = page.partition("## Gaussian noise, gray")[2].partition("## Real photos")[0]
    assert best.title not in gray
    assert best.title in {point.title for point in quality.find_points(whole)}


def test_an_unknown_model_is_refused_in_one_line(data: Path, tmp_path: Path):
    with pytest.raises(SystemExit, match="unknown"):
        quality.main(["--model", "nothing", "--data", str(data), "--cache", str(tmp_path / "c")])


def test_models_for_other_noise_are_measured_only_if_asked_for(models: Path):
    titles = {method.title for method in find_methods([], threads=1)}
    assert "photo" in titles
    assert "tiny" not in titles, "its training says nothing of Gaussian noise"
