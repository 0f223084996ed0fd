"""The deep belief network: Boltzmann machines trained one on the other, then the same layers as a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError
from symdl.functions import Function, function
from symdl.nn.history import History
from symdl.nn.layers import Dense, Layer
from symdl.nn.training import slices
from symdl.random import RandomStream
from symdl.runtime.storage import SharedVariable
from symdl.zoo.base import Array
from symdl.zoo.belief import log_likelihood, sampled_bound, variational_bound
from symdl.zoo.greedy import Stage
from symdl.zoo.layerwise import Layerwise, LayerwiseConfig
from symdl.zoo.rbm import RBM

MOST_STATES_BITS = 12  # hidden units of a lower layer whose states are all written out


@dataclass(frozen=True)
class DBNConfig(LayerwiseConfig):
    """sizes: features, units of each hidden layer, classes. pretraining_epochs: of each machine, 0 to begin with random
    weights; pretraining_rate, steps, persistent, particles, drawn, pretraining_batch,
    weight_decay: as in RBMConfig. The others are of fine-tuning.
    frozen: fine-tuning moves only the last layer, so that the others stay features."""

    title: ClassVar[str] = "DBN"
    pretraining_rate: float = 0.2
    pretraining_batch: int = 20
    steps: int = 1
    persistent: bool = True
    particles: int = 100
    drawn: bool = True
    weight_decay: float = 0.0
    frozen: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pretraining_batch < 1:
            raise ConfigError(f"DBN: pretraining_batch {self.pretraining_batch} must be at least 1")


class DBN(Layerwise):
    """A deep belief network over data in 0..1 (Hinton, Osindero and Teh, 2006).

        dbn = DBN(sizes=(64, 256, 256, 10))
        dbn.fit(x, y)                   # y -1: a row without a label, which pretraining learns from
        dbn.score(x_test, y_test)
        dbn.sample(10)                  # what the network has learned before fine-tuning

    `fit` is `pretrain(x)` and then `fine_tune(x, y)`. The attributes are config, machines (RBMs, from the bottom), model (the
    classifier, which begins with their weights and leaves them as they are), pretraining (histories) and trainer.
    """

    name = "dbn"
    Config = DBNConfig
    config: DBNConfig

    def layers(self) -> list[Layer]:
        *hidden, classes = self.config.sizes[1:]
        layers: list[Layer] = [
            Dense(n, "sigmoid", kernel_initializer="glorot_sigmoid", name=f"layer{k}") for k, n in enumerate(hidden)
        ]
        for layer in layers:
            layer.trainable = not self.config.frozen
        return [*layers, Dense(classes, "softmax", name=f"layer{len(hidden)}")]

    def build(self) -> None:
        super().build()
        pairs = zip(self.config.sizes, self.config.sizes[1:-1], strict=False)
        self.machines = [self._machine(k, pair) for k, pair in enumerate(pairs)]
        self.stages = [Stage(rbm.trainer, rbm.machine.hidden_means(rbm.v)) for rbm in self.machines]
        self.pretraining: list[History] = []
        self.sampling = RandomStream(self.config.seed)

    def _machine(self, k: int, sizes: tuple[int, int]) -> RBM:
        c = self.config
        machine = RBM(
            sizes=sizes,
            steps=c.steps,
            persistent=c.persistent,
            particles=c.particles,
            drawn=c.drawn,
            learning_rate=c.pretraining_rate,
            weight_decay=c.weight_decay,
            batch_size=c.pretraining_batch,
            epochs=c.pretraining_epochs,
            seed=c.seed + k,  # so that no two layers begin with the same numbers
            dtype=c.dtype,
        )
        for parameter in machine.parameters:
            parameter.name = f"machine{k}.{parameter.name}"
        return machine

    @property
    def parameters(self) -> list[SharedVariable]:
        return [p for machine in self.machines for p in machine.parameters] + super().parameters

    # ---- training ----

    def training_inputs(self, x: Any, where: str) -> Array:
        return self.machines[0].training_inputs(x, where)

    @property
    def pretraining_batch(self) -> int:
        return self.config.pretraining_batch

    def restart(self) -> None:
        super().restart()
        for machine in self.machines:
            machine.sampling.seed(machine.config.seed)
        self.sampling.seed(self.config.seed)

    def begin(self) -> None:
        if self.config.pretraining_epochs:
            for layer, machine in zip(self.model.layers, self.machines, strict=False):  # all but the last
                for parameter, pretrained in zip(layer.parameters, (machine.W, machine.hidden_bias), strict=True):
                    parameter.set_value(pretrained.get_value())

    def seen(self, x: Array) -> None:
        super().seen(x)
        for machine in self.machines:
            machine.range = self.range if machine is self.machines[0] else (0.0, 1.0)

    # ---- the classifier ----

    @cached_property
    def _transform(self) -> Function:
        x = h = self.trainer.objective.inputs[0]
        for layer in self.model.layers[:-1]:
            h = layer(h)
        return function([x], h, name="transform")

    def transform(self, x: Any) -> Array:
        """What the last hidden layer of the classifier makes of each row of x."""
        x = self.new_inputs(x, "transform")
        return np.concatenate([self._transform(x[rows]) for rows in slices(len(x))])

    # ---- the belief network ----

    @cached_property
    def _down(self) -> Function:
        top = self.machines[-1].v
        h = top
        for machine in reversed([rbm.machine for rbm in self.machines[:-1]]):
            means = machine.visible_means(h)
            h = machine.draw_visible(h, self.sampling)
        return function([top], [h, means], name="down")

    def sample(self, n: int, steps: int = 1000, *, means: bool = False) -> Array:
        """n samples of the pretrained network: `steps` Gibbs steps of the top machine, then one draw downwards in each
        layer; means=True: of the lowest layer its means, which pictures show."""
        top = self.machines[-1].sample(n, steps)
        if len(self.machines) == 1:
            return top
        lowest: Array = self._down(top)[means]
        return lowest

    @cached_property
    def _exact(self) -> Function:
        machines = [rbm.machine.in_float64() for rbm in self.machines]
        v, log_z = self.machines[0].v, T.scalar("log_partition", dtype="float64")
        wide = v.astype("float64")
        results = [variational_bound(machines, wide, log_z), log_likelihood(machines, wide, log_z)]
        return function([v, log_z], results, precision="plain", name="log_likelihood", on_unused_input="ignore")

    @cached_property
    def _sampled(self) -> Function:
        machines = [rbm.machine.in_float64() for rbm in self.machines]
        v, log_z = self.machines[0].v, T.scalar("log_partition", dtype="float64")
        bound = sampled_bound(machines, v.astype("float64"), log_z, self.sampling)
        return function([v, log_z], bound, precision="plain", name="sampled_bound")

    @property
    def small(self) -> bool:
        """Whether all states of the hidden layers below the top can be written out."""
        return all(n <= MOST_STATES_BITS for n in self.config.sizes[1:-2])

    def bound(self, x: Any, log_partition: float | None = None, samples: int = 100) -> Array:
        """The variational bound on log p(x) of each row, in nats: float64[n]. Exact for hidden layers of up to 12 units, else
        the mean of `samples` estimates without bias. log_partition: of the top machine, `machines[-1].annealed(...)`, where
        it cannot be summed exactly."""
        x = self.new_inputs(x, "bound")
        log_z = self.machines[-1].log_partition() if log_partition is None else log_partition
        if self.small:
            bounds: Array = self._exact(x, log_z)[0]
            return bounds
        estimates: Array = np.mean([self._sampled(x, log_z) for _ in range(samples)], axis=0)
        return estimates

    def log_likelihood(self, x: Any, log_partition: float | None = None) -> Array:
        """log p(x) of each row of binary x, exactly: float64[n]. Raises ConfigError where a hidden layer below the top has
        more than 12 units."""
        if not self.small:
            raise ConfigError(
                f"log_likelihood: a hidden layer has more than {MOST_STATES_BITS} units", (), "bound(x) is below it."
            )
        log_z = self.machines[-1].log_partition() if log_partition is None else log_partition
        exact: Array = self._exact(self.new_inputs(x, "log_likelihood"), log_z)[1]
        return exact
