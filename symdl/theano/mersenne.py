"""NumPy's RandomState in formulas, as Theano has it: a draw takes a state and gives its numbers and the state after them.

The numbers are NumPy's own (Matsumoto and Nishimura 1998, and what RandomState makes of their words), bit by bit. In a
formula a state is 628 words of 32 bits: the generator's 624, its position, and a normal number that is left over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from symdl.graph.expr import Expr, Inferred, Op, make, register, results
from symdl.ops.extents import exprs_of
from symdl.theano.variables import vector_of
from symdl.types import Results, Shape, TensorType

KEY, WORDS = 624, 628
STATE = TensorType("uint32", (WORDS,))
Machine = np.random.RandomState


class _Machines(threading.local):
    """One generator a thread, which runs on whatever state it is given: making one anew takes as long as a draw."""

    def __init__(self) -> None:
        self.own = Machine(0)


_machines = _Machines()


def words_of(machine: Machine) -> Any:
    """A generator's state as words."""
    _, key, position, left, number = machine.get_state()
    made = np.empty(WORDS, np.uint32)
    made[:KEY], made[KEY], made[KEY + 1] = key, position, left
    made[KEY + 2 :] = np.array([number]).view(np.uint32)
    return made


def brought(machine: Machine, words: Any) -> Machine:
    """The generator in the state of these words."""
    number = np.ascontiguousarray(words[KEY + 2 :]).view(np.float64)[0]
    machine.set_state(("MT19937", words[:KEY], int(words[KEY]), int(words[KEY + 1]), float(number)))
    return machine


def _choice(m: Machine, shape: tuple[int, ...], a: Any, replace: Any, p: Any) -> Any:
    return m.choice(a if a.ndim else int(a), shape, bool(replace), p if p.size else None)


def _permutations(m: Machine, shape: tuple[int, ...], n: Any) -> Any:
    made = np.empty((*shape, int(n)), np.int64)
    for at in np.ndindex(*shape):
        made[at] = m.permutation(int(n))
    return made


def _counts(m: Machine, shape: tuple[int, ...], n: Any, pvals: Any) -> Any:
    """Rows of counts. As in Theano, probabilities that add up to a little more than 1, or end near 0, are taken 5e-5 smaller."""
    made = np.empty((*shape, pvals.shape[-1]))
    trials, rows = np.broadcast_to(n, shape), np.broadcast_to(pvals, made.shape)
    for at in np.ndindex(*shape):
        p = rows[at]
        if 1.0 < p.sum() < 1.0 + 1e-5 or p[-1] < 5e-5:
            p = p * (1.0 - 5e-5)
        made[at] = m.multinomial(trials[at], p.astype("float64"))
    return made


DRAWS: dict[str, Callable[..., Any]] = {  # of a generator, a shape, and parameters
    "uniform": lambda m, shape, low, high: m.uniform(low, high, shape),
    "normal": lambda m, shape, avg, std: m.normal(avg, std, shape),
    "binomial": lambda m, shape, n, p: m.binomial(n, p, shape),
    "poisson": lambda m, shape, lam: m.poisson(lam, shape),
    "random_integers": lambda m, shape, low, high: m.randint(low, high + 1, shape),
    "choice": _choice,
    "permutation": _permutations,
    "multinomial": _counts,
}


def _types(*_: TensorType, draw: str, dtype: str, shape: Shape) -> Inferred:
    return Results((STATE, TensorType(dtype, shape))), ()


def _drawn(words: Any, sizes: Any, *parameters: Any, draw: str, dtype: str, shape: Shape = ()) -> tuple[Any, Any]:
    machine = brought(_machines.own, words)
    made = DRAWS[draw](machine, tuple(sizes.tolist()), *parameters)
    return words_of(machine), np.asarray(made, dtype)


DRAW = register(
    Op(
        "random_state", "routine", ("state", "sizes", "*parameters"), _types,
        "The state after a draw of NumPy's RandomState, and what it draws.", reference=_drawn,
        pullback=lambda g, y, *inputs, **_: (None,) * len(inputs),
    )
)  # fmt: skip


def drawn(name: str, dtype: str, state: Expr, shape: Shape, *parameters: Expr, rows: Shape = ()) -> tuple[Expr, Expr]:
    """(the state after, numbers of a shape); rows: further axes, which the distribution itself has."""
    sizes = vector_of(exprs_of(shape))
    after, numbers = results(make(DRAW, (state, sizes, *parameters), draw=name, dtype=dtype, shape=(*shape, *rows)))
    return after, numbers
