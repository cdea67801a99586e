# Keras ships no types; what a checker infers from its source is often wrong (every operation
# may return None, `verbose=0` is no string). This says that nothing is known.
from typing import Any

def __getattr__(name: str) -> Any: ...
