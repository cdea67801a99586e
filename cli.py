"""`python cli.py` in a checkout runs the `kerasdenoise` command."""

import importlib.util
import sys
from pathlib import Path

# What denoising needs. If one is missing, this is not the Python that `make` has set up.
PACKAGES = ("PIL", "ai_edge_litert", "click", "imagecodecs", "numpy", "platformdirs", "tifffile")


def explain_missing() -> str:
    """Says what to run if packages are missing; empty if none are."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    python = Path(__file__).with_name(".venv") / "bin" / "python"
    remedy = f"run {python} cli.py" if python.exists() else "run make denoise, which installs them"
    return f"kerasdenoise: {sys.executable} lacks {', '.join(missing)}; {remedy}"


if __name__ == "__main__":
    if reason := explain_missing():
        sys.exit(reason)
    from kerasdenoise.cli import main

    main()
