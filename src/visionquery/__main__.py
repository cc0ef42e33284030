"""`python -m visionquery` is the command line."""

from visionquery.cli import main

if __name__ == "__main__":
    main()
