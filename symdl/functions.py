"""function: from inputs and outputs to something to call, in Theano's terms."""

from __future__ import annotations

import pickle
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from symdl.backends.base import Place
from symdl.backends.cpu.optimizing import finish_all
from symdl.backends.entry.objects import Callable, Entry, Held, Input, Turns, called_directly, slot_offset
from symdl.config import config
from symdl.diagnosis.nan_guard import NanGuard, guard_of
from symdl.errors import DeviceLostError, InputError, nearest
from symdl.graph.expr import Expr, described, short
from symdl.graph.methods import declared
from symdl.graph.packing import pack, unpack_all
from symdl.graph.walks import walks_remembered
from symdl.pipeline.compilation import Lowered
from symdl.runtime.devices import DEVICES, backend, gpu_backend
from symdl.runtime.inputs import Array, In, Out, as_array
from symdl.runtime.runs import Run, Way, native
from symdl.runtime.segments import Segment, segmented
from symdl.runtime.signature import NoDefaults, Pairs, Unused, graph_of, inputs_of, outputs_of, pairs_of, staying
from symdl.runtime.storage import SharedVariable, shared, swap
from symdl.runtime.turns import Turn, queue, wake

if TYPE_CHECKING:
    from symdl.diagnosis.stability_tables import StabilityReport
    from symdl.profiling.profile import Profile

MODES: dict[str | None, Way] = {
    None: "native", "native": "native", "FAST_RUN": "native", "FAST_COMPILE": "native",  # Theano's names; one compiler
    "interpreter": "interpreter", "numpy": "numpy",
}  # fmt: skip

OWN_TURNS = 4  # so many long calls of one function take their turns without Python at once
ARRAY_SLOT, BORROWED_SLOT = (slot_offset(SharedVariable, name) for name in ("array", "borrowed"))


def function(
    inputs: Sequence[Expr | In] = (),
    outputs: Any = None,
    updates: Pairs = (),
    givens: Pairs = (),
    *,
    on_unused_input: Unused | None = None,
    allow_input_downcast: bool | None = None,
    name: str | None = None,
    mode: str | NanGuard | None = None,
    precision: str | None = None,
    float_semantics: str | None = None,
    no_default_updates: NoDefaults = False,
    nan_guard: bool | NanGuard | None = None,
    device: str | None = None,
) -> Function:
    """Compile outputs and updates of inputs to one native function.

    inputs: variables, or In(variable, ...) for options. outputs: one expression, a list, a dictionary by name, or None.
    updates: (shared value, new value) pairs; all new values are computed from the old ones and stored when the outputs
    are done. givens: (variable, expression to use in its place) pairs. on_unused_input: config.on_unused_input unless
    given. allow_input_downcast: let float64 go into float32 inputs, floats into integers. mode: "native" (LLVM),
    "interpreter" (the loops, one scalar at a time) or "numpy" (the oracle), the latter two for finding mistakes.
    precision: config.precision unless given. "plain": formulas that are right in the inputs' own dtype. "right": what
    they cannot keep is computed in wider numbers, double-double and an exponent beside the number, where an error is
    magnified or a value may leave the range and come back; slower there, the same elsewhere.
    float_semantics: config.float_semantics unless given. "mathematical": 0 log 0 is 0, and the other deviations that
    symdl.semantics lists. "strict": NaN, infinities and signs of zeros come out as the formula says, as it is written.
    no_default_updates: True, or the shared values whose default_update is not to be made.
    nan_guard: config.nan_guard unless given. True or a NanGuard: a call whose outputs or new values hold NaN or infinities
    raises NanGuardError, which names the op that made the first, and changes no shared value. A NanGuard may stand as
    the mode too, as in Theano.
    device: config.device unless given. "cpu", "cuda" (the first NVIDIA GPU), or "cuda-emulated": the GPU's kernels on this
    computer's processor, slowly and under checks. Shared values stay on the device where a call left them, and move when
    they are wanted elsewhere. Outputs are NumPy arrays, but those declared by Out(x, on_device=True).

    Raises InputError, DtypeError or ShapeError where the parts do not fit together, and CudaUnavailableError where there
    is no GPU.
    """
    if isinstance(mode, NanGuard):
        nan_guard, mode = nan_guard if nan_guard is not None else mode, None
    return Function(
        inputs, outputs, updates, givens, on_unused_input or config.on_unused_input, allow_input_downcast, name, mode,
        no_default_updates, precision or config.precision, guard_of(nan_guard),
        float_semantics or config.float_semantics, device or config.device,
    )  # fmt: skip


