"""Training on many machines: every rank takes its share of each batch, and gradients are added up over MPI.

    mpiexec -n 4 symdl train mlp --mpi

    trainer = symdl.distributed.DataParallel(trainer)        # in a program that mpiexec starts
    history = symdl.nn.fit(trainer, x, y, epochs=20, verbose=int(trainer.first))

All ranks read all data, shuffle alike and take rows r B / R to (r + 1) B / R of each batch of B. One Allreduce a step, of one
flat vector: the measures, then all gradients, each times the share of rows it stands for. So R ranks do what one does, up
to rounding. Noise (dropout) is drawn by each rank from a stream of its own.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl import extras
from symdl.errors import ConfigError, SymdlError
from symdl.functions import Function, function
from symdl.nn.checkpoints import Checkpoint
from symdl.nn.plans import Array, Plan
from symdl.nn.training import Trainer
from symdl.nn.weights import assign, values

STREAMS = 0x9E3779B97F4A7C15  # odd: ranks' seeds differ modulo 2^64 whatever the first is


def world() -> Any:
    """All ranks that mpiexec started; one where it started none. Raises MissingDependencyError without mpi4py."""
    return extras.load("mpi4py.MPI", "training on many machines").COMM_WORLD


class DataParallel(Trainer):
    """A trainer whose steps are shared by the ranks of an MPI communicator; for one rank it is the trainer itself.

    trainer: made alike on every rank. communicator: an mpi4py one, all ranks if not given. rank, ranks, first: who this is.
    Raises ConfigError for an objective with updates of its own (running means, a sampler's chain), which depend on the rows
    that a rank sees, and where ranks' parameters have other names or shapes.
    """

    def __init__(self, trainer: Trainer, communicator: Any = None) -> None:
        super().__init__(trainer.objective, trainer.optimizer, trainer.seed, trainer.precision)
        self.communicator = world() if communicator is None else communicator
        self.rank, self.ranks = self.communicator.Get_rank(), self.communicator.Get_size()
        if self.objective.updates:
            moved = ", ".join(str(target) for target, _ in self.objective.updates)
            raise ConfigError(
                f"DataParallel: a batch also changes {moved}, which ranks would change apart from one another"
            )
        self._draw_apart()
        self._agree()

    @property
    def first(self) -> bool:
        """Whether this rank is the one that speaks and writes files."""
        return bool(self.rank == 0)

    def _draw_apart(self) -> None:
        self.noise.seed((self.seed + self.rank * STREAMS) % 2**64)

    def _agree(self) -> None:
        """Parameters and optimizer state of the first rank everywhere."""
        own = values(self.shared)
        shapes = [(name, value.shape, str(value.dtype)) for name, value in own.items()]
        if any(other != shapes for other in self.communicator.allgather(shapes)):
            raise ConfigError(
                "DataParallel: the ranks have made different models", [(n, f"{d}{s}", "") for n, s, d in shapes]
            )
        assign(self.shared, self.communicator.bcast(own, root=0), "the first rank")

    def reset(self) -> None:
        super().reset()
        self._draw_apart()

    # ---- one step: a share, one sum, one move ----

    @cached_property
    def _size(self) -> int:
        return sum(self.widths) + sum(p.get_value(borrow=True).size for p in self.objective.parameters)

    def _flat(self, weights: Any) -> Any:
        """Measures and gradients as one float64 vector."""
        gradients = self._gradients if weights is None else self.objective.gradients(weights)
        return T.concatenate([T.reshape(part, (-1,)).astype("float64") for part in [*self._measured, *gradients]])

    @cached_property
    def _share(self) -> Function:
        self._initial  # noqa: B018  # taken before the first step moves anything
        return function(
            list(self.objective.inputs),
            self._flat(None),
            name="share",
            on_unused_input="ignore",
            precision=self.precision,
        )

    @cached_property
    def _weighted_share(self) -> Function:
        self._initial  # noqa: B018  # as above
        weights = T.tensor("sample_weight", dtype="float64", shape=(None,))
        inputs = [*self.objective.inputs, weights]
        return function(
            inputs, self._flat(weights), name="weighted_share", on_unused_input="ignore", precision=self.precision
        )

    @cached_property
    def _move(self) -> Function:
        flat = T.tensor("gradients", dtype="float64", shape=(self._size,))
        gradients, at = [], sum(self.widths)
        for p in self.objective.parameters:
            value = p.get_value(borrow=True)
            gradients.append(T.reshape(flat[at : at + value.size], value.shape).astype(p.dtype))
            at += value.size
        instead = dict(zip(self._gradients, gradients, strict=True))
        return function([flat], [], updates=self._updates_with(instead), name="move")

    def sweep(self, plan: Plan, batch_size: int) -> None:
        """None: ranks meet after every batch."""

    def step(self, *batch: Array, weights: Array | None = None) -> Array:
        n = len(batch[0])
        rows = slice(self.rank * n // self.ranks, (self.rank + 1) * n // self.ranks)
        own = np.zeros(self._size)
        if rows.stop == rows.start:  # the last batch may have fewer rows than there are ranks
            key, count = self.noise.get_state()
            self.noise.set_state((key, count + 1))  # so that all ranks have drawn equally often
        else:
            part = [a[rows] for a in batch]
            found = self._share(*part) if weights is None else self._weighted_share(*part, weights[rows])
            np.multiply(found, (rows.stop - rows.start) / n, out=own)
        total = np.empty_like(own)
        self.communicator.Allreduce(own, total)
        self._move(total)
        return total[: sum(self.widths)]


class SharedCheckpoint(Checkpoint):
    """A Checkpoint of which the first rank writes the file, and which every rank takes up: the folder is one for all."""

    def save(self) -> None:
        if self.trainer.first:  # type: ignore[attr-defined]  # a DataParallel
            super().save()

    def load(self) -> None:
        own, _ = self.trainer.noise.get_state()
        super().load()
        _, count = self.trainer.noise.get_state()
        self.trainer.noise.set_state((own, count))  # every rank goes on with a stream of its own


@contextmanager
def together(communicator: Any = None) -> Iterator[Any]:
    """The ranks, for a block: an error on one of them ends all, with a message that says which and why.

    Without it, the others would wait for a sum that never comes.
    """
    ranks = world() if communicator is None else communicator
    try:
        yield ranks
    except BaseException as error:
        if ranks.Get_size() == 1:
            raise
        told = f"{type(error).__name__}: {error}" if isinstance(error, SymdlError) else traceback.format_exc()
        sys.stderr.write(
            f"rank {ranks.Get_rank()} of {ranks.Get_size()} has failed and ends the run\n{told.rstrip()}\n"
        )
        sys.stderr.flush()
        ranks.Abort(1)
        raise
