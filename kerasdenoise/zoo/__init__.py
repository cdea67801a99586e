"""Saved models: finds, describes and verifies them.

A folder of models holds `index.json` and one folder per model:

    saved_models/
      index.json          {"default": name, "models": {name: {"summary", "files"}}}
      photo/
        metadata.json     the fields of `ModelInfo`
        config.json  model.tflite  …
"""

from kerasdenoise.zoo.find import default_model, find_model, list_models, model_names
from kerasdenoise.zoo.info import ModelInfo
from kerasdenoise.zoo.verify import verify_model

__all__ = ["ModelInfo", "default_model", "find_model", "list_models", "model_names", "verify_model"]
