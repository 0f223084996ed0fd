"""Machine code at run time: interrupts, threads, loading again, and how much text is written."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from llvm_programs import CPU, T, apply, at, bind, buffer, copies, i, j, k, loop, m, n, program, v
from work import superlinear

from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.interface import Interface
from symdl.backends.interpreter.backend import interpret
from symdl.backends.llvm import emit
from symdl.backends.llvm.chunks import cost, weight
from symdl.backends.llvm.kernels import signature
from symdl.ir.loops import Apply, Const, For, Load, Local, Ref, Store, Value, contiguous
from symdl.ir.program import Kernel, Loop, Program, Step
from symdl.pipeline.compilation import Graph, lowered
from symdl.tensor import exp, log, sqrt, vector
from symdl.types import Symbol, symbol


def slow_program() -> Program:
    """n rounds of 2**16 elements, then a write to w."""
    body = Store(v("a", 1 << 16), (i,), apply("add", at(v("a", 1 << 16), i), Const(1.0, "float64")))
    return program(
        [buffer("x", "input", n), buffer("a", "temp", 1 << 16), buffer("w", "shared", 1), buffer("o", "output")],
        Kernel((loop(i, 1 << 16, Store(v("a", 1 << 16), (i,), Const(0.0, "float64"))),)),
        Loop(T, n, (Kernel((loop(i, 1 << 16, body),)),)),
        Kernel((Store(v("o"), (), at(v("a", 1 << 16), 0)), Store(v("w", 1), (0,), at(v("a", 1 << 16), 1)))),
    )


class Stop(BaseException):
    pass


def test_a_signal_handler_interrupts_a_run() -> None:
    def handler(*_: object) -> None:
        raise Stop

    made = slow_program()
    w = np.zeros(1)
    executable, bound = bind(made, x=np.zeros(0), w=w)
    assert executable.execute(bound)[1][0] == 0.0
    endless = executable.bind([np.broadcast_to(np.zeros(1), 3_000_000).copy()], [w])

    def run() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        executable.execute(endless)

    before = signal.signal(signal.SIGALRM, handler)
    start = time.perf_counter()
    try:
        with pytest.raises(Stop):
            run()
        assert time.perf_counter() - start < 20  # the whole run would take minutes
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert w[0] == 0.0
    assert executable.execute(executable.bind([np.zeros(3)], [w]))[1][0] == 3.0  # and it can be called again


def test_no_poll_follows_a_write_to_a_shared_value() -> None:
    grow = Kernel((loop(i, n, Store(v("w", n), (i,), apply("add", at(v("w", n), i), Const(1.0, "float64")))),))
    quiet = program(
        [buffer("w", "shared", n), buffer("o", "output", n)], Loop(T, n, (grow,)), grow, copies(v("w", n), v("o", n))
    )
    text = emit(quiet, CPU.machine.target())
    assert "@visit" not in text
    assert "@visit" in emit(slow_program(), CPU.machine.target())


def test_two_threads_run_at_once() -> None:
    executable = CPU.compile(slow_program())
    results: list[list[float]] = [[], []]

    def work(which: int) -> None:
        w = np.zeros(1)
        for rounds in range(20):
            status, (o,) = executable.execute(executable.bind([np.zeros(rounds + which)], [w]))
            assert status == 0
            results[which].append(float(o))

    threads = [threading.Thread(target=work, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[float(r + which) for r in range(20)] for which in range(2)]


def test_code_can_be_loaded_again() -> None:
    earlier = CPU.compile(slow_program())
    kept = json.dumps(earlier.interface.plain())
    executable = CpuBackend().load(Interface.from_plain(json.loads(kept)), earlier.code)
    assert executable.execute(executable.bind([np.zeros(4)], [np.zeros(1)]))[1][0] == 4.0
    assert "cpu" in CPU.fingerprint()


def test_text_is_deterministic_and_readable() -> None:
    assert CPU.text(slow_program()) == emit(slow_program(), CPU.machine.target())
    assert "run" in CPU.assembly(slow_program())


def test_text_does_not_tell_where_values_lay_in_memory() -> None:
    """A formula with two functions that have a domain: what is asked of either stands in one order, whatever the addresses."""
    x, y = vector("x", "float32"), vector("y", "float32")
    root = log(sqrt(exp(x) - y) * sqrt(exp(y) - x))
    program = lowered(Graph((x, y), (), (root,), (), "right")).program
    texts, taken = set(), []
    for turn in range(12):
        taken.append([object() for _ in range(101 * turn % 997)])  # so that what is made next lies elsewhere
        texts.add(emit(program, CPU.machine.target()))
        taken = taken[turn % 2 :]
    assert len(texts) == 1


def test_inner_loops_become_vectors() -> None:
    made = program(
        [buffer("x", "input", n, m), buffer("y", "input", m), buffer("o", "output", n, m)],
        Kernel(
            (
                loop(
                    i,
                    n,
                    loop(j, m, Store(v("o", n, m), (i, j), apply("mul", at(v("x", n, m), i, j), at(v("y", m), j)))),
                ),
            )
        ),
    )
    text = CPU.assembly(made)
    if CPU.machine.vector_bytes >= 32 and CPU.machine.triple.startswith("x86"):
        assert any("mulpd" in line and ("ymm" in line or "zmm" in line) for line in text.splitlines())


def test_work_is_the_product_of_the_loops() -> None:
    store = Store(v("o", n), (i,), Const(0.0, "float64"))
    one, none = weight((store,)), weight(())
    nest = n * (m * one + (n + 1) * one + none)
    assert cost((loop(i, n, loop(j, m, store), loop(k, i + 1, store)), loop(j, 7, store))) == nest + 7 * one + none


def chain(count: int, length: int) -> Program:
    """count kernels of length operations each, count being even."""
    buffers = [buffer("x", "input", n), buffer("a", "temp", n), buffer("b", "temp", n), buffer("o", "output", n)]
    steps: list[Step] = [copies(v("x", n), v("a", n))]
    for q in range(count):
        source, target = ("a", "b") if q % 2 == 0 else ("b", "a")
        value: Value = at(v(source, n), i)
        for r in range(length):
            value = apply("add" if (q + r) % 3 else "mul", value, Const(1.0 + (q * 20 + r) % 97 / 1000, "float64"))
        steps.append(Kernel((loop(i, n, Store(v(target, n), (i,), value)),)))
    steps.append(copies(v("a", n), v("o", n)))
    return program(buffers, *steps)


def emitting(count: int, length: int) -> Callable[[], str]:
    made, target = chain(count, length), CPU.machine.target()
    return lambda: emit(made, target)


def test_many_kernels_are_emitted_in_linear_work() -> None:
    assert superlinear(lambda count: emitting(count, 1), 40) == []  # 40: more than one function holds


def test_a_long_kernel_is_emitted_in_linear_work() -> None:
    assert superlinear(lambda length: emitting(2, length), 60) == []  # 60: long blocks in both


def test_functions_do_not_grow_with_the_program() -> None:
    """LLVM's time grows faster than a function does, so that many kernels are many functions."""
    small, large = emitting(80, 1)(), emitting(320, 1)()
    assert len(large) < 4.2 * len(small)  # names have more digits
    longest = [max(len(f.splitlines()) for f in text.split("\ndefine ")) for text in (small, large)]
    assert longest[0] == longest[1]


