"""The road a photo takes: read, cut into tiles, run, put together, write."""
