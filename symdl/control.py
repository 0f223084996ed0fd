"""Loops and branches as a user writes them: scan, map, reduce, foldl, foldr, ifelse, in Theano's terms."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from symdl.derivatives import loop_gradients  # noqa: F401  # the gradients of these ops
from symdl.errors import DtypeError, InputError, ShapeError, kind_of
from symdl.graph.bodies import branch_of
from symdl.graph.expr import Expr, as_expr, described, make, results
from symdl.graph.walks import topological
from symdl.ops.declare import cast_to, common_dtype, stacked
from symdl.ops.elementwise import ne
from symdl.ops.scan import IF, rows_of
from symdl.ops.shaping import broadcast_to
from symdl.ops.views import PAD, reshape_to
from symdl.scanning import WIDENINGS, Trial, Until, Updates, begin_weak, listed, sequenced, state_of, steps_of, until
from symdl.types import broadcast, floor_divide

__all__ = ["Until", "foldl", "foldr", "ifelse", "map", "reduce", "scan", "scan_checkpoints", "until"]


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
    by itself. Sequences and states of any float, int or bool dtype. precision="right" holds in each step;
    a state is rounded when it is handed on. Raises ShapeError, DtypeError and InputError.
    """
    given = [sequenced(s, k) for k, s in enumerate(listed(sequences))]
    infos = [state_of(s, k) for k, s in enumerate(listed(outputs_info))]
    fixed = [v if isinstance(v, Expr) else as_expr(stacked(v)) for v in listed(non_sequences)]
    steps, backwards = steps_of(n_steps, given, go_backwards)
    begin_weak(infos, [*(s.whole for s in given), *fixed])
    for _ in range(WIDENINGS):
        trial = Trial(fn, given, infos, fixed, steps)
        if not trial.widened():
            break
    else:
        assert trial.changed is not None
        parts = [described(trial.changed.given)]
        raise ShapeError(f"scan: the type of {trial.changed.name} grows with each step: {trial.changed.type}", parts)
    if strict:
        trial.check_strict()
    out, updates = trial.loop(backwards, truncate_gradient)
    if return_list or len(out) > 1:
        return out, updates
    return (out[0] if out else None), updates


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
    to a multiple of save_every_N, so that steps on zeros follow; without it, their length must be one. Raises InputError for
    taps, as Theano's does.
    """
    every = operator.index(save_every_N)
    if every < 1:
        raise InputError(f"scan_checkpoints: save_every_N is {every}")
    given = [sequenced(s, k) for k, s in enumerate(listed(sequences))]
    infos = listed(outputs_info)
    tapped = [s.name for s in given if s.taps != (0,)]
    tapped += [s.name for k, i in enumerate(infos) if (s := state_of(i, k)) is not None and s.lags != (1,)]
    if tapped:
        remedy = "Pass x[:-1] and x[1:] for x[t] and x[t+1], and carry an earlier value as a state of its own."
        raise InputError(f"scan_checkpoints: {tapped[0]} has taps", (), remedy)
    wholes = [s.whole for s in given]
    steps, _ = steps_of(n_steps, given, False)
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
        parts = [described(v) for b in (then_branch, else_branch) for v in listed(b) if isinstance(v, Expr)]
        raise InputError(f"ifelse: {counts[0]} values where the condition holds, {counts[1]} where it does not", parts)
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
