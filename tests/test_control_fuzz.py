"""Random loops: bodies of random formulas, taps, directions and readers, beside the same steps written out one by one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import symdl.tensor as T
from symdl import function, grad, ifelse, scan
from symdl.graph.expr import Expr
from symdl.passes import unrolled as unrolling

STEPS, ROWS, WIDTH = 4, 2, 3


class Net:
    """A random step: of rows of two sequences, earlier states by taps and shared weights, new states and one output."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        pick = random.Random(seed)
        self.taps = [sorted(pick.sample([-1, -2, -3], pick.randint(1, 2))) for _ in range(pick.randint(1, 2))]
        self.backwards = pick.random() < 0.3
        self.reads_end = pick.random() < 0.3
        self.truncate = pick.choice([-1, -1, -1, 2])

    def step(self, *args: Expr) -> list[Expr]:
        """rows of x and y, states by taps, then w, u, b."""
        pick = random.Random(self.seed + 1)
        *values, w, u, b = args
        pool: list[Expr] = list(values)
        for _ in range(pick.randint(4, 8)):
            a, c = pick.choice(pool), pick.choice(pool)
            kind = pick.randrange(9)
            if kind == 0:
                pool.append(T.tanh(a @ w + c))
            elif kind == 1:
                pool.append(a * T.sigmoid(c + b))
            elif kind == 2:
                pool.append(T.concatenate([a[:, 1:], c[:, :1]], axis=1))
            elif kind == 3:
                pool.append(a - c.mean(axis=0))
            elif kind == 4:
                pool.append(T.where(T.gt(a, 0), c, -0.5 * a))
            elif kind == 5:
                pool.append(T.softmax(a, axis=1) * u[0, 0])
            elif kind == 6:
                pool.append(T.tanh((a + c) @ u.T))
            elif kind == 7:
                pool.append(ifelse(T.gt(a.sum(), c.sum()), T.sin(a), c * b))
            else:
                pool.append(T.exp(-a * a) + T.dot(w, w)[0])
        news = [T.tanh(v) for v in pool[-len(self.taps) :]]
        return [*news, pool[-1] * pool[pick.randrange(len(pool))]]


def looped(net: Net, x: Expr, y: Expr, firsts: Sequence[Expr], weights: Sequence[Expr]) -> list[Expr]:
    infos = [{"initial": f[0] if t == [-1] else f, "taps": t} for f, t in zip(firsts, net.taps, strict=True)]
    out, _ = scan(
        net.step, [x, y], [*infos, None], list(weights), go_backwards=net.backwards, truncate_gradient=net.truncate
    )
    return list(out)


def written_out(net: Net, x: Expr, y: Expr, firsts: Sequence[Expr], weights: Sequence[Expr]) -> list[Expr]:
    histories = [[f[k] for k in range(-min(t))] for f, t in zip(firsts, net.taps, strict=True)]
    rows = []
    for j in range(STEPS):
        t = STEPS - 1 - j if net.backwards else j
        before = [h[tap] for h, taps in zip(histories, net.taps, strict=True) for tap in taps]
        *news, row = net.step(x[t], y[t], *before, *weights)
        for h, new in zip(histories, news, strict=True):
            h.append(new)
        rows.append(row)
    return [*(T.stack(h[-STEPS:]) for h in histories), T.stack(rows)]


def cost_of(net: Net, outputs: Sequence[Expr]) -> Expr:
    total: Any = 0.0
    for k, o in enumerate(outputs):
        total = total + ((o[-1] * (k + 1)).sum() if net.reads_end else (o**2).sum() * (k + 1))
    return total  # type: ignore[no-any-return]  # a sum of expressions


@pytest.mark.parametrize("rounds", [0, unrolling.ROUNDS])
@pytest.mark.parametrize("seed", range(10))
def test_a_random_loop_is_its_steps_written_out(seed: int, rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a loop, and where it is short arithmetic written out by the compiler, too."""
    monkeypatch.setattr(unrolling, "ROUNDS", rounds)
    net = Net(seed)
    rng = np.random.default_rng(seed)
    leaves = [T.tensor(n, "float64", (STEPS, ROWS, WIDTH)) for n in "xy"]
    leaves += [T.tensor(f"h{k}", "float64", (-min(t), ROWS, WIDTH)) for k, t in enumerate(net.taps)]
    leaves += [
        T.tensor("w", "float64", (WIDTH, WIDTH)),
        T.tensor("u", "float64", (WIDTH, WIDTH)),
        T.tensor("b", "float64", (WIDTH,)),
    ]
    values = [rng.normal(size=v.type.shape) for v in leaves]
    x, y, *rest = leaves
    firsts, weights = rest[: len(net.taps)], rest[len(net.taps) :]
    found: list[list[Any]] = []
    for build in (looped, written_out):
        outputs = build(net, x, y, firsts, weights)
        cost = cost_of(net, outputs)
        wrt = leaves if net.truncate < 0 else []
        asked = [*outputs, cost, *grad(cost, wrt, disconnected_inputs="ignore")]
        modes = ("native", "interpreter", "numpy") if build is looped else ("native",)
        found += [function(leaves, asked, mode=m, on_unused_input="ignore")(*values) for m in modes]
    for other in found[:-1]:
        for a, b in zip(other, found[-1], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
