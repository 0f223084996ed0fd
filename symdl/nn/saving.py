"""What models are made of, as JSON: settings of layers, optimizers and losses out of and into plain values.

Files from strangers are read through here: a class is one of symdl's tables or of those that the caller named, its
settings are numbers, texts and lists, and every weight must have the shape that the model says before memory is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass, replace
from typing import Any

import numpy as np

from symdl.errors import ConfigError, DataError
from symdl.nn import layers as all_layers
from symdl.nn.activations import ACTIVATIONS
from symdl.nn.chain import Group
from symdl.nn.dense import Embedding
from symdl.nn.initializers import INITIALIZERS, Constant, Orthogonal, RandomNormal, RandomUniform
from symdl.nn.layer import Array, Layer
from symdl.nn.losses import LOSSES, METRICS, WITH_SETTINGS
from symdl.nn.metrics import CLASSES
from symdl.nn.optimizers import OPTIMIZERS
from symdl.nn.regularizers import L1L2, REGULARIZERS
from symdl.nn.schedules import SCHEDULES

LAYERS: dict[str, type[Layer]] = {
    name: found
    for name in all_layers.__all__
    if isinstance(found := getattr(all_layers, name), type) and issubclass(found, Layer) and found is not Layer
}
OBJECTS: dict[str, type] = {
    **SCHEDULES,
    **CLASSES,
    **{o.__name__: o for o in OPTIMIZERS.values()},
    **{c.__name__: c for c in (*WITH_SETTINGS, L1L2, Constant, RandomNormal, RandomUniform, Orthogonal)},
}
FUNCTIONS = {
    id(f): name for table in (ACTIVATIONS, INITIALIZERS, REGULARIZERS, LOSSES, METRICS) for name, f in table.items()
}
DEPTH = 20  # of models inside models


def layer_to_plain(layer: Layer) -> dict[str, Any]:
    """A layer as its class and settings. Raises ConfigError for a setting that a file cannot hold."""
    if isinstance(layer, Group):
        settings = layer.structure(layer_to_plain)
    else:
        where = f"save: {layer.title}"
        left_out = {"rng", "input_shape", "trainable"} | (set() if isinstance(layer, Embedding) else {"input_dim"})
        kept = {name: value for name, value in layer.given.items() if name not in left_out}
        settings = {name: to_plain(value, f"{where}: {name}") for name, value in kept.items()}
        settings |= {"name": layer.name, "dtype": layer.dtype}
    return {"class": type(layer).__name__, "trainable": layer.trainable, "settings": settings}


@dataclass(frozen=True)
class Reading:
    """A file as it is read. custom: the user's own classes by name. stored: its arrays, under names that begin with prefix for
    the layers of an inner model; depth: how deep that lies."""

    custom: Mapping[str, type]
    stored: Mapping[str, Array]
    prefix: str = ""
    depth: int = 0

    def layer(self, entry: Any) -> Layer:
        """The layer of such an entry. Raises DataError for what is none."""
        if not isinstance(entry, dict) or not isinstance(entry.get("settings"), dict) or self.depth > DEPTH:
            raise DataError("load: a layer is no object with settings, or lies too deep")
        name, settings = entry.get("class"), entry["settings"]
        table = {**LAYERS, **self.custom}
        if not isinstance(name, str) or name not in table:
            remedy = f'load_model(path, custom_objects={{"{name}": ...}}) brings a class of your own.'
            raise DataError(f"load: there is no layer {name!r}", (), remedy)
        kind: type[Layer] = table[name]
        own = self.text(settings.get("name"))
        if issubclass(kind, Group):
            inside = replace(self, prefix=f"{self.prefix}{own}.", depth=self.depth + 1)
            layer: Layer = kind.of_structure(settings, inside)
        else:
            if settings.get("dtype") not in (None, "float32", "float64"):
                raise DataError(f"load: {name} has dtype {settings['dtype']!r}")
            layer = kind(**{key: from_plain(value, self.custom) for key, value in settings.items()})
        if entry.get("trainable") is False:
            layer.trainable = False
        return layer

    def place(self, layer: Layer) -> None:
        """Let a layer of the model that is read find its weights in the file."""
        if not layer.built:
            layer.stored = self.stored
            layer.prefix = f"{self.prefix}{layer.name}." if isinstance(layer, Group) else self.prefix

    def listed(self, value: Any) -> list[Any]:
        """A list. Raises DataError for what is none."""
        if not isinstance(value, list):
            raise DataError("load: a model has no list of layers")
        return value

    def text(self, value: Any) -> str | None:
        """A name, or None. Raises DataError for what is neither."""
        if value is not None and not isinstance(value, str):
            raise DataError(f"load: {value!r} is no name")
        return value


def to_plain(value: Any, what: str) -> Any:
    """A setting as JSON has it. Raises ConfigError for a function of the user's own."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.integer | np.floating | np.bool_):
        return value.item()
    if isinstance(value, list | tuple):
        return [to_plain(v, what) for v in value]
    if isinstance(value, Mapping):
        return {"by name": {str(name): to_plain(v, what) for name, v in value.items()}}
    if id(value) in FUNCTIONS:
        return FUNCTIONS[id(value)]
    if is_dataclass(value) and not isinstance(value, type) and type(value).__name__ in OBJECTS:
        fields = {name: getattr(value, name) for name in asdict(value)}
        return {"class": type(value).__name__, "settings": {n: to_plain(v, what) for n, v in fields.items()}}
    raise ConfigError(
        f"{what} is {value!r}, which a file cannot hold", (), "Names and symdl's own objects can be saved."
    )


def from_plain(value: Any, custom: Mapping[str, type] | None = None) -> Any:
    """A setting from JSON."""
    if isinstance(value, list):
        return tuple(from_plain(v, custom) for v in value)
    if not isinstance(value, dict):
        return value
    if isinstance(named := value.get("by name"), dict):
        return {name: from_plain(v, custom) for name, v in named.items()}
    table = {**OBJECTS, **(custom or {})}
    name, settings = value.get("class"), value.get("settings")
    if not isinstance(name, str) or name not in table or not isinstance(settings, dict):
        raise DataError(f"load: there is no {name!r} among initializers, regularizers, optimizers and losses")
    return table[name](**{key: from_plain(v, custom) for key, v in settings.items()})
