"""function in Theano's terms: updates, outputs, keyword arguments, givens, defaults, shared values of open length."""

from __future__ import annotations

import copy
import gc
import warnings
from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl import In, Out, function, shared
from symdl.errors import InputError, ShapeError, SymdlError

MODES = ["native", "interpreter", "numpy"]


def value(s: symdl.SharedVariable) -> Any:
    return s.get_value().tolist()


# ---- outputs ----


@pytest.mark.parametrize("mode", MODES)
def test_outputs_one_list_dictionary_none(mode: str) -> None:
    x = T.dvector("x")
    assert function([x], x + 1, mode=mode)([1, 2]).tolist() == [2, 3]
    assert [o.tolist() for o in function([x], [x + 1, x.sum()], mode=mode)([1, 2])] == [[2, 3], 3]
    assert [o.tolist() for o in function([x], (x,), mode=mode)([1, 2])] == [[1, 2]]
    found = function([x], {"twice": 2 * x, "first": x[0]}, mode=mode)([1, 2])
    assert {k: v.tolist() for k, v in found.items()} == {"twice": [2, 4], "first": 1}
    assert list(found) == ["twice", "first"]
    assert function([x], None, on_unused_input="ignore", mode=mode)([1]) is None
    assert function([x], [], on_unused_input="ignore", mode=mode)([1]) == []
    assert function([x], Out(x * 3, borrow=True), mode=mode)([1]).tolist() == [3]
    assert function([], 7, updates=None, givens=None, mode=mode)().tolist() == 7
    assert function([], mode=mode)() is None


def test_a_scalar_result_is_an_array_without_axes() -> None:
    x = T.dscalar("x")
    out = function([x], x * x)(3)
    assert isinstance(out, np.ndarray)
    assert (out.shape, out.dtype, float(out)) == ((), np.float64, 9.0)


@pytest.mark.parametrize("mode", MODES)
def test_outputs_are_the_callers_own(mode: str) -> None:
    x, W = T.dmatrix("x"), shared(np.ones((2, 2)), "W")
    f = function([x], [x, x.T, W, W, x[0], x], mode=mode)
    a = np.arange(4.0).reshape(2, 2)
    before = a.copy()
    outs = f(a)
    everything = [a, W.get_value(borrow=True), *outs]
    for k, one in enumerate(everything):
        assert not any(np.shares_memory(one, other) for other in everything[k + 1 :])
    for out in outs:
        out[...] = -1
    assert (a == before).all()
    assert value(W) == [[1, 1], [1, 1]]
    assert [o.tolist() for o in f(a)[:3]] == [before.tolist(), before.T.tolist(), [[1, 1], [1, 1]]]


# ---- updates ----


@pytest.mark.parametrize("mode", MODES)
def test_updates_read_old_values(mode: str) -> None:
    a, b, c = (shared(np.full(3, v), n) for v, n in ((1.0, "a"), (2.0, "b"), (3.0, "c")))
    function([], updates=[(a, b), (b, a)], mode=mode)()
    assert (value(a), value(b)) == ([2, 2, 2], [1, 1, 1])
    function([], updates={a: b, b: c, c: a}, mode=mode)()
    assert (value(a), value(b), value(c)) == ([1] * 3, [3] * 3, [2] * 3)
    out = function([], [a, a + b], updates=[(a, a + b), (b, 2 * a), (c, c)], mode=mode)()
    assert [o.tolist() for o in out] == [[1] * 3, [4] * 3]
    assert (value(a), value(b), value(c)) == ([4] * 3, [2] * 3, [2] * 3)


@pytest.mark.parametrize("mode", MODES)
def test_one_value_as_output_and_as_several_updates(mode: str) -> None:
    x = T.dvector("x")
    a, b = shared(np.zeros(2), "a"), shared(np.zeros(2), "b")
    y = T.exp(x) + a
    out = function([x], [y, y], updates=[(a, y), (b, y)], mode=mode)([0, 0])
    out[0][:] = 9
    assert (out[1].tolist(), value(a), value(b)) == ([1, 1], [1, 1], [1, 1])
    assert not np.shares_memory(a.get_value(borrow=True), b.get_value(borrow=True))


