"""Reading the next file and writing the last one while the processor works on this one."""

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
    """Does all items in their order, each in three steps, of which those of neighbors overlap.

    At most one item is read ahead and one is still being written, so that memory is bounded.
    An interruption lets what is being written come to its end, and waits for no reader: what a
    decoder makes of a hostile file may take for ever.

    Args:
        items: What is to be done.
        read: The first step, in a thread of its own.
        work: The second step, in the caller's thread. It is given what it should call now and
            then, so that `done` need not wait for its end.
        write: The last step, in a thread of its own.
        done: Called with what came of each item, in the caller's thread.
        fits: Whether an item may be read while the one before it is worked on. Where not, nothing
            else is held in memory while it is read.
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
            # Never in this thread, which an interruption must reach.
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
    """Does a step in a thread of its own, which keeps no process alive."""
    future: Future[Load] = Future()

    def run() -> None:
        try:
            future.set_result(step(item))
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future
