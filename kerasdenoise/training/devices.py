"""The devices that share each step of a run, of one machine or of several hosts.

Why a run on several devices is the same run: docs/decisions/026-several-devices.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasdenoise._version import __version__
from kerasdenoise.errors import KerasDenoiseError, RecipeError, UsageError, describe_unexpected
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.tasks import find_task

# Seconds within which all hosts have to start, and after which a silent one is lost.
_START, _SILENCE = 300, 60
# What the libraries by which hosts exchange gradients say when one does not answer.
_LOST = re.compile("gloo|nccl|unavailable|deadline_exceeded|coordination|heartbeat", re.IGNORECASE)


@dataclass(frozen=True)
class Hosts:
    """Where this process stands among those that train together.

    Attributes:
        address: `ADDRESS:PORT` of the first one, on which all meet.
        count: How many there are.
        index: Which one this is; 0 is the first, which alone writes the run's folder.
    """

    address: str
    count: int
    index: int


def join_hosts(hosts: Hosts) -> None:
    """Waits for all hosts, before the first computation of this process.

    Raises:
        UsageError: If Keras does not run on JAX.
        KerasDenoiseError: If one of them does not come.
    """
    _check_backend(f"{hosts.count} hosts")
    import jax

    # It would take SIGTERM as a notice, and not end.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        # What keras.distribution.initialize calls, which passes on no times.
        jax.distributed.initialize(
            hosts.address,
            hosts.count,
            hosts.index,
            initialization_timeout=_START,
            heartbeat_timeout_seconds=_SILENCE,
            shutdown_timeout_seconds=_SILENCE,
        )
        jax.devices()  # which all exchange
    except (RuntimeError, ValueError) as error:
        raise KerasDenoiseError(
            f"hosts at {hosts.address}",
            f"did not all meet ({describe_unexpected(error)})",
            f"check the address and start all {hosts.count} within {_START // 60} minutes",
        ) from error


def count_hosts() -> int:
    """Returns how many hosts train together, of which this is one."""
    if keras.backend.backend() != "jax":
        return 1
    import jax

    return jax.process_count()


def leave_hosts() -> None:
    """Waits until all hosts are done."""
    import jax

    jax.distributed.shutdown()


@contextlib.contextmanager
def blame_lost_host(run: Path) -> Iterator[None]:
    """Tells what it means if one of several hosts fails or is gone.

    Raises:
        KerasDenoiseError: It is so.
    """
    try:
        yield
    except (RuntimeError, ValueError) as error:
        if not _LOST.search(str(error)):
            raise
        raise lost_host(run, describe_unexpected(error)) from error


def lost_host(run: Path, cause: str) -> KerasDenoiseError:
    """Makes the error about a run of which a host is gone."""
    return KerasDenoiseError(
        run,
        f"lost another host; the last checkpoint is kept ({cause})",
        "start the same command on all hosts to resume",
    )


def _check_backend(asked: str) -> None:
    backend = keras.backend.backend()
    if backend != "jax":
        raise UsageError(
            asked,
            f"need Keras' JAX backend; {backend} trains on one device",
            "set KERAS_BACKEND=jax, or ask for one device",
        )


class Devices:
    """Devices that share the batch of each step.

    The batch is that of the recipe, split evenly, and so is the noise: the random numbers of a
    value are those that one device would draw. Each device has all weights, and the gradients are
    added up over all.

    Args:
        recipe: What is trained.
        each: How many devices of each host to use; the same on all.

    Raises:
        UsageError: If there are fewer, or Keras does not run on JAX.
        RecipeError: If the recipe's batch or task cannot be split.

    Attributes:
        hosts: Number of hosts, of which each is a process.
        count: Number of devices of all hosts.
        is_writer: Whether this host writes the run's folder.
        part: The images of each batch that this host's devices take.
    """

    def __init__(self, recipe: Recipe, each: int) -> None:
        _check_backend(f"{each} devices")
        import jax

        self.hosts = jax.process_count()
        self.count = self.hosts * each
        self.is_writer = jax.process_index() == 0
        self._each = each
        batch = recipe.data.batch_size
        if each > (available := jax.local_device_count()):
            raise UsageError(
                f"{each} devices",
                f"are more than this machine has: {available} ({jax.default_backend()})",
                f"ask for {available} or fewer",
            )
        if not find_task(recipe).uses_gradients:
            raise RecipeError(
                f"objective {recipe.optimization.objective!r}",
                "learns without gradients, on one device alone",
                "ask for one device",
            )
        if batch % self.count:
            raise RecipeError(
                f"batch_size {batch}",
                f"cannot be split evenly among {self.count} devices",
                f"write {batch + -batch % self.count}, or use fewer devices",
            )
        share = batch // self.hosts
        self.part = slice(jax.process_index() * share, (jax.process_index() + 1) * share)
        chosen = [
            f"{device.platform}:{device.id}"
            for host in range(self.hosts)
            for device in [each for each in jax.devices() if each.process_index == host][:each]
        ]
        self._distribution = keras.distribution.DataParallel(devices=chosen)
        mesh = self._distribution.device_mesh
        self._whole = keras.distribution.TensorLayout([], mesh).backend_layout

    def describe(self, recipe: Recipe) -> str:
        """Says in a line what a step is, of which nothing changes with the number of devices."""
        batch = recipe.data.batch_size
        hosts = f" of {self.hosts} hosts" if self.hosts > 1 else ""
        return (
            f"{self.count} devices{hosts}: {batch} patches per step, {batch // self.count} on each "
            f"device; learning rate {recipe.optimization.learning_rate:g}, as on one device"
        )

    @property
    def layouts(self) -> dict[str, Any]:
        """Arguments of `jax.jit` for a step, whose results all devices have."""
        return {"out_shardings": self._whole}

    def place_batch(self, part: np.ndarray) -> Any:
        """Gives each device its images, of this host's part of the batch."""
        import jax

        layout = self._distribution.get_data_layout(part.shape).backend_layout
        return jax.make_array_from_process_local_data(layout, part)

    def place_state(self, state: Any) -> Any:
        """Gives all devices the first host's values."""
        import jax

        values = self.agree(jax.tree.map(np.asarray, state))
        return jax.tree.map(
            lambda value: jax.make_array_from_process_local_data(self._whole, value), values
        )

    def agree(self, values: Any) -> Any:
        """Returns the first host's NumPy arrays to all hosts."""
        from jax.experimental import multihost_utils

        return multihost_utils.broadcast_one_to_all(values) if self.hosts > 1 else values

    def check_alike(self, subjects: Mapping[str, bytes]) -> None:
        """Refuses to train with hosts that would do something else.

        Args:
            subjects: What has to be the same on all hosts, by what errors call it.

        Raises:
            UsageError: It is not; all hosts say so.
        """
        if self.hosts == 1:
            return
        from jax.experimental import multihost_utils

        own = {
            f"versions of kerasdenoise ({__version__}) and Keras ({keras.__version__})": (
                f"{__version__} {keras.__version__}".encode()
            ),
            f"number of devices ({self._each})": str(self._each).encode(),
            **subjects,
        }
        digests = [np.frombuffer(hashlib.sha256(each).digest(), np.uint8) for each in own.values()]
        found = np.asarray(multihost_utils.process_allgather(np.stack(digests)))
        for host, name in np.argwhere((found != found[0]).any(axis=-1)):
            raise UsageError(
                f"host {host}",
                f"has another {list(own)[name]} than host 0",
                "start all hosts with the same files and options",
            )
