"""What a scan is made of: what the user passes, read and checked, and one call of the step on stand-ins."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symdl.config import config
from symdl.errors import DtypeError, InputError, ShapeError, kind_of
from symdl.graph.bodies import argument, closed, dependent, moved
from symdl.graph.clock import Clock, ticking
from symdl.graph.expr import RESULT, VARIABLE, Expr, as_expr, come_from, described, results
from symdl.graph.walks import topological
from symdl.ops.counted import extent_from_data
from symdl.ops.declare import cast_to, common_dtype, is_float, spread, stacked
from symdl.ops.elementwise import ne
from symdl.ops.extents import as_extent, extent_or_none
from symdl.ops.own import PYTHON_SIZED, sized_like
from symdl.ops.scan import ended, rows_of, scan_node
from symdl.ops.shaping import expand_dims, flip, iota
from symdl.records import mutable, record
from symdl.runtime.storage import SharedVariable
from symdl.types import Extent, TensorType, smallest

Updates = dict[Expr, Expr]  # shared value -> its next value
WIDENINGS = 6  # so many times fn is called until the types of the states stay the same


@record
class Until:
    """What fn returns to end a loop after the step in which the condition holds."""

    condition: Expr


def until(condition: Any) -> Until:
    """Ends a scan after the step in which the scalar condition is not 0: `return outputs, until(condition)`."""
    found = as_expr(condition)
    if found.type.shape != ():
        raise ShapeError(f"until: the condition must be a scalar, not {found.type}", [described(found)])
    return Until(found if found.type.dtype == "bool" else ne(found, 0))


# ---- what the user passes ----


@record
class Sequenced:
    """A sequence and the taps at which fn reads it."""

    whole: Expr
    taps: tuple[int, ...]
    name: str

    @property
    def reach(self) -> tuple[int, int]:
        """How far the taps reach back and ahead."""
        return min(0, *self.taps), max(0, *self.taps)

    @property
    def length(self) -> Extent:
        """So many steps it serves."""
        low, high = self.reach
        whole: Extent = self.whole.type.shape[0]
        return whole - (high - low)

    def rows(self, steps: Extent, backwards: bool) -> list[Expr]:
        """One sequence a tap, each with a row for every step, or more."""
        low, _ = self.reach
        out = []
        for tap in self.taps:
            if backwards:
                end = self.length + tap - low
                out.append(flip(rows_of(self.whole, end - steps, steps), 0))
            elif len(self.taps) == 1 and tap == 0:
                out.append(self.whole)  # longer ones are checked and cut by scan itself
            else:
                out.append(rows_of(self.whole, tap - low, steps))
        return out


@mutable
class State:
    """An output that fn reads again: its first rows, at which lags, and the type of a row."""

    initial: Expr  # with an axis of rows
    lags: tuple[int, ...]
    name: str
    type: TensorType
    given: Expr  # as the user wrote the initial value
    weak: bool  # a Python number, which takes the dtype of what the step makes

    def rows(self) -> Expr:
        """The first rows in the state's type."""
        shape = (max(self.lags), *self.type.shape)
        rows = self.initial
        lead = rows.type.ndim
        if lead < len(shape):  # axes that the state grew
            rows = expand_dims(rows, tuple(range(1, 1 + len(shape) - lead)))
        return spread(cast_to(rows, self.type.dtype), shape, tuple(range(len(shape))))


