"""Shared variables: leaves with a value that compiled functions read and update."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from symdl.errors import DtypeError, ShapeError
from symdl.graph.expr import VARIABLE, Expr, checked_dtype, described, new_leaf
from symdl.runtime.inputs import Array, converted, plain
from symdl.runtime.residence import Residence, transfers
from symdl.runtime.turns import Claims, Turn, wake
from symdl.types import Symbol, TensorType, fresh_serial, fresh_symbol, sole_symbol

OPEN: WeakValueDictionary[Symbol, SharedVariable] = WeakValueDictionary()  # whose extent an open axis is


class SharedVariable(Expr):
    """A leaf with a value. Made by `shared`; its dtype is fixed, and so is its shape unless an axis was left open.

    Many threads may read and write it. NumPy and DLPack read it as an array: np.asarray(W) is a copy of the value,
    while np.exp(W) builds an expression. Functions for a GPU keep the value there between calls; it moves when it is asked
    for elsewhere (`residence`). As long as it is on a GPU, `__cuda_array_interface__` shows it there, without a copy.
    """

    __slots__ = ("alone", "array", "borrowed", "claims", "default_update", "residence")
    in_each_step = False  # whether a loop whose step uses the value makes its default_update in each step
    array: Array  # the value, unless residence says that a device has a newer one
    residence: Residence
    borrowed: bool  # someone outside may hold the array itself
    default_update: Expr | None  # what it becomes at each call that uses it, if the call does not say otherwise
    claims: Claims  # who uses the value now
    alone: frozenset[Claims]  # these, as what a Turn of get_value and set_value holds

    def __setattr__(self, name: str, value: object) -> None:
        if name == "default_update":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Array:
        """The value: a copy, or with borrow=True the array itself, which later updates may change in place.

        Functions for a GPU see what is written into a borrowed array before they next run, not what is written later: use
        set_value. return_internal_type=True gives a value that is on a GPU as it is there, a DeviceArray (a copy on the
        GPU unless borrow=True), and any other as an array.
        """
        turn = Turn(self.alone, frozenset())
        leave = map(set.discard, turn.sets, repeat(turn))
        try:
            turn.take()
            if return_internal_type and self.residence.newest != "host":
                copy = self.residence.copy
                return copy if borrow else copy.copied()  # type: ignore[no-any-return]  # an array of another kind
            array = self.on_host()
            if borrow:
                object.__setattr__(self, "borrowed", True)
                self.residence.host_written()
                return array
            return array.copy()
        finally:
            deque(leave, 0)
            wake()

    def on_host(self) -> Array:
        """The array of the host with the newest value in it. Only for who has a Turn."""
        if self.residence.newest == "device":
            with transfers:
                array = self.residence.home(self.array, self.borrowed)
                if array is not self.array:
                    object.__setattr__(self, "array", array)
                    object.__setattr__(self, "borrowed", False)
        return self.array

    def on_device(self, device: Any) -> Any:
        """The newest value on a device. Only for who has a Turn."""
        with transfers:
            if self.residence.elsewhere(device):
                self.on_host()
            return self.residence.on(device, self.array)

    def set_value(self, value: Any, borrow: bool = False) -> None:
        """Replace the value; with borrow=True an array that already fits is used itself, not copied.

        Floats are rounded to its dtype, integers must fit. Raises DtypeError where the value is another kind of number,
        ShapeError where it has another shape (an axis that `shared` left open may have any length).
        """
        own = owned(value, self.type.dtype, f"set_value: {self!r}", self, borrow)
        if own.ndim != self.type.ndim or any(
            isinstance(n, int) and n != m for n, m in zip(self.type.shape, own.shape, strict=True)
        ):
            remedy = "shared(value, name, shape=(None, ...)) leaves an axis open." if own.ndim == self.type.ndim else ""
            raise ShapeError(
                f"set_value: {self!r} is {self.type}, not {own.dtype}{list(own.shape)}", [described(self)], remedy
            )
        turn = Turn(self.alone, self.alone)
        leave = map(set.discard, turn.sets, repeat(turn))
        try:
            turn.take()
            object.__setattr__(self, "borrowed", borrow)
            object.__setattr__(self, "array", own)
            self.residence.host_written()
        finally:
            deque(leave, 0)
            wake()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if copy is False:
            raise ValueError(
                "the value of a shared variable can only be copied; get_value(borrow=True) is the array itself"
            )
        return np.asarray(self.get_value(), dtype=dtype)

    def __dlpack__(self, **options: Any) -> Any:
        return self.get_value().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()

    @property
    def __cuda_array_interface__(self) -> Any:
        if self.residence.newest == "host":
            raise AttributeError(f"{self!r} is not on a GPU: no __cuda_array_interface__")
        return self.residence.copy.__cuda_array_interface__

    def __reduce__(self) -> tuple[Any, ...]:
        state = {"default_update": self.default_update} if self.default_update is not None else None
        value = SharedVariable.get_value(self)  # which a subclass may give in another form
        return restored, (value, self.name, self.type, sorted(self.origins), type(self)), state

    def __setstate__(self, state: Any) -> None:
        self.default_update = state["default_update"]


def shared(
    value: Any,
    name: str | None = None,
    *,
    dtype: Any = None,
    shape: Sequence[int | None] | None = None,
    borrow: bool = False,
) -> SharedVariable:
    """A variable with a value that outlives calls: functions read it and, by `updates`, change it.

    value: an array, number or nested list, copied unless borrow=True. dtype: its own unless given. shape: the value's
    unless given; None leaves an axis open, so that set_value and updates may change its length.
    Raises DtypeError for what is no array of numbers, ShapeError for a shape that the value does not have.
    """
    if isinstance(value, Expr) and not isinstance(value, SharedVariable):
        raise DtypeError(f"shared: takes a value, not the expression {value!r}", [described(value)])
    title = f"shared: {name}" if name else "shared"
    kind = checked_dtype(dtype) if dtype is not None else None
    own = owned(value, kind, title, None, borrow)
    axes = own.shape if shape is None else tuple(shape)
    if len(axes) != own.ndim or any(n is not None and n != m for n, m in zip(axes, own.shape, strict=True)):
        raise ShapeError(f"{title}: a value of shape {own.shape} does not fit shape={axes}")
    label = name or "shared"
    extents = tuple(fresh_symbol(f"{label}.shape[{k}]") if n is None else n for k, n in enumerate(axes))
    leaf = new_leaf(SharedVariable, VARIABLE, id=fresh_serial(), type=TensorType(str(own.dtype), extents))
    _enter(leaf)
    return _filled(leaf, own, name, borrow)


def shared_like(other: SharedVariable, start: float, name: str | None = None) -> SharedVariable:
    """A variable of the other's very type, all `start`: on an axis that is open there, both have one extent in every call."""
    closed = all(isinstance(n, int) for n in other.type.shape)
    shape: Any = other.type.shape if closed else other.get_value().shape
    leaf = new_leaf(SharedVariable, VARIABLE, id=fresh_serial(), type=other.type)
    return _filled(leaf, np.full(shape, start, other.type.dtype), name, False)


