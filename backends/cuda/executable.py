"""CudaExecutable: a Program on a GPU, called like one on the CPU. See symdl.backends.base for the rules.

Inputs are NumPy arrays or DeviceArrays, shared arrays are DeviceArrays, outputs are NumPy arrays but for those that
`keep` says stay on the device. A call writes no shared value before the last check that can fail; from the first such write on it
is not interrupted. Work that nobody waits for (a call without outputs) goes on after `execute` has returned; whoever asks
for a value waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from symdl.backends.base import Bound
from symdl.backends.cuda.code import GpuCode
from symdl.backends.cuda.cublas import Cublas
from symdl.backends.cuda.device import Array, Block, Device, DeviceArray
from symdl.backends.cuda.interrupts import whole
from symdl.backends.cuda.plans import STATUS_BYTES, Action, Around, Failed, Plan
from symdl.backends.interface import Interface
from symdl.backends.nvptx.launches import launches
from symdl.backends.routines import Routine
from symdl.errors import ProgramError
from symdl.ir.program import Check, Program
from symdl.types import Extent, Symbol, size_at, symbols

REMEMBERED_SHAPES = 256  # of the arrays of a call, whose sizes are kept
REMEMBERED_PLANS = 64  # sets of sizes whose plans an Executable keeps
CALLS_BEFORE_CAPTURE = 2  # of one plan in the same places, after which its launches become a CUDA graph
MOST_GRAPHS = 1024  # of one plan: one for each number of a minibatch
MOST_CAPTURED = 4096  # kernels of a function that are captured: a Repeat's rounds stand one after the other in a graph


class CudaExecutable:
    """A GpuCode on a device. timed: wraps the launches of a step, for profiles. library: takes large products."""

    def __init__(
        self,
        interface: Interface,
        code: GpuCode,
        constants: Sequence[Array],
        device: Device,
        routines: Sequence[Routine] = (),
        timed: Around | None = None,
        library: Cublas | None = None,
    ) -> None:
        self.interface, self._gpu, self.device, self.timed = interface, code, device, timed
        self.library = library
        self.routines = tuple(routines)
        held = interface.of_kind("constant")
        if len(held) != len(constants):
            raise ProgramError(f"{len(constants)} constants given for {len(held)}")
        if len(routines) != len(interface.routines):
            raise ProgramError(f"{len(routines)} routines given for {len(interface.routines)}")
        self._module = device.driver.load(code.text)
        names = dict.fromkeys(launch.kernel for launch in launches(code.items))
        self._functions = {name: self._module.function(name) for name in names}
        self._constants = {
            b.name: device.uploaded(np.array(a, b.dtype, order="C", ndmin=len(b.shape)))
            for b, a in zip(held, constants, strict=True)
        }
        self._inputs, self._shareds = interface.of_kind("input"), interface.of_kind("shared")
        self._outputs = interface.of_kind("output")
        self.keep((False,) * len(self._outputs))
        given = (*self._inputs, *self._shareds)
        self._entered = [(b, np.dtype(b.dtype), len(b.shape)) for b in given]
        number = {b.name: k for k, b in enumerate(given)}
        bindings = code.program.bindings
        # symbols that are extents of the arrays, and those that are values of them or of constants
        axes = [(b.symbol, b.buffer, b.axis) for b in bindings if b.axis is not None]
        self._axes = [(symbol, number[name], axis) for symbol, name, axis in axes if name in number]
        known = {s: self._constants[name].shape[axis] for s, name, axis in axes if name not in number}
        self._values = [(b.symbol, number.get(b.buffer), b.buffer) for b in bindings if b.axis is None]
        self._loose = frozenset(symbol for symbol, _, _ in self._values)
        self._loose_extents = extents_with(self._loose, code.program)
        checks = list(enumerate(code.program.checks))
        self._loose_checks = [(k, c) for k, c in checks if self._loose & (symbols(c.fact.left) | symbols(c.fact.right))]
        self._fixed_checks = [one for one in checks if one not in self._loose_checks]
        self._known = known  # sizes of constants
        self._fixed: dict[tuple[tuple[int, ...], ...], dict[Symbol, int]] = {}  # the sizes that shapes give
        self._plans: dict[
            tuple[Any, Any], Plan | int
        ] = {}  # by shapes, and extents that values give; or a failing check
        self._own = threading.RLock()  # one call at a time has the workspace and the plans' parameters
        self._busy = False
        self._twin: CudaExecutable | None = None
        self._workspace: Block | None = None
        self._clear = False  # whether the status word of the workspace is 0
        self._active: Plan | None = None  # whose labels and graph fit the workspace
        self._calls = 0  # of the active plan in the same places
        # by the loose values: what takes the place of the plan's two lists
        self._graphs: dict[tuple[int, ...], list[list[Action]]] = {}
        self._outgoing: Array | None = None  # small inputs together
        self._incoming: Array | None = None  # small outputs together

    @property
    def code(self) -> bytes:
        """What the backend's `load` takes."""
        return self._gpu.packed()

    def when_optimized(self, action: Callable[[bytes | None], None], keep: bool = False) -> None:
        action(self.code)

    def keep(self, stay: Sequence[bool]) -> None:
        """Which outputs come out as DeviceArrays."""
        self._stay = tuple(stay)

    def entry(self, *_: Any) -> None:
        """No native way in: calls come through bind and execute."""

    def bind(self, inputs: Sequence[Any], shareds: Sequence[DeviceArray] = ()) -> Bound:
        """Find the sizes in the arrays and check the program's facts."""
        if (len(inputs), len(shareds)) != (len(self._inputs), len(self._shareds)):
            expected = len(self._inputs), len(self._shareds)
            raise ProgramError(f"{len(inputs)} inputs and {len(shareds)} shared arrays given for {expected}")
        arrays: list[Any] = []
        for (buffer, dtype, ndim), array in zip(self._entered, (*inputs, *shareds), strict=True):
            if (array.dtype is not dtype and array.dtype != dtype) or array.ndim != ndim:
                wanted = f"{dtype} with {ndim} axes"
                raise ProgramError(f"{buffer.name} must be {wanted}, not {array.dtype} with {array.ndim}")
            if type(array) is not DeviceArray:
                if buffer.kind == "shared":
                    if self._gpu.commits:
                        raise ProgramError(f"the shared array {buffer.name} must lie on the device")
                    array = self.device.uploaded(array)
                elif not array.flags.c_contiguous:
                    array = np.array(array, order="C", ndmin=ndim)
            arrays.append(array)
        shapes = tuple([a.shape for a in arrays])
        fixed = self._fixed.get(shapes)
        if fixed is None:
            if len(self._fixed) >= REMEMBERED_SHAPES:
                self._fixed.clear()
            fixed = {**self._known, **{s: shapes[k][axis] for s, k, axis in self._axes}}
            self._fixed[shapes] = fixed
        sizes = fixed
        extents: tuple[int, ...] = ()
        loose: dict[Symbol, int] = {}
        if self._values:
            found = ((s, self._constants[name] if k is None else arrays[k]) for s, k, name in self._values)
            loose = {s: int(a.numpy() if isinstance(a, DeviceArray) else a) for s, a in found}
            sizes = {**fixed, **loose}
            extents = tuple([size_at(e, sizes) for e in self._loose_extents])
        plan = self._plans.get((shapes, extents))
        if plan is None:
            plan = unmet(self._fixed_checks, fixed) or self._plan(fixed, loose, arrays)
            if len(self._plans) >= REMEMBERED_PLANS:
                self._plans.clear()
            self._plans[shapes, extents] = plan
        late = unmet(self._loose_checks, sizes)
        if isinstance(plan, int) or late:
            return Bound(min(filter(None, (plan if isinstance(plan, int) else 0, late))), sizes)
        return Bound(0, sizes, tuple(arrays), (plan, loose))

    def _plan(self, sizes: dict[Symbol, int], loose: dict[Symbol, int], arrays: Sequence[Any]) -> Plan:
        given = {b.name: a.nbytes for b, a in zip(self._inputs, arrays, strict=False)}
        return Plan(
            self._gpu, self.device, self._functions, self.routines, sizes, given, self.timed, loose, self.library
        )

    def execute(self, bound: Bound) -> tuple[int, tuple[Any, ...]]:
        """Run it: (0, outputs), or (status, ()) where a check in a kernel failed. Raises RoutineRaised where a routine
        raises, CudaMemoryError (nothing has changed) and other CudaErrors."""
        if bound.status:
            raise ProgramError(f"execute after check {bound.status - 1} has failed")
        self.device.check_process()
        with self._own:
            if self._busy:  # a routine or a signal handler of this very call calls the function again
                count = len(self._inputs)
                self._twin = self._twin or self._copy()
                return self._twin.execute(self._twin.bind(bound.arrays[:count], bound.arrays[count:]))
            try:
                self._busy = True
                with self.device.lock:
                    return self._executed(bound)
            finally:
                self._busy = False

    def _executed(self, bound: Bound) -> tuple[int, tuple[Any, ...]]:
        plan: Plan = bound.machine[0]
        loose: dict[Symbol, int] = bound.machine[1]
        try:
            outputs = self._prepared(plan, bound.arrays)
            plan.set(loose)
            self._run(plan, tuple(loose.values()))
            return 0, self._results(plan, outputs)
        except Failed as failed:
            self._clear = False
            return failed.status, ()
        except BaseException:
            self._clear = False  # kernels that nobody has waited for may yet set it
            raise

    def _copy(self) -> CudaExecutable:
        """The same with memory and plans of its own."""
        constants = [self._constants[b.name].numpy() for b in self.interface.of_kind("constant")]
        made = CudaExecutable(self.interface, self._gpu, constants, self.device, self.routines, library=self.library)
        made.keep(self._stay)
        return made

    def _prepared(self, plan: Plan, arrays: Sequence[Any]) -> list[Any]:
        """Memory, addresses and inputs of a call: the outputs that stay on the device, None for others. All that may be
        refused is asked for first. Small outputs that stay are copied in the end: a graph keeps its addresses."""
        device, layout = self.device, plan.layout
        outputs: list[Any] = [None] * len(self._outputs)
        for k, buffer in enumerate(self._outputs):
            if self._stay[k]:
                outputs[k] = device.array(layout.extents[buffer.name], buffer.dtype)
        if self._workspace is None or self._workspace.bytes_ < layout.bytes_:
            self._workspace = self._active = None
            self._graphs = {}
            self._workspace = device.allocate(layout.bytes_)
            self._clear = False
        base = self._workspace.address
        outside = {name: array.address for name, array in self._constants.items()}
        for buffer, array in zip((*self._inputs, *self._shareds), arrays, strict=True):
            if isinstance(array, DeviceArray):
                outside[buffer.name] = array.address
        for buffer, kept in zip(self._outputs, outputs, strict=True):
            if kept is not None and buffer.name not in layout.small:
                outside[buffer.name] = kept.address
        moved = plan.place(base, outside)
        if moved or self._active is not plan:
            self._graphs = {}
            self._calls = 0
        if self._active is not plan:
            plan.label(base)
            self._active = plan
        if not self._clear:
            device.driver.fill(base, 0, STATUS_BYTES, device.stream)
            self._clear = True
        self._upload(plan, arrays, base)
        return outputs

    def _upload(self, plan: Plan, arrays: Sequence[Any], base: int) -> None:
        """The inputs to the device, small ones together."""
        driver, stream, layout = self.device.driver, self.device.stream, plan.layout
        small: list[tuple[int, Array]] = []
        begin, end = layout.up
        for buffer, array in zip(self._inputs, arrays, strict=False):
            if isinstance(array, DeviceArray) or not array.nbytes:
                continue
            place = layout.places[buffer.name]
            if buffer.name in layout.small:
                small.append((place, array))
            else:
                driver.upload(base + place, array, stream)
        if len(small) == 1:
            ((place, array),) = small
            driver.upload(base + place, array, stream)
        elif small:
            if self._outgoing is None or self._outgoing.nbytes < end - begin:
                self._outgoing = np.empty(end - begin, np.uint8)  # not pinned: the driver copies it before it goes on
            staging = self._outgoing
            for place, array in small:
                at = place - begin
                staging[at : at + array.nbytes] = array.reshape(-1).view(np.uint8)
            driver.upload(base + begin, staging[: end - begin], stream)

    def _run(self, plan: Plan, loose: tuple[int, ...]) -> None:
        """Everything up to the first write to a shared value may be broken off; the rest is done as a whole."""
        self._calls += 1
        graphs = self._graphs.get(loose)
        if graphs is None and self._may_capture(plan):
            parts = (plan.before, plan.after) if plan.checked else ((), (*plan.before, *plan.after))
            graphs = [self._captured(actions) for actions in parts]
            if len(self._graphs) >= MOST_GRAPHS:
                self._graphs.clear()
            self._graphs[loose] = graphs
        before, after = graphs or (plan.before, plan.after)
        _all(before)
        if plan.checked:
            plan.check()
        if graphs is not None or plan.writes_at_once:
            _all(after)
        elif after:
            whole(partial(_all, after))

    def _may_capture(self, plan: Plan) -> bool:
        if not self.device.driver.can_capture or self.timed is not None or self._calls <= CALLS_BEFORE_CAPTURE:
            return False
        return not (plan.waits_before or plan.waits_after) and plan.launched() <= MOST_CAPTURED

    def _captured(self, actions: Sequence[Action]) -> list[Action]:
        """One action that does what these do: the launch of a CUDA graph."""
        if not actions:
            return []
        stream = self.device.stream
        with self.device.driver.capture(stream) as graph:
            _all(actions)
        return [partial(graph.launch, stream)]

    def _results(self, plan: Plan, outputs: list[Any]) -> tuple[Any, ...]:
        """The outputs, once the status word is good; small ones come together with it."""
        driver, stream, layout = self.device.driver, self.device.stream, plan.layout
        assert self._workspace is not None
        base = self._workspace.address
        small = [k for k, b in enumerate(self._outputs) if outputs[k] is None and b.name in layout.small]
        if len(small) + plan.fails > 1:
            if self._incoming is None or self._incoming.nbytes < layout.down:
                self._incoming = driver.pinned(layout.down)
            head = self._incoming[: layout.down]
            driver.download(head, base, stream)
            if plan.fails and (status := int(head[:STATUS_BYTES].view(np.int32)[0])):
                raise Failed(status)
            for k in small:
                buffer = self._outputs[k]
                at, bytes_ = layout.places[buffer.name], layout.sizes[buffer.name]
                found = head[at : at + bytes_].view(buffer.dtype).reshape(layout.extents[buffer.name])
                outputs[k] = found.copy()
        elif plan.fails:
            plan.check()
        for k, buffer in enumerate(self._outputs):
            bytes_, there = layout.sizes[buffer.name], base + layout.places[buffer.name]
            if outputs[k] is None:
                outputs[k] = np.empty(layout.extents[buffer.name], buffer.dtype)
                if bytes_:
                    driver.download(outputs[k], there, stream)
            elif self._stay[k] and bytes_ and buffer.name in layout.small:
                driver.copy(outputs[k].address, there, bytes_, stream)
        return tuple(outputs)


def extents_with(found: frozenset[Symbol], program: Program) -> list[Extent]:
    """The extents by which a plan lays out memory that depend on these symbols: a slice of a minibatch has as many rows for
    most of its numbers."""
    every = [n for b in program.buffers.values() for n in b.shape]
    every += [n for slot in program.slots for n in slot]
    return list(dict.fromkeys(n for n in every if symbols(n) & found))


def unmet(checks: Sequence[tuple[int, Check]], sizes: Mapping[Symbol, int]) -> int:
    """1 + the number of the first check that does not hold, or 0."""
    for k, check in checks:
        left, right = size_at(check.fact.left, sizes), size_at(check.fact.right, sizes)
        if left > right or (check.fact.relation == "==" and left != right):
            return 1 + k
    return 0


def _all(actions: Sequence[Action]) -> None:
    for action in actions:
        action()
