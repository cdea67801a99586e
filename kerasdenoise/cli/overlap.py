"""Reads the next file and writes the previous one while the processor works on this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

Item = TypeVar("Item")
Load = TypeVar("Load")


def run_overlapped(
    items: Sequence[Item],
    *,
    read: Callable[[Item], Load],
    work: Callable[[Load, Callable[[], None]], Load],
    write: Callable[[Load], Load],
    done: Callable[[Load], None],
    fits: Callable[[Load, Item], bool],
) -> None:
    """Processes all items in order, each in three steps that overlap with its neighbors' steps.

    To bound memory, at most one item is read ahead and at most one is still being written.
    An interruption waits for the current write to finish, but never for a reader: a decoder may
    take forever on a hostile file.

    Args:
        items: The items.
        read: The first step, in its own thread.
        work: The second step, in the caller's thread. It receives a function to call now and
            then, so that `done` need not wait for its end.
        write: The last step, in its own thread.
        done: Called with the result of each item, in the caller's thread.
        fits: Whether an item may be read during the work on the one before it. If not, nothing
            else is in memory while it is read.
    """
    writing: Future[Load] | None = None

    def finish() -> None:
        nonlocal writing
        last, writing = writing, None
        if last is not None:
            done(last.result())

    def poll() -> None:
        if writing is not None and writing.done():
            finish()

    try:
        ahead: Future[Load] | None = None
        for index, item in enumerate(items):
            # Never in this thread, which must receive interruptions.
            load = (ahead or _begin(read, item)).result()
            following = items[index + 1 : index + 2]
            fitting = [each for each in following if fits(load, each)]
            ahead = _begin(read, fitting[0]) if fitting else None
            load = work(load, poll)
            finish()
            writing = _begin(write, load)
            del load
            if ahead is None:
                finish()
    finally:
        finish()


def _begin(step: Callable[[Item], Load], item: Item) -> Future[Load]:
    """Runs a step in its own daemon thread."""
    future: Future[Load] = Future()

    def run() -> None:
        try:
            future.set_result(step(item))
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future
