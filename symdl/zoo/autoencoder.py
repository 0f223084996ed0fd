"""The autoencoder: a network that is to give back its input, through a code that it makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError, ShapeError
from symdl.functions import Function, function
from symdl.graph.expr import Expr
from symdl.nn.activations import Activation, activation
from symdl.nn.history import History
from symdl.nn.initializers import initializer
from symdl.nn.layers import Chain, Dense, Layer, Training
from symdl.nn.losses import loss
from symdl.nn.objective import Objective
from symdl.nn.optimizers import optimizer
from symdl.nn.regularizers import L2
from symdl.nn.training import Trainer, slices
from symdl.random import RandomStream
from symdl.runtime.storage import SharedVariable
from symdl.zoo.base import Array, Config, Model

SOLVERS = ("batches", "l-bfgs")


@dataclass(frozen=True)
class AutoencoderConfig(Config):
    """sizes: features, units of each layer down to the code; the decoder has the same layers upwards. activation: of all
    layers but the last, whose is `output`. tied: the decoder's weights are the encoder's, transposed. loss: what a
    reconstruction costs. l2: the cost gains l2 sum W**2 of each weight matrix. solver: "batches" takes the optimizer's
    steps for `epochs` epochs, "l-bfgs" minimises over all data at once, in at most `epochs` iterations."""

    sizes: tuple[int, ...] = (64, 32)
    activation: str = "sigmoid"
    output: str = "sigmoid"
    tied: bool = False
    loss: str = "mean_squared_error"
    l2: float = 0.0
    initializer: str = "glorot_uniform"
    optimizer: str = "adam"
    learning_rate: float = 0.003
    solver: str = "batches"
    epochs: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.sizes) < 2 or not all(type(n) is int and n > 0 for n in self.sizes):
            raise ConfigError(f"autoencoder: sizes {self.sizes} are not (features, ..., code), each at least 1")
        if self.solver not in SOLVERS:
            raise ConfigError(f"autoencoder: solver {self.solver!r} is neither {' nor '.join(SOLVERS)}")
        activation(self.activation), activation(self.output), loss(self.loss)
        initializer(self.initializer), optimizer(self.optimizer, self.learning_rate)


class Mirror(Layer):
    """activation(h @ layer.W.T + b): a Dense layer the other way, with its weights and a bias b of its own."""

    kind = "mirror"

    def __init__(self, layer: Dense, activation: str | Activation = "linear", **settings: Any) -> None:
        super().__init__(**settings)
        self.layer, self.activation = layer, _activation(activation)

    def build(self, h: Expr) -> None:
        self.b = self.parameter("b", (self.layer.W.get_value(borrow=True).shape[0],), "zeros")

    def call(self, h: Expr, training: Training | None) -> Expr:
        return self.activation(h @ self.layer.W.T + self.b)


class Autoencoder(Model):
    """x -> code -> reconstruction of x, by dense layers.

        model = Autoencoder(sizes=(64, 32))
        model.fit(x)
        codes, again = model.transform(x), model.reconstruct(x)

    Linear and with squared error, its optimum spans the principal components (Baldi and Hornik, 1989). The attributes are
    config, encoder, decoder (Chains) and trainer.
    """

    name = "autoencoder"
    Config = AutoencoderConfig
    config: AutoencoderConfig

    def build(self) -> None:
        c = self.config
        rng = np.random.default_rng(c.seed)
        down = [
            Dense(n, c.activation, kernel_initializer=c.initializer, kernel_regularizer=L2(c.l2), name=f"encoder{k}")
            for k, n in enumerate(c.sizes[1:])
        ]
        up: list[Layer] = []
        for k in reversed(range(len(down))):
            what, name = (c.activation if k else c.output), f"decoder{k}"
            n = c.sizes[k]
            up.append(
                Mirror(down[k], what, name=name)
                if c.tied
                else Dense(n, what, kernel_initializer=c.initializer, kernel_regularizer=L2(c.l2), name=name)
            )
        self.encoder, self.decoder = Chain(down, rng=rng), Chain(up, rng=rng)
        self.x: Expr = T.tensor("x", dtype=c.dtype, shape=(None, c.sizes[0]))
        how = optimizer(c.optimizer, c.learning_rate)
        self.trainer = Trainer(self.objective(self.x), how, seed=c.seed, precision=self.precision)

    @property
    def precision(self) -> str | None:
        """That of a step, as of `symdl.function`."""
        return step_precision(self.config.loss)

    def objective(self, x: Expr) -> Objective:
        """To reconstruct x."""
        return reconstruction(self.encoder, self.decoder, x, self.config.loss)

    @property
    def parameters(self) -> list[SharedVariable]:
        return [*self.encoder.parameters, *self.decoder.parameters]

    @property
    def features(self) -> int:
        return int(self.config.sizes[0])

    @property
    def filters(self) -> Array:
        """What each unit of the first layer looks for: [units, features]."""
        return self.encoder.parameters[0].get_value().T.copy()

    def train(self, *data: Array, **how: Any) -> History:
        if self.config.solver == "batches":
            return super().train(*data, **how)
        return self.search(*data, tolerance=1e-6, **how)

    @cached_property
    def _encode(self) -> Function:
        return function([self.x], self.encoder(self.x), name="encode")

    @cached_property
    def _decode(self) -> Function:
        code = T.tensor("code", dtype=self.config.dtype, shape=(None, self.config.sizes[-1]))
        return function([code], self.decoder(code), name="decode")

    def transform(self, x: Any) -> Array:
        """The code of each row of x: [n, code]."""
        rows = self.new_inputs(x, "transform")
        return np.concatenate([self._encode(rows[part]) for part in slices(len(rows))])

    def inverse_transform(self, codes: Any) -> Array:
        """What the decoder makes of codes[n, code]: [n, features]. Raises ShapeError for codes of another length."""
        rows = np.ascontiguousarray(codes, dtype=self.config.dtype)
        if rows.ndim != 2 or rows.shape[1] != self.config.sizes[-1]:
            raise ShapeError(f"inverse_transform: codes of shape {rows.shape} are not [n, {self.config.sizes[-1]}]")
        return np.concatenate([self._decode(rows[part]) for part in slices(max(len(rows), 1))])

    def reconstruct(self, x: Any) -> Array:
        """What the network gives back for each row of x: [n, features]."""
        return self.trainer.predict(self.new_inputs(x, "reconstruct"))

    def evaluate(self, x: Any, y: Any = None) -> dict[str, float]:
        """mse: the mean squared error a feature; loss: what training makes small, without its penalty."""
        rows = self.new_inputs(x, "evaluate")
        error = np.mean((self.trainer.predict(rows) - rows) ** 2, dtype=np.float64)
        return {"mse": float(error), "loss": self.trainer.evaluate(rows)["loss"]}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'-'.join(map(str, self.config.sizes))}, {self.config.activation})"


def reconstruction(
    encoder: Layer,
    decoder: Layer,
    x: Expr,
    measure: str = "mean_squared_error",
    training: Training | None = None,
    seen: Expr | None = None,
) -> Objective:
    """To give back x: losses = measure(decoder(encoder(x)), x). seen: what the encoder sees of x in training, where that
    is not x itself, drawn from the noise of `training`."""
    again = decoder(encoder(x))
    cost = loss(measure)
    trained = cost(decoder(encoder(seen)), x) if seen is not None else cost(again, x)
    penalties = [p for p in (encoder.penalty(), decoder.penalty()) if p is not None]
    moved = [*encoder.trained, *decoder.trained]
    rest = [p for p in (*encoder.parameters, *decoder.parameters) if all(p is not m for m in moved)]
    return Objective(
        inputs=[x],
        losses=trained,
        parameters=moved,
        measures={"loss": trained},
        quiet={"loss": cost(again, x)},
        penalty=sum(penalties[1:], penalties[0]) if penalties else None,
        state=rest,
        prediction=again,
        noise=training.noise if training is not None else RandomStream(0),
    )


def step_precision(measure: str) -> str | None:
    """The precision at which a reconstruction is learned whose cost is this.

    A cross-entropy asks for no digits beyond those of its dtype. A squared error asks for those that the difference of
    prediction and target magnifies: a step would take a fifth to a half longer for last digits that it bears.
    """
    return None if measure == "binary_crossentropy" else "plain"


_activation = activation  # a parameter of Mirror hides it
