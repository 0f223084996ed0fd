"""Pickles of expressions, shared values and functions, read here and in a fresh process."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdl
import symdl.errors
import symdl.tensor as T
from symdl import In, function, shared

ROOT = Path(__file__).resolve().parent.parent


def again(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


def test_an_expression_is_itself_again_while_its_variables_live() -> None:
    x = T.dmatrix("x")
    y = T.softmax(x[1:].T @ x[1:] + np.arange(3.0))
    assert again(y) is y
    assert again([x, y]) == [x, y]


def test_a_deep_graph() -> None:
    x = T.dvector("x")
    y = x
    for _ in range(5000):
        y = T.sin(y)
    assert again(y) is y


@pytest.mark.parametrize("mode", ["native", "numpy"])
def test_a_function_with_all_its_parts(mode: str) -> None:
    x, n, scale = T.dmatrix("x"), T.lscalar("n"), T.dscalar("scale")
    W = shared(np.arange(6.0).reshape(3, 2), "W")
    f = function(
        [In(x, name="rows"), n, In(scale, value=2.0)], {"y": scale * (x @ W), "first": x[n]},
        updates=[(W, W + 1)], name="step", mode=mode,
    )  # fmt: skip
    g = again(f)
    a = np.ones((2, 3))
    for _ in range(3):
        one, other = f(a, 1), g(rows=a, n=1)
        assert {k: v.tolist() for k, v in one.items()} == {k: v.tolist() for k, v in other.items()}
    assert repr(g) == repr(f)
    (V,) = g.get_shared()
    assert (V.name, V.get_value().tolist()) == ("W", W.get_value().tolist())
    V.set_value(np.zeros((3, 2)))
    assert W.get_value()[0, 1] == 4


def test_givens_numbers_as_updates_and_inputs_that_keep_their_value() -> None:
    x, state = T.dvector("x"), T.dscalar("state")
    n, data = shared(1, "n"), shared(np.arange(3.0), "data")
    f = function(
        [In(state, value=0.0, update=state + x.sum())], [x * state], updates=[(n, 7)], givens={x: data * 2}
    )  # fmt: skip
    f()
    g = again(f)
    assert [v.tolist() for v in g()] == [v.tolist() for v in f()] == [[0, 12, 24]]
    assert float(g["state"]) == 12
    assert {s.name: s.get_value().tolist() for s in g.get_shared()}["n"] == 7


def test_shared_values_stay_shared_within_one_pickle() -> None:
    W = shared(np.zeros(2), "W")
    step, look, same = again((function([], updates=[(W, W + 1)]), function([], W * 1), W))
    step()
    assert (look().tolist(), same.get_value().tolist(), W.get_value().tolist()) == ([1, 1], [1, 1], [0, 0])


def test_an_open_axis_travels() -> None:
    x, seen = T.dvector("x"), shared(np.zeros(0), "seen", shape=(None,))
    f = function([x], [T.ones((seen.shape[0],)), seen], updates=[(seen, T.concatenate([seen, x]))])
    f([1.0])
    g = again(f)
    assert [v.tolist() for v in g([2.0])] == [[1], [1]]
    assert [v.tolist() for v in g([3.0])] == [[1, 1], [1, 2]]
    assert seen.get_value().tolist() == [1]
    both = function([], seen.sum() + g.get_shared()[0].sum())
    assert both.get_shared()[0] is seen
    with pytest.raises(symdl.errors.ShapeError):
        both()  # the copy stands on the same symbol: one function takes both only while they are equally long


def test_a_default_update_travels() -> None:
    seed = shared(1, "seed")
    seed.default_update = seed * 3
    draw = function([], seed + 0)
    draw()
    other, (copied, expression) = again(draw), again((seed, seed + 0))
    assert [int(other()) for _ in range(2)] == [3, 9]
    assert int(seed.get_value()) == 3
    assert [int(function([], expression)()) for _ in range(2)] == [3, 9]
    assert int(copied.get_value()) == 27


def test_deepcopy_of_a_function_owns_its_values() -> None:
    n = shared(np.zeros(2), "n")
    f = function([], n.sum(), updates={n: n + 1})
    own = copy.deepcopy(f)
    own()
    own()
    assert n.get_value().tolist() == [0, 0]
    assert [float(f()), float(own())] == [0, 4]


def test_errors_travel() -> None:
    x = T.dvector("x")
    with pytest.raises(symdl.errors.ShapeError) as caught:
        function([x], x, name="f")([[1.0]])
    assert str(again(caught.value)) == str(caught.value)


def test_a_fresh_process_computes_the_same(tmp_path: Path) -> None:
    """Training goes on where it stopped: weights, optimizer state and code travel in one file."""
    rng = np.random.default_rng(0)
    x, y = T.fmatrix("x"), T.ivector("y")
    W, b = shared(rng.normal(size=(4, 3)).astype("float32"), "W"), shared(np.zeros(3, "float32"), "b")
    p = T.softmax(x @ W + b)
    loss = -T.log(p[T.arange(y.shape[0]), y]).mean()
    gW, gb = symdl.grad(loss, [W, b])
    step = function([x, y], loss, updates={W: W - 0.5 * gW, b: b - 0.5 * gb}, name="step")
    data = rng.normal(size=(20, 4)).astype("float32"), rng.integers(0, 3, 20).astype("int32")
    step(*data)
    (tmp_path / "step.pickle").write_bytes(pickle.dumps((step, data)))
    here = [float(step(*data)) for _ in range(3)]
    script = "import pickle, sys; f, data = pickle.load(open(sys.argv[1], 'rb'))\n" \
        "print([float(f(*data)) for _ in range(3)], [s.name for s in f.get_shared()], f)"  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "step.pickle")], capture_output=True, text=True, timeout=600,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.strip() == f"{here} {[s.name for s in step.get_shared()]} {step}", done.stderr