@pytest.mark.parametrize("mode", MODES)
def test_updates_to_an_input_a_constant_a_number_and_a_view(mode: str) -> None:
    x, s = T.dvector("x"), shared(np.zeros(3), "s")
    given = np.array([1.0, 2.0, 3.0])
    function([x], updates=[(s, x)], mode=mode)(given)
    assert value(s) == [1, 2, 3]
    given[:] = 0
    assert value(s) == [1, 2, 3]
    function([], updates=[(s, s[::-1])], mode=mode)()
    assert value(s) == [3, 2, 1]
    function([], updates=[(s, np.array([7.0, 8.0, 9.0]))], mode=mode)()
    assert value(s) == [7, 8, 9]
    n = shared(0, "n")
    count = function([], n, updates={n: n + 1}, mode=mode)
    assert [int(count()) for _ in range(3)] == [0, 1, 2]
    function([], updates=[(n, 40)], mode=mode)()
    assert value(n) == 40


def test_updates_take_the_dtype_of_the_shared_value_where_nothing_is_lost() -> None:
    s, i = shared(np.zeros(2), "s"), T.ivector("i")
    function([i], updates=[(s, i)])([3, 4])
    assert (s.get_value().dtype, value(s)) == (np.float64, [3, 4])


@pytest.mark.parametrize("mode", MODES)
def test_a_call_that_fails_leaves_shared_values_as_they_were(mode: str) -> None:
    x, i = T.dvector("x"), T.lvector("i")
    s, n = shared(np.zeros(3), "s"), shared(0, "n")
    f = function([x, i], x[i], updates=[(s, s + x), (n, n + 1)], mode=mode)
    f([1, 2, 3], [0])
    for bad in (([1, 2], [0]), ([1, 2, 3], [7]), (["a"], [0]), ([1, 2, 3],)):
        with pytest.raises(SymdlError):
            f(*bad)
    assert (value(s), value(n)) == ([1, 2, 3], 1)


def test_minibatches_by_givens_and_a_short_last_one() -> None:
    """The classic training loop: the data is shared, a call passes the number of the batch."""
    data = shared(np.arange(14.0).reshape(7, 2), "data")
    labels = shared(np.arange(7), "labels")
    x, y, i = T.dmatrix("x"), T.lvector("y"), T.lscalar("i")
    b = 3
    total = shared(0.0, "total")
    cost = (x.sum(axis=1) * y).sum()
    f = function(
        [i], [cost, x.shape[0]], updates=[(total, total + cost)],
        givens={x: data[i * b : (i + 1) * b], y: labels[i * b : (i + 1) * b]},
    )  # fmt: skip
    rows = np.arange(14.0).reshape(7, 2).sum(axis=1) * np.arange(7)
    found = [f(k) for k in range(3)]
    assert [float(c) for c, _ in found] == [rows[:3].sum(), rows[3:6].sum(), rows[6:].sum()]
    assert [int(n) for _, n in found] == [3, 3, 1]
    assert value(total) == rows.sum()
    with pytest.raises(SymdlError):
        f("one")


def test_givens_for_variables_for_shared_values_and_as_pairs() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    W, average = shared(np.ones(2), "W"), shared(np.full(2, 5.0), "average")
    assert function([y], x * 2, givens=[(x, y + 1)])([1, 2]).tolist() == [4, 6]
    assert function([y], W * y, givens={W: average})([1, 2]).tolist() == [5, 10]
    assert function([], x + y, givens={x: np.array([1.0, 2.0]), y: W})().tolist() == [2, 3]
    swapped = function([x, y], x - 2 * y, givens={x: y, y: x})
    assert swapped([1, 1], [5, 5]).tolist() == [3, 3]


def test_a_given_must_have_the_extent_that_its_variable_states() -> None:
    x, y = T.tensor("x", "float64", shape=(None, 3)), T.dmatrix("y")
    f = function([y], x.sum(axis=1), givens={x: y})
    assert f(np.ones((2, 3))).tolist() == [3, 3]
    with pytest.raises(ShapeError):
        f(np.ones((2, 4)))


# ---- default updates ----