def listed(value: Any) -> list[Any]:
    """None, one thing or several as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _label(value: Expr, kind: str, k: int) -> str:
    return value.name or f"{kind} {k}"


def sequenced(value: Any, k: int) -> Sequenced:
    """The k-th of the sequences. Raises InputError and ShapeError for what is none."""
    given = value if isinstance(value, Mapping) else {"input": value}
    if unknown := set(given) - {"input", "taps"}:
        raise InputError(f"scan: sequence {k} has {sorted(str(u) for u in unknown)}; it may have 'input' and 'taps'")
    if given.get("input") is None:
        raise InputError(f"scan: sequence {k} has no input")
    whole = as_expr(stacked(given["input"]))
    taps = given.get("taps")
    taps = (0,) if taps is None else tuple(_taps(taps, f"sequence {k}"))
    if not whole.type.shape:
        raise ShapeError(
            f"scan: the sequence {whole!r} is a scalar and has no rows", [described(whole)], "Pass it in non_sequences."
        )
    return Sequenced(whole, taps, _label(whole, "sequence", k))


def _taps(taps: Any, what: str) -> list[int]:
    try:
        return [operator.index(t) for t in (taps if isinstance(taps, list | tuple | np.ndarray) else [taps])]
    except TypeError:
        raise InputError(f"scan: the taps of {what} are {taps!r}, not a list of ints") from None


def state_of(value: Any, k: int) -> State | None:
    """The k-th entry of outputs_info; None for an output that is not read again."""
    given = value if isinstance(value, Mapping) else {"initial": value}
    if unknown := set(given) - {"initial", "taps", "return_steps"}:
        raise InputError(f"scan: output {k} has {sorted(str(u) for u in unknown)}; it may have 'initial' and 'taps'")
    if given.get("initial") is None:
        if given.get("taps"):
            raise InputError(f"scan: output {k} has taps, but no initial value")
        return None
    taps = given.get("taps")
    taps = [-1] if taps is None else _taps(taps, f"output {k}")
    initial = as_expr(stacked(given["initial"]))
    if not taps or any(t >= 0 for t in taps):
        remedy = "Steps back are negative: taps=[-1, -2]."
        raise InputError(f"scan: the taps of output {k} are {taps}", [described(initial)], remedy)
    lags = tuple(-t for t in taps)
    name, depth = _label(initial, "output", k), max(lags)
    if taps == [-1]:
        rows = expand_dims(initial, 0)
    else:
        if not initial.type.shape:
            raise ShapeError(
                f"scan: output {k} is read {depth} steps back, but its initial value is a scalar", [described(initial)],
                f"Its first axis must hold {depth} rows.",
            )  # fmt: skip
        rows = rows_of(initial, 0, depth) if initial.type.shape[0] != depth else initial
        if isinstance(n := initial.type.shape[0], int) and n < depth:
            raise ShapeError(
                f"scan: output {k} is read {depth} steps back, but its initial value has {n} rows", [described(initial)]
            )
    weak = type(given["initial"]) in (int, float)
    return State(rows, lags, name, TensorType(rows.type.dtype, rows.type.shape[1:]), initial, weak)


@record
class Returned:
    """What fn returned."""

    outputs: list[Expr]
    updates: list[tuple[SharedVariable, Expr]]
    stop: Expr | None


def _returned(value: Any) -> Returned:
    """Outputs, updates and a condition to stop, in any order in which Theano takes them."""
    parts = list(value) if isinstance(value, tuple | list) and not _are_updates(value) else [value]
    several = isinstance(value, tuple | list) and any(isinstance(p, Until | Mapping | list | tuple) for p in parts)
    outputs: list[Expr] = []
    updates: list[tuple[SharedVariable, Expr]] = []
    stop: Expr | None = None
    rest = []
    for part in parts:
        if isinstance(part, Until):
            stop = part.condition
        elif isinstance(part, Mapping):
            updates += part.items()
        elif _are_updates(part):
            updates += part
        else:
            rest.append(part)
    for part in rest:
        if several and isinstance(part, list | tuple):
            outputs += map_to_expr(part)
        elif part is not None:
            outputs += map_to_expr([part])
    for target, _ in updates:
        if not isinstance(target, SharedVariable):
            raise InputError(f"scan: fn updates {target!r}, which is no shared value")
    return Returned(outputs, [(s, as_expr(new)) for s, new in updates], stop)


def _are_updates(part: Any) -> bool:
    pairs = isinstance(part, list | tuple) and len(part) > 0
    return pairs and all(isinstance(p, list | tuple) and len(p) == 2 and isinstance(p[0], SharedVariable) for p in part)


def map_to_expr(values: Sequence[Any]) -> list[Expr]:
    """The outputs of fn as expressions."""
    out = []
    for v in values:
        try:
            out.append(as_expr(stacked(v)))
        except (DtypeError, ValueError):
            raise InputError(f"scan: fn returned {kind_of(v)}, which is no expression") from None
    return out


def begin_weak(infos: Sequence[State | None], others: Sequence[Expr]) -> None:
    """A Python number among the initial values takes the dtype of its peers: that of the floats, or of the integers."""
    states = [s for s in infos if s is not None]
    peers = [e.type.dtype for e in others] + [s.type.dtype for s in states if not s.weak]
    for s in states:
        if s.weak:
            wanted = [d for d in peers if is_float(d)] if is_float(s.type.dtype) else []
            dtype = config.floatX if is_float(s.type.dtype) else "int64"
            s.type = TensorType(str(np.result_type(*wanted).name) if wanted else dtype, s.type.shape)


def steps_of(n_steps: Any, given: Sequence[Sequenced], backwards: bool) -> tuple[Extent, bool]:
    """(the number of steps, whether the sequences are read from their ends)."""
    if n_steps is None:
        if not given:
            raise InputError("scan: how many steps? There is neither a sequence nor n_steps")
        steps = given[0].length
        for s in given[1:]:
            steps = smallest(steps, s.length)
    else:
        found = extent_or_none(n_steps)
        if found is None and isinstance(n_steps, Expr) and is_float(n_steps.type.dtype):
            raise DtypeError(f"scan: n_steps is {n_steps.type}, not an integer", [described(n_steps)])
        steps = as_extent(n_steps, "scan: n_steps") if found is None else found
        if isinstance(steps, int) and steps < 0:
            steps, backwards = -steps, not backwards
    for s in given:
        low, high = s.reach
        if isinstance(steps, int) and isinstance(s.length, int) and steps > s.length:
            reach = f", of which its taps {list(s.taps)} leave {s.length}" if high > low else ""
            raise ShapeError(
                f"scan: {steps} steps, but the sequence {s.name} has {s.whole.type.shape[0]} entries{reach}",
                [described(s.whole)],
            )
    return steps, backwards


# ---- a call of the step ----


def stand_in(kind: TensorType, name: str, whole: Expr) -> Expr:
    """A leaf for a row of something, which comes from where that does."""
    leaf = argument(kind, name)
    come_from(leaf, whole.origins)
    return leaf


class Trial:
    """One call of fn on stand-ins for its arguments."""

    def __init__(
        self, fn: Callable[..., Any], given: Sequence[Sequenced], infos: Sequence[State | None], fixed: Sequence[Expr],
        steps: Extent,
    ) -> None:  # fmt: skip
        self.given, self.fixed, self.steps = given, fixed, steps
        self.rows: list[Expr] = []
        for s in given:
            for tap in s.taps:
                kind = TensorType(s.whole.type.dtype, s.whole.type.shape[1:])
                self.rows.append(stand_in(kind, f"{s.name}[t{tap:+d}]" if tap else f"{s.name}[t]", s.whole))
        self.states = [s for s in infos if s is not None]
        self.before = [[stand_in(s.type, f"{s.name}[t-{lag}]", s.given) for lag in s.lags] for s in self.states]
        self.clock = Clock(argument(TensorType("int64"), "t"), steps)
        with ticking(self.clock):
            back = fn(*self.rows, *itertools.chain.from_iterable(self.before), *fixed)
        self.returned = _returned(back)
        if not infos:
            infos = [None] * len(self.returned.outputs)
        if len(infos) != len(self.returned.outputs):
            count = len(self.returned.outputs)
            raise InputError(
                f"scan: fn returned {count} output{'s' if count != 1 else ''}, outputs_info has {len(infos)}",
                [described(o) for o in self.returned.outputs],
                "Each output has an entry: its initial value, or None if it is not read again.",
            )
        self.infos = infos
        self.changed: State | None = None

    def widened(self) -> bool:
        """Whether a state took another type from what the step makes, so that fn must be called again."""
        self.changed = None
        for info, made in zip(self.infos, self.returned.outputs, strict=True):
            if info is not None and (kind := joined(info, made)) != info.type:
                info.type, info.weak = kind, False
                self.changed = info
        return self.changed is not None

    def check_strict(self) -> None:
        """Raises InputError where fn uses variables that it is not given."""
        known = {
            *self.rows,
            *itertools.chain.from_iterable(self.before),
            *self.fixed,
            self.clock.index,
            *self.clock.drawn,
        }
        stack: list[Expr] = [*self.returned.outputs, *(new for _, new in self.returned.updates)]
        seen, found = set(stack), []
        while stack:
            n = stack.pop()
            if n in known:
                continue
            if n.op is VARIABLE:
                found.append(n)
            stack += [i for i in n.inputs if i not in seen]
            seen.update(n.inputs)
        if found:
            found.sort(key=lambda n: n.params["id"])
            names = " and ".join(repr(n) for n in found)
            raise InputError(
                f"scan: strict, but fn uses {names}, which it is not given", [described(n) for n in found],
                "Pass what it uses in non_sequences.",
            )  # fmt: skip

    def check_sizes(self, outputs: Sequence[Expr]) -> None:
        """Raises ShapeError where a size in the step depends on the step's data."""
        own = dependent(outputs, [*self.rows, *itertools.chain.from_iterable(self.before), self.clock.index])
        for n in topological(*outputs):
            if n in own and n.op.kind == "counted":
                raise ShapeError(
                    "scan: a size that the data of a step decide cannot change from step to step", [described(n)],
                    "The last row of a loop that `until` ends is out[-1], which has no such size.",
                )  # fmt: skip

    def shared_states(self) -> list[tuple[SharedVariable, Expr]]:
        """The shared values that go from step to step, with their next values: fn's updates, and states that step by
        themselves where fn uses them."""
        found = dict(self.returned.updates)
        stop = [] if self.returned.stop is None else [self.returned.stop]
        stack = [*self.returned.outputs, *found.values(), *stop]
        seen = {*stack, *(f for f in self.fixed if f.inputs)}
        while stack:
            n = stack.pop()
            if isinstance(n, SharedVariable) and n.in_each_step and n.default_update is not None and n not in found:
                found[n] = n.default_update
            stack += [i for i in n.inputs if i not in seen]
            seen.update(n.inputs)
        return list(found.items())

    def loop(self, backwards: bool, truncate: int) -> tuple[list[Expr], Updates]:
        """(the outputs, one entry a step; the updates)."""
        hidden = self.shared_states()
        computed = {f: f for f in self.fixed if f.inputs}  # before the loop, of the shared values as they are then
        stand_ins: dict[Expr, Expr] = {s: argument(s.type, s.name) for s, _ in hidden}
        firsts = [s.rows() for s in self.states] + [expand_dims(s, 0) for s, _ in hidden]
        lags = [s.lags for s in self.states] + [(1,)] * len(hidden)
        kinds = [s.type for s in self.states] + [s.type for s, _ in hidden]
        pairs = list(zip(self.infos, self.returned.outputs, strict=True))
        ends = [o for info, o in pairs if info is not None] + [new for _, new in hidden]
        ends = _sized_as_states(ends, [*(one[0] for one in self.before), *stand_ins.values()])
        new = [_in_type(o, kind, k) for k, (o, kind) in enumerate(zip(ends, kinds, strict=True))]
        plain = [o for info, o in pairs if info is None]
        stop = [] if self.returned.stop is None else [self.returned.stop]
        self.check_sizes([*new, *plain, *stop])
        outputs = moved([*new, *plain, *stop], {**computed, **stand_ins})
        before = [*itertools.chain.from_iterable(self.before), *stand_ins.values()]
        rows, seqs = list(self.rows), []
        for s in self.given:
            seqs += s.rows(self.steps, backwards)
        if self.clock.index in set(topological(*outputs)):
            rows.append(self.clock.index)
            seqs.append(iota((self.steps,), 0))
        body, captured = closed(outputs, [*rows, *before])
        node = scan_node(body, seqs, firsts, captured, self.steps, lags, stops=bool(stop), truncate=truncate)
        made = results(node)
        traces = iter(zip(made, lags, strict=False))
        collected = iter(made[len(firsts) :])
        out = []
        for info, _ in pairs:
            if info is None:
                rows_made = next(collected)
            else:
                trace, own = next(traces)
                rows_made = rows_of(trace, max(own), self.steps)
            out.append(ended(rows_made, extent_from_data(made[-1])) if stop else rows_made)
        updates: Updates = {s: rows_of(t, self.steps, 1)[0] for (s, _), (t, _) in zip(hidden, traces, strict=True)}
        for stream_state in self.clock.drawn:
            if stream_state not in updates and stream_state.default_update is not None:
                updates[stream_state] = stream_state.default_update
        return out, updates


