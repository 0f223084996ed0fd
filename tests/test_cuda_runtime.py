"""The run time of GPUs on hand-written programs and a driver that is a piece of memory: what is launched, with what, when."""

from __future__ import annotations

import gc
import signal
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from cuda_stub import StubDriver

from symdl.backends.base import Bound
from symdl.backends.cuda.code import GpuCode
from symdl.backends.cuda.device import Device, DeviceArray
from symdl.backends.cuda.executable import CudaExecutable
from symdl.backends.interface import Interface
from symdl.backends.nvptx.launches import Choose, GpuProgram, HostCall, Item, Launch, Number, Pointer, Repeat
from symdl.backends.routines import RoutineRaised
from symdl.errors import CudaMemoryError, DeviceLostError, InputError, ProgramError
from symdl.ir.loops import Apply, Checked, For, Load, Store, View, contiguous
from symdl.ir.program import (
    FIRST_FAILURE,
    Binding,
    Buffer,
    Call,
    Check,
    Failure,
    If,
    Kernel,
    Loop,
    Program,
    Step,
    verify,
)
from symdl.types import Extent, Fact, Symbol, polynomial

SYMBOLS = {name: Symbol(name) for name in "ntij"}
n, t, i, j = (polynomial([((SYMBOLS[name],), 1)]) for name in "ntij")
Grid = tuple[int, int, int]


def vector(name: str, extent: Extent = n, dtype: str = "float64", kind: Any = "temp") -> Buffer:
    return Buffer(name, dtype, (extent,), kind)


def elementwise(target: str, *sources: str, checked: int = 0) -> Kernel:
    """target = the sum of the sources, as the Program says it: read for who writes what and what may fail."""
    views = [contiguous(name, "float64", (n,)) for name in (*sources, target)]
    value: Any = Load(views[0], (i,))
    for view in views[1:-1]:
        value = Apply("add", (value, Load(view, (i,))), "float64")
    if checked:
        index = Checked(Apply("cast", (value,), "int64"), 3, checked, "int64")
        value = Apply("cast", (index,), "float64")
    return Kernel((For(SYMBOLS["i"], n, (Store(views[-1], (i,), value),)),))


def launch(kernel: str, step: int, *buffers: str, numbers: Sequence[Extent] = (n,), grid: Extent = 1) -> Launch:
    pointers = tuple(Pointer(name) for name in buffers)
    return Launch(kernel, (grid, 1, 1), 32, (*pointers, *(Number("int64", e) for e in numbers)), step)


def add(driver: StubDriver, grid: Grid, block: int, words: tuple[int, ...]) -> None:
    """target = the sum of the sources: (status, sources..., target, n)."""
    *sources, target = (driver.view(a, words[-1], "float64") for a in words[1:-1])
    target[:] = sum(np.array(s) for s in sources)


def below_three(driver: StubDriver, grid: Grid, block: int, words: tuple[int, ...]) -> None:
    """The same of one source, which fails where a number is 3 or more."""
    status, source, target, count = words
    values = driver.view(source, count, "float64")
    driver.view(target, count, "float64")[:] = values
    if (values >= 3).any():
        driver.view(status, 1, "int32")[0] = FIRST_FAILURE


def row(driver: StubDriver, grid: Grid, block: int, words: tuple[int, ...]) -> None:
    """One number to a place: (status, target, value)."""
    driver.view(words[1], 1, "float64")[0] = words[2] + 100 * grid[0]


KERNELS = {"add": add, "below_three": below_three, "row": row}


def program(buffers: Sequence[Buffer], steps: Sequence[Step], **more: Any) -> Program:
    known = {b.name: b for b in buffers}
    first = more.pop("first", None) or next(b.name for b in buffers if b.kind in ("input", "shared"))
    made = Program(known, (Binding(SYMBOLS["n"], first, 0),), more.pop("checks", ()), tuple(steps), **more)
    verify(made)
    return made


def executable(
    of: Program, items: Sequence[Item], driver: StubDriver, constants: Sequence[Any] = (), routines: Sequence[Any] = ()
) -> CudaExecutable:
    """By way of the bytes that a cache keeps."""
    gpu = GpuProgram(of, "text", tuple(items), any(f for f in of.failures))
    code = GpuCode.unpacked(GpuCode.of(gpu, "text").packed())
    assert code == GpuCode.of(gpu, "text")
    return CudaExecutable(Interface.of(of), code, constants, Device(driver), routines)


