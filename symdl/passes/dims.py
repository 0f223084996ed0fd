"""Sizes of one function: every unknown extent gets a canonical name, and what must be equal gets one.

Symbols are named d0, d1, ... in the order in which the inputs bind them, so that equal graphs have equal Programs.
Facts of the user's graph become checks at the function's entry; once checked they are used: of two equal extents one
is replaced everywhere, so that x + y fuses with x.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

from symdl.errors import InputError
from symdl.graph.bodies import Body, every_node
from symdl.graph.expr import VARIABLE, Expr, described, make
from symdl.graph.walks import conclude, new_extents
from symdl.ops.extents import value_symbol
from symdl.passes.rewrite import Origins, Rewriting
from symdl.records import mutable
from symdl.types import (
    Compound,
    Dim,
    Extent,
    Fact,
    Symbol,
    TensorType,
    at_most,
    replace_symbols,
    sole_symbol,
    symbol,
    symbols,
    terms_of,
)

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


@mutable
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

    def known(found: Set[Symbol], node: Expr) -> None:
        if found - table.keys():
            conclude(nodes, table)
            if unknown := found - table.keys():
                raise _unbound(node, unknown)

    for extent, k, axis in odd:
        known(symbols(extent), leaves[k])
        found = symbol(f"d{len(bindings)}")
        bindings.append(Bound(_only(found), k, axis))
        why = f"{leaves[k]!r}: axis {axis} must have {{left}} entries, not {{right}}"
        checks.append(Checked(Fact("==", replace_symbols(extent, table), found, why), -1 - k))
    equalities = Equalities()
    seen: set[Any] = set()
    for number, node in enumerate(nodes):
        for extent in new_extents(node, seen):
            known(symbols(extent), node)
            for divisor in divisors(extent):
                divisor = replace_symbols(divisor, table)
                if not at_most(1, divisor):
                    why = f"{node.op}: {{0}} is divided into {{right}} parts"
                    checks.append(Checked(Fact("<=", 1, divisor, why), number))
        for fact in node.facts:
            known(symbols(fact.left) | symbols(fact.right), node)
            left, right = replace_symbols(fact.left, table), replace_symbols(fact.right, table)
            now, then = equalities.resolved(left), equalities.resolved(right)
            key = (fact.relation, now, then)
            if now is then or now == then or key in seen or (fact.relation == "<=" and at_most(now, then)):
                continue
            seen.add(key)
            checks.append(Checked(Fact(fact.relation, left, right, fact.why), number))
            if fact.relation == "==":
                equalities.unify(now, then)
    resolved = {s: equalities.resolved(extent) for s, extent in table.items()}
    return Sizes(bindings, checks, resolved)


def _unbound(node: Expr, unknown: Set[Symbol]) -> InputError:
    names = ", ".join(sorted(map(str, unknown)))
    return InputError(f"function: the size {names} belongs to no input", [described(node)])


def _only(extent: Dim) -> Symbol:
    found = sole_symbol(extent)
    assert found is not None  # made as one symbol
    return found


class Equalities:
    """What checked facts have shown equal: each symbol stands for an extent without it."""

    def __init__(self) -> None:
        self.table: dict[Symbol, Extent] = {}

    def resolved(self, extent: Extent) -> Extent:
        """The extent with every symbol replaced that stands for another extent."""
        while hit := {s: self._end(s) for s in symbols(extent) if s in self.table}:
            extent = replace_symbols(extent, hit)
        return extent

    def _end(self, s: Symbol) -> Extent:
        """What a chain of symbols ends in; the chain is cut short for the next time."""
        path = [s]
        while (after := sole_symbol(self.table[path[-1]])) is not None and after in self.table:
            path.append(after)
        end = self.table[path[-1]]
        self.table.update(dict.fromkeys(path, end))
        return end

    def unify(self, a: Extent, b: Extent) -> None:
        """Use a == b, both being resolved: a symbol that stands alone on one side and not in the other is replaced."""
        for one, other in ((a, b), (b, a)):
            s = sole_symbol(one)
            if s is not None and not s.signed and s not in symbols(other):
                later = sole_symbol(other)
                if later is not None and not later.signed and _number(later) > _number(s):
                    s, other = later, one  # keep the name that is bound first
                self.table[s] = other
                return


def _number(s: Symbol) -> int:
    return int(s.name[1:])


def divisors(extent: Extent) -> list[Extent]:
    """What an extent is divided by, innermost divisions first, unless it is a number above 0."""
    found: list[Extent] = []
    stack: list[Extent] = [extent]
    while stack:
        for atoms, _ in terms_of(stack.pop()):
            for a in atoms:
                if isinstance(a, Compound):
                    stack += [a.left, a.right]
                    if a.function == "floordiv" and not (isinstance(a.right, int) and a.right > 0):
                        found.append(a.right)
    return found[::-1]


def with_sizes(roots: Sequence[Expr], table: Table, values: Mapping[Expr, Expr], origins: Origins) -> list[Expr]:
    """The graph with symbols replaced in every type and parameter, and leaves replaced by values."""
    return Renaming(table, values, origins)(roots)


class Renaming(Rewriting):
    """See `with_sizes`."""

    def __init__(self, table: Table, values: Mapping[Expr, Expr], origins: Origins) -> None:
        super().__init__(origins)
        self.table, self.values = table, values
        self.known: dict[Dim, Extent] = {}

    def change(self, node: Expr) -> Expr:
        if node in self.values:
            return self.values[node]
        if not node.params:
            return node
        params = {k: self.renamed(v) for k, v in node.params.items()}
        out = make(node.op, node.inputs, **params) if any(params[k] is not node.params[k] for k in params) else node
        if node.op is VARIABLE and out is not node and out.name is None:
            out.name = node.name
        return out

    def renamed(self, v: Any) -> Any:
        """A parameter."""
        if isinstance(v, Dim):
            if v not in self.known:
                self.known[v] = replace_symbols(v, self.table)
            return self.known[v]
        if isinstance(v, TensorType):
            shape = self.renamed(v.shape)
            return v if shape is v.shape else TensorType(v.dtype, shape)
        if type(v) is tuple:
            new = tuple(map(self.renamed, v))
            return v if all(map(operator.is_, new, v)) else new
        if isinstance(v, Body):
            types, outputs = self.renamed(v.parameters), tuple(self(v.outputs))
            same = types is v.parameters and all(map(operator.is_, outputs, v.outputs))
            return v if same else Body(types, outputs)
        return v


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
                    f"function: givens put {value!r} for {leaf!r}, but axis {axis} differs",
                    [described(leaf), described(value)],
                )
    return with_sizes(roots, table, values, origins)


def used_symbols(roots: Sequence[Expr]) -> set[Symbol]:
    """Every symbol that a type or parameter of the graph names."""
    seen: set[Any] = set()
    return {s for node in every_node(*roots) for extent in new_extents(node, seen) for s in symbols(extent)}
