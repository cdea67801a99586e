"""Reads thousands of damaged files and counts what happens, for docs/reliability.md.

    python -m tests.reliability.mutated_files

Small files of every format are made in code, and damaged: flipped bits, cut and moved bytes, wrong
lengths, huge sizes, spoiled profiles, compressed bombs. A process of its own, with a limit on its
memory, reads each of them and writes what it could read. Whatever is neither a picture nor an error
in words for its user is a bug, and counted as one; so are a process that dies or stops, and a file
that appears anywhere but at the target.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from kerasdenoise.errors import KerasDenoiseError
from kerasdenoise.evaluation.pages import table, wrap, write_section
from kerasdenoise.images import FORMATS, read_image, write_image
from tests.reliability.picture_files import HEIGHT, WIDTH, make_files

ROOT = Path(__file__).parents[2]
RESULT = Path(__file__).parent / "results" / "mutated_files.json"
PAGE = ROOT / "docs" / "reliability.md"

# What judges files in a process of its own.
WORKER = [sys.executable, "-m", "tests.reliability.mutated_files", "--work"]
MEMORY = 6 * 2**30  # bytes of address space; the libraries alone take one gigabyte of it
SECONDS = 60  # without an answer, after which a process counts as stopped
HUGE = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)
BUGS = ("raised another error", "died", "stopped", "wrote elsewhere")
# All the bytes of a file, and what draws the damage.
Damage = Callable[[bytearray, np.random.Generator], bytearray]


def flip_bits(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Flips up to sixteen bits."""
    for at in rng.integers(0, len(data), rng.integers(1, 17)):
        data[at] ^= 1 << rng.integers(0, 8)
    return data


