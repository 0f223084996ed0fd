"""Deep belief networks as formulas: p(v) = sum_h p(v | h) p(h), h of the layers above; its variational bound, and itself where it is small.

The top two layers are a Boltzmann machine, those below it are drawn downwards. q(h | v), the machine's own posterior in each
layer, gives log p(v) >= E_q[log p(v | h) + log p(h) - log q(h | v)] (Hinton, Osindero and Teh, 2006, section 4).
"""

from __future__ import annotations

from collections.abc import Sequence

import symdl.tensor as T
from symdl.graph.expr import Expr
from symdl.random import RandomStream
from symdl.zoo.boltzmann import Machine
from symdl.zoo.likelihood import extents, states


def downwards(machine: Machine, v: Expr, h: Expr) -> Expr:
    """log p(v | h) of each row of v beside each row of h: [rows of v, rows of h]."""
    u = h @ machine.W.T + machine.visible_bias
    return v @ u.T - T.softplus(u).sum(axis=1)


def upwards(machine: Machine, v: Expr, h: Expr) -> Expr:
    """log q(h | v) of each row of v beside each row of h: [rows of v, rows of h]."""
    z = machine.hidden_input(v)
    return z @ h.T - T.softplus(z).sum(axis=1)[:, None]


def log_likelihood(machines: Sequence[Machine], v: Expr, log_partition: Expr) -> Expr:
    """log p(v) of each row, exactly: in each layer but the top a sum over all its states.

    log_partition: log Z of the top machine.
    """
    machine, *above = machines
    if not above:
        return -machine.free_energy(v) - log_partition
    h = all_states(machine)
    return T.logsumexp(downwards(machine, v, h) + log_likelihood(above, h, log_partition), axis=1)


def variational_bound(machines: Sequence[Machine], v: Expr, log_partition: Expr) -> Expr:
    """The bound of each row, exactly: in each layer but the top a mean over all its states."""
    machine, *above = machines
    if not above:
        return -machine.free_energy(v) - log_partition
    h = all_states(machine)
    log_q = upwards(machine, v, h)
    gained = downwards(machine, v, h) + variational_bound(above, h, log_partition) - log_q
    return (T.exp(log_q) * gained).sum(axis=1)


def sampled_bound(machines: Sequence[Machine], v: Expr, log_partition: Expr, noise: RandomStream) -> Expr:
    """An estimate of the bound of each row, without bias: one draw of h in each layer but the top."""
    machine, *above = machines
    if not above:
        return -machine.free_energy(v) - log_partition
    h = machine.draw_hidden(v, noise)
    u, z = h @ machine.W.T + machine.visible_bias, machine.hidden_input(v)
    log_p = (v * u - T.softplus(u)).sum(axis=1)
    log_q = (h * z - T.softplus(z)).sum(axis=1)
    return log_p - log_q + sampled_bound(above, h, log_partition, noise)


def all_states(machine: Machine) -> Expr:
    """Every state of the hidden units, a row each."""
    _, hidden = extents(machine)
    return states(0, 1 << hidden, hidden)
