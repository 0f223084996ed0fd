"""debugprint and pprint: whole texts of small graphs, and what must hold of large ones."""

from __future__ import annotations

import io
import textwrap
from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl import debugprint, function, pp, pprint, shared
from symdl.display.printing import letter, tree
from symdl.errors import InputError
from symdl.graph.expr import Expr


def run(code: str) -> dict[str, Any]:
    """A user's train.py."""
    names: dict[str, Any] = {}
    exec(compile(textwrap.dedent(code), "train.py", "exec"), names)
    return names


TRAIN = run("""\
    import numpy as np
    import symdl.tensor as T
    from symdl import function, shared
    x, y = T.matrix("x"), T.ivector("y")
    W, b = shared(np.zeros((4, 3)), "W"), shared(np.zeros(3), "b")
    p = T.softmax(x @ W + b)
    loss = -T.log(p[T.arange(y.shape[0]), y]).mean()
    total = (b * b).sum() + b[0]
    step = function([x], p.sum(axis=0), updates=[(b, b * 0.5)], name="step")
""")


def text(thing: Any, **options: Any) -> str:
    out = debugprint(thing, file="str", **options)
    assert isinstance(out, str)
    return out


# ---- trees ----


def test_a_tree() -> None:
    assert text(TRAIN["p"]) == textwrap.dedent("""\
        softmax{axes=(1)} [A]                         float64[?, 3]  train.py:6
        └─ add [B]                                    float64[?, 3]  train.py:6
           ├─ contract{notation=i k, k j -> i j} [C]  float64[?, 3]  train.py:6
           │  ├─ x [D]                                float64[?, ?]  train.py:4
           │  └─ W [E]                                float64[4, 3]  train.py:5
           └─ b [F]                                   float64[3]     train.py:5
        """)


def test_types_may_be_left_out_and_deep_levels_cut_off() -> None:
    assert text(TRAIN["total"], print_type=False, depth=1) == textwrap.dedent("""\
        add [A]                     train.py:8
        ├─ sum{axes=(0)} [B]        train.py:8
        │  └─ ...
        └─ squeeze{axes=(0)} [C]    train.py:8
           └─ ...
        (3 more nodes: depth=1, limit=1000)
        """)


def test_a_repeated_part_is_not_printed_again() -> None:
    x = T.dvector("x")
    y = T.exp(x)
    lines = text([y + y, y]).splitlines()
    assert [line.split("  ")[0].rstrip() for line in lines if "exp" in line] == [
        "├─ exp [B]",
        "└─ exp [B] ...",
        "exp [B] ...",
    ]


def test_letters() -> None:
    assert [letter(k) for k in (0, 25, 26, 27, 51, 52, 701, 702)] == ["A", "Z", "AA", "AB", "AZ", "BA", "ZZ", "AAA"]


def test_a_chain_of_ten_thousand_is_cut_off_and_says_so() -> None:
    x = T.dvector("x")
    y: Expr = x
    for _ in range(10_000):
        y = T.sin(y)
    short = text(y)
    assert len(short.splitlines()) == 53
    assert short.endswith("(9950 more nodes: depth=50, limit=1000)\n")
    assert len(text(y, depth=10_000, limit=200).splitlines()) == 201
    assert len(pprint(y)) < 1000
    assert len(repr(y)) < 100


def test_a_graph_with_exponentially_many_paths() -> None:
    x = T.dvector("x")
    y: Expr = x
    for _ in range(60):
        y = y * T.tanh(y)
    assert len(text(y).splitlines()) < 200
    assert len(pprint(y)) < 1000


# ---- functions ----


def test_a_function_shows_its_graph_before_and_after_and_its_steps() -> None:
    out = text(TRAIN["step"])
    assert out.startswith("function step(x)\n")
    for section in ("as written", "as run", "steps"):
        assert f"\n{section}\n  " in out
    written, run_ = out.split("as written\n")[1].split("as run\n")
    assert "output: sum{axes=(0)} [A]" in written
    assert "softmax" in written
    assert "b <- mul" in written
    assert "train.py:6" in written
    run_, steps = run_.split("steps\n")
    assert "b <- " in run_
    assert "matmul(x, W) -> " in steps
    assert "softmax(x @ W + b) train.py:6" in steps
    assert "b * 0.5 train.py:9" in steps
    assert "as written" not in text(TRAIN["step"], before=False)
    assert "as run" not in text(TRAIN["step"], after=False)
    assert "steps" not in text(TRAIN["step"], steps=False)


