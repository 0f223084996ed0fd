"""Long blocks in the order in which a processor can begin them."""

from __future__ import annotations

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl.backends.llvm import kernels
from symdl.backends.llvm.interleaved import LEAST, REGISTER, interleaved


def chain(name: str, length: int) -> list[str]:
    """Operations of which each waits for the one before it."""
    return [f"  %{name}{k + 1} = fmul <8 x double> %{name}{k}, %{name}{k}" for k in range(length)]


def test_what_does_not_depend_on_one_another_goes_side_by_side() -> None:
    """Every line once, after what it reads; the two chains take turns."""
    first, second = chain("x", LEAST), chain("y", LEAST)
    text = "\n".join(["{", *first, *second, "  ret i64 0", "}"])
    lines = interleaved(text).split("\n")
    assert sorted(lines) == sorted(text.split("\n"))
    assert lines[0] == "{"
    assert lines[-2:] == ["  ret i64 0", "}"]
    known = {"%x0", "%y0"}
    for line in lines[1:-2]:
        name, *read = REGISTER.findall(line)
        assert known.issuperset(read)
        known.add(name)
    places = [k for k, line in enumerate(lines) if line in first]
    assert places[LEAST // 2] > 3 * LEAST // 4


@pytest.mark.parametrize("between", ["  store i64 0, ptr %p", "  %c = call i64 @balls(ptr %p)", "label:"])
def test_nothing_passes_what_writes(between: str) -> None:
    """A store, a call or a label keeps its place, and short blocks and those of numbers theirs."""
    parts = [chain("x", LEAST), [between], chain("y", LEAST)]
    lines = interleaved("\n".join(line for part in parts for line in part)).split("\n")
    assert [set(lines[:LEAST]), lines[LEAST], set(lines[LEAST + 1 :])] == [set(parts[0]), between, set(parts[2])]
    short = "\n".join(chain("x", LEAST // 2 - 1) + chain("y", LEAST // 2 - 1))
    numbers = "\n".join(chain("x", LEAST) + chain("y", LEAST)).replace("<8 x double>", "double")
    for text in (short, numbers):
        assert interleaved(text) == text


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_numbers_are_the_same(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = T.vector("x", dtype=dtype), T.vector("y", dtype=dtype)
    rng = np.random.default_rng(0)
    data = [(10 * rng.standard_normal(1003)).astype(dtype) for _ in range(2)]
    made = []
    for change in (interleaved, str):
        monkeypatch.setattr(kernels, "interleaved", change)
        with symdl.config.change(cache_dir=""):
            made.append(symdl.function([x, y], T.tanh(x * 1.5 + y) * y - T.exp(-x * x))(*data))
    np.testing.assert_array_equal(*made)
