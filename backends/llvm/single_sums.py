"""Sums of float32 that are kept as float64, by products with 1: total + x is x 1 + total, to the same bits. Sums of products that
are computed in float64 for the sake of float32 results are rounded once a term.

A float32 is converted where sums are made, two of four pipes on processors of AMD's, and both others stand idle; one that
multiplies and adds in one rounding makes the sum as well (sums and means in a cache take a sixth less time on Zen 5). LLVM must
not know that the 1 is one, or it would write the sum again.

Zen 4 reads four float32 as float64 in one step, two a cycle, and eight in four, one each cycle and a third: long sums go there by
pieces of four lanes, each with partial sums of its own, to the same bits, and take as long as a last cache does (a fifth to a third
less time), and so do columns of a few numbers that are written out (a tenth to a fifth less). Where something is
taken off each number, every second piece of a row does it by a product with 1, so that all four pipes have as much to do.
"""

from __future__ import annotations

from typing import TypeGuard

from symdl.backends.builder import Reg
from symdl.backends.llvm.plans import Plan, Sum
from symdl.backends.llvm.rests import RestWriter
from symdl.ir.loops import Apply, Const, For, Load, Ref, Value, walk
from symdl.ir.narrow_rows import CHEAP

SINGLE = ("float32", "float64")  # the dtypes of such a cast
PIECE, FEWEST = 4, 3  # lanes of a piece; rows of columns that go by pieces
ONE = Apply("hidden", (Const(1.0, "float64"),), "float64")


class SingleSumWriter(RestWriter):
    """A RestWriter that writes such sums, in vectors."""

    piece = 0  # lanes of the vectors by which a round goes, while it does
    second = False  # whether it is every second of them
    pieces: dict[str, list[str]]  # of a sum, by the first of them, all vectors of partial sums

    def compute(self, item: Value) -> Reg:
        if not isinstance(item, Apply):
            return super().compute(item)
        if item.primitive == "hidden":
            kind, name = self.type(item.dtype), f"llvm.arithmetic.fence.{self.suffix(item.dtype)}"
            self.declarations.add(f"declare {kind} @{name}({kind})")
            return self.emit(f"call {kind} @{name}({kind} {self.value(item.args[0]).text})", item.dtype)
        if self.second and item.primitive == "sub" and is_single(item.args[0]):
            number, taken_off = map(self.value, item.args)
            return self.fma(number, self.value(ONE), self.neg(taken_off))
        if item.primitive == "add" and item.dtype == "float64" and self.fused:
            total, x = item.args
            if self.lanes and isinstance(total, Ref) and is_single(x):
                return self.fma(self.value(x), self.value(ONE), self.value(total))
            if self.ranged and isinstance(total, Ref) and is_product(x) and total.dtype == "float64":
                return self.fma(self.value(x.args[0]), self.value(x.args[1]), self.value(total))
        return super().compute(item)

    def more(self, sum_: Sum, total: Reg, found: Reg) -> Reg:
        if self.fused and sum_.primitive == "add" and sum_.dtype == "float64" and is_single(sum_.value):
            return self.fma(found, self.value(ONE), total)
        factors = self.products.get(found.text)
        if factors is not None and self.fused and self.ranged and sum_.primitive == "add" and sum_.dtype == "float64":
            return self.fma(*factors, total)
        return super().more(sum_, total, found)

    # by pieces

    def piece_of(self, loop: For, plan: Plan) -> int:
        """By pieces of how many lanes a loop goes that adds up float32 as they are in memory; 0 where it does not."""
        read = [x.args[0] for x in walk(*loop.body) if is_single(x)]
        if not self.target.halves or not read or not all(isinstance(x, Load) for x in read):
            return 0
        return PIECE if all(s.dtype == "float64" for s in plan.sums.values()) and self.side_by_side(loop) else 0

    def piece_of_columns(self, loop: For) -> int:
        """The same of columns of a few numbers, three at least, that are written out; a quotient takes a piece nearly as long as all."""
        items = [x for x in walk(*loop.body) if isinstance(x, Apply | For)]
        read = {id(x.args[0]) for x in items if is_single(x) and isinstance(x.args[0], Load)}
        if not self.target.halves or len(read) < FEWEST or not self.side_by_side(loop):
            return 0
        light = all(isinstance(x, Apply) and x.primitive in {*CHEAP, "fused"} for x in items)
        return PIECE if light else 0

    def whole_vectors(self, loop: For, plan: Plan, first: str, end: str, last: bool = True) -> str:
        self.piece, self.pieces = plan.piece, {}
        left = super().whole_vectors(loop, plan, first, end, last)
        self.piece = 0
        return left

    def partial_sum(self, sum_: Sum, lanes: int, running: bool = False) -> str:
        one = super().partial_sum
        if not self.piece:
            return one(sum_, lanes, running)
        found = [one(sum_, self.piece) for _ in range(lanes // self.piece)]
        self.pieces[found[0]] = found
        return found[0]

    def vector_round(self, loop: For, plan: Plan, partial: dict[str, str]) -> None:
        if not self.piece:
            super().vector_round(loop, plan, partial)
            return
        first, lanes = self.scopes[-1].symbols[loop.index], self.take(self.piece)
        for k in range(lanes // self.piece):
            self.open_scope().symbols[loop.index] = self.arithmetic("add", first, str(k * self.piece))
            self.own, self.second = {}, k % 2 == 1
            super().vector_round(loop, plan, {name: self.pieces[all_][k] for name, all_ in partial.items()})
            self.close_scope()
        self.second = False
        self.take(lanes)

    def finish_sum(self, sum_: Sum, pointer: str, lanes: int, running: bool = False) -> None:
        if self.piece:
            lanes, before = self.piece, self.take(self.piece)
            kind = self.type(sum_.dtype)
            found = [self.emit(f"load {kind}, ptr {place}", sum_.dtype) for place in self.pieces[pointer]]
            while half := len(found) // 2:
                found = [self.as_one_sum(sum_, x, y) for x, y in zip(found[:half], found[half:], strict=True)]
            self.line(f"store {kind} {found[0].text}, ptr {pointer}")
            self.take(before)
        super().finish_sum(sum_, pointer, lanes, running)


def is_product(item: Value) -> TypeGuard[Apply]:
    """Whether a value is a product of two float64."""
    return isinstance(item, Apply) and item.primitive == "mul" and item.dtype == "float64"


def is_single(item: object) -> TypeGuard[Apply]:
    """Whether a value is a float32, converted to float64."""
    return isinstance(item, Apply) and item.primitive == "cast" and (item.args[0].dtype, item.dtype) == SINGLE
