"""The command `symdl`: train a model of the zoo, predict with its weights, examine the installation, clear the cache.

Results go to standard output, progress and errors to standard error. Exit codes: 0 done, 1 failed, 2 wrongly called,
130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
import time
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from symdl import extras
from symdl.cache import Cache
from symdl.config import config
from symdl.datasets.digits import digits, digits_split
from symdl.datasets.idx import read_idx
from symdl.datasets.mnist import mnist
from symdl.datasets.split import Split
from symdl.doctor import examine, report
from symdl.errors import DataError, SymdlError
from symdl.nn.callbacks import Callback, Checkpoint, EarlyStopping
from symdl.nn.history import History
from symdl.nn.metrics import confusion_text
from symdl.zoo.mlp import CONFIGURATIONS, MLP, MLPConfig
from symdl.zoo.registry import load

Array = np.ndarray[Any, np.dtype[Any]]
DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (those of the process if not given) and return its exit code."""
    parser = make_parser()
    try:
        arguments = parser.parse_args(argv)
        command: Callable[[argparse.Namespace], int] = arguments.command
        return command(arguments)
    except SystemExit as end:  # argparse has printed what was wrong, or the help
        return end.code if isinstance(end.code, int) else MISUSED
    except SymdlError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # the reader of standard output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains at its end
        return FAILED
    except OSError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def make_parser() -> argparse.ArgumentParser:
    """All verbs and options."""
    parser = argparse.ArgumentParser(prog="symdl", description="A compiler of symbolic expressions, and a model zoo.")
    parser.add_argument("--version", action="version", version=f"symdl {extras.own_version()}")
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    verb = verbs.add_parser("train", help="train a model, print its test accuracy, save its weights")
    kinds = verb.add_subparsers(title="models", required=True, metavar="MODEL")
    mlp = kinds.add_parser(
        "mlp",
        help="a multilayer perceptron",
        description="digits: 64-100-10, relu, on the handwritten digits of scikit-learn, 80 % to train and 20 % to test. "
        "mnist: 784-512-128-10, sigmoid, on the four idx files of the folder --path.",
    )
    mlp.add_argument("--data", choices=sorted(CONFIGURATIONS), default="digits", help="default: digits")
    mlp.add_argument("--path", type=Path, metavar="DIR", help="folder of the MNIST files")
    mlp.add_argument("--no-verify", action="store_true", help="accept files whose MD5 is not that of MNIST")
    mlp.add_argument("--epochs", type=_positive, metavar="N", help="epochs in all")
    mlp.add_argument("--batch-size", type=_positive, metavar="N")
    mlp.add_argument("--learning-rate", type=_positive_float, metavar="X")
    mlp.add_argument("--patience", type=_positive, metavar="N", help="hold out a tenth of the training data, and stop "
                     "when its loss has not improved for N epochs")  # fmt: skip
    seeds = mlp.add_mutually_exclusive_group()
    seeds.add_argument(
        "--seed", type=_natural, default=0, metavar="N", help="of weights, shuffling and split; default: 0"
    )
    seeds.add_argument(
        "--seeds", type=_seeds, metavar="LIST", help="several, as 0-4 or 0,3,7: prints the mean accuracy"
    )
    mlp.add_argument("--output", type=Path, metavar="FILE", help="where to save the weights; default: mlp-DATA.safetensors, "
                     "with --seeds nowhere; with --seeds FILE gets -seedN before its suffix")  # fmt: skip
    mlp.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="write the state of the run there after every epoch"
    )
    mlp.add_argument("--resume", type=Path, metavar="FILE", help="go on from such a file, and keep writing it")
    mlp.add_argument("--json", action="store_true", help="print one JSON object")
    mlp.add_argument("--quiet", action="store_true", help="no progress")
    mlp.set_defaults(command=train, parser=mlp)

    verb = verbs.add_parser("models", help="list the models that can be trained")
    verb.set_defaults(command=models)

    verb = verbs.add_parser(
        "predict",
        help="classify examples with saved weights",
        description="One line an example: its number, the predicted class, the class's probability.",
    )
    verb.add_argument("weights", type=Path, metavar="WEIGHTS", help="a file that `symdl train` saved")
    verb.add_argument("input", metavar="INPUT", help="a .npy, .npz, .csv or idx file with one example a row, or the "
                      "number of one of the bundled digits")  # fmt: skip
    verb.add_argument("--scale", type=_positive_float, default=1.0, metavar="X", help="divide the inputs by this")
    verb.add_argument("--json", action="store_true", help="print one JSON object with all probabilities")
    verb.set_defaults(command=predict)

    verb = verbs.add_parser("doctor", help="say what is installed and whether it works")
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.set_defaults(command=doctor)

    verb = verbs.add_parser(
        "cache",
        help="show or clear the cache of compiled code",
        description="The folder is SYMDL_CACHE_DIR or config.cache_dir, its largest size config.cache_size.",
    )
    verb.add_argument("action", nargs="?", choices=["show", "clear"], default="show", help="default: show")
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.set_defaults(command=cache)
    return parser


