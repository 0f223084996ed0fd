"""The emulated GPU: kernels written by hand compute what they say, in any order of threads, and each planted bug is found."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gpu_kernels import HEAD, PLACES, counts, exchanges, kernel, scale, softmax, transpose

from symdl.backends.cuda.driver import packed
from symdl.backends.emulator import Emulator, code
from symdl.errors import CudaError, CudaMemoryError, InternalError, KernelFaultError

Array = np.ndarray[Any, Any]
Grid = tuple[int, int, int]
ORDERS = ("forward", "reverse", "random")
_compiled: dict[str, bytes] = {}  # kernels of this module, for all tests


def launched(
    text: str,
    grid: Grid | int,
    block: int,
    *arguments: Array | int,
    shared: int = 0,
    driver: Emulator | None = None,
    **options: Any,
) -> list[Array]:
    """The arrays among the arguments, as they are after a launch of the first kernel of the text."""
    driver = driver or Emulator(store=_compiled, **options)
    stream = driver.stream()
    status = driver.allocate(4)
    driver.fill(status, 0, 4, stream)
    words: list[int] = [status]
    held: list[tuple[int, Array]] = []
    for argument in arguments:
        if isinstance(argument, int):
            words.append(argument)
            continue
        address = driver.allocate(argument.nbytes)
        driver.label(address, argument.nbytes, f"array {len(held)}")
        driver.upload(address, argument, stream)
        words.append(address)
        held.append((address, argument))
    name = re.findall(r"ptx_kernel void @(\w+)", text)[0]
    function = driver.load(text).function(name)
    driver.launch(function, (grid, 1, 1) if isinstance(grid, int) else grid, block, shared, packed(words), stream)
    results = []
    for address, argument in held:
        result = np.empty_like(argument)
        driver.download(result, address, stream)
        results.append(result)
    return results


def rows(seed: int = 0, shape: tuple[int, ...] = (3, 150)) -> Array:
    return (np.random.default_rng(seed).standard_normal(shape) * 3).astype(np.float32)


def softmax_of(x: Array) -> Array:
    wide = x.astype(np.float64)
    e: Array = np.exp(wide - wide.max(1, keepdims=True))
    total: Array = e.sum(1, keepdims=True)
    return np.divide(e, total)


# ---- what kernels compute ----


@pytest.mark.smoke  # coroutines are not promised to be the same from one LLVM to the next
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("checks", [True, False])
def test_softmax_with_shuffles_and_barriers(order: str, checks: bool) -> None:
    x = rows()
    y, _ = launched(softmax(), 3, 128, np.empty_like(x), x, 150, order=order, seed=5, checks=checks)
    # 2^d of a rounded d, |d| < 30: 30 ln 2 (2^-24 for d, 2^-24 for log2(e)), and some roundings
    np.testing.assert_allclose(y, softmax_of(x), rtol=4e-6)


@pytest.mark.parametrize("order", ORDERS)
def test_transpose_through_a_tile_of_shared_memory(order: str) -> None:
    x = rows(1, (96, 64))
    y, _ = launched(transpose(), (2, 3, 1), 128, np.empty((64, 96), np.float32), x, 96, 64, order=order)
    np.testing.assert_array_equal(y, x.T)


@pytest.mark.parametrize("length", [4, 252, 2052])
def test_a_grid_stride_over_vectors(length: int) -> None:
    x = rows(2, (length,))
    y, _ = launched(scale(), 2, 96, np.empty_like(x), x, length)
    np.testing.assert_array_equal(y, 2 * x)


def test_atomics_of_all_threads() -> None:
    x = np.random.default_rng(3).integers(0, 5, 333).astype(np.int32)
    zero = [np.zeros(1, dtype) for dtype in (np.int64, np.float32, np.float64, np.int32)]
    y, _, largest, total, most, last = launched(counts(), 2, 64, np.zeros(5, np.int32), x, *zero, 333, order="random")
    np.testing.assert_array_equal(y, np.bincount(x, minlength=5))
    assert (largest[0], total[0], most[0], last[0]) == (332, x.sum(), 332.0, 333)


def test_shuffles_and_votes() -> None:
    (y,) = launched(exchanges(), 1, 32, np.zeros((8, 32), np.int32))
    lane = np.arange(32)
    np.testing.assert_array_equal(y[0], 10 * np.where(lane >= 3, lane - 3, lane))
    np.testing.assert_array_equal(y[1], 10 * np.where(lane + 5 <= 31, lane + 5, lane))
    np.testing.assert_array_equal(y[2], np.full(32, 70))
    np.testing.assert_array_equal(y[3], 10 * (lane ^ 1))
    np.testing.assert_array_equal(y[4], lane >= 3)
    assert set(y[5].view(np.uint32)) == {0xAAAAAAAA}
    assert (y[6] == 0).all()
    assert (y[7] == 1).all()


def test_dynamic_shared_memory() -> None:
    body = """
  %s = getelementptr double, ptr addrspace(3) @room, i64 %t
  %d = sitofp i64 %t to double
  store double %d, ptr addrspace(3) %s, align 8
  call void @llvm.nvvm.barrier0()
  %o = sub i64 63, %t
  %s2 = getelementptr double, ptr addrspace(3) @room, i64 %o
  %v = load double, ptr addrspace(3) %s2, align 8
  %p = getelementptr double, ptr addrspace(1) %y, i64 %t
  store double %v, ptr addrspace(1) %p, align 8
  ret void"""
    text = kernel("turned", "ptr %y", body, "@room = external addrspace(3) global [0 x i8], align 16")
    (y,) = launched(text, 1, 64, np.empty(64), shared=512)
    np.testing.assert_array_equal(y, np.arange(63, -1, -1.0))
    with pytest.raises(KernelFaultError, match="outside of shared room"):
        launched(text, 1, 64, np.empty(64), shared=504)


# ---- planted bugs ----


def without(text: str, pattern: str, number: int = 0) -> str:
    """The text without one of its lines that match."""
    found = list(re.finditer(rf"^.*{pattern}.*\n", text, re.MULTILINE))[number]
    return text[: found.start()] + text[found.end() :]


@pytest.mark.smoke
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("make", "number"),
    [(softmax, 0), (softmax, 1), (softmax, 2), (transpose, 0)],
    ids=lambda v: getattr(v, "__name__", v),
)
def test_each_barrier_is_needed(make: Callable[[], str], number: int, order: str) -> None:
    text = without(make(), r"call void @llvm\.nvvm\.barrier0", number)
    x = rows(1, (32, 32))
    with pytest.raises(KernelFaultError, match=r"without a barrier|nothing has been written"):
        launched(
            text, 32 if make is softmax else 1, 128, np.empty_like(x), x, 32, *[32] * (make is transpose), order=order
        )


def test_an_output_one_element_short() -> None:
    x = rows(2, (256,))
    with pytest.raises(KernelFaultError, match="writes outside of array 0") as caught:
        launched(scale(), 1, 64, np.empty(255, np.float32), x, 256)
    assert "bytes 1008 to 1023 of 1020" in str(caught.value)


def test_a_vector_that_does_not_lie_where_it_must() -> None:
    driver = Emulator()
    stream = driver.stream()
    function = driver.load(scale()).function("scale")
    block = driver.allocate(4096)
    driver.fill(block, 0, 4096, stream)
    driver.launch(function, (1, 1, 1), 32, 0, packed([block, block + 16, block + 1024, 64]), stream)
    with pytest.raises(KernelFaultError, match="no multiple of 16"):
        driver.launch(function, (1, 1, 1), 32, 0, packed([block, block + 4, block + 1024, 64]), stream)


def test_a_barrier_in_a_branch() -> None:
    branch = """
  %early = icmp ult i64 %t, 40
  br i1 %early, label %some, label %done