def _sized_as_states(made: Sequence[Expr], before: Sequence[Expr]) -> list[Expr]:
    """The next states: what a Python function makes in sizes that only a call tells comes in those of its state."""
    states: dict[Expr, dict[int, Expr]] = {}
    for new, old in zip(made, before, strict=True):
        if new.op is RESULT and new.inputs[0].op is PYTHON_SIZED:
            states.setdefault(new.inputs[0], {})[new.params["index"]] = old
    sized: dict[Expr, Expr] = {}
    for node, own in states.items():
        if len(own) == len(results(node)):
            sized |= zip(results(node), sized_like(node, [own[k] for k in range(len(own))]), strict=True)
    return [sized.get(new, new) for new in made]


def _in_type(made: Expr, kind: TensorType, k: int) -> Expr:
    """What the step makes, in the type of its state."""
    return spread(cast_to(made, kind.dtype), kind.shape, tuple(range(len(kind.shape))))


def joined(state: State, made: Expr) -> TensorType:
    """The type of a state that begins as it does and becomes what the step makes."""
    now, then = state.type, made.type

    def refused(what: str) -> ShapeError:
        parts = [described(state.given), described(made)]
        return ShapeError(f"scan: {state.name} starts as {now}, and its step makes {then}{what}", parts)

    if now.dtype == then.dtype or state.weak:
        dtype = then.dtype
    else:
        dtype = common_dtype([argument(now), made])
    if state.weak and np.dtype(now.dtype).kind == "f" and not is_float(dtype):
        dtype = now.dtype
    if len(now.shape) > len(then.shape):
        raise refused(", with fewer axes")
    grown = (1,) * (len(then.shape) - len(now.shape)) + now.shape
    shape = []
    for axis, (n, m) in enumerate(zip(grown, then.shape, strict=True)):
        if n != 1 and m != n and (m == 1 or isinstance(n - m, int)):
            raise refused(f": axis {axis} is {n if isinstance(n, int) else '?'} long, then {m}")
        shape.append(m if n == 1 else n)
    return TensorType(dtype, tuple(shape))
