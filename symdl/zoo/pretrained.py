"""Weights that come with the package: each a safetensors file with a card, in the folder `weights`."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from symdl import extras
from symdl.errors import ConfigError, DataError
from symdl.interop import safetensors
from symdl.zoo import data
from symdl.zoo.base import Model
from symdl.zoo.registry import RECIPES, Recipe, model_in

LICENCE = "BSD-3-Clause (weights); the digits: UCI, Alpaydin and Kaynak, 1998, CC BY 4.0"
ALIKE = 0.005  # how far a measure may be from the card's after training anew, on another machine


def names() -> list[str]:
    """The recipes whose weights are in the package."""
    return [r.name for r in RECIPES.values() if r.shipped]


def path(name: str) -> Path:
    """The weights file of a shipped recipe. Raises ConfigError for one that is not shipped."""
    if name not in names():
        raise ConfigError(f"no weights are shipped of {name!r}", (), f"shipped: {', '.join(names())}")
    return Path(str(resources.files("symdl.zoo").joinpath("weights", f"{name}.safetensors")))


def card(name: str) -> dict[str, Any]:
    """What is said of a shipped file: recipe, config, data, split, seed, command, measures, sha256, licence."""
    file = path(name).with_suffix(".json")
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"the card {file.name} cannot be read ({error})") from error
    return found


def pretrained(name: str) -> Model:
    """A shipped model, its file compared with the card's hash. Raises ConfigError or DataError."""
    file = path(name)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != card(name)["sha256"]:
        raise DataError(f"{file.name} is not the file that was shipped", [("its sha256", digest, "")])
    return model_in(file)


def load(source: str | os.PathLike[str]) -> Model:
    """The model in a weights file that some model's `save` wrote, or the shipped one of this name: load("mlp-digits").

    Raises DataError when the file is missing or none of ours, or is of a model that this version does not have.
    """
    if str(source) in names() and not Path(source).exists():
        return pretrained(str(source))
    if not Path(source).exists():
        raise DataError(f"load: there is no file {source}", (), f"shipped: {', '.join(names())}")
    return model_in(source)


def verified(name: str) -> dict[str, Any]:
    """A shipped model judged anew on its test part: what was found, and whether it is what the card says."""
    says = card(name)
    measure = RECIPES[name].measure
    row = {"name": name, "measure": measure, "value": float("nan"), "card": says["test"][measure], "trouble": ""}
    row["bytes"] = path(name).stat().st_size
    try:
        model = pretrained(name)
        split = data.read(says["data"], says["seed"])
        row["value"] = model.evaluate(split.x_test, split.y_test)[measure]
        if abs(row["value"] - row["card"]) > 1e-6:
            row["trouble"] = f"the card says {row['card']:.4f}"
    except DataError as error:
        row["trouble"] = str(error)
    return row | {"fine": not row["trouble"]}


def reproduced(recipe: Recipe, write: Path | None = None) -> dict[str, Any]:
    """A shipped recipe trained anew, with seed 0, beside its card; written with a new card to a folder, if one is given."""
    started = time.perf_counter()
    split = data.read(recipe.data, 0)
    model = recipe.make(seed=0)
    model.fit(split.x_train, split.y_train, verbose=0)
    seconds = time.perf_counter() - started
    test = model.evaluate(split.x_test, split.y_test)
    value = test[recipe.measure]
    row = {"name": recipe.name, "measure": recipe.measure, "value": value, "seconds": seconds}
    if write is not None:
        write.mkdir(parents=True, exist_ok=True)
        _write(recipe, model, test, write)
        return row | {"shipped": None, "alike": True, "same_bits": False}
    says = card(recipe.name)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "new.safetensors", data=recipe.data)
        new = safetensors.load(Path(folder) / "new.safetensors")[0]
    old = safetensors.load(path(recipe.name))[0]
    same = new.keys() == old.keys() and all(new[k].tobytes() == old[k].tobytes() for k in new)
    shipped = says["test"][recipe.measure]
    return row | {
        "shipped": shipped,
        "alike": abs(value - shipped) <= ALIKE * max(1.0, abs(shipped)),
        "same_bits": same,
    }


def _write(recipe: Recipe, model: Model, test: dict[str, float], folder: Path) -> None:
    file = folder / f"{recipe.name}.safetensors"
    model.save(file, data=recipe.data)
    says = {
        "recipe": recipe.name,
        "model": str(model),
        "config": asdict(model.config),
        "data": recipe.data,
        "about": data.SOURCES[recipe.data].about,
        "seed": 0,
        "command": f"symdl train {recipe.name}",
        "test": test,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "symdl": extras.own_version(),
        "licence": LICENCE,
    }
    file.with_suffix(".json").write_text(json.dumps(says, indent=1) + "\n", encoding="utf-8")
