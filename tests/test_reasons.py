"""debugprint(why=True): what was rewritten, by which mechanism, where; which node is in which number form, and why."""

from __future__ import annotations

import random
import textwrap
from typing import Any

import numpy as np
import pytest
from mechanisms import TABLE, Row

import symdl
import symdl.tensor as T
from symdl import debugprint, function, grad
from symdl.diagnosis.reasons import Reasons, mechanisms_of, reasons, recorded
from symdl.errors import InputError
from symdl.graph.expr import Expr, variable
from symdl.graph.walks import topological
from symdl.meaning import Record, stabilized
from symdl.pipeline.compilation import Graph, rewritten
from symdl.runtime.signature import graph_of_expressions

x, y = T.dvectors("x", "y")
a, b = T.dscalars("a", "b")
X, labels = T.dmatrix("X"), T.ivector("labels")


def why(*outputs: Expr, precision: str = "plain") -> Reasons:
    return reasons(graph_of_expressions(outputs, precision))


# ---- what was rewritten ----


SOFT = T.exp(X) / T.exp(X).sum(axis=1, keepdims=True)
MECHANISMS: dict[str, tuple[Expr, str]] = {
    "softplus": (T.log(1 + T.exp(x)), "softplus, recovered"),
    "sigmoid": (grad(T.log(1 + T.exp(x)).sum(), x), "sigmoid or tanh, recovered"),
    "softmax": (SOFT, "softmax, recovered"),
    "conjugates": (T.sqrt(x**2 + 1) - x, "A - B as B expm1(log(A/B)) near A = B"),
    "exponentials": (T.exp(x) - T.exp(y), "exp(A) - exp(B), by expm1"),
    "expm1": (T.exp(x) - 1, "exp(E) - 1 as expm1(E)"),
    "Taylor": (x - T.sin(x), "what a Taylor polynomial leaves"),
    "delta": (T.sin(x + 1e-8) - T.sin(x), "a difference f(A) - f(B), by an identity"),
    "labels": (-T.log(SOFT)[T.arange(labels.shape[0]), labels].mean(), "labels as a gather and a mask"),
    "logsumexp": (T.log(T.exp(X).sum(axis=1)), "a sum without its largest term"),
    "log cosh": (T.log(T.cosh(x)), "a logarithm of exponentials, in one piece"),
    "log1p": (T.log(x / (x + 1)), "a logarithm near 1 by log1p"),
    "log1mexp": (T.log(1 - T.exp(-x)), "log(1 - exp(E)) as log1mexp(E)"),
    "argmax": (T.argmax(SOFT, axis=1) + T.argmax(T.exp(X), axis=1), "an extreme, sought below functions that increase"),
    "entropy": (T.log(1 + T.exp(x)) - x / (1 + T.exp(-x)), "the entropy of a chance"),
    "leave one out": (T.log(1 - SOFT), "a sum without its largest term"),
}


@pytest.mark.parametrize("name", MECHANISMS)
def test_every_mechanism_is_named(name: str) -> None:
    output, mechanism = MECHANISMS[name]
    found = why(output).rewritings
    assert mechanism in {m for r in found for m in r.mechanisms}
    assert all(r.place.startswith("test_reasons.py:") for r in found)


@pytest.mark.parametrize("row", [r for r in TABLE if r.mechanism != "nothing to do"], ids=lambda r: r.text)
def test_what_changes_a_result_is_named(row: Row) -> None:
    """Each mechanism of the table of never_worse: what stage 3 rewrites of a value and its gradients bears a mechanism's name, and
    what it computes in a number form a reason."""
    rng = random.Random(0)
    drawn = [np.array([draw(rng)]) for draw in row.draw]
    kinds = ["int32" if a.dtype.kind == "i" else "float64" for a in drawn]
    leaves = [variable(f"v{k}", a.shape, kind) for k, (a, kind) in enumerate(zip(drawn, kinds, strict=True))]
    value = row.formula(*leaves)
    outputs = [value, *grad(value.sum(), [v for v in leaves if v.type.dtype == "float64"])]
    told = why(*outputs, precision="right")
    assert all(r.mechanisms for r in told.rewritings)
    assert all(f.why for f in told.forms)
    assert bool(why(value).rewritings) == (stabilized([value], {})[0] is not value)


def test_before_and_after() -> None:
    (r,) = why(T.log(1 + T.exp(x))).rewritings
    assert (r.before, r.after, r.mechanisms) == ("log(1 + exp(x))", "softplus(x)", ("softplus, recovered",))


def test_what_no_mechanism_writes_is_named_by_what_was_found() -> None:
    (r,) = why((1 - T.cos(x)) / x**2).rewritings
    assert r.mechanisms == ("terms cancel",)
    assert r.before == "(1 - cos(x)) / x ** 2"


