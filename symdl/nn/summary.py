"""A model as a table: its layers, what they make, and how many numbers they have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symdl.nn.chain import Group
from symdl.nn.layer import Layer
from symdl.runtime.storage import SharedVariable

HEADINGS = ("Layer (type)", "Output Shape", "Param #")


def summary(model: Group, title: str, table: Sequence[tuple[str, ...]] = ()) -> str:
    """The table of a model's layers, and its numbers of parameters with their bytes. table: the rows of a model that is more
    than layers one after another, the headings first."""
    layers = [(f"{layer.name} ({type(layer).__name__})", _shape(layer), _count(layer)) for layer in model.layers]
    headings, *rows = table or [HEADINGS, *layers]
    widths = [max(len(row[k]) for row in (headings, *rows)) for k in range(len(headings))]

    def line(left: str, middle: str, right: str, fill: str) -> str:
        return left + middle.join(fill * (w + 2) for w in widths) + right

    def cells(row: tuple[str, ...], bar: str) -> str:
        padded = [
            cell.rjust(w) if k == 2 else cell.ljust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        return bar + bar.join(f" {cell} " for cell in padded) + bar

    between = "\n" + line("├", "┼", "┤", "─") + "\n"
    numbers = counts(model)
    return "\n".join([
        f'Model: "{title}"',
        line("┏", "┳", "┓", "━"),
        cells(headings, "┃"),
        line("┡", "╇", "┩", "━"),
        between.join(cells(row, "│") for row in rows) or cells(("",) * len(headings), "│"),
        line("└", "┴", "┘", "─"),
        *(f" {what}: {n:,} ({_bytes(size)})" for what, (n, size) in numbers.items()),
    ])  # fmt: skip


def counts(model: Layer) -> dict[str, tuple[int, int]]:
    """How many numbers, and bytes, are parameters at all, are trained, are not."""
    every = {id(v): v for v in (*model.parameters, *model.state)}
    trained = {id(v) for v in model.trained}
    return {
        "Total params": _size(every.values()),
        "Trainable params": _size(v for key, v in every.items() if key in trained),
        "Non-trainable params": _size(v for key, v in every.items() if key not in trained),
    }


def _size(variables: Iterable[SharedVariable]) -> tuple[int, int]:
    arrays = [v.get_value(borrow=True) for v in variables]
    return sum(a.size for a in arrays), sum(a.nbytes for a in arrays)


def _shape(layer: Layer) -> str:
    if layer.output_shape is None:
        return "?"
    return f"({', '.join(map(str, layer.output_shape))}{',' if len(layer.output_shape) == 1 else ''})"


def _count(layer: Layer) -> str:
    return f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"


def _bytes(n: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if n < 1024 or unit == "GB":
            return f"{n:.2f} {unit}"
        n /= 1024
    raise AssertionError("the last unit has returned")
