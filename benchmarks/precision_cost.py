"""What precision="right" costs beside "plain": run time of training steps and of fused chains, and time to lower.

    python -m benchmarks.precision_cost [--parts steps chains lowering] [--only NAME ...] [--rounds 20] [--elements 10000000] [--store]

One thread. Both functions of a pair run in turn, in processor time, for so many rounds, more where these take less than a second: five
rounds of a step of 2 ms tell its ratio to 5 %, 300 to 1 %. Printed are the best of each, and the median over rounds of the ratio. Of a step
are also counted its operations on arrays, and on numbers, that carry a second limb, an exponent only (float64 for float32 where that
reaches), or neither. Lowering is stage 3 with the analysis of precision, for Adam steps of 1, 2, 4 and 8 hidden layers.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any

import numpy as np

import symdl
import symdl.tensor as T
from benchmarks.machine import store
from benchmarks.training_steps import STEPS, Step, perceptron
from symdl.graph.expr import Expr
from symdl.graph.walks import topological
from symdl.meaning import stabilized
from symdl.meaning.lowering import Lowering
from symdl.meaning.precision import Analysis
from symdl.ops.declare import is_float
from symdl.passes.dims import canonical_sizes, with_sizes
from symdl.passes.rewrite import Origins
from symdl.pipeline.collector import collector_paused

Rows = list[dict[str, Any]]
PRECISIONS = ("plain", "right")
LEAST = 1.0  # seconds that the rounds of a pair take together
CHAINS: dict[str, Callable[..., Expr]] = {
    "sqrt(x*x + 1)": lambda x: T.sqrt(x * x + 1),
    "log(sigmoid(a*x + b))": lambda x: T.log(T.sigmoid(1.5 * x + 0.25)),
    "x sigmoid(x)": lambda x: x * T.sigmoid(x),
    "gelu": lambda x: 0.5 * x * (1 + T.erf(x / 2**0.5)),
    "tanh(2x + 1) exp(-x*x)": lambda x: T.tanh(2 * x + 1) * T.exp(-x * x),
    "softplus(x) - x": lambda x: T.softplus(x) - x,
    "sqrt(x*x + y*y)": lambda x, y: T.sqrt(x * x + y * y),
    "logistic density": lambda x: T.exp(-x) / (1 + T.exp(-x)) ** 2,
    "log Student-t density": lambda x: -2.5 * T.log(1 + x * x / 4),
    "a*x + b": lambda x: 1.5 * x + 0.25,
    "tanh(ax + y) y - exp(-xx)": lambda x, y: T.tanh(x * 1.5 + y) * y - T.exp(-(x * x)),
    "(sigmoid(x) - y)**2": lambda x, y: (T.sigmoid(x) - y) ** 2,
    "exp(x) - exp(y)": lambda x, y: T.exp(x) - T.exp(y),
    "log Gauss density, log s": lambda x, m, s: -0.5 * ((x - m) / T.exp(s)) ** 2 - s,
    "batch norm of 100 columns": lambda x: T.layer_normalization(x.reshape((-1, 100)), axes=0),
    "layer norm of rows of 100": lambda x: T.layer_normalization(x.reshape((-1, 100)), axes=-1),
}


def timed(functions: dict[str, Callable[[], Any]], rounds: int, least: float = 0.0) -> dict[str, list[float]]:
    """Seconds of processor time of each, in rounds in turn, of which every other one goes backwards. least: the seconds that
    rounds go on for, if so many have not taken as long."""
    found: dict[str, list[float]] = {name: [] for name in functions}
    spent = 0.0
    for k in count():
        if k >= rounds and spent >= least:
            break
        for name in list(functions)[:: -1 if k % 2 else 1]:
            start = time.thread_time()
            functions[name]()
            found[name].append(time.thread_time() - start)
            spent += found[name][-1]
    return found


def pair(row: dict[str, Any], seconds: dict[str, list[float]]) -> dict[str, Any]:
    """The row with both times and their quotient."""
    times = {f"{p}_ms": round(min(seconds[p]) * 1e3, 3) for p in PRECISIONS}
    ratio = statistics.median(b / a for a, b in zip(*(seconds[p] for p in PRECISIONS), strict=True))
    return row | times | {"ratio": round(ratio, 3)}


def roots_of(step: Step) -> list[Expr]:
    """The outputs and updates of a step, its sizes named as the compiler names them."""
    leaves = [*step.inputs, *(shared for shared, _ in step.updates)]
    roots = [step.loss, *(new for _, new in step.updates)]
    nodes = tuple(topological(*roots, *leaves))
    sizes = canonical_sizes(leaves, frozenset(range(len(step.inputs), len(leaves))), nodes)
    return with_sizes(roots, sizes.table, {}, {})


def counted(step: Step) -> dict[str, dict[str, int]]:
    """How many operations carry what, on arrays and on numbers."""
    lowering = Lowering(roots_of(step), {})
    analysis = Analysis(lowering(), lowering.known)
    found = {"arrays": Counter[str](), "numbers": Counter[str]()}
    for n in analysis.order:
        if n.inputs and is_float(n.type.dtype):
            need = analysis.need(n)
            carried = "limb" if need.bits else "exponent" if need.range else "neither"
            found["arrays" if n.type.shape else "numbers"][carried] += 1
    return {kind: {c: counts[c] for c in ("limb", "exponent", "neither")} for kind, counts in found.items()}


def steps(only: Sequence[str], rounds: int) -> Rows:
    """A row for each training step."""
    rows = []
    for name, build in STEPS.items():
        if only and name not in only:
            continue
        built = {p: build() for p in PRECISIONS}
        runs = {p: partial(step.function(p), *step.arguments) for p, step in built.items()}
        seconds = timed(runs, rounds, LEAST)
        row = pair({"part": "steps", "name": name}, seconds) | {"operations": counted(built["right"])}
        rows.append(row)
        counts = "  ".join(f"{kind} {'/'.join(map(str, c.values()))}" for kind, c in row["operations"].items())
        print(f"{name:<26}{row['plain_ms']:>10}{row['right_ms']:>10}{row['ratio']:>8}   {counts}", flush=True)
    return rows


def chains(only: Sequence[str], rounds: int, elements: int) -> Rows:
    """A row for each chain and dtype."""
    rows = []
    for name, formula in CHAINS.items():
        for dtype in ("float32", "float64"):
            if only and name not in only:
                continue
            arity = formula.__code__.co_argcount
            inputs = [T.tensor(f"x{k}", dtype=dtype, shape=(None,)) for k in range(arity)]
            data = [np.random.default_rng(k).standard_normal(elements).astype(dtype) for k in range(arity)]
            runs = {p: partial(symdl.function(inputs, formula(*inputs), precision=p), *data) for p in PRECISIONS}
            seconds = timed(runs, rounds, LEAST)
            rows.append(pair({"part": "chains", "name": name, "dtype": dtype}, seconds))
            row = rows[-1]
            print(f"{name:<26}{dtype:<8}{row['plain_ms']:>10}{row['right_ms']:>10}{row['ratio']:>8}", flush=True)
    return rows


def lowering(rounds: int) -> Rows:
    """A row for each size of a perceptron: time of stage 3, with and without the analysis of precision."""
    rows = []
    for hidden in (1, 2, 4, 8):
        roots = roots_of(perceptron((64, *[32] * hidden, 10), 8))
        count = sum(1 for _ in topological(*roots))

        def lowered(right: bool, roots: Sequence[Expr] = roots) -> None:
            origins: Origins = {n: frozenset([k]) for k, n in enumerate(topological(*roots))}
            with collector_paused():
                stabilized(roots, origins, right)

        seconds = timed({p: partial(lowered, p == "right") for p in PRECISIONS}, rounds)
        row = pair({"part": "lowering", "hidden_layers": hidden, "nodes": count}, seconds)
        row["us_a_node"] = round(min(seconds["right"]) / count * 1e6, 1)
        rows.append(row)
        print(
            f"{hidden} hidden, {count:>4} nodes      {row['plain_ms']:>10}{row['right_ms']:>10}{row['us_a_node']:>8} us a node"
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--parts", nargs="+", choices=("steps", "chains", "lowering"), default=["steps", "chains", "lowering"]
    )
    parser.add_argument("--only", nargs="+", default=[], help="names of steps and chains")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--elements", type=int, default=10**7, help="of the chains' arrays")
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/precision_cost.json")
    options = parser.parse_args()
    symdl.config.threads = 1
    rows: Rows = []
    if "steps" in options.parts:
        print(f"{'':<26}{'plain ms':>10}{'right ms':>10}{'ratio':>8}   operations: limb/exponent/neither")
        rows += steps(options.only, options.rounds)
    if "chains" in options.parts:
        print(f"{'':<34}{'plain ms':>10}{'right ms':>10}{'ratio':>8}")
        rows += chains(options.only, options.rounds, options.elements)
    if "lowering" in options.parts:
        print(f"{'stage 3 of':<26}{'plain ms':>10}{'right ms':>10}")
        rows += lowering(options.rounds)
    if options.store:
        print("record:", store("precision_cost", rows).name)


if __name__ == "__main__":
    main()
