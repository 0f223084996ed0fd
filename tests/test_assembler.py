"""IR text to object code: parts that link with one another, calls at once, and llvmlite with or without its lock."""

from __future__ import annotations

import ctypes
import gc
import re
import sys
import threading
from functools import partial

import pytest

from symdl.backends.cpu import assembler
from symdl.backends.cpu.assembler import (
    FUNCTIONS,
    PAIR_LINES,
    Machine,
    assembly,
    at_once,
    object_code,
    objects_in,
    parts_of,
)
from symdl.backends.cpu.engine import Engine
from symdl.backends.cpu.optimizing import held
from symdl.backends.cpu.streamed import LINES, Streamed
from symdl.config import config

MACHINE = Machine()
COUNT = 40


def module(lines: int = 2 * PAIR_LINES) -> str:
    """total() is the sum of COUNT internal functions, each of which takes the next number of a table, by way of another."""
    adds = lines // COUNT - 6
    text = [f'target triple = "{MACHINE.triple}"', f'target datalayout = "{MACHINE.layout}"']
    text.append(f"@table = internal constant [{COUNT} x i64] [{', '.join(f'i64 {k * k}' for k in range(COUNT))}]")
    text.append("declare i64 @llvm.smax.i64(i64, i64)")
    text += ["define internal i64 @largest(i64 %x) noinline nounwind {"]
    text += ["  %y = call i64 @llvm.smax.i64(i64 %x, i64 5)", "  ret i64 %y", "}"]
    for k in range(COUNT):
        text.append(f"define internal i64 @piece{k}(i64 %zero) noinline nounwind {{")
        text.append(f"  %place = getelementptr i64, ptr @table, i64 {k}")
        text += ["  %x0 = load i64, ptr %place"]
        text += [f"  %x{n + 1} = add i64 %x{n}, %zero" for n in range(adds)]
        text += [f"  %y = call i64 @largest(i64 %x{adds})", "  ret i64 %y", "}"]
    text += ["define i64 @total(i64 %zero) nounwind {", "  %t0 = add i64 0, 0"]
    for k in range(COUNT):
        text += [f"  %p{k} = call i64 @piece{k}(i64 %zero)", f"  %t{k + 1} = add i64 %t{k}, %p{k}"]
    return "\n".join([*text, f"  ret i64 %t{COUNT}", "}"]) + "\n"


def total(code: bytes) -> int:
    engine = Engine(code, MACHINE)
    found: int = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(engine.address("total"))(0)
    return found


def defined(text: str) -> list[str]:
    return re.findall(r"^define .*?@([\w.]+)\(", text, re.MULTILINE)


def test_parts_hold_each_function_once_and_link() -> None:
    text = module()
    parts = parts_of(text)
    assert len(parts) == 4
    assert sorted(name for part in parts for name in defined(part)) == sorted(defined(text))
    sizes = [part.count("\n") for part in parts]
    assert max(sizes) < 1.3 * min(sizes)
    expected = sum(max(k * k, 5) for k in range(COUNT))
    code = object_code(parts, MACHINE)
    assert len(list(objects_in(code))) == 4
    assert total(code) == total(object_code([text], MACHINE)) == expected


def test_only_what_another_part_calls_becomes_visible() -> None:
    for part in (parts := parts_of(module())):
        others = "\n".join(other for other in parts if other is not part)
        for name in defined(part):
            internal = f"define internal i64 @{name}(" in part
            assert internal == (f"declare i64 @{name}(" not in others and name != "total"), name


def test_a_short_text_and_one_with_variables_stay_whole() -> None:
    short = module(PAIR_LINES - 200)
    assert parts_of(short) == [short]
    variable = module().replace("internal constant", "global", 1)
    assert parts_of(variable) == [variable]


def test_parts_and_code_depend_on_nothing_but_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = parts_of(module())
    assert parts == parts_of(module())
    code = object_code(parts, MACHINE)
    for threads in (1, 3):
        monkeypatch.setattr(config, "threads", threads)
        assert object_code(parts, MACHINE) == code


