"""`denoise --ray`: two nodes on this machine, an S3 server on loopback, and what goes wrong."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from kerasdenoise.cli import cluster as clusters

CLI = Path(__file__).parents[2] / "cli.py"
STORE = 80_000_000  # bytes, about the least that Ray takes

Command = Callable[..., Any]
Write = Callable[..., Path]

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None or sys.platform == "win32", reason="needs Ray"
)

# Runs at the start of every process of the nodes, but not of the command.
FAULTS = """
import importlib.metadata, os, pathlib, signal, time

FAULTS = pathlib.Path(os.environ["FAULTS"])
open_path, read_bytes = pathlib.Path.open, pathlib.Path.read_bytes
version = importlib.metadata.version

def open_with_faults(path, *args, **options):
    if path.name.startswith("slow"):
        time.sleep(0.3)
    if path.name.startswith("killer") and "rb" in args:
        with open(FAULTS / "kills", "a") as file:
            file.write(path.name + "\\n")
        if "once" not in path.name or (FAULTS / "kills").read_text().count(path.name) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    return open_path(path, *args, **options)

def read_with_faults(path):
    if path.name.startswith("probe-") and (FAULTS / "unshared").exists():
        raise FileNotFoundError(2, "No such file or directory")
    return read_bytes(path)

def other_version(name):
    return "1.0" if name == "tifffile" and (FAULTS / "other").exists() else version(name)

