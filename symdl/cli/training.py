"""`symdl train` and `symdl reproduce`: recipes, run."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from symdl import distributed, extras
from symdl.cli.options import DONE, FAILED, INTERRUPTED, field_value, natural, positive, positive_float, seeds, setting
from symdl.datasets import Split
from symdl.errors import ConfigError, DataError
from symdl.nn.callbacks import Callback, Checkpoint, EarlyStopping
from symdl.nn.history import History
from symdl.nn.metrics import confusion_text
from symdl.zoo import data, pretrained
from symdl.zoo.base import Classifier, Config, Model
from symdl.zoo.layerwise import Layerwise
from symdl.zoo.registry import RECIPES, Recipe, recipe


def add_verbs(verbs: Any) -> None:
    """Their parsers."""
    verb = verbs.add_parser(
        "train",
        help="train a model, print how good it is on the test part, save its weights",
        description="MODEL is a recipe, as lenet-digits, or a model, whose first recipe is taken. `symdl models` lists both.",
    )
    verb.add_argument("model", metavar="MODEL", help="as mlp, lenet-digits, rbm")
    verb.add_argument("--data", metavar="NAME", help=f"other data than the recipe's: {', '.join(data.SOURCES)}")
    verb.add_argument("--path", type=Path, metavar="DIR", help="where the files are, for data that are your own")
    verb.add_argument("--no-verify", action="store_true", help="accept files whose MD5 is not that of MNIST")
    verb.add_argument("--epochs", type=positive, metavar="N", help="epochs in all")
    verb.add_argument("--batch-size", type=positive, metavar="N")
    verb.add_argument("--learning-rate", type=positive_float, metavar="X")
    verb.add_argument("--set", type=setting, action="append", default=[], metavar="FIELD=VALUE", help="any other field of "
                      "the config, as sizes=64,50,10; `symdl show MODEL` lists them")  # fmt: skip
    verb.add_argument("--patience", type=positive, metavar="N", help="hold out a tenth of the training data, and stop "
                      "when its loss has not improved for N epochs")  # fmt: skip
    group = verb.add_mutually_exclusive_group()
    group.add_argument("--seed", type=natural, default=0, metavar="N", help="of weights, noise and split; default: 0")
    group.add_argument("--seeds", type=seeds, metavar="LIST", help="several, as 0-4 or 0,3,7: prints the mean")
    verb.add_argument("--output", type=Path, metavar="FILE", help="where to save the weights; default: RECIPE.safetensors, "
                      "with --seeds nowhere; with --seeds FILE gets -seedN before its suffix")  # fmt: skip
    verb.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="write the state of the run there after every epoch"
    )
    verb.add_argument("--resume", type=Path, metavar="FILE", help="go on from such a file, and keep writing it")
    verb.add_argument("--mpi", action="store_true", help="share each batch among the processes that mpiexec started")
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.add_argument("--quiet", action="store_true", help="no progress")
    verb.set_defaults(command=train, parser=verb)

    verb = verbs.add_parser(
        "reproduce",
        help="train a shipped model anew and compare it with the weights in the package",
        description="Exit code 1 where the measure differs by more than 0.005. With --write the package's weights and cards are "
        "written anew, which is how they were made.",
    )
    verb.add_argument("names", nargs="*", metavar="NAME", help="shipped models; all if none is named")
    verb.add_argument("--write", type=Path, metavar="DIR", help="write weights and cards there")
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.set_defaults(command=reproduce)


class Finite(Callback):
    """Ends a run whose measures are no numbers any more."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if wrong := [f"{name} is {value}" for name, value in (logs or {}).items() if not np.isfinite(value)]:
            self.stop(", ".join(wrong))


@dataclass(frozen=True)
class Outcome:
    """One trained model and how it did on the test part."""

    model: Model
    history: History
    measures: dict[str, float]
    confusion: Any  # of a classifier, else None
    seconds: float  # of training
    output: Path | None


def train(arguments: argparse.Namespace) -> int:
    """`symdl train`."""
    if not arguments.mpi:
        return _train(arguments)
    with distributed.together() as ranks:
        if ranks.Get_rank():
            arguments.quiet = True
        return _train(arguments)


