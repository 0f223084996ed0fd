"""Training on many machines: every rank takes its share of each batch, and gradients are added up over MPI.

    mpiexec -n 4 symdl train mlp --mpi

    trainer = symdl.distributed.DataParallel(trainer)        # in a program that mpiexec starts
    history = symdl.nn.fit(trainer, x, y, epochs=20, verbose=int(trainer.first))

All ranks read all data, shuffle alike and take rows r B / R to (r + 1) B / R of each batch of B. One Allreduce a step, of one
flat vector: the measures, then all gradients and what else a batch changes, each times the share of rows it stands for. So R
ranks do what one does, up to rounding, noise included: each rank draws for its rows what one process would draw for them, and
what is no row's (a sampler's chain) comes out alike on all. The one exception are statistics over the rows of a batch (batch
normalization), which each rank takes of its own rows; running means are averaged.
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
from symdl.graph.expr import Expr
from symdl.graph.walks import topological
from symdl.nn.checkpoints import Checkpoint
from symdl.nn.optimizers import Updates
from symdl.nn.plans import Array, Plan
from symdl.nn.training import Trainer
from symdl.nn.weights import assign, values
from symdl.ops.extents import expr_of
from symdl.ops.random import PLACE
from symdl.passes.replacing import graph_replace
from symdl.runtime.storage import SharedVariable
from symdl.types import product


def world() -> Any:
    """All ranks that mpiexec started; one where it started none. Raises MissingDependencyError without mpi4py."""
    return extras.load("mpi4py.MPI", "training on many machines").COMM_WORLD


class DataParallel(Trainer):
    """A trainer whose steps are shared by the ranks of an MPI communicator; for one rank it is the trainer itself.

    trainer: made alike on every rank. communicator: an mpi4py one, all ranks if not given. rank, ranks, first: who this is.
    Raises ConfigError for an objective without parameters to move along gradients (Rosenblatt's rule, which adds up over the
    rows), and where ranks' parameters have other names or shapes.
    """

    def __init__(self, trainer: Trainer, communicator: Any = None) -> None:
        super().__init__(trainer.objective, trainer.optimizer, trainer.seed, trainer.precision)
        self.communicator = world() if communicator is None else communicator
        self.rank, self.ranks = self.communicator.Get_rank(), self.communicator.Get_size()
        if not self.objective.parameters:
            moved = ", ".join(str(target) for target, _ in self.objective.updates)
            raise ConfigError(f"DataParallel: no gradients to share: a rule of its own moves {moved}")
        self._agree()

    @property
    def first(self) -> bool:
        """Whether this rank is the one that speaks and writes files."""
        return bool(self.rank == 0)

    def _agree(self) -> None:
        """Parameters and optimizer state of the first rank everywhere."""
        own = values(self.shared)
        shapes = [(name, value.shape, str(value.dtype)) for name, value in own.items()]
        if any(other != shapes for other in self.communicator.allgather(shapes)):
            raise ConfigError(
                "DataParallel: the ranks have made different models", [(n, f"{d}{s}", "") for n, s, d in shapes]
            )
        assign(self.shared, self.communicator.bcast(own, root=0), "the first rank")

    # ---- one step: a share, one sum, one move ----

    @cached_property
    def _moved(self) -> list[SharedVariable]:
        """What a batch changes, in the order in which it stands in the sum: parameters, then the objective's own."""
        return [*self.objective.parameters, *(target for target, _ in self.objective.updates)]

    @cached_property
    def _size(self) -> int:
        return sum(self.widths) + sum(int(p.get_value(borrow=True).size) for p in self._moved)

    def _of_share(self, name: str, weights: Any) -> Function:
        """Measures, gradients and new values as one float64 vector, of some rows of a batch and the number of the first."""
        self._initial  # noqa: B018  # taken before the first step moves anything
        gradients = self._gradients if weights is None else self.objective.gradients(weights)
        parts = [*self._measured, *gradients, *(new for _, new in self.objective.updates)]
        flat = T.concatenate([T.reshape(part, (-1,)).astype("float64") for part in parts])
        first = T.scalar("first", dtype="int64")
        inputs = [*self.objective.inputs, *([] if weights is None else [weights])]
        return function(
            [*inputs, first],
            self._drawing_from(first, flat),
            name=name,
            on_unused_input="ignore",
            precision=self.precision,
        )

    def _drawing_from(self, first: Expr, flat: Expr) -> Expr:
        """The graph with draws for rows moved on by the rows before the first."""
        rows = {x.type.shape[0] for x in self.objective.inputs}
        drawn = [n for n in topological(flat) if n.op is PLACE and n.type.shape[:1] and n.type.shape[0] in rows]
        before = first.astype("uint64")
        moved = {n: n + before * expr_of(product(n.type.shape[1:])).astype("uint64") for n in drawn}
        return graph_replace(flat, moved) if moved else flat

    @cached_property
    def _share(self) -> Function:
        return self._of_share("share", None)

    @cached_property
    def _weighted_share(self) -> Function:
        return self._of_share("weighted_share", T.tensor("sample_weight", dtype="float64", shape=(None,)))

    @cached_property
    def _move(self) -> Function:
        flat = T.tensor("sum", dtype="float64", shape=(self._size,))
        parts, at = [], sum(self.widths)
        for p in self._moved:
            value = p.get_value(borrow=True)
            part = T.reshape(flat[at : at + value.size], value.shape)
            parts.append((part if value.dtype.kind == "f" else T.round(part)).astype(p.dtype))
            at += value.size
        count = len(self._gradients)
        instead = dict(zip(self._gradients, parts[:count], strict=True))
        own = {id(target) for target, _ in self.objective.updates}
        along: Updates = [(t, new) for t, new in self._updates_with(instead) if id(t) not in own]
        return function(
            [flat], [], updates=[*along, *zip(self._moved[count:], parts[count:], strict=True)], name="move"
        )

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
            found = (
                self._share(*part, rows.start)
                if weights is None
                else self._weighted_share(*part, weights[rows], rows.start)
            )
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
