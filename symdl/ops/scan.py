"""The loop and the branch as ops: nodes with several results whose params hold the body.

scan runs its body `steps` times: body(rows of sequences, states by taps, others) -> (new states, output rows). A state's
result is its trace: the depth = max(taps) initial rows, then one row a step. So row r of a trace is the state after
step r - depth, "the states before" and "the states after" are slices of it, and so is the last. With reverse, step j
takes row steps - 1 - j of what it reads and writes, and the initial rows stand at the trace's end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np

from symdl.errors import InternalError, ShapeError
from symdl.graph.bodies import Body
from symdl.graph.expr import Expr, Inferred, Op, make, register
from symdl.ops.views import PAD, SLICE, dropped
from symdl.records import record
from symdl.types import Extent, Fact, Results, TensorType, equal, require_at_most


class Run(Protocol):
    """Who computes bodies."""

    def __call__(self, body: Body, arrays: Sequence[Any]) -> list[Any]:
        """The outputs of a body on arrays."""

    def empty(self, kind: TensorType) -> Any:
        """No rows of a type."""


@record
class Layout:
    """How a scan's inputs, and its body's parameters and outputs, are divided.

    taps: for each state, how many steps back it is read, each at least 1. stops: the body's last output is a bool, and
    the loop ends after the step in which it holds; the rows of the steps that are left repeat those of the last. One more
    result, an int64, then tells how many steps were run.
    """

    sequences: int
    taps: tuple[tuple[int, ...], ...]
    stops: bool

    @property
    def depths(self) -> tuple[int, ...]:
        """How many rows of each state must be kept."""
        return tuple(map(max, self.taps))

    def inputs(self, values: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
        """(sequences, initial rows, others)."""
        a = self.sequences
        b = a + len(self.taps)
        return values[:a], values[a:b], values[b:]

    def parameters(self, values: Sequence[Any]) -> tuple[Sequence[Any], list[Sequence[Any]], Sequence[Any]]:
        """(rows of sequences, each state by its taps, others)."""
        at = self.sequences
        states = []
        for lags in self.taps:
            states.append(values[at : at + len(lags)])
            at += len(lags)
        return values[: self.sequences], states, values[at:]

    def outputs(self, values: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any], Any]:
        """(new states, rows, whether to stop)."""
        n = len(self.taps)
        return (values[:n], values[n:-1], values[-1]) if self.stops else (values[:n], values[n:], None)


def layout_of(node: Expr) -> Layout:
    """The layout of a scan node."""
    return Layout(node.params["sequences"], node.params["taps"], node.params["stops"])


def _infer(
    *types: TensorType, body: Body, steps: Extent, sequences: int, taps: tuple[tuple[int, ...], ...],
    last: tuple[bool, ...], reverse: bool, stops: bool, truncate: int,
) -> Inferred:  # fmt: skip
    layout = Layout(sequences, taps, stops)
    seqs, inits, others = layout.inputs(types)
    rows, states, rest = layout.parameters(body.parameters)
    facts: list[Fact] = []
    require_at_most(0, steps, "scan: {right} steps", facts)
    for k, (t, row) in enumerate(zip(seqs, rows, strict=True)):
        require_at_most(
            steps, t.shape[0], f"scan: {{left}} steps, but the sequence {{{k}}} has {{right}} entries", facts
        )
        _same(TensorType(t.dtype, t.shape[1:]), row, k, facts)
    new, made, stop = layout.outputs([o.type for o in body.outputs])
    traces = []
    for k, (init, lags, own, after) in enumerate(zip(inits, taps, states, new, strict=True)):
        place, depth = sequences + k, max(lags)
        equal(init.shape[0], depth, f"scan: {{right}} initial rows of {{{place}}} are needed, not {{left}}", facts)
        for t in (*own, after):
            _same(TensorType(init.dtype, init.shape[1:]), t, place, facts)
        traces.append(after if last[k] else TensorType(after.dtype, (steps + depth, *after.shape)))
    for k, (t, own) in enumerate(zip(others, rest, strict=True)):
        _same(t, own, sequences + len(taps) + k, facts)
    if stop is not None and (stop.dtype != "bool" or stop.shape):
        raise ShapeError(f"scan: the condition to stop is {stop}, not one bool")
    out = [*traces, *(TensorType(t.dtype, (steps, *t.shape)) for t in made)]
    if stops:
        out.append(TensorType("int64"))
    return Results(tuple(out)), tuple(facts)


def _same(given: TensorType, wanted: TensorType, place: int, facts: list[Fact]) -> None:
    """A body is made for what it is given."""
    if given.dtype != wanted.dtype or len(given.shape) != len(wanted.shape):
        raise InternalError(f"scan: input {place} is {given} where the body takes {wanted}")
    for axis, (n, m) in enumerate(zip(given.shape, wanted.shape, strict=True)):
        equal(n, m, f"scan: axis {axis} of {{{place}}} has {{left}} entries, the step makes {{right}}", facts)


def _reference(
    *arrays: Any, run: Run, body: Body, steps: int, sequences: int, taps: tuple[tuple[int, ...], ...],
    last: tuple[bool, ...], reverse: bool, stops: bool, truncate: int,
) -> tuple[Any, ...]:  # fmt: skip
    layout = Layout(sequences, taps, stops)
    seqs, inits, others = layout.inputs(arrays)
    types = [o.type for o in body.outputs]
    histories = [list(i) if not reverse else list(i[::-1]) for i in inits]
    collected: list[list[Any]] = [[] for _ in types[len(taps) : len(types) - stops]]
    rounds = steps
    for j in range(steps):
        r = steps - 1 - j if reverse else j
        states = [h[-lag] for h, lags in zip(histories, taps, strict=True) for lag in lags]
        new, made, stop = layout.outputs(run(body, [*(s[r] for s in seqs), *states, *others]))
        for rows, value in zip((*histories, *collected), (*new, *made), strict=True):
            rows.append(value)
        if stop is not None and stop:
            for rows in (*histories, *collected):
                rows += [rows[-1]] * (steps - 1 - j)
            rounds = j + 1
            break
    out = []
    for history, alone in zip(histories, last, strict=True):
        out.append(history[-1] if alone else np.stack(history[::-1] if reverse else history))
    for rows, t in zip(collected, types[len(taps) :], strict=False):  # behind them the condition to stop
        out.append(np.stack(rows[::-1] if reverse else rows) if rows else run.empty(t))
    return (*out, np.int64(rounds)) if stops else tuple(out)


def _pullback(gradients: tuple[Expr | None, ...], y: Expr, *inputs: Expr, **params: Any) -> tuple[Expr | None, ...]:
    return PULLBACKS["scan"](gradients, y, *inputs, **params)


def _if_pullback(gradients: tuple[Expr | None, ...], y: Expr, *inputs: Expr, **params: Any) -> tuple[Expr | None, ...]:
    return PULLBACKS["ifelse"](gradients, y, *inputs, **params)


PULLBACKS: dict[
    str, Callable[..., tuple[Expr | None, ...]]
] = {}  # filled by loop_gradients, which differentiates bodies
SCAN = register(
    Op(
        "scan", "control", ("*xs",), _infer, "A loop: body(rows of sequences, states, others) -> (new states, rows).",
        reference=_reference, pullback=_pullback,
    )
)  # fmt: skip


def _if_infer(condition: TensorType, *types: TensorType, then: Body, other: Body, split: int) -> Inferred:
    facts: list[Fact] = []
    if condition.dtype != "bool" or condition.shape:
        raise ShapeError(f"ifelse: the condition is {condition}, not one bool")
    for k, (t, own) in enumerate(zip(types, (*then.parameters, *other.parameters), strict=True)):
        _same(t, own, 1 + k, facts)
    out = []
    for k, (a, b) in enumerate(zip(then.outputs, other.outputs, strict=True)):
        if a.type.dtype != b.type.dtype or a.type.ndim != b.type.ndim:
            raise InternalError(f"ifelse: value {k} is {a.type} or {b.type}")
        why = f"ifelse: axis {{axis}} of value {k} is {{left}} long in one branch and {{right}} in the other"
        shape = [
            equal(n, m, why.replace("{axis}", str(axis)), facts)
            for axis, (n, m) in enumerate(zip(a.type.shape, b.type.shape, strict=True))
        ]
        out.append(TensorType(a.type.dtype, tuple(shape)))
    return Results(tuple(out)), tuple(facts)


def _if_reference(condition: Any, *arrays: Any, run: Run, then: Body, other: Body, split: int) -> tuple[Any, ...]:
    return tuple(run(then, arrays[:split]) if condition else run(other, arrays[split:]))


IF = register(
    Op(
        "ifelse", "control", ("condition", "*xs"), _if_infer,
        "then's values where the condition, one bool, holds, else other's; only these are computed.",
        reference=_if_reference, pullback=_if_pullback,
    )
)  # fmt: skip


def scan_node(
    body: Body, sequences: Sequence[Expr], initials: Sequence[Expr], others: Sequence[Expr], steps: Extent,
    taps: Sequence[Sequence[int]] | None = None, reverse: bool = False, stops: bool = False, truncate: int = -1,
    last: Sequence[bool] | None = None,
) -> Expr:  # fmt: skip
    """A scan; without taps each state is read one step back."""
    lags = tuple(map(tuple, taps)) if taps is not None else ((1,),) * len(initials)
    alone = tuple(last) if last is not None else (False,) * len(lags)
    return make(
        SCAN, (*sequences, *initials, *others), body=body, steps=steps, sequences=len(sequences), taps=lags, last=alone,
        reverse=reverse, stops=stops, truncate=truncate,
    )  # fmt: skip


# ---- rows ----


_held: WeakKeyDictionary[Expr, Expr] = WeakKeyDictionary()


def ended(rows: Expr, count: Extent) -> Expr:
    """The first `count` rows, after which all repeat the last of these."""
    out = rows_of(rows, 0, count)
    _held[out] = rows
    return out


def with_last_row(x: Expr) -> Expr:
    """x, or rows that end with the same row and whose number does not depend on data."""
    return _held.get(x, x)


def rows_of(x: Expr, start: Extent, length: Extent) -> Expr:
    """x[start : start + length]."""
    if start == 0 and length == x.type.shape[0]:
        return x
    inner, first = unpadded(x)
    if first == start and inner.type.shape[0] == length:
        return inner
    rest = x.type.shape[1:]
    return make(SLICE, (x,), starts=(start, *(0 for _ in rest)), steps=(1,) * x.type.ndim, lengths=(length, *rest))


def row_of(x: Expr, at: Extent) -> Expr:
    """x[at]."""
    return dropped(rows_of(x, at, 1), (0,))


def unpadded(g: Expr) -> tuple[Expr, Extent]:
    """(what stands in rows of zeros, its first row)."""
    start: Extent = 0
    while g.op is PAD and g.params["fill"] == 0 and set(g.params["steps"]) == {1}:
        (x,), p = g.inputs, g.params
        if any(s != 0 or n != m for s, n, m in zip(p["starts"][1:], x.type.shape[1:], p["shape"][1:], strict=True)):
            break
        start, g = start + p["starts"][0], x
    return g, start
