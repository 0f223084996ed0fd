"""Starting from a trained network: its layers, some of them frozen, under a new head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from symdl.errors import ConfigError, Part
from symdl.nn.layers import Layer
from symdl.runtime.storage import SharedVariable
from symdl.zoo.classifier import Network

Found = TypeVar("Found", bound=Network)
ALL = "all"


def transferred(source: Found, *, frozen: Sequence[str] | str = (), head: int = 1, **changes: Any) -> Found:
    """A model of the source's kind, which begins with the weights of all its layers but the last `head`.

        model = transferred(load("lenet-digits"), classes=5, frozen=["conv0", "conv1"])
        model.fit(x, y)                 # conv0 and conv1 stay bit-equal

    changes: fields of the config that differ. The head is new, drawn from the config's seed. frozen: names of layers that
    training is not to move; "all" for all that are taken over. The source stays as it is.
    Raises ConfigError for a frozen layer that is not taken over, or where a layer of the new model has other extents.
    """
    model = type(source)(source.config, **changes)
    layers = [layer for layer in source.model.layers if weights(layer)]
    taken = {str(layer.name): layer for layer in layers[: len(layers) - head]}
    names = list(taken) if frozen == ALL else [frozen] if isinstance(frozen, str) else list(frozen)
    if unknown := [name for name in names if name not in taken]:
        raise ConfigError(
            f"transferred: no layer {', '.join(unknown)} is taken over", (), f"taken over: {', '.join(taken)}"
        )
    wrong: list[Part] = []
    pairs: list[tuple[SharedVariable, SharedVariable]] = []
    for layer in model.model.layers:
        if layer.name in taken:
            pairs += zip(weights(taken[layer.name]), weights(layer), strict=True)
            layer.trainable = layer.name not in names
    for old, new in pairs:
        if old.type != new.type:
            wrong.append((str(old.name), str(old.type), f"{new.type} in the new model"))
    if wrong:
        raise ConfigError("transferred: weights of the source do not fit the new model", wrong)
    for old, new in pairs:
        new.set_value(old.get_value(borrow=True))
    model.prepare()
    return model


def weights(layer: Layer) -> list[SharedVariable]:
    """All that a layer has learned, frozen or not: its parameters and its state."""
    return [*layer.parameters, *layer.state]
