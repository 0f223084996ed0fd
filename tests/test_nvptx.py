"""Programs as kernels for a GPU: their form, their PTX, and what they compute on the emulator under its checks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gpu_programs import Run, emulator, on_gpu, program_for

import symdl
import symdl.tensor as T
from symdl.backends.interpreter.backend import interpret
from symdl.backends.nvptx import gpu_program
from symdl.backends.nvptx.assemble import assemble, assembler
from symdl.backends.nvptx.cutting import for_gpu
from symdl.backends.nvptx.hazards import has_dealt
from symdl.backends.nvptx.launches import Launch, Number, Pointer, Product, launches
from symdl.backends.nvptx.ptx import ptx
from symdl.errors import CudaError
from symdl.graph.expr import Expr, variable
from symdl.ir.loops import For
from symdl.ir.program import FIRST_FAILURE, Kernel
from symdl.passes.evaluate import evaluate
from symdl.pipeline.compilation import lowered
from symdl.rules.products import FEW_OUTPUTS
from symdl.types import product as product_of
from symdl.types import size_at, symbols

X, Y, V, D = T.fmatrix("x"), T.fmatrix("y"), T.fvector("v"), T.dmatrix("d")
A, B, K = T.ftensor3("a"), T.ftensor3("b"), T.lvector("k")
RNG = np.random.default_rng(5)
x, y = (RNG.normal(size=(13, 21)).astype(np.float32) for _ in range(2))
v, d = RNG.normal(size=700).astype(np.float32), RNG.normal(size=(6, 70))
a, b = RNG.normal(size=(3, 5, 7)).astype(np.float32), RNG.normal(size=(3, 7, 4)).astype(np.float32)
c = RNG.normal(size=(3, 35, 40)).astype(np.float32)
k = np.array([2, 0, 12, 2])
ties = RNG.integers(-9, 10, 600).astype(np.float32)
unknown = np.where(np.arange(600) % 250 == 249, np.float32(np.nan), ties)
many = RNG.integers(-13, 13, 300)  # more than a block has threads, each element chosen often
images, filters = (variable(name, (None,) * 4, "float32") for name in "if")
i4, f4 = RNG.normal(size=(2, 4, 7, 6)).astype(np.float32), RNG.normal(size=(4, 2, 3, 2)).astype(np.float32)


def known_convolution(outputs: int = 6) -> tuple[list[Expr], list[Expr], list[Any]]:
    """Of known extents, deep enough for several panels, whose filters' gradient is summed in pieces."""
    g, h = (variable(name, s, "float32") for name, s in (("g", (3, 5, 9, 8)), ("h", (outputs, 5, 3, 3))))
    z = T.conv2d(g, h)
    values = [RNG.normal(size=e.type.shape).astype(np.float32) for e in (g, h)]
    return [g, h], [z, *T.grad((z * z).sum(), [g, h])], values


def convolved(**how: Any) -> Callable[[], tuple[list[Expr], list[Expr], list[Any]]]:
    def make() -> tuple[list[Expr], list[Expr], list[Any]]:
        z = T.conv2d(images, filters, **how)
        return [images, filters], [z, *T.grad((z * z).sum(), [images, filters])], [i4, f4]

    return make


