"""Shared variables: leaves with a value that compiled functions read and update."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from symdl.errors import DtypeError, ShapeError
from symdl.expr import VARIABLE, Expr, checked_dtype, described, new_leaf
from symdl.types import TensorType, fresh_serial, fresh_symbol

Array = np.ndarray[Any, Any]


class ReadWriteLock:
    """Many readers or one writer; a writer that waits keeps new readers out."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        self._writing = False
        self._waiting = 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        with self._changed:
            while self._writing or self._waiting:
                self._changed.wait()
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        with self._changed:
            self._waiting += 1
            try:
                while self._writing or self._readers:
                    self._changed.wait()
            finally:
                self._waiting -= 1
            self._writing = True
        try:
            yield
        finally:
            with self._changed:
                self._writing = False
                self._changed.notify_all()


class SharedVariable(Expr):
    """A leaf with a value. Made by `shared`; its dtype is fixed, and so is its shape unless an axis was left open."""

    __slots__ = ("array", "default_update", "lock")
    array: Array
    lock: ReadWriteLock
    default_update: Expr | None  # what it becomes at each call that uses it, if the call does not say otherwise

    def __setattr__(self, name: str, value: object) -> None:
        if name == "default_update":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def get_value(self, borrow: bool = False) -> Array:
        """The value: a copy, or with borrow=True the array itself, which later updates may change in place."""
        if borrow:
            return self.array
        with self.lock.reading():
            return self.array.copy()

    def set_value(self, value: Any, borrow: bool = False) -> None:
        """Replace the value; with borrow=True an array that already fits is used itself, not copied.

        Raises DtypeError where a cast would lose the kind of number, ShapeError where the shape is fixed.
        """
        new = _as_value(value, self.type.dtype, self, copy=not borrow)
        if len(new.shape) != len(self.type.shape) or any(
            isinstance(n, int) and n != m for n, m in zip(self.type.shape, new.shape, strict=True)
        ):
            raise ShapeError(
                f"set_value: {self!r} cannot take a value of shape {new.shape}",
                [described(self)],
                "shared(value, name, shape=(None, ...)) leaves an axis open.",
            )
        with self.lock.writing():
            object.__setattr__(self, "array", new)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.get_value(), self.name, tuple(n if isinstance(n, int) else None for n in self.type.shape))


def _as_value(value: Any, dtype: str, leaf: Expr | None, copy: bool) -> Array:
    given = np.asarray(value)
    if given.dtype == object or not np.can_cast(given.dtype, dtype, "same_kind"):
        parts = [described(leaf)] if leaf is not None else []
        raise DtypeError(f"set_value: {given.dtype} does not go into {dtype}", parts)
    return np.array(given, dtype=dtype, order="C", copy=True if copy else None)


def shared(
    value: Any, name: str | None = None, *, dtype: Any = None, shape: Sequence[int | None] | None = None, borrow: bool = False
) -> SharedVariable:
    """A variable with a value that outlives calls: functions read it and, by `updates`, change it.

    value: an array, number or nested list, copied unless borrow=True. dtype: its own unless given. shape: the value's
    unless given; None leaves an axis open, so that set_value and updates may change its length.
    """
    array = np.asarray(value)
    kind = checked_dtype(dtype if dtype is not None else array.dtype)
    own = _as_value(array, kind, None, copy=not borrow)
    axes = own.shape if shape is None else tuple(shape)
    if len(axes) != own.ndim or any(n is not None and n != m for n, m in zip(axes, own.shape, strict=True)):
        raise ShapeError(f"shared: a value of shape {own.shape} does not fit shape={axes}")
    label = name or "shared"
    extents = tuple(fresh_symbol(f"{label}.shape[{k}]") if n is None else n for k, n in enumerate(axes))
    leaf = new_leaf(SharedVariable, VARIABLE, id=fresh_serial(), type=TensorType(kind, extents))
    for attribute, initial in (("array", own), ("lock", ReadWriteLock()), ("default_update", None)):
        object.__setattr__(leaf, attribute, initial)
    leaf.name = name
    return leaf


def _restored(value: Any, name: str | None, shape: tuple[int | None, ...]) -> SharedVariable:
    return shared(value, name, shape=shape, borrow=True)


@contextmanager
def held(read: Sequence[SharedVariable], written: Sequence[SharedVariable]) -> Iterator[None]:
    """The values locked for one call, in one order everywhere, so that two calls never wait for each other."""
    writers = set(written)
    with ExitStack() as stack:
        for leaf in sorted({*read, *written}, key=lambda s: s.params["id"]):  # type: ignore[no-any-return]
            stack.enter_context(leaf.lock.writing() if leaf in writers else leaf.lock.reading())
        yield
