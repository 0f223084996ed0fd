"""Random formulas and their gradients at NaN, infinities, zeros of both signs, subnormal and huge numbers, beside NumPy.

    python tests/fuzz_special.py [--count 200] [--first 0] [--show 20] [--hidden 0] [--made 0]

In each row one leaf is special, the others are ordinary numbers. "hidden": a NaN that came in comes out as written, and as
a number here, in a value (a gradient, which takes nothing from a branch that is not taken, may do so and is counted apart).
"made": a finite number went in, the formula as written has a number, so has the exact formula, and here is NaN (what
infinities make of a formula in another form is counted apart). Exits with 1 where there are more of either than told.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import mpmath
import numpy as np
from quick_code import quickly
from random_formulas import POINTS, Formula, formula

from symdl.graph.expr import Expr
from symdl.passes.evaluate import evaluate
from symdl.verify import decided

BATCH = 20
ORDINARY = (0.625, 1.75, -0.875, 3.25)
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, 1e-310, -1e-310, 1.7e308, -1.7e308, 1e200, 1.0)
Array = Any


def rows(one: Formula, number: float, place: int) -> dict[Expr, Array]:
    """The leaves: ordinary numbers, but for one leaf, or an element of each of its rows, that is `number`."""
    found: dict[Expr, Array] = {}
    for k, x in enumerate(one.leaves):
        width = x.type.shape[1:]
        size = POINTS * int(np.prod(width, dtype=int))
        found[x] = np.resize(np.roll(ORDINARY, k), size).reshape(POINTS, *width).astype(x.type.dtype)
        if k == place:
            found[x][(slice(None), 0) if width else slice(None)] = number
    return found


def kind_of(one: Formula, output: int, at: Mapping[Expr, Array], number: float, got: Array, written: Array) -> str:
    """What is wrong with an output, if anything."""
    if np.isnan(number):
        lost = bool((np.isnan(written) & ~np.isnan(got)).any())
        return ("hidden in a gradient" if output else "hidden") if lost else ""
    odd = np.isfinite(written) & np.isnan(got)
    if not odd.any():
        return ""
    if np.isinf(np.asarray(number, one.outputs[0].type.dtype)):
        return "made of infinity"
    exact = decided([one.outputs[output]], at)[0]
    return "made" if any(mpmath.isfinite(v) for v in exact[odd]) else ""


def tried(first: int, dtype: str) -> tuple[Counter[str], list[dict[str, Any]]]:
    """A batch of formulas from a seed on, at every special number in every leaf."""
    formulas = [formula(first + k, dtype) for k in range(BATCH)]
    leaves = [x for f in formulas for x in f.leaves]
    run = quickly(leaves, [y for f in formulas for y in f.outputs])
    count: Counter[str] = Counter()
    failures: list[dict[str, Any]] = []
    most = max(len(f.leaves) for f in formulas)
    for place in range(most):
        places = [min(place, len(f.leaves) - 1) for f in formulas]
        plain = [rows(f, 1.375, p) for f, p in zip(formulas, places, strict=True)]
        sound = [[np.isfinite(v) for v in evaluate(f.outputs, at)] for f, at in zip(formulas, plain, strict=True)]
        for number in SPECIAL:
            at = [rows(f, number, p) for f, p in zip(formulas, places, strict=True)]
            results = iter(run([a[x] for f, a in zip(formulas, at, strict=True) for x in f.leaves]))
            for f, p, a, fine in zip(formulas, places, at, sound, strict=True):
                outcome = [next(results) for _ in f.outputs]
                if place > p:  # looked at before
                    continue
                for k, (written, well) in enumerate(zip(evaluate(f.outputs, a), fine, strict=True)):
                    got = np.where(well, outcome[k], 0.0)  # where ordinary numbers do: it is the special one's doing
                    written = np.where(well, written, 0.0)
                    count["rows"] += int(well.sum())
                    kind = kind_of(f, k, a, number, got, written)
                    if not kind:
                        continue
                    count[kind] += 1
                    leaf = str(f.leaves[p].name)[:1]
                    failures.append(
                        {"kind": kind, "seed": f.seed, "dtype": dtype, "output": k, "leaf": leaf, "number": number}
                        | {"got": got.tolist(), "written": written.tolist()}
                    )
    return count, failures


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--show", type=int, default=20)
    parser.add_argument("--hidden", type=int, default=0, help="how many rows may hide a NaN")
    parser.add_argument("--made", type=int, default=0, help="how many may make one")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    total: Counter[str] = Counter()
    failures: list[dict[str, Any]] = []
    with np.errstate(all="ignore"):
        for batch in range(options.first // BATCH, (options.first + options.count) // BATCH):
            count, found = tried(BATCH * batch, "float32" if batch % 3 == 2 else "float64")
            total.update(count)
            failures += found
    for failure in sorted(failures, key=lambda f: " " in f["kind"])[: options.show]:
        print(failure)
    kinds = ("hidden", "made", "hidden in a gradient", "made of infinity")
    print(f"{options.count} formulas, {total['rows']} rows; NaN: " + ", ".join(f"{total[k]} {k}" for k in kinds))
    return int(total["hidden"] > options.hidden or total["made"] > options.made)


if __name__ == "__main__":
    sys.exit(main())