def test_default_updates() -> None:
    seed = shared(1, "seed")
    seed.default_update = seed * 3
    draw = function([], seed + 0)
    assert [int(draw()) for _ in range(3)] == [1, 3, 9]
    assert int(function([], seed + 0, no_default_updates=True)()) == 27
    assert int(function([], seed + 0, no_default_updates=[seed])()) == 27
    assert value(seed) == 27
    function([], seed + 0, updates=[(seed, seed + 1)])()
    assert value(seed) == 28


def test_a_default_update_may_bring_in_another() -> None:
    step, seed = shared(1, "step"), shared(0, "seed")
    step.default_update = step * 2
    seed.default_update = seed + step
    draw = function([], seed + 0)
    assert [int(draw()) for _ in range(4)] == [0, 1, 3, 7]


# ---- inputs ----


def test_inputs_by_name_by_default_and_both() -> None:
    x, y = T.dscalar("x"), T.dscalar("y")
    f = function([x, In(y, value=10.0)], x - y)
    assert [float(v) for v in (f(1), f(1, 2), f(1, y=2), f(y=2, x=1), f(x=1))] == [-9, -1, -1, -1, -9]
    g = function([In(x, name="first"), y], x - y)
    assert float(g(first=5, y=1)) == 4
    with pytest.raises(InputError):
        g(x=5, y=1)
    with pytest.raises(InputError):
        f(1, x=1)


def test_two_inputs_of_one_name_cannot_be_passed_by_it() -> None:
    x, other = T.dscalar("x"), T.dscalar("x")
    f = function([x, other], x - other)
    assert float(f(3, 1)) == 2
    with pytest.raises(InputError, match="several inputs are named 'x'"):
        f(3, x=1)


@pytest.mark.parametrize("mode", MODES)
def test_an_input_with_an_update_keeps_its_value(mode: str) -> None:
    """Theano's accumulator: In(state, value=0, update=state + inc)."""
    inc, state = T.lscalar("inc"), T.lscalar("state")
    f = function([inc, In(state, value=0, update=state + inc)], state, mode=mode)
    assert [int(f(k)) for k in (1, 10, 100)] == [0, 1, 11]
    assert int(f["state"]) == 111
    f["state"] = 5
    assert int(f(1)) == 5
    assert int(f(1, 50)) == 50  # given for this call, updated from there
    assert int(f["state"]) == 51
    with pytest.raises(SymdlError):
        f("a", 7)
    assert int(f[state]) == 51
    other = function([inc, In(state, value=0, update=state + inc)], state, mode=mode)
    assert int(other(1)) == 0


def test_an_input_with_an_update_may_change_its_length() -> None:
    x, seen = T.dvector("x"), T.dvector("seen")
    f = function([x, In(seen, value=[], update=T.concatenate([seen, x]))], seen)
    assert [f([k]).tolist() for k in (1, 2, 3)] == [[], [1], [1, 2]]


