"""Training on many ranks is training on one: with ranks that are threads here, and with MPI where it is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdl.extras
import symdl.tensor as T
from symdl.distributed import DataParallel, SharedCheckpoint, together
from symdl.errors import ConfigError, DataError
from symdl.interop import safetensors
from symdl.nn import BatchNormalization, Dense, Trainer, fit, supervised
from symdl.nn.layers import Chain
from symdl.nn.weights import values
from symdl.zoo import DBN, MLP, Perceptron, StackedAutoencoder
from symdl.zoo.layerwise import Layerwise

MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}") or shutil.which("mpiexec")
needs_mpi = pytest.mark.skipif(
    not symdl.extras.installed("mpi4py") or MPIEXEC is None, reason='no mpi4py or mpiexec: pip install "symdl[mpi]"'
)
needs_safetensors = pytest.mark.skipif(
    not symdl.extras.installed("safetensors"), reason="weights files need safetensors: pip install symdl[zoo]"
)
Y = np.arange(101) % 3
X = np.random.default_rng(0).standard_normal((101, 4)) / 4 + 2 * np.eye(3, 4)[Y]
Array = np.ndarray[Any, np.dtype[Any]]


class Team:
    """Ranks that are threads: what they give is put on a table, and taken when all have put theirs."""

    def __init__(self, ranks: int) -> None:
        self.ranks, self.table, self.barrier = ranks, [None] * ranks, threading.Barrier(ranks, timeout=600)

    def run(self, work: Callable[[Any], Any]) -> list[Any]:
        with ThreadPoolExecutor(self.ranks) as pool:
            return list(pool.map(work, [Member(self, k) for k in range(self.ranks)]))


class Member:
    """What DataParallel asks of a communicator of mpi4py."""

    def __init__(self, team: Team, rank: int) -> None:
        self.team, self.rank = team, rank

    def Get_rank(self) -> int:
        return self.rank

    def Get_size(self) -> int:
        return self.team.ranks

    def allgather(self, value: Any) -> list[Any]:
        self.team.table[self.rank] = value
        self.team.barrier.wait()
        found = list(self.team.table)
        self.team.barrier.wait()
        return found

    def bcast(self, value: Any, root: int) -> Any:
        return self.allgather(value)[root]

    def Allreduce(self, own: Array, total: Array) -> None:
        total[:] = sum(self.allgather(own.copy()))


def model(**changes: Any) -> MLP:
    return MLP(
        **{"sizes": (4, 8, 3), "dtype": "float64", "batch_size": 10, "epochs": 5, "learning_rate": 0.02, **changes}
    )


def trained(ranks: int, weights: Array | None = None, **changes: Any) -> list[dict[str, Array]]:
    """The parameters of every rank after training."""

    def work(member: Member) -> dict[str, Array]:
        own = model(**changes)
        own.trainer = DataParallel(own.trainer, member)
        assert own.trainer.first == (member.rank == 0)
        fit(own.trainer, X, Y, epochs=5, batch_size=10, weights=weights, verbose=0)
        return values(own.trainer.shared)

    return Team(ranks).run(work)


def assert_alike(found: dict[str, Array], expected: dict[str, Array]) -> None:
    """Within 1e-12 of each tensor's largest."""
    for name, value in expected.items():
        assert np.abs(found[name] - value).max() <= 1e-12 * np.abs(value).max(), name


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("changes", [{}, {"optimizer": "sgd", "momentum": 0.9}, {"l2": 1e-3}], ids=str)
def test_ranks_move_as_one(ranks: int, changes: dict[str, Any]) -> None:
    """101 rows in batches of 10: the last has one row, so some ranks have none."""
    alone = model(**changes)
    fit(alone.trainer, X, Y, epochs=5, batch_size=10, verbose=0)
    expected = values(alone.trainer.shared)
    for found in trained(ranks, **changes):
        assert_alike(found, expected)


def test_weights_of_examples_are_shared_too() -> None:
    weights = np.random.default_rng(1).uniform(0, 2, len(X))
    alone = model()
    fit(alone.trainer, X, Y, epochs=5, batch_size=10, weights=weights, verbose=0)
    expected = values(alone.trainer.shared)
    for found in trained(2, weights):
        assert_alike(found, expected)


@pytest.mark.parametrize("ranks", [2, 3])
def test_noise_is_what_one_process_draws(ranks: int) -> None:
    """Each rank drops of its rows what one process drops of them."""
    alone = model(dropout=0.5)
    fit(alone.trainer, X, Y, epochs=5, batch_size=10, verbose=0)
    expected = values(alone.trainer.shared)
    for found in trained(ranks, dropout=0.5):
        assert_alike(found, expected)


def stages(own: Layerwise, member: Member | None) -> dict[str, Array]:
    """All weights after pretraining and fine-tuning, alone or as one of a team."""
    if member is not None:
        for stage in own.stages:
            stage.trainer = DataParallel(stage.trainer, member)
        own.trainer = DataParallel(own.trainer, member)
    own.fit((X - X.min()) / (X.max() - X.min()), Y, verbose=0)
    return values(own.parameters)