def call(f: CudaExecutable, inputs: Sequence[Any], shareds: Sequence[DeviceArray] = ()) -> tuple[int, tuple[Any, ...]]:
    return f.execute(f.bind(inputs, shareds))


def sum_of_two() -> tuple[Program, list[Item]]:
    """temp = x + x; y = temp + c."""
    of = program(
        [vector("x", kind="input"), vector("c", kind="constant"), vector("y", kind="output"), vector("a")],
        [elementwise("a", "x", "x"), elementwise("y", "a", "c")],
        offsets={"a": 0},
        slots=((8 * n,),),
    )
    return of, [launch("add", 0, "x", "x", "a", grid=n), launch("add", 1, "a", "c", "y", grid=n)]


def test_a_call_computes_its_outputs() -> None:
    driver = StubDriver(KERNELS)
    f = executable(*sum_of_two(), driver, [np.arange(5.0)])
    status, (y,) = call(f, [np.arange(5.0)])
    assert status == 0
    np.testing.assert_array_equal(y, 3 * np.arange(5.0))
    assert [s for s in driver.said if s[0] == "launch"] == [("launch", "add", (5, 1, 1), 32)] * 2
    assert y.flags.writeable
    other = call(f, [np.ones(5)])[1][0]
    np.testing.assert_array_equal(y, 3 * np.arange(5.0))  # the caller's own
    np.testing.assert_array_equal(other, 2 + np.arange(5.0))


def test_memory_is_asked_for_once() -> None:
    driver = StubDriver(KERNELS)
    f = executable(*sum_of_two(), driver, [np.arange(5.0)])
    call(f, [np.arange(5.0)])
    driver.said.clear()
    call(f, [np.arange(5.0)])
    assert [s[0] for s in driver.said] == ["upload", "launch", "launch", "download"]


def test_sizes_may_change_and_be_zero() -> None:
    driver = StubDriver(KERNELS)
    of = program([vector("x", kind="input"), vector("y", kind="output")], [elementwise("y", "x")])
    f = executable(of, [launch("add", 0, "x", "y", grid=n)], driver)
    for count in (3, 20_000, 0, 3):  # 20,000 doubles travel alone
        x = np.arange(float(count))
        np.testing.assert_array_equal(call(f, [x])[1][0], x)
    assert len([s for s in driver.said if s[0] == "launch"]) == 3


def test_inputs_of_any_strides_and_on_the_device() -> None:
    driver = StubDriver(KERNELS)
    f = executable(*sum_of_two(), driver, [np.zeros(3)])
    np.testing.assert_array_equal(call(f, [np.arange(6.0)[::2]])[1][0], [0, 4, 8])
    there = f.device.uploaded(np.array([1.0, 2.0, 3.0]))
    driver.said.clear()
    np.testing.assert_array_equal(call(f, [there])[1][0], [2, 4, 6])
    assert "upload" not in [s[0] for s in driver.said]
    np.testing.assert_array_equal(call(f, [np.ones(3)])[1][0], [2, 2, 2])


def test_outputs_may_stay_on_the_device() -> None:
    driver = StubDriver(KERNELS)
    f = executable(*sum_of_two(), driver, [np.zeros(3)])
    f.keep([True])
    first, second = (call(f, [np.full(3, k)])[1][0] for k in (1.0, 2.0))
    assert isinstance(first, DeviceArray)
    np.testing.assert_array_equal(np.asarray(first), [2, 2, 2])
    np.testing.assert_array_equal(second.numpy(), [4, 4, 4])
    np.testing.assert_array_equal(np.from_dlpack(second), [4, 4, 4])  # a copy: emulated memory belongs to no GPU
    assert not hasattr(second, "__cuda_array_interface__")
    np.testing.assert_array_equal(call(f, [second])[1][0].numpy(), [8, 8, 8])