def test_the_same_code_under_the_lock_of_llvmlite(monkeypatch: pytest.MonkeyPatch) -> None:
    text = module(400)
    code, listing = object_code([text], MACHINE), assembly(text, MACHINE)
    assert assembler._without_lock(), "llvmlite is built otherwise than before: code generation is no longer parallel"
    monkeypatch.setattr(assembler, "_without_lock", dict)
    assert object_code([text], MACHINE) == code
    assert assembly(text, MACHINE) == listing
    assert "total:" in listing


def test_a_text_that_is_wrong_is_refused_and_leaves_nothing_to_the_garbage_collector() -> None:
    with pytest.raises(RuntimeError, match="expected"):
        object_code(["define i64 @f() { ret i64"], MACHINE)
    with pytest.raises(RuntimeError, match="does not dominate") as caught:
        object_code(["define i64 @f() {\n  %x = add i64 %y, 1\n  %y = add i64 1, 1\n  ret i64 %x\n}"], MACHINE)
    cycle: list[object] = [caught]
    cycle.append(cycle)
    del caught, cycle
    gc.collect()  # a module that is freed after its context is a crash


def test_passes_their_builder_and_target_machines_are_used_again() -> None:
    text = module(400)
    object_code([text], MACHINE)
    kept = list(assembler._kept[MACHINE.fingerprint()])
    assert kept
    with pytest.raises(RuntimeError):
        object_code(["define"], MACHINE)
    object_code([text], MACHINE)
    assert assembler._kept[MACHINE.fingerprint()] == kept  # LLVM loses 1.7 KB with each that is made


def streamed_module(threads: int) -> bytes:
    """The module's object code, translated while it is written."""
    head, *functions = FUNCTIONS.split(module())
    target, beside = head.partition("@")[0].strip(), frozenset(("@" + head.partition("@")[2]).splitlines())
    with held(), Streamed(target, MACHINE, threads) as streamed:
        for k, function in enumerate(functions):
            streamed.take(function, beside if k else frozenset())
        return streamed.code()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_text_is_translated_while_it_is_written(threads: int) -> None:
    """Functions in several parts find one another, the table and what is declared; a thread alone makes one part."""
    before = sys.getswitchinterval()
    code = streamed_module(threads)
    assert sys.getswitchinterval() == before
    parts = len(list(objects_in(code)))
    assert parts > 3 if threads > 1 else parts == 1
    assert total(code) == total(object_code([module()], MACHINE))


@pytest.mark.parametrize("threads", [1, 2])
def test_what_llvm_refuses_while_a_text_is_written_is_raised(threads: int) -> None:
    wrong = "define i64 @wrong() nounwind {\n" + "  ; nothing\n" * LINES + "  ret i64 %none\n}"
    with Streamed("", MACHINE, threads) as streamed:
        streamed.take(wrong, frozenset())
        with pytest.raises(RuntimeError, match="%none"):
            streamed.code()


def test_calls_at_once_keep_their_order_and_meet() -> None:
    barrier = threading.Barrier(3)

    def call(k: int) -> int:
        barrier.wait(600)  # broken unless three threads are inside at once
        return k

    assert at_once([partial(call, k) for k in range(9)], 3) == list(range(9))
    assert at_once([], 4) == []
    assert at_once([threading.get_ident] * 3, 0) == [threading.get_ident()] * 3


def test_where_no_thread_can_be_started_the_caller_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in atexit: from Python 3.12 on no thread starts there."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert at_once([threading.get_ident] * 3, 3) == [threading.get_ident()] * 3
    assert total(streamed_module(2)) == total(object_code([module()], MACHINE))


def test_an_error_in_another_thread_is_the_callers() -> None:
    me = threading.get_ident()
    gate = threading.Event()

    def call() -> None:
        if threading.get_ident() != me:
            gate.set()
            raise ValueError("there")
        assert gate.wait(600)

    with pytest.raises(ValueError, match="there"):
        at_once([call, call], 2)
    assert threading.active_count() == 1 or not [t for t in threading.enumerate() if t.name == "symdl-compile"]
