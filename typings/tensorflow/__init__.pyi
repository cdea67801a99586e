# TensorFlow ships no types; what a checker infers from its source is incomplete.
from typing import Any

def __getattr__(name: str) -> Any: ...
