"""The native way into functions: what machine code takes by itself, what it leaves to Python, and that nothing leaks."""

from __future__ import annotations

import gc
import pickle
import re
import sys
import threading
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symdl.tensor as T
from symdl import Function, In, function, shared
from symdl.backends.cpu.assembler import Machine
from symdl.backends.entry import tables as words
from symdl.backends.entry.objects import layouts_hold
from symdl.backends.entry.text import entry_text
from symdl.backends.llvm.chunks import cost
from symdl.backends.llvm.measures import COPIED, MOST, MOST_TERMS, ROUND, work
from symdl.backends.pool import WORTH
from symdl.errors import IndexRangeError, InputError, SymdlError
from symdl.functions import OWN_TURNS
from symdl.ir.loops import Const, For, Stmt, Store, View
from symdl.ir.program import Binding, Buffer, Call, Kernel, Loop, Program
from symdl.runtime.runs import native
from symdl.runtime.storage import SharedVariable
from symdl.types import Symbol, replace_symbols, symbol

DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"]
NUMBERS: list[Any] = [
    True, False, 0, 1, -1, 2, 127, 128, -128, -129, 255, 256, 2**15, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1,
    -(2**63), 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**30, 0.0, -0.0, 0.1, 1.5, 3.4e38, 3.5e38, 1e-46, 1e300,
    float("inf"), -float("inf"), float("nan"), *(np.dtype(d).type(1) for d in DTYPES), np.longlong(1), 1j, None, "1",
]  # fmt: skip


def natively(f: Function, *args: Any) -> Any:
    """The outputs by machine code alone; NotImplemented where it needs Python."""
    assert f._entry is not None
    return f._entry(*args)


def takes(f: Function, *args: Any) -> bool:
    return natively(f, *args) is not NotImplemented


def result(call: Callable[..., Any], *args: Any) -> Any:
    """What a call gives, bit for bit, or the class and text of its error."""
    try:
        out = call(*args)
    except SymdlError as error:
        return type(error), str(error)
    return out.dtype, out.shape, out.tobytes()


@pytest.fixture(scope="module")
def plus_one() -> Function:
    x = T.dvector("x")
    return function([x], x + 1)


# ---- what is taken ----


def test_objects_lie_as_machine_code_takes_them() -> None:
    """Without this every call would go through Python, and only be slow."""
    assert layouts_hold()
    assert native().entry_code.usable


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_give_the_same_natively_and_through_python(dtype: str) -> None:
    x = T.tensor("x", dtype, shape=())
    f, slow = function([x], x, name="f"), function([x], x, name="f", mode="numpy")
    for value in NUMBERS:
        assert result(f, value) == result(slow, value), value
    own = np.dtype(dtype).type
    assert takes(f, own(1))
    assert takes(f, np.array(1, dtype))
    assert takes(f, True)
    assert takes(f, 1)
    assert takes(f, 1.0) is (dtype[0] == "f")
    assert not takes(f, np.longlong(1))
    for bad in ("1", None, [1], object()):
        assert not takes(f, bad)


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_of_every_dtype(dtype: str) -> None:
    x = T.tensor("x", dtype, shape=(None, None))
    f = function([x], [x, x[:, 0]])
    a = np.arange(6).reshape(2, 3).astype(dtype)
    assert takes(f, a)
    for out, expected in zip(f(a), (a, a[:, 0]), strict=True):
        assert (out.dtype, out.tolist()) == (a.dtype, expected.tolist())


