"""MRG31k3p, the generator of Theano's MRG_RandomStreams, as formulas of integers (L'Ecuyer and Touzin 2000).

Two recurrences modulo primes below 2^31, whose difference modulo the first is a number:
x[t] = 2^22 x[t-2] + (2^7 + 1) x[t-3] mod 2^31 - 1 and y[t] = 2^15 y[t-1] + (2^15 + 1) y[t-3] mod 2^31 - 21069.
A draw has many streams side by side, 2^72 steps apart from one another: element i is the next of stream i mod their
number. So one row of elements is a step of a loop, which is native code in vectors.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from symdl.control import scan
from symdl.graph.expr import Expr
from symdl.ops.elementwise import cast, le, lt, minimum, where
from symdl.ops.extents import expr_of
from symdl.ops.indexing import set_subtensor
from symdl.ops.scan import row_of, rows_of
from symdl.ops.shaping import concatenate, iota, stack
from symdl.types import Extent, floor_divide, largest

PRIMES = (2**31 - 1, 2**31 - 21069)
STEPS = (((0, 2**22, 129), (1, 0, 0), (0, 1, 0)), ((2**15, 0, 2**15 + 1), (1, 0, 0), (0, 1, 0)))  # one step of each
STREAM, DRAW = 72, 134  # so many doublings of a step between streams, and between draws
MOST = 60 * 256  # streams of a draw


def _times(a: Any, b: Any, prime: int) -> Any:
    """The product of integer matrices modulo a prime."""
    return ((a[:, :, None] * b[None]) % prime).sum(1) % prime


@cache
def _power(which: int, doublings: int) -> Any:
    """2^doublings steps as one matrix."""
    if doublings == 0:
        return np.array(STEPS[which], np.int64)
    half = _power(which, doublings - 1)
    return _times(half, half, PRIMES[which])


def _ahead(states: Any, doublings: int) -> Any:
    """States, a row each, after 2^doublings steps."""
    halves = [_times(_power(k, doublings), states[:, 3 * k : 3 * k + 3].T, PRIMES[k]).T for k in (0, 1)]
    return np.concatenate(halves, 1)


def next_draw(state: Any) -> Any:
    """Where the streams of the next draw begin."""
    return _ahead(np.asarray(state, np.int64)[None], DRAW)[0].astype(np.int32)


def streams_from(state: Any, count: int) -> Any:
    """int32: the first states of so many streams, a row each."""
    rows, doublings = np.asarray(state, np.int64)[None], STREAM
    while len(rows) < count:
        rows = np.concatenate([rows, _ahead(rows, doublings)[: count - len(rows)]])
        doublings += 1
    return rows.astype(np.int32)


def _below(x: Expr, prime: int) -> Expr:
    """x modulo a prime for x < 2 primes, as uint32: what is less wraps around to more."""
    return minimum(x, x - prime)


def _first(two_ago: Expr, three_ago: Expr) -> Expr:
    """The next of the first recurrence. A multiplication by 2^k modulo 2^31 - 1 is a rotation."""
    p = PRIMES[0]
    y = ((two_ago & 511) << 22) + (two_ago >> 9) + (((three_ago & 0xFFFFFF) << 7) + (three_ago >> 24))
    return _below(_below(y, p) + three_ago, p)


def _second(one_ago: Expr, three_ago: Expr) -> Expr:
    """The next of the second recurrence. 2^31 is 21069 modulo its prime."""
    p = PRIMES[1]

    def shifted(x: Expr) -> Expr:
        return _below(((x & 0xFFFF) << 15) + (x >> 16) * 21069, p)

    return _below(_below(shifted(three_ago) + three_ago, p) + shifted(one_ago), p)


def integers(state: Expr, count: Extent, used: Expr | None = None) -> tuple[Expr, Expr]:
    """(int32: count numbers in 1..2^31 - 1, the state after them) of a state with a row for each of its streams.

    used: so many of the numbers, known from data only, count as drawn.
    """
    streams = state.type.shape[0]
    assert isinstance(streams, int)
    lanes = count if isinstance(count, int) and count < streams else streams
    steps = floor_divide(count + (streams - 1), streams)
    now = cast(state[:lanes], "uint32")
    begun = [stack([now[:, 3 * k + 2 - lag] for lag in range(3)]) for k in (0, 1)]  # the oldest first

    def step(x2: Expr, x3: Expr, y1: Expr, y3: Expr) -> list[Expr]:
        return [_first(x2, x3), _second(y1, y3)]

    states = [{"initial": begun[0], "taps": [-2, -3]}, {"initial": begun[1], "taps": [-1, -3]}]
    made, _ = scan(step, None, states, n_steps=steps)
    x, y = made
    difference = cast(where(le(x, y), x - y + PRIMES[0], x - y), "int32")
    whole = [concatenate([b, rows]) for b, rows in zip(begun, made, strict=True)]
    lane = iota((lanes,), 0)
    if used is None:  # the last step is one of the first streams only
        went = lt(lane, expr_of(count - (steps - 1) * streams))
        columns = [
            where(went, row_of(w, steps + 2 - lag), row_of(w, largest(steps + 1 - lag, 0)))
            for w in whole
            for lag in range(3)
        ]
    else:
        own = (used + (streams - 1) - lane) // streams  # so many of each stream
        columns = [w[own + 2 - lag, lane] for w in whole for lag in range(3)]
    after = cast(stack(columns, 1), "int32")
    if lanes != streams:
        after = set_subtensor(state[lane], after)  # by numbers, which touches these rows only
    return rows_of(difference.reshape((-1,)), 0, count), after
