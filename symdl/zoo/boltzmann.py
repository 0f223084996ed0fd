"""Restricted Boltzmann machines as formulas: energies of visible v and hidden h, means, draws, free energies.

p(v, h) = exp(-E(v, h)) / Z. Rows are examples: v[n, visible], h[n, hidden], W[visible, hidden]; what has one number an
example is a vector. Hidden units are 0 or 1. (Smolensky, 1986; Hinton, 2002.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import symdl.tensor as T
from symdl.control import scan
from symdl.graph.expr import Expr
from symdl.random import RandomStream


@dataclass(frozen=True)
class Machine:
    """Binary visible units: E(v, h) = -v·b - h·c - v·W h, b the visible_bias, c the hidden_bias.

    The parameters are any expressions: shared variables where they are trained, formulas of these where a sampler walks
    through machines in between. Subclasses have other visible units.
    """

    W: Expr
    visible_bias: Expr
    hidden_bias: Expr

    # ---- what depends on the kind of the visible units ----

    def visible_energy(self, v: Expr) -> Expr:
        """The part of E(v, h) without h."""
        return -(v @ self.visible_bias)

    def scaled(self, v: Expr) -> Expr:
        """What meets W in E(v, h)."""
        return v

    def visible_means(self, h: Expr) -> Expr:
        """E[v | h] = sigmoid(W h + b), which is p(v = 1 | h)."""
        return T.sigmoid(h @ self.W.T + self.visible_bias)

    def draw_visible(self, h: Expr, noise: RandomStream) -> Expr:
        """v drawn from p(v | h)."""
        return bernoulli(self.visible_means(h), noise)

    def hidden_free_energy(self, h: Expr) -> Expr:
        """-log of the sum over all v of exp(-E(v, h)) = -h·c - sum_i log(1 + exp((W h + b)_i))."""
        return -(h @ self.hidden_bias) - T.softplus(h @ self.W.T + self.visible_bias).sum(axis=-1)

    # ---- what all have in common ----

    def hidden_input(self, v: Expr) -> Expr:
        """v W + c."""
        return self.scaled(v) @ self.W + self.hidden_bias

    def energy(self, v: Expr, h: Expr) -> Expr:
        """E(v, h) of each row."""
        return self.visible_energy(v) - (self.hidden_input(v) * h).sum(axis=-1)

    def hidden_means(self, v: Expr) -> Expr:
        """E[h | v] = sigmoid(v W + c), which is p(h = 1 | v)."""
        return T.sigmoid(self.hidden_input(v))

    def draw_hidden(self, v: Expr, noise: RandomStream) -> Expr:
        """h drawn from p(h | v)."""
        return bernoulli(self.hidden_means(v), noise)

    def free_energy(self, v: Expr) -> Expr:
        """F(v) = -log of the sum over all h of exp(-E(v, h)), so that p(v) = exp(-F(v)) / Z."""
        return self.visible_energy(v) - T.softplus(self.hidden_input(v)).sum(axis=-1)

    def between(self, base: Expr, beta: Expr | float) -> Machine:
        """On the way from beta = 0, where all units are independent and the visible biases are `base`, to this at 1."""
        return replace(
            self,
            W=beta * self.W,
            visible_bias=(1 - beta) * base + beta * self.visible_bias,
            hidden_bias=beta * self.hidden_bias,
        )

    def independent_log_partition(self, base: Expr) -> Expr:
        """log Z of the machine at beta = 0."""
        halves: Expr = self.hidden_bias.shape[0] * math.log(2)
        return T.softplus(base).sum() + halves

    def in_float64(self) -> Machine:
        """The same machine, computed in float64."""
        wide = {name: getattr(self, name).astype("float64") for name in self.__dataclass_fields__}
        return replace(self, **wide)


@dataclass(frozen=True)
class GaussianMachine(Machine):
    """Real visible units: E(v, h) = sum_i (v_i - b_i)^2 / (2 s_i^2) - h·c - (v / s)·W h, s = exp(log_deviation).

    Given h, v_i is normal with mean b_i + s_i (W h)_i and standard deviation s_i. (Welling, Rosen-Zvi and Hinton, 2005.)
    """

    log_deviation: Expr

    def visible_energy(self, v: Expr) -> Expr:
        return (((v - self.visible_bias) / T.exp(self.log_deviation)) ** 2).sum(axis=-1) / 2

    def scaled(self, v: Expr) -> Expr:
        return v / T.exp(self.log_deviation)

    def visible_means(self, h: Expr) -> Expr:
        """E[v | h] = b + s W h."""
        return self.visible_bias + T.exp(self.log_deviation) * (h @ self.W.T)

    def draw_visible(self, h: Expr, noise: RandomStream) -> Expr:
        means = self.visible_means(h)
        return means + T.exp(self.log_deviation) * noise.normal(means.shape, dtype=means.dtype)

    def hidden_free_energy(self, h: Expr) -> Expr:
        """-log of the integral of exp(-E(v, h)) over all v: -h·c - sum_i (u_i b_i / s_i + u_i^2 / 2 + log(2 pi s_i^2) / 2),
        u = W h."""
        u = h @ self.W.T
        gained = u * (self.visible_bias / T.exp(self.log_deviation)) + u**2 / 2
        return -(h @ self.hidden_bias) - (gained + self.log_deviation + math.log(2 * math.pi) / 2).sum(axis=-1)

    def independent_log_partition(self, base: Expr) -> Expr:
        halves: Expr = self.hidden_bias.shape[0] * math.log(2)
        return (self.log_deviation + math.log(2 * math.pi) / 2).sum() + halves


def bernoulli(p: Expr, noise: RandomStream) -> Expr:
    """1 with probability p, else 0, in the dtype of p."""
    return noise.bernoulli(p.shape, p, dtype=p.dtype)


def pseudo_likelihood(machine: Machine, v: Expr) -> Expr:
    """sum_i log p(v_i | all others) for each row of v, all units in turn (Besag, 1975).

    p(v_i | others) = sigmoid(F(v with v_i flipped) - F(v)). v is 0 or 1; a flip of what lies between is 1 - v. Takes
    n x visible x hidden exponentials, and no more memory than n x hidden.
    """
    z = machine.hidden_input(v)
    each, _ = scan(
        lambda unit, w, bias: log_probability(z, unit, w, bias), sequences=[v.T, machine.W, machine.visible_bias]
    )
    total: Expr = each.sum(axis=0)
    return total


def pseudo_likelihood_of(machine: Machine, v: Expr, i: Expr) -> Expr:
    """visible · log p(v_i | all others) for one unit i: the mean over all i is `pseudo_likelihood`, so an i drawn at random
    gives an estimate without bias, for the price of a row of W."""
    units: Expr = v.shape[1]
    return units * log_probability(machine.hidden_input(v), v[:, i], machine.W[i], machine.visible_bias[i])


def log_probability(z: Expr, unit: Expr, w: Expr, bias: Expr) -> Expr:
    """log p(v_i | all others) of binary units, one number a row: z = v W + c, unit = v_i, w = W[i], bias = b[i]."""
    change = 1 - 2 * unit
    gap = -change * bias - (T.softplus(z + change[:, None] * w) - T.softplus(z)).sum(axis=1)
    return T.log(T.sigmoid(gap))