def test_what_python_must_bring_to_form_first(plus_one: Function) -> None:
    class Own(np.ndarray):
        pass

    a = np.arange(4.0)
    unaligned = np.frombuffer(b"\0" + a.tobytes(), np.uint8)[1:].view("f8")
    read_only = a.copy()
    read_only.flags.writeable = False
    for good in (
        a,
        read_only,
        a[1:],
        a[:0],
        pickle.loads(pickle.dumps(a)),
        a.view(np.dtype("f8", metadata={"unit": "m"})),
    ):
        assert takes(plus_one, good)
        assert plus_one(good).tolist() == (good + 1).tolist()
    for other in (a[::2], a[::-1], a.astype(">f8"), unaligned, a.view(Own), a.astype("f4"), [1.0, 2.0], range(3)):
        assert not takes(plus_one, other)
        assert plus_one(other).tolist() == (np.array(other, "f8") + 1).tolist()
    for wrong in (np.zeros((1, 1)), 1.0, np.float64(1)):
        assert not takes(plus_one, wrong)
        with pytest.raises(SymdlError):
            plus_one(wrong)


def test_arrays_and_numbers_in_any_order() -> None:
    """Arrays that stand one after another are looked at in one loop: numbers between them, what is left out, and an array
    that is not as the others anywhere among them, must end it at the right place."""
    kinds = "vvsvmsmvv"  # vectors, numbers, matrices
    made = {"v": T.dvector, "s": T.dscalar, "m": T.dmatrix}
    xs = [made[kind](f"x{k}") for k, kind in enumerate(kinds)]
    last = np.arange(3.0)
    w = shared(np.zeros(3))
    parts = [T.sum(x) * 10.0**k for k, x in enumerate(xs)]
    f = function([*xs[:-1], In(xs[-1], value=last)], sum(parts[1:], parts[0]), updates=[(w, w + xs[0])])

    def given(k: int) -> Any:
        return {"v": np.full(3, 1.0 + k), "s": 1.0 + k, "m": np.full((2, 2), 1.0 + k)}[kinds[k]]

    values = [given(k) for k in range(len(kinds))]
    exact = sum(np.sum(v) * 10.0**k for k, v in enumerate(values))
    assert natively(f, *values) == pytest.approx(exact, rel=1e-15)
    short = exact + (3.0 - 3.0 * len(kinds)) * 10.0 ** (len(kinds) - 1)
    assert f(*values[:-1]) == pytest.approx(short, rel=1e-15)
    assert w.get_value().tolist() == [2.0] * 3
    for k, kind in enumerate(kinds):
        as_good = [
            np.array(values[k]),
            pickle.loads(pickle.dumps(np.array(values[k]))),
        ]  # whose dtype is another object
        for one in as_good:
            assert natively(f, *values[:k], one, *values[k + 1 :]) == pytest.approx(exact, rel=1e-15)
        spoiled = [np.zeros((2, 2, 2)), np.array(values[k], ">f8"), np.array(values[k], "f4"), "1", None]
        spoiled += [] if kind == "s" else [np.repeat(values[k], 2, axis=0)[::2], 1.0]
        for one in spoiled:
            before = w.get_value()
            assert not takes(f, *values[:k], one, *values[k + 1 :])
            assert w.get_value().tolist() == before.tolist()


def test_what_python_has_brought_to_form_is_run_natively(plus_one: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Function, "_run", None)
    for value in ([1.0, 2.0], np.arange(4.0)[::2], np.ones(2, ">f8"), np.ones(2, "f4")):
        assert plus_one(value).shape == (2,)
    assert plus_one(x=np.ones(2)).shape == (2,)