pathlib.Path.open, pathlib.Path.read_bytes = open_with_faults, read_with_faults
importlib.metadata.version = other_version
"""


@dataclass
class Nodes:
    """Two nodes of a core each, and a folder whose files make their processes fail."""

    cluster: Any
    faults: Path
    added: Any

    def kill_one(self) -> None:
        """Kills a node and its processes, and starts another."""
        self.cluster.remove_node(self.added, allow_graceful=False)
        self.added = self.cluster.add_node(num_cpus=1, object_store_memory=STORE)


class Store:
    """An S3 server on loopback, of which every fourth answer is an error that passes."""

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.count = self.errors = 0
        Thread(target=self._server.serve_forever, daemon=True).start()
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def _answer(self, environ: dict[str, Any], start: Callable) -> Any:
        self.count += 1
        if environ["PATH_INFO"].endswith("denied.png") and environ["REQUEST_METHOD"] == "GET":
            start("403 Forbidden", [("Content-Length", "0")])
            return []
        if self.count % 4 == 0:
            self.errors += 1
            start("503 Slow Down", [("Content-Length", "0")])
            return []
        return self._app(environ, start)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    pytest.importorskip("moto")
    with warnings.catch_warnings(action="ignore"):
        served = Store()
    yield served
    served.close()


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, store: Store) -> Iterator[Nodes]:
    faults = tmp_path_factory.mktemp("faults")
    (faults / "sitecustomize.py").write_text(FAULTS, "utf-8")
    mine = {
        **store.environment,
        "FAULTS": str(faults),
        "PYTHONPATH": os.pathsep.join((str(faults), str(CLI.parent))),
        "RAY_worker_niceness": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(action="ignore"):
        for name, value in mine.items():
            patch.setenv(name, value)
        from ray.cluster_utils import Cluster

        options: dict[str, Any] = {"num_cpus": 1, "object_store_memory": STORE}
        cluster = Cluster(initialize_head=True, head_node_args=options)
        try:
            yield Nodes(cluster, faults, cluster.add_node(**options))
        finally:
            cluster.shutdown()


@pytest.fixture
def start(
    nodes: Nodes, store: Store, cli_environment: dict[str, str], tmp_path: Path
) -> Callable[..., subprocess.Popen[str]]:
    """Starts the command on the two nodes, in the test's folder."""
    # The nodes' faults are not the command's.
    environment = {**cli_environment, **store.environment, "PYTHONPATH": str(CLI.parent)}

    def run(*words: object, without: str = "-") -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(CLI), "denoise", *map(str, words), "--ray", nodes.cluster.address],
            cwd=tmp_path,
            env={key: value for key, value in environment.items() if not key.startswith(without)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    return run


def finish(process: subprocess.Popen[str], *, before: str = "") -> tuple[int, list[dict], str]:
    # Not by communicate(), which loses lines that readline() has read ahead.
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = process.stdout.read(), process.stderr.read()
    process.wait(timeout=300)
    return process.returncode, [json.loads(line) for line in (before + out).splitlines()], err


def read_tree(folder: Path) -> dict[str, bytes]:
    """The files of a folder by their names in it, without the record of what was done."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {
        name: path.read_bytes()
        for name, path in files.items()
        if path.is_file() and not name.startswith(clusters.RECORDS)
    }


def read_records(folder: Path) -> list[dict[str, Any]]:
    """All rows of all records, without their headers."""
    parts = sorted((folder / clusters.RECORDS).rglob("*.jsonl"))
    texts = [part.read_text("utf-8").splitlines() for part in parts]
    headers = [json.loads(lines[0]) for lines in texts]
    assert all("model.tflite" in header["model_sha256"] for header in headers)
    return [json.loads(line) for lines in texts for line in lines[1:]]


@needs_ray
def test_two_nodes_write_what_one_machine_writes(
    start: Callable, nodes: Nodes, command: Command, write_photo: Write, tmp_path: Path
):
    for name in ("a.jpg", "x/b.png", "killer.png", "killer_once.png"):
        write_photo(f"s/{name}")
    (tmp_path / "s/bad.png").write_bytes(b"no picture")
    process = start("s", "-r", "-o", "out", "--json")
    plain = command("denoise", "s", "-r", "-o", "plain", "--json")
    code, lines, err = finish(process)
    expected = {line["input"]: line for line in map(json.loads, plain.out.splitlines())}
    found = {line["input"]: line for line in lines}
    assert (code, plain.code) == (1, 1)
    assert found.keys() == expected.keys()
    killed = found.pop("s/killer.png")
    assert killed["status"] == "failed"
    assert "ended, 3 times" in killed["error"]
    assert killed["error"] in err
    kills = (nodes.faults / "kills").read_text().splitlines()
    assert kills.count("killer.png") == 3
    assert kills.count("killer_once.png") == 2  # the second time it is read
    for name, line in found.items():
        same = {**expected[name], "seconds": line["seconds"]}
        assert line == {**same, "output": same["output"].replace("plain", "out")}
    results = read_tree(tmp_path / "out")
    whole = read_tree(tmp_path / "plain")
    del whole["killer.png"]
    assert results == whole
    rows = {row["input"]: row for row in read_records(tmp_path / "out")}
    assert rows.keys() == expected.keys()
    assert rows["s/a.jpg"]["sha256"] == hashlib.sha256(results["a.jpg"]).hexdigest()
    assert "not an image" in rows["s/bad.png"]["error"]


@needs_ray
def test_a_killed_driver_and_a_killed_node_cost_nothing_but_time(
    start: Callable, nodes: Nodes, command: Command, write_photo: Write, tmp_path: Path
):
    for number in range(8):
        write_photo(f"s/slow{number}.png")
    words = ("s", "-o", "out", "--json", "--skip-existing")
    process = start(*words)
    assert process.stdout.readline()
    process.kill()
    process.communicate()
    before = read_tree(tmp_path / "out")
    assert 0 < len(before) < 8
    process = start(*words)
    first = ""
    while '"written"' not in first:
        first += process.stdout.readline()
    nodes.kill_one()
    code, lines, err = finish(process, before=first)
    assert code == 0, err
    assert len(lines) == 8
    assert 1 <= sum(line["status"] == "skipped" for line in lines) < 8
    assert command("denoise", "s", "-o", "plain").code == 0
    assert read_tree(tmp_path / "out") == read_tree(tmp_path / "plain")
    assert all((tmp_path / "out" / name).read_bytes() == data for name, data in before.items())


@needs_ray
@pytest.mark.parametrize(
    ("fault", "said"),
    [("unshared", "-o out: is not shared with node"), ("other", "has tifffile 1.0, and this")],
)
def test_a_node_that_differs_is_found_before_the_work(
    start: Callable, nodes: Nodes, write_photo: Write, tmp_path: Path, fault: str, said: str
):
    write_photo("s/a.png")
    (nodes.faults / fault).touch()
    try:
        code, _, err = finish(start("s", "-o", "out"))
    finally:
        (nodes.faults / fault).unlink()
    (line,) = err.splitlines()
    assert code == 2
    assert said in line
    assert not read_tree(tmp_path / "out")
    assert not list((tmp_path / "out").rglob("probe-*"))


@needs_ray
def test_photos_go_from_one_bucket_to_another_in_spite_of_errors(
    start: Callable, store: Store, command: Command, write_photo: Write, tmp_path: Path
):
    import boto3

    address = store.environment["AWS_ENDPOINT_URL"]
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    with warnings.catch_warnings(action="ignore"):
        client: Any = boto3.client("s3", "us-east-1", endpoint_url=address, **keys)
    for bucket in ("photos", "results"):
        client.create_bucket(Bucket=bucket)
    for name in ("a.jpg", "x/b.png", "denied.png", ".hidden.png", "note.txt"):
        photo = write_photo(f"s/{name}.png") if name == "note.txt" else write_photo(f"s/{name}")
        client.put_object(Bucket="photos", Key=f"2026/{name}", Body=photo.read_bytes())
    (tmp_path / "s/denied.png").unlink()
    (tmp_path / "s/note.txt.png").unlink()
    words = ("s3://photos/2026", "-r", "-o", "s3://results/clean", "--json", "--skip-existing")
    code, lines, err = finish(start(*words))
    assert code == 1, err
    assert store.errors > 3
    status = {line["input"]: line["status"] for line in lines}
    names = {"a.jpg": "written", "x/b.png": "written", "denied.png": "failed"}
    assert status == {f"s3://photos/2026/{name}": each for name, each in names.items()}
    assert "s3://photos/2026/denied.png: access is denied" in err
    assert command("denoise", "s", "-r", "-o", "plain").code == 0
    stored = client.list_objects_v2(Bucket="results")["Contents"]
    written = {each["Key"] for each in stored if clusters.RECORDS not in each["Key"]}
    assert written == {"clean/a.jpg", "clean/x/b.png"}
    for name, data in read_tree(tmp_path / "plain").items():
        assert client.get_object(Bucket="results", Key=f"clean/{name}")["Body"].read() == data
    code, lines, _ = finish(start(*words))
    assert sorted(line["status"] for line in lines) == ["failed", "skipped", "skipped"]
    code, _, err = finish(start(*words[:4], without="AWS_ACCESS"))
    assert code == 2
    assert "credentials" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["s", "-o", "out", "--ray", "127.0.0.1:9"], "--ray 127.0.0.1:9: does not answer"),
        (["s", "-o", "out", "--ray", "ray://head:10001"], "is not HOST:PORT"),
        (["s", "--ray"], "add -o FOLDER"),
        (["s", "-o", "out", "--ray", "auto", "--preview"], "cannot be combined with --preview"),
        (["s", "-o", "out", "--ray", "auto", "-m", "a.keras"], "cannot be combined with -m"),
        (["s3://bucket/a", "-o", "out"], "s3://bucket/a: is an address"),
        (["s", "-o", "gs://bucket/a"], "gs://bucket/a: is an address"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_cannot_be_done_is_refused_in_a_line(
    command: Command, write_photo: Write, tmp_path: Path, words: list[str], said: str
):
    write_photo("s/a.png")
    outcome = command("denoise", *words)
    assert outcome.code == 2
    assert said in outcome.only_error
    assert {path.name for path in tmp_path.iterdir()} == {"s"}


def test_without_ray_the_extra_is_named(
    command: Command, write_photo: Write, monkeypatch: pytest.MonkeyPatch
):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *args: None if name == "ray" else find(name)
    )
    write_photo("s/a.png")
    outcome = command("denoise", "s", "-o", "out", "--ray")
    assert outcome.code == 2
    assert "needs a missing package: ray" in outcome.only_error
    assert "[scale]" in outcome.only_error


def test_a_dry_run_asks_no_cluster(command: Command, write_photo: Write):
    write_photo("s/a.png")
    outcome = command("denoise", "s", "-o", "out", "--ray", "127.0.0.1:9", "--dry-run", "--json")
    assert json.loads(outcome.out)["status"] == "planned"


def test_neither_ray_nor_fsspec_is_imported_without_an_address(
    run_cli: Callable[..., subprocess.CompletedProcess], write_photo: Write
):
    write_photo("a.png")
    result = run_cli("denoise", "a.png", python=("-X", "importtime"))
    assert result.returncode == 0
    imported = {line.rsplit("|", 1)[-1].strip() for line in result.stderr.splitlines()}
    assert "kerasdenoise.stores" in imported
    assert not imported & {"ray", "fsspec", "kerasdenoise.cli.cluster"}
