"""Search for settings: a study is a folder of trials, each a training run of its own."""