def test_defaults_and_inputs_with_an_update(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, state, z = T.dscalar("x"), T.dscalar("y"), T.lscalar("state"), T.dscalar("z")
    f = function([x, In(y, value=10.0), In(state, value=0, update=state + 1), In(z, value=1)], x - y + 100 * state * z)
    assert [float(f(1, 2, z=3)), float(f(1, 2, 7, 3))] == [-1, 2099]
    monkeypatch.delattr(Function, "_general")
    assert [float(v) for v in (f(1), f(1, 2))] == [791, 899]
    for args, names in (((), {}), ((1, 2, 3), {}), ((1,), {"y": 2})):
        with pytest.raises(AttributeError):
            f(*args, **names)


def test_strict_inputs_take_no_python_number() -> None:
    x = T.dscalar("x")
    f = function([In(x, strict=True)], x)
    assert takes(f, np.float64(1))
    assert takes(f, np.array(1.0))
    assert not takes(f, 1.0)
    assert not takes(f, 1)


def test_outputs_in_every_form() -> None:
    x = T.dvector("x")
    a = np.ones(2)
    assert natively(function([x], None, on_unused_input="ignore"), a) is None
    assert natively(function([x], [], on_unused_input="ignore"), a) == []
    one, two = natively(function([x], [x, x * 2]), a)
    assert (one.tolist(), two.tolist(), one.base, one.flags.owndata, one.flags.writeable) == (
        [1, 1],
        [2, 2],
        None,
        True,
        True,
    )
    found = natively(function([x], {"a": x, 2: x.sum()}), a)
    assert list(found) == ["a", 2]
    assert natively(function([], {}), *()) == {}


def test_many_inputs_outputs_and_constants() -> None:
    xs = [T.dvector(f"x{k}") for k in range(40)]
    c = np.arange(3.0)
    f = function(xs, [x * (k + c) for k, x in enumerate(xs)])
    outs = natively(f, *(np.full(3, float(k)) for k in range(40)))
    assert [o.tolist() for o in outs] == [(k * (k + c)).tolist() for k in range(40)]


def test_tables_too_large_for_the_stack_go_through_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "MOST_SCRATCH", 0)
    x = T.dvector("x")
    f = function([x], x + 1)
    assert f._entry is None
    assert f(np.ones(2)).tolist() == [2, 2]


def test_inputs_are_not_changed_and_outputs_are_new(plus_one: Function) -> None:
    a = np.arange(3.0)
    first, second = plus_one(a), plus_one(a)
    first[:] = 9
    assert (a.tolist(), second.tolist()) == ([0, 1, 2], [1, 2, 3])
    assert not np.shares_memory(first, second)


# ---- shared values ----


def test_the_array_that_is_there_now_is_used() -> None:
    s = shared(np.zeros(2), "s")
    f, g = function([], s * 2), function([], updates=[(s, s + 1)])
    for value in ([1.0, 2.0], [5.0, 6.0]):
        s.set_value(value)
        assert natively(f).tolist() == (2 * np.array(value)).tolist()
        assert natively(g) is None
        assert s.get_value().tolist() == (np.array(value) + 1).tolist()


def test_values_in_use_are_left_to_python() -> None:
    s = shared(np.zeros(2), "s")
    read, write = function([], s * 2), function([], updates=[(s, s + 1)])
    s.claims.everyone.add(None)  # type: ignore[arg-type]  # a reader
    assert (takes(read), takes(write)) == (True, False)
    s.claims.writers.add(None)  # type: ignore[arg-type]
    assert (takes(read), takes(write)) == (False, False)
    s.claims.everyone.clear()
    s.claims.writers.clear()
    assert (takes(read), takes(write)) == (True, True)
    assert s.get_value().tolist() == [1, 1]


def test_an_updated_array_that_is_known_outside() -> None:
    """Only where it really is an input or another shared value must Python copy."""
    W, V, x = shared(np.arange(4.0), "W"), shared(np.arange(4.0), "V"), T.dvector("x")
    f = function([x], x * 1, updates=[(W, W + x[::-1] + V)])
    known = W.get_value(borrow=True)
    assert takes(f, np.zeros(4))
    memory = np.arange(8.0)
    W.set_value(memory[:4], borrow=True)
    assert W.get_value(borrow=True).base is memory
    assert takes(f, memory[4:])
    assert not takes(f, memory[:4])
    assert not takes(f, memory[3:7])
    V.set_value(memory[4:], borrow=True)
    assert takes(f, known)
    V.set_value(memory[2:6], borrow=True)
    assert not takes(f, known)


