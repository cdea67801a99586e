"""Which files are read and which are written: found, named and planned before any work."""
