"""The multilayer perceptron: dense layers that classify (Rumelhart, Hinton and Williams, 1986)."""

from __future__ import annotations

from dataclasses import dataclass

from symdl.errors import ConfigError
from symdl.nn.activations import activation
from symdl.nn.layers import Dense, Dropout, Layer
from symdl.nn.regularizers import L2
from symdl.zoo.classifier import Network, NetworkConfig


@dataclass(frozen=True)
class MLPConfig(NetworkConfig):
    """sizes: features, units of each hidden layer, classes. activation: of the hidden layers; the last is softmax.
    initializer: of all weights. dropout: rate after each hidden layer. l2: the cost gains l2 sum W**2 of each layer."""

    sizes: tuple[int, ...] = (64, 100, 10)
    activation: str = "relu"
    initializer: str = "glorot_uniform"
    dropout: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.sizes) < 2 or not all(type(n) is int and n > 0 for n in self.sizes):
            raise ConfigError(f"MLP: sizes {self.sizes} are not (features, ..., classes), each at least 1")
        activation(self.activation)


DIGITS = MLPConfig()
MNIST = MLPConfig(sizes=(784, 512, 128, 10), activation="sigmoid", learning_rate=0.001, batch_size=256, epochs=20)


class MLP(Network):
    """A classifier of rows of numbers into classes 0, 1, ...: dense layers, softmax, cross-entropy.

        model = MLP(sizes=(64, 100, 10))
        model.fit(x_train, y_train)
        model.score(x_test, y_test)

    config: DIGITS if not given; `changes` are fields of MLPConfig that differ from it.
    """

    name = "mlp"
    Config = MLPConfig
    config: MLPConfig

    def layers(self) -> list[Layer]:
        c = self.config
        *hidden, classes = c.sizes[1:]
        layers: list[Layer] = []
        for k, units in enumerate(hidden):
            layers.append(
                Dense(
                    units, c.activation, kernel_initializer=c.initializer, kernel_regularizer=L2(c.l2), name=f"layer{k}"
                )
            )
            layers += [Dropout(c.dropout)] if c.dropout else []
        return [
            *layers,
            Dense(
                classes,
                "softmax",
                kernel_initializer=c.initializer,
                kernel_regularizer=L2(c.l2),
                name=f"layer{len(hidden)}",
            ),
        ]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.config.sizes[:1]

    @property
    def classes(self) -> int:
        return self.config.sizes[-1]

    def __repr__(self) -> str:
        return f"MLP({'-'.join(map(str, self.config.sizes))}, {self.config.activation})"
