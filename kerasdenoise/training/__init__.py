"""Training: a run is one recipe, followed from its first or last checkpoint to its end."""
