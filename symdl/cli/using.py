"""`symdl evaluate`, `symdl predict`, `symdl submit`: trained weights at work."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from symdl.cli.examples import IMAGES, examples
from symdl.cli.options import DONE, natural, positive_float
from symdl.datasets import read_kaggle_digits, write_submission
from symdl.errors import ConfigError, DataError
from symdl.images import digit_from_image
from symdl.nn.metrics import confusion_text
from symdl.zoo import data
from symdl.zoo.base import Array, Classifier
from symdl.zoo.pretrained import load


def add_verbs(verbs: Any) -> None:
    """Their parsers."""
    weights = {"metavar": "WEIGHTS", "help": "a file that `symdl train` saved, or the name of a shipped model"}

    verb = verbs.add_parser("evaluate", help="judge saved weights on the test part of data")
    verb.add_argument("weights", **weights)
    verb.add_argument("--data", metavar="NAME", help="default: the data that it was trained on")
    verb.add_argument("--path", type=Path, metavar="DIR", help="where the files are, for data that are your own")
    verb.add_argument("--no-verify", action="store_true", help="accept files whose MD5 is not that of MNIST")
    verb.add_argument(
        "--seed", type=natural, metavar="N", help="of the split; default: the one that it was trained with"
    )
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.set_defaults(command=evaluate)

    verb = verbs.add_parser(
        "predict",
        help="classify examples with saved weights",
        description="One line an example: its number (of an image, its file), the predicted class, the class's probability. An image file goes through the "
        "preparation of the data that the model knows: ink is found, cut out, centred, inverted where it must be.",
    )
    verb.add_argument("weights", **weights)
    verb.add_argument("input", nargs="+", metavar="INPUT", help="a .png or .jpg image, several of them, a .npy, .npz, .csv or idx "
                      "file with one example a row, or the number of one of the bundled digits")  # fmt: skip
    verb.add_argument("--scale", type=positive_float, default=1.0, metavar="X", help="divide the inputs by this")
    verb.add_argument("--json", action="store_true", help="print one JSON object with all probabilities")
    verb.set_defaults(command=predict)

    verb = verbs.add_parser(
        "submit",
        help="label Kaggle's test digits and write the file to submit",
        description="Reads test.csv (pixel0, ..., pixel783), writes ImageId,Label from 1.",
    )
    verb.add_argument("weights", **weights)
    verb.add_argument("input", type=Path, metavar="TEST.CSV")
    verb.add_argument(
        "--output", type=Path, default=Path("submission.csv"), metavar="FILE", help="default: submission.csv"
    )
    verb.set_defaults(command=submit)


def evaluate(arguments: argparse.Namespace) -> int:
    """`symdl evaluate`."""
    model = load(arguments.weights)
    source = arguments.data or model.data
    if not source:
        raise ConfigError("evaluate: the weights do not say what data they are of", (), "Say it: --data NAME.")
    seed = model.config.seed if arguments.seed is None else arguments.seed
    if source == "images" and arguments.path is not None and hasattr(model.config, "image"):
        split, classes = data.image_split(arguments.path, model.config.image, seed)
        if isinstance(model, Classifier) and classes != model.class_names:
            told = [("the folders", ", ".join(classes), ""), ("the model", ", ".join(model.class_names), "")]
            raise DataError(f"evaluate: {arguments.path} has other classes than the model", told)
    else:
        split = data.read(source, seed, arguments.path, not arguments.no_verify)
    measures = model.evaluate(split.x_test, split.y_test)
    table = model.confusion(split.x_test, split.y_test) if isinstance(model, Classifier) else None
    if arguments.json:
        report = {"model": model.name, "data": source, "seed": seed, "test": measures}
        print(json.dumps(report | ({} if table is None else {"confusion": table.tolist()})))
        return DONE
    print(f"{model} on {source}, {len(split.x_test)} examples")
    for name, value in measures.items():
        print(f"test {name} {value:.4f}")
    if table is not None:
        print(confusion_text(table, model.class_names))
    return DONE


def predict(arguments: argparse.Namespace) -> int:
    """`symdl predict`."""
    model = load(arguments.weights)
    if not isinstance(model, Classifier):
        raise ConfigError(f"predict: {model} is no classifier")
    images = _images(arguments.input)
    x, labels = (prepared(model, images), []) if images else examples(arguments.input[0])
    probabilities = model.predict_proba(x / arguments.scale if arguments.scale != 1 else x)
    predicted = probabilities.argmax(axis=1)
    names = model.class_names or [str(k) for k in range(model.classes)]
    if arguments.json:
        out: dict[str, Any] = {"predicted": predicted.tolist(), "probabilities": probabilities.astype(float).tolist()}
        out |= ({"labels": labels} if labels else {}) | ({"files": images} if images else {})
        print(json.dumps(out | ({"classes": names} if model.class_names else {})))
        return DONE
    for k, j in enumerate(predicted.tolist()):
        truth = f"  (true label {labels[k]})" if labels else ""
        print(f"{images[k] if images else k}  {names[j]}  {probabilities[k, j]:.4f}{truth}")
    return DONE


def submit(arguments: argparse.Namespace) -> int:
    """`symdl submit`."""
    model = load(arguments.weights)
    if not isinstance(model, Classifier):
        raise ConfigError(f"submit: {model} is no classifier")
    digits = read_kaggle_digits(arguments.input)
    write_submission(arguments.output, model.predict(digits.x))
    print(f"{len(digits.x)} labels written to {arguments.output}")
    return DONE


def _images(inputs: list[str]) -> list[str]:
    """The inputs if they are image files; none if there is one input of another kind. Raises DataError for a mixture."""
    images = [name for name in inputs if Path(name).suffix.lower() in IMAGES]
    if len(inputs) > 1 and len(images) < len(inputs):
        raise DataError("predict: several inputs must all be images")
    return images


def prepared(model: Classifier, files: list[str]) -> Array:
    """Image files as the model's inputs."""
    side = round(model.features**0.5)
    if model.data == "images":
        return data.images_like(files, model.config.image)
    if (side, side) not in ((8, 8), (28, 28)):
        raise ConfigError(f"predict: {model} takes {model.features} numbers, not images of digits")
    return np.stack([digit_from_image(file, (side, side)) for file in files])
