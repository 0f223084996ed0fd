"""The command line, in process: what it prints where, which exit code, which files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdl.extras
import symdl.zoo.data
from symdl.cli import main
from symdl.datasets import digits, mnist, write_idx
from symdl.interop import safetensors
from symdl.nn import Trainer
from symdl.sweeps import Sweep
from symdl.zoo import MLP, load

pytestmark = pytest.mark.skipif(
    not (symdl.extras.installed("sklearn") and symdl.extras.installed("safetensors")),
    reason="the commands train on the digits and save weights: pip install symdl[zoo]",
)
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("weights") / "w.safetensors"
    assert main(["train", "mlp", "--epochs", "5", "--quiet", "--output", str(file)]) == 0
    return str(file)


def test_train_prints_accuracy_and_confusion_and_saves(capsys: Capture) -> None:
    assert main(["train", "mlp", "--epochs", "3"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith("MLP(64-100-10, relu): 3 epochs of 1437 examples in ")
    assert lines[1].startswith("test accuracy 0.")
    assert lines[1].endswith(" of 360)")
    assert lines[2].startswith("true\\predicted")
    assert len(lines) == 14
    assert lines[-1] == "weights saved to mlp-digits.safetensors"
    assert len(err.splitlines()) == 3
    assert "\r" not in out + err
    assert load("mlp-digits.safetensors").config.epochs == 3
    assert [p.name for p in Path().iterdir()] == ["mlp-digits.safetensors"]


def test_a_run_that_leaves_the_numbers_ends_and_fails(capsys: Capture) -> None:
    assert main(["train", "mlp", "--epochs", "5", "--learning-rate", "1e38", "--json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""  # NaN is no JSON
    assert "has left the numbers: loss is" in err
    assert "A smaller --learning-rate" in err
    assert list(Path().iterdir()) == []


def test_train_as_json(capsys: Capture) -> None:
    options = ["--epochs", "2", "--batch-size", "64", "--learning-rate", "0.01", "--seed", "3"]
    assert main(["train", "mlp", *options, "--json", "--quiet", "--output", "x.safetensors"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    (run,) = json.loads(out)["runs"]
    assert run["test"]["accuracy"] == json.loads(out)["mean"]["accuracy"] == np.trace(run["confusion"]) / 360
    assert (run["seed"], run["epochs"], len(run["history"]["loss"])) == (3, 2, 2)
    assert (run["config"]["batch_size"], run["config"]["learning_rate"]) == (64, 0.01)
    assert run["output"] == "x.safetensors"


def test_several_seeds_print_the_mean(capsys: Capture) -> None:
    assert main(["train", "mlp", "--epochs", "1", "--seeds", "0-2", "--quiet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    accuracies = [float(line.split()[4]) for line in lines[:3]]
    assert [line.split(":")[0] for line in lines[:3]] == ["seed 0", "seed 1", "seed 2"]
    mean, lowest = float(lines[3].split()[3]), float(lines[3].split()[-1])
    assert mean == pytest.approx(np.mean(accuracies), abs=1e-4)
    assert lowest == min(accuracies)
    assert list(Path().iterdir()) == []


def test_several_seeds_save_a_file_each(capsys: Capture) -> None:
    assert main(["train", "mlp", "--epochs", "1", "--seeds", "4,1", "--quiet", "--output", "w.safetensors"]) == 0
    assert sorted(p.name for p in Path().iterdir()) == ["w-seed1.safetensors", "w-seed4.safetensors"]
    assert load("w-seed4.safetensors").config.seed == 4


def test_patience_holds_out_and_stops(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([1.0, 2.0, 3.0])
    seen: list[int] = []

    def evaluate(self: Trainer, x: Any, y: Any) -> dict[str, float]:
        seen.append(len(x))
        return {"loss": next(losses), "accuracy": 0.0}

    monkeypatch.setattr(Trainer, "evaluate", evaluate)
    assert main(["train", "mlp", "--patience", "2", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["runs"][0]["stopped"] == "val_loss has not improved since epoch 1"
    assert err.splitlines()[-1] == "stopped after epoch 3: val_loss has not improved since epoch 1"
    assert seen == [144, 144, 144]


def test_resume_goes_on_to_the_same_weights(capsys: Capture) -> None:
    def train(*options: str) -> None:
        assert main(["train", "mlp", "--quiet", *options]) == 0

    train("--epochs", "4", "--output", "whole")
    train("--epochs", "2", "--output", "half", "--checkpoint", "state")
    train("--epochs", "4", "--output", "resumed", "--resume", "state")
    whole, resumed = safetensors.load("whole")[0], safetensors.load("resumed")[0]
    assert all(whole[name].tobytes() == resumed[name].tobytes() for name in whole)
    capsys.readouterr()
    assert main(["train", "mlp", "--epochs", "4", "--resume", "state", "--seed", "1"]) == 1
    assert "is of another run" in capsys.readouterr().err
    assert main(["train", "mlp", "--epochs", "4", "--resume", "nowhere"]) == 1
    assert capsys.readouterr().err == "DataError: resume: there is no file nowhere\n"


@pytest.mark.parametrize("option", ["--output", "--checkpoint"])
def test_a_file_that_cannot_be_written_is_known_before_training(capsys: Capture, option: str) -> None:
    assert main(["train", "mlp", "--epochs", "1", option, "nowhere/x.safetensors"]) == 1
    message = "DataError: train: there is no folder nowhere to write x.safetensors to\n"
    assert capsys.readouterr().err == message


def test_ctrl_c_exits_130_without_weights(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    total, calls = Sweep.total, []

    def interrupted(self: Sweep, order: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:  # in the second epoch
            raise KeyboardInterrupt
        return total(self, order)

    monkeypatch.setattr(Sweep, "total", interrupted)
    assert main(["train", "mlp"]) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-2].startswith("interrupted after epoch 1 of ")
    assert err.splitlines()[-1] == "interrupted: no weights file was written"
    assert list(Path().iterdir()) == []
    calls.clear()
    assert main(["train", "mlp", "--quiet", "--checkpoint", "state"]) == 130
    assert capsys.readouterr() == ("", "interrupted: no weights file was written; go on with --resume state\n")
    assert [p.name for p in Path().iterdir()] == ["state"]
    monkeypatch.setattr(symdl.zoo.data, "digits_split", lambda seed: (_ for _ in ()).throw(KeyboardInterrupt()))
    assert main(["train", "mlp"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.fixture
def mnist_folder(tmp_path: Path) -> Path:
    """Forty and ten images of the form of MNIST: class k has a bright row k."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for part, n in (("train", 400), ("t10k", 40)):
        labels = np.arange(n, dtype=np.uint8) % 10
        images = rng.integers(0, 50, (n, 28, 28)).astype(np.uint8)
        images[np.arange(n), labels * 2] = 255
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", labels)
    return folder


