"""What the two interpreters of loop nests share: memory, bounds checks, and how a Value is computed.

A Value is what it reads at the moment of its use, so a machine may keep it only while nothing that it reads changes.
Here nothing is kept from one statement to the next; within a statement a shared Value is computed once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from symdl import form_arithmetic
from symdl.backends.primitives import PRIMITIVES
from symdl.errors import InternalError
from symdl.ir.loops import Apply, Checked, Const, Guard, Index, Load, Position, Ref, Value, View, is_value, parts
from symdl.number_forms import WIDE, array_dtype, limbs_of
from symdl.records import record
from symdl.types import Extent

MISSING = object()


class Failure(Exception):
    """The run stops with a status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@record
class Memory:
    """flat: the elements of each buffer; home: equal for two buffers that share memory."""

    flat: Mapping[str, np.ndarray]
    home: Mapping[str, object]


def typed(found: Any, dtype: str) -> Any:
    """A result as a NumPy scalar or array of the dtype, as C casts."""
    wanted = array_dtype(dtype)
    if isinstance(found, np.generic | np.ndarray) and found.dtype == wanted:
        return found
    return np.asarray(found).astype(wanted)[()]


class Evaluator(ABC):
    """Computes Values without recursion over chains; subclasses say what a Load and an extent are."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.names: dict[str, Any] = {}
        self.scopes: list[dict[int, Any]] = [{}]

    def begin(self) -> None:
        """A new statement."""
        self.scopes = [{}]

    @abstractmethod
    def extent(self, extent: Extent) -> Any:
        """The extent's number here."""

    @abstractmethod
    def guard(self, item: Guard) -> Any:
        """One side of a Guard."""

    @abstractmethod
    def within(self, place: Any, extent: Any) -> bool:
        """Whether 0 <= place < extent, everywhere."""

    def outside(self, view: View, at: list[Any], why: str) -> Exception:
        """What to raise for an access out of bounds."""
        raise InternalError(f"access out of bounds: {view.buffer}[{', '.join(map(str, at))}] {why}")

    def loaded(self, view: View, address: Any) -> Any:
        """The elements at an address, which keep what they are when others are stored there."""
        found = self.memory.flat[view.buffer][address]
        return found.copy() if isinstance(found, np.void) else found  # a record is NumPy's view of memory

    def name(self, name: str) -> Any:
        """A scalar variable."""
        return self.names[name]

    def find(self, item: Value) -> Any:
        """What this statement has computed already, on this side of its Guards or outside them, or MISSING."""
        for scope in reversed(self.scopes):
            if id(item) in scope:
                return scope[id(item)]
        return MISSING

    def known(self, item: Value) -> bool:
        return isinstance(item, Ref) or self.find(item) is not MISSING

    def operand(self, item: Value) -> Any:
        return self.name(item.name) if isinstance(item, Ref) else self.find(item)

    def value(self, root: Value) -> Any:
        """A Value, operands first."""
        stack = [root]
        while stack:
            item = stack[-1]
            if self.known(item):
                stack.pop()
                continue
            missing = [] if isinstance(item, Guard) else [p for p in parts(item) if not self.known(p)]
            if missing:
                stack += reversed(missing)
            else:
                self.scopes[-1][id(item)] = self.compute(item)
                stack.pop()
        return self.operand(root)

    def compute(self, item: Value) -> Any:
        match item:
            case Load(view, at):
                return self.loaded(view, self.address(view, at))
            case Const(number, dtype):
                if dtype in WIDE:
                    return np.array(limbs_of(number, dtype), array_dtype(dtype))[()]
                return np.dtype(dtype).type(number)
            case Position(extent, dtype):
                if dtype in WIDE:
                    return form_arithmetic.apply("cast", int, [self.extent(extent)], ["int64"], dtype)
                return typed(self.extent(extent), dtype)
            case Apply(primitive, args, dtype):
                plain, operands = PRIMITIVES[primitive].numpy, [self.operand(a) for a in args]
                if dtype in WIDE or any(a.dtype in WIDE for a in args):
                    return form_arithmetic.apply(primitive, plain, operands, [a.dtype for a in args], dtype)
                return typed(plain(*operands), dtype)
            case Guard():
                return self.guard(item)
            case Checked(value, extent, code, dtype):
                found = typed(self.operand(value), dtype)
                if not self.within(found, self.extent(extent)):
                    raise Failure(code)
                return found
        raise InternalError(f"{type(item).__name__} is not a value")

    def address(self, view: View, at: tuple[Index, ...]) -> Any:
        """Where in the buffer an element of a view lies; every index lies in its axis, the element in the buffer."""
        places = [self.integer(self.value(i)) if is_value(i) else self.extent(i) for i in at]  # type: ignore[arg-type]  # is_value says so
        if len(places) != len(view.shape):
            raise self.outside(view, places, f"has {len(view.shape)} axes")
        address = self.extent(view.offset)
        for axis, (place, stride) in enumerate(zip(places, view.strides, strict=True)):
            limit = self.extent(view.shape[axis])
            if not self.within(place, limit):
                raise self.outside(view, places, f"leaves axis {axis} of {limit}")
            address = address + place * self.extent(stride)
        if not self.within(address, self.memory.flat[view.buffer].size):
            raise self.outside(view, places, f"is element {address} of {self.memory.flat[view.buffer].size}")
        return address

    def integer(self, found: Any) -> Any:
        """An index from data, wide enough for an address."""
        return int(found)