@called_directly
class Function(Callable):
    """A compiled function: call it with values in the order of its inputs, or by name.

    A call raises InputError, DtypeError, ShapeError or IndexRangeError; nothing shared has changed then. Machine code
    checks NumPy arrays in C order of the right dtype, and numbers for inputs without axes, and makes the outputs;
    everything else is brought to that form in Python first.

    Re-entrant: several threads may call it at once; calls that update one shared value take turns. A long call lets go
    of the GIL and answers Ctrl-C between kernels, with all shared values wholly old or wholly new. No call changes an
    input. It pickles: the graph is compiled again on loading, and the shared values travel with it. copy.deepcopy gives a function
    with shared values of its own. f["x"] is the value kept for an input that has an update.

    The array of an output of up to 4 KB is given again by a later call once nobody holds it, a view or a weak reference of it.
    So who resizes one in place says out.resize(shape, refcheck=False).
    """

    @walks_remembered()
    def __init__(
        self, inputs: Sequence[Expr | In], outputs: Any, updates: Pairs, givens: Pairs, on_unused_input: Any,
        allow_input_downcast: bool | None, name: str | None, mode: str | None, no_default_updates: NoDefaults,
        precision: str = "plain", guard: NanGuard | None = None, float_semantics: str = "mathematical",
        device: str = "cpu",
    ) -> None:  # fmt: skip
        if mode not in MODES:
            raise InputError(f"function: there is no mode {mode!r}", (), f"modes: {', '.join(m for m in MODES if m)}")
        if on_unused_input not in ("raise", "warn", "ignore"):
            raise InputError(
                f"function: on_unused_input cannot be {on_unused_input!r}", (), "choices: raise, warn, ignore"
            )
        if precision not in ("plain", "right"):
            raise InputError(f"function: precision cannot be {precision!r}", (), "choices: plain, right")
        if float_semantics not in ("mathematical", "strict"):
            raise InputError(
                f"function: float_semantics cannot be {float_semantics!r}", (), "choices: mathematical, strict"
            )
        self.name, self.mode = name, MODES[mode]
        if device not in DEVICES:
            raise InputError(f"function: there is no device {device!r}", (), f"devices: {', '.join(DEVICES)}")
        self.device = device if self.mode == "native" else "cpu"
        self._options = (
            on_unused_input, allow_input_downcast, name, mode, no_default_updates, precision, guard, float_semantics,
            device,
        )  # fmt: skip
        self.guard = guard
        self.ins = inputs_of(inputs)
        self.kind, self._chosen = outputs_of(outputs)
        self._stays = staying(outputs)
        self._updates, self._givens = pairs_of(updates, "updates"), pairs_of(givens, "givens")
        self._state = {k: _hidden(one) for k, one in enumerate(self.ins) if one.update is not None}
        kept = [(self.ins[k].variable, leaf) for k, leaf in self._state.items()]
        made = [(leaf, self.ins[k].update) for k, leaf in self._state.items()]
        graph = graph_of(
            self.ins, self._state, self._chosen, [*self._updates, *made], [*self._givens, *kept], no_default_updates,
            on_unused_input,
        )  # fmt: skip
        self._whole = replace(graph, precision=precision, float_semantics=float_semantics)
        segments, self.graph = segmented(self._whole)
        self._set_up_calls(bool(allow_input_downcast))
        way = MODES[mode]
        self._gpu = backend(self.device).place
        self._segments = [Segment(s, way, self.device) for s in segments]
        self._main = Run(self.graph, way, self._to_lower, self.device)
        if self._main.executable is not None:
            swapped = len(self._to_lower.outputs) - self._count  # new values that come out as outputs
            self._main.executable.keep((*self._stays, *[False] * swapped))
        self.arm(native().entry_code, None)
        itself = weakref.ref(self)

        def call_directly(_: bytes | None) -> None:
            if (f := itself()) is not None:
                f.arm(native().entry_code, f._native_entry())

        if self._main.executable is not None:
            self._main.executable.when_optimized(call_directly)

    def _set_up_calls(self, downcast: bool) -> None:
        """All that every call needs and none should work out again."""
        self._takes = [
            (np.dtype(one.variable.type.dtype), one.variable.type.ndim, one.variable, one.strict,
             downcast if one.allow_downcast is None else one.allow_downcast)
            for k, one in enumerate(self.ins) if k not in self._state
        ]  # fmt: skip
        self._by_name: dict[str, int] = {}
        for k, one in enumerate(self.ins):
            if label := one.name or one.variable.name:
                self._by_name[label] = -1 if label in self._by_name else k  # -1: a name of two inputs
        self._shareds = [s for s in self.graph.shareds if isinstance(s, SharedVariable)]
        self._written = [s for s, _ in self.graph.updates if isinstance(s, SharedVariable)]
        self._places = [self._shareds.index(s) for s in self._written]
        self._both = frozenset(s.claims for s in self._shareds)
        self._alone = frozenset(s.claims for s in self._written)
        self._count = len(self.graph.outputs)
        resized = any(new.type.shape != old.type.shape for old, new in self.graph.updates)
        # New values of other sizes, those that are looked at first, and all of the oracle, come out as outputs and are
        # swapped in; else compiled code writes them in place.
        guarded = self.guard is not None
        self._swapped = self.mode == "numpy" or resized or guarded
        self._to_lower = replace(self.graph, outputs=self.graph.roots, updates=()) if resized or guarded else self.graph

    # ---- calling ----

    def _native_entry(self) -> Entry | None:
        """What machine code must know to take calls by itself; None if it cannot."""
        executable = self._main.executable
        if executable is None or self._swapped or self._segments:
            return None
        inputs = [Input(one.value, one.strict) for k, one in enumerate(self.ins) if k not in self._state]
        held = []
        for s in self._shareds:
            written = s.claims in self._alone
            watched = s.claims.everyone if written else s.claims.writers
            held.append(Held(s, ARRAY_SLOT, watched, BORROWED_SLOT if written else None))
        turns = Turns()
        if held:
            own = [Turn(self._both, self._alone) for _ in range(OWN_TURNS)]
            turns = Turns(own, own[0].sets, queue, wake)
        limit = min(self._state, default=len(self.ins))
        entry: Entry | None = executable.entry(inputs, held, turns, self.kind, limit)
        return entry

    def _general(self, *args: Any, **kwargs: Any) -> Any:
        """A call that machine code did not take, from its start."""
        states: dict[int, Array] = {}
        if kwargs or self._state or len(args) != len(self.ins):
            args, states = self._ordered(args, kwargs)
        arrays: list[Any] = []
        for value, (dtype, ndim, leaf, strict, downcast) in zip(args, self._takes, strict=True):
            if type(value) is not np.ndarray or value.dtype is not dtype or value.ndim != ndim:
                if self._gpu is not None and (there := self._gpu.lying_there(value)) is not None:
                    if there.dtype == dtype and there.ndim == ndim:
                        arrays.append(there)
                        continue
                    value = there.numpy()
                value = as_array(value, leaf, strict, downcast)
            arrays.append(
                value
                if value.flags.c_contiguous and value.flags.aligned and value.dtype is dtype
                else np.array(value, dtype, order="C")
            )
        if self._entry is not None and not states:
            outputs = self._entry(*arrays)
            if outputs is not NotImplemented:
                return outputs
        if not self._shareds:
            return self._shaped(self._run(arrays, []))
        turn = Turn(self._both, self._alone)
        leave = map(set.discard, turn.sets, repeat(turn))
        try:
            turn.take()
            outputs = self._with_shared(arrays, states)
        finally:
            deque(leave, 0)
            wake()
        return self._shaped(outputs)

    def _ordered(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[int, Array]]:
        """The values in the order of the inputs that are passed on, and those given for inputs with an update, by
        their place among the shared values."""
        if len(args) > len(self.ins):
            parts = [described(i.variable) for i in self.ins]
            raise InputError(f"{self._title()}: takes {len(self.ins)} inputs, not {len(args)}", parts)
        values: dict[int, Any] = dict(enumerate(args))
        for name, value in kwargs.items():
            k = self._by_name.get(name)
            if k is None or k < 0:
                raise self._unknown(name)
            if k in values:
                raise InputError(f"{self._title()}: {name!r} is given twice", [described(self.ins[k].variable)])
            values[k] = value
        states = {}
        for k, leaf in self._state.items():
            if k in values:
                own = np.array(as_array(values[k], self.ins[k].variable), order="C")
                states[self._shareds.index(leaf)] = own
        live = [k for k in range(len(self.ins)) if k not in self._state]
        if missing := [k for k in live if k not in values and self.ins[k].value is None]:
            names = " and ".join(repr(self.ins[k].variable) for k in missing)
            parts = [described(self.ins[k].variable) for k in missing]
            raise InputError(f"{self._title()}: no value is given for {names}", parts)
        return tuple(values[k] if k in values else self.ins[k].value for k in live), states

    def _unknown(self, name: str) -> InputError:
        parts = [described(i.variable) for i in self.ins]
        if name in self._by_name:
            return InputError(f"{self._title()}: several inputs are named {name!r}", parts, "Pass them in their order.")
        close = nearest(name, self._by_name)
        remedy = f"Was {close[0]} meant?" if close else ""
        return InputError(f"{self._title()}: there is no input named {name!r}", parts, remedy)

    def _with_shared(self, arrays: list[Any], states: Mapping[int, Array]) -> Sequence[Array]:
        """The outputs; the shared values are held and become the new ones when all else is done."""
        if self._gpu is not None:
            return self._with_shared_on(self._gpu, arrays, states)
        values = [s.on_host() for s in self._shareds]
        if not self._written:
            return self._run(arrays, values)
        if self._swapped or states or self.mode != "native":
            for k in self._places:
                values[k] = states[k] if k in states else values[k] if self._swapped else values[k].copy()
            outputs = self._run(arrays, values)
            swap(self._written, outputs[self._count :] if self._swapped else [values[k] for k in self._places])
            return outputs[: self._count]
        for k in self._places:
            self._shareds[k].residence.host_written()
            if self._shareds[k].borrowed:
                self._separate(arrays, values, k)
        return self._run(arrays, values)

    def _with_shared_on(self, device: Place, arrays: list[Any], states: Mapping[int, Array]) -> Sequence[Array]:
        """The same on a GPU, whose copies of the values are updated in place."""
        values = [
            device.uploaded(states[k]) if k in states else s.on_device(device) for k, s in enumerate(self._shareds)
        ]
        if self._swapped:
            outputs = self._run(arrays, values)
            if self._written:
                swap(self._written, outputs[self._count :])
            return outputs[: self._count]
        written = [s.residence for k, s in enumerate(self._shareds) if k in self._places and k not in states]
        at_home = [one for one in written if one.newest != "device"]
        for one in written:  # what is there now is the newest value, whatever becomes of the call
            one.device_written()
        try:
            outputs = self._run(arrays, values)
        except DeviceLostError:
            for one in at_home:  # the host still has what they were
                one.host_written()
            raise
        for k in states:
            self._shareds[k].residence.device_written(values[k])
        return outputs

    def _separate(self, arrays: list[Any], values: list[Array], k: int) -> None:
        """A borrowed array that is to be updated in place, and is also an input or another shared value: use a copy."""
        for j, array in enumerate(arrays):
            if np.may_share_memory(array, values[k]):
                arrays[j] = array.copy()
        for j, array in enumerate(values):
            if j != k and np.may_share_memory(array, values[k]):
                values[k] = values[k].copy()
                swap([self._shareds[k]], [values[k]])

    def _run(self, arrays: list[Any], values: list[Any]) -> Sequence[Array]:
        """The outputs, then the new values if they are not made in place."""
        arrays = self._counted(arrays, values)
        found = self._main(arrays, values)
        if self.guard is not None:
            from symdl.diagnosis.nan_origin import look  # loaded on use

            given, held, made = ([np.asarray(a) for a in group] for group in (arrays, values, found))
            look(self.guard, self._title(), self.graph, self._result_names(), given, held, made)
        return found

    def _counted(self, arrays: list[Any], values: list[Any]) -> list[Any]:
        """The inputs, and arrays whose sizes depend on data."""
        for segment in self._segments:
            arrays = [*arrays, *segment(arrays, values)]
        return arrays

    def _shaped(self, outputs: Sequence[Array]) -> Any:
        kind = self.kind
        if kind == "one":
            return outputs[0]
        if kind is None:
            return None
        return list(outputs) if kind == "list" else dict(zip(kind, outputs, strict=True))

    def _title(self) -> str:
        return self.name or "function"

    # ---- the values of inputs with an update ----

    def __getitem__(self, name: str | Expr) -> Array:
        """The value kept for an input with an update."""
        return self._kept(name).get_value()

    def __setitem__(self, name: str | Expr, value: Any) -> None:
        self._kept(name).set_value(value)

    def _kept(self, name: str | Expr) -> SharedVariable:
        for k, leaf in self._state.items():
            if name is self.ins[k].variable or name in (self.ins[k].name, self.ins[k].variable.name):
                return leaf
        raise InputError(f"{self._title()}: there is no input {name!r} with an update")

    # ---- looking at it ----

    def __repr__(self) -> str:
        names = ", ".join(repr(i.variable) for i in self.ins)
        where = f" on {self.device}" if self._gpu is not None else ""
        return (
            f"<symdl function {self.name or ''}({names}){where}, {self._count} outputs, {len(self._written)} updates>"
        )

    def _repr_html_(self) -> str:
        from symdl.notation.latex import page  # loaded on use

        labels = {None: [], "one": ["output"], "list": [f"output {k}" for k in range(self._count)]}
        outputs = labels[self.kind] if self.kind in (None, "one", "list") else [repr(k) for k in self.kind]
        rows = [
            *zip(outputs, self.graph.outputs, strict=True),
            *((f"{short(s)} ←", new) for s, new in self.graph.updates),
        ]
        return page(self._title(), [i.variable for i in self.ins], rows)

    @property
    def lowered(self) -> Lowered:
        """Every form of this function, from the user's graph to its Program."""
        return self._main.lowered

    def source(self, form: str = "llvm") -> str:
        """The compiled code as text: "program" (steps and loops), "llvm" (LLVM IR), "asm" (assembly) of a function for the
        CPU, "ptx" or "cuda" (its kernels as CUDA C, to be read) of one for a GPU, with comments that say what each kernel
        computes and from which lines."""
        from symdl.profiling import sources  # loaded on use

        forms = ("program", "llvm", "asm") if self._gpu is None else ("program", "llvm", "ptx", "cuda")
        if form not in forms:
            raise InputError(f"source: there is no form {form!r}", (), f"forms: {', '.join(forms)}")
        if self._gpu is not None:
            machine = gpu_backend(self.device)
            if form == "program":
                return sources.program_text(
                    replace(self.lowered, program=machine.as_run(self.lowered.program)), away=True
                )
            texts = {"llvm": sources.kernels_text, "ptx": sources.ptx_text, "cuda": sources.cuda_text}
            return texts[form](self.lowered, machine)
        if form == "program":
            return sources.program_text(self.lowered)
        return (sources.llvm_text if form == "llvm" else sources.assembly_text)(self.lowered, native())

    def profile(self, *args: Any, calls: int = 10, **kwargs: Any) -> Profile:
        """Time, bytes, operations and share of the machine's limits of each step of a call with these inputs, and the
        memory of the call: print(f.profile(x, y)).

        Runs a build of its own with clocks in it, compiled at each use, on copies of the shared values, which stay as
        they are. The quickest of so many calls counts. Whatever the function's mode, native code is measured.
        """
        from symdl.profiling.gpu_profile import gpu_profiled  # loaded on use
        from symdl.profiling.profile import profiled  # loaded on use

        if calls < 1:
            raise InputError(f"profile: {calls} calls cannot be measured", (), "calls must be at least 1.")
        given, states = self._ordered(args, kwargs)
        arrays = [
            as_array(value, leaf, strict, downcast)
            for value, (_, _, leaf, strict, downcast) in zip(given, self._takes, strict=True)
        ]
        values = [states[k] if k in states else s.get_value() for k, s in enumerate(self._shareds)]
        arrays = self._counted(arrays, values)
        found: Profile | None
        if self._gpu is None:
            status, sizes, found = profiled(self.lowered, native(), self._title(), arrays, values, calls)
        else:
            machine = gpu_backend(self.device)
            status, sizes, found = gpu_profiled(self.lowered, machine, self._title(), arrays, values, calls)
        if found is None:
            raise self._main.blame.error(status, sizes, [*arrays, *values])
        return found

    def stability_report(self, *args: Any, **kwargs: Any) -> StabilityReport:
        """How right a call with these inputs is, node by node, in ulp, beside exact arithmetic: print(f.stability_report(x)).

        Outputs and new values of shared ones are reported; nothing is updated. See symdl.stability_report.
        """
        from symdl.diagnosis.stability import reported  # loaded on use

        given, states = self._ordered(args, kwargs)
        arrays = [
            as_array(value, leaf, strict, downcast)
            for value, (_, _, leaf, strict, downcast) in zip(given, self._takes, strict=True)
        ]
        values = [states[k] if k in states else s.get_value() for k, s in enumerate(self._shareds)]
        arrays = self._counted(arrays, values)
        run = self._main
        if self.mode != "native" or (self.graph.updates and not self._swapped):
            run = Run(self.graph, "native", replace(self.graph, outputs=self.graph.roots, updates=()), self.device)
        return reported(self._title(), self.graph, self._result_names(), [arrays], values, run)

    def _result_names(self) -> list[str]:
        """What messages and reports call outputs and new values."""
        keys = self.kind if isinstance(self.kind, tuple) else range(self._count)
        names = ["output" if self.kind == "one" else f"output {key!r}" for key in keys]
        return names + [f"new value of {short(s)}" for s, _ in self.graph.updates]

    def optimized(self) -> Function:
        """The function itself, when the thread that optimizes code has nothing left to do (config.optimizing): what is timed
        from here on is what stays. Calls give the same numbers before and after, bit for bit."""
        finish_all()
        return self

    def get_shared(self) -> list[SharedVariable]:
        """The shared values that this function reads or updates."""
        return list(self._shareds)

    # ---- copies ----

    def __reduce__(self) -> tuple[Any, ...]:
        flat = [e for pair in [*self._updates, *self._givens] for e in pair]
        updates = [i.update for i in self.ins if i.update is not None]
        graph = [*(i.variable for i in self.ins), *updates, *self._chosen, *flat]
        exprs = [e for e in graph if isinstance(e, Expr)]
        others = {k: e for k, e in enumerate(graph) if not isinstance(e, Expr)}  # a number as an update
        options = []
        for k, i in enumerate(self.ins):
            value = self._state[k].get_value() if k in self._state else i.value
            options.append((i.name, value, i.update is not None, i.strict, i.allow_downcast, i.mutable, i.borrow))
        counts = len(self._chosen), len(self._updates), len(self._givens)
        return _restored, (pack(exprs), others, options, counts, self.kind, self._options, self._stays)

    def __deepcopy__(self, memo: Any) -> Function:
        out: Function = pickle.loads(pickle.dumps(self))
        return out


