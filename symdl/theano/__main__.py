"""python -m symdl.theano script.py [arguments]: run a program that imports theano on symdl."""

import os
import runpy
import sys

from symdl.theano.tree import alias

USAGE = "usage: python -m symdl.theano script.py [arguments]"


def main(arguments: list[str]) -> int:
    """Run the script named by the first argument with the rest as its own."""
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(f"{USAGE}\n")
        return 0 if arguments else 2
    alias()
    sys.argv = arguments
    sys.path.insert(0, os.path.dirname(os.path.abspath(arguments[0])))
    runpy.run_path(arguments[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
