from __future__ import annotations

import functools
import http.server
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from kerasdenoise.data import tfds_source
from kerasdenoise.data.tfds_source import read_tfds
from kerasdenoise.errors import RecipeError

PICTURES = np.random.default_rng(0).integers(0, 256, (6, 8, 9, 3), np.uint8)


class WebPictures(tfds.core.GeneratorBasedBuilder):
    """A data set whose pictures are on a server: whichever the test starts."""

    VERSION = tfds.core.Version("1.0.0")
    server = ""

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(8, 9, 3)),
            "file_name": tfds.features.Text(),
            "label": tfds.features.ClassLabel(num_classes=2),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        path = dl_manager.download(f"{self.server}/pictures.npy")
        return {"train": self._generate_examples(path), "test": self._generate_examples(path, 4)}

    def _generate_examples(self, path: Path, first: int = 0) -> Iterator[tuple[int, dict]]:
        for number, picture in enumerate(np.load(path)[first:]):
            name = f"some/{number}.png"
            yield number, {"image": picture, "file_name": name, "label": number % 2}


class SeveralPictures(tfds.core.GeneratorBasedBuilder):
    """A data set whose features are what the test says."""

    VERSION = tfds.core.Version("1.0.0")
    features: tuple[str, ...] = ()

    def _info(self) -> tfds.core.DatasetInfo:
        features = {name: tfds.features.Image(shape=(8, 9, 3)) for name in self.features}
        features["depth"] = tfds.features.Image(shape=(8, 9, 1), dtype=np.uint16)
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict]]:
        pictures = dict(zip(self.features, PICTURES, strict=False))
        yield 0, {**pictures, "depth": np.zeros((8, 9, 1), np.uint16)}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def start_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], http.server.HTTPServer]]:
    """Starts a server on this computer that has the pictures, until it is closed."""
    (tmp_path / "served").mkdir()
    np.save(tmp_path / "served" / "pictures.npy", PICTURES)
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0),
        functools.partial(_Quiet, directory=tmp_path / "served"),
    )
    monkeypatch.setattr(WebPictures, "server", f"http://127.0.0.1:{server.server_port}")

    def start() -> http.server.HTTPServer:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    yield start
    server.shutdown()
    server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def _images(source: str, **choices: Any) -> list[np.ndarray]:
    return list(read_tfds(source, **choices))


def test_what_is_not_there_is_downloaded_once(prepared: Path, start_server: Callable):
    server = start_server()
    np.testing.assert_array_equal(_images("tfds:web_pictures"), PICTURES)
    server.shutdown()
    server.server_close()
    np.testing.assert_array_equal(_images("tfds:web_pictures"), PICTURES)
    np.testing.assert_array_equal(_images("tfds:web_pictures:test"), PICTURES[4:])
    np.testing.assert_array_equal(_images("tfds:web_pictures:train[1:3]"), PICTURES[1:3])


def test_files_are_left_out_by_name(prepared: Path, start_server: Callable):
    start_server()
    images = _images("tfds:web_pictures", exclude=["2.png", "4.png"])
    np.testing.assert_array_equal(images, PICTURES[[0, 1, 3, 5]])


def test_progress_stays_out_of_the_results(
    prepared: Path, start_server: Callable, capsys: pytest.CaptureFixture
):
    start_server()
    _images("tfds:web_pictures")
    assert capsys.readouterr().out == ""