def _train(arguments: argparse.Namespace) -> int:
    if arguments.seeds is not None and (arguments.resume or arguments.checkpoint):
        arguments.parser.error("--resume and --checkpoint take one seed")
    if arguments.resume is not None and not arguments.resume.is_file():
        raise DataError(f"resume: there is no file {arguments.resume}")
    extras.load("safetensors", "saving weights")  # now, not when the training is over; so with the folders
    for file in (arguments.output, arguments.checkpoint):
        if file is not None and not file.parent.is_dir():
            raise DataError(f"train: there is no folder {file.parent} to write {file.name} to")
        if file is not None and not os.access(file.parent, os.W_OK):
            raise DataError(f"train: {file.name} cannot be written to the folder {file.parent}")
    chosen, source = _recipe(arguments)
    config = _config(arguments, chosen)
    outcomes: list[Outcome] = []
    for seed in arguments.seeds if arguments.seeds is not None else [arguments.seed]:
        split, classes = _split(arguments, config, source, seed)
        changes = {"classes": len(classes)} if classes else {}
        model = Recipe(chosen.name, config, source).make(seed=seed, **changes)
        model.class_names = classes
        if arguments.mpi:
            _share(model)
        outcome = _train_once(arguments, chosen, model, split, source)
        if outcome.history.interrupted:
            file = arguments.resume or arguments.checkpoint
            further = f"; go on with --resume {file}" if file and file.is_file() else ""
            print(f"interrupted: no weights file was written{further}", file=sys.stderr)
            return INTERRUPTED
        outcomes.append(outcome)
        if not arguments.json and _speaks(arguments):
            _print_outcome(outcome, seed, split, brief=arguments.seeds is not None)
    if not _speaks(arguments):
        return DONE
    if arguments.json:
        print(json.dumps(_train_json(chosen, source, outcomes)))
    elif arguments.seeds is not None:
        name = next(iter(outcomes[0].measures))
        found = [o.measures[name] for o in outcomes]
        print(f"mean test {name} {np.mean(found):.4f} over {len(outcomes)} seeds, lowest {min(found):.4f}")
    return DONE


def _speaks(arguments: argparse.Namespace) -> bool:
    """Whether this process is the one that prints and writes files."""
    return not arguments.mpi or distributed.world().Get_rank() == 0


def _share(model: Model) -> None:
    """Steps of this model, of each of its stages, are shared by all ranks from now on."""
    if isinstance(model, Layerwise):
        for stage in model.stages:
            stage.trainer = distributed.DataParallel(stage.trainer)
    model.trainer = distributed.DataParallel(model.trainer)


def _recipe(arguments: argparse.Namespace) -> tuple[Recipe, str]:
    """The recipe that the arguments name, and the name of its data. A wrong name is a wrong call."""
    try:
        try:
            chosen = recipe(arguments.model, arguments.data)
        except ConfigError:
            if arguments.data not in data.SOURCES:
                raise
            chosen = recipe(arguments.model)  # the recipe's config, other data
        source = arguments.data or chosen.data
        needs = data.SOURCES[source].needs_path
        if needs != (arguments.path is not None):
            arguments.parser.error(f"--data {source} needs --path" if needs else f"the data {source} take no --path")
    except ConfigError as error:
        arguments.parser.error(str(error))
    return chosen, source


def _split(arguments: argparse.Namespace, config: Config, source: str, seed: int) -> tuple[Split, tuple[str, ...]]:
    """The data, and the names of the classes where they have some."""
    if source != "images":
        return data.read(source, seed, arguments.path, not arguments.no_verify), ()
    image = getattr(config, "image", None)
    if image is None:
        raise ConfigError("the data images are for models of images", (), "models: lenet, vgg")
    return data.image_split(arguments.path, image, seed)


def _config(arguments: argparse.Namespace, chosen: Recipe) -> Config:
    changes: dict[str, Any] = {}
    for name in ("epochs", "batch_size", "learning_rate"):
        if (value := getattr(arguments, name)) is not None:
            changes[name] = value
    for name, text in arguments.set:
        changes[name] = field_value(chosen.config, name, text)
    config: Config = chosen.make(**changes).config
    return config


