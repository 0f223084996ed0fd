"""Loops and branches as a user writes them: scan, map, reduce, foldl, foldr, ifelse, in Theano's terms."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symdl import loop_gradients  # noqa: F401  # the gradients of these ops
from symdl.bodies import argument, branch_of, closed, dependent, moved
from symdl.clock import Clock, ticking
from symdl.config import config
from symdl.errors import DtypeError, InputError, Part, ShapeError, kind_of
from symdl.expr import VARIABLE, Expr, as_expr, described, make, results, topological
from symdl.ops.counted import extent_from_data
from symdl.ops.declare import cast_to, common_dtype, is_float, spread, stacked
from symdl.ops.elementwise import ne
from symdl.ops.extents import as_extent, extent_or_none
from symdl.ops.scan import IF, ended, rows_of, scan_node
from symdl.ops.shaping import broadcast_to, expand_dims, flip, iota
from symdl.ops.views import PAD, reshape_to
from symdl.storage import SharedVariable
from symdl.types import Extent, TensorType, broadcast, floor_divide, smallest

__all__ = ["Until", "foldl", "foldr", "ifelse", "map", "reduce", "scan", "scan_checkpoints", "until"]
Updates = dict[Expr, Expr]  # shared value -> its next value
WIDENINGS = 6  # so many times fn is called until the types of the states stay the same


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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


@dataclass
class State:
    """An output that fn reads again: its first rows, at which lags, and the type of a row."""

    initial: Expr  # with an axis of rows
    lags: tuple[int, ...]
    name: str
    type: TensorType
    weak: bool  # a Python number, which takes the dtype of what the step makes

    def rows(self) -> Expr:
        """The first rows in the state's type."""
        shape = (max(self.lags), *self.type.shape)
        rows = self.initial
        lead = rows.type.ndim
        if lead < len(shape):  # axes that the state grew
            rows = expand_dims(rows, tuple(range(1, 1 + len(shape) - lead)))
        return spread(cast_to(rows, self.type.dtype), shape, tuple(range(len(shape))))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _label(value: Expr, kind: str, k: int) -> str:
    return value.name or f"{kind} {k}"


def _sequence(value: Any, k: int) -> Sequenced:
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


def _state(value: Any, k: int) -> State | None:
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
    if not taps or any(t >= 0 for t in taps):
        raise InputError(f"scan: the taps of output {k} are {taps}", (), "Steps back are negative: taps=[-1, -2].")
    lags = tuple(-t for t in taps)
    initial = as_expr(stacked(given["initial"]))
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
    return State(rows, lags, name, TensorType(rows.type.dtype, rows.type.shape[1:]), weak)


@dataclass(frozen=True)
class Returned:
    """What fn returned."""

    outputs: list[Expr]
    updates: list[tuple[SharedVariable, Expr]]
    stop: Expr | None


def _returned(value: Any) -> Returned:
    """Outputs, updates and a condition to stop, in any order in which Theano takes them."""
    parts = list(value) if isinstance(value, tuple | list) else [value]
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


# ---- scan ----


