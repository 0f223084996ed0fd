"""Trainers that wait for the next fit: since all their extents are open, a new one begins with new values, not a new graph."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from symdl.nn.history import History
from symdl.nn.training import Trainer
from symdl.sklearn.conventions import Array

KINDS, OF_A_KIND = 32, 2  # so many trainers wait at most; they hold the values of their last fit
_lock = threading.Lock()
_waiting: OrderedDict[Hashable, list[Trainer]] = OrderedDict()


def taken(kind: Hashable, make: Callable[[], Trainer], parameters: Sequence[Array], rate: float) -> Trainer:
    """A trainer of this kind, nobody else's until it is given back: these values in its parameters, its optimizer's state 0."""
    with _lock:
        found = _waiting.get(kind)
        trainer = found.pop() if found else None
    if trainer is None:
        trainer = make()
    owners: dict[Any, Array] = {}
    for p, value in zip(trainer.objective.parameters, parameters, strict=True):
        p.set_value(value)
        owners[p.name] = value
    known = {id(p) for p in (*trainer.objective.parameters, *trainer.objective.state, trainer.noise.state)}
    for target, _ in trainer.updates:
        if id(target) not in known:  # W0.mean belongs to W0
            of = owners.get(str(target.name).rpartition(".")[0])
            target.set_value(np.zeros_like(target.get_value(borrow=True) if of is None else of))
    trainer.learning_rate.set_value(np.float64(rate))
    trainer.history, trainer.stop_training, trainer.rng = History(), False, np.random.default_rng(0)
    return trainer


def given_back(kind: Hashable, trainer: Trainer) -> None:
    """It may be taken again."""
    with _lock:
        of_kind = _waiting.setdefault(kind, [])
        _waiting.move_to_end(kind)
        if len(of_kind) < OF_A_KIND:
            of_kind.append(trainer)
        if len(_waiting) > KINDS:
            _waiting.popitem(last=False)
