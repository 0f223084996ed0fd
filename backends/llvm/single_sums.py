"""Sums of float32 that are kept as float64, by products with 1: total + x is x 1 + total, to the same bits. Sums of products that
are computed in float64 for the sake of float32 results are rounded once a term.

A float32 is converted where sums are made, two of four pipes on processors of AMD's, and both others stand idle; one that
multiplies and adds in one rounding makes the sum as well (sums and means in a cache take a sixth less time on Zen 5). LLVM must
not know that the 1 is one, or it would write the sum again.
"""

from __future__ import annotations

from typing import TypeGuard

from symdl.backends.builder import Reg
from symdl.backends.llvm.plans import Sum
from symdl.backends.llvm.rests import RestWriter
from symdl.ir.loops import Apply, Const, Ref, Value

SINGLE = ("float32", "float64")  # the dtypes of such a cast
ONE = Apply("hidden", (Const(1.0, "float64"),), "float64")


class SingleSumWriter(RestWriter):
    """A RestWriter that writes such sums, in vectors."""

    def compute(self, item: Value) -> Reg:
        if not isinstance(item, Apply):
            return super().compute(item)
        if item.primitive == "hidden":
            kind, name = self.type(item.dtype), f"llvm.arithmetic.fence.{self.suffix(item.dtype)}"
            self.declarations.add(f"declare {kind} @{name}({kind})")
            return self.emit(f"call {kind} @{name}({kind} {self.value(item.args[0]).text})", item.dtype)
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


def is_product(item: Value) -> TypeGuard[Apply]:
    """Whether a value is a product of two float64."""
    return isinstance(item, Apply) and item.primitive == "mul" and item.dtype == "float64"


def is_single(item: Value) -> bool:
    """Whether a value is a float32, converted to float64."""
    return isinstance(item, Apply) and item.primitive == "cast" and (item.args[0].dtype, item.dtype) == SINGLE