def flip_header(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Flips bits where the structure is, in the first 128 bytes and the last."""
    for at in rng.integers(0, 128, rng.integers(1, 5)):
        data[(at - 64) % len(data)] ^= 1 << rng.integers(0, 8)
    return data


def truncate(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Leaves out the end."""
    return data[: rng.integers(0, len(data))]


def cut(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Leaves out something in the middle."""
    first, last = sorted(rng.integers(0, len(data), 2))
    return data[:first] + data[last:]


def repeat(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Puts some of the bytes in twice."""
    first, last = sorted(rng.integers(0, len(data), 2))
    return data[:last] + data[first:]


def spoil(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Overwrites a stretch with noise, as of profiles and EXIF, which are the longest blocks."""
    at = rng.integers(0, len(data))
    noise = rng.bytes(int(min(len(data) - at, rng.integers(1, 200))))
    data[at : at + len(noise)] = noise
    return data


def change_length(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Overwrites two or four bytes with a number that is wrong as a length or a place."""
    value = int(rng.choice(HUGE))
    width = int(rng.choice([2, 4]))
    order = str(rng.choice(["<", ">"]))
    at = int(rng.integers(0, max(1, len(data) - width)))
    packed = struct.pack(order + "HL"[width == 4], value & (2 ** (8 * width) - 1))
    data[at : at + width] = packed
    return data


def change_size(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Overwrites the picture's height or width, wherever it may stand, with a huge one."""
    places = [
        (match.start(), form)
        for side in (HEIGHT, WIDTH, HEIGHT - 1, WIDTH - 1)
        for form in (">H", "<H", ">L", "<L")
        for match in re.finditer(re.escape(struct.pack(form, side)), bytes(data[:4096]))
    ]
    at, form = places[rng.integers(0, len(places))] if places else (0, ">H")
    value = int(rng.choice([0, 9000, 30000, 65535] + [100_000, 2**31 - 1] * (form[1] == "L")))
    data[at : at + struct.calcsize(form)] = struct.pack(form, value)
    return data


def compress_bomb(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Puts zeros that were compressed a thousandfold into a PNG, or behind a header."""
    bomb = zlib.compress(bytes(2**28), 9)
    kind, lead = (
        (b"iCCP", b"p\x00\x00"),
        (b"zTXt", b"Raw profile type exif\x00\x00"),
        (b"iTXt", b"XML:com.adobe.xmp\x00\x01\x00\x00\x00"),
        (b"IDAT", b""),
    )[rng.integers(0, 4)]
    body = lead + bomb
    chunk = struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))
    return data[:33] + chunk + data[33:]


def repair_checksums(data: bytes) -> bytes:
    """Makes a damaged PNG's checksums right, as far as its chunks go, to get beyond them."""
    parts = [data[:8]]
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">L", data, at)
        if at + 12 + length > len(data):
            break
        body = data[at + 4 : at + 8 + length]
        parts.append(data[at : at + 4] + body + struct.pack(">L", zlib.crc32(body)))
        at += 12 + length
    return b"".join([*parts, data[at:]])


DAMAGES: tuple[Damage, ...] = (
    *(flip_bits, flip_header, truncate, cut, repeat, spoil, change_length, change_size),
)
# One in so many PNG files has a bomb in it.
BOMBS = 40


def make_mutant(name: str, files: list[bytes], index: int, seed: int) -> bytes:
    """Makes a damaged file; the same one for the same numbers.

    Args:
        name: The format.
        files: Whole files of it.
        index: Which mutant; the kinds of damage take turns.
        seed: Draws others.
    """
    rng = np.random.default_rng([seed, index, *name.encode()])
    data = bytearray(files[rng.integers(0, len(files))])
    if name == "PNG" and index % BOMBS == 0:
        return bytes(compress_bomb(data, rng))
    mutant = bytes(DAMAGES[index % len(DAMAGES)](data, rng))
    return repair_checksums(mutant) if name == "PNG" and rng.integers(0, 2) else mutant


def judge(data: bytes, folder: Path) -> tuple[str, str]:
    """Reads a file, and writes what was read.

    Returns:
        What happened, and the cause in the words of the error.
    """
    target = folder / "result"
    try:
        image = read_image(data)
    except KerasDenoiseError as error:
        return "rejected", error.cause
    except Exception as error:
        return "raised another error", f"reading: {error!r}"
    try:
        write_image(image, target)
    except KerasDenoiseError as error:
        return "read, not writable", error.cause
    except Exception as error:
        return "raised another error", f"writing: {error!r}"
    target.unlink()
    if any(folder.iterdir()):
        return "wrote elsewhere", ", ".join(path.name for path in folder.iterdir())
    return "read and written", ""


def work(name: str, first: int, count: int, seed: int) -> None:
    """Judges mutants, and prints a line of JSON for each."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    files = list(make_files(name))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for index in range(first, count):
            data = make_mutant(name, files, index, seed)
            started = time.process_time()
            outcome, cause = judge(data, Path(folder))
            print(
                json.dumps(
                    {
                        "index": index,
                        "outcome": outcome,
                        "cause": cause,
                        "seconds": time.process_time() - started,
                        "kilobytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
                    }
                ),
                flush=True,
            )


def run(name: str, count: int, seed: int) -> list[dict[str, Any]]:
    """Judges mutants of a format in processes, a new one after each that died or stopped."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        command = [*WORKER, name, str(len(found)), str(count), str(seed)]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            lines: SimpleQueue[str] = SimpleQueue()
            reader = threading.Thread(target=_forward, args=(process.stdout, lines))
            reader.start()
            outcome = "died"
            try:
                while line := lines.get(timeout=SECONDS):
                    found.append(json.loads(line))
            except Empty:
                outcome = "stopped"
                process.kill()
            code = process.wait()
            reader.join()
        if len(found) < count:
            cause = f"exit {code}"
            row = {"index": len(found), "outcome": outcome, "cause": cause, "seconds": 0.0}
            found.append(row | {"kilobytes": 0})
    return found


def _forward(stream: Any, lines: SimpleQueue[str]) -> None:
    """Hands on the lines of a process, and an empty one at its end."""
    for line in stream:
        lines.put(line)
    lines.put("")


def outcomes_of(rows: dict[str, list[dict[str, Any]]], damage: Damage) -> list[str]:
    """Lists what became of the files with one kind of damage."""
    turn = DAMAGES.index(damage)
    return [
        row["outcome"]
        for found in rows.values()
        for row in found
        if row["index"] % len(DAMAGES) == turn
    ]


def summarize(rows: dict[str, list[dict[str, Any]]], seed: int) -> dict[str, Any]:
    """Counts outcomes by format, and refusals by cause; keeps every bug."""
    everything = [row for found in rows.values() for row in found]
    slowest = {name: max(row["seconds"] for row in found) for name, found in rows.items()}
    rejected = Counter(
        re.sub(r"[(].*[)]|\d+", "…", row["cause"])[:70]
        for row in everything
        if row["outcome"] == "rejected"
    )
    return {
        "seed": seed,
        "files": len(everything),
        "memory_limit_megabytes": MEMORY // 2**20,
        "slowest_seconds": {name: round(seconds, 2) for name, seconds in slowest.items()},
        "peak_megabytes": max(row["kilobytes"] for row in everything) // 1024,
        "formats": {
            name: dict(sorted(Counter(row["outcome"] for row in found).items()))
            for name, found in rows.items()
        },
        "damages": {
            damage.__name__: dict(Counter(outcomes_of(rows, damage))) for damage in DAMAGES
        },
        "refusals": dict(rejected.most_common(20)),
        "bugs": [
            {"format": name, **{key: row[key] for key in ("index", "outcome", "cause")}}
            for name, found in rows.items()
            for row in found
            if row["outcome"] in BUGS
        ],
    }


def describe(summary: dict[str, Any]) -> str:
    """Writes the section of the page."""
    outcomes = ("read and written", "rejected", "read, not writable", *BUGS)
    totals = Counter[str]()
    for counts in summary["formats"].values():
        totals.update(counts)
    shown = [outcome for outcome in outcomes if totals[outcome] or outcome in outcomes[:2]]
    rows = [
        [title, *(counts.get(key, 0) for key in shown)]
        for title, counts in (
            *((FORMATS[name].title, counts) for name, counts in summary["formats"].items()),
            ("all", totals),
        )
    ]
    bugs = len(summary["bugs"])
    cut_off = summary["damages"]["truncate"]
    return wrap(f"""## Damaged files

`python -m tests.reliability.mutated_files` makes {summary["files"]:,} damaged files from small
images (flipped bits, cut and repeated bytes, wrong lengths, huge sizes, damaged profiles and EXIF,
compressed bombs). It reads each file, and writes what it could read, in a process that has
{summary["memory_limit_megabytes"] // 1024} GB of address space. {bugs or "None"} of them ended in
anything but an image or a clear error: there was no crash, no hang, and no file outside the output
folder{", except for those" if bugs else ""}. The slowest took
{max(summary["slowest_seconds"].values()):.1f} s of processor time, and the most memory in use was
{summary["peak_megabytes"] / 1024:.1f} GB.

{table(["", *shown], rows)}

Of {sum(cut_off.values())} files that were cut off, {cut_off.get("rejected", 0)} were rejected. In
formats without checksums, a flipped bit among the pixels still leaves a valid image, so many of
those are read. Images of more than 1,000 megapixels are rejected. So are images that claim to have
over 64 megapixels but have less than a byte for each 2,000, so no small file takes much memory.
""")


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description="Reads damaged files and counts what happens.")
    parser.add_argument("--files", type=int, default=400, help="of each format")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        name, first, count, seed = arguments.work
        work(name, int(first), int(count), int(seed))
        return
    rows = {}
    for name in arguments.formats:
        rows[name] = run(name, arguments.files, arguments.seed)
        print(name, dict(Counter(row["outcome"] for row in rows[name])), file=sys.stderr)
    summary = summarize(rows, arguments.seed)
    arguments.result.parent.mkdir(parents=True, exist_ok=True)
    arguments.result.write_text(json.dumps(summary, indent=1) + "\n", "utf-8")
    write_section(arguments.page, "damaged files", describe(summary))


if __name__ == "__main__":
    main()