def test_mnist_from_files(capsys: Capture, mnist_folder: Path) -> None:
    command = ["train", "mlp", "--data", "mnist", "--path", str(mnist_folder), "--epochs", "8", "--quiet"]
    assert main(command) == 1
    assert "is not the published file" in capsys.readouterr().err
    assert main([*command, "--no-verify", "--batch-size", "20"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("MLP(784-512-128-10, sigmoid): 8 epochs of 400 examples in ")
    assert float(lines[1].split()[2]) > 0.9
    assert lines[-1] == "weights saved to mlp-mnist.safetensors"
    images = str(mnist_folder / "t10k-images-idx3-ubyte.gz")
    assert main(["predict", "mlp-mnist.safetensors", images]) == 1
    assert "inputs from 0 to 255 meet a model trained on 0 to 1" in capsys.readouterr().err
    assert main(["predict", "mlp-mnist.safetensors", images, "--scale", "255", "--json"]) == 0
    predicted = json.loads(capsys.readouterr().out)["predicted"]
    split = mnist(mnist_folder, verify=False)
    assert predicted == MLP.load("mlp-mnist.safetensors").predict(split.x_test).tolist()


# ---- predict ----


def test_predict_a_bundled_digit(capsys: Capture, weights: str) -> None:
    assert main(["predict", weights, "17"]) == 0
    x, y = digits()
    probabilities = MLP.load(weights).predict_proba(x[17])[0]
    label = probabilities.argmax()
    assert capsys.readouterr().out == f"0  {label}  {probabilities[label]:.4f}  (true label {y[17]})\n"
    assert main(["predict", weights, "1797"]) == 1
    assert "the bundled ones are 0 to 1796" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "two.npz", "x.csv", "header.csv", "x-idx", "images.npy"])