SMALL: dict[str, Any] = {
    "sizes": (4, 6, 5, 3), "dtype": "float64", "batch_size": 10, "epochs": 2, "pretraining_epochs": 2
}  # fmt: skip


@pytest.mark.parametrize(
    "make",
    [
        lambda: StackedAutoencoder(**SMALL),
        lambda: DBN(**SMALL),
        lambda: DBN(**SMALL, persistent=False, drawn=False, steps=2),
    ],
    ids=["stacked", "dbn, chains", "dbn, from data"],
)
def test_models_of_stages(make: Callable[[], Layerwise]) -> None:
    """Corruption, drawn data and the chains of samplers are those of one process, stage by stage."""
    expected = stages(make(), None)
    for found in Team(2).run(lambda member: stages(make(), member)):
        assert_alike(found, expected)


def test_running_means_are_those_of_all_rows_and_normalization_is_a_ranks_own() -> None:
    """Whole batches, cut in two: the running mean of what comes in is one process', in the first step; ranks agree."""

    def work(member: Member | None) -> tuple[dict[str, Array], Any]:
        x, y = T.tensor("x", dtype="float64", shape=(None, 4)), T.lvector("y")
        network = Chain([BatchNormalization(), Dense(3, "softmax")])
        trainer = Trainer(supervised(network, x, y), "sgd")
        if member is not None:
            trainer = DataParallel(trainer, member)
        trainer.step(X[:10], Y[:10])
        means = next(v for v in trainer.objective.state if "mean" in str(v.name))
        found = values(trainer.shared)
        return found, means.get_value()

    _, expected = work(None)
    (one, mean), (two, _) = Team(2).run(work)
    np.testing.assert_allclose(mean, expected, rtol=1e-12)
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_a_rule_that_adds_up_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no gradients to share: a rule of its own moves layer0\.W, layer0\.b"):
        DataParallel(Perceptron(features=4, classes=3).trainer, Member(Team(1), 0))


@needs_safetensors
def test_a_resumed_run_has_the_bits_of_a_whole_one(tmp_path: Path) -> None:
    def run(member: Member, epochs: int, resume: bool) -> dict[str, Array]:
        own = model(dropout=0.2)
        own.trainer = DataParallel(own.trainer, member)
        checkpoint = SharedCheckpoint(tmp_path / "state", resume=resume)
        fit(own.trainer, X, Y, epochs=epochs, batch_size=10, callbacks=[checkpoint], verbose=0)
        return values(own.trainer.shared)

    whole = Team(2).run(lambda member: run(member, 4, False))[0]
    Team(2).run(lambda member: run(member, 2, False))
    resumed = Team(2).run(lambda member: run(member, 4, True))
    assert all(np.array_equal(one[name], whole[name]) for one in resumed for name in whole)
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_models_that_differ_are_refused() -> None:
    def work(member: Member) -> str:
        with pytest.raises(ConfigError) as caught:
            DataParallel(model(sizes=(4, 8 + member.rank, 3)).trainer, member)
        return str(caught.value)

    assert all("the ranks have made different models" in text for text in Team(2).run(work))


def test_an_error_on_one_rank_ends_all_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    class Ended(Exception):
        pass

    class Two(Member):
        def Abort(self, code: int) -> None:
            assert code == 1
            raise Ended

    with pytest.raises(Ended), together(Two(Team(2), 1)):
        raise DataError("there is no file x")
    assert capsys.readouterr().err == "rank 1 of 2 has failed and ends the run\nDataError: there is no file x\n"
    with pytest.raises(DataError), together(Member(Team(1), 0)):
        raise DataError("one rank alone fails as ever")


# ---- MPI itself ----


def mpi(ranks: int, *command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    line = [str(MPIEXEC), "-n", str(ranks), sys.executable, *command]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=600, check=False)


@needs_mpi
@needs_safetensors
@pytest.mark.skipif(not symdl.extras.installed("sklearn"), reason="the digits come with scikit-learn")
def test_two_processes_train_what_one_does(tmp_path: Path) -> None:
    command = [
        "-m",
        "symdl",
        "train",
        "mlp",
        "--mpi",
        "--epochs",
        "3",
        "--set",
        "dtype=float64",
        "--quiet",
        "--output",
    ]
    found = []
    for ranks in (1, 2):
        done = mpi(ranks, *command, f"w{ranks}", folder=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("test accuracy") == 1
        found.append(safetensors.load(tmp_path / f"w{ranks}")[0])
    assert_alike(found[1], found[0])


@needs_mpi
def test_a_process_that_fails_ends_the_others(tmp_path: Path) -> None:
    program = tmp_path / "fails.py"
    program.write_text(
        "from symdl import distributed\n"
        "from symdl.errors import DataError\n"
        "with distributed.together() as ranks:\n"
        "    if ranks.Get_rank() == 1:\n"
        "        raise DataError('there is no file x')\n"
        "    ranks.Barrier()\n"
    )
    done = mpi(2, str(program), folder=tmp_path)
    assert done.returncode != 0
    assert "rank 1 of 2 has failed and ends the run\nDataError: there is no file x" in done.stderr