def updating(checked: bool) -> tuple[Program, list[Item]]:
    """a = x, which may fail; w = w + a."""
    of = program(
        [vector("x", kind="input"), vector("w", kind="shared"), vector("a")],
        [elementwise("a", "x", checked=FIRST_FAILURE if checked else 0), elementwise("w", "w", "a")],
        offsets={"a": 0},
        slots=((8 * n,),),
        failures=(Failure("too large", 0),) if checked else (),
    )
    return of, [launch("below_three" if checked else "add", 0, "x", "a"), launch("add", 1, "w", "a", "w")]


def test_shared_values_are_updated_in_place() -> None:
    driver = StubDriver(KERNELS)
    f = executable(*updating(False), driver)
    w = f.device.uploaded(np.zeros(3))
    for _ in range(3):
        assert call(f, [np.ones(3)], [w]) == (0, ())
    np.testing.assert_array_equal(w.numpy(), [3, 3, 3])
    other = f.device.uploaded(np.full(3, 10.0))
    call(f, [np.ones(3)], [other])
    np.testing.assert_array_equal(other.numpy(), [11, 11, 11])
    np.testing.assert_array_equal(w.numpy(), [3, 3, 3])


def test_a_call_that_fails_changes_nothing() -> None:
    driver = StubDriver(KERNELS)
    f = executable(*updating(True), driver)
    w = f.device.uploaded(np.zeros(3))
    assert call(f, [np.full(3, 5.0)], [w]) == (FIRST_FAILURE, ())
    np.testing.assert_array_equal(w.numpy(), [0, 0, 0])
    assert call(f, [np.ones(3)], [w]) == (0, ())  # and is forgotten by the next
    np.testing.assert_array_equal(w.numpy(), [1, 1, 1])


def test_a_failure_without_updates_is_told_with_the_outputs() -> None:
    driver = StubDriver(KERNELS)
    of = program(
        [vector("x", kind="input"), vector("y", kind="output")],
        [elementwise("y", "x", checked=FIRST_FAILURE)],
        failures=(Failure("too large", 0),),
    )
    f = executable(of, [launch("below_three", 0, "x", "y")], driver)
    assert call(f, [np.full(4, 7.0)]) == (FIRST_FAILURE, ())
    driver.said.clear()
    status, (y,) = call(f, [np.ones(4)])
    assert status == 0
    np.testing.assert_array_equal(y, np.ones(4))
    assert [s[0] for s in driver.said] == ["upload", "launch", "download"]


def test_checks_at_entry() -> None:
    driver = StubDriver(KERNELS)
    of = program(
        [vector("x", kind="input"), vector("y", kind="output")],
        [elementwise("y", "x")],
        checks=(Check(Fact("<=", n, 4), 0), Check(Fact("==", n, 3), 0)),
    )
    f = executable(of, [launch("add", 0, "x", "y")], driver)
    assert [f.bind([np.zeros(k)]).status for k in (3, 4, 5)] == [0, 2, 1]
    assert f.bind([np.zeros(5)]) == Bound(1, {SYMBOLS["n"]: 5})
    with pytest.raises(ProgramError):
        f.execute(f.bind([np.zeros(5)]))
    with pytest.raises(ProgramError, match="x must be float64"):
        f.bind([np.zeros(3, np.float32)])


def test_a_size_may_be_that_of_a_constant() -> None:
    driver = StubDriver(KERNELS)
    of = program([vector("c", kind="constant"), vector("y", kind="output")], [elementwise("y", "c")], first="c")
    f = executable(of, [launch("add", 0, "c", "y")], driver, [np.arange(3.0)])
    np.testing.assert_array_equal(call(f, [])[1][0], [0, 1, 2])


def test_a_loop_counts_in_parameters_grids_and_addresses() -> None:
    driver = StubDriver(KERNELS)
    view = contiguous("y", "float64", (n,))
    body = Kernel((Store(view, (t,), Load(contiguous("x", "float64", (n,)), (t,))),))
    of = program(
        [vector("x", kind="input"), vector("y", kind="output")],
        [elementwise("y", "x"), Loop(SYMBOLS["t"], n, (body,))],
    )
    each = Launch("row", (t, 1, 1), 32, (Pointer("y", 8 * t), Number("int64", 7 * t)), 2)
    f = executable(of, [launch("add", 0, "x", "y"), Repeat(SYMBOLS["t"], n, (each,))], driver)
    x = np.array([-1.0, -2, -3, -4])
    np.testing.assert_array_equal(call(f, [x])[1][0], [-1, 107, 214, 321])  # no blocks in the first round: not launched


