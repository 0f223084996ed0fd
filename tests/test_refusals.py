"""Each op refuses operands of wrong shapes and dtypes in symdl's words (golden/op_refusals.txt), from the tables that test it.

SYMDL_UPDATE_GOLDEN=1 pytest tests/test_refusals.py writes the texts anew: read the difference before you commit it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from agree import Case
from cases import CASES
from test_every_op import CASTS, OWN, RANDOM

import symdl.tensor as T
from symdl.errors import SymdlError
from symdl.graph.expr import OPS, Expr, Op, variable
from symdl.graph.walks import levels

GOLDEN = Path(__file__).parent / "golden" / "op_refusals.txt"
ELEMENTWISE = [op for op in OPS.values() if op.prepare is not None and not op.foreign]
Operand = tuple[tuple[int, ...], str]  # shape, dtype
OF_THE_COMPILER = {"convolve_filters", "interleave", "covering"}  # made by it alone, of operands that fit
ASKS_ITSELF = {"arange", "eye", "one a row"}  # the case takes the extent of an axis: without it the case is wrong
X = variable("x", (3, 4), "float64")
WORD: Any = "text"
SETTINGS: dict[str, Callable[[], Any]] = {  # mistakes that are not in the operands
    "transpose": lambda: X.transpose(0, 0),
    "swapaxes": lambda: X.swapaxes(0, 2),
    "moveaxis": lambda: T.moveaxis(X, 0, 2),
    "expand_dims": lambda: T.expand_dims(X, 7),
    "squeeze": lambda: X.squeeze(0),
    "reshape": lambda: X.reshape((5, 2)),
    "tile_axis": lambda: T.tile(X, (-1, 2)),
    "repeat_each": lambda: X.repeat(-1, 0),
    "any": lambda: X.any(axis=2),
    "sum": lambda: X.sum(axis=(0, 0)),
    "var": lambda: X.var(axis="rows"),
    "std": lambda: T.std(X, axis=3),
    "softmax": lambda: T.softmax(X, axis=2),
    "log_softmax": lambda: T.log_softmax(X, axis=-3),
    "sort": lambda: T.sort(X, axis=2),
    "argsort": lambda: T.argsort(X, axis=2),
    "tril": lambda: T.tril(X[0, 0]),
    "outer": lambda: T.outer(X, "text"),
    "unique_places": lambda: T.unique("text"),
    "nonzero": lambda: T.nonzero(X[0, 0]),
    "one_hot": lambda: T.one_hot(X, 4),
    "zero_grad": lambda: T.zero_grad("text"),
    "disconnected_grad": lambda: T.disconnected_grad("text"),
    "grad_scale": lambda: T.grad_scale(X, WORD),
    "grad_clip": lambda: T.grad_clip(X, 1, WORD),
    "extent": lambda: T.zeros((X.shape[0], X[0, 0])),
}


def elementwise(op: Op) -> Iterator[tuple[str, list[Any]]]:
    """(what is wrong, operands) for an elementwise op."""
    yield "a text", ["text", *(variable("y", (2,), "float64") for _ in op.arguments[1:])]
    for dtype in ("bool", "float64"):
        yield dtype, [variable(a, (2,), "bool" if (op.name, a) == ("where", "c") else dtype) for a in op.arguments]
    if len(op.arguments) > 1:
        dtype = "bool" if op.name.startswith(("logical", "bitwise")) else "int64" if "shift" in op.name else "float64"
        shapes = [(k + 2,) for k in range(len(op.arguments))]
        yield "unequal", [variable(a, s, dtype) for a, s in zip(op.arguments, shapes, strict=True)]


def wrong(operands: list[Operand], integers: tuple[int, ...]) -> Iterator[tuple[str, list[Operand]]]:
    """(what is wrong, operands) for a case of the table: one operand at a time is of another kind."""
    for k, (shape, dtype) in enumerate(operands):
        others: dict[str, Operand] = {
            "an axis less": (shape[1:], dtype),
            "an axis more": ((7, *shape), dtype),
            "one entry more": (tuple(n + 1 for n in shape), dtype),
            "empty": (tuple(0 for _ in shape), dtype),
            "bools": (shape, "bool"),
            "floats for integers" if k in integers else "integers": (shape, "float32" if k in integers else "int8"),
        }
        for what, other in others.items():
            if other != (shape, dtype):
                yield f"{what}, operand {k}", [*operands[:k], other, *operands[k + 1 :]]


def operands_of(case: Case) -> list[Operand]:
    return [(a.shape, a.dtype.name) for a in case.arrays("float64" if case.floats else "int64")]


def made(case: Case, operands: list[Operand]) -> list[Expr]:
    leaves = [variable(f"x{k}", shape, dtype) for k, (shape, dtype) in enumerate(operands)]
    built = case.build(*leaves)
    return list(built) if isinstance(built, list | tuple) else [built]


def refusal(build: Any) -> str | None:
    """What is said, or None where nothing is wrong. What NumPy or Python says instead is a finding."""
    try:
        build()
    except SymdlError as error:
        return f"{type(error).__name__}: {error.head}"
    except Exception as error:  # noqa: BLE001  # see above
        return f"NOT SYMDL'S: {type(error).__name__}: {error}"
    return None


@cache
def found() -> dict[str, dict[str, str]]:
    """Title of an op or a case -> what is wrong -> what is said; a text that another mistake has already is left out."""
    out: dict[str, dict[str, str]] = {}

    def note(title: str, what: str, text: str | None) -> None:
        if text is not None and text not in out.setdefault(title, {}).values():
            out[title][what] = text

    for op in ELEMENTWISE:
        for what, values in elementwise(op):
            note(op.name, what, refusal(lambda op=op, values=values: op(*values)))
    for title, build in SETTINGS.items():
        note(title, "settings", refusal(build))
    for case in CASES:
        if case.name in OF_THE_COMPILER | ASKS_ITSELF:
            continue
        for what, operands in wrong(operands_of(case), case.integers):
            note(f"{case.name} (case)", what, refusal(lambda case=case, operands=operands: made(case, operands)))
    return out


def text() -> str:
    return "\n".join(
        f"=== {title}\n" + "".join(f"{what}: {said}\n" for what, said in texts.items())
        for title, texts in found().items()
    )


def test_the_words_are_those_of_the_list() -> None:
    if os.environ.get("SYMDL_UPDATE_GOLDEN"):
        GOLDEN.write_text(text(), encoding="utf-8")
    assert text() == GOLDEN.read_text(encoding="utf-8")


def test_nobody_else_speaks() -> None:
    assert [(t, w, s) for t, texts in found().items() for w, s in texts.items() if s.startswith("NOT")] == []


def test_a_refusal_names_who_refuses() -> None:
    """Each message begins with the name of what the user called."""
    heads = {s.partition(": ")[2] for texts in found().values() for s in texts.values()}
    assert [h for h in sorted(heads) if not re.match(r"\w[\w. ]*: |a constant holds", h) or "{" in h] == []


def test_every_op_has_its_refusal() -> None:
    """By its operands or by its settings."""
    refused: set[str] = {name for name in OPS if found().get(name)}
    for case in CASES:
        if found().get(f"{case.name} (case)"):
            refused |= {n.op.name for n in levels(*made(case, operands_of(case)))}
    leaves = {"variable", "constant", "wildcard", "parameter", "argument", "result"}
    left = {name for name, op in OPS.items() if not op.foreign} - refused - leaves - RANDOM - OWN - {CASTS}
    assert left - OF_THE_COMPILER == {"copy"}  # which takes what it is given


def test_each_wrong_setting_is_refused() -> None:
    assert [title for title in SETTINGS if "settings" not in found().get(title, {})] == []