# ---- train ----


@dataclass(frozen=True)
class Outcome:
    """One trained model and how it did on the test part."""

    model: MLP
    history: History
    confusion: Array
    seconds: float  # of training
    output: Path | None

    @property
    def accuracy(self) -> float:
        return float(self.confusion.trace() / self.confusion.sum())


def train(arguments: argparse.Namespace) -> int:
    """`symdl train mlp`."""
    if (arguments.data == "mnist") != (arguments.path is not None):
        arguments.parser.error("--data mnist needs --path DIR, and only it does")
    if arguments.seeds is not None and (arguments.resume or arguments.checkpoint):
        arguments.parser.error("--resume and --checkpoint take one seed")
    if arguments.resume is not None and not arguments.resume.is_file():
        raise DataError(f"resume: there is no file {arguments.resume}")
    extras.load("safetensors", "saving weights")  # now, not when the training is over
    config = _config(arguments)
    seeds = arguments.seeds if arguments.seeds is not None else [arguments.seed]
    whole = mnist(arguments.path, verify=not arguments.no_verify) if arguments.data == "mnist" else None
    outcomes: list[Outcome] = []
    for seed in seeds:
        split = whole if whole is not None else digits_split(seed)
        outcome = _train_once(arguments, MLP(config, seed=seed), split)
        if outcome.history.interrupted:
            file = arguments.resume or arguments.checkpoint
            further = f"; go on with --resume {file}" if file else ""
            print(f"interrupted: no weights are saved{further}", file=sys.stderr)
            return INTERRUPTED
        outcomes.append(outcome)
        if not arguments.json:
            _print_outcome(outcome, seed, split, brief=arguments.seeds is not None)
    if arguments.json:
        print(json.dumps(_train_json(arguments, outcomes)))
    elif arguments.seeds is not None:
        accuracies = [o.accuracy for o in outcomes]
        print(f"mean test accuracy {np.mean(accuracies):.4f} over {len(outcomes)} seeds, lowest {min(accuracies):.4f}")
    return DONE


def _config(arguments: argparse.Namespace) -> MLPConfig:
    base = CONFIGURATIONS[arguments.data]
    given = {name: getattr(arguments, name) for name in ("epochs", "batch_size", "learning_rate")}
    return MLP(base, **{name: value for name, value in given.items() if value is not None}).config


def _train_once(arguments: argparse.Namespace, model: MLP, split: Split) -> Outcome:
    callbacks: list[Callback] = []
    validation = None
    if arguments.patience is not None:
        validation = 0.1
        callbacks.append(EarlyStopping(patience=arguments.patience))
    file = arguments.resume or arguments.checkpoint
    if file is not None:
        callbacks.append(Checkpoint(file, resume=arguments.resume is not None))
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
    output = None if history.interrupted else _output(arguments, model.config.seed)
    if output is not None:
        model.save(output, data=arguments.data)
    return Outcome(model, history, model.confusion(split.x_test, split.y_test), seconds, output)


def _output(arguments: argparse.Namespace, seed: int) -> Path | None:
    file: Path | None = arguments.output
    if arguments.seeds is None:
        return file or Path(f"mlp-{arguments.data}.safetensors")
    return file and file.with_name(f"{file.stem}-seed{seed}{file.suffix}")


def _print_outcome(outcome: Outcome, seed: int, split: Split, brief: bool) -> None:
    right, all_ = int(outcome.confusion.trace()), int(outcome.confusion.sum())
    line = f"test accuracy {outcome.accuracy:.4f} ({right} of {all_})"
    if brief:
        print(f"seed {seed}: {line}, {outcome.seconds:.1f} s", flush=True)
        return
    epochs = len(outcome.history.records)
    print(f"{outcome.model}: {epochs} epochs of {len(split.x_train)} examples in {outcome.seconds:.1f} s")
    print(line)
    print(confusion_text(outcome.confusion))
    print(f"weights saved to {outcome.output}", flush=True)


def _train_json(arguments: argparse.Namespace, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "model": "mlp",
        "data": arguments.data,
        "mean_test_accuracy": float(np.mean([o.accuracy for o in outcomes])),
        "runs": [
            {
                "seed": o.model.config.seed,
                "config": asdict(o.model.config),
                "epochs": o.history.epoch[-1] if o.history.epoch else 0,
                "stopped": o.history.stopped,
                "history": o.history.history,
                "seconds": o.seconds,
                "test_accuracy": o.accuracy,
                "confusion": o.confusion.tolist(),
                "output": str(o.output) if o.output else None,
            }
            for o in outcomes
        ],
    }


