"""Whether a GPU takes a LiteRT file whole, tried on one or on its substitute in software."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasdenoise.errors import ModelError, UsageError
from kerasdenoise.inference.fixed_shape import parsed

# Debian's Chromium has a Vulkan driver that needs no GPU, SwiftShader, and the loader for it.
CHROMIUM = Path("/usr/lib/chromium")
_DRIVER = "vk_swiftshader_icd.json"

# On the [0, 1] scale. GPUs compute integers by floats, and a value halfway between two may go to
# either; that adds up, so that single pixels differ more than all of them on average.
LARGEST = 1e-3
LARGEST_RMS = 2 / 255

# In a process of its own: a driver is found when libraries are loaded, and one may crash.
_PROGRAM = """
import json, sys
import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
from kerasdenoise.export.files import make_picture

def fill(detail, dtype):
    _, height, _, channels = detail["shape"]
    picture = make_picture(height, channels)
    return picture if dtype == np.uint8 else picture / np.float32(255)

def run(accelerator):
    model = CompiledModel.from_file(sys.argv[1], hardware_accel=accelerator)
    (signature,) = model.get_signature_list()
    inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)
    given = model.get_input_tensor_details(signature).values()
    for buffer, detail in zip(inputs, given, strict=True):
        buffer.write(fill(detail, np.dtype(detail["dtype"])))
    model.run_by_index(0, inputs, outputs)
    (made,) = model.get_output_tensor_details(signature).values()
    dtype = np.dtype(made["dtype"])
    values = outputs[0].read(int(np.prod(made["shape"])), dtype)
    return values / (255 if dtype == np.uint8 else 1), model.is_fully_accelerated()

expected, _ = run(HardwareAccelerator.CPU)
made, whole = run(HardwareAccelerator.GPU)
difference = made - expected
print()
print(json.dumps([whole, float(np.abs(difference).max()), float(np.sqrt(np.mean(difference**2)))]))
"""


@dataclass(frozen=True)
class GpuResult:
    """What a GPU made of a file.

    Attributes:
        whole: Whether all of it ran there.
        largest: The largest difference to the CPU, on the [0, 1] scale; not a number if it did
            not run.
        rms: The root mean square of all differences.
        exact: Whether the file computes with floats alone, so that both must agree.
        cause: Why it did not run, or nothing.
    """

    whole: bool
    largest: float
    rms: float
    exact: bool
    cause: str = ""

    @property
    def passed(self) -> bool:
        """Whether it ran there as a whole, and computed the same."""
        same = self.largest <= LARGEST if self.exact else self.rms <= LARGEST_RMS
        return self.whole and same


def check_gpu(path: Path) -> GpuResult:
    """Runs a LiteRT file of a fixed size on the GPU, and compares it with the CPU.

    LiteRT's GPU accelerator is allowed nothing but the GPU. `VK_ICD_FILENAMES` names the driver;
    without it, SwiftShader in Debian's package `chromium` is used, which computes on the CPU what
    a GPU would. It has no 16-bit floats, so that what exceeds their range is not found.

    Args:
        path: The file.

    Returns:
        What it made of it.

    Raises:
        UsageError: There is no driver.
        ModelError: It is no LiteRT file.
    """
    exact = not _holds_integers(path)
    command = [sys.executable, "-c", _PROGRAM, str(path)]
    result = subprocess.run(
        command, capture_output=True, text=True, env=find_driver(os.environ), check=False
    )
    if result.returncode == 0:
        whole, largest, rms = json.loads(result.stdout.splitlines()[-1])
        return GpuResult(whole, largest, rms, exact)
    if "No adapters found" in result.stderr:
        raise UsageError(
            "--check-gpu",
            "found neither a GPU nor a driver that emulates one",
            "install Debian's package chromium, or name a driver in VK_ICD_FILENAMES",
        )
    return GpuResult(False, math.nan, math.nan, exact, _find_cause(result.stderr))


def find_driver(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns an environment in which a driver of Vulkan is found.

    Raises:
        UsageError: None is named, and Chromium's is not there.
    """
    if "VK_ICD_FILENAMES" in environment:
        return dict(environment)
    if not (CHROMIUM / _DRIVER).is_file():
        raise UsageError(
            "--check-gpu",
            f"needs a Vulkan driver, but {CHROMIUM / _DRIVER} does not exist",
            "install Debian's package chromium, or name a driver in VK_ICD_FILENAMES",
        )
    libraries = [str(CHROMIUM), environment.get("LD_LIBRARY_PATH", "")]
    return {
        **environment,
        "VK_ICD_FILENAMES": str(CHROMIUM / _DRIVER),
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)),
    }


def _holds_integers(path: Path) -> bool:
    """Whether a file computes with integers of 8 or 16 bits."""
    from ai_edge_litert import schema_py_generated as schema

    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(path, f"cannot be read ({error.strerror})", "check the path") from error
    integers = {schema.TensorType.INT8, schema.TensorType.INT16}
    with parsed(path, content):
        model: Any = schema.ModelT.InitFromPackedBuf(content)
        return any(tensor.type in integers for tensor in model.subgraphs[0].tensors)


def _find_cause(log: str) -> str:
    """What LiteRT says that the GPU does not do."""
    lines = log.splitlines()
    for number, line in enumerate(lines):
        if "not supported by GPU delegate" in line:
            named = {}
            for each in lines[number + 1 :]:
                if "operations will run" in each:
                    break
                # The names of tensors follow, which are long and many.
                named[each.strip().partition(". ")[0]] = None
            return ", ".join(named)
    return lines[-1].strip() if lines else "it stopped without a word"
