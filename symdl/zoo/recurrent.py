"""A recurrent network that classifies sequences: an LSTM reads them step by step, softmax judges its last state."""

from __future__ import annotations

from dataclasses import dataclass

from symdl.errors import ConfigError
from symdl.nn.layers import Dense, Layer
from symdl.nn.recurrent import GRU, LSTM, SimpleRNN
from symdl.zoo.classifier import Network, NetworkConfig

CELLS: dict[str, type[SimpleRNN] | type[LSTM] | type[GRU]] = {"lstm": LSTM, "gru": GRU, "simple": SimpleRNN}


@dataclass(frozen=True)
class RecurrentConfig(NetworkConfig):
    """steps: of a sequence; inputs: numbers of a step; a row of features is such a sequence in C order, an image read row
    by row. units: of the state. cell: lstm, gru or simple. classes: how many labels."""

    steps: int = 8
    inputs: int = 8
    units: int = 64
    cell: str = "lstm"
    classes: int = 10
    epochs: int = 30

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.steps, self.inputs, self.units, self.classes) < 1:
            raise ConfigError(
                f"lstm: steps {self.steps}, inputs {self.inputs}, units {self.units} and classes {self.classes} must be "
                "at least 1"
            )
        if self.cell not in CELLS:
            raise ConfigError(f"lstm: there is no cell {self.cell!r}", (), f"cells: {', '.join(CELLS)}")


class LSTMClassifier(Network):
    """p(label of x[1..steps]) = softmax(W h[steps] + b), h the states of an LSTM (Hochreiter and Schmidhuber, 1997)."""

    name = "lstm"
    Config = RecurrentConfig
    config: RecurrentConfig

    def layers(self) -> list[Layer]:
        c = self.config
        return [CELLS[c.cell](c.units, name="reader"), Dense(c.classes, "softmax", name="top")]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.config.steps, self.config.inputs

    @property
    def classes(self) -> int:
        return self.config.classes

    def __repr__(self) -> str:
        c = self.config
        return f"LSTMClassifier({c.steps}x{c.inputs}, {c.cell} {c.units}, {c.classes})"