def models(arguments: argparse.Namespace) -> int:
    """`symdl models`."""
    for data, chosen in CONFIGURATIONS.items():
        command = "symdl train mlp" if data == "digits" else f"symdl train mlp --data {data} --path DIR"
        sizes = "-".join(map(str, chosen.sizes))
        print(f"{MLP.name}  {data:<6}  {sizes:<14}  {chosen.activation:<7}  {chosen.optimizer:<4}  {command}")
    return DONE


# ---- predict ----


def predict(arguments: argparse.Namespace) -> int:
    """`symdl predict`."""
    model = load(arguments.weights)
    x, labels = _examples(arguments.input)
    probabilities = model.predict_proba(x / arguments.scale if arguments.scale != 1 else x)
    predicted = probabilities.argmax(axis=1)
    if arguments.json:
        out = {"predicted": predicted.tolist(), "probabilities": probabilities.astype(float).tolist()}
        print(json.dumps(out | ({"labels": labels} if labels else {})))
        return DONE
    for k, j in enumerate(predicted):
        truth = f"  (true label {labels[k]})" if labels else ""
        print(f"{k}  {j}  {probabilities[k, j]:.4f}{truth}")
    return DONE


def _examples(source: str) -> tuple[Array, list[int]]:
    """The examples that INPUT names, and their labels where known."""
    if source.isdecimal() and not Path(source).exists():
        x, y = digits()
        if int(source) >= len(x):
            raise DataError(f"predict: there is no digit {source}; the bundled ones are 0 to {len(x) - 1}")
        return x[[int(source)]], [int(y[int(source)])]
    path = Path(source)
    if not path.is_file():
        raise DataError(f"predict: there is no file {path}")
    readers: dict[str, Callable[[Path], Array]] = {".npy": _read_npy, ".npz": _read_npz, ".csv": _read_csv}
    return readers.get(path.suffix, read_idx)(path), []


def _read_npy(path: Path) -> Array:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (ValueError, EOFError) as error:
        raise DataError(f"predict: {path} is no .npy file of numbers ({error})") from error


def _read_npz(path: Path) -> Array:
    try:
        with np.load(path, allow_pickle=False) as file:
            names = list(file.files)
            name = names[0] if len(names) == 1 else "x"
            if name in names:
                return np.asarray(file[name])
    except (ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:  # AttributeError: a .npy of this name
        raise DataError(f"predict: {path} is no .npz file of numbers ({error})") from error
    raise DataError(f"predict: {path} holds {', '.join(names)}; it must hold one array, or one called x")


def _read_csv(path: Path) -> Array:
    """Numbers between commas, one example a line; a first line that is no numbers is a header."""
    try:
        with path.open(encoding="utf-8") as file:
            lines = [line for line in file if line.strip()]
        header = bool(lines) and re.search(r"[A-DF-Za-df-z_]", re.sub(r"(?i)\b(nan|inf)\b", "", lines[0])) is not None
        if len(lines) == header:
            raise DataError(f"predict: {path} holds no examples")
        return np.loadtxt(lines[header:], delimiter=",", ndmin=2)
    except (ValueError, UnicodeDecodeError) as error:
        raise error if isinstance(error, DataError) else DataError(f"predict: {path}: {error}") from error


# ---- doctor ----


def doctor(arguments: argparse.Namespace) -> int:
    """`symdl doctor`."""
    findings = examine()
    print(json.dumps([asdict(f) for f in findings]) if arguments.json else report(findings))
    return DONE if all(f.fine for f in findings) else FAILED


# ---- cache ----


def cache(arguments: argparse.Namespace) -> int:
    """`symdl cache`, `symdl cache clear`."""
    if not config.cache_dir:
        print(json.dumps({"folder": "", "entries": 0, "bytes": 0}) if arguments.json else "the cache is switched off")
        return DONE
    kept = Cache(config.cache_dir, config.cache_size)
    trouble = kept.trouble()
    removed = kept.clear() if arguments.action == "clear" and not trouble else 0
    entries = [] if trouble else kept.entries()
    found = {"folder": kept.folder, "entries": len(entries), "bytes": sum(e.size for e in entries), "limit": kept.limit}
    if arguments.json:
        print(json.dumps({**found, "trouble": trouble}))
    elif arguments.action == "show":
        print("\n".join(f"{name:<8} {value}" for name, value in found.items()))
    elif not trouble:
        print(f"{removed} entries removed from {kept.folder}")
    if trouble:
        print(f"the folder is not used: {trouble}", file=sys.stderr)
    return FAILED if trouble else DONE


# ---- what an option may be ----


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _positive_float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def _seeds(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if match is None:
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of seeds such as 0-4 or 0,3,7")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    if not found or len(found) != len(set(found)):
        raise argparse.ArgumentTypeError(f"{text!r} names no seed, or one twice")
    return found


if __name__ == "__main__":
    sys.exit(main())
