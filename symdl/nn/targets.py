"""How data meet a model: arrays of numbers that fit its first layer, targets that fit its predictions and its loss."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError, DataError, Part, ShapeError, kind_of
from symdl.graph.expr import Expr
from symdl.graph.origins import user_line
from symdl.nn.layer import Layer
from symdl.nn.losses import (
    LOSSES,
    WITH_SETTINGS,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Loss,
    SparseCategoricalCrossentropy,
    binary_accuracy,
    binary_crossentropy,
    categorical_accuracy,
    categorical_crossentropy,
)
from symdl.nn.metrics import NAMED

Array = np.ndarray[Any, np.dtype[Any]]
SPARSE = "sparse_categorical_crossentropy"


def numbers(value: Any, name: str, where: str) -> Array:
    """value as an array of numbers with a first axis of at least one. Raises DataError or ShapeError."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:  # rows of different lengths, among others
        raise DataError(f"{where}: {name} is no array ({error})", [(name, kind_of(value), here())]) from error
    if array.dtype.kind not in "biuf":
        remedy = "Turn the text into numbers first." if array.dtype.kind in "US" else ""
        if hasattr(value, "toarray"):  # a sparse matrix, which NumPy takes for one object
            raise DataError(f"{where}: {name} is {kind_of(value)}, not an array", [], f"{name}.toarray() is the array.")
        raise DataError(f"{where}: {name} holds {_kind(array)}, not numbers", [(name, shown(array), here())], remedy)
    if not array.ndim or not array.size:
        raise ShapeError(f"{where}: {name} holds no examples", [(name, shown(array), here())])
    return array


def finite(array: Array, name: str, where: str) -> None:
    """Raises DataError where an element is NaN or infinite, with its place."""
    if array.dtype.kind != "f":
        return
    with np.errstate(over="ignore", invalid="ignore"):
        if math.isfinite(array.sum()):  # a sum is finite only if its terms are
            return
    good = np.isfinite(array)
    if good.all():
        return
    place = np.argwhere(~good)[0].tolist()
    bad = int((~good.reshape(len(array), -1).all(axis=1)).sum())
    over = f".all(axis={tuple(range(1, array.ndim)) if array.ndim > 2 else 1})" if array.ndim > 1 else ""
    raise DataError(
        f"{where}: {name}[{', '.join(map(str, place))}] is {array[tuple(place)]}; so {bad} of {len(array)} examples "
        "cannot be learned from",
        [(name, shown(array), here())],
        f"np.isfinite({name}){over} says which are whole.",
    )


def examples(value: Any, x: Expr, layer: Layer, where: str, name: str = "x") -> Array:
    """Data for the variable x of a model, whose first layer with weights is `layer`. Raises DataError or ShapeError."""
    array = numbers(value, name, where)
    wanted, given = x.type.shape[1:], array.shape[1:]
    fits = len(wanted) == len(given) and all(
        not isinstance(m, int) or m == n for m, n in zip(wanted, given, strict=True)
    )
    if fits:
        if np.dtype(x.dtype).kind in "iu" and array.dtype.kind == "f":
            whole = array.astype(x.dtype)
            if not np.array_equal(whole, array):
                raise DataError(
                    f"{where}: {layer.title} takes integers, {name} holds {array.dtype}",
                    [(name, shown(array), here()), _part(layer)],
                )
            return whole
        return array
    takes = ", ".join(str(n) if isinstance(n, int) else "?" for n in wanted)
    if len(wanted) == len(given) == 1:
        head = f"{where}: {name} has {given[0]} features, {layer.title} takes {takes}"
        remedy = f"Give {name}[n, {takes}], or a model whose first entry is Input(({given[0]},))."
    else:
        head = f"{where}: examples of shape {given} meet {layer.title}, which takes ({takes}{',' * (len(wanted) == 1)})"
        remedy = ""
    if all(isinstance(n, int) for n in wanted):
        if array.shape == tuple(wanted):
            remedy = f"{name}[None] is a batch of one."
        elif math.prod(given) == math.prod(wanted):
            remedy = f"{name}.reshape(len({name}), {takes}) would fit."
    raise ShapeError(head, [(name, shown(array), here()), _part(layer)], remedy)


