"""`python -m kerasdenoise` is the command `kerasdenoise`."""

from kerasdenoise.cli import main

main()
