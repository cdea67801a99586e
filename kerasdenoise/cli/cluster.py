"""Denoises many photos on a Ray cluster: each photo is a task, each worker process has an engine.

Photos and results never pass through Ray: workers read and write them. A photo whose worker ended
is tried again by this process, which alone knows how often; decision 23 tells why.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import secrets
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kerasdenoise._version import __version__
from kerasdenoise.cli.batch import Elsewhere
from kerasdenoise.cli.photo import Result, Steps
from kerasdenoise.cli.treatment import Request, Treatment
from kerasdenoise.errors import InputError, KerasDenoiseError, OutputError, UsageError
from kerasdenoise.files import file_identity
from kerasdenoise.paths.plan import Job
from kerasdenoise.plain_json import to_json
from kerasdenoise.runtime import quiet_stderr
from kerasdenoise.stores import Address, exists, read_bytes, remove, write_bytes
from kerasdenoise.zoo import METADATA, ModelInfo

TRIES = 3
"""How often a photo is tried whose worker process ends."""

RECORDS = ".kerasdenoise"
"""The folder among the results that says what was done."""

# What can change a result's bytes.
_PACKAGES = ("ai-edge-litert", "imagecodecs", "numpy", "pillow", "tifffile")

# Waiting tasks for each running one, so that no worker waits for this process.
_AHEAD = 2
_NODES_EVERY = 5.0  # seconds
_CONNECT = 5.0  # seconds
_PART_ROWS = 1000
_PART_SECONDS = 60.0
_LOCAL_STORE = 100_000_000  # bytes; only names and outcomes pass through it


@dataclass(frozen=True)
class Order:
    """What all workers are told.

    Attributes:
        request: How photos are treated.
        skip_existing: Whether to skip photos with results.
        folder: Where relative names start.
        environment: Variables of this program.
    """

    request: Request
    skip_existing: bool
    folder: str = field(default_factory=os.getcwd)
    environment: tuple[tuple[str, str], ...] = field(
        default_factory=lambda: tuple(
            (key, value) for key, value in os.environ.items() if key.startswith("KERASDENOISE_")
        )
    )


@dataclass(frozen=True)
class Outcome:
    """What became of one photo: its result, the traceback of its error, and its file's SHA-256."""

    result: Result
    trace: str | None = None
    sha256: str | None = None
    node: str | None = None