def test_without_a_network_it_is_refused_soon(prepared: Path, monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{unused.getsockname()[1]}"
    monkeypatch.setattr(WebPictures, "server", f"http://{server}")
    with pytest.raises(RecipeError) as caught:
        _images("tfds:web_pictures:test")
    said = str(caught.value)
    assert re.search("^tfds:web_pictures:test: .* does not answer; .*internet", said)
    assert server in said
    assert said.endswith(str(prepared))
    assert not list(prepared.rglob("1.0.0"))


def test_the_catalog_says_which_file_is_missing(prepared: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tfds_source, "_answers", lambda url: False)
    with pytest.raises(RecipeError) as caught:
        _images("tfds:cifar10")
    manual = prepared / "downloads" / "manual"
    assert str(caught.value).endswith(f", or put cifar-10-binary.tar.gz into {manual}")


def test_a_server_that_never_answers_is_given_up_soon(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tfds_source, "_PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        monkeypatch.setattr(WebPictures, "server", f"http://127.0.0.1:{port}")
        with pytest.raises(RecipeError, match=r"does not answer; .*internet"):
            _images("tfds:web_pictures")


@pytest.mark.parametrize(("scheme", "status"), [("http", 503), ("https", 403)])
def test_a_proxy_that_reaches_nothing_is_no_network(
    prepared: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, status: int
):
    class Proxy(_Quiet):
        def do_HEAD(self) -> None:
            self.send_error(status)

        do_CONNECT = do_HEAD  # noqa: N815

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        for name in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
        monkeypatch.setattr(WebPictures, "server", f"{scheme}://pictures.invalid")
        with pytest.raises(RecipeError, match=r"pictures\.invalid does not answer"):
            _images("tfds:web_pictures")
        proxy.shutdown()


def test_downloads_are_looked_for_before_the_network(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
):
    manual = prepared / "downloads" / "manual"
    manual.mkdir(parents=True)
    np.save(manual / "pictures.npy", PICTURES)
    url = "http://127.0.0.1:1/pictures.npy"
    record = tfds.core.download.checksums.compute_url_info(  # pyright: ignore
        manual / "pictures.npy"
    )
    monkeypatch.setattr(WebPictures, "server", url.removesuffix("/pictures.npy"))
    monkeypatch.setattr(WebPictures, "url_infos", {url: record})
    np.testing.assert_array_equal(_images("tfds:web_pictures"), PICTURES)


def test_prepared_data_of_any_name_are_found(prepared: Path, start_server: Callable):
    start_server()
    _images("tfds:web_pictures")
    (prepared / "web_pictures").rename(prepared / "unheard_of")
    for file in (prepared / "unheard_of" / "1.0.0").glob("web_pictures-*"):
        file.rename(file.with_name(file.name.replace("web_pictures", "unheard_of")))
    info = prepared / "unheard_of" / "1.0.0" / "dataset_info.json"
    info.write_text(info.read_text("utf-8").replace("web_pictures", "unheard_of"), "utf-8")
    np.testing.assert_array_equal(_images("tfds:unheard_of"), PICTURES)


@pytest.mark.parametrize("split", ["gone", "test[:x]", "1.0.0"])
def test_an_unknown_split_is_refused(prepared: Path, start_server: Callable, split: str):
    start_server()
    with pytest.raises(RecipeError) as caught:
        _images(f"tfds:web_pictures:{split}")
    assert str(caught.value).startswith(f"tfds:web_pictures:{split}: has no split '{split}'; it")
    assert str(caught.value).endswith(" it has train, test")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("unheard_of", ".*catalog"),
        ("huggingface:mnist", ".*catalog"),
        ("cifar10/unheard_of", ".*used"),
        ("imagenet2012", ".*prepared.*; put "),
    ],
)
def test_what_cannot_be_had_is_refused(prepared: Path, name: str, said: str):
    with pytest.raises(RecipeError, match=f"tfds:{name}: {said}"):
        _images(f"tfds:{name}")


@pytest.mark.parametrize("features", [("photo",), ("mask", "image"), ("lr", "hr")])
def test_the_clean_image_is_found(
    prepared: Path, monkeypatch: pytest.MonkeyPatch, features: tuple[str, ...]
):
    monkeypatch.setattr(SeveralPictures, "features", features)
    (image,) = _images("tfds:several_pictures")
    np.testing.assert_array_equal(image, PICTURES[len(features) - 1])


@pytest.mark.parametrize(
    ("features", "said"),
    [((), ".*uint8.*"), (("left", "right"), ".*left, right")],
)
def test_images_that_cannot_be_told_are_refused(
    prepared: Path, monkeypatch: pytest.MonkeyPatch, features: tuple[str, ...], said: str
):
    monkeypatch.setattr(SeveralPictures, "features", features)
    with pytest.raises(RecipeError, match=f"tfds:several_pictures: {said}; .*choose"):
        _images("tfds:several_pictures")