def test_a_loop_ends_by_its_condition_and_branches_go_by_theirs() -> None:
    def count(driver: StubDriver, grid: Grid, block: int, words: tuple[int, ...]) -> None:
        _, target, flag, round_, last = words
        driver.view(target, 1, "float64")[0] += 1
        driver.view(flag, 1, "bool")[0] = round_ == last

    driver = StubDriver(KERNELS | {"count": count})
    flag, whole = contiguous("flag", "bool", ()), contiguous("y", "float64", (n,))
    one = Kernel((Store(whole, (0,), Load(contiguous("x", "float64", (n,)), (0,))),))
    stops = Kernel((Store(flag, (), Load(contiguous("b", "bool", ()), ())),))
    of = program(
        [
            vector("x", kind="input"), Buffer("b", "bool", (), "input"), vector("y", kind="output"),
            Buffer("flag", "bool", (), "temp"),
        ],
        [elementwise("y", "x"), Loop(SYMBOLS["t"], 10, (one, stops), flag), If(contiguous("b", "bool", ()), (one,), ())],
        offsets={"flag": 0},
        slots=((1,),),
    )  # fmt: skip
    items: list[Item] = [
        launch("add", 0, "x", "y"),
        Repeat(SYMBOLS["t"], 10, (launch("count", 2, "y", "flag", numbers=(t, 3)),), flag),
        Choose(contiguous("b", "bool", ()), (launch("add", 5, "y", "y", "y"),), ()),
    ]
    f = executable(of, items, driver)
    np.testing.assert_array_equal(call(f, [np.zeros(2), np.array(False)])[1][0], [4, 0])
    np.testing.assert_array_equal(call(f, [np.zeros(2), np.array(True)])[1][0], [8, 0])


def sorting() -> tuple[Program, list[Item]]:
    """a = x, checked; y[::-1] = sorted(a[::2]), on the host; z = y + y."""
    half = 2
    every_other, back = View("a", "float64", (half,), (2,)), View("y", "float64", (half,), (-1,), half - 1)
    call_ = Call("routine", (every_other, back), (0,), routine=0)
    of = program(
        [vector("x", kind="input"), vector("a"), vector("y", half, kind="output")],
        [elementwise("a", "x", checked=FIRST_FAILURE), call_],
        offsets={"a": 0},
        slots=((8 * n,),),
        failures=(Failure("too large", 0),),
    )
    return of, [launch("below_three", 0, "x", "a"), HostCall(1, call_)]


def test_routines_run_on_the_host() -> None:
    driver = StubDriver(KERNELS)
    f = executable(*sorting(), driver, routines=[np.sort])
    np.testing.assert_array_equal(call(f, [np.array([2.0, -5, 1, -6])])[1][0], [2, 1])


def test_a_routine_never_sees_what_a_failed_check_left() -> None:
    called: list[Any] = []
    f = executable(*sorting(), StubDriver(KERNELS), routines=[called.append])
    assert call(f, [np.array([9.0, 0, 1, 0])]) == (FIRST_FAILURE, ())
    assert called == []


def test_what_a_routine_raises_comes_out() -> None:
    def no(_: Any) -> Any:
        raise ArithmeticError("no")

    f = executable(*sorting(), StubDriver(KERNELS), routines=[no])
    with pytest.raises(RoutineRaised, match="no"):
        call(f, [np.array([2.0, 0, 1, 0])])


# ---- memory ----


def test_out_of_memory_changes_nothing_and_passes() -> None:
    driver = StubDriver(KERNELS, memory=8 << 10)
    f = executable(*updating(False), driver)
    w = f.device.uploaded(np.zeros(3))
    with pytest.raises(CudaMemoryError, match=r"no room for \d+ bytes: \d+ of its 8192 bytes are free"):
        call(f, [np.ones(3000)], [f.device.uploaded(np.zeros(3000))])
    np.testing.assert_array_equal(w.numpy(), [0, 0, 0])
    call(f, [np.ones(3)], [w])
    np.testing.assert_array_equal(w.numpy(), [1, 1, 1])


