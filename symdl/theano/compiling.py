"""theano.function, shared, In, modes: Theano's arguments, read into symdl's.

Differences of meaning: a shared value's axes are open, as in Theano, whereas symdl.shared fixes them; givens may replace
any expression; an update keeps the order of Theano's arguments. A mode chooses nothing but a guard against NaN.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import symdl.functions
import symdl.runtime.inputs
import symdl.runtime.storage
from symdl.config import config as own
from symdl.diagnosis.nan_guard import NanGuard, NanGuardMode
from symdl.errors import ConfigError, InputError
from symdl.functions import Function
from symdl.graph.expr import CONSTANT, VARIABLE, Expr, as_expr, described, variable
from symdl.passes.replacing import graph_replace
from symdl.runtime.storage import SharedVariable
from symdl.theano.flags import config
from symdl.theano.mersenne import words_of
from symdl.theano.nodes import Apply, FunctionGraph
from symdl.theano.streams import random_state
from symdl.theano.variables import Sizes, vector_of
from symdl.types import Results

MODES = ("Mode", "FAST_RUN", "FAST_COMPILE", "FAST_RUN_NOGC", "DebugMode", "DEBUG_MODE", "ProfileMode", "PROFILE_MODE",
         "JIT", "py", "c", "c|py", "c|py_nogc", "vm", "cvm", "vm_nogc", "cvm_nogc", "UNSAFE", "STABILIZE")  # fmt: skip


class Mode:
    """A mode of compilation. symdl has one compiler, so linker and optimizer are names that are kept."""

    def __init__(self, linker: Any = "cvm", optimizer: Any = "fast_run", **_: Any) -> None:
        self.linker, self.optimizer = linker, optimizer
        self.provided_linker, self.provided_optimizer = linker, optimizer

    def including(self, *tags: str) -> Mode:
        """This mode: which rules are applied is not chosen by names."""
        return copy.copy(self)

    excluding = requiring = register = including

    def clone(self, **changes: Any) -> Mode:
        """A copy."""
        return copy.copy(self)

    def __repr__(self) -> str:
        return f"Mode(linker={self.linker}, optimizer={self.optimizer})"


class DebugMode(Mode):
    """Theano's self-check. symdl's is its tests: compiled like any other."""


class MonitorMode(Mode):
    """A function of this mode calls pre_func and post_func(number, node, thunk) at every node, for looking at values.

    The thunk has inputs and outputs, lists of cells [array]. Each call computes all nodes first, by NumPy.
    """

    def __init__(self, pre_func: Any = None, post_func: Any = None, linker: Any = "cvm", optimizer: Any = None) -> None:
        super().__init__(linker, optimizer)
        self.pre_func, self.post_func = pre_func, post_func

    def tell(self, nodes: Sequence[Apply], values: Mapping[Expr, Any]) -> None:
        """Call the functions for each node in order."""
        for number, node in enumerate(nodes):
            thunk = Thunk([[values[i]] for i in node.inputs], [[values[o]] for o in node.outputs])
            for function in (self.pre_func, self.post_func):
                if function is not None:
                    function(number, node, thunk)


@dataclass
class Thunk:
    """What computes a node, to those who monitor it: cells of its inputs and outputs."""

    inputs: list[list[Any]]
    outputs: list[list[Any]]


class Monitored(Function):
    """A function whose calls are told to a MonitorMode before they are computed."""

    def watch(self, mode: MonitorMode) -> Monitored:
        """Tell mode of every call."""
        nodes = FunctionGraph(list(self.graph.inputs), list(self.graph.outputs)).toposort()
        known = dict.fromkeys(x for a in nodes for x in [*a.inputs, *a.outputs])
        self.monitor, self.nodes, self.known = mode, nodes, [x for x in known if not isinstance(x.type, Results)]
        ins = [symdl.runtime.inputs.In(v) for v in self.graph.inputs]
        self.look = Function(ins, self.known, (), (), "ignore", True, None, "numpy", True)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.monitor.tell(self.nodes, dict(zip(self.known, self.look(*args, **kwargs), strict=True)))
        return super().__call__(*args, **kwargs)


def detect_nan(i: int, node: Any, fn: Any) -> None:
    """A post_func that prints the node that made a NaN, its inputs and its outputs."""
    for cell in fn.outputs:
        if np.asarray(cell[0]).dtype.kind == "f" and np.isnan(cell[0]).any():
            before, after = [c[0] for c in fn.inputs], [c[0] for c in fn.outputs]
            sys.stdout.write(f"*** NaN detected ***\n{node}\nInputs : {before}\nOutputs: {after}\n")
            return


def get_mode(mode: Any = None) -> Any:
    """The Mode of a name."""
    if mode is None or isinstance(mode, str):
        named(mode)
        return Mode()
    return mode


def get_default_mode() -> Mode:
    """The mode of functions that are given none."""
    return Mode()


def named(mode: Any) -> NanGuard | None:
    """What a mode means to symdl. Raises ConfigError for the name of none."""
    if isinstance(mode, NanGuard):
        return mode
    if isinstance(mode, str) and mode == "NanGuardMode":
        return NanGuardMode()
    if isinstance(mode, str) and mode not in MODES:
        raise ConfigError(
            f"there is no mode {mode!r}", remedy=f"Modes are {', '.join(MODES)}, or an object of the class Mode."
        )
    return None


class In(symdl.runtime.inputs.In):
    """Theano's In: symdl's, with `implicit` and `shared`, which say nothing here."""

    def __init__(
        self, variable: Any, name: str | None = None, value: Any = None, update: Any = None, mutable: bool | None = None,
        strict: bool = False, allow_downcast: bool | None = None, autoname: bool = True, implicit: Any = None,
        borrow: bool | None = None, shared: bool = False,
    ) -> None:  # fmt: skip
        if isinstance(value, SharedVariable):  # the value of another function's input, shared with it
            value = value.get_value()
        if isinstance(value, np.random.RandomState):
            value = words_of(value)
        super().__init__(variable, name, value, update, strict, allow_downcast, bool(mutable), bool(borrow))


def Param(variable: Any, default: Any = None, **options: Any) -> In:  # Theano's name
    """An input with a value for calls that leave it out: the old name of In."""
    return In(variable, value=default, **options)


def _input(given: Any) -> Any:
    """An input: a variable, an In, or a tuple (variable, value), of which (variable, its update) may be the first."""
    if not isinstance(given, tuple | list):
        return given
    *name, variable, value = given if len(given) > 1 else (*given, None)
    variable, update = variable if isinstance(variable, tuple | list) else (variable, None)
    return In(variable, name[0] if name else None, value, update)


def _pairs(given: Any) -> list[tuple[Any, Any]]:
    """updates or givens as a list of pairs."""
    if given is None:
        return []
    return list(given.items()) if isinstance(given, Mapping) else [tuple(p) for p in given]


def _output(value: Any) -> Any:
    if isinstance(value, symdl.runtime.inputs.Out):
        return symdl.runtime.inputs.Out(_output(value.variable), value.borrow)
    return vector_of(value) if isinstance(value, Sizes) else value


def _outputs(outputs: Any) -> Any:
    if outputs is None:
        return []  # as Theano's functions of updates alone return
    if isinstance(outputs, Sizes):
        return vector_of(outputs)
    if isinstance(outputs, Mapping):
        return {k: _output(v) for k, v in outputs.items()}
    return [_output(o) for o in outputs] if isinstance(outputs, list | tuple) else _output(outputs)


def _put(outputs: Any, change: Any) -> Any:
    """change(expression) at each of the outputs."""
    if isinstance(outputs, Mapping):
        return {k: change(v) for k, v in outputs.items()}
    return [change(o) for o in outputs] if isinstance(outputs, list) else change(outputs)


def function(
    inputs: Any, outputs: Any = None, mode: Any = None, updates: Any = None, givens: Any = None,
    no_default_updates: Any = False, accept_inplace: bool = False, name: str | None = None, rebuild_strict: bool = True,
    allow_input_downcast: bool | None = None, profile: Any = None, on_unused_input: str | None = None,
) -> Function:  # fmt: skip
    """theano.function: symdl.function with Theano's order of arguments.

    inputs and givens may name any expression, not variables alone. mode: a Mode, a name or a NanGuardMode; None is config.mode.
    accept_inplace, rebuild_strict and profile are accepted; `print(f.profile(x))` measures.
    """
    guard = named(mode if mode is not None else config.mode)
    made, new = _outputs(outputs), _pairs(updates)
    leaves, inner = [], {}
    ins = [_input(one) for one in inputs] if isinstance(inputs, Sequence) else [inputs]
    for k, one in enumerate(ins):
        given = one.variable if isinstance(one, symdl.runtime.inputs.In) else one
        if (
            isinstance(given, Expr) and given.op is not VARIABLE and given.op is not CONSTANT
        ):  # a value for what is computed
            inner[given] = variable(given.name, given.type.shape, given.type.dtype)
            ins[k] = replace(one, variable=inner[given]) if isinstance(one, symdl.runtime.inputs.In) else inner[given]
    for old, value in _pairs(givens):
        if isinstance(old, Expr) and old.op is not VARIABLE:
            inner[old] = as_expr(value)
        else:
            leaves.append((old, value))
    if inner:

        def change(e: Any) -> Any:
            return graph_replace(e, inner, strict=False) if isinstance(e, Expr) else e

        made, new = _put(made, change), [(s, change(v)) for s, v in new]
    unused = on_unused_input or own.on_unused_input
    if any(getattr(one.variable if isinstance(one, symdl.runtime.inputs.In) else one, "sized", False) for one in ins):
        unused = "ignore"
    if isinstance(mode, MonitorMode):
        return Monitored(
            ins, made, new, leaves, unused, allow_input_downcast, name, None, no_default_updates, own.precision
        ).watch(mode)
    return symdl.functions.function(
        ins, made, new, leaves, on_unused_input=unused,  # type: ignore[arg-type]  # a text of the caller's
        allow_input_downcast=allow_input_downcast, name=name, no_default_updates=no_default_updates, nan_guard=guard,
    )  # fmt: skip


class GenericShared:
    """A shared value that is no array: any Python object, which functions do not read."""

    def __init__(self, value: Any, name: str | None = None, borrow: bool = False) -> None:
        self._value, self.name = value if borrow else copy.deepcopy(value), name

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """The object, or a copy."""
        return self._value if borrow else copy.deepcopy(self._value)

    def set_value(self, value: Any, borrow: bool = False) -> None:
        """Put another in its place."""
        self._value = value if borrow else copy.deepcopy(value)


def shared(
    value: Any, name: str | None = None, strict: bool = False, allow_downcast: bool | None = None, borrow: bool = False,
    broadcastable: Sequence[bool] | None = None, target: Any = None, **_: Any,
) -> Any:  # fmt: skip
    """theano.shared: axes are open, so that set_value may change lengths; broadcastable fixes an axis at 1.

    What is no array of numbers makes a GenericShared. Raises InputError for expressions.
    """
    if isinstance(value, Expr):
        raise InputError(
            "shared: takes a value, not an expression", [described(value)], "`x.get_value()` or `x.eval()` is one."
        )
    if isinstance(value, np.random.RandomState):
        return random_state(value, name)
    array = value if isinstance(value, np.ndarray) else None
    if array is None and isinstance(value, int | float | bool | complex | np.number | np.bool_):
        array = np.asarray(value)
    if array is None and isinstance(value, list):
        array = np.asarray(value)
    if array is None or array.dtype.kind not in "biufc":
        return GenericShared(value, name, borrow)
    if broadcastable is None:
        broadcastable = (False,) * array.ndim
    return symdl.runtime.storage.shared(array, name, shape=[1 if b else None for b in broadcastable], borrow=borrow)


def function_dump(*_: Any, **__: Any) -> None:
    """Not written: pickle the function itself."""
    raise InputError("function_dump: a function pickles as it is", (), "pickle.dump(f, file)")
