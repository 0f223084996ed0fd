"""The command `symdl`: train, judge and use models of the zoo, examine the installation, clear the cache.

Results go to standard output, progress and errors to standard error. Exit codes: 0 done, 1 failed, 2 wrongly called,
130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from symdl import extras
from symdl.cli import system, training, using, zoo
from symdl.cli.options import DONE, FAILED, INTERRUPTED, MISUSED
from symdl.errors import SymdlError

__all__ = ["DONE", "FAILED", "INTERRUPTED", "MISUSED", "main", "make_parser"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (those of the process if not given) and return its exit code."""
    parser = make_parser()
    try:
        arguments = parser.parse_args(argv)
        command: Callable[[argparse.Namespace], int] = arguments.command
        return command(arguments)
    except SystemExit as end:  # argparse has printed what was wrong, or the help
        return end.code if isinstance(end.code, int) else MISUSED
    except SymdlError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # the reader of standard output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains at its end
        return FAILED
    except OSError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def make_parser() -> argparse.ArgumentParser:
    """All verbs and options."""
    parser = argparse.ArgumentParser(prog="symdl", description="A compiler of symbolic expressions, and a model zoo.")
    parser.add_argument("--version", action="version", version=f"symdl {extras.own_version()}")
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for part in (zoo, training, using, system):
        part.add_verbs(verbs)
    return parser