def wants_labels(loss: str | Loss, prediction: Expr, y: Array) -> bool:
    """Whether y holds, or must hold, one label an example."""
    if loss == SPARSE or isinstance(loss, SparseCategoricalCrossentropy):
        return True
    if of_ones_own(loss):  # it may look them up
        column = y.ndim == 1 and prediction.type.shape[1:] == (1,)
        return y.ndim == prediction.ndim - 1 and y.dtype.kind in "iu" and not column
    categorical = loss in ("categorical_crossentropy", categorical_crossentropy)
    return (categorical or isinstance(loss, CategoricalCrossentropy)) and y.ndim < prediction.ndim


def of_ones_own(loss: str | Loss) -> bool:
    """Whether a loss is a function of the user's, of whose targets nothing is known."""
    return not isinstance(loss, (str, *WITH_SETTINGS)) and loss not in LOSSES.values()


def targets(value: Any, prediction: Expr, loss: str | Loss, layer: Layer, where: str, name: str = "y") -> Array:
    """y as the loss takes it: labels int64[...], or numbers with the shape of the predictions. layer: the last one.

    Raises DataError or ShapeError for labels that are no integers, or of no class, and for other shapes.
    """
    y = numbers(value, name, where)
    finite(y, name, where)
    parts: list[Part] = [(name, shown(y), here()), ("prediction", str(prediction.type), layer.place)]
    if not wants_labels(loss, prediction, y):
        return _numeric(y, prediction, loss, layer, where, parts, name)
    if y.ndim == prediction.ndim and y.shape[-1] == 1:
        y = y[..., 0]
    classes = prediction.type.shape[-1]
    if y.ndim == prediction.ndim and y.shape[-1] == classes:
        remedy = 'Rows of probabilities, or of 0 and 1, are for loss="categorical_crossentropy".'
        raise ShapeError(f"{where}: {_name(loss)} takes one label an example", parts, remedy)
    if y.ndim != prediction.ndim - 1:
        raise ShapeError(f"{where}: {_name(loss)} takes one label for each prediction", parts)
    if y.dtype.kind not in "iub":
        whole = bool((y == np.floor(y)).all())
        remedy = (
            f'{name}.astype("int64") has the same values.'
            if whole
            else 'For other numbers there is loss="mean_squared_error".'
        )
        raise DataError(f"{where}: {_name(loss)} takes integer labels; {name} is {y.dtype}", parts, remedy)
    if isinstance(classes, int) and not of_ones_own(loss) and not 0 <= y.min() <= y.max() < classes:
        remedy = f"Labels are 0 to {classes - 1}."
        if y.min() >= 0:
            remedy += f" For more, the last layer needs {y.max() + 1} units."
        raise DataError(
            f"{where}: labels from {y.min()} to {y.max()} meet {classes} classes of {layer.title}", parts, remedy
        )
    return np.ascontiguousarray(y, np.int64)


def _numeric(
    y: Array, prediction: Expr, loss: str | Loss, layer: Layer, where: str, parts: list[Part], name: str
) -> Array:
    wanted = prediction.type.shape[1:]
    column = y.ndim == 1 and wanted == (1,)
    if not column and (
        y.ndim != prediction.ndim
        or any(isinstance(m, int) and m != n for m, n in zip(wanted, y.shape[1:], strict=True))
    ):
        remedy = ""
        if y.ndim == prediction.ndim - 1 and y.dtype.kind in "iu":
            remedy = f'Labels are for loss="{SPARSE}".'
        raise ShapeError(f"{where}: {name} does not have the shape of what {layer.title} predicts", parts, remedy)
    binary = loss in ("binary_crossentropy", binary_crossentropy) or isinstance(loss, BinaryCrossentropy)
    if binary and not 0 <= y.min() <= y.max() <= 1:
        raise DataError(
            f"{where}: {_name(loss)} takes targets from 0 to 1; {name} has {y.min():g} to {y.max():g}", parts
        )
    return np.ascontiguousarray(y[:, None] if column else y, prediction.dtype)  # axis by axis beside what is predicted