def _train_once(arguments: argparse.Namespace, chosen: Recipe, model: Model, split: Split, source: str) -> Outcome:
    callbacks: list[Callback] = [Finite()]
    validation = None
    if arguments.patience is not None:
        validation = 0.1
        callbacks.append(EarlyStopping(patience=arguments.patience, restore_best_weights=True))
    file = arguments.resume or arguments.checkpoint
    if file is not None:
        kind = distributed.SharedCheckpoint if arguments.mpi else Checkpoint
        callbacks.append(kind(file, resume=arguments.resume is not None))
    started = time.perf_counter()
    with warnings.catch_warnings(category=UserWarning, action="ignore"):  # of an interrupt: `train` says it
        history = model.fit(
            split.x_train,
            split.y_train,
            validation=validation,
            callbacks=callbacks,
            verbose=0 if arguments.quiet else 1,
        )
    seconds = time.perf_counter() - started
    last = history.records[-1].metrics if history.records else {}
    if not all(np.isfinite(value) for value in last.values()):
        raise ConfigError(
            f"train: {model} has left the numbers: {history.stopped}",
            (),
            "No weights are saved. A smaller --learning-rate stays among them.",
        )
    if history.interrupted:
        return Outcome(model, history, {}, None, seconds, None)
    output = _output(arguments, f"{chosen.model}-{source}", model.config.seed)
    if output is not None and _speaks(arguments):
        model.save(output, data=source)
    confusion = model.confusion(split.x_test, split.y_test) if isinstance(model, Classifier) else None
    return Outcome(model, history, model.evaluate(split.x_test, split.y_test), confusion, seconds, output)


def _output(arguments: argparse.Namespace, name: str, seed: int) -> Path | None:
    file: Path | None = arguments.output
    if arguments.seeds is None:
        return file or Path(f"{name}.safetensors")
    return file and file.with_name(f"{file.stem}-seed{seed}{file.suffix}")


def _print_outcome(outcome: Outcome, seed: int, split: Split, brief: bool) -> None:
    lines = [f"test {name} {value:.4f}" for name, value in outcome.measures.items()]
    if outcome.confusion is not None:
        lines[0] += f" ({int(outcome.confusion.trace())} of {int(outcome.confusion.sum())})"
    if brief:
        print(f"seed {seed}: {', '.join(lines)}, {outcome.seconds:.1f} s", flush=True)
        return
    epochs = len(outcome.history.records)
    print(f"{outcome.model}: {epochs} epochs of {len(split.x_train)} examples in {outcome.seconds:.1f} s")
    print("\n".join(lines))
    if outcome.confusion is not None:
        print(confusion_text(outcome.confusion, outcome.model.class_names))
    print(f"weights saved to {outcome.output}", flush=True)


def _train_json(chosen: Recipe, source: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "model": chosen.model,
        "recipe": chosen.name,
        "data": source,
        "mean": {name: float(np.mean([o.measures[name] for o in outcomes])) for name in outcomes[0].measures},
        "runs": [
            {
                "seed": o.model.config.seed,
                "config": asdict(o.model.config),
                "epochs": len(o.history.records),
                "stopped": o.history.stopped,
                "history": o.history.history,
                "seconds": o.seconds,
                "test": o.measures,
                "confusion": None if o.confusion is None else o.confusion.tolist(),
                "output": str(o.output) if o.output else None,
            }
            for o in outcomes
        ],
    }


def reproduce(arguments: argparse.Namespace) -> int:
    """`symdl reproduce`."""
    shipped = [r.name for r in RECIPES.values() if r.shipped]
    wanted = arguments.names or shipped
    if unknown := [name for name in wanted if name not in shipped]:
        raise ConfigError(f"not shipped: {', '.join(unknown)}", (), f"shipped: {', '.join(shipped)}")
    rows: list[dict[str, Any]] = []
    for name in wanted:
        row = pretrained.reproduced(RECIPES[name], arguments.write)
        rows.append(row)
        if not arguments.json:
            compared = "" if row["shipped"] is None else f", shipped {row['shipped']:.4f}"
            verdict = "as shipped" if row["same_bits"] else "alike" if row["alike"] else "DIFFERS"
            verdict = f"written to {arguments.write}" if arguments.write else verdict
            print(
                f"{name:<24} {row['measure']} {row['value']:.4f}{compared}: {verdict} ({row['seconds']:.1f} s)",
                flush=True,
            )
    if arguments.json:
        print(json.dumps(rows))
    return DONE if all(row["alike"] for row in rows) else FAILED
