"""What a run trains on and what is held out, checked before it begins: arrays, or batches that come from outside."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from symdl.errors import ConfigError, DataError, ShapeError
from symdl.nn.objective import Objective
from symdl.nn.sources import Batches

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = tuple[Array, ...]
Validation = Sequence[Any] | Batches | float | None  # an array for each input, batches, or the fraction to hold out


class Measuring(Protocol):
    """What data meet: a Trainer."""

    objective: Objective

    def arrays(self, *data: Any) -> Arrays: ...

    def evaluate(self, *data: Any, weights: Any = None) -> dict[str, float]: ...

    def evaluate_batches(self, batches: Batches) -> dict[str, float]: ...


class Source:
    """The base: what is held out. validation: one array for each input, then perhaps weights of these examples; or batches."""

    def __init__(self, trainer: Measuring, validation: Validation) -> None:
        self.held_out: Arrays | Batches | None = None
        self.held_out_weights: Array | None = None
        if isinstance(validation, Batches):
            self.held_out = validation
        elif validation is not None and not isinstance(validation, float | int):
            inputs = len(trainer.objective.inputs)
            self.held_out = trainer.arrays(*validation[:inputs], *validation[inputs + 1 :])
            if len(validation) > inputs:
                self.held_out_weights = weights_of(validation[inputs], len(self.held_out[0]))

    def held_out_measures(self, trainer: Measuring) -> dict[str, float]:
        """What is measured of it, by names that begin with val_."""
        if self.held_out is None:
            return {}
        if isinstance(self.held_out, Batches):
            found = trainer.evaluate_batches(self.held_out)
        elif self.held_out_weights is None:
            found = trainer.evaluate(*self.held_out)
        else:
            found = trainer.evaluate(*self.held_out, weights=self.held_out_weights)
        return {f"val_{name}": value for name, value in found.items()}


class Plan(Source):
    """Arrays, of which every epoch visits every row once. validation: also a fraction, the end of the data."""

    def __init__(self, trainer: Measuring, data: Sequence[Any], validation: Validation, weights: Any) -> None:
        super().__init__(trainer, validation)
        self.data = trainer.arrays(*data)
        self.weights = None if weights is None else weights_of(weights, len(self.data[0]))
        if isinstance(validation, float | int):
            n = len(self.data[0])
            kept = n - round(validation * n)
            if not 0 < kept < n:
                raise ConfigError(f"fit: validation {validation} of {n} examples leaves {kept} to train on")
            self.held_out = tuple(a[kept:] for a in self.data)
            self.data = tuple(a[:kept] for a in self.data)
            if self.weights is not None:
                self.weights, self.held_out_weights = self.weights[:kept], self.weights[kept:]

    def __len__(self) -> int:
        return len(self.data[0])

    def count(self, batch_size: int) -> int:
        """Batches of an epoch."""
        return -(-len(self) // batch_size)

    def order(self, rng: np.random.Generator, shuffle: bool) -> Array:
        """In which an epoch visits the rows."""
        return rng.permutation(len(self)) if shuffle else np.arange(len(self))

    def batches(self, order: Array | None, batch_size: int) -> Iterator[tuple[Arrays, Array | None]]:
        """An epoch: the rows of each batch, with their weights."""
        order = np.arange(len(self)) if order is None else order
        for begin in range(0, len(order), batch_size):
            rows = order[begin : begin + batch_size]
            yield tuple(a[rows] for a in self.data), None if self.weights is None else self.weights[rows]

    def described(self) -> dict[str, Any]:
        """What another run must have alike to go on from a checkpoint of this one."""
        digest = 0
        for array in (*self.data, *([] if self.weights is None else [self.weights])):
            digest = zlib.crc32(array.data, digest)
        return {"examples": len(self), "data": digest}


class Stream(Source):
    """Batches that come from outside."""

    def __init__(self, trainer: Measuring, source: Batches, validation: Validation) -> None:
        super().__init__(trainer, validation)
        if isinstance(validation, float | int):
            raise ConfigError(f"fit: no fraction, here {validation}, can be held out of data that come batch by batch")
        self.source = source

    def count(self, batch_size: int) -> int:
        """Batches of an epoch, 0 where nobody knows."""
        return self.source.count

    def order(self, rng: np.random.Generator, shuffle: bool) -> Array | None:
        """In which an epoch visits the batches of a list."""
        return rng.permutation(len(self.source.data)) if shuffle and self.source.listed else None

    def batches(self, order: Array | None, batch_size: int) -> Iterable[tuple[Arrays, Array | None]]:
        """An epoch."""
        return self.source.epoch(order)

    def described(self) -> dict[str, Any]:
        """As of a Plan; what has not come yet cannot be compared."""
        return {"examples": None, "data": None}


def planned(trainer: Measuring, data: Sequence[Any], validation: Validation, weights: Any) -> Plan | Stream:
    """The data of a run: arrays, or Batches alone."""
    if len(data) == 1 and isinstance(data[0], Batches):
        if weights is not None:
            raise ConfigError("fit: the weights of examples that come batch by batch come with them: (x, y, weights)")
        return Stream(trainer, data[0], validation)
    return Plan(trainer, data, validation, weights)


def weights_of(weights: Any, n: int) -> Array:
    """Weights of n examples as float64."""
    array = np.asarray(weights)
    if array.shape != (n,) or array.dtype.kind not in "biuf":
        raise ShapeError(f"fit: {n} examples meet weights {array.dtype}[{', '.join(map(str, array.shape))}]")
    if not np.isfinite(array).all() or (array < 0).any():
        raise DataError("fit: weights must be finite and not negative")
    return np.ascontiguousarray(array, np.float64)