def _enter(leaf: SharedVariable) -> None:
    for n in leaf.type.shape:
        if (s := sole_symbol(n)) is not None:
            OPEN[s] = leaf


def _filled(leaf: SharedVariable, own: Array, name: str | None, borrow: bool) -> SharedVariable:
    claims = Claims()
    for attribute, initial in (
        ("array", own), ("borrowed", borrow), ("default_update", None), ("claims", claims), ("alone", frozenset([claims])),
        ("residence", Residence(claims)),
    ):  # fmt: skip
        object.__setattr__(leaf, attribute, initial)
    leaf.name = name
    return leaf


def owned(value: Any, dtype: str | None, what: str, leaf: SharedVariable | None, borrow: bool) -> Array:
    """value as an array that compiled code may update in place: C order, aligned, writable, and nobody else's unless
    borrow says so."""
    parts = [described(leaf)] if leaf is not None else []
    if dtype is None:
        dtype = checked_dtype(plain(value, what, parts, "numbers").dtype)
    array = converted(value, np.dtype(dtype), what, parts, "digits")
    if borrow and array.flags.carray:
        return array
    return np.array(array, dtype=dtype, order="C", copy=True, subok=False)


def restored(
    value: Array, name: str | None, kind: TensorType, origins: Sequence[tuple[str, int]],
    of: type[SharedVariable] = SharedVariable,
) -> SharedVariable:  # fmt: skip
    """A pickled shared variable: a new leaf, on the old one's symbols, by which the rest of its graph knows its sizes."""
    leaf = new_leaf(of, VARIABLE, id=fresh_serial(), type=kind)
    object.__setattr__(leaf, "origins", frozenset(map(tuple, origins)))  # pairs, though pickled as lists
    own = value if value.flags.carray else np.array(value, order="C")
    _enter(leaf)
    return _filled(leaf, own, name, borrow=False)


def swap(leaves: Iterable[SharedVariable], arrays: Iterable[Array]) -> None:
    """New arrays of the host for all of them, by one operation of C: no interrupt finds some new and some old."""
    leaves = list(leaves)
    for leaf in leaves:
        leaf.on_host()  # whatever was newest on a device
        leaf.residence.host_written()
    deque(map(_SET, leaves, arrays), maxlen=0)


_SET: Any = vars(SharedVariable)["array"].__set__  # the slot's own setter
