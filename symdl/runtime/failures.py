"""Errors of a call: the status of compiled code becomes an error in the user's names, with values and lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from symdl.backends.routines import RoutineRaised
from symdl.errors import IndexRangeError, InternalError, Part, ShapeError, SymdlError
from symdl.graph.expr import Expr, described, place_of, short
from symdl.ir.program import FIRST_FAILURE, Failure
from symdl.passes.dims import Sizes, canonical_sizes
from symdl.passes.evaluate import evaluate
from symdl.records import record
from symdl.runtime.inputs import Array
from symdl.runtime.loop_names import named
from symdl.types import Symbol, size_at, symbols


def add_place(error: BaseException, node: Expr) -> None:
    """A note that tells which of the user's nodes an error was raised in."""
    error.add_note(f"symdl: in {short(node, 2)}" + (f", {place}" if (place := place_of(node)) else ""))


@record
class Blame:
    """What an error of a call is told from: the user's graph, and what its checks and failures are about."""

    leaves: tuple[Expr, ...]  # inputs, then shared values
    fixed: frozenset[int]  # which leaves are shared values
    updates: Mapping[Expr, Expr]  # new value -> the shared value that it is for
    nodes: Sequence[Expr]  # the user's nodes by number
    failures: Sequence[Failure]

    @cached_property
    def sizes(self) -> Sizes:
        """The sizes and checks, as the compiler numbered them. Raises InputError where a size cannot be known."""
        return canonical_sizes(self.leaves, self.fixed, self.nodes)

    def error(self, status: int, sizes: Mapping[Symbol, int], arrays: Sequence[Array]) -> SymdlError:
        """What a status other than 0 means for these sizes and arrays of the leaves."""
        if 0 < status <= len(self.sizes.checks):
            return self._unmet(status - 1, sizes, arrays)
        if 0 <= status - FIRST_FAILURE < len(self.failures):
            return self._failed(self.failures[status - FIRST_FAILURE], arrays)
        return InternalError(f"function: the compiled code returned the unknown status {status}")

    def noted(self, raised: RoutineRaised) -> BaseException:
        """What a routine raised, with a note that tells which of the user's nodes it is."""
        if raised.source >= 0:
            add_place(raised.error, named(self.nodes[raised.source], self.nodes))
        return raised.error

    def _unmet(self, number: int, sizes: Mapping[Symbol, int], arrays: Sequence[Array]) -> SymdlError:
        """A fact about sizes that does not hold."""
        fact, source = self.sizes.checks[number]
        left, right = size_at(fact.left, sizes), size_at(fact.right, sizes)
        head = fact.why.replace("{left}", str(left)).replace("{right}", str(right))
        parts: list[Part] = []
        if source >= 0:
            node = named(self.nodes[source], self.nodes)
            for k, operand in enumerate(node.inputs):
                head = head.replace(f"{{{k}}}", short(operand, 2))
            if node in self.updates and head.startswith("broadcast_to: "):  # signature.new_value asked for this shape
                target = self.updates[node]
                head = f"function: the update of {target!r}: {head.partition(': ')[2]}"
                parts.append(described(target))
                node = node.inputs[0]
            if node not in self.leaves:
                parts.append(described(node))
        involved = symbols(fact.left) | symbols(fact.right)
        for b in self.sizes.bindings:
            if b.symbol in involved:
                leaf, array = self.leaves[b.leaf], arrays[b.leaf]
                kind = leaf.type.dtype
                shown = f"{kind}[{', '.join(map(str, array.shape))}]" if array.ndim else f"{kind} {array}"
                parts.append((short(leaf), shown, place_of(leaf)))
        indexing = head.startswith(("getitem", "subtensor")) and fact.relation == "<="
        stretching = head.startswith("broadcast_to: ") or (source >= 0 and self.nodes[source].op.kind == "elementwise")
        remedy = "Only an axis that is known to be 1 when the function is made stretches: T.row, or shape=(1, None)."
        error = IndexRangeError if indexing else ShapeError
        return error(head, tuple(dict.fromkeys(parts)), remedy if stretching and 1 in (left, right) else "")

    def _failed(self, found: Failure, arrays: Sequence[Array]) -> SymdlError:
        """An index from data that lies outside its axis; the oracle finds out which."""
        if found.source < 0:
            return IndexRangeError(found.text)
        node = named(self.nodes[found.source], self.nodes)
        parts = tuple(dict.fromkeys([described(node), *map(described, node.inputs)]))
        if node.op.kind in ("gather", "scatter") and node is self.nodes[found.source]:
            x, *rest = evaluate(node.inputs, dict(zip(self.leaves, arrays, strict=True)))
            indices = rest[node.op.kind == "scatter" :]  # the values of a scatter come first
            for axis, index in zip(node.params["axes"], indices, strict=True):
                n = x.shape[axis]
                outside = index[(index < -n) | (index >= n)]
                if outside.size:
                    text = (
                        f"index {outside[0]} lies outside the {n} entries of axis {axis} of {short(node.inputs[0], 2)}"
                    )
                    return IndexRangeError(f"getitem: {text}", parts)
        return IndexRangeError(found.text, parts)
