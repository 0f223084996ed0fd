"""What `compile` has chosen: the optimizer, and for each output of a model its loss, its metrics and its weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from symdl.errors import ConfigError
from symdl.nn.losses import Loss
from symdl.nn.losses import loss as _loss
from symdl.nn.optimizers import Optimizer
from symdl.nn.targets import measured

Metrics = Sequence[Any]


@dataclass(frozen=True)
class Choices:
    """The arguments of compile as they were given; loss, metrics and loss_weights are of one output, or one for each."""

    optimizer: Optimizer
    loss: Any
    metrics: Any
    loss_weights: Any
    seed: int

    def given(self) -> dict[str, Any]:
        """The arguments, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def losses(self, outputs: Sequence[str]) -> list[str | Loss]:
        """One for each output. Raises ConfigError where there are more or fewer, or where there is no such loss."""
        found = _each(self.loss, outputs, "loss") if isinstance(self.loss, list | tuple | Mapping) else None
        losses = [self.loss] * len(outputs) if found is None else found
        for name, one in zip(outputs, losses, strict=True):
            if one is None:
                raise ConfigError(f"compile: the output {name} has no loss")
            _loss(one)
        return losses

    def weights(self, outputs: Sequence[str]) -> list[float]:
        """What the loss of each output counts in their sum."""
        if self.loss_weights is None:
            return [1.0] * len(outputs)
        found = _each(self.loss_weights, outputs, "loss_weights")
        return [1.0 if one is None else float(one) for one in found]

    def measures(self, outputs: Sequence[str]) -> list[Metrics]:
        """The metrics of each output."""
        given = self.metrics
        if isinstance(given, str) or callable(given):
            given = [given]
        if len(outputs) == 1 and not isinstance(given, Mapping):
            inner = given[0] if given and isinstance(given[0], list | tuple) else given
            found: list[Any] = [inner]
        else:
            found = [None] * len(outputs) if given is None else _each(given, outputs, "metrics")
        return [[one] if isinstance(one, str) or callable(one) else list(one or ()) for one in found]

    def check(self, outputs: Sequence[str]) -> None:
        """Raises ConfigError for names that there are not."""
        losses = self.losses(outputs)
        self.weights(outputs)
        for metrics, one in zip(self.measures(outputs), losses, strict=True):
            named = [m for m in metrics if m not in ("accuracy", "acc")]  # which depends on the predictions
            measured(named, one, None)  # type: ignore[arg-type]  # looked at for accuracy only


def _each(given: Any, outputs: Sequence[str], what: str) -> list[Any]:
    """What is given for each output, by its name or its place. Raises ConfigError where names or number differ."""
    if isinstance(given, Mapping):
        if unknown := sorted(set(given) - set(outputs)):
            raise ConfigError(
                f"compile: {what} names no output {', '.join(map(str, unknown))}", (), f"outputs: {', '.join(outputs)}"
            )
        return [given.get(name) for name in outputs]
    if not isinstance(given, list | tuple) or len(given) != len(outputs):
        count = len(given) if isinstance(given, list | tuple) else 1
        raise ConfigError(
            f"compile: {what} of {count} outputs meet {len(outputs)}: {', '.join(outputs)}",
            (),
            f"Give one for each, or a dict by their names: {what}={{{outputs[0]!r}: ...}}.",
        )
    return list(given)
