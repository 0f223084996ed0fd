"""The digest of a graph: equal for graphs that compile to equal code, in every process, and for no others.

Told by the digest are ops, params, dtypes, sizes, the contents of constants, the order of inputs, shared values, outputs
and updates. Not told are names, the user's lines, and the serials of variables and symbols: variables are numbered in
their order as inputs and shared values, symbols as they are met in the shapes of these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from symdl.graph.bodies import Body
from symdl.graph.expr import CONSTANT, OPS, VARIABLE, Expr, Frozen
from symdl.graph.walks import topological
from symdl.ops.own import GradientRule
from symdl.types import Compound, Dim, Results, Symbol, TensorType, terms_of

PLAIN = (int, str, bool, type(None), float)
CONTENT = 64  # bytes of a constant that stand in the text themselves; of more, their own digest


class NoDigest(Exception):
    """The graph holds something that has no text of its own."""


def digest(leaves: Sequence[Expr], nodes: Iterable[Expr], layout: Any) -> str:
    """The digest of a graph as 64 hexadecimal figures.

    leaves: inputs and shared values, all that may be bound. nodes: every node, operands before their users. layout: which
    leaves are inputs, which nodes are outputs and updates, and whatever else changes the code, made of numbers, texts and
    tuples; Exprs in it are told by their number. Raises NoDigest where a part has no text of its own.
    """
    telling = Telling(leaves)
    for node in nodes:
        telling.node(node)
    rows = telling.rows, telling.told(layout)
    return hashlib.blake2b(repr(rows).encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


class Telling:
    """Numbers for nodes, symbols and extents, in the order in which they are met, and one row of text for each."""

    def __init__(self, leaves: Sequence[Expr]) -> None:
        self.rows: list[Any] = []
        self.numbers: dict[Expr, int] = {}
        self.extents: dict[Dim, int] = {}
        self.symbols: dict[Symbol, int] = {}
        self.values: dict[int, int] = {}  # id of an integer scalar among the leaves -> its number
        for leaf in leaves:
            if leaf in self.numbers:
                raise NoDigest("a leaf is given twice")
            self.values[leaf.params["id"]] = self.numbers[leaf] = len(self.numbers)
            self.rows.append(("leaf", self.told(leaf.type)))

    def node(self, node: Expr) -> None:
        """A row for a node whose operands have one."""
        if node in self.numbers:
            return
        op = node.op
        if OPS.get(op.name) is not op:
            raise NoDigest(f"there is no op {op.name} in the table")
        if op is CONSTANT:
            row: tuple[Any, ...] = (
                "constant",
                self.told(node.type),
                content(node.params["value"]),
                node.params.get("name"),  # 2/sqrt(pi) has more digits than the float beside it
            )
        elif op is VARIABLE:  # not among the leaves: there is no code for it
            raise NoDigest("a variable is no input")
        else:
            told = tuple((name, self.told(value)) for name, value in sorted(node.params.items()))
            if op.foreign:  # its name does not tell what it computes
                assert op.expand is not None
                for inner in topological(op.expand(*node.inputs, **node.params)):
                    self.node(inner)
                told = (*told, ("body", len(self.numbers)))
            row = op.name, tuple([self.numbers[i] for i in node.inputs]), told
        self.numbers[node] = len(self.numbers)
        self.rows.append(row)

    def told(self, value: Any) -> Any:
        """A param or type in numbers, texts and tuples, of which different ones have different texts."""
        if type(value) in PLAIN:
            return value
        if isinstance(value, GradientRule):  # it has done its work when code is made
            return "gradient rule"
        if type(value) is tuple:
            return ("tuple", *map(self.told, value))
        if isinstance(value, Dim):
            return "extent", self.extent(value)
        if isinstance(value, TensorType):
            return "type", value.dtype, self.told(value.shape)
        if isinstance(value, Results):
            return ("results", *map(self.told, value.types))
        if isinstance(value, Frozen):
            return content(value)
        if isinstance(value, Body):
            for node in topological(*value.outputs):
                self.node(node)
            return "body", self.told(value.parameters), self.told(value.outputs)
        if isinstance(value, Expr) and value in self.numbers:
            return "node", self.numbers[value]
        raise NoDigest(f"a {type(value).__name__} has no text of its own")

    def extent(self, extent: Dim) -> int:
        """The number of an extent; those that it is made of have smaller ones."""
        stack = [extent]
        while stack:
            e = stack[-1]
            if e in self.extents:
                stack.pop()
                continue
            atoms = [a for factors, _ in e.terms for a in factors if isinstance(a, Compound)]
            parts = [p for a in atoms for p in (a.left, a.right) if isinstance(p, Dim) and p not in self.extents]
            if parts:
                stack += reversed(parts)
                continue
            # in the order of the terms, not sorted: later stages visit them in this order
            row = tuple((k, *map(self._atom, factors)) for factors, k in terms_of(e))
            self.extents[e] = len(self.extents)
            self.rows.append(("extent", row))
        return self.extents[extent]

    def _atom(self, atom: Symbol | Compound) -> tuple[Any, ...]:
        if isinstance(atom, Symbol):
            if atom.signed and atom.serial in self.values:
                return "value", self.values[atom.serial]
            return "symbol", self.symbols.setdefault(atom, len(self.symbols)), atom.signed
        left, right = (self.extents[p] if isinstance(p, Dim) else (p,) for p in (atom.left, atom.right))
        return atom.function, left, right


def content(value: Frozen) -> tuple[Any, ...]:
    """What a constant holds, bit by bit."""
    dtype, shape, data = value.key
    return dtype, shape, data if len(data) <= CONTENT else hashlib.blake2b(data, digest_size=32).hexdigest()
