"""What a user asks of `function`, read and checked: inputs, outputs, updates and givens become one Graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from symdl.config import config
from symdl.errors import DtypeError, InputError, Part, ShapeError, axes, kind_of, nearest
from symdl.graph.expr import VARIABLE, Expr, as_expr, described
from symdl.graph.origins import warn
from symdl.graph.walks import levels, topological
from symdl.ops.declare import cast_to, spread
from symdl.ops.extents import value_symbol
from symdl.passes.dims import substituted, used_symbols
from symdl.pipeline.compilation import Graph
from symdl.runtime.inputs import In, Out
from symdl.runtime.storage import OPEN, SharedVariable
from symdl.types import symbols

Unused = Literal["raise", "warn", "ignore"]
Pairs = Mapping[Expr, Any] | Sequence[tuple[Expr, Any]] | None
NoDefaults = bool | Sequence[Expr]


# ---- what the user passes, in one form ----


def inputs_of(inputs: Any) -> list[In]:
    """The inputs, each with its options. Raises InputError for what is no variable."""
    if isinstance(inputs, Expr):
        raise InputError(f"function: inputs is {inputs!r}, not a list", [described(inputs)], f"Write [{inputs!r}].")
    if isinstance(inputs, In) or not isinstance(inputs, list | tuple):
        raise InputError(f"function: inputs must be a list of variables, not {kind_of(inputs)}")
    found = [v if isinstance(v, In) else In(v) for v in inputs]
    for k, one in enumerate(found):
        v = one.variable
        if not isinstance(v, Expr):
            raise InputError(f"function: inputs holds {kind_of(v)}, which is no variable")
        if isinstance(v, SharedVariable):
            remedy = "A function finds the value by itself: leave it out, or use givens to put something in its place."
            raise InputError(f"function: {v!r} is a shared value, not an input", [described(v)], remedy)
        if v.op is not VARIABLE:
            raise InputError(f"function: input {k} is the expression {v!r}, not a variable", [described(v)])
        if any(v is other.variable for other in found[:k]):
            raise InputError(f"function: the input {v!r} is given twice", [described(v)])
    return found


def outputs_of(outputs: Any) -> tuple[Any, list[Expr]]:
    """("one", "list", the keys of a dictionary, or None; the expressions)."""
    if outputs is None:
        return None, []
    if isinstance(outputs, Mapping):
        return tuple(outputs), [_output(v) for v in outputs.values()]
    if isinstance(outputs, list | tuple):
        return "list", [_output(v) for v in outputs]
    return "one", [_output(outputs)]


def staying(outputs: Any) -> list[bool]:
    """Which of the outputs are to stay on a GPU, in the order of outputs_of."""
    if outputs is None:
        return []
    several = outputs.values() if isinstance(outputs, Mapping) else outputs
    each = several if isinstance(outputs, Mapping | list | tuple) else [outputs]
    return [isinstance(one, Out) and one.on_device for one in each]


def _output(value: Any) -> Expr:
    value = value.variable if isinstance(value, Out) else value
    if isinstance(value, Expr):
        return value
    try:
        return as_expr(value)
    except (DtypeError, ValueError):
        raise InputError(f"function: outputs holds {kind_of(value)}, which is no expression") from None


def pairs_of(pairs: Any, what: str) -> list[tuple[Any, Any]]:
    """The (variable, expression) pairs of updates or givens; None is none."""
    if pairs is None:
        return []
    if isinstance(pairs, Expr) or not isinstance(pairs, Mapping | list | tuple):
        raise InputError(
            f"function: {what} takes (variable, expression) pairs or a dictionary, not {_named(pairs)}", _parts(pairs)
        )
    items = list(pairs.items()) if isinstance(pairs, Mapping) else list(pairs)
    for item in items:
        if isinstance(item, Expr) or not isinstance(item, tuple | list) or len(item) != 2:
            raise InputError(f"function: {what} takes (variable, expression) pairs, not {_named(item)}", _parts(item))
    return [(a, b) for a, b in items]


def _parts(value: Any) -> list[Part]:
    return [described(value)] if isinstance(value, Expr) else []


def _named(value: Any) -> str:
    return repr(value) if isinstance(value, Expr) else kind_of(value)


# ---- the graph ----


def graph_of(
    ins: Sequence[In], hidden: Mapping[int, SharedVariable], outputs: Sequence[Expr], updates: Sequence[tuple[Any, Any]],
    givens: Sequence[tuple[Any, Any]], no_default_updates: NoDefaults, on_unused_input: Unused,
) -> Graph:  # fmt: skip
    """The Graph of a function. hidden: the shared value that stands behind an input with an update, by its number."""
    variables = [one.variable for one in ins]
    told: dict[SharedVariable, Expr] = {}
    for target, new in updates:
        if not isinstance(target, SharedVariable):
            raise InputError(f"function: updates names {_named(target)}, which is no shared value", _parts(target))
        if target in told:
            raise InputError(f"function: {target!r} has two updates", [described(target)])
        told[target] = new_value(target, new)
    values = _givens(givens)
    roots = [*outputs, *told.values()]
    if no_default_updates is not True:
        kept = set(no_default_updates) if isinstance(no_default_updates, Sequence) else set()
        found = [n for n in topological(*roots, *values.values()) if isinstance(n, SharedVariable)]
        for leaf in found:  # a new value may bring in other shared values: the list grows
            if leaf.default_update is not None and leaf not in told and leaf not in kept and leaf not in values:
                told[leaf] = new_value(leaf, leaf.default_update)
                found += [n for n in topological(told[leaf]) if isinstance(n, SharedVariable)]
        roots = [*outputs, *told.values()]
    if values:
        roots = substituted(roots, values, {})
    leaves = [n for n in levels(*roots) if n.op is VARIABLE]  # also those that only sizes depend on
    live = tuple(v for k, v in enumerate(variables) if k not in hidden)
    _check_used(variables, live, roots, leaves, on_unused_input)
    shareds = dict.fromkeys(n for n in [*leaves, *told] if isinstance(n, SharedVariable))
    if OPEN:  # also those of which only the size is used
        sizes = used_symbols(roots)
        found_by_size = (OPEN.get(s) for s in sorted(sizes, key=lambda s: s.order))
        shareds |= dict.fromkeys(leaf for leaf in found_by_size if leaf is not None)
    return Graph(
        live, tuple(shareds), tuple(roots[: len(outputs)]), tuple(zip(told, roots[len(outputs) :], strict=True))
    )


def graph_of_expressions(outputs: Sequence[Expr], precision: str) -> Graph:
    """The Graph of a function of these expressions and of all their variables, in the order in which they occur."""
    variables = [n for n in topological(*outputs) if n.op is VARIABLE and not isinstance(n, SharedVariable)]
    graph = graph_of([In(v) for v in variables], {}, list(outputs), [], [], True, "ignore")
    return replace(graph, precision=precision, float_semantics=config.float_semantics)


def new_value(target: SharedVariable, new: Any) -> Expr:
    """The new value of a shared one in its dtype; in its shape, but for axes that it leaves open."""
    try:
        value = new if isinstance(new, Expr) else as_expr(new)
    except DtypeError:
        raise InputError(f"function: the update of {target!r} is {kind_of(new)}, which is no expression") from None
    given = value

    def parts() -> list[Part]:  # for errors: formulas take longer to write than all else here
        return [described(target), described(given)]

    title = f"function: the update of {target!r}"
    dtype = target.type.dtype
    if value.type.dtype != dtype:
        if not np.can_cast(value.type.dtype, dtype, "safe"):
            raise DtypeError(
                f"{title} is {value.type.dtype}, not {dtype}", parts(), f"T.cast(..., {dtype!r}) makes it {dtype}."
            )
        value = cast_to(value, dtype)
    if value.type.ndim != target.type.ndim:
        raise ShapeError(f"{title} has {axes(value.type.ndim)}, not {axes(target.type.ndim)}", parts())
    for axis, (old, n) in enumerate(zip(target.type.shape, value.type.shape, strict=True)):
        if isinstance(old, int) and isinstance(n, int) and old != n:
            raise ShapeError(f"{title} is {n} long along axis {axis}, not {old}", parts())
    wanted = tuple(n if isinstance(n, int) else m for n, m in zip(target.type.shape, value.type.shape, strict=True))
    return spread(value, wanted, tuple(range(len(wanted))))


def _givens(givens: Sequence[tuple[Any, Any]]) -> dict[Expr, Expr]:
    """What stands for what, in the dtype of what it stands for."""
    values: dict[Expr, Expr] = {}
    for old, new in givens:
        if not isinstance(old, Expr) or old.op is not VARIABLE:
            raise InputError(f"function: givens replaces variables; {_named(old)} is none", _parts(old))
        value = new if isinstance(new, Expr) else as_expr(new)
        parts = [described(old), described(value)]
        if value.type.ndim != old.type.ndim:
            raise ShapeError(
                f"function: givens put a value of {axes(value.type.ndim)} for {old!r}, which has {axes(old.type.ndim)}",
                parts,
            )
        wanted = old.type.dtype
        if value.type.dtype != wanted and not np.can_cast(value.type.dtype, wanted, "safe"):
            remedy = f"T.cast(..., {wanted!r}) makes it {wanted}."
            raise DtypeError(f"function: givens put {value.type.dtype} for {old!r}, which is {wanted}", parts, remedy)
        for axis, (m, n) in enumerate(zip(old.type.shape, value.type.shape, strict=True)):
            if isinstance(m, int) and isinstance(n, int) and m != n:
                raise ShapeError(f"function: givens put {n} entries along axis {axis} of {old!r}, not {m}", parts)
        shape = tuple(m if isinstance(m, int) else n for m, n in zip(old.type.shape, value.type.shape, strict=True))
        value = cast_to(value, wanted)
        values[old] = spread(value, shape, tuple(range(len(shape))))
    return values


def _check_used(
    inputs: Sequence[Expr], live: Sequence[Expr], roots: Sequence[Expr], leaves: Sequence[Expr], on_unused_input: Unused
) -> None:
    """Raises InputError where the outputs need what is no input; does on_unused_input where they do not need an input."""
    known, needed = set(inputs), set(leaves)
    missing = [n for n in leaves if not isinstance(n, SharedVariable) and n not in known]
    idle = [v for v in live if v not in needed]
    if missing:
        head = f"function: {' and '.join(map(repr, missing))} {'is' if len(missing) == 1 else 'are'} needed but {'is no input' if len(missing) == 1 else 'are no inputs'}"
        parts, remedy = _missing_remedy(missing, idle)
        raise InputError(head, parts, remedy)
    if not idle or on_unused_input == "ignore":
        return
    used = used_symbols(roots)
    for v in idle:
        own = frozenset(s for n in v.type.shape for s in symbols(n))
        if not v.type.shape and v.type.dtype[0] in "iu":
            own = symbols(value_symbol(v))
        if own & used:
            continue  # its size, or its value as a size, is needed
        text = f"function: the input {v!r} is not used by any output or update"
        remedy = f'on_unused_input="ignore" allows it. The outputs need {_listed([n for n in live if n in needed])}.'
        if on_unused_input == "raise":
            raise InputError(text, [described(v)], remedy)
        warn(text)


def _listed(inputs: Sequence[Expr]) -> str:
    return ", ".join(map(repr, inputs)) or "no input"


def _missing_remedy(missing: Sequence[Expr], idle: Sequence[Expr]) -> tuple[list[Part], str]:
    """The parts and the remedy: an input that nothing uses, of the same name or nearly, was probably meant."""
    parts = [described(n) for n in missing]
    first = missing[0]
    same = [v for v in idle if v.name and v.name == first.name]
    if same:
        return [
            *parts,
            described(same[0]),
        ], f"The input {first!r} is another variable of that name, which nothing uses."
    by_name = {v.name: v for v in idle if v.name}
    close = nearest(first.name or "", by_name)
    if close:
        v = by_name[close[0]]
        return [*parts, described(v)], f"The input {v!r} is not used: was {first!r} meant?"
    return parts, f"Add {first!r} to the inputs, or give it a value in givens." if first.name else ""
