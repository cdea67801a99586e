"""`python cli.py` from a checkout is the installed `kerasdenoise` command."""

from kerasdenoise.cli import main

if __name__ == "__main__":
    main()