def test_predict_files(capsys: Capture, weights: str, name: str) -> None:
    x = digits()[0][:5]
    if name == "x.npy":
        np.save(name, x)
    elif name == "images.npy":
        np.save(name, x.reshape(5, 8, 8))
    elif name == "x.npz":
        np.savez(name, any_name=x)
    elif name == "two.npz":
        np.savez(name, x=x, y=np.zeros(5))
    elif name.endswith(".csv"):
        header = ",".join(f"pixel{k}" for k in range(64)) if name == "header.csv" else ""
        np.savetxt(name, x, delimiter=",", header=header, comments="")
    else:
        write_idx(Path(name), x)
    assert main(["predict", weights, name, "--json"]) == 0
    got = json.loads(capsys.readouterr().out)
    expected = MLP.load(weights).predict_proba(x)
    assert got["predicted"] == expected.argmax(axis=1).tolist()
    np.testing.assert_allclose(got["probabilities"], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.npy", b"no", "x.npy is no .npy file of numbers"),
        ("x.npz", b"no", "x.npz is no .npz file of numbers"),
        ("x.csv", b"1,2\n3\n", "x.csv: example 1 has 1 numbers, example 0 has 2\n"),
        ("x.csv", b"", "x.csv holds no examples"),
        ("x.csv", b"a,b\n", "x.csv holds no examples below its first line, which is read as a header\n"),
        ("x.csv", b"1,2\n3,4\n", "2 features of x meet 64 inputs of the model"),
        ("x.bin", b"no", "x.bin is no idx file"),
        ("nowhere.npy", None, "there is no file nowhere.npy"),
    ],
)
def test_predict_refuses(capsys: Capture, weights: str, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    assert main(["predict", weights, name]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err


def test_predict_refuses_pickles_and_several_arrays(capsys: Capture, weights: str) -> None:
    np.save("objects.npy", np.array([{}], dtype=object))
    assert main(["predict", weights, "objects.npy"]) == 1
    assert "no .npy file of numbers" in capsys.readouterr().err
    np.savez("two.npz", a=np.zeros(3), b=np.zeros(3))
    assert main(["predict", weights, "two.npz"]) == 1
    assert "two.npz holds a, b; it must hold one array, or one called x" in capsys.readouterr().err


def test_predict_refuses_what_are_no_weights(capsys: Capture) -> None:
    assert main(["predict", "nowhere", "17"]) == 1
    assert capsys.readouterr().err.startswith("DataError: load: there is no file nowhere\n  shipped: ")
    Path("text").write_text("hello")
    assert main(["predict", "text", "17"]) == 1
    assert "text is not a whole safetensors file" in capsys.readouterr().err


# ---- the rest ----


def test_doctor(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for word in ("python", "numpy", "scipy", "sympy", "llvmlite", "llvm", "processor", "scikit-learn", "config.floatX"):
        assert f"\n  {word} " in out
    assert "\n  self-check" in out
    assert out.endswith("\nall is well\n")
    monkeypatch.setattr("symdl.doctor.function", lambda *args, **options: lambda a, b: (0.0, a, b))
    assert main(["doctor", "--json"]) == 1
    (broken,) = [f for f in json.loads(capsys.readouterr().out) if not f["fine"]]
    assert broken["subject"] == "self-check"


def test_doctor_names_the_command_for_what_is_missing(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symdl.extras, "find_spec", lambda name: None)
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for extra in {extra for _, extra in symdl.extras.EXTRAS.values()}:
        assert out.count(f'pip install "symdl[{extra}]"') >= 1, extra


def test_a_missing_extra_is_named_before_any_training(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symdl.extras, "find_spec", lambda name: None)
    assert main(["train", "mlp"]) == 1
    assert capsys.readouterr().err == (
        'MissingDependencyError: saving weights: the package safetensors is not installed\n  pip install "symdl[zoo]"\n'
    )


def test_models_and_version(capsys: Capture) -> None:
    assert main(["models"]) == 0
    assert "784-512-128-10" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"symdl {symdl.extras.own_version()}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["train"],
        ["train", "cnn"],
        ["train", "mlp", "--data", "nothing"],
        ["train", "mlp", "--set", "sizes"],
        ["train", "mlp-digits", "--path", "."],
        ["train", "mlp", "--data", "mnist"],
        ["train", "mlp", "--path", "."],
        ["train", "mlp", "--epochs", "0"],
        ["train", "mlp", "--epochs", "many"],
        ["train", "mlp", "--learning-rate", "nan"],
        ["train", "mlp", "--learning-rate", "-1"],
        ["train", "mlp", "--seeds", "4-0"],
        ["train", "mlp", "--seeds", "0,0"],
        ["train", "mlp", "--seeds", "a"],
        ["train", "mlp", "--seed", "1", "--seeds", "0-1"],
        ["train", "mlp", "--seeds", "0-1", "--resume", "x"],
        ["predict", "w"],
    ],
)
def test_wrong_calls_exit_2(capsys: Capture, arguments: list[str]) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: symdl")


def test_an_output_that_cannot_be_written_is_one_line(capsys: Capture) -> None:
    assert main(["train", "mlp", "--epochs", "1", "--quiet", "--output", "no/such/folder"]) == 1
    assert "there is no folder no/such to write folder to" in capsys.readouterr().err
