"""What training makes small, as graphs: a batch's variables, what it costs, what else it moves, what is reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from symdl.expr import Expr
from symdl.gradient import grad
from symdl.nn.layer import Layer, Training
from symdl.nn.losses import Loss, loss, metric
from symdl.nn.optimizers import Updates
from symdl.random import RandomStream
from symdl.storage import SharedVariable


@dataclass
class Objective:
    """One batch of training, as graphs.

    inputs: the variables of a batch, an example a row each. losses: one number an example, or a scalar; the cost is their
    mean, each times its weight where weights are given, and `penalty`. parameters: what moves along the cost's gradient.
    measures: what is reported of a training batch, one number an example (the mean is taken) or a scalar; the first is
    what callbacks watch. quiet: the same as measured of held-out data, without noise; empty where that has no meaning. quiet_losses: losses without noise.
    updates: what else a batch changes (running means, the chain of a sampler). state: what belongs to the model besides
    its parameters. prediction: what the model makes of inputs[0], None where it predicts nothing. noise: the stream that
    training draws from. consider_constant: that of `symdl.grad`.
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

    def cost(self, weights: Expr | None = None, losses: Expr | None = None) -> Expr:
        """The scalar to make small, weights[n] being the weight of each example; of other losses, if they are given."""
        losses = self.losses if losses is None else losses
        losses = losses if weights is None else losses * weights.astype(losses.dtype)
        mean = losses.mean() if losses.ndim else losses
        return mean if self.penalty is None else mean + self.penalty

    def gradients(self, weights: Expr | None = None) -> list[Expr]:
        """The gradient of the cost with respect to each parameter."""
        return grad(self.cost(weights), list(self.parameters), consider_constant=self.consider_constant)


def supervised(
    model: Layer,
    x: Expr,
    y: Expr,
    measure: str | Loss = "categorical_crossentropy",
    metrics: Mapping[str, str | Loss] | None = None,
    seed: int = 0,
) -> Objective:
    """To predict y from x: model(x) is the prediction, measure(prediction, y) what it costs."""
    reported = {"loss": loss(measure), **{name: metric(m) for name, m in (metrics or {}).items()}}
    training = Training(RandomStream(seed))
    prediction = model(x)
    noisy = model(x, training)
    measures = {name: f(noisy, y) for name, f in reported.items()}
    quiet = {name: f(prediction, y) for name, f in reported.items()}
    moved = {id(p) for p in model.trained}
    return Objective(
        inputs=[x, y],
        losses=measures["loss"],
        parameters=model.trained,
        measures=measures,
        quiet=quiet,
        quiet_losses=quiet["loss"],
        penalty=model.penalty(),
        updates=training.updates,
        state=[*model.state, *(p for p in model.parameters if id(p) not in moved)],
        prediction=prediction,
        noise=training.noise,
    )


def scalar(measure: Expr) -> Expr:
    """A measure as one number: the mean over the examples."""
    return measure.mean() if measure.ndim else measure