def scan(
    fn: Callable[..., Any],
    sequences: Any = None,
    outputs_info: Any = None,
    non_sequences: Any = None,
    n_steps: Any = None,
    truncate_gradient: int = -1,
    go_backwards: bool = False,
    mode: Any = None,
    name: str | None = None,
    profile: bool = False,
    allow_gc: bool | None = None,
    strict: bool = False,
    return_list: bool = False,
) -> tuple[Any, Updates]:
    """A loop: out[t] = fn(x[t], ..., out[t-1], ..., w, ...) for t = 0, 1, ...; returns (outputs, updates).

    fn takes the rows of the sequences, then the earlier values of the outputs, then non_sequences, and returns the new
    values: an expression or a list; also (outputs, updates) with a dictionary {shared value: its next value}, and
    `until(condition)` to end after the step in which it holds. Each output has a new first axis with one entry a step.
    The steps run in one native function.

    sequences: expressions with a row a step, or dict(input=x, taps=[-2, 0, 1]) to read x[t-2], x[t] and x[t+1].
    outputs_info: for each output its initial value; dict(initial=rows, taps=[-1, -3]) to read it one and three steps back,
    rows having as many entries as the longest tap; None for an output that is not read again. A state takes the type that
    its step makes: a float32 becomes float64, a scalar grows to a vector, where that is certain.
    non_sequences: further arguments of fn. What fn uses besides is found by itself, unless strict, which makes it an error.
    n_steps: an int, an integer input or a size; below 0 backwards. Without it the shortest sequence tells.
    truncate_gradient: so many steps the gradient goes back, all if -1. go_backwards: the sequences from their ends.
    return_list: a list even for one output. mode, name, profile and allow_gc are accepted for Theano's sake.

    A draw of a RandomStream in fn is a new one in each step; updates holds what moves the stream on, which a function does
    by itself. Sequences and states of any float, int or bool dtype. Raises ShapeError, DtypeError and InputError.
    """
    given = [_sequence(s, k) for k, s in enumerate(_listed(sequences))]
    infos = [_state(s, k) for k, s in enumerate(_listed(outputs_info))]
    fixed = [v if isinstance(v, Expr) else as_expr(stacked(v)) for v in _listed(non_sequences)]
    steps, backwards = _steps(n_steps, given, go_backwards)
    _begin_weak(infos, [*(s.whole for s in given), *fixed])
    for _ in range(WIDENINGS):
        trial = Trial(fn, given, infos, fixed, steps)
        if not trial.widened():
            break
    else:
        assert trial.changed is not None
        parts = [described(trial.changed.initial)]
        raise ShapeError(f"scan: the type of {trial.changed.name} grows with each step: {trial.changed.type}", parts)
    if strict:
        trial.check_strict()
    out, updates = trial.loop(backwards, truncate_gradient)
    if return_list or len(out) > 1:
        return out, updates
    return (out[0] if out else None), updates


def _begin_weak(infos: Sequence[State | None], others: Sequence[Expr]) -> None:
    """A Python number among the initial values takes the dtype of its peers: that of the floats, or of the integers."""
    states = [s for s in infos if s is not None]
    peers = [e.type.dtype for e in others] + [s.type.dtype for s in states if not s.weak]
    for s in states:
        if s.weak:
            wanted = [d for d in peers if is_float(d)] if is_float(s.type.dtype) else []
            dtype = config.floatX if is_float(s.type.dtype) else "int64"
            s.type = TensorType(str(np.result_type(*wanted).name) if wanted else dtype, s.type.shape)


def _steps(n_steps: Any, given: Sequence[Sequenced], backwards: bool) -> tuple[Extent, bool]:
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
                self.rows.append(argument(kind, f"{s.name}[t{tap:+d}]" if tap else f"{s.name}[t]"))
        self.states = [s for s in infos if s is not None]
        self.before = [[argument(s.type, f"{s.name}[t-{lag}]") for lag in s.lags] for s in self.states]
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
        known = {*self.rows, *itertools.chain.from_iterable(self.before), *self.fixed, self.clock.index}
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

    def loop(self, backwards: bool, truncate: int) -> tuple[list[Expr], Updates]:
        """(the outputs, one entry a step; the updates)."""
        hidden = list(dict(self.returned.updates).items())
        stand_ins: dict[Expr, Expr] = {s: argument(s.type, s.name) for s, _ in hidden}
        firsts = [s.rows() for s in self.states] + [expand_dims(s, 0) for s, _ in hidden]
        lags = [s.lags for s in self.states] + [(1,)] * len(hidden)
        kinds = [s.type for s in self.states] + [s.type for s, _ in hidden]
        pairs = list(zip(self.infos, self.returned.outputs, strict=True))
        ends = [o for info, o in pairs if info is not None] + [new for _, new in hidden]
        new = [_in_type(o, kind, k) for k, (o, kind) in enumerate(zip(ends, kinds, strict=True))]
        plain = [o for info, o in pairs if info is None]
        stop = [] if self.returned.stop is None else [self.returned.stop]
        self.check_sizes([*new, *plain, *stop])
        outputs = moved([*new, *plain, *stop], stand_ins)
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