some:
  call void @llvm.nvvm.barrier0()
  br label %done
done:
  ret void"""
    with pytest.raises(KernelFaultError, match="a barrier that not every thread of the block comes to") as caught:
        launched(kernel("branch", "", branch), 1, 64)
    assert "barrier0" in str(caught.value) or "barrier" in str(caught.value)


def test_two_barriers_are_not_one() -> None:
    branches = """
  %bit = trunc i64 %t to i1
  br i1 %bit, label %odd, label %even
odd:
  call void @llvm.nvvm.barrier0()
  br label %done
even:
  call void @llvm.nvvm.barrier0()
  br label %done
done:
  ret void"""
    with pytest.raises(KernelFaultError, match="two different barriers"):
        launched(kernel("branches", "", branches), 1, 64)


def test_a_shuffle_that_not_all_lanes_come_to() -> None:
    branch = """
  %early = icmp ult i64 %t, 16
  br i1 %early, label %some, label %done
some:
  %v = call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 -1, i32 %t32, i32 7, i32 31)
  br label %done
done:
  ret void"""
    with pytest.raises(KernelFaultError, match="not every thread of its mask"):
        launched(kernel("branch", "", branch), 1, 32)
    launched(kernel("branch", "", branch.replace("i32 -1", "i32 65535")), 1, 32)


def test_a_shuffle_from_a_lane_that_does_not_exist() -> None:
    body = """
  %v = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float 1.0, i32 16, i32 31)
  ret void"""
    launched(kernel("all", "", body), 1, 64)
    with pytest.raises(KernelFaultError, match="from lane 16 of its warp, which takes no part"):
        launched(kernel("all", "", body), 1, 40)


def test_shared_memory_that_nobody_has_written() -> None:
    body = """
  %s = getelementptr float, ptr addrspace(3) @a, i64 %t
  %v = load float, ptr addrspace(3) %s, align 4
  %p = getelementptr float, ptr addrspace(1) %y, i64 %t
  store float %v, ptr addrspace(1) %p, align 4
  ret void"""
    with pytest.raises(KernelFaultError, match="reads shared a where nothing has been written"):
        launched(
            kernel("fresh", "ptr %y", body, "@a = internal addrspace(3) global [32 x float] undef, align 4"),
            1,
            32,
            np.empty(32, np.float32),
        )


def test_device_memory_that_nobody_has_written() -> None:
    driver = Emulator()
    stream = driver.stream()
    y, x = driver.allocate(1024), driver.allocate(1024)
    function = driver.load(scale()).function("scale")
    with pytest.raises(KernelFaultError, match="where nothing has been written"):
        driver.launch(function, (1, 1, 1), 32, 0, packed([y, y, x, 64]), stream)


def test_blocks_of_one_launch_race_in_device_memory() -> None:
    to_first = """
  %p = getelementptr i64, ptr addrspace(1) %y, i64 %t
  store i64 %b, ptr addrspace(1) %p, align 8
  ret void"""
    text = kernel("same", "ptr %y", to_first)
    launched(text, 1, 32, np.empty(32, np.int64))
    with pytest.raises(KernelFaultError, match="another block of the launch has written") as caught:
        launched(text, 2, 32, np.empty(32, np.int64))
    assert "of block (0, 0, 0)" in str(caught.value)


def test_threads_race_in_device_memory() -> None:
    shift = """
  %p = getelementptr i64, ptr addrspace(1) %y, i64 %k
  %v = load i64, ptr addrspace(1) %p, align 8
  %k1 = add i64 %k, 1
  %q = getelementptr i64, ptr addrspace(1) %y, i64 %k1
  MEET
  store i64 %v, ptr addrspace(1) %q, align 8
  ret void"""
    y = np.arange(65)
    for order in ORDERS:
        with pytest.raises(KernelFaultError, match=r"another thread has (read|written), without a barrier"):
            launched(kernel("shift", "ptr %y", shift.replace("MEET", "")), 1, 64, y, order=order)
    meet = shift.replace("MEET", "call void @llvm.nvvm.barrier0()")
    assert launched(kernel("shift", "ptr %y", meet), 1, 64, y)[0].tolist() == [0, *range(64)]
    warp = shift.replace("MEET", "call void @llvm.nvvm.bar.warp.sync(i32 -1)")
    assert launched(kernel("shift", "ptr %y", warp), 1, 32, y)[0][:33].tolist() == [0, *range(32)]
    with pytest.raises(KernelFaultError, match="without a barrier"):  # a barrier of the warp does not hold other warps
        launched(kernel("shift", "ptr %y", warp), 1, 64, y)
    with pytest.raises(KernelFaultError, match="another block of the launch"):
        launched(kernel("shift", "ptr %y", meet), 2, 32, y)


def test_an_atomic_and_a_plain_access_race() -> None:
    mixed = """
  %o = atomicrmw add ptr addrspace(1) %y, i32 1 monotonic, align 4
  %v = load i32, ptr addrspace(1) %y, align 4
  ret void"""
    with pytest.raises(KernelFaultError, match="without a barrier"):
        launched(kernel("mixed", "ptr %y", mixed), 1, 32, np.zeros(1, np.int32))


def test_bytes_of_one_word_are_apart() -> None:
    body = """
  %p = getelementptr i8, ptr addrspace(1) %y, i64 %k
  store i8 1, ptr addrspace(1) %p, align 1
  ret void"""
    (y,) = launched(kernel("ones", "ptr %y", body), 2, 32, np.zeros(64, np.int8))
    assert y.all()


def test_two_pointers_to_what_one_has_for_itself() -> None:
    text = scale().replace("addrspace(1) %y, ptr", "addrspace(1) noalias %y, ptr")
    driver = Emulator()
    stream = driver.stream()
    function = driver.load(text).function("scale")
    block = driver.allocate(1024)
    driver.fill(block, 0, 1024, stream)
    driver.launch(function, (1, 1, 1), 32, 0, packed([block, block, block + 256, 64]), stream)
    with pytest.raises(KernelFaultError, match="noalias"):
        driver.launch(function, (1, 1, 1), 32, 0, packed([block, block + 256, block + 256, 64]), stream)


def test_a_store_through_what_is_only_read() -> None:
    text = scale().replace("addrspace(1) %y, ptr", "addrspace(1) noalias readonly %y, ptr")
    with pytest.raises(CudaError, match="scale writes through a pointer that it promises only to read"):
        Emulator().load(text)


# ---- what a fault says ----


def test_a_message_says_who_did_what_where() -> None:
    x = rows(2, (256,))
    with pytest.raises(KernelFaultError) as caught:
        launched(without(softmax(), "call void @llvm.nvvm.barrier0", 1), 1, 128, np.empty_like(x), x, 256)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("kernel softmax: writes shared sums where another thread has read, without a barrier")
    named = {line.split()[0]: line for line in lines[1:]}
    assert set(named) >= {"thread", "at", "memory", "other"}
    assert "store float" in named["at"]
    assert "of 16" in named["memory"]
    assert "of the same block" in named["other"]


def test_the_device_goes_on_after_a_fault() -> None:
    driver = Emulator()
    x = rows(2, (256,))
    with pytest.raises(KernelFaultError):
        launched(scale(), 1, 64, np.empty(255, np.float32), x, 256, driver=driver)
    y, _ = launched(scale(), 1, 64, np.empty(256, np.float32), x, 256, driver=driver)
    np.testing.assert_array_equal(y, 2 * x)


# ---- the driver ----


def test_launches_that_no_gpu_takes() -> None:
    driver = Emulator()
    stream = driver.stream()
    text = scale() + '\n!nvvm.annotations = !{!0}\n!0 = !{ptr @scale, !"maxntidx", i32 64}\n'
    function = driver.load(text).function("scale")
    words = packed([0, 0, 0, 0])
    driver.launch(function, (1, 1, 1), 64, 0, words, stream)
    for grid, block, shared, given, what in (
        ((1, 1, 1), 65, 0, words, "65 threads"),
        ((0, 1, 1), 64, 0, words, "a grid"),
        ((1, 1, 1), 64, 1 << 20, words, "dynamic shared"),
        ((1, 1, 1), 64, 0, words[:-8], "24 bytes of parameters, where it takes 32"),
    ):
        with pytest.raises(CudaError, match=what):
            driver.launch(function, grid, block, shared, given, stream)
    with pytest.raises(CudaError, match=r"no kernel other\n  Its kernels: scale"):
        function.module.function("other")


def test_memory_has_an_end_and_is_given_back_once() -> None:
    driver = Emulator(memory=1000)
    block = driver.allocate(600)
    assert driver.memory_info() == (400, 1000)
    with pytest.raises(CudaMemoryError, match="no room for 500 bytes: 600 of 1000 are in use"):
        driver.allocate(500)
    driver.free(block)
    with pytest.raises(CudaError, match="freed twice"):
        driver.free(block)
    assert driver.memory_info() == (1000, 1000)
    with pytest.raises(CudaError, match="lie in no allocation"):
        driver.fill(block, 0, 4, driver.stream())


def test_labels_bound_what_may_be_touched() -> None:
    driver = Emulator()
    stream = driver.stream()
    arena = driver.allocate(2048)
    driver.fill(arena, 0, 2048, stream)
    function = driver.load(scale()).function("scale")
    words = packed([arena, arena + 1024, arena, 128])
    driver.launch(function, (1, 1, 1), 32, 0, words, stream)
    driver.label(arena, 512, "left")
    driver.label(arena + 1024, 500, "right")
    with pytest.raises(KernelFaultError, match="writes outside of right"):
        driver.launch(function, (1, 1, 1), 32, 0, words, stream)
    driver.label(arena + 768, 1024, "both")  # takes the place of what was there
    driver.launch(function, (1, 1, 1), 32, 0, words, stream)


def test_a_graph_is_done_again_and_again() -> None:
    driver = Emulator()
    stream = driver.stream()
    x = np.arange(32, dtype=np.float32)
    block = driver.allocate(128)
    driver.upload(block, x, stream)
    function = driver.load(scale()).function("scale")
    before = driver.launches
    with driver.capture(stream) as graph:
        driver.launch(function, (1, 1, 1), 32, 0, packed([block, block, block, 32]), stream)
    assert driver.launches == before
    for _ in range(3):
        graph.launch(stream)
    result = np.empty_like(x)
    driver.download(result, block, stream)
    np.testing.assert_array_equal(result, 8 * x)


def test_compiled_kernels_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    store: dict[str, bytes] = {}
    x = rows(2, (64,))
    first = launched(scale(), 1, 32, np.empty_like(x), x, 64, driver=Emulator(store=store))
    assert len(store) == 2  # the run-time module, and these kernels
    monkeypatch.setattr(code, "translate", lambda *_: pytest.fail("translated again"))
    again = launched(scale(), 1, 32, np.empty_like(x), x, 64, driver=Emulator(store=store))
    np.testing.assert_array_equal(first[0], again[0])


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (
            "call void @llvm.nvvm.membar.gl()\n  call void @llvm.nvvm.barrier.n(i32 1)",
            "llvm.nvvm.barrier.n, which is not known",
        ),
        ('%c = call float asm "tanh.approx.f32 $0,$1;", "=f,f"(float 1.0)', "does not know this instruction"),
        (
            "call void @llvm.memset.p1.i64(ptr addrspace(1) %status, i8 0, i64 4, i1 false)",
            "does not watch this instruction",
        ),
        ("%c = load float, ptr addrspace(1) %nowhere", "LLVM does not read the code"),
    ],
)
def test_what_is_not_known_is_said(line: str, what: str) -> None:
    text = f"{HEAD}\ndeclare void @llvm.nvvm.membar.gl()\n"
    text += "declare void @llvm.memset.p1.i64(ptr addrspace(1), i8, i64, i1)\n"
    text += f"define ptx_kernel void @odd(ptr addrspace(1) %status) {{\nentry:{PLACES}  {line}\n  ret void\n}}"
    with pytest.raises((CudaError, InternalError), match=what):
        Emulator().load(text)