KINDS: dict[str, Callable[[], tuple[list[Expr], list[Expr], list[Any]]]] = {
    "elementwise": lambda: ([X, Y], [T.tanh(X) * Y + 1, X > Y], [x, y]),
    "other widths": lambda: ([D, K], [T.exp(D), K * 2, T.cast(K, "int8")], [d, k]),
    "broadcast": lambda: ([X], [X + X[0], X * X.max(axis=1, keepdims=True)], [x]),
    "transposed and reversed": lambda: ([X], [X.T + 1, X[::-1, ::2] * 2], [x]),
    "other orders of axes": lambda: (
        [A, X, Y], [A.dimshuffle(2, 0, 1) * 2, A.dimshuffle(0, 2, 1), X.T + Y[0, 0]], [c, x, y]
    ),
    "padded": lambda: ([X], [T.pad(X, ((1, 2), (0, 3)))], [x]),
    "sum of all": lambda: ([V], [V.sum(), V.max(), V.mean()], [v]),
    "long sum": lambda: ([V], [(V * V).sum()], [RNG.normal(size=9000).astype(np.float32)]),
    "sums of rows": lambda: ([X], [X.sum(axis=1), X.max(axis=1), X.argmax(axis=1)], [x]),
    "sums of columns": lambda: ([X], [X.sum(axis=0), X.min(axis=0)], [x]),
    "sums of many rows": lambda: ([X], [X.sum(axis=0)], [RNG.normal(size=(3000, 3)).astype(np.float32)]),
    "sums of wide rows": lambda: ([X], [T.softmax(X)], [RNG.normal(size=(2, 1500)).astype(np.float32)]),
    "softmax and its gradient": lambda: ([X], [T.softmax(X), T.grad((T.softmax(X) ** 2).sum(), X)], [x]),
    "scans of values": lambda: ([X], [X.cumsum(axis=0), X.cumsum(axis=1)], [x]),
    "products": lambda: ([X, Y], [T.dot(X, Y.T), T.dot(X.T, Y), T.dot(X, Y[0])], [x, y]),
    "products and what follows": lambda: (
        [X, Y], [T.tanh(T.dot(X, Y.T) + X[0, 0]) * 2, X + 0.1 * T.dot(T.dot(X, Y.T), Y)], [x, y]
    ),
    "products in float64": lambda: ([D], [T.dot(D, D.T)], [d]),
    "products of integers": lambda: ([K], [T.dot(K, K), T.outer(K, K)], [k]),
    "batches": lambda: ([A, B], [T.batched_dot(A, B)], [a, b]),
    "gathers": lambda: ([X, K], [X[K], T.grad((X[K] ** 2).sum(), X)], [x, k]),
    "convolutions": convolved(filter_dilation=(1, 2), num_groups=2),
    "convolutions in steps": convolved(subsample=(2, 1), num_groups=2),
    "convolutions of known extents": known_convolution,
    "the first of the largest": lambda: ([V], [V.argmax(), V.argmin(), (-abs(V)).max()], [ties]),
    "the first that is not a number": lambda: ([V], [V.argmax(), V.argmin()], [unknown]),
    "running sums": lambda: ([V, K], [V.cumsum(), (1 + V / 99).cumprod(), K.cumsum()], [ties, many]),
    "scattered": lambda: (
        [V, K], [T.grad((V[K] ** 2).sum(), V), T.set_subtensor(V[K], T.cast(T.arange(K.shape[0]), "float32"))],
        [ties[:13], many],
    ),
    "loops": lambda: ([X], [symdl.scan(lambda r, s: T.tanh(r + s), sequences=X, outputs_info=X[0])[0]], [x]),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_computes_on_the_emulator_what_the_oracle_does(kind: str) -> None:
    inputs, outputs, values = KINDS[kind]()
    expected = evaluate(outputs, dict(zip(inputs, values, strict=True)))
    for want, got in zip(expected, on_gpu(inputs, outputs, values), strict=True):
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        size = np.max(np.abs(want), initial=1) if want.dtype.kind == "f" else 0
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=4e-6 * size)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_cut_for_a_gpu_computes_the_same_in_the_interpreter(kind: str) -> None:
    inputs, outputs, values = KINDS[kind]()
    program = for_gpu(program_for(inputs, outputs))
    named = {p.name: np.asarray(v) for p, v in zip(program.of_kind("input"), values, strict=True)}
    if max(np.size(v) for v in values) > 1000:
        pytest.skip("the interpreter takes one number at a time")
    result = interpret(program, named)
    assert result.status == 0
    for p, want in zip(
        program.of_kind("output"), evaluate(outputs, dict(zip(inputs, values, strict=True))), strict=True
    ):
        np.testing.assert_allclose(result.outputs[p.name], want, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_launches_fit_the_kernels_and_the_program(kind: str) -> None:
    inputs, outputs, _ = KINDS[kind]()
    gpu = gpu_program(program_for(inputs, outputs))
    parameters = dict(re.findall(r"define ptx_kernel void @(\w+)\((.*)\)", gpu.text))
    counters = {s for item in gpu.items for s in [getattr(item, "counter", None)] if s is not None}
    known = {b.symbol for b in gpu.program.bindings} | counters
    found = list(launches(gpu.items))
    assert {one.kernel for one in found} == set(parameters)
    for one in found:
        kinds = ["ptr" if isinstance(argument, Pointer) else "i64" for argument in one.arguments]
        assert [p.split()[0].rstrip("(1)") for p in parameters[one.kernel].split(", ")] == ["ptr", *kinds]
        for argument in one.arguments:
            if isinstance(argument, Number):
                assert symbols(argument.value) <= known
            else:
                assert argument.buffer in gpu.program.offsets or gpu.program.buffers[argument.buffer].kind != "temp"
        assert all(symbols(extent) <= known for extent in one.grid)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_becomes_ptx(kind: str) -> None:
    inputs, outputs, _ = KINDS[kind]()
    text = gpu_program(program_for(inputs, outputs)).text
    made = ptx(text, (9, 0))
    assert ".target sm_90" in made
    assert ".visible .entry" in made


@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (8, 9), (10, 0)])
def test_other_devices(capability: tuple[int, int]) -> None:
    inputs, outputs, _ = KINDS["softmax and its gradient"]()
    made = ptx(gpu_program(program_for(inputs, outputs)).text, capability)
    assert f".target sm_{capability[0]}{capability[1]}" in made


