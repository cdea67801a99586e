"""What Ray costs, and what a second node brings: `python benchmarks/ray_batch.py`.

Denoises synthetic JPEG photos with `denoise`, and with `denoise --ray` on one and on two nodes of
one core each, on this machine, in turns, so that what else the machine does is the same for all.
The time from the first to the last result counts, not that of the start. Checks that all files are
the same; reports photos per second, the ratio of two nodes to one, the cost against the plain
batch, and the most resident memory of a worker process.

    python benchmarks/ray_batch.py --faults

Denoises many small photos, kills the head in the middle, starts another and runs the command again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from kerasdenoise.cli.cluster import RECORDS
from kerasdenoise.evaluation.noisy_sets import write_noisy
from kerasdenoise.evaluation.pages import table

ROOT = Path(__file__).parents[1]
STORE = 100_000_000


@contextlib.contextmanager
def start_nodes(count: int) -> Iterator[Any]:
    os.environ |= {
        "PYTHONPATH": str(ROOT),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",
        "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
    }
    from ray.cluster_utils import Cluster

    options: dict[str, Any] = {"num_cpus": 1, "object_store_memory": STORE}
    cluster = Cluster(initialize_head=True, head_node_args=options)
    try:
        for _ in range(count - 1):
            cluster.add_node(**options)
        yield cluster
    finally:
        cluster.shutdown()


def start(photos: Path, output: Path, options: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, ROOT / "cli.py", "denoise", photos, "-o", output, "--json", *options]
    return subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def measure(photos: Path, output: Path, options: list[str]) -> tuple[float, float]:
    """Returns photos per second after the first one, and the most memory of a worker in GB."""
    process = start(photos, output, options)
    times, most = [], 0
    for _ in process.stdout or ():
        times.append(time.perf_counter())
        for each in psutil.process_iter(["cmdline", "memory_info"]):
            if "ray::denoise_photo" in (each.info["cmdline"] or [""])[0]:
                most = max(most, each.info["memory_info"].rss)
    if process.wait():
        sys.exit(f"denoise failed: {process.stderr.read() if process.stderr else ''}")
    return (len(times) - 1) / (times[-1] - times[0]), most / 1e9


def read_tree(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and RECORDS not in path.parts
    }


def compare_nodes(folder: Path, photos: int, rounds: int, options: list[str]) -> None:
    source = folder / "photos"
    source.mkdir()
    for number in range(photos):
        write_noisy(source / f"{number:05}.jpg", 400, 600, number, quality=92)
    rates: dict[str, list[float]] = {"plain": [], "1 node": [], "2 nodes": []}
    most = 0.0
    for turn in range(rounds):
        for name, found in rates.items():
            output = folder / f"{name} {turn}"
            if name == "plain":
                rate, _ = measure(source, output, [*options, "--threads", "1"])
            else:
                with start_nodes(int(name[0])) as cluster:
                    rate, memory = measure(source, output, [*options, "--ray", cluster.address])
                most = max(most, memory)
            found.append(rate)
            if read_tree(output) != read_tree(folder / "plain 0"):
                sys.exit(f"{name}: other files than without Ray")
            print(f"{name}: {rate:.2f} photos/s", file=sys.stderr, flush=True)
    plain, one, two = (max(found) for found in rates.values())
    header = "photos", "plain/s", "1 node/s", "2 nodes/s", "2 nodes : 1", "cost of Ray, %", "GB"
    figures = f"{plain:.2f}", f"{one:.2f}", f"{two:.2f}", f"{two / one:.2f}"
    cells = f"{photos}", *figures, f"{100 * (plain / one - 1):.0f}", f"{most:.2f}"
    print(table(header, [cells]))


def restart_head(folder: Path, photos: int, options: list[str]) -> None:
    source, output = folder / "photos", folder / "out"
    source.mkdir()
    write_noisy(source / "0.jpg", 48, 64, 0, quality=92)
    for number in range(1, photos):
        (source / f"{number}.jpg").write_bytes((source / "0.jpg").read_bytes())
    resume = [*options, "--skip-existing", "--ray"]
    # A process that talks to the head ends with it: the nodes get one of their own.
    command = [sys.executable, __file__, "--nodes", "2"]
    nodes = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert nodes.stdout is not None
    process = start(source, output, [*resume, nodes.stdout.readline().strip()])
    for _ in range(photos // 2):
        assert process.stdout is not None
        process.stdout.readline()
    nodes.communicate("kill the head\n")
    process.communicate(timeout=120)
    first = len(read_tree(output))
    with start_nodes(2) as cluster:
        process = start(source, output, [*resume, cluster.address])
        lines, _ = process.communicate()
    states = [json.loads(line)["status"] for line in lines.splitlines()]
    results = read_tree(output)
    header = "photos", "written before", "skipped then", "written then", "results", "different"
    counts = photos, first, states.count("skipped"), states.count("written"), len(results)
    print(table(header, [[*counts, len(set(results.values()))]]))
    if len(results) != photos or len(set(results.values())) != 1:
        sys.exit("results are missing, or differ")


def serve_nodes(count: int) -> None:
    """Says the address of new nodes, and kills their head at a word."""
    with start_nodes(count) as cluster:
        print(cluster.address, flush=True)
        if sys.stdin.readline():
            cluster.head_node.kill_gcs_server()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--nodes", type=int, help=argparse.SUPPRESS)
    arguments, options = parser.parse_known_args()
    if arguments.nodes:
        serve_nodes(arguments.nodes)
        return
    with tempfile.TemporaryDirectory() as temporary:
        if arguments.faults:
            restart_head(Path(temporary), arguments.photos, options)
        else:
            compare_nodes(Path(temporary), arguments.photos, arguments.rounds, options)


if __name__ == "__main__":
    main()
