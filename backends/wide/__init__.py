"""The number forms of `symdl.number_forms` in machine code, and which table of primitives serves an application."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache

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
    wide = dtype in WIDE or not WIDE.isdisjoint([x.dtype for x in args])
    wide = wide or (dtype == "float32" and name != "cast" and args[-1].dtype == "float64")  # see `mixed`
    return (_table() if wide else vmath.EMIT)[name](b, *args, dtype=dtype)


def call(b: Builder, name: str, *args: Reg, dtype: str) -> Reg:
    """The same, a primitive of number forms that `emit` writes out being a call of an internal function: for texts that
    would be too long. Truth values of lanes, which LLVM cannot hand over, go as words."""
    forms = dtype in WIDE or any(x.dtype in WIDE for x in args)
    if name not in LONG or not forms or (name == "cast" and args[0].dtype == "bool"):
        return emit(b, name, *args, dtype=dtype)
    if b.lanes and name == "where":
        args = b.convert("sext", args[0], "int64"), *args[1:]
    found = _called(name, dtype)(b, *args)
    return b.compare("ne", found, 0) if b.lanes and dtype == "bool" else found


@cache
def _called(name: str, dtype: str) -> Callable[..., Reg]:
    def written(b: Builder, *args: Reg) -> Reg:
        if b.lanes and name == "where":
            args = b.compare("ne", args[0], 0), *args[1:]
        found = _table()[name](b, *args, dtype=dtype)
        return b.convert("sext", found, "int64") if b.lanes and dtype == "bool" else found

    return outlined(f"{name}_to_{dtype}", written)