@contextlib.contextmanager
def join_cluster(address: str) -> Iterator[Cluster]:
    """Connects to a Ray cluster, and leaves it in the end.

    Args:
        address: `local` for the cores of this machine, `auto` for the cluster that it belongs to,
            or that cluster's HOST:PORT.

    Raises:
        UsageError: Ray is not installed, or no cluster of this version answers.
    """
    if importlib.util.find_spec("ray") is None:
        raise UsageError("--ray", "needs a missing package: ray", _install())
    _check_answer(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # Its messages about lost workers would stand among the JSON lines: what matters is told here.
    os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] = "."
    if address == "local":
        os.environ.setdefault("RAY_worker_niceness", "0")  # as this process
    import ray

    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address == "local":
        options |= {"include_dashboard": False, "object_store_memory": _LOCAL_STORE}
    try:
        with quiet_stderr():
            ray.init(address=address, **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        cause = " ".join(str(error).split())
        remedy = "run this on a machine of the cluster, and name its head's HOST:PORT"
        if "ersion mismatch" in cause:
            remedy = "install the same versions of Ray and Python on all machines"
        raise UsageError(f"--ray {address}", cause[:300], remedy) from error
    try:
        yield Cluster(address)
    finally:
        ray.shutdown()


class Cluster:
    """A Ray cluster that was joined.

    Args:
        address: How the user calls it.
    """

    def __init__(self, address: str) -> None:
        self._subject = f"--ray {address}"

    def prepare(
        self, order: Order, treatment: Treatment, jobs: Sequence[Job], output: Path
    ) -> Elsewhere:
        """Checks that every node can do the work, before any of it.

        Args:
            order: What workers are told.
            treatment: What they will make of its request.
            jobs: The photos.
            output: The folder or address of the results.

        Returns:
            What denoises the photos.

        Raises:
            UsageError: A node has other versions or another model, does not find the photos, or
                does not share the output; or no node has the cores and memory for a photo.
            OutputError: The output cannot be written.
        """
        request = order.request
        needs: dict[str, Any] = {"num_cpus": request.threads or 1}
        if request.max_memory:  # once for the photo, and once for its tile
            needs["memory"] = 2 * request.max_memory
        if not _slots(needs):
            memory = f" and {needs['memory']:,} bytes of memory" if "memory" in needs else ""
            cause = f"no node has {needs['num_cpus']} free cores{memory} for a photo"
            raise UsageError(self._subject, cause, "reduce --threads or --max-memory")
        info = treatment.denoiser.info
        _probe(order, info, jobs[0].source, output)
        steps = Steps(treatment, skip_existing=False)
        settings = {**asdict(request), "model": info.name}
        header = {"version": __version__, "settings": settings, "model_sha256": _fingerprint(info)}

        def denoise(jobs: Sequence[Job]) -> Iterator[tuple[Result, str | None]]:
            with _Manifest(output, header) as manifest:
                for outcome in _dispatch(order, jobs, needs, steps):
                    manifest.add(outcome)
                    yield outcome.result, outcome.trace

        return denoise


def _install() -> str:
    is_checkout = Path(__file__).parents[2].joinpath("Makefile").is_file()
    return f'run pip install "{".[scale]" if is_checkout else "kerasdenoise[scale]"}"'


def _check_answer(address: str) -> None:
    """Rejects an address at which nothing answers, for which Ray would wait long.

    Raises:
        UsageError: Nothing answers, or it is no address.
    """
    if address in ("local", "auto"):
        return
    host, _, port = address.rpartition(":")
    if "/" in address or not host or not port.isdigit():
        raise UsageError(f"--ray {address}", "is not HOST:PORT", "name the cluster's head, or auto")
    try:
        socket.create_connection((host, int(port)), _CONNECT).close()
    except OSError as error:
        cause = f"does not answer ({error.strerror or error})"
        raise UsageError(f"--ray {address}", cause, "check that the head runs there") from error


def _slots(needs: dict[str, Any]) -> int:
    """The number of photos that fit on all nodes at a time."""
    wanted = {"CPU": needs["num_cpus"], "memory": needs.get("memory", 0)}
    return sum(
        min(
            int(node["Resources"].get(kind, 0) // amount)
            for kind, amount in wanted.items()
            if amount
        )
        for node in _nodes()
    )


def _nodes() -> list[dict[str, Any]]:
    import ray

    return [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]


def _probe(order: Order, info: ModelInfo, source: Path, output: Path) -> None:
    """Lets each node look at the photos and write among the results, and looks at that.

    Raises:
        UsageError: A node differs, or shares no files with this process.
        OutputError: The output cannot be written.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    token = secrets.token_hex(8)
    question = output / RECORDS / f"probe-{token}"
    write_bytes(question, token.encode())
    answers = []
    try:
        looking = []
        for number, node in enumerate(_nodes()):
            answers.append(question.with_name(f"{question.name}-{number}"))
            there: Any = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            task = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=there)(look)
            started = task.remote(order, source, question, answers[-1])
            looking.append((node["NodeID"], f"node {node['NodeManagerAddress']}", started))
        ours = _versions(), _fingerprint(info)
        for (identity, node, started), answer in zip(looking, answers, strict=True):
            try:
                found = _get(node, started)
            except UsageError:
                if identity not in {each["NodeID"] for each in _nodes()}:
                    continue  # It ended meanwhile, and other nodes do its photos.
                raise
            _compare(node, found, ours)
            if not exists(answer):
                raise _not_shared(output, node)
    finally:
        for path in (question, *answers):
            with contextlib.suppress(OSError, KerasDenoiseError):
                remove(path)


# What a node has: the versions of its packages, and the SHA-256 of the model's files.
_Found = tuple[dict[str, str], dict[str, str]]


def look(order: Order, source: Path, question: Path, answer: Path) -> _Found:
    """Runs on a node: finds a photo, reads a file among the results, and writes another.

    Raises:
        UsageError: The node lacks the photo or the file among the results.
        ModelError: The node lacks the model.
    """
    model = _fingerprint(_steps(order).treatment.denoiser.info)
    node = f"node {_here()}"
    if not exists(source):
        raise UsageError(source, f"is not found on {node}", "name photos that all nodes share")
    try:
        content = read_bytes(question)
    except (OSError, InputError) as error:
        raise _not_shared(question.parents[1], node, error) from error
    write_bytes(answer, content)
    return _versions(), model


def _not_shared(output: Path, node: str, error: Exception | None = None) -> UsageError:
    why = f" ({error.cause})" if isinstance(error, KerasDenoiseError) else ""
    remedy = "name a folder that all nodes share, or an address such as s3://bucket/folder"
    return UsageError(f"-o {output}", f"is not shared with {node}{why}", remedy)


def _get(node: str, started: Any) -> _Found:
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        return ray.get(started)
    except RayTaskError as error:
        if isinstance(error.cause, KerasDenoiseError):
            raise error.cause from error
        cause = " ".join(str(error.cause).split())[:200]
        remedy = f"install kerasdenoise {__version__} there"
        raise UsageError(node, f"cannot work ({cause})", remedy) from error
    except RayError as error:
        cause = " ".join(str(error).split())[:200]
        raise UsageError(node, f"does not work ({cause})", "see the logs of Ray there") from error


def _compare(node: str, theirs: _Found, ours: _Found) -> None:
    for name, version in ours[0].items():
        found = theirs[0].get(name, "none")
        if found != version:
            remedy = "install the same versions on all machines"
            raise UsageError(node, f"has {name} {found}, and this machine {version}", remedy)
    if theirs[1] != ours[1]:
        raise UsageError(node, "has another model of this name", "copy the model to all machines")


def _versions() -> dict[str, str]:
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"kerasdenoise": __version__, **versions}


def _fingerprint(info: ModelInfo) -> dict[str, str]:
    """The SHA-256 of a model's files that denoising reads."""
    files = [info.folder / METADATA, *info.run_paths]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _here() -> str:
    import ray

    return ray.util.get_node_ip_address()


@functools.cache
def _steps(order: Order) -> Steps:
    """Loads the engine of a worker process, once."""
    os.environ.update(order.environment)
    with contextlib.suppress(OSError):  # then relative names lead nowhere, as the probe tells
        os.chdir(order.folder)
    return Steps(order.request.prepare(), skip_existing=order.skip_existing, digest=True)


def denoise_photo(order: Order, job: Job, tries: int) -> Outcome:
    """Runs on a node: denoises one photo.

    Args:
        order: What all workers are told.
        job: The photo.
        tries: 1 for the first try.
    """
    steps = _steps(order)
    if tries > 1 and _has_appeared(job):
        result = steps.result(job, "skipped")
        result.notes = ("its result appeared while its worker process ended",)
        return Outcome(result, node=_here())
    photo = steps.write(steps.work(steps.read(job)))
    return Outcome(steps.finish(photo), photo.trace, photo.sha256, _here())


def _has_appeared(job: Job) -> bool:
    """Whether an earlier try has written its file; to a store it is written again."""
    if isinstance(job.target, Address):
        return False
    return exists(job.target) and file_identity(job.target) != job.replaces


def _dispatch(
    order: Order, jobs: Sequence[Job], needs: dict[str, Any], steps: Steps
) -> Iterator[Outcome]:
    """Keeps the workers busy, and no more: a few photos wait, and all others are only names."""
    import ray
    from ray.exceptions import OutOfMemoryError, RayError, RayTaskError

    task = ray.remote(max_retries=0, **needs)(denoise_photo)
    shared = ray.put(order)
    first = iter(jobs)
    again: deque[tuple[Job, int]] = deque()
    running: dict[Any, tuple[Job, int]] = {}
    limit, counted = 0, float("-inf")
    while True:
        if time.monotonic() - counted > _NODES_EVERY:  # nodes come and go
            limit, counted = max(1, _AHEAD * _slots(needs)), time.monotonic()
        while len(running) < limit:
            job, tries = again.popleft() if again else (next(first, None), 1)
            if job is None:
                break
            running[task.remote(shared, job, tries)] = (job, tries)
        if not running:
            return
        ended, _ = ray.wait(list(running), timeout=_NODES_EVERY)
        if ended:
            ended, _ = ray.wait(list(running), num_returns=len(running), timeout=0)
        for each in ended:
            job, tries = running.pop(each)
            try:
                yield ray.get(each)
            except RayTaskError as error:
                yield _fail(steps, job, str(error.cause), str(error))
            except RayError as error:
                if tries < TRIES:
                    again.append((job, tries + 1))
                    continue
                by_memory = isinstance(error, OutOfMemoryError)
                why = "not enough memory on its node" if by_memory else "its worker process ended"
                yield _fail(steps, job, f"{why}, {TRIES} times", str(error))


def _fail(steps: Steps, job: Job, cause: str, trace: str) -> Outcome:
    result = steps.result(job, "failed")
    remedy = "run it alone, without --ray, to see why"
    result.error = str(InputError(job.source, " ".join(cause.split())[:300], remedy))
    return Outcome(result, trace)


class _Manifest:
    """What was done, among the results: files of JSON lines, each of which appears whole.

    Args:
        output: The folder of the results.
        header: The first line of each file.
    """

    def __init__(self, output: Path, header: dict[str, Any]) -> None:
        started = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self._folder = output / RECORDS / f"{started}-{secrets.token_hex(3)}"
        self._header = header
        self._rows: list[dict[str, Any]] = []
        self._parts = 0
        self._since = time.monotonic()

    def __enter__(self) -> _Manifest:
        return self

    def __exit__(self, *_: object) -> None:
        if self._rows:
            self._write()

    def add(self, outcome: Outcome) -> None:
        """Notes what was written and what failed, at the latest with the next photo in a minute."""
        result = outcome.result
        if result.status == "skipped":
            return
        row = {"input": result.input, "output": result.output, "status": result.status}
        more = {"sha256": outcome.sha256, "node": outcome.node, "seconds": result.seconds}
        self._rows.append({**row, **more, "error": result.error})
        if len(self._rows) >= _PART_ROWS or time.monotonic() - self._since > _PART_SECONDS:
            with contextlib.suppress(OutputError):  # its rows go into the next file
                self._write()

    def _write(self) -> None:
        name = f"{self._parts + 1:06}.jsonl"
        lines = [self._header, *self._rows]
        self._since = time.monotonic()
        write_bytes(self._folder / name, "".join(f"{to_json(line)}\n" for line in lines).encode())
        self._parts += 1
        self._rows.clear()
