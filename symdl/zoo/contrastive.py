"""Contrastive divergence as an objective: data are to have less free energy than what the machine makes up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symdl.graph.expr import Expr
from symdl.nn.objective import Objective
from symdl.random import RandomStream
from symdl.runtime.storage import SharedVariable
from symdl.zoo.boltzmann import Machine, bernoulli


def chain(machine: Machine, h: Expr, steps: int, noise: RandomStream) -> tuple[Expr, Expr]:
    """(v, h) after `steps` rounds of drawing v given h and h given v, written out one by one."""
    for _ in range(steps):
        v = machine.draw_visible(h, noise)
        h = machine.draw_hidden(v, noise)
    return v, h


def contrastive_divergence(
    machine: Machine,
    v: Expr,
    parameters: Sequence[SharedVariable],
    noise: RandomStream,
    *,
    steps: int = 1,
    particles: SharedVariable | None = None,
    weight_decay: float = 0.0,
    drawn: bool = False,
    measures: Mapping[str, Expr],
    quiet: Mapping[str, Expr],
) -> Objective:
    """The cost F(v) - mean F(sample), each sample held constant: its gradient is that of -log p(v), the machine's own mean
    replaced by one over samples.

    particles None (CD-k): samples are `steps` rounds away from the data (Hinton, 2002). Else (PCD-k) they are so far away
    from particles[n, hidden], which stay where they end (Tieleman, 2008). weight_decay: adds weight_decay / 2 · sum W^2.
    drawn: data are probabilities, from which each batch draws its 0 and 1.
    """
    data = bernoulli(v, noise) if drawn else v
    start = machine.draw_hidden(data, noise) if particles is None else particles
    sample, end = chain(machine, start, steps, noise)
    return Objective(
        inputs=[v],
        losses=machine.free_energy(data) - machine.free_energy(sample).mean(),
        parameters=parameters,
        measures=measures,
        quiet=quiet,
        penalty=weight_decay / 2 * (machine.W**2).sum() if weight_decay else None,
        updates=[] if particles is None else [(particles, end)],
        noise=noise,
        consider_constant=[sample],
    )