def test_a_benign_graph() -> None:
    found = why(T.tanh(x * 2) + y)
    assert found.rewritings == ()
    assert found.forms == ()
    assert "nothing: every formula is run as written" in str(found)


def test_the_order_is_that_of_the_work() -> None:
    inner = T.log(1 + T.exp(x))
    places = [r.before for r in why(T.sin(inner).sum() + 1, T.log(1 - T.exp(-y))).rewritings]
    assert places == ["log(1 + exp(x))", "log(1 - exp(-y))"]


def test_looking_changes_nothing() -> None:
    """With a record the same nodes are made as without one."""
    for outputs in ([m for m, _ in MECHANISMS.values()], [a * a - b * b, T.sqrt(a * a + b * b)]):
        graph = graph_of_expressions(outputs, "right")
        assert recorded(graph)[0].roots == rewritten(graph).roots


def test_mechanisms_reach_the_graph_as_it_is_run() -> None:
    form, record = recorded(graph_of_expressions([T.log(1 + T.exp(x)) * 3], "plain"))
    made = mechanisms_of(form, record)
    named = {n.op.name: made[n] for n in topological(*form.roots)}
    assert named["log1p"] == ("softplus, recovered",)
    assert named["variable"] == ()
    assert all(n in form.source for n in topological(*form.roots) if n.inputs)


# ---- number forms ----


def test_number_forms_and_what_would_free_them() -> None:
    forms = {f.node: f for f in why(T.sqrt(a * a + b * b), precision="right").forms}
    square = forms["a * a"]
    assert square.form.startswith("float64")
    assert square.form.endswith("e")
    assert square.why == "sqrt"
    assert any(fact == "symdl.assume(a, lower=1e-06, upper=1e+06)" for fact in square.frees)


def test_the_facts_that_are_told_do_free() -> None:
    told = {fact for f in why(T.sqrt(a * a + b * b), precision="right").forms for fact in f.frees}
    assert told
    known = symdl.assume(a, lower=1e-6, upper=1e6)
    left = why(T.sqrt(known * known + b * b), precision="right").forms
    assert {f.node for f in left}.isdisjoint({"a * a"})


def test_reasons_of_digits() -> None:
    forms = why(a * a - b * b, precision="right").forms
    assert {f.node for f in forms} == {"a * a", "b * b"}
    assert all(f.form == "float64x2" and f.why == "a sum that may cancel" for f in forms)


# ---- what is printed ----


def test_the_text_of_a_function() -> None:
    names: dict[str, Any] = {}
    code = """\
        import symdl.tensor as T
        from symdl import function
        x, a, b = T.dvector("x"), T.dscalar("a"), T.dscalar("b")
        f = function([x, a, b], [T.log(1 + T.exp(x)),
                                 a * a - b * b], precision="right")
    """
    exec(compile(textwrap.dedent(code), "train.py", "exec"), names)
    text = debugprint(names["f"], file="str", why=True)
    assert text is not None
    lines = text.splitlines()
    assert lines[:4] == [
        "rewritten",
        "  train.py:4: softplus, recovered",
        "       log(1 + exp(x))",
        "    -> softplus(x)",
    ]
    at = lines.index("number forms")
    assert lines[at + 1].split("  ")[1] == "node"
    assert "freed by" in lines[at + 1]
    rows = [line.split() for line in lines[at + 2 :] if line.startswith("  a * a")]
    assert rows[0][3:] == ["float64x2", "a", "sum", "that", "may", "cancel", "train.py:5", "-"]


def test_expressions_and_lists_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    debugprint(T.log(1 + T.exp(x)), why=True)
    debugprint([x * 2, y], why=True)
    out = capsys.readouterr().out
    assert "-> softplus(x)" in out
    assert "every formula is run as written" in out
    with pytest.raises(InputError, match="takes an expression, a list of them or a function"):
        debugprint(3, why=True)


def test_what_is_the_same_is_told_once_and_counted() -> None:
    rows = [T.log(1 + T.exp(v)) for v in (x, x)]
    assert rows[0] is rows[1]
    text = str(why(T.exp(a) - 1, T.exp(b) - 1))
    assert text.count("expm1(E)") == 2


def test_functions_from_the_cache_and_pickled() -> None:
    f = function([x], T.log(1 + T.exp(x)))
    again = function([x], T.log(1 + T.exp(x)))
    assert debugprint(f, file="str", why=True) == debugprint(again, file="str", why=True)


def test_a_record_counts_from_above_the_users_nodes() -> None:
    output = T.log(1 + T.exp(x))
    graph = Graph((x,), (), (output,), ())
    record = Record(len(list(topological(output))))
    form = rewritten(graph, record=record)
    assert min(record.names.values()) >= len(form.nodes)
    assert symdl.function([x], output)(np.array([800.0])) == [800]
