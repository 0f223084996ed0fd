"""The number forms of `symdl.number_forms` in machine code, and which table of primitives serves an application."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache, partial

from symdl.backends import vmath
from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.forms import outlined
from symdl.number_forms import WIDE

LONG = frozenset(
    ["cast", "add", "sub", "mul", "true_div", "abs", "maximum", "minimum", "where", "eq", "ne", "lt", "le", "gt", "ge"]
)


@cache
def _table() -> dict[str, Callable[..., Reg]]:
    """The primitives of number forms, which are loaded on the first use: most processes never need them."""
    found: dict[str, Callable[..., Reg]] = importlib.import_module("symdl.backends.wide.primitives").EMIT
    return found


def emit(b: Builder, name: str, *args: Reg, dtype: str) -> Reg:
    """A primitive on any dtypes: by `wide.primitives` where a number form takes part, else by `vmath`."""
    wide = dtype in WIDE or any(x.dtype in WIDE for x in args)
    wide = wide or (dtype == "float32" and name != "cast" and args[-1].dtype == "float64")  # see `mixed`
    return (_table() if wide else vmath.EMIT)[name](b, *args, dtype=dtype)


def call(b: Builder, name: str, *args: Reg, dtype: str) -> Reg:
    """The same, a primitive of number forms that `emit` writes out being a call of an internal function: for texts that
    would be too long."""
    masks = b.lanes and any(kind == "bool" for kind in (dtype, *(x.dtype for x in args)))  # which LLVM cannot hand over
    if name in LONG and not masks and (dtype in WIDE or any(x.dtype in WIDE for x in args)):
        return _called(name, dtype)(b, *args)
    return emit(b, name, *args, dtype=dtype)


@cache
def _called(name: str, dtype: str) -> Callable[..., Reg]:
    return outlined(f"{name}_to_{dtype}", partial(_table()[name], dtype=dtype))