def _in_type(made: Expr, kind: TensorType, k: int) -> Expr:
    """What the step makes, in the type of its state."""
    return spread(cast_to(made, kind.dtype), kind.shape, tuple(range(len(kind.shape))))


def joined(state: State, made: Expr) -> TensorType:
    """The type of a state that begins as it does and becomes what the step makes."""
    now, then = state.type, made.type
    parts: list[Part] = [described(state.initial), described(made)]
    if now.dtype == then.dtype or state.weak:
        dtype = then.dtype
    else:
        dtype = common_dtype([argument(now), made])
    if state.weak and np.dtype(now.dtype).kind == "f" and not is_float(dtype):
        dtype = now.dtype
    head = f"scan: {state.name} starts as {now}, and its step makes {then}"
    if len(now.shape) > len(then.shape):
        raise ShapeError(f"{head}, with fewer axes", parts)
    grown = (1,) * (len(then.shape) - len(now.shape)) + now.shape
    shape = []
    for axis, (n, m) in enumerate(zip(grown, then.shape, strict=True)):
        if n != 1 and m != n and (m == 1 or isinstance(n - m, int)):
            raise ShapeError(f"{head}: axis {axis} is {n if isinstance(n, int) else '?'} long, then {m}", parts)
        shape.append(m if n == 1 else n)
    return TensorType(dtype, tuple(shape))


# ---- loops of one kind ----


def map(  # Theano's name
    fn: Callable[..., Any], sequences: Any, non_sequences: Any = None, truncate_gradient: int = -1,
    go_backwards: bool = False, mode: Any = None, name: str | None = None,
) -> tuple[Any, Updates]:  # fmt: skip
    """out[t] = fn(x[t], ..., w, ...): scan without states. Returns (outputs, updates)."""
    return scan(
        fn, sequences, [], non_sequences, truncate_gradient=truncate_gradient, go_backwards=go_backwards, name=name
    )


def reduce(
    fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None, go_backwards: bool = False,
    mode: Any = None, name: str | None = None,
) -> tuple[Any, Updates]:  # fmt: skip
    """The last of out[t] = fn(x[t], ..., out[t-1], ..., w, ...): a fold. Returns (outputs, updates).

    Of no entries it is an IndexRangeError, as out[-1] is.
    """
    out, updates = scan(fn, sequences, outputs_info, non_sequences, go_backwards=go_backwards, name=name)
    return [o[-1] for o in out] if isinstance(out, list) else out[-1], updates


def foldl(
    fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None, mode: Any = None,
    name: str | None = None,
) -> tuple[Any, Updates]:  # fmt: skip
    """A fold from the first entry to the last: reduce."""
    return reduce(fn, sequences, outputs_info, non_sequences, False, mode, name)


def foldr(
    fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None, mode: Any = None,
    name: str | None = None,
) -> tuple[Any, Updates]:  # fmt: skip
    """A fold from the last entry to the first."""
    return reduce(fn, sequences, outputs_info, non_sequences, True, mode, name)