def test_where_it_goes(capsys: pytest.CaptureFixture[str]) -> None:
    file = io.StringIO()
    assert debugprint(TRAIN["p"], file) is None
    symdl.debugprint(TRAIN["p"])
    assert capsys.readouterr().out == file.getvalue() == text(TRAIN["p"])
    with pytest.raises(InputError, match="debugprint: takes an expression"):
        debugprint(3)
    for write in (symdl.pp, symdl.latex):
        with pytest.raises(
            InputError, match=r"takes an expression, not a Function\n *symdl\.debugprint shows functions, too"
        ):
            write(TRAIN["step"])


def test_outputs_by_name_and_number() -> None:
    x = T.dvector("x")
    assert "output 'twice': mul" in text(function([x], {"twice": 2 * x}))
    assert "output 1: sub" in text(function([x], [x, x - 1]))


# ---- formulas ----

u, v = T.dvectors("u", "v")
m = T.dmatrix("m")
i = T.lscalar("i")
W = shared(np.zeros((2, 3)), "W")
FORMULAS = {
    "u - (v - u)": u - (v - u),
    "u - v - u": u - v - u,
    "u + v + u": u + v + u,
    "u + (v - u)": u + (v - u),
    "u * (v / u)": u * (v / u),
    "u / (v * u)": u / (v * u),
    "(u + v) * u": (u + v) * u,
    "-u ** 2": -(u**2),
    "(-u) ** 2": (-u) ** 2,
    "u ** v ** 2": u ** (v**2),
    "(u ** v) ** 2": (u**v) ** 2,
    "u % 2 // 3": u % 2 // 3,
    "(u < v) & (v > 1)": (u < v) & (v > 1),
    "~(u < v)": ~(u < v),
    "2 * u": 2 * u,
    "u * -1.5": u * -1.5,
    "u + 1e-10": u + 1e-10,
    "m @ m.T": m @ m.T,
    "(m + 1) @ u": (m + 1) @ u,
    "sum(m, axis=0)": m.sum(axis=0),
    "sum(m)": m.sum(),
    "softmax(m @ W)": T.softmax(m @ W),
    "softmax(m, axis=0)": T.softmax(m, axis=0),
    "argmax(m, axis=1)": m.argmax(axis=1),
    "log(sum(exp(u)))": T.log(T.exp(u).sum()),
    "where(u > 0, u, -v)": T.where(u > 0, u, -v),
    "u[0]": u[0],
    "(u + v)[1:]": (u + v)[1:],
    "m[:, ::-1]": m[:, ::-1],
    "m[2 * i:, i]": m[2 * i :, i],
    "float32(u)": u.astype("float32"),
    "concatenate([u, v])": T.concatenate([u, v]),
    "u.shape[0] + 1": u.shape[0] + 1,
    "constant[3]": T.constant([1.0, 2.0, 3.0]),
    "<float64[?]>": T.dvector(),
}


@pytest.mark.parametrize("formula", FORMULAS)
def test_formulas(formula: str) -> None:
    assert pprint(FORMULAS[formula]) == formula


def test_names_stand_for_what_they_name_but_not_at_the_top() -> None:
    hidden = T.tanh(m @ W)
    hidden.name = "hidden"
    assert pprint(hidden * 2) == "hidden * 2"
    assert pp(hidden) == "tanh(m @ W)"


def test_the_gradient_of_a_layer() -> None:
    x, w = T.dmatrix("x"), T.dmatrix("w")
    assert pprint(symdl.grad((x @ w).sum(), w), limit=60).startswith("x.T @ ")


def test_tree_of_labelled_roots() -> None:
    x = T.dvector("x")
    assert [line.split(" [")[0] for line in tree([("cost: ", x + 1), ("x again: ", x)]).splitlines()] == [
        "cost: add", "├─ x", "└─ 1", "x again: x",
    ]  # fmt: skip