def test_the_text_is_the_same_each_time() -> None:
    inputs, outputs, _ = KINDS["softmax and its gradient"]()
    assert len({gpu_program(program_for(inputs, outputs)).text for _ in range(2)}) == 1


@pytest.mark.parametrize(
    ("inputs", "output"),
    [([X, Y], T.exp(X) + Y), ([X], T.softmax(X)), ([X], T.tanh(X) + X[0]), ([X], X.sum(axis=1)), ([V], V.sum())],
)
def test_memory_is_read_16_bytes_at_a_time(inputs: list[Expr], output: Expr) -> None:
    made = ptx(gpu_program(program_for(inputs, [output])).text, (9, 0))
    assert re.search(r"ld\.global\.(?:nc\.)?v4\.[bf]32", made)
    if output.type.shape:
        assert ("st.global.v4" in made) == (output.ndim == 2)


def test_transposed_reading_goes_through_tiles() -> None:
    """No thread reads across: each global load and store has neighbours, also where a matrix is turned."""
    gpu = gpu_program(program_for([X], [X.T + 1]))
    assert "addrspace(3) global [1056 x float]" in gpu.text
    rows = RNG.normal(size=(45, 70)).astype(np.float32)
    for order in ("forward", "reverse"):
        (got,) = on_gpu([X], [X.T + 1], [rows], emulator(order=order))
        np.testing.assert_array_equal(got, rows.T + 1)


@pytest.mark.parametrize(
    "kind",
    [
        "softmax and its gradient", "sums of many rows", "sums of wide rows", "products", "products and what follows",
        "convolutions of known extents", "the first of the largest", "running sums", "scattered",
    ],
)  # fmt: skip
def test_no_result_depends_on_the_order_of_threads(kind: str) -> None:
    inputs, outputs, values = KINDS[kind]()
    ways = [emulator(), emulator(order="reverse"), emulator(order="random", seed=3)]
    first, *others = [on_gpu(inputs, outputs, values, way) for way in ways]
    for other in others:
        assert [z.tobytes() for z in other] == [z.tobytes() for z in first]


@pytest.mark.parametrize(
    "kind",
    [
        "sums of wide rows",
        "products",
        "convolutions of known extents",
        "the first of the largest",
        "running sums",
        "scattered",
    ],
)
def test_every_barrier_but_some_is_needed(kind: str) -> None:
    """Without any one of the first two barriers of a kernel the emulator finds a race, or a number is wrong."""
    inputs, outputs, values = KINDS[kind]()
    program = program_for(inputs, outputs)
    gpu = gpu_program(program)
    named = {p.name: np.asarray(v) for p, v in zip(program.of_kind("input"), values, strict=True)}
    barrier = "  call void @llvm.nvvm.barrier0()\n"
    parts = gpu.text.split(barrier)
    assert len(parts) > 2
    text = barrier.join(parts[:1]) + "".join(parts[1:])  # without any
    with pytest.raises(CudaError):
        Run(gpu, named, emulator(), text)


def test_what_follows_a_product_is_done_where_it_is_made() -> None:
    """Bias, activation and the update of a weight: one kernel each, and no memory for the product."""
    w = variable("w", (21, 21), "float32")
    for inputs, output in (([X, Y], T.tanh(T.dot(X, Y.T) + 1)), ([X, Y, w], w - 0.1 * T.dot(X.T, Y))):
        gpu = gpu_program(program_for(inputs, [output]))
        assert [type(item) for item in gpu.items] == [Product]
        assert gpu.program.slots == ()


def test_large_products_are_left_to_a_library() -> None:
    left, right = (variable(name, (512, 512), "float32") for name in "pq")
    product, kernel = gpu_program(program_for([left, right], [T.tanh(T.dot(left, right))])).items
    assert isinstance(product, Product)
    assert product.call.epilogue == ()
    assert isinstance(kernel, Launch)