def test_unused_inputs_raise_warn_or_pass() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    with pytest.raises(InputError, match="y is not used"):
        function([x, y], x)
    assert function([x, y], x, on_unused_input="ignore")([1], [2]).tolist() == [1]
    with pytest.warns(UserWarning, match="y is not used") as seen:
        function([x, y], x, on_unused_input="warn")
    assert [w.filename for w in seen] == [__file__]
    with symdl.config.change(on_unused_input="ignore"):
        function([x, y], x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        n, m = T.lscalar("n"), T.dmatrix("m")
        assert function([n, m], T.zeros((n, m.shape[1])))(2, np.ones((0, 3))).tolist() == [[0] * 3] * 2


def test_a_warning_about_a_gradient_points_at_the_users_line_too() -> None:
    x, y = T.dscalar("x"), T.dscalar("y")
    with pytest.warns(UserWarning, match="does not depend on y") as seen:
        assert float(function([], symdl.grad(x * x, y, disconnected_inputs="warn"), givens={y: 1.0})()) == 0
    assert [w.filename for w in seen] == [__file__]


def test_names_of_modes() -> None:
    x = T.dvector("x")
    for mode in (None, "FAST_RUN", "FAST_COMPILE", *MODES):
        assert function([x], x * 2, mode=mode)([1, 2]).tolist() == [2, 4]
    with pytest.raises(InputError, match="no mode 'fast'"):
        function([x], x, mode="fast")


# ---- shared values of open length ----


@pytest.mark.parametrize("mode", MODES)
def test_updates_that_change_the_length(mode: str) -> None:
    x = T.dvector("x")
    seen, n = shared(np.zeros(0), "seen", shape=(None,)), shared(0, "n")
    f = function([x], [seen, n], updates=[(seen, T.concatenate([seen, x])), (n, n + x.shape[0])], mode=mode)
    assert [v.tolist() for v in f([1, 2])] == [[], 0]
    assert [v.tolist() for v in f([3])] == [[1, 2], 2]
    assert (value(seen), value(n)) == ([1, 2, 3], 3)
    function([], updates=[(seen, seen[1:])], mode=mode)()
    function([], updates=[(seen, seen * 10)], mode=mode)()  # the same length: in place
    assert value(seen) == [20, 30]
    seen.set_value(np.ones(4))
    assert [v.tolist() for v in f([3])] == [[1, 1, 1, 1], 3]


@pytest.mark.parametrize("mode", MODES)
def test_open_lengths_may_be_swapped(mode: str) -> None:
    a, b = shared(np.ones(1), "a", shape=(None,)), shared(np.full(3, 3.0), "b", shape=(None,))
    swap = function([], [a.sum(), b.sum()], updates=[(a, b), (b, a)], mode=mode)
    assert [float(v) for v in swap()] == [1, 9]
    assert [float(v) for v in swap()] == [9, 1]
    assert (value(a), value(b)) == ([1], [3, 3, 3])


def test_an_update_of_open_length_must_have_the_fixed_ones() -> None:
    rows, x = shared(np.zeros((0, 3)), "rows", shape=(None, 3)), T.dmatrix("x")
    f = function([x], updates=[(rows, T.concatenate([rows, x]))])
    f(np.ones((2, 3)))
    with pytest.raises(ShapeError):
        f(np.ones((2, 4)))
    with pytest.raises(ShapeError):
        rows.set_value(np.ones((2, 4)))
    assert rows.get_value().shape == (2, 3)


# ---- the rest of the surface ----


def test_a_borrowed_array_that_is_updated_is_no_trap() -> None:
    """f(W.get_value(borrow=True)) would overwrite its own input."""
    W, x = shared(np.arange(4.0), "W"), T.dvector("x")
    f = function([x], x * 1, updates=[(W, W + x[::-1])])
    assert f(W.get_value(borrow=True)).tolist() == [0, 1, 2, 3]
    assert value(W) == [3, 3, 3, 3]
    one = np.arange(4.0)
    a, b = shared(one, "a", borrow=True), shared(one, "b", borrow=True)
    function([], updates=[(a, a + b[::-1])])()
    assert (value(a), value(b)) == ([3, 3, 3, 3], [0, 1, 2, 3])


def test_eval() -> None:
    x, y = T.dvector("x"), T.dscalar("y")
    assert (x * y).eval({x: [1, 2], y: 3}).tolist() == [3, 6]
    assert (x * y).eval({x: [1, 2, 3], y: 3}).tolist() == [3, 6, 9]
    assert (shared(2.0, "s") + 1).eval().tolist() == 3
    with pytest.raises(InputError):
        (x * y).eval({x: [1]})


def test_copies() -> None:
    n = shared(0, "n")
    f = function([], n, updates={n: n + 1})
    f()
    own, same = copy.deepcopy(f), copy.copy(f)
    assert [int(v) for v in (own(), own(), f(), same(), own())] == [1, 2, 1, 2, 3]


def test_what_a_function_says_of_itself() -> None:
    x, W = T.dvector("x"), shared(np.zeros(2), "W")
    f = function([x], x + W, updates={W: W + 1}, name="step")
    assert repr(f) == "<symdl function step(x), 1 outputs, 1 updates>"
    assert f.get_shared() == [W]
    assert "kernel" in f.source("program")
    assert "define" in f.source("llvm")
    with pytest.raises(InputError):
        f.source("c")


def test_functions_in_garbage_cycles_are_collected_safely() -> None:
    x = T.dvector("x")
    for k in range(10):
        cycle: list[Any] = [function([x], x * k)]
        cycle.append(cycle)
        del cycle
        gc.collect()
