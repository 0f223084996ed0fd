"""Sizes of one function: every unknown extent gets a canonical name, and what must be equal gets one.

Symbols are named d0, d1, ... in the order in which the inputs bind them, so that equal graphs have equal Programs.
Facts of the user's graph become checks at the function's entry; once checked they are used: of two equal extents one
is replaced everywhere, so that x + y fuses with x.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from symdl.errors import InputError
from symdl.expr import VARIABLE, Expr, described, make, topological
from symdl.ops.extents import value_symbol
from symdl.rewrite import Origins, Pass
from symdl.types import Dim, Extent, Fact, Results, Symbol, TensorType, at_most, replace_symbols, sole_symbol, symbol, symbols

Table = Mapping[Symbol, Extent]


class Bound(NamedTuple):
    """symbol is the extent of an axis of a leaf, or (axis None) its value."""

    symbol: Symbol
    leaf: int
    axis: int | None


class Checked(NamedTuple):
    """A fact to check at entry; node is the user's node that needs it, -1 the type of an input."""

    fact: Fact
    node: int


@dataclass
class Sizes:
    """What canonical_sizes finds: table maps the graph's symbols to canonical extents."""

    bindings: list[Bound]
    checks: list[Checked]
    table: dict[Symbol, Extent]


def canonical_sizes(leaves: Sequence[Expr], fixed: frozenset[int], nodes: Sequence[Expr]) -> Sizes:
    """Names for all symbols of the leaves (inputs and shared values) and checks for all facts of the nodes.

    fixed: numbers of the leaves whose own type needs no check. Raises InputError where a size cannot be known.
    """
    bindings: list[Bound] = []
    checks: list[Checked] = []
    table: dict[Symbol, Extent] = {}
    odd: list[tuple[Extent, int, int]] = []
    for k, leaf in enumerate(leaves):
        for axis, extent in enumerate(leaf.type.shape):
            s = sole_symbol(extent)
            if s is not None and s not in table:
                name = symbol(f"d{len(bindings)}")
                bindings.append(Bound(_only(name), k, axis))
                table[s] = name
            elif k not in fixed or s is not None:  # a shared value and its copy stand on one symbol
                odd.append((extent, k, axis))
        if not leaf.type.shape and leaf.type.dtype[0] in "iu":
            s = _only(value_symbol(leaf))
            name = symbol(f"d{len(bindings)}", signed=True)
            bindings.append(Bound(_only(name), k, None))
            table[s] = name
    for extent, k, axis in odd:
        found = symbol(f"d{len(bindings)}")
        bindings.append(Bound(_only(found), k, axis))
        why = f"{leaves[k]!r}: axis {axis} must have {{left}} entries, not {{right}}"
        checks.append(Checked(Fact("==", replace_symbols(extent, table), found, why), -1 - k))
    equal: dict[Symbol, Extent] = {}
    seen: set[Any] = set()
    for number, node in enumerate(nodes):
        for fact in node.facts:
            left, right = replace_symbols(fact.left, table), replace_symbols(fact.right, table)
            now, then = replace_symbols(left, equal), replace_symbols(right, equal)
            key = (fact.relation, now, then)
            if now is then or now == then or key in seen or (fact.relation == "<=" and at_most(now, then)):
                continue
            seen.add(key)
            checks.append(Checked(Fact(fact.relation, left, right, fact.why), number))
            if fact.relation == "==":
                _unify(now, then, equal)
    unbound = {s for c in checks for s in symbols(c.fact.left) | symbols(c.fact.right)} - {b.symbol for b in bindings}
    if unbound:
        raise InputError(f"function: the size {', '.join(sorted(map(str, unbound)))} belongs to no input")
    return Sizes(bindings, checks, {k: replace_symbols(v, equal) for k, v in table.items()} | equal)


def _only(extent: Dim) -> Symbol:
    found = sole_symbol(extent)
    assert found is not None  # noqa: S101  # made as one symbol
    return found


def _unify(a: Extent, b: Extent, equal: dict[Symbol, Extent]) -> None:
    """Use a == b: a symbol that stands alone on one side and not in the other is replaced by that other."""
    for one, other in ((a, b), (b, a)):
        s = sole_symbol(one)
        if s is not None and not s.signed and s not in symbols(other):
            later = sole_symbol(other)
            if later is not None and not later.signed and _number(later) > _number(s):
                s, other = later, one  # keep the name that is bound first
            for k, v in equal.items():
                equal[k] = replace_symbols(v, {s: other})
            equal[s] = other
            return


def _number(s: Symbol) -> int:
    return int(s.name[1:])


def with_sizes(roots: Sequence[Expr], table: Table, values: Mapping[Expr, Expr], origins: Origins) -> list[Expr]:
    """The graph with symbols replaced in every type and parameter, and leaves replaced by values."""

    def change(v: Any) -> Any:
        if isinstance(v, Dim):
            return replace_symbols(v, table)
        if isinstance(v, TensorType):
            return v.map(change)
        return tuple(map(change, v)) if type(v) is tuple else v

    def renamed(node: Expr) -> Expr:
        if node in values:
            return values[node]
        params = {k: change(v) for k, v in node.params.items()}
        out = make(node.op, node.inputs, **params) if any(params[k] is not node.params[k] for k in params) else node
        if node.op is VARIABLE and out is not node and out.name is None:
            out.name = node.name
        return out

    return Pass(renamed, origins)(roots)


def substituted(roots: Sequence[Expr], values: Mapping[Expr, Expr], origins: Origins) -> list[Expr]:
    """The roots with variables replaced (givens): the sizes of a variable become those of its replacement."""
    table: dict[Symbol, Extent] = {}
    for leaf, value in values.items():
        for axis, (old, new) in enumerate(zip(leaf.type.shape, value.type.shape, strict=True)):
            s = sole_symbol(old)
            if s is not None:
                table[s] = new
            elif old != new:
                raise InputError(
                    f"function: givens put {value!r} for {leaf!r}, but axis {axis} differs", [described(leaf), described(value)]
                )
    return with_sizes(roots, table, values, origins)


def used_symbols(roots: Sequence[Expr]) -> set[Symbol]:
    """Every symbol that a type or parameter of the graph names."""
    found: set[Symbol] = set()
    seen: set[Any] = set()
    for node in topological(*roots):
        stack: list[Any] = [node.type, *node.params.values()]
        while stack:
            v = stack.pop()
            if isinstance(v, Dim) and v not in seen:
                seen.add(v)
                found |= symbols(v)
            elif isinstance(v, TensorType):
                stack += v.shape
            elif isinstance(v, Results):
                stack += v.types
            elif type(v) is tuple:
                stack += v
    return found