def _restored(
    packed: Any,
    others: dict[int, Any],
    ins: list[Any],
    counts: tuple[int, int, int],
    kind: Any,
    options: tuple[Any, ...],
    stays: Sequence[bool] = (),
) -> Function:
    """A pickled function, compiled again."""
    graph: list[Any] = unpack_all(packed)
    for k in sorted(others):
        graph.insert(k, others[k])
    rest = iter(graph)
    variables = [next(rest) for _ in ins]
    updates = [next(rest) if row[2] else None for row in ins]
    inputs = [In(v, row[0], row[1], u, *row[3:]) for v, u, row in zip(variables, updates, ins, strict=True)]
    outputs: list[Any] = [next(rest) for _ in range(counts[0])]
    for k, stay in enumerate(stays):
        outputs[k] = Out(outputs[k], on_device=True) if stay else outputs[k]
    told = [(next(rest), next(rest)) for _ in range(counts[1])]
    given = [(next(rest), next(rest)) for _ in range(counts[2])]
    chosen: Any = outputs
    if kind == "one":
        chosen = outputs[0]
    elif kind is None:
        chosen = None
    elif kind != "list":
        chosen = dict(zip(kind, outputs, strict=True))
    return Function(inputs, chosen, told, given, *options)


def _hidden(one: In) -> SharedVariable:
    """The value that an input with an update keeps from call to call."""
    x = one.variable
    if one.value is None:
        raise InputError(
            f"function: the input {x!r} has an update, but no first value", [described(x)], "In(x, value=...)"
        )
    shape = [n if isinstance(n, int) else None for n in x.type.shape]
    return shared(as_array(one.value, x), one.name or x.name, shape=shape)


@declared("eval")
def evaluated(x: Expr, values: Mapping[Expr, Any] | None = None) -> Array:
    """The value of x for these values of its variables: x.eval({a: 1.0}). The function is kept for the next time."""
    given = dict(values or {})
    f = _kept_function(x, tuple(given))
    out: Array = f(*given.values())
    return out


@lru_cache(maxsize=64)
def _kept_function(x: Expr, inputs: tuple[Expr, ...]) -> Function:
    return function(list(inputs), x, on_unused_input="ignore", name="eval", no_default_updates=True)
