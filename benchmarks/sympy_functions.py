"""Functions of sympy expressions on 10^6 doubles: symdl.from_sympy beside sympy.lambdify on NumPy and SciPy.

    python -m benchmarks.sympy_functions [--rounds 7] [--elements 1000000] [--threads 1]

The two take turns; the best round of each counts, in milliseconds. Every formula is run once before, and the results are
compared. "plain" is from_sympy with precision="plain"; "right", the default, also keeps the digits that lambdify loses.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy

import symdl
from benchmarks.elementwise import one_thread

X, Y = sympy.symbols("x y", real=True)
FORMULAS: dict[str, Any] = {
    "polynomial": sum(k * X**k for k in range(1, 9)),
    "Gaussian times cosine": sympy.exp(-(X**2)) * sympy.cos(3 * X),
    "log of a sum of exponentials": sympy.log(sympy.exp(X) + sympy.exp(Y)),
    "logistic": 1 / (1 + sympy.exp(-X)),
    "piecewise": sympy.Piecewise((sympy.sin(X) / X, sympy.Ne(X, 0)), (1, True)),
    "distribution function": (1 + sympy.erf(X / sympy.sqrt(2))) / 2,
    "hyperbolic": sympy.tanh(X) * sympy.atan2(Y, X) + sympy.sqrt(1 + X**2),
    "a derivative": sympy.diff(sympy.exp(sympy.sin(X * Y)) / (1 + X**2), X, 2),
}


def times(calls: list[Callable[[], Any]], rounds: int) -> list[float]:
    """The best round of each call in seconds, taking turns."""
    best = [float("inf")] * len(calls)
    for _ in range(rounds):
        for k, call in enumerate(calls):
            begin = time.perf_counter()
            call()
            best[k] = min(best[k], time.perf_counter() - begin)
    return best


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--elements", type=int, default=1_000_000)
    options.add_argument("--threads", type=int, default=1)
    given = options.parse_args()
    symdl.config.threads = given.threads
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, given.elements))
    print(f"{'':30}{'lambdify':>10}{'right':>10}{'plain':>10}{'times':>8}   difference")
    for name, formula in FORMULAS.items():
        arrays = [a for s, a in ((X, x), (Y, y)) if s in formula.free_symbols]
        names = [s for s in (X, Y) if s in formula.free_symbols]
        theirs = sympy.lambdify(names, formula, modules=["scipy", "numpy"])
        right, plain = (symdl.from_sympy(formula, names, precision=p) for p in ("right", "plain"))
        with np.errstate(all="ignore"):
            wanted = theirs(*arrays)
            apart = np.max(np.abs(right(*arrays) - wanted) / (1 + np.abs(wanted)))
            calls = [lambda f=f, a=arrays: f(*a) for f in (theirs, right, plain)]
            slow, ours, quick = times(calls, given.rounds)
        print(
            f"{name:30}{1e3 * slow:10.2f}{1e3 * ours:10.2f}{1e3 * quick:10.2f}{slow / ours:8.1f}   {apart:.1e}",
            flush=True,
        )


if __name__ == "__main__":
    one_thread()
    main()