def test_a_borrowed_array_in_another_form_is_not_touched() -> None:
    s = shared(np.zeros((2, 2)), "s")
    f = function([], updates=[(s, s + 1)])
    own = s.get_value(borrow=True)
    own.flags.writeable = False
    assert not takes(f)
    own.flags.writeable = True
    assert takes(f)


def long_update(n: int = 300_000) -> tuple[Function, SharedVariable, np.ndarray[Any, Any]]:
    x, s = T.dvector("x"), shared(np.zeros(n), "s")
    y = x
    for _ in range(30):
        y = T.sin(y)
    return function([x], y.sum(), updates=[(s, s + 0 * y + 1)]), s, np.ones(n)


def test_a_long_call_holds_its_values_and_lets_other_threads_run() -> None:
    f, s, x = long_update()
    seen: list[int] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.extend(turn.thread for turn in tuple(s.claims.writers & s.claims.everyone))

    def call() -> None:
        """Until the watcher has had the time to look while this thread is inside."""
        for _ in range(1000):
            f(x)
            calls.append(threading.get_ident())
            if threading.get_ident() in seen:
                break

    calls: list[int] = []
    watcher = threading.Thread(target=watch)
    watcher.start()
    call()
    inside = threading.Thread(target=call)
    inside.start()
    inside.join()
    stop.set()
    watcher.join()
    assert set(seen) == {threading.get_ident(), inside.ident}
    assert not s.claims.everyone
    assert not s.claims.writers
    assert set(s.get_value().tolist()) == {len(calls)}


