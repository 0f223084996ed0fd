"""Reading compiled Programs in tests: golden texts, and how many kernels, calls and temps there are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import agree
import numpy as np

import symdl
from symdl.errors import SymdlError
from symdl.graph.expr import Expr
from symdl.ir.loops import Load, Local, Store, walk
from symdl.ir.program import Call, Kernel, Program
from symdl.pipeline.compilation import Graph, lowered

GOLDEN = Path(__file__).parent / "golden"
MODES = ("numpy", "interpreter", "native")


def program_of(inputs: Sequence[Expr], outputs: Sequence[Expr], updates: Any = ()) -> Program:
    """The Program as fusion makes it: formulas as written, without stage 3."""
    updates = tuple(updates)
    shareds = tuple(s for s, _ in updates)
    return lowered(Graph(tuple(inputs), shareds, tuple(outputs), updates), stable=False, blocks=False).program


def kernels(program: Program) -> list[Kernel]:
    return [s for s in program.steps if isinstance(s, Kernel)]


def calls(program: Program) -> list[str]:
    return [s.name for s in program.steps if isinstance(s, Call)]


def temps(program: Program) -> list[str]:
    return [b.name for b in program.of_kind("temp")]


def count(program: Program, kind: type = Store) -> int:
    """How many stores (loads, locals) the kernels hold."""
    assert kind in (Store, Load, Local)
    return sum(isinstance(x, kind) for k in kernels(program) for x in walk(*k.body))


def primitives(program: Program, name: str) -> int:
    """How many different applications of a primitive the kernels hold, each value once a kernel."""
    return sum(getattr(x, "primitive", "") == name for k in kernels(program) for x in walk(*k.body))


def golden(name: str, text: str) -> None:
    """The text is what tests/golden holds; SYMDL_UPDATE_GOLDEN=1 writes it anew."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("SYMDL_UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    assert path.exists(), f"{path.name} is missing: SYMDL_UPDATE_GOLDEN=1 writes it"
    assert text == path.read_text(encoding="utf-8")


def three_ways(
    inputs: Sequence[Expr], outputs: Sequence[Expr], values: Sequence[Any], rtol: float = 1e-12
) -> list[Any]:
    """The oracle's outputs, after loops and machine code of the formulas as written (without stage 3) have given equal
    dtypes, shapes and values (floats to rtol)."""
    oracle, *others = agree.three_ways(outputs, dict(zip(inputs, values, strict=True)))
    for other in others:
        for expected, got in zip(oracle, other, strict=True):
            assert got.dtype == expected.dtype
            assert got.shape == expected.shape
            np.testing.assert_allclose(got, expected, rtol=rtol if got.dtype.kind == "f" else 0, atol=rtol)
    return oracle


def in_every_mode(inputs: Sequence[Expr], outputs: Sequence[Expr], values: Sequence[Any]) -> None:
    """Raise the error of a function's call, if it is one of the same class in every mode."""
    found: list[Any] = []
    for mode in MODES:
        f = symdl.function(list(inputs), list(outputs), mode=mode, on_unused_input="ignore")
        try:
            f(*values)
            found.append(None)
        except SymdlError as error:
            found.append(error)
    assert len({type(e) for e in found}) == 1, found
    if found[0] is not None:
        raise found[0]
