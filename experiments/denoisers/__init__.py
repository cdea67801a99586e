"""The saved models and other denoisers on standard sets, for docs/quality.md."""