def test_more_long_calls_at_once_than_turns_of_their_own() -> None:
    f, s, x = long_update(20_000)
    read = function([], [s.min(), s.max()])
    count, bad = 2 * OWN_TURNS, []

    def work() -> None:
        for _ in range(5):
            f(x)
            low, high = read()
            if low != high:
                bad.append((low, high))

    threads = [threading.Thread(target=work) for _ in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not bad
    assert set(s.get_value().tolist()) == {5 * count}
    assert not s.claims.everyone


def test_short_calls_beside_long_ones_of_the_same_values() -> None:
    f, s, x = long_update(50_000)
    short = function([], updates=[(s, s + 1)])
    ends = function([], [s[0], s[-1]])
    stop = threading.Event()
    odd = []

    def beside() -> None:
        while not stop.is_set():
            short()
            a, b = ends()
            if a != b:
                odd.append((a, b))

    other = threading.Thread(target=beside)
    other.start()
    for _ in range(20):
        f(x)
    stop.set()
    other.join()
    assert not odd
    assert np.unique(s.get_value()).size == 1


# ---- errors ----


def test_a_check_in_a_kernel_is_told_by_python() -> None:
    x, i, s = T.dvector("x"), T.lvector("i"), shared(np.zeros(2), "s")
    f = function([x, i], x[i], updates=[(s, s + 1)])
    a, good, bad = np.arange(3.0), np.array([0, 2]), np.array([0, 7])
    gc.collect()  # what other tests have left is not to be freed meanwhile
    before = [sys.getrefcount(v) for v in (a, bad, np.dtype("f8"))]
    for _ in range(100):
        assert not takes(f, a, bad)
        with pytest.raises(IndexRangeError, match="index 7 lies outside the 3 entries"):
            f(a, bad)
    gc.collect()
    assert s.get_value().tolist() == [0, 0]
    assert [sys.getrefcount(v) for v in (a, bad, np.dtype("f8"))] == before
    assert f(a, good).tolist() == [0, 2]


def test_sizes_that_do_not_fit() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    f = function([x, y], x + y)
    assert not takes(f, np.ones(2), np.ones(3))
    with pytest.raises(SymdlError):
        f(np.ones(2), np.ones(3))


def test_no_memory_for_an_output_changes_nothing() -> None:
    n, s = T.lscalar("n"), shared(np.zeros(2), "s")
    f = function([n], [s * 2, T.zeros((n,))], updates=[(s, s + 1)])
    with pytest.raises(MemoryError):
        f(1 << 50)
    assert s.get_value().tolist() == [0, 0]
    assert len(f(3)[1]) == 3
    assert s.get_value().tolist() == [1, 1]


def test_a_key_that_cannot_be_hashed_any_more() -> None:
    class Key:
        good = True

        def __hash__(self) -> int:
            if not self.good:
                raise ValueError("no hash")
            return 1

    key, x = Key(), T.dvector("x")
    f = function([x], {"a": x, key: x * 2})
    assert len(f(np.ones(2))) == 2
    key.good = False
    with pytest.raises(ValueError, match="no hash"):
        f(np.ones(2))


def test_calls_that_no_function_takes(plus_one: Function) -> None:
    for args in ((), (np.ones(2), np.ones(2))):
        with pytest.raises(InputError):
            plus_one(*args)
    with pytest.raises(InputError, match="no input named"):
        plus_one(y=np.ones(2))
    assert natively(plus_one) is NotImplemented


# ---- the text and the measures ----


def test_the_memory_of_a_large_output_is_used_again_when_nobody_holds_it() -> None:
    x = T.fvector("x")
    f = function([x], x + 1)
    size = words.LARGE_OUTPUT // 4 + 5
    array = np.arange(size, dtype=np.float32)
    held = [f(array) for _ in range(3)]
    assert len({one.ctypes.data for one in held}) == 3
    assert all(one.flags.writeable and one.flags.c_contiguous for one in held)
    part, place = held[2][7:9], held[2].ctypes.data
    held.pop()  # the part still holds it
    assert f(array).ctypes.data != place
    np.testing.assert_array_equal(part, [8, 9])
    del held, part
    place = f(array).ctypes.data
    assert f(array).ctypes.data == place
    for step in range(3):  # a result that is the next argument
        array = f(array)
        np.testing.assert_array_equal(array[[0, -1]], np.array([step + 1, size + step], np.float32))
    assert f(array[:10]).base is None  # a small one is its own


@pytest.mark.skipif(words.FREE_THREADED, reason="no output is used again there")
def test_a_small_output_is_used_again_when_nobody_has_it() -> None:
    x = T.dmatrix("x")
    f = function([x], [x + 1, x.sum()])
    a = np.arange(6.0).reshape(2, 3)
    first, total = f(a)
    places = id(first), id(total)
    del first, total
    first, total = f(2 * a)
    assert (id(first), id(total)) == places
    assert (total.shape, total.item(), total.flags.owndata, first.flags.owndata) == ((), 30.0, True, True)
    kept = [f(k * a)[0] for k in range(4)]  # whoever has one keeps it
    assert len({id(one) for one in (first, *kept)}) == 5
    for k, one in enumerate(kept):
        np.testing.assert_array_equal(one, k * a + 1)
    np.testing.assert_array_equal(first, 2 * a + 1)


HOLDERS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {  # what is made of an output, and what that shows
    "view": (lambda out: out[1:], np.asarray), "transposed": (lambda out: out.T, lambda held: held.T),
    "memoryview": (memoryview, np.asarray), "rows": (iter, lambda rows: np.array(list(rows))),
    "dlpack": (np.from_dlpack, np.asarray), "weakly": (weakref.ref, lambda held: held()),
}  # fmt: skip


@pytest.mark.parametrize("how", HOLDERS)
def test_who_sees_a_small_output_in_any_way_sees_no_other(how: str) -> None:
    hold, seen = HOLDERS[how]
    x = T.dmatrix("x")
    f = function([x], x + 1)
    a = np.arange(6.0).reshape(2, 3)
    out = f(a)
    number, holder = id(out), hold(out)
    del out
    new = f(-a)
    assert id(new) != number
    np.testing.assert_array_equal(new, 1 - a)
    if how == "weakly":
        assert seen(holder) is None  # gone when the call put another in its place
    else:
        np.testing.assert_array_equal(seen(holder), (a + 1)[1:] if how == "view" else a + 1)


@pytest.mark.parametrize("change", [{"shape": (3, 2)}, {"dtype": np.dtype("i8")}, {"shape": (6,)}, {}, None])
def test_a_small_output_that_was_changed_is_not_given_again(change: dict[str, Any] | None) -> None:
    """Into another shape or dtype, one that cannot be written, or a larger one."""
    x = T.dmatrix("x")
    f = function([x], x + 1)
    out = f(np.zeros((2, 3)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # some of these ways are to go
        for name, value in (change or {}).items():
            setattr(out, name, value)
        if change is None:
            out.resize((7, 3), refcheck=False)
    out.flags.writeable = bool(change) or change is None
    del out
    new = f(np.ones((2, 3)))
    assert (new.dtype, new.strides, new.tolist()) == (np.dtype("f8"), (24, 8), [[2.0] * 3] * 2)
    assert new.flags.writeable
    assert new.flags.owndata


def test_an_output_outlives_its_function() -> None:
    x = T.dvector("x")
    f = function([x], x + 1)
    out, other = f(np.ones(3)), f(np.zeros(3))
    del f
    gc.collect()
    np.testing.assert_array_equal([out, other], [[2] * 3, [1] * 3])


@pytest.mark.parametrize("small", [False, True])
def test_the_text_is_the_same_everywhere_and_holds_no_address(small: bool) -> None:
    machine = Machine()
    text = entry_text(machine.triple, machine.layout, small)
    assert text == entry_text(machine.triple, machine.layout, small)
    known = (1 << 63) - 1, words.KEPT_ARENA, words.LARGE_OUTPUT, words.MOST_OUTPUT
    assert {int(number) for number in re.findall(r"\b\d{8,}\b", text)} <= set(known)
    assert "inttoptr (" not in text
    left = re.findall(r"\b[A-Z][A-Z_0-9]{2,}\b", re.sub(r"(;|target ).*", "", text))
    assert left == []
    tables = (words.API, words.TABLE, words.TURN)
    names = [n for table in tables for n in table]
    assert len(set(names)) == len(names)  # a name means one place


def test_the_work_of_a_run() -> None:
    n, m, t = symbol("n"), symbol("m"), Symbol("t")
    size = symbol("n"), symbol("m")

    def array(name: str, *shape: Any, kind: Any = "input") -> Buffer:
        return Buffer(name, "float64", shape, kind)

    def view(name: str, *shape: Any, dtype: str = "float64") -> View:
        return View(name, dtype, shape, (0,) * len(shape), 0)

    def loop(*extents: Any) -> tuple[Stmt, ...]:
        body: tuple[Stmt, ...] = (Store(view("y"), (), Const(0.0, "float64")),)
        for k, e in enumerate(reversed(extents)):
            body = (For(Symbol(f"i{k}"), e, body),)
        return body

    def of(*steps: Any) -> Any:
        bindings = (Binding(Symbol("n"), "x", 0), Binding(Symbol("m"), "x", 1))
        return work(
            Program({b.name: b for b in (array("x", *size), array("y", n, kind="output"))}, bindings, (), steps)
        )

    assert of() == 0
    assert of(Kernel(loop(n, m)), Kernel(loop(3))) == cost(loop(n, m)) + cost(loop(3))
    assert of(Call("matmul", (view("a", n, 5), view("b", 5, m), view("c", n, m)))) == n * m * 5
    assert of(Call("copy", (view("a", n), view("c", n)))) == n * COPIED
    scan = Loop(t, m, (Kernel(loop(symbol("t"), n)),))
    assert of(scan) == m * (replace_symbols(cost(loop(symbol("t"), n)), {t: m}) + ROUND)
    many = [Kernel(loop(symbol(f"s{k}"))) for k in range(MOST_TERMS + 1)]
    assert of(*many) == MOST


def test_only_runs_without_the_lock_use_threads() -> None:
    """A short run goes on under the interpreter's lock without having taken its turn: no Python code may come between,
    and the pool starts threads in Python."""
    assert words.LONG < WORTH