def test_memory_is_used_again() -> None:
    driver = StubDriver(KERNELS)
    device = Device(driver)
    a = device.array((100,), "float64")
    place = a.address
    del a
    gc.collect()
    assert device.array((99,), "float64").address == place
    assert len([s for s in driver.said if s[0] == "allocate"]) == 1
    assert device.release() == 1024
    assert driver.live == {}


def test_what_waits_makes_room_for_others() -> None:
    device = Device(StubDriver(KERNELS, memory=8 << 10))
    for _ in range(3):  # of other sizes: none fits where another was
        for count in (100, 300, 500, 700):
            device.array((count,), "float64")


def test_parts_of_the_arena_are_named_for_checks() -> None:
    driver = StubDriver(KERNELS)
    f = executable(*sum_of_two(), driver, [np.zeros(3)])
    call(f, [np.ones(3)])
    assert [(size, name) for _, size, name in driver.labels] == [
        (24, "array float64[3]"), (4, "the status word"), (24, "output y"), (24, "input x"), (24, "temp a"),
    ]  # fmt: skip
    assert all(address % 256 == 0 for address, _, _ in driver.labels)


def test_a_forked_process_is_told() -> None:
    driver = StubDriver(KERNELS)
    f = executable(*sum_of_two(), driver, [np.zeros(3)])
    f.device._process = -1  # as os.getpid() tells it in a child
    with pytest.raises(DeviceLostError, match="spawn"):
        call(f, [np.ones(3)])


# ---- CUDA graphs ----


def test_a_step_that_is_repeated_becomes_a_graph() -> None:
    driver = StubDriver(KERNELS, can_capture=True)
    f = executable(*updating(False), driver)
    w = f.device.uploaded(np.zeros(3))
    for _ in range(5):
        call(f, [np.ones(3)], [w])
    np.testing.assert_array_equal(w.numpy(), [5, 5, 5])
    assert [s[0] for s in driver.said if s[0] in ("launch", "graph")] == ["launch"] * 4 + ["graph"] * 3
    other = f.device.uploaded(np.zeros(3))  # in another place: launched anew
    driver.said.clear()
    call(f, [np.ones(3)], [other])
    np.testing.assert_array_equal(other.numpy(), [1, 1, 1])
    assert "graph" not in [s[0] for s in driver.said]
    call(f, [np.ones(4)], [f.device.uploaded(np.zeros(4))])
    call(f, [np.ones(3)], [w])
    np.testing.assert_array_equal(w.numpy(), [6, 6, 6])


def test_a_graph_stops_where_the_status_is_looked_at() -> None:
    driver = StubDriver(KERNELS, can_capture=True)
    f = executable(*updating(True), driver)
    w = f.device.uploaded(np.zeros(3))
    for _ in range(4):
        call(f, [np.ones(3)], [w])
    driver.said.clear()
    assert call(f, [np.full(3, 8.0)], [w]) == (FIRST_FAILURE, ())
    assert [s[0] for s in driver.said] == ["upload", "graph", "download"]
    np.testing.assert_array_equal(w.numpy(), [4, 4, 4])


def test_routines_and_branches_are_no_part_of_graphs() -> None:
    driver = StubDriver(KERNELS, can_capture=True)
    f = executable(*sorting(), driver, routines=[np.sort])
    for _ in range(5):
        call(f, [np.array([2.0, 0, 1, 0])])
    assert "graph" not in [s[0] for s in driver.said]


# ---- interrupts ----