@pytest.mark.parametrize("outputs", [6, FEW_OUTPUTS + 1])
def test_convolutions_fetch_windows_where_they_lie(outputs: int) -> None:
    """No memory for a matrix of windows: only what is asked for, and pieces of the sum for the filters. Where few outputs
    make the images' gradient a convolution, the results bordered and the filters turned."""
    inputs, results, _ = known_convolution(outputs)
    gpu = gpu_program(program_for(inputs, results))
    assert sum("contract" in one.kernel for one in launches(gpu.items)) == 3
    temps = [b for b in gpu.program.buffers.values() if b.kind == "temp"]
    sizes = {int(size_at(product_of(b.shape), {})) for b in temps}
    # Of the results; of the filters, one for each image.
    gradient, pieces = (
        3 * outputs * 7 * 6,
        3 * outputs * 5 * 3 * 3,
    )
    bordered, turned = 3 * outputs * 11 * 10, outputs * 5 * 3 * 3
    assert sizes == {gradient, pieces} | ({bordered, turned} if outputs <= FEW_OUTPUTS else set())
    assert len(temps) == len(sizes)


@pytest.mark.parametrize("kind", ["the first of the largest", "running sums", "scattered"])
def test_no_long_loop_is_left_to_one_thread(kind: str) -> None:
    inputs, outputs, _ = KINDS[kind]()
    program = for_gpu(program_for(inputs, outputs))
    loops = [s for step in program.steps if isinstance(step, Kernel) for s in step.body if isinstance(s, For)]
    assert all(s.schedule == "parallel" or has_dealt((s,)) for s in loops)


def test_a_wrong_index_is_told_in_the_status_word_and_harms_nothing() -> None:
    program = program_for([X, K], [X[K]])
    gpu = gpu_program(program)
    names = [p.name for p in program.of_kind("input")]
    assert gpu.status
    for rows, index in ((x, [1, 13]), (x, [-14, 0]), (x[:0], [0, 0])):
        found = Run(gpu, {names[0]: rows, names[1]: np.array(index)}, emulator())
        assert found.status() == FIRST_FAILURE
    assert Run(gpu, {names[0]: x, names[1]: np.array([-13, 12])}, emulator()).status() == 0


@pytest.mark.parametrize(
    ("m", "inner", "n"), [(1, 1, 1), (3, 0, 5), (0, 3, 2), (33, 17, 65), (64, 16, 64), (70, 40, 1), (2, 300, 3)]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_of_any_extents(m: int, inner: int, n: int, dtype: str) -> None:
    left, right = (variable(name, (None, None), dtype) for name in "pq")
    p, q = (np.random.default_rng(1).normal(size=s).astype(dtype) for s in ((m, inner), (inner, n)))
    got, other = on_gpu([left, right], [T.dot(left, right), T.dot(right.T, left.T)], [p, q])
    error = 1e-4 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(got, p @ q, rtol=error, atol=error)
    np.testing.assert_allclose(other, (p @ q).T, rtol=error, atol=error)


@pytest.mark.parametrize("extent", [64, 128])
def test_large_tiles(extent: int) -> None:
    """Extents that are known, so that the tile is too: so many tiles that the larger ones are taken."""
    rows = 12 * extent
    left, right = variable("p", (rows, 20), "float32"), variable("q", (20, 8 * extent), "float32")
    gpu = gpu_program(program_for([left, right], [T.dot(left, right)]))
    (one,) = launches(gpu.items)
    assert f"{extent}x{extent}" in one.kernel


def training_step() -> Any:
    """A layer, a softmax, their gradients and updates."""
    rng = np.random.default_rng(0)
    w = [symdl.shared(rng.normal(size=s).astype(np.float32)) for s in ((20, 12), (12,), (12, 5), (5,))]
    hidden = T.tanh(T.dot(X, w[0]) + w[1])
    cost = -T.log(T.softmax(T.dot(hidden, w[2]) + w[3]))[T.arange(K.shape[0]), K].mean()
    updates = [(p, p - 0.1 * g) for p, g in zip(w, T.grad(cost, w), strict=True)]
    return symdl.function([X, K], cost, updates=updates)


@pytest.mark.skipif(not assembler(), reason="neither ptxas nor nvJitLink is installed")
@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (9, 0)])
def test_a_training_step_assembles_without_spills(capability: tuple[int, int]) -> None:
    gpu = gpu_program(lowered(training_step().graph, blocks=False).program)
    made = assemble(ptx(gpu.text, capability), capability)
    assert set(made.usage) == {one.kernel for one in launches(gpu.items)}
    assert {name: u for name, u in made.usage.items() if u.spill_stores or u.spill_loads} == {}
