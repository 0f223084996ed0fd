"""Models out of files: what `Learner.save` wrote, made anew of symdl's own classes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from symdl.errors import DataError, SymdlError
from symdl.interop import safetensors
from symdl.nn.learner import FORMAT, OPTIMIZER, Learner
from symdl.nn.model import Model
from symdl.nn.saving import Reading, from_plain
from symdl.nn.sequential import Sequential
from symdl.nn.weights import assign

MODELS: dict[str, type[Learner]] = {"Sequential": Sequential, "Model": Model}


def load_model(
    path: str | os.PathLike[str], custom_objects: Mapping[str, type] | None = None, compile: bool = True
) -> Any:
    """The model of a file that `save` wrote, a Sequential or a Model, with its weights, and compiled as it was.

    custom_objects: layers of the user's own by the names of their classes. Nothing of the file is run: it holds numbers
    and the names of symdl's own classes. Raises DataError for a file that is no such model.
    """
    arrays, metadata = safetensors.load(path)
    if metadata.get("format") != FORMAT:
        raise DataError(f"load: {path} is no saved model: its format is {metadata.get('format')!r}")
    state = {name.removeprefix(OPTIMIZER): arrays.pop(name) for name in list(arrays) if name.startswith(OPTIMIZER)}
    try:
        described = json.loads(metadata["symdl.config"])
        entry = described["model"]
        if entry["class"] not in MODELS:
            raise DataError(f"load: there is no model {entry['class']!r}")
        reading = Reading({**MODELS, **(custom_objects or {})}, arrays)
        model: Any = MODELS[entry["class"]].of_structure(entry["settings"], reading)
        model.stored = arrays
        model.started()
        assign([*model.parameters, *model.state], arrays, str(path))  # which finds those that the model lacks
        for layer in (model, *model.every()):
            layer.stored = None
        if entry.get("trainable") is False:
            model.trainable = False
        chosen = described.get("compiled")
        if compile and chosen is not None:
            named = {name: from_plain(value, custom_objects) for name, value in chosen.items() if name != "seed"}
            model.compile(**named, seed=int(chosen["seed"]))
            model._optimizer_state = state  # of this package
    except DataError as error:
        raise DataError(f"{error.head} ({path})", error.parts, error.remedy) from error
    except (
        SymdlError,
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise DataError(f"load: the metadata of {path} describe no model ({error})") from error
    return model
