"""Operations on batches of images that corruptions and trainings are made of, in `keras.ops`."""

from typing import Any

# A tensor of any Keras backend. Keras defines no public type for it.
Tensor = Any
