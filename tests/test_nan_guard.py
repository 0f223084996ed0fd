"""NanGuard: who made the first NaN or infinity, with nothing changed; what is legal; what it costs nobody."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl import NanGuard, NanGuardMode, config, function, grad, shared
from symdl.errors import ConfigError, InputError, NanGuardError

x, y, X = T.dvector("x"), T.dvector("y"), T.dmatrix("X")
a, b = T.dscalars("a", "b")


def message(f: Any, *values: Any) -> str:
    with pytest.raises(NanGuardError) as caught:
        f(*values)
    return str(caught.value)


# ---- who made it ----


def test_the_op_its_line_its_operand_and_its_element_are_named() -> None:
    f = function([x], T.log(x - 3).sum() * 2, nan_guard=True, name="loss", precision="plain")
    assert f([4.0, 5.0]) == pytest.approx(2 * np.log(2))
    text = message(f, [4.0, 2.5, 3.5])
    head, *parts = text.splitlines()
    assert head.startswith("loss: output is nan: made by log in log(x - 3), test_nan_guard.py:")
    assert parts[0].split("  ")[1] == "log(x - 3)"
    assert "float64[3], nan at [1]" in parts[0]
    assert "x - 3" in parts[1]
    assert "float64[3], -0.5 at [1]" in parts[1]
    assert "output" in parts[2]
    assert "The logarithm of a negative number is not a number." in text
    assert "no other way to compute it can help" in text


@pytest.mark.parametrize(
    ("build", "values", "expected"),
    [
        (lambda: T.log(x), [1.0, 0.0], "-inf at [1]: made by log in log(x)"),
        (lambda: x / (x - 2), [1.0, 2.0], "inf at [1]: made by a division in x / (x - 2)"),
        (lambda: (x - 1) / (x * 2 - 2), [2.0, 1.0], "nan at [1]: made by a division"),
        (lambda: T.sqrt(x) + 1, [1.0, -4.0], "nan at [1]: made by sqrt in sqrt(x)"),
        (lambda: T.exp(x) * 2, [1.0, 800.0], "inf at [1]: made by exp in exp(x)"),
        (lambda: T.arcsin(x), [0.5, 2.0], "nan at [1]: made by arcsin in arcsin(x)"),
        (lambda: T.concatenate([x, T.log(x)])[::-1], [1.0, -2.0], "nan at [0]: made by log in log(x)"),
        (lambda: T.exp(x).reshape((1, 2)).T @ T.ones((1, 1)), [800.0, 1.0], "inf at [0, 0]: made by exp in exp(x)"),
        (lambda: T.cumsum(T.log(x)), [1.0, -1.0], "nan at [1]: made by log in log(x)"),
    ],
)
def test_the_maker(build: Any, values: Any, expected: str) -> None:
    assert f"function: output is {expected}" in message(function([x], build(), nan_guard=True), values)


@pytest.mark.parametrize("wanted", ["results", "filters", "images"])
def test_of_a_convolution_the_number_within_the_window_is_named(wanted: str) -> None:
    a, kernel = T.dtensor4("a"), T.dtensor4("kernel")
    out = T.conv2d(a, kernel)
    build = {"results": out, "filters": grad((out**2).sum(), kernel), "images": grad((out**2).sum(), a)}[wanted]
    images = np.ones((1, 1, 4, 4))
    images[0, 0, 2, 1] = 1e308
    f = function([a, kernel], build, nan_guard=True)
    with pytest.raises(NanGuardError, match=r"1e\+308 at \[0, 0, 2, 1\]"):
        f(images, np.full((1, 1, 2, 2), 10.0))


def test_not_the_ops_that_hand_it_on() -> None:
    """A NaN far up, through a product, a softmax and a sum."""
    W = shared(np.ones((2, 3)), "W")
    f = function([X], T.softmax(T.log(X) @ W).sum(), nan_guard=True)
    text = message(f, [[1.0, 2.0], [3.0, -1.0]])
    assert "made by log in log(X)" in text
    assert "float64[2, 2], -1 at [1, 1]" in text


def test_an_infinity_that_becomes_a_nan_is_told_with_its_maker() -> None:
    f = function([x, y], T.exp(x) * T.log(y), nan_guard=True, precision="plain")
    text = message(f, [800.0], [1.0])
    assert "made by a product in exp(x) * log(y)" in text
    assert "0 * inf is not a number." in text
    assert "float64[1], inf at [0]" in text
    assert "log(y)" in text


def test_of_an_input_and_of_a_shared_value() -> None:
    W = shared(np.array([1.0, np.inf]), "W")
    f = function([x], {"scaled": x * 2, "moved": x + W}, nan_guard=True)
    assert "output 'scaled' is nan at [1]: the input x holds nan at [1]" in message(f, [1.0, np.nan])
    assert "output 'moved' is inf at [1]: the shared value W holds inf at [1]" in message(f, [1.0, 2.0])


def test_of_a_value_that_the_formula_has_but_is_lost() -> None:
    f = function([a, b], T.sqrt(a * b), nan_guard=True, precision="plain")
    text = message(f, 1e300, 1e200)
    assert "made by a product in a * b" in text
    assert "It leaves the range of float64." in text
    assert "The formula's value there is 1.0000000000000001e+250: it is lost on the way." in text
    assert 'precision="right" keeps it.' in text
    assert function([a, b], T.sqrt(a * b), nan_guard=True, precision="right")(1e300, 1e200) == pytest.approx(1e250)


def test_of_a_value_that_no_float_holds() -> None:
    text = message(function([a], T.exp(a) * 3, nan_guard=True), 1000.0)
    assert "exp leaves the range of float64 beyond 709.78." in text
    assert "which float64 cannot hold" in text


def test_float32() -> None:
    t = T.fvector("t")
    text = message(function([t], T.exp(t), nan_guard=True), np.array([100.0], "float32"))
    assert "beyond 88.72" in text
    assert "float32[1], inf at [0]" in text


def test_inside_a_loop_and_a_branch() -> None:
    start = T.dscalar("start")
    rows = symdl.scan(lambda c, h: T.log(h) + c, sequences=[x], outputs_info=[start])[0]
    f = function([x, start], rows[-1] * 2, nan_guard=True)
    text = message(f, [1.0, -5.0, 2.0], 3.0)
    assert re.search(r"output is nan: made by log in log\(.*output 0\[t-1\].*, in step 2 of scan\n", text)
    assert f"float64x2, {np.log(np.log(3) + 1) - 5:.6g}" in text
    assert "the input x holds nan at [1]" in message(f, [1.0, np.nan, 2.0], 3.0)
    g = function([a], symdl.ifelse(a > 0, T.log(a - 1), a * 2), nan_guard=True)
    assert "made by log in log(a - 1), test_nan_guard.py:" in message(g, 0.5)
    assert g(-1.0) == -2


# ---- all or nothing ----


def test_of_a_loop_whose_nodes_have_number_forms() -> None:
    """They are shown as the user wrote them, with their line: a body that stage 3 changed has neither."""
    rows = symdl.scan(lambda c, h: T.log(h) - c, sequences=[x], outputs_info=[T.ones(())])[0]
    text = message(function([x], rows[-1], nan_guard=True), [1.0, 2.0, 3.0])
    head, made, operand, *_ = text.splitlines()
    assert "made by log in log(output 0[t-1]), test_nan_guard.py:" in head
    assert re.fullmatch(r"  log\(output 0\[t-1\]\) +float64x2, nan +test_nan_guard\.py:\d+", made)
    assert re.fullmatch(r"  output 0\[t-1\] .* test_nan_guard\.py:\d+", operand)


def test_of_a_loop_in_a_loop() -> None:
    matrix = T.dmatrix("matrix")

    def last(row: Any) -> Any:
        return symdl.scan(lambda a, h: T.log(h * a), sequences=[row], outputs_info=[T.ones(())])[0][-1]

    rows = symdl.scan(last, sequences=[matrix])[0]
    head, made, *_ = message(function([matrix], rows.sum(), nan_guard=True), -np.ones((2, 3))).splitlines()
    assert "made by log in log(output 0[t-1] * matrix[t][t]), test_nan_guard.py:" in head
    assert re.search(r"test_nan_guard\.py:\d+$", made)


def test_a_call_that_fails_changes_nothing() -> None:
    W, count = shared(np.ones(2), "W"), shared(0, "count")
    step = function([x], (W * x).sum(), updates=[(W, W - T.log(x)), (count, count + 1)], nan_guard=True)
    step([1.0, np.e])
    np.testing.assert_allclose(W.get_value(), [1, 0], atol=1e-15)
    text = message(step, [1.0, -1.0])
    assert "new value of W is nan at [1]: made by log in log(x)" in text
    np.testing.assert_allclose(W.get_value(), [1, 0], atol=1e-15)
    assert count.get_value() == 1


def test_guarded_results_are_those_of_the_unguarded() -> None:
    start = np.linspace(0.1, 1, 6).reshape(2, 3)
    results = []
    for guard in (False, True, NanGuard(intermediates=True)):
        W = shared(start, "W")
        loss = T.log(1 + T.exp(X @ W)).sum()
        step = function([X], loss, updates={W: W - 0.1 * grad(loss, W)}, nan_guard=guard)
        results.append([step(np.ones((3, 2))), step(np.ones((3, 2))), W.get_value()])
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-14)


# ---- what is legal ----


def test_what_a_branch_takes_out_again_is_legal() -> None:
    safe = T.where(x > 0, T.log(x), 0.0)
    for guard in (True, NanGuard(intermediates=True)):
        np.testing.assert_array_equal(function([x], safe, nan_guard=guard)([0.0, 1.0, -3.0]), [0, 0, 0])


def test_inner_infinities_are_an_error_only_if_asked_for() -> None:
    inner = T.exp(-T.exp(x))
    assert function([x], inner, nan_guard=True)([800.0]) == [0]
    text = message(function([x], inner, nan_guard=NanGuard(intermediates=True)), [800.0])
    assert "a node is inf at [0]: made by exp in exp(x)" in text


def test_inputs_are_looked_at_only_if_asked_for() -> None:
    known = T.where(T.isnan(x), 0.0, x)
    np.testing.assert_array_equal(function([x], known, nan_guard=True)([np.nan, 2.0]), [0, 2])
    text = message(function([x], known, nan_guard=NanGuard(intermediates=True)), [np.nan, 2.0])
    assert text.startswith("function: the input x holds nan at [0]")


def test_each_kind_may_be_let_pass() -> None:
    log = [function([x], T.log(x), nan_guard=NanGuard(nan=n, inf=i)) for n, i in ((True, False), (False, True))]
    assert log[0]([0.0]) == [-np.inf]
    assert np.isnan(log[1]([-1.0])[0])
    message(log[0], [-1.0]), message(log[1], [0.0])


def test_large_numbers() -> None:
    f = function([x], x * x, nan_guard=NanGuard(big=1e10))
    assert f([1e4]) == [1e8]
    assert "output is 1e+12 at [1]: made by a product in x * x" in message(f, [1.0, -1e6])


def test_sums_that_overflow_of_numbers_that_do_not() -> None:
    """The quick look adds up: what it takes for an infinity is looked at again."""
    values = np.full(4, 1.5e308)
    np.testing.assert_array_equal(function([x], x * 1.0, nan_guard=True)(values), values)


def test_integers_bools_and_empty_arrays_pass() -> None:
    f = function([x], [x > 0, T.cast(x, "int64"), x * 2], nan_guard=True)
    assert [o.tolist() for o in f(np.zeros(0))] == [[], [], []]


# ---- how it is asked for ----


def test_by_config_and_by_flags() -> None:
    with config.change(nan_guard="results"):
        f = function([x], T.log(x))
        off = function([x], T.log(x), nan_guard=False)
    assert f.guard == NanGuard()
    assert off.guard is None
    assert function([x], x).guard is None
    message(f, [-1.0])
    with config.change(nan_guard="all"):
        assert function([x], x).guard == NanGuard(intermediates=True)
    assert symdl.config.__class__({"SYMDL_FLAGS": "nan_guard=all"}).nan_guard == "all"
    with pytest.raises(ConfigError, match="off, results, all"):
        config.nan_guard = "on"


def test_as_theano_has_it() -> None:
    f = function([x], T.log(x), mode=NanGuardMode(nan_is_error=True, inf_is_error=False, big_is_error=True))
    assert f.guard == NanGuard(nan=True, inf=False, big=1e10)
    assert f.mode == "native"
    message(f, [-1.0])
    assert f([0.0]) == [-np.inf]


def test_without_a_guard_calls_stay_machine_code() -> None:
    f, g = (function([x], x * 2, nan_guard=guard) for guard in (None, True))
    assert f.guard is None
    assert f._entry is not None
    assert g._entry is None


@pytest.mark.parametrize("mode", ["interpreter", "numpy"])
def test_in_other_modes(mode: str) -> None:
    W = shared(np.ones(1), "W")
    f = function([x], T.log(x), updates={W: W + 1}, mode=mode, nan_guard=True)
    assert "made by log in log(x)" in message(f, [-1.0])
    assert W.get_value() == [1]
    f([1.0])
    assert W.get_value() == [2]


def test_copies_and_pickles_stay_guarded() -> None:
    f = function([x], T.log(x), nan_guard=NanGuard(inf=False))
    for other in (copy.deepcopy(f), pickle.loads(pickle.dumps(f))):
        assert other.guard == NanGuard(inf=False)
        assert "made by log in log(x)" in message(other, [-1.0])


def test_what_it_does_not_take() -> None:
    with pytest.raises(InputError, match="nan_guard is the number 3"):
        function([x], x, nan_guard=3)  # type: ignore[arg-type]  # the mistake
    with pytest.raises(InputError, match="big is -1"):
        NanGuard(big=-1)


def test_the_error_is_a_floating_point_error_and_pickles() -> None:
    f = function([x], T.log(x), nan_guard=True)
    with pytest.raises(FloatingPointError) as caught:
        f([-1.0])
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_large_arrays() -> None:
    """Only what the bad element is made of is looked at again."""
    f = function([x], T.sqrt(x) * 2, nan_guard=True)
    values = np.ones(300_000)
    values[123_456] = -1
    assert "nan at [123456]: made by sqrt in sqrt(x)" in message(f, values)
