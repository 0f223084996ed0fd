"""The largest error of every mechanism of stage 3 over its domain, beside the formula as written with the same primitives.

    python -m benchmarks.never_worse [--points 400] [--store]

In ulp of the exact value, of values and of gradients in all leaves. A row holds where stage 3 loses at most 1 ulp, or is
within 4; the command exits with 1 where one does not.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.machine import store

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))  # where tests import each other from

from mechanisms import TABLE, WAYS, measured  # found there


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--points", type=int, default=400)
    parser.add_argument("--store", action="store_true")
    options = parser.parse_args()
    print(f"{'mechanism':20} {'formula':40} {'dtype':8} {'of':9}" + "".join(f"{way:>12}" for way in WAYS))
    rows, broken = [], 0
    for dtype in ("float64", "float32"):
        for found in measured(TABLE, dtype, options.points):
            fails = [way for way in ("plain", "right") if not found.holds(way)]
            broken += bool(fails)
            errors = "".join(f"{found.worst[way]:12.3g}" for way in WAYS)
            print(
                f"{found.row.mechanism:20} {found.row.text:40} {dtype:8} {found.what:9}{errors}  {' '.join(['worse:', *fails]) if fails else ''}"
            )
            rows.append(
                {
                    "mechanism": found.row.mechanism,
                    "formula": found.row.text,
                    "dtype": dtype,
                    "of": found.what,
                    **{way: float(f"{e:.3g}") for way, e in found.worst.items()},
                }
            )
    print(f"{len(rows)} rows, {broken} worse than as written by more than an ulp and beyond 4")
    if options.store:
        print(store("never_worse", rows))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