@pytest.mark.skipif(not hasattr(signal, "raise_signal"), reason="signals of this kind")
def test_ctrl_c_waits_for_the_writes() -> None:
    def struck(driver: StubDriver, grid: Grid, block: int, words: tuple[int, ...]) -> None:
        signal.raise_signal(signal.SIGINT)
        add(driver, grid, block, words)

    of = program(
        [vector("x", kind="input"), vector("w", kind="shared"), vector("v", kind="shared")],
        [elementwise("w", "w", "x"), elementwise("v", "v", "x")],
    )
    items = [launch("struck", 0, "w", "x", "w"), launch("add", 1, "v", "x", "v")]
    driver = StubDriver(KERNELS | {"struck": struck})
    f = executable(of, items, driver)
    w, v = (f.device.uploaded(np.zeros(3)) for _ in range(2))
    with pytest.raises(KeyboardInterrupt):
        call(f, [np.ones(3)], [w, v])
    np.testing.assert_array_equal(w.numpy(), [1, 1, 1])
    np.testing.assert_array_equal(v.numpy(), [1, 1, 1])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_before_the_writes_breaks_off() -> None:
    def struck(driver: StubDriver, grid: Grid, block: int, words: tuple[int, ...]) -> None:
        driver.view(words[0], 1, "int32")[0] = FIRST_FAILURE  # and nobody reads it
        signal.raise_signal(signal.SIGINT)

    of, items = updating(True)
    driver = StubDriver(KERNELS | {"below_three": struck})
    f = executable(of, items, driver)
    w = f.device.uploaded(np.zeros(3))
    with pytest.raises(KeyboardInterrupt):
        call(f, [np.ones(3)], [w])
    np.testing.assert_array_equal(w.numpy(), [0, 0, 0])
    driver.kernels = KERNELS
    g = executable(of, items, driver)
    assert call(g, [np.ones(3)], [w]) == (0, ())


# ---- arrays of others ----


class Foreign:
    """An array of another library on the same device."""

    def __init__(self, address: int, shape: tuple[int, ...], strides: tuple[int, ...] | None) -> None:
        self.__cuda_array_interface__ = {
            "data": (address, False), "shape": shape, "typestr": "<f8", "version": 3, "strides": strides, "stream": 1,
        }  # fmt: skip


def test_arrays_of_other_libraries_are_read_where_they_lie() -> None:
    driver = StubDriver(KERNELS)
    device = Device(driver)
    own = device.uploaded(np.arange(6.0).reshape(2, 3))
    adopted = device.adopted(Foreign(own.address, (2, 3), None))
    np.testing.assert_array_equal(adopted.numpy(), own.numpy())
    assert ("synchronize",) in driver.said
    assert device.adopted(Foreign(own.address, (2, 3), (24, 8))).shape == (2, 3)
    with pytest.raises(InputError, match="not in C order"):
        device.adopted(Foreign(own.address, (3, 2), (8, 24)))


def test_a_real_device_offers_its_memory() -> None:
    driver = StubDriver(KERNELS)
    driver.takes = "ptx"
    device = Device(driver)
    own = device.uploaded(np.arange(6.0).reshape(2, 3))
    told = own.__cuda_array_interface__
    assert (told["data"], told["shape"], told["typestr"], told["version"]) == ((own.address, False), (2, 3), "<f8", 3)
    np.testing.assert_array_equal(device.adopted(own).numpy(), own.numpy())
    assert own.__dlpack_device__() == (2, 0)
    np.testing.assert_array_equal(np.from_dlpack(own, device="cpu"), own.numpy())
    capsule = own.__dlpack__()
    assert "dltensor" in repr(capsule)


def test_a_capsule_keeps_its_array_alive() -> None:
    from symdl.backends.cuda import dlpack

    driver = StubDriver(KERNELS)
    driver.takes = "ptx"
    device = Device(driver)
    kept = len(dlpack._kept)
    capsule = device.uploaded(np.zeros(3)).__dlpack__()
    gc.collect()
    assert device.array((3,), "float64").address != ALIGNED  # not given back
    assert len(dlpack._kept) == kept + 1
    del capsule
    gc.collect()
    assert len(dlpack._kept) == kept
    assert device.array((3,), "float64").address == ALIGNED


ALIGNED = 256  # the first address of a StubDriver


def test_dlpack_describes_an_array_as_numpy_reads_it() -> None:
    from symdl.backends.cuda.dlpack import capsule

    array = np.arange(6, dtype=np.int16).reshape(2, 3)

    class Host:
        def __dlpack__(self, **_: Any) -> Any:
            return capsule(self, array.ctypes.data, array.shape, array.dtype, (1, 0))

        def __dlpack_device__(self) -> tuple[int, int]:
            return 1, 0

    found = np.from_dlpack(Host())
    np.testing.assert_array_equal(found, array)
    assert found.ctypes.data == array.ctypes.data