def accuracy(loss: str | Loss, prediction: Expr) -> Loss:
    """The accuracy that fits: of one number an example on which side of one half it is, else whether the largest is right."""
    if prediction.type.shape[-1] != 1:
        return categorical_accuracy
    if isinstance(loss, BinaryCrossentropy) and loss.from_logits:
        return lambda z, target: binary_accuracy(T.sigmoid(z), target)
    return binary_accuracy


def measured(metrics: Any, loss: str | Loss, prediction: Expr) -> dict[str, Loss | str]:
    """Metrics by the names under which they are reported. Raises ConfigError for what is none."""
    if isinstance(metrics, str) or callable(metrics):
        metrics = [metrics]
    found: dict[str, Loss | str] = {}
    for m in metrics or ():
        if m in ("accuracy", "acc"):
            found[m] = accuracy(loss, prediction)
        elif callable(m):
            name = str(getattr(m, "name", None) or getattr(m, "__name__", type(m).__name__.lower()))
            if name in found:
                raise ConfigError(f"compile: two metrics are called {name}", (), "Give one of them another name=.")
            found[name] = m
        elif m in NAMED:
            found[m] = m
        else:
            raise ConfigError(f"there is no metric {m!r}", (), f"metrics: accuracy, {', '.join(NAMED)}")
    return found


def class_weights(weights: Any, y: Array) -> Array:
    """The weight of each example by its class, 1 for classes that have none. Raises DataError where y has no classes."""
    if not isinstance(weights, Mapping):
        raise DataError(f"fit: class_weight is {weights!r}, not a dict", (), "class_weight={0: 1.0, 1: 5.0}, say.")
    labels = y
    if y.ndim == 2:
        labels = y[:, 0] if y.shape[1] == 1 else y.argmax(axis=1)
    if labels.ndim != 1:
        raise DataError("fit: class_weight needs one class an example", [("y", shown(y), here())])
    whole = labels.astype(np.int64)
    table = np.ones(int(max(whole.max(), *weights)) + 1 if weights else int(whole.max()) + 1)
    for k, weight in weights.items():
        table[int(k)] = float(weight)
    return table[whole]


def to_categorical(labels: Any, num_classes: int | None = None) -> Array:
    """Labels 0, 1, ... as rows of 0 with a 1 at the label: float32[..., classes]."""
    found = np.asarray(labels)
    if found.dtype.kind not in "biuf":
        raise DataError(f"to_categorical: labels are integers, not {_kind(found)}")
    if found.dtype.kind == "f" and not np.array_equal(found, np.floor(found)):
        raise DataError(f"to_categorical: labels are integers, not {found.dtype}")
    whole = found.astype(np.int64)
    if whole.ndim > 1 and whole.shape[-1] == 1:
        whole = whole[..., 0]
    n = int(whole.max()) + 1 if num_classes is None else num_classes
    if whole.size and not 0 <= whole.min() <= whole.max() < n:
        raise DataError(f"to_categorical: labels from {whole.min()} to {whole.max()} meet {n} classes")
    return np.eye(n, dtype=np.float32)[whole]


def shown(array: Array) -> str:
    """An array's type: float64[8, 63]."""
    return f"{array.dtype.name}[{', '.join(map(str, array.shape))}]"


def here() -> str:
    """The user's line, as file:line."""
    line = user_line()
    return f"{os.path.basename(line[0])}:{line[1]}" if line else ""


def _part(layer: Layer) -> Part:
    weight = next(iter(layer.parameters), None)
    return (str(weight.name), str(weight.type), layer.place) if weight is not None else (str(layer), "", layer.place)


def _kind(array: Array) -> str:
    kinds = {"U": "text", "S": "bytes", "O": "objects", "c": "complex numbers", "M": "dates", "m": "durations"}
    return kinds.get(array.dtype.kind, str(array.dtype))


def _name(loss: str | Loss) -> str:
    return loss if isinstance(loss, str) else str(getattr(loss, "__name__", type(loss).__name__))
