"""Points inside ranges: log-spaced over all magnitudes, both signs, with the edges; the same at every call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symdl.errors import InputError, kind_of
from symdl.graph.expr import Expr, described
from symdl.ops.declare import is_float
from symdl.passes.dims import canonical_sizes
from symdl.passes.evaluate import bind
from symdl.runtime.inputs import as_array
from symdl.types import size_at, symbols

Array = np.ndarray[Any, Any]
DECADES = 20  # below the largest magnitude of a range that holds 0
EXTENT = 5  # of an axis, where several must fit together
ROUNDS = 3  # of new values for arrays


def grid(low: float, high: float, count: int) -> list[float]:
    """count numbers from low to high, edges first: log-spaced in size, half of them of each sign where both occur."""
    if low == high:
        return [low] * count
    edges = [low, high, *([0.0] if low < 0 < high else [])]
    out = list(dict.fromkeys(edges))
    sides = [(0.0 if low < 0 else low, high)] if high > 0 else []
    sides += [(0.0 if high > 0 else high, low)] if low < 0 else []
    left = max(0, count - len(out))
    for k, (near, far) in enumerate(sides):
        own = left // len(sides) + (k < left % len(sides))
        top = math.log2(abs(far))
        bottom = math.log2(abs(near)) if near else max(top - DECADES * math.log2(10), -1022.0)
        steps = [bottom + (top - bottom) * (j + 0.5) / own for j in range(own)]
        out += [math.copysign(2.0**step, far) for step in steps]
    return out[:count]


def points(kind: str, low: float, high: float, shape: tuple[int, ...], rng: np.random.Generator, count: int) -> Array:
    """An array of a dtype with values from a range, all of the grid's where it is large enough."""
    size = max(1, math.prod(shape))
    if kind == "bool":
        return np.asarray(np.arange(size) % 2 == 0).reshape(shape)
    if not is_float(kind):
        whole = np.linspace(math.ceil(low), math.floor(high), max(size, 2)).round()
        return rng.permutation(whole)[:size].reshape(shape).astype(kind)
    numbers = np.array(grid(low, high, max(count, size)))
    return rng.permutation(numbers)[:size].reshape(shape).astype(kind)


def range_of(spec: Any, leaf: Expr) -> tuple[float, float] | None:
    """(low, high) of a pair of numbers; None for what is no such tuple. Raises InputError for one that is no range."""
    if not isinstance(spec, tuple):
        return None
    parts = [described(leaf)]
    if len(spec) != 2 or not all(isinstance(v, int | float | np.number) for v in spec):
        raise InputError(
            f"stability_report: the range of {leaf!r} is {spec!r}",
            parts,
            "A range is (low, high); values are an array.",
        )
    low, high = float(spec[0]), float(spec[1])
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError(f"stability_report: the range of {leaf!r} is {spec!r}", parts, "Its edges must be finite.")
    if low > high:
        raise InputError(
            f"stability_report: the range of {leaf!r} ends before it begins: {low:g} > {high:g}",
            parts,
            f"({high:g}, {low:g})?",
        )
    if not is_float(leaf.type.dtype) and leaf.type.dtype != "bool":
        info = np.iinfo(leaf.type.dtype)
        if math.ceil(low) > math.floor(high) or low < info.min or high > info.max:
            raise InputError(f"stability_report: no {leaf.type.dtype} lies between {low:g} and {high:g}", parts)
    return low, high


def specs_of(where: Any, leaves: Sequence[Expr]) -> list[Any]:
    """What is said of each variable, by a dictionary or in order. Raises InputError for what does not fit."""
    parts = [described(v) for v in leaves]
    if isinstance(where, Mapping):
        by_name = {v.name: v for v in leaves if v.name}
        told = {by_name.get(k, k) if isinstance(k, str) else k: v for k, v in where.items()}
        for key in told:
            if key not in leaves:
                name = repr(key) if isinstance(key, str | Expr) else kind_of(key)
                raise InputError(f"stability_report: {name} is no variable of the expressions", parts)
        if missing := [v for v in leaves if v not in told]:
            names = " and ".join(map(repr, missing))
            raise InputError(
                f"stability_report: no range or value is given for {names}", [described(v) for v in missing]
            )
        return [told[v] for v in leaves]
    given = [where] if isinstance(where, np.ndarray | int | float) else where
    if (
        isinstance(where, tuple)
        and len(where) == 2
        and len(leaves) == 1
        and not isinstance(where[0], tuple | np.ndarray)
    ):
        given = [where]
    if not isinstance(given, list | tuple):
        raise InputError(
            f"stability_report: ranges or values must be a list or a dictionary, not {kind_of(where)}", parts
        )
    if len(given) != len(leaves):
        raise InputError(f"stability_report: {len(given)} ranges or values for {len(leaves)} variables", parts)
    return list(given)


def samples(where: Any, leaves: Sequence[Expr], count: int) -> list[list[Array]]:
    """The arrays of the variables, round by round. where: {variable: (low, high) or values}, or these in order."""
    specs = specs_of(where, leaves)
    ranges = [range_of(spec, v) for spec, v in zip(specs, leaves, strict=True)]
    given = {v: as_array(s, v) for v, s, r in zip(leaves, specs, ranges, strict=True) if r is None}
    if not any(ranges):
        return [list(given.values())]
    sizes = dict(bind(given))
    table = canonical_sizes(list(leaves), frozenset(), []).table
    vectors = all(v.type.ndim <= 1 for v in leaves)
    for v in leaves:  # extents that are equal are equal here too
        for s in sorted({s for extent in v.type.shape for s in symbols(extent)}, key=str):
            if s not in sizes:
                known = next((sizes[t] for t in sizes if t in table and table.get(s) == table[t]), None)
                sizes[s] = known if known is not None else (count if vectors else EXTENT)
    scalars = any(r is not None and not v.type.shape for v, r in zip(leaves, ranges, strict=True))
    rounds = count if scalars else ROUNDS if vectors else max(ROUNDS, count // (4 * EXTENT))
    rng = np.random.default_rng(0)
    columns: list[list[Array]] = []
    for v, r in zip(leaves, ranges, strict=True):
        if r is None:
            columns.append([given[v]] * rounds)
            continue
        shape = tuple(size_at(n, sizes) for n in v.type.shape)
        if shape:
            columns.append([points(v.type.dtype, *r, shape, rng, count) for _ in range(rounds)])
        else:
            columns.append(list(points(v.type.dtype, *r, (rounds,), rng, rounds)))
    return [[np.asarray(c[k]) for c in columns] for k in range(rounds)]
