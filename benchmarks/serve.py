"""How `serve` behaves under load: `python benchmarks/serve.py`.

Starts the service on this machine, finds how many photos per second one client gets after another,
and then sends them twice as fast, at even times, whether answers have come or not. Reports the
percentiles of the answers' times, the share that was told to come again (429), and the service's
resident memory before and after. Exits 1 if a request is not answered, an answer is neither 200 nor
429, a photo is not the expected one, or memory grew by more than a tenth.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import psutil

from kerasdenoise.evaluation.noisy_sets import write_noisy
from kerasdenoise.evaluation.pages import table

ROOT = Path(__file__).parents[1]


def ask(port: int, photo: bytes) -> tuple[int, float, bytes]:
    """Returns an answer's status, its seconds and its content; status 0 for none."""
    start = time.perf_counter()
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("POST", "/denoise", photo)
        response = connection.getresponse()
        return response.status, time.perf_counter() - start, response.read()
    except OSError:
        return 0, time.perf_counter() - start, b""
    finally:
        connection.close()


def measure(port: int, photo: bytes, requests: int, process: psutil.Process) -> None:
    ask(port, photo)  # the first one takes longer
    _, _, expected = ask(port, photo)
    start = time.perf_counter()
    alone = [ask(port, photo)[1] for _ in range(10)]
    capacity = len(alone) / (time.perf_counter() - start)
    before = process.memory_info().rss
    with ThreadPoolExecutor(requests) as pool:
        sent = []
        start = time.perf_counter()
        for number in range(requests):
            time.sleep(max(0.0, start + number / (2 * capacity) - time.perf_counter()))
            sent.append(pool.submit(ask, port, photo))
        answers = [each.result() for each in sent]
    after = process.memory_info().rss
    counts = Counter(status for status, _, _ in answers)
    times = [seconds for status, seconds, _ in answers if status == 200]
    header = (
        "requests",
        "alone/s",
        "alone, s",
        "p50, s",
        "p90, s",
        "p99, s",
        "429, %",
        "GB",
        "GB then",
    )
    shown = [f"{each:.2f}" for each in (np.median(alone), *np.percentile(times, (50, 90, 99)))]
    refused = f"{100 * counts[429] / requests:.0f}"
    memory = f"{before / 1e9:.2f}", f"{after / 1e9:.2f}"
    print(table(header, [[requests, f"{capacity:.1f}", *shown, refused, *memory]]))
    if counts[200] + counts[429] != requests:
        sys.exit(f"answers: {dict(counts)}")
    if any(content != expected for status, _, content in answers if status == 200):
        sys.exit("some photos differ")
    if after > 1.1 * before:
        sys.exit("memory grew")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--width", type=int, default=600)
    parser.add_argument("--height", type=int, default=400)
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        photo = Path(temporary) / "photo.jpg"
        write_noisy(photo, arguments.height, arguments.width, 0, quality=92)
        content = photo.read_bytes()
    command = [sys.executable, str(ROOT / "cli.py"), "serve", "--port", "0", *options]
    environment = {key: value for key, value in os.environ.items() if key != "KERASDENOISE_TOKEN"}
    service = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        line = service.stderr.readline() if service.stderr else ""
        port = re.search(r":(\d+)/", line)
        if port is None:
            sys.exit(f"serve failed: {line}")
        measure(int(port[1]), content, arguments.requests, psutil.Process(service.pid))
    finally:
        service.send_signal(signal.SIGINT)
        service.wait()


if __name__ == "__main__":
    main()
