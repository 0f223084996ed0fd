"""The models of the zoo by the names that weights files carry."""

from __future__ import annotations

import os

from symdl.errors import DataError
from symdl.interop import safetensors
from symdl.zoo.mlp import MLP

MODELS = {"mlp": MLP}


def load(path: str | os.PathLike[str]) -> MLP:
    """The model in a weights file that some model's `save` wrote.

    Raises DataError when the file is none, or is of a model that this version does not have.
    """
    arrays, metadata = safetensors.load(path)
    name = metadata.get("symdl.model", "")
    if name not in MODELS:
        what = f"of the model {name!r}" if name else "not written by symdl"
        raise DataError(f"load: {path} is {what}", (), f"models: {', '.join(MODELS)}")
    return MODELS[name].from_arrays(arrays, metadata, str(path))
