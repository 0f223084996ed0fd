"""Batches that come from outside: generators, objects with len and [], whatever can be iterated again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from symdl.errors import ConfigError, DataError

Array = np.ndarray[Any, np.dtype[Any]]
Batch = tuple[tuple[Array, ...], Array | None]  # an array for each input of an objective, and weights of the examples
Read = Callable[[Any], Batch]


class Batches:
    """What gives batches, an epoch at a time.

    data: an object with len and [] (Keras' Sequence or PyDataset: its batches in an order drawn anew, its on_epoch_end called),
    one that can be iterated anew for every epoch (torch's DataLoader, a dataset of TensorFlow), or an iterator such as a
    generator. steps: batches of an epoch, needed where an iterator does not end; the next epoch goes on behind them.
    read: makes arrays of what data gives. Raises ConfigError for data that are none of these.
    """

    def __init__(self, data: Any, read: Read, steps: int | None = None, where: str = "fit") -> None:
        if not gives_batches(data):
            raise ConfigError(
                f"{where}: {type(data).__name__} gives no batches: it can be neither iterated nor indexed"
            )
        if steps is not None and steps < 1:
            raise ConfigError(f"{where}: {steps} steps of an epoch; there must be at least 1")
        self.data, self.read, self.steps, self.where = data, read, steps, where
        self.listed = hasattr(data, "__getitem__") and hasattr(data, "__len__")
        self._at: Iterator[Any] | None = None  # where an iteration stands
        self._given = 0  # batches so far

    @property
    def count(self) -> int:
        """Batches of an epoch; 0 where only the end will tell."""
        if self.steps is not None and not self.listed:
            return self.steps
        try:
            n = len(self.data)
        except TypeError:  # tf.data says so of what has no known end
            return 0
        return n if self.steps is None else min(n, self.steps)

    def first(self) -> Any:
        """The first thing that data give, which the first epoch begins with all the same."""
        if self.listed:
            if not len(self.data):
                raise DataError(f"{self.where}: the data have no batches")
            return self.data[0]
        self._at = iter(self.data)
        try:
            item = next(self._at)
        except StopIteration:
            raise DataError(f"{self.where}: the data have no batches") from None
        self._at = chain([item], self._at)
        return item

    def epoch(self, order: Array | None = None) -> Iterator[Batch]:
        """The batches of one epoch. order: in which those of a list come."""
        for item in self._items(order):
            self._given += 1
            yield self.read(item)

    def _items(self, order: Array | None) -> Iterator[Any]:
        if self.listed:
            for k in range(self.count) if order is None else order[: self.count].tolist():
                yield self.data[k]
            if hasattr(self.data, "on_epoch_end"):
                self.data.on_epoch_end()
            return
        taken = 0
        while self.steps is None or taken < self.steps:
            begun = self._at is None
            self._at = iter(self.data) if self._at is None else self._at
            try:
                item = next(self._at)
            except StopIteration:
                self._at = None
                if taken and self.steps is None:
                    return
                if begun:  # an iterator that has come to its end, or data without batches
                    raise DataError(
                        f"{self.where}: the data ended after {self._given} batches",
                        (),
                        "A generator gives each batch once. Let it go on for ever and set steps_per_epoch, or give an "
                        "object that can be iterated anew: a list's, a class with __iter__, one with len and [].",
                    ) from None
                continue
            taken += 1
            yield item


def gives_batches(value: Any) -> bool:
    """Whether a value is no array but gives batches."""
    if isinstance(value, list | tuple | dict | str | bytes) or hasattr(value, "__array__") or hasattr(value, "shape"):
        return False
    return hasattr(value, "__iter__") or (hasattr(value, "__getitem__") and hasattr(value, "__len__"))