def test_a_long_chain_computes_what_the_interpreter_does() -> None:
    made = chain(40, 20)
    executable = CPU.compile(made)
    x = np.linspace(0, 1e-3, 5)
    status, (o,) = executable.execute(executable.bind([x]))
    assert status == 0
    np.testing.assert_array_equal(o, interpret(made, {"x": x}).outputs["o"])


def test_equal_nests_are_written_once() -> None:
    """Whatever their buffers and variables are called; another constant is another kernel."""
    n = symbol("d0")
    i = Symbol("i0")

    def nest(source: str, target: str, variable: str, factor: float) -> tuple[Any, ...]:
        a, c = (contiguous(name, "float64", (n,)) for name in (source, target))
        acc = Ref(variable, "float64")
        value = Apply("mul", (Load(a, (symbol("i0"),)), Const(factor, "float64")), "float64")
        return (For(i, n, (Local(variable, value), Store(c, (symbol("i0"),), acc))),)

    first = signature(nest("a", "b", "acc1", 2.0), ["a", "b"])
    assert signature(nest("x", "y", "acc7", 2.0), ["x", "y"]) == first
    assert signature(nest("x", "y", "acc7", 3.0), ["x", "y"]) != first
    assert signature(nest("x", "y", "acc7", -0.0), ["x", "y"]) != signature(nest("x", "y", "acc7", 0.0), ["x", "y"])
