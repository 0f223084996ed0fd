"""`symdl doctor` and `symdl cache`: the installation."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from symdl.cli.options import DONE, FAILED
from symdl.config import config
from symdl.doctor import examine, report
from symdl.pipeline.cache import Cache


def add_verbs(verbs: Any) -> None:
    """Their parsers."""
    verb = verbs.add_parser("doctor", help="say what is installed and whether it works")
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.set_defaults(command=doctor)

    verb = verbs.add_parser(
        "cache",
        help="show or clear the cache of compiled code",
        description="The folder is SYMDL_CACHE_DIR or config.cache_dir, its largest size config.cache_size.",
    )
    verb.add_argument("action", nargs="?", choices=["show", "clear"], default="show", help="default: show")
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.set_defaults(command=cache)


def doctor(arguments: argparse.Namespace) -> int:
    """`symdl doctor`."""
    findings = examine()
    print(json.dumps([asdict(f) for f in findings]) if arguments.json else report(findings))
    return DONE if all(f.fine for f in findings) else FAILED


def cache(arguments: argparse.Namespace) -> int:
    """`symdl cache`, `symdl cache clear`."""
    if not config.cache_dir:
        print(json.dumps({"folder": "", "entries": 0, "bytes": 0}) if arguments.json else "the cache is switched off")
        return DONE
    kept = Cache(config.cache_dir, config.cache_size)
    trouble = kept.trouble()
    removed = kept.clear() if arguments.action == "clear" and not trouble else 0
    entries = [] if trouble else kept.entries()
    found = {"folder": kept.folder, "entries": len(entries), "bytes": sum(e.size for e in entries), "limit": kept.limit}
    if arguments.json:
        print(json.dumps({**found, "trouble": trouble}))
    elif arguments.action == "show":
        print("\n".join(f"{name:<8} {value}" for name, value in found.items()))
    elif not trouble:
        print(f"{removed} entries removed from {kept.folder}")
    if trouble:
        print(f"the folder is not used: {trouble}", file=sys.stderr)
    return FAILED if trouble else DONE
