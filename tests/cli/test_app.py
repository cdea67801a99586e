from __future__ import annotations

import gzip
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from kerasdenoise.errors import ModelError, UsageError
from kerasdenoise.web.page import HEADERS, Resource, collect_page, serve_page
from kerasdenoise.zoo import find_model

CLI = Path(__file__).parents[2] / "cli.py"
WEB = CLI.parent / "apps" / "web"

Ask = Callable[..., tuple[HTTPResponse, bytes]]


@pytest.fixture
def page(models: Path) -> dict[str, Resource]:
    return collect_page(find_model("tiny"))


@pytest.fixture
def port(page: dict[str, Resource]) -> Iterator[int]:
    with serve_page(page, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def ask(port: int) -> Ask:
    """Asks for an address exactly as it is given."""

    def ask(address: str, method: str = "GET", host: str | None = None):
        connection = HTTPConnection("127.0.0.1", port, timeout=300)
        connection.putrequest(method, address, skip_host=True)
        connection.putheader("Host", host or f"127.0.0.1:{port}")
        connection.endheaders()
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response, content

    return ask


def test_all_that_the_page_names_is_there(page: dict[str, Resource], ask: Ask):
    html = page["/"].content.decode()
    named = {*re.findall(r'(?:href|src)="([^"]+)"', html), "worker.js", "model.json"}
    assert {"main.js", "style.css", "icon.svg", "licenses.txt"} < named
    manifest = json.loads(page["/model.json"].content)
    for name in (*named, *manifest["files"].values()):
        response, content = ask(f"/{name}")
        assert (response.status, content) == (200, page[f"/{name}"].content)


def test_the_model_is_of_one_size_and_the_page_is_told_which(page: dict[str, Resource]):
    manifest = json.loads(page["/model.json"].content)
    assert manifest == {
        "name": "tiny",
        "tile": 768,
        "halo": 4,
        "keeps_tone": False,
        "files": {"precise": "model.tflite"},
    }
    from ai_edge_litert.interpreter import Interpreter

    details = Interpreter(model_content=page["/model.tflite"].content).get_input_details()
    assert details[0]["shape"].tolist() == [1, 768, 768, 3]


def test_tiles_fit_the_cells_in_which_the_tone_is_kept(models: Path, tmp_path: Path):
    folder = tmp_path / "tiny"
    shutil.copytree(models / "tiny", folder)
    metadata = json.loads((folder / "metadata.json").read_text("utf-8"))
    metadata |= {"keeps_tone": True, "stride": 6}
    (folder / "metadata.json").write_text(json.dumps(metadata), "utf-8")
    manifest = json.loads(collect_page(find_model(str(folder)))["/model.json"].content)
    assert manifest["keeps_tone"] is True
    assert (manifest["tile"], manifest["halo"]) == (768, 48)


@pytest.mark.parametrize("variant", ["threaded", "compat"])
def test_the_runtime_is_sent_compressed(variant: str, ask: Ask):
    response, content = ask(f"/litert_wasm_{variant}_internal.wasm")
    assert response.getheader("Content-Type") == "application/wasm"
    assert response.getheader("Content-Encoding") == "gzip"
    assert gzip.decompress(content)[:4] == b"\0asm"


@pytest.mark.parametrize("address", ["/", "/worker.js", "/none"])
def test_every_answer_isolates_the_page_and_keeps_it_to_itself(address: str, ask: Ask):
    response, _ = ask(address)
    assert response.getheader("Cross-Origin-Opener-Policy") == "same-origin"
    assert response.getheader("Cross-Origin-Embedder-Policy") == "require-corp"
    assert response.getheader("Cache-Control") == "no-store"
    policy = response.getheader("Content-Security-Policy", "")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'self'"
    sources = {source for rule in rules.values() for source in rule.split()}
    assert sources == {"'none'", "'self'", "'wasm-unsafe-eval'"}


@pytest.mark.parametrize(
    "address",
    [
        "/none",
        "/../web/page.py",
        "/..%2fcli%2fpage.py",
        "//etc/passwd",
        "/../../../../../../../etc/passwd",
        "/main.js/",
        "/main.js%00",
        "http://127.0.0.1/../pyproject.toml",
        "/.gitignore",
    ],
)
def test_nothing_else_is_there(address: str, ask: Ask):
    response, content = ask(address)
    assert response.status == 404
    assert b"root:" not in content


@pytest.mark.parametrize(
    "host", ["example.com", "example.com:{port}", "127.0.0.1:1", "[::1]:{port}"]
)
def test_another_name_for_this_machine_is_refused(host: str, port: int, ask: Ask):
    assert ask("/", host=host.format(port=port))[0].status == 403
    assert ask("/", host=f"localhost:{port}")[0].status == 200


def test_it_only_reads(ask: Ask):
    assert ask("/", "POST")[0].status == 501
    response, content = ask("/", "HEAD")
    assert (response.status, content) == (200, b"")
    assert int(response.getheader("Content-Length", "0")) > 1000


def test_it_listens_to_this_machine_alone(page: dict[str, Resource]):
    with serve_page(page, 0) as server:
        assert server.server_address[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_said(page: dict[str, Resource]):
    with serve_page(page, 0) as server, pytest.raises(UsageError, match="cannot be used"):
        serve_page(page, server.server_port)


def test_a_gray_model_is_refused(command: Callable):
    outcome = command("app", "--model", "tiny_gray")
    assert outcome.code == 2
    assert outcome.only_error.startswith("kerasdenoise: tiny_gray: cannot run on the page")


def test_a_damaged_model_is_refused(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("index.json", "tiny/metadata.json", "tiny/model.tflite"):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((models / name).read_bytes())
    target.write_bytes(target.read_bytes() + b"\0")
    monkeypatch.setenv("KERASDENOISE_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match=r"the file .*recorded"):
        collect_page(find_model("tiny"))


@pytest.mark.skipif(sys.platform == "win32", reason="a process is interrupted in another way there")
def test_it_says_where_it_is_and_stops_when_interrupted(cli_environment: dict, tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, str(CLI), "app"],
        cwd=tmp_path,
        env=cli_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background of a shell, interrupts are ignored, and that is
        # inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            out, err = _ask_and_interrupt(process)
        finally:
            process.kill()  # or a failure would wait for it forever
    assert (process.returncode, out, err) == (0, "", "stopped\n")
    assert list(tmp_path.iterdir()) == []


def _ask_and_interrupt(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Asks a server for its model, interrupts it, and returns what it printed meanwhile."""
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.fullmatch(r"tiny: http://127\.0\.0\.1:(\d+)/ \(stop with Ctrl\+C\)\n", line)
    assert found is not None, line
    connection = HTTPConnection("127.0.0.1", int(found[1]), timeout=300)
    connection.request("GET", "/model.json")
    assert json.loads(connection.getresponse().read())["name"] == "tiny"
    connection.close()
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=300)


def test_the_page_holds_itself_to_the_same_where_no_header_does(page: dict[str, Resource]):
    html = page["/"].content.decode()
    (own,) = re.findall(r'http-equiv="Content-Security-Policy"\s+content="([^"]+)"', html)
    # What a page is framed by, it cannot say itself.
    policy = HEADERS["Content-Security-Policy"].removesuffix("; frame-ancestors 'none'")
    assert own == policy


def test_the_page_is_written_for_other_servers(command: Callable, tmp_path: Path):
    outcome = command("app", "--output", "site/page")
    assert (outcome.code, outcome.out) == (0, "")
    folder = tmp_path / "site" / "page"
    assert [file.name for file in folder.parent.iterdir()] == ["page"]
    resources = collect_page(find_model("tiny"))
    named = {address.removeprefix("/") for address in resources} - {""}
    assert {file.name for file in folder.iterdir()} == named | {"_headers"}
    assert (folder / "model.tflite").read_bytes() == resources["/model.tflite"].content
    assert (folder / "litert_wasm_compat_internal.wasm").read_bytes()[:4] == b"\0asm"
    headers = (folder / "_headers").read_text().splitlines()
    assert headers[0] == "/*"
    assert "  Cross-Origin-Embedder-Policy: require-corp" in headers
    assert not any("no-store" in line for line in headers)


def test_a_page_is_not_written_over_something_else(command: Callable, tmp_path: Path):
    (tmp_path / "there").mkdir()
    outcome = command("app", "--output", "there")
    assert outcome.code == 2
    assert outcome.only_error.startswith("kerasdenoise: there: already exists")
    assert list((tmp_path / "there").iterdir()) == []
    outcome = command("app", "--output", "new", "--open")
    assert outcome.code == 2
    assert not (tmp_path / "new").exists()


def test_the_built_page_is_that_of_its_source():
    built = CLI.parent / "kerasdenoise" / "web" / "static"
    for name in ("index.html", "style.css", "icon.svg"):
        assert (built / name).read_bytes() == (WEB / "src" / name).read_bytes(), "run `make web`"
