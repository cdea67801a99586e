"""From a training run to a saved model that needs nothing of it."""