def scan_checkpoints(
    fn: Callable[..., Any], sequences: Any = None, outputs_info: Any = None, non_sequences: Any = None,
    name: str | None = None, n_steps: Any = None, save_every_N: int = 10, padding: bool = True,
) -> tuple[Any, Updates]:  # fmt: skip
    """scan that gives every save_every_N-th step and keeps only these: the way back computes the steps between anew.

    So the gradient of n steps takes memory for n / save_every_N + save_every_N of them, and one more run of the loop. The
    outputs have ceil(n / save_every_N) rows, the last after the last step. With padding, sequences are filled up with zeros
    to a multiple of save_every_N, so that steps on zeros follow; without it, their length must be one. No taps.
    """
    every = operator.index(save_every_N)
    if every < 1:
        raise InputError(f"scan_checkpoints: save_every_N is {every}")
    wholes = [as_expr(stacked(s)) for s in _listed(sequences)]
    infos = _listed(outputs_info)
    steps, _ = _steps(n_steps, [_sequence(s, k) for k, s in enumerate(wholes)], False)
    count = floor_divide(steps + (every - 1), every) if padding else floor_divide(steps, every)
    parts = []
    for x in wholes:
        rest = x.type.shape[1:]
        rows = rows_of(x, 0, steps)
        if padding:
            shape, origin = (count * every, *rest), (0,) * x.type.ndim
            rows = make(PAD, (rows,), starts=origin, steps=(1,) * x.type.ndim, shape=shape, fill=0)
        parts.append(reshape_to(rows, (count, every, *rest)))
    states = sum(info is not None for info in infos)

    def segment(*args: Any) -> tuple[list[Expr], Updates]:
        rows, before, others = args[: len(parts)], iter(args[len(parts) :][:states]), args[len(parts) + states :]
        inner = [None if info is None else next(before) for info in infos]
        out, updates = scan(fn, list(rows), inner, list(others), n_steps=every, return_list=True)
        return [o[-1] for o in out], updates

    return scan(segment, parts, infos, non_sequences, n_steps=count, name=name)


# ---- ifelse ----


def ifelse(condition: Any, then_branch: Any, else_branch: Any, name: str | None = None) -> Any:
    """then_branch where the scalar condition is not 0, else else_branch; only that one is computed.

    The branches are expressions, or lists of as many: the result is one, or a list. Their dtypes and shapes are brought
    together as by T.where, for whole arrays. What both need is computed before, once. What their shapes ask for is checked
    whichever is taken.
    """
    test = as_expr(condition)
    if test.type.shape != ():
        raise ShapeError(
            f"ifelse: the condition must be a scalar, not {test.type}", [described(test)],
            "T.where chooses element by element.",
        )  # fmt: skip
    test = test if test.type.dtype == "bool" else ne(test, 0)
    single = not isinstance(then_branch, list | tuple) and not isinstance(else_branch, list | tuple)
    pairs = list(zip(_branch(then_branch, "then"), _branch(else_branch, "else"), strict=False))
    counts = [len(b) if isinstance(b, list | tuple) else 1 for b in (then_branch, else_branch)]
    if counts[0] != counts[1]:
        raise InputError(f"ifelse: {counts[0]} values where the condition holds, {counts[1]} where it does not")
    then, other = zip(*(_alike(a, b, k) for k, (a, b) in enumerate(pairs)), strict=True) if pairs else ((), ())
    # what both branches need is captured, so that it is computed once, whichever is taken
    common = {*topological(*then)} & {*topological(*other)}
    (a, in_a), (b, in_b) = (branch_of(side, common) for side in (then, other))
    node = make(IF, (test, *in_a, *in_b), then=a, other=b, split=len(in_a))
    made = list(results(node))
    return made[0] if single else made


def _branch(value: Any, which: str) -> list[Any]:
    values = value if isinstance(value, list | tuple) else [value]
    out = []
    for v in values:
        try:
            out.append(v if isinstance(v, Expr) or type(v) in (int, float) else as_expr(stacked(v)))
        except (DtypeError, ValueError):
            raise InputError(f"ifelse: the {which} branch holds {kind_of(v)}, which is no expression") from None
    return out


def _alike(a: Any, b: Any, k: int) -> tuple[Expr, Expr]:
    """Two values in one type."""
    dtype = common_dtype([a, b])
    one, two = cast_to(a, dtype), cast_to(b, dtype)
    try:
        shape, _ = broadcast("ifelse", [one.type.shape, two.type.shape])
    except ShapeError:
        raise ShapeError(
            f"ifelse: value {k} is {one.type} in one branch and {two.type} in the other",
            [described(one), described(two)],
        ) from None
    return broadcast_to(one, shape), broadcast_to(two, shape)
