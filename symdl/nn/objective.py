"""What training makes small, as graphs: a batch's variables, what it costs, what else it moves, what is reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symdl.derivatives.gradient import grad
from symdl.graph.expr import Expr
from symdl.nn.layer import Layer, Training
from symdl.nn.losses import Loss, loss
from symdl.nn.metrics import metric
from symdl.nn.optimizers import Updates
from symdl.passes.replacing import graph_replace
from symdl.random import RandomStream
from symdl.runtime.storage import SharedVariable

Array = np.ndarray[Any, np.dtype[Any]]
Finish = Callable[[Array], float]
FEW = 4  # means of a measure that a step gives one by one; more of them come as a vector


@dataclass
class Objective:
    """One batch of training, as graphs.

    inputs: the variables of a batch, an example a row each. losses: one number an example, or a scalar; the cost is their
    mean, each times its weight where weights are given, and `penalty`. parameters: what moves along the cost's gradient.
    measures: what is reported of a training batch, one number an example (the mean is taken) or a scalar; the first is
    what callbacks watch. quiet: the same as measured of held-out data, without noise; empty where that has no meaning. quiet_losses: losses without noise.
    updates: what else a batch changes (running means, the chain of a sampler). state: what belongs to the model besides
    its parameters. prediction: what the model makes of inputs[0], None where it predicts nothing. noise: the stream that
    training draws from. consider_constant: that of `symdl.grad`. finish: for measures that are no means over examples (the
    area under a curve): they give rows of numbers, and this what is reported of the means of their columns.
    """

    inputs: Sequence[Expr]
    losses: Expr
    parameters: Sequence[SharedVariable]
    measures: Mapping[str, Expr]
    quiet: Mapping[str, Expr] = field(default_factory=dict)
    quiet_losses: Expr | None = None
    penalty: Expr | None = None
    updates: Updates = field(default_factory=list)
    state: Sequence[SharedVariable] = ()
    prediction: Expr | None = None
    noise: RandomStream = field(default_factory=lambda: RandomStream(0))
    consider_constant: Sequence[Expr] = ()
    finish: Mapping[str, Finish] = field(default_factory=dict)

    def cost(self, weights: Expr | None = None, losses: Expr | None = None) -> Expr:
        """The scalar to make small, weights[n] being the weight of each example; of other losses, if they are given."""
        losses = self.losses if losses is None else losses
        losses = losses if weights is None else losses * weights.astype(losses.dtype)
        mean = losses.mean() if losses.ndim else losses
        return mean if self.penalty is None else mean + self.penalty

    def gradients(self, weights: Expr | None = None) -> list[Expr]:
        """The gradient of the cost with respect to each parameter."""
        return grad(self.cost(weights), list(self.parameters), consider_constant=self.consider_constant)


@dataclass(frozen=True)
class Task:
    """One output of a model: the variable of its target, what a miss costs, and how much that counts; name: before the names
    of its measures, where a model has several."""

    target: Expr
    measure: str | Loss = "categorical_crossentropy"
    metrics: Mapping[str, str | Loss] = field(default_factory=dict)
    weight: float = 1.0
    name: str = ""

    def losses(self, prediction: Expr) -> Expr:
        """What each example costs."""
        return loss(self.measure)(prediction, self.target)

    def reported(self, prediction: Expr) -> dict[str, Expr]:
        """The measures of a prediction, but for the sum of all losses."""
        own = {f"{self.name}_loss": self.losses(prediction)} if self.name else {}
        before = f"{self.name}_" if self.name else ""
        return own | {f"{before}{name}": metric(m)(prediction, self.target) for name, m in self.metrics.items()}

    @property
    def finish(self) -> dict[str, Finish]:
        """Of those that are no means."""
        before = f"{self.name}_" if self.name else ""
        found = {f"{before}{name}": metric(m) for name, m in self.metrics.items()}
        return {name: m.finish for name, m in found.items() if hasattr(m, "finish")}


def supervised(
    model: Layer,
    x: Expr,
    y: Expr,
    measure: str | Loss = "categorical_crossentropy",
    metrics: Mapping[str, str | Loss] | None = None,
    seed: int = 0,
) -> Objective:
    """To predict y from x: model(x) is the prediction, measure(prediction, y) what it costs."""
    return supervised_tasks(model, [x], [Task(y, measure, metrics or {})], seed)


def supervised_tasks(model: Layer, inputs: Sequence[Expr], tasks: Sequence[Task], seed: int = 0) -> Objective:
    """To predict a target for each output of a model of several inputs; the loss is the sum of the weighted losses."""
    training = Training(RandomStream(seed))

    def outputs(noise: Training | None) -> list[Expr]:
        found = model(inputs[0] if len(inputs) == 1 else list(inputs), noise)
        return found if isinstance(found, list) else [found]

    def measures(predictions: Sequence[Expr]) -> dict[str, Expr]:
        terms = [
            one if task.weight == 1 else task.weight * one
            for task, one in ((task, task.losses(p)) for task, p in zip(tasks, predictions, strict=True))
        ]
        found = {"loss": sum(terms[1:], terms[0])}
        for task, p in zip(tasks, predictions, strict=True):
            found |= task.reported(p)
        return found

    predictions = outputs(None)
    noisy, quiet = measures(outputs(training)), measures(predictions)
    moved = {id(p) for p in model.trained}
    return Objective(
        inputs=[*inputs, *(task.target for task in tasks)],
        losses=noisy["loss"],
        parameters=model.trained,
        measures=noisy,
        quiet=quiet,
        quiet_losses=quiet["loss"],
        penalty=model.penalty(),
        updates=in_turn(training.updates),
        state=[*model.state, *(p for p in model.parameters if id(p) not in moved)],
        prediction=predictions[0] if len(inputs) == len(predictions) == 1 else None,
        noise=training.noise,
        finish={name: f for task in tasks for name, f in task.finish.items()},
    )


def in_turn(updates: Updates) -> Updates:
    """One update for each variable: of a layer that was called several times, the first moves it, the next what came of that."""
    done: dict[int, tuple[SharedVariable, Expr]] = {}
    for variable, then in updates:
        if id(variable) in done:
            then = graph_replace([then], {variable: done[id(variable)][1]})[0]
        done[id(variable)] = variable, then
    return list(done.values())


def means(measure: Expr, finish: Finish | None = None) -> list[Expr]:
    """A measure as means over the examples: one number; with `finish`, one for each column, many as one vector."""
    if finish is None:
        return [scalar(measure)]
    columns = measure.mean(axis=0)
    count = measure.type.shape[1]
    return [columns[k] for k in range(count)] if isinstance(count, int) and count <= FEW else [columns]


def scalar(measure: Expr) -> Expr:
    """A measure as one number: the mean over the examples."""
    return measure.mean() if measure.ndim else measure
