"""The verbs of the zoo on the command line: what is shipped is what its card says, pictures and folders are taken."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import symdl.extras
from symdl.cli import main
from symdl.datasets import digits
from symdl.errors import DataError
from symdl.zoo import RECIPES, load, pretrained

pytestmark = pytest.mark.skipif(
    not all(map(symdl.extras.installed, ("sklearn", "safetensors", "PIL"))),
    reason="the commands use the digits, weights files and images: pip install symdl[zoo]",
)
Capture = pytest.CaptureFixture[str]
SHIPPED = pretrained.names()


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def draw(label: int, side: int = 8) -> np.ndarray:
    """A bundled digit of this label, as dark ink on bright paper, uint8, blown up with a margin to one side."""
    x, y = digits()
    image = x[np.flatnonzero(y == label)[0]].reshape(8, 8)
    large = np.kron(image, np.ones((12, 12)))
    paper = np.full((150, 200), 255.0)
    paper[20:116, 60:156] -= 255 * large
    return np.round(paper).astype(np.uint8)


def write_image(pixels: np.ndarray, path: Path) -> None:
    symdl.extras.load("PIL.Image", "a test").fromarray(pixels).save(path)


def test_all_shipped_weights_are_what_their_cards_say(capsys: Capture) -> None:
    assert main(["verify"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == SHIPPED
    assert all(line.endswith("as its card says") for line in lines[:-1])
    assert lines[-1].startswith(f"{len(SHIPPED)} of {len(SHIPPED)} are right")


def test_the_shipped_weights_are_small_and_reach_their_gates() -> None:
    assert sum(pretrained.path(name).stat().st_size for name in SHIPPED) < 1.5e6
    for name in SHIPPED:
        card = pretrained.card(name)
        assert {"config", "data", "seed", "command", "sha256", "licence", "test"} <= card.keys()
        assert card["command"] == f"symdl train {name}"
        assert RECIPES[name].reached(card["test"][RECIPES[name].measure]), name


def test_a_changed_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    name = "mlp-digits"
    for suffix in (".safetensors", ".json"):
        shutil.copy(pretrained.path(name).with_suffix(suffix), tmp_path)
    file = tmp_path / f"{name}.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    monkeypatch.setattr(pretrained, "path", lambda name: tmp_path / f"{name}.safetensors")
    with pytest.raises(DataError, match="is not the file that was shipped"):
        pretrained.pretrained(name)
    assert main(["verify", name]) == 1
    assert "NOT as its card says: mlp-digits.safetensors is not the file that was shipped" in capsys.readouterr().out


def test_reproduce_trains_anew_and_compares(capsys: Capture) -> None:
    assert main(["reproduce", "mlp-digits", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["alike"]
    assert abs(row["value"] - row["shipped"]) <= 0.005
    assert main(["reproduce", "spiral"]) == 1
    assert "not shipped: spiral\n  shipped: " in capsys.readouterr().err


def test_reproduce_writes_weights_and_cards(tmp_path: Path, capsys: Capture) -> None:
    assert main(["reproduce", "logistic-digits", "--write", "new"]) == 0
    assert sorted(p.name for p in Path("new").iterdir()) == ["logistic-digits.json", "logistic-digits.safetensors"]
    assert json.loads(Path("new/logistic-digits.json").read_text())["recipe"] == "logistic-digits"


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_is_shown(capsys: Capture, name: str) -> None:
    assert main(["show", name]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{name}: {RECIPES[name].make()}")
    assert "\n  epochs" in out
    assert main(["show", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["recipe"] == name


def test_models_lists_all(capsys: Capture) -> None:
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n{name} " in out for name in RECIPES)
    assert main(["models", "--json"]) == 0
    assert [r["recipe"] for r in json.loads(capsys.readouterr().out)] == list(RECIPES)


def test_settings_change_any_field_of_the_config(capsys: Capture) -> None:
    options = ["--set", "sizes=64,20,10", "--set", "activation=tanh", "--set", "dropout=0.1", "--epochs", "1"]
    assert main(["train", "mlp", *options, "--quiet"]) == 0
    config = load("mlp-digits.safetensors").config
    assert (config.sizes, config.activation, config.dropout) == ((64, 20, 10), "tanh", 0.1)
    assert main(["train", "mlp", "--set", "depth=3"]) == 1
    assert "there is no option depth\n  options: batch_size" in capsys.readouterr().err
    assert main(["train", "mlp", "--set", "dropout=much"]) == 1
    assert "dropout: 'much' is no float; now it is 0.0" in capsys.readouterr().err


def test_evaluate_gives_what_train_printed(capsys: Capture) -> None:
    assert main(["train", "mlp", "--epochs", "2", "--seed", "3", "--quiet"]) == 0
    trained = capsys.readouterr().out.splitlines()[1]
    assert main(["evaluate", "mlp-digits.safetensors"]) == 0
    judged = capsys.readouterr().out.splitlines()
    assert trained.startswith(judged[1])
    assert main(["evaluate", "mlp-digits"]) == 0  # the shipped one: there is no file of this name
    assert f"test accuracy {pretrained.card('mlp-digits')['test']['accuracy']:.4f}" in capsys.readouterr().out
    assert main(["evaluate", "mlp-digits", "--data", "nothing"]) == 1


@pytest.mark.parametrize("label", [0, 3, 8])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_predict_takes_a_picture(capsys: Capture, label: int, suffix: str) -> None:
    """Dark on bright, off the centre, ten times as large: the preparation of the data undoes all of it."""
    write_image(draw(label), Path(f"digit.{suffix}"))
    assert main(["predict", "mlp-digits", f"digit.{suffix}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["predicted"] == [label]
    write_image(255 - draw(label), Path(f"inverted.{suffix}"))
    assert main(["predict", "mlp-digits", f"digit.{suffix}", f"inverted.{suffix}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["predicted"] == [label, label]


def test_pictures_that_cannot_be_taken_are_named(capsys: Capture) -> None:
    Path("broken.png").write_bytes(b"no picture")
    assert main(["predict", "mlp-digits", "broken.png"]) == 1
    assert "broken.png" in capsys.readouterr().err
    write_image(np.full((20, 20), 255, np.uint8), Path("empty.png"))
    assert main(["predict", "mlp-digits", "empty.png"]) == 1
    assert main(["predict", "mlp-digits", "broken.png", "17"]) == 1
    assert "several inputs must all be images" in capsys.readouterr().err


def test_a_folder_of_images_trains_a_network_that_knows_its_classes(capsys: Capture) -> None:
    rng = np.random.default_rng(0)
    for name, channel in (("cat", 0), ("dog", 2)):
        Path("pets", name).mkdir(parents=True)
        for k in range(30):
            pixels = rng.integers(0, 60, (20, 24, 3)).astype(np.uint8)
            pixels[..., channel] += 150
            write_image(pixels, Path("pets", name, f"{k}.png"))
    settings = [
        "--set",
        "image=3,16,16",
        "--set",
        "flip=true",
        "--set",
        "shift=1",
        "--epochs",
        "3",
        "--batch-size",
        "8",
    ]
    assert main(["train", "lenet", "--data", "images", "--path", "pets", *settings, "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "test accuracy 1.0000 (12 of 12)" in out
    assert "\n         cat 0 7 .   1.000\n         dog 1 . 5   1.000\n" in out
    assert main(["predict", "lenet-images.safetensors", "pets/dog/3.png"]) == 0
    assert capsys.readouterr().out.split()[:2] == ["pets/dog/3.png", "dog"]
    assert main(["evaluate", "lenet-images.safetensors", "--path", "pets"]) == 0
    assert "on images, 12 examples\ntest accuracy 1.0000\n" in capsys.readouterr().out
    Path("pets", "cat").rename(Path("pets", "hen"))
    assert main(["evaluate", "lenet-images.safetensors", "--path", "pets"]) == 1
    assert "pets has other classes than the model\n  the folders  dog, hen\n" in capsys.readouterr().err
    assert main(["train", "mlp", "--data", "images", "--path", "pets"]) == 1
    assert "the data images are for models of images\n  models: lenet, vgg" in capsys.readouterr().err


def test_kaggles_way_from_train_to_submission(capsys: Capture) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(100) % 10
    images = rng.integers(0, 30, (100, 784))
    images[np.arange(100), labels * 70] = 255
    images[np.arange(100), labels * 70 + 1] = 255
    header = ["label", *(f"pixel{k}" for k in range(784))]
    with Path("train.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *np.column_stack([labels, images]).tolist()])
    with Path("test.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header[1:], *images[:20].tolist()])
    sizes = ["--set", "sizes=784,32,10", "--set", "learning_rate=0.01", "--batch-size", "10"]
    assert main(["train", "mlp", "--data", "kaggle", "--path", "train.csv", *sizes, "--epochs", "20", "--quiet"]) == 0
    assert main(["submit", "mlp-kaggle.safetensors", "test.csv"]) == 0
    with Path("submission.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["ImageId", "Label"]
    assert [int(r[0]) for r in rows[1:]] == list(range(1, 21))
    predicted = load("mlp-kaggle.safetensors").predict(images[:20] / 255)  # type: ignore[attr-defined]  # a classifier
    assert [int(r[1]) for r in rows[1:]] == predicted.tolist()
    assert (predicted == labels[:20]).mean() > 0.8
