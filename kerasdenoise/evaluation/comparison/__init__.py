"""The files of a model side by side, and other denoisers beside them: speed, memory, quality."""
