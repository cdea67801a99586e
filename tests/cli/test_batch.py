from __future__ import annotations

import os
import signal
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import tifffile

from kerasdenoise.cli.batch import read_size, run_overlapped


class Steps:
    """Steps that remember which of them began, and for how many items at a time.

    Args:
        stop_at: The item whose work is interrupted.
        meanwhile: The step that has to begin before another one ends, by the name of the latter.
    """

    def __init__(self, stop_at: str = "", meanwhile: Mapping[str, str] = MappingProxyType({})):
        self.finished: list[str] = []
        self.patient = False
        self.held = 0
        self.most = 0
        self.began: set[str] = set()
        self._stop_at = stop_at
        self._meanwhile = meanwhile
        self._lock = threading.Lock()
        self._changed = threading.Condition()

    def read(self, item: str) -> str:
        with self._lock:
            self.held += 1
            self.most = max(self.most, self.held)
        return self._step("read", item)

    def work(self, item: str, poll: Callable[[], None]) -> str:
        if item == self._stop_at:
            raise KeyboardInterrupt
        self._step("work", item)
        while self.patient and item > "a" and "a" not in self.finished:
            poll()
        return item

    def write(self, item: str) -> str:
        self._step("write", item)
        with self._lock:
            self.held -= 1
        return item

    def _step(self, step: str, item: str) -> str:
        other = self._meanwhile.get(step + item, step + item)
        with self._changed:
            self.began.add(step + item)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: other in self.began, 300), f"{other} came later"
        return item

    def all(self) -> dict[str, Callable[..., Any]]:
        return {"read": self.read, "work": self.work, "write": self.write}


def test_steps_of_neighbors_overlap_and_the_order_stays():
    steps = Steps(meanwhile={"worka": "readb", "writea": "workb"})
    run_overlapped("abcde", **steps.all(), done=steps.finished.append, fits=lambda *_: True)
    assert steps.finished == list("abcde")
    assert steps.most <= 3


def test_the_end_of_an_item_is_known_while_the_next_one_is_worked_on():
    steps = Steps()
    steps.patient = True
    run_overlapped("ab", **steps.all(), done=steps.finished.append, fits=lambda *_: True)
    assert steps.finished == ["a", "b"]


def test_what_does_not_fit_waits_until_nothing_else_is_held():
    steps = Steps()
    run_overlapped("abc", **steps.all(), done=steps.finished.append, fits=lambda *_: False)
    assert steps.finished == list("abc")
    assert steps.most == 1


def test_an_interruption_lets_what_is_being_written_end():
    steps = Steps(stop_at="b")
    with pytest.raises(KeyboardInterrupt):
        run_overlapped("abc", **steps.all(), done=steps.finished.append, fits=lambda *_: True)
    assert steps.finished == ["a"]
    assert "writeb" not in steps.began


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
def test_an_interruption_waits_for_no_reader():
    release = threading.Event()
    steps = Steps()

    def read(item: str) -> str:
        if item == "b":
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
            release.wait(60)
        return steps.read(item)

    # A job in the background ignores interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_overlapped(
                "ab",
                read=read,
                work=steps.work,
                write=steps.write,
                done=steps.finished.append,
                fits=lambda *_: False,
            )
    finally:
        signal.signal(signal.SIGINT, before)
    assert "readb" not in steps.began, "the reader was waited for"
    assert steps.finished == ["a"]
    release.set()


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif", "bmp"])
def test_the_size_is_that_of_the_header(write_photo: Callable[..., Path], suffix: str):
    assert read_size(write_photo(f"a.{suffix}", (40, 56))) == (56, 40)


def test_the_size_of_a_big_tiff(tmp_path: Path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((5, 7), np.uint8), bigtiff=True, byteorder=">")
    assert read_size(path) == (7, 5)


@pytest.mark.parametrize("content", [b"", b"II*\0", b"%!PS-Adobe-3.0 EPSF", b"x" * 99])
def test_what_says_none_has_none(tmp_path: Path, content: bytes):
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    assert read_size(path) is None
    assert read_size(tmp_path / "missing.png") is None


def test_tags_that_share_a_value_take_no_memory(tmp_path: Path):
    entries = b"".join(struct.pack("<HHLL", 700 + n, 7, 100_000, 16) for n in range(1500))
    head = b"II*\0" + struct.pack("<L", 100_016) + bytes(100_008)
    path = tmp_path / "a.tif"
    path.write_bytes(head + struct.pack("<H", 1500) + entries + bytes(4))
    assert read_size(path) is None
