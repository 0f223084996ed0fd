"""function: from inputs and outputs to something to call, in Theano's terms."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal

import numpy as np

from symdl.backends.cpu import CpuBackend
from symdl.backends.interpreter import interpret
from symdl.compilation import Graph, Lowered, compiled, lowered
from symdl.config import config
from symdl.dims import substituted, used_symbols
from symdl.errors import DtypeError, IndexRangeError, InputError, InternalError, Part, ShapeError, SymdlError
from symdl.evaluate import evaluate
from symdl.expr import VARIABLE, Expr, as_expr, described, pack, place_of, short, topological, unpack_all
from symdl.inputs import Array, In, Out, as_array
from symdl.ops.declare import cast_to, spread
from symdl.ops.extents import value_symbol
from symdl.program import FIRST_FAILURE
from symdl.storage import SharedVariable, held, shared
from symdl.types import Symbol, size_at, symbols

Mode = Literal["native", "interpreter", "numpy"]
MODES = {
    None: "native", "native": "native", "FAST_RUN": "native", "FAST_COMPILE": "native",  # Theano's names; one compiler
    "interpreter": "interpreter", "numpy": "numpy",
}  # fmt: skip
Pairs = Mapping[Expr, Any] | Sequence[tuple[Expr, Any]]


def function(
    inputs: Sequence[Expr | In] = (),
    outputs: Any = None,
    updates: Pairs = (),
    givens: Pairs = (),
    *,
    on_unused_input: Literal["raise", "warn", "ignore"] | None = None,
    allow_input_downcast: bool | None = None,
    name: str | None = None,
    mode: str | None = None,
    no_default_updates: bool | Sequence[Expr] = False,
) -> Function:
    """Compile outputs and updates of inputs to one native function.

    inputs: variables, or In(variable, ...) for options. outputs: one expression, a list, a dictionary by name, or None.
    updates: (shared value, new value) pairs; all new values are computed from the old ones and stored when the outputs
    are done. givens: (variable, expression to use in its place) pairs. on_unused_input: config.on_unused_input unless
    given. allow_input_downcast: let float64 go into float32 inputs, floats into integers. mode: "native" (LLVM),
    "interpreter" (the loops, one scalar at a time) or "numpy" (the oracle), the latter two for finding mistakes.

    Raises InputError, DtypeError or ShapeError where the parts do not fit together.
    """
    return Function(
        inputs, outputs, updates, givens, on_unused_input or config.on_unused_input, allow_input_downcast, name, mode,
        no_default_updates,
    )  # fmt: skip


class Function:
    """A compiled function: call it with values in the order of its inputs, or by name.

    Re-entrant: several threads may call it at once; calls that update one shared value take turns. It releases the
    GIL, answers Ctrl-C between kernels with all shared values wholly old or wholly new, never changes an input, and
    pickles (the graph is compiled again on loading).
    """

    def __init__(
        self, inputs: Sequence[Expr | In], outputs: Any, updates: Pairs, givens: Pairs, on_unused_input: str,
        allow_input_downcast: bool | None, name: str | None, mode: str | None, no_default_updates: bool | Sequence[Expr],
    ) -> None:  # fmt: skip
        if mode not in MODES:
            raise InputError(f"function: there is no mode {mode!r}", (), f"modes: {', '.join(m for m in MODES if m)}")
        self.name, self.mode = name, MODES[mode]
        self._options = (on_unused_input, allow_input_downcast, name, mode, no_default_updates)
        self.ins = [_as_in(v) for v in _listed(inputs)]
        self._state: dict[int, SharedVariable] = {}  # number of an input with an update -> its hidden value
        given = _pairs(givens, "givens")
        told = _pairs(updates, "updates")
        for k, one in enumerate(self.ins):
            if one.update is not None:
                hidden = shared(as_array(one.value, one.variable, False, True), one.variable.name)
                self._state[k] = hidden
                given.append((one.variable, hidden))
                told.append((hidden, one.update))
        self._kind, chosen = _outputs(outputs)
        self._chosen, self._told, self._given = chosen, _pairs(updates, "updates"), _pairs(givens, "givens")
        self.graph = self._checked_graph(chosen, told, given, no_default_updates, on_unused_input)
        self._form: Lowered = lowered(self.graph)
        self._shareds = [s for s in self.graph.shareds if isinstance(s, SharedVariable)]
        self._written = [s for s, _ in self.graph.updates if isinstance(s, SharedVariable)]
        self._executable = compiled(self._form, native()) if self.mode == "native" else None
        self._downcast = bool(allow_input_downcast)
        self._by_name = {
            (one.name or one.variable.name): k for k, one in enumerate(self.ins) if one.name or one.variable.name
        }

    # ---- the graph, checked ----

    def _checked_graph(
        self, outputs: list[Expr], updates: list[tuple[Expr, Any]], givens: list[tuple[Expr, Any]],
        no_default_updates: bool | Sequence[Expr], on_unused_input: str,
    ) -> Graph:  # fmt: skip
        variables = [one.variable for one in self.ins]
        for k, v in enumerate(variables):
            if isinstance(v, SharedVariable):
                remedy = "A shared value is known already: leave it out, or use givens to put something in its place."
                raise InputError(f"function: {v!r} is a shared value, not an input", [described(v)], remedy)
            if v.op is not VARIABLE:
                raise InputError(f"function: input {k} is the expression {v!r}, not a variable", [described(v)])
            if v in variables[:k]:
                raise InputError(f"function: the input {v!r} is given twice", [described(v)])
        told: dict[Expr, Expr] = {}
        for target, new in updates:
            if not isinstance(target, SharedVariable):
                raise InputError(f"function: updates has {target!r}, which is no shared value", [described(as_expr(target))])
            if target in told:
                raise InputError(f"function: {target!r} has two updates", [described(target)])
            told[target] = _new_value(target, new)
        values = {}
        for old, new in givens:
            if not isinstance(old, Expr) or old.op is not VARIABLE:
                raise InputError(f"function: givens has {old!r}, which is no variable")
            values[old] = _given(old, new)
        roots = [*outputs, *told.values()]
        if not no_default_updates or isinstance(no_default_updates, Sequence):
            kept = set(no_default_updates) if isinstance(no_default_updates, Sequence) else set()
            for leaf in topological(*roots):
                if isinstance(leaf, SharedVariable) and leaf.default_update is not None and leaf not in told and leaf not in kept:
                    told[leaf] = _new_value(leaf, leaf.default_update)
            roots = [*outputs, *told.values()]
        if values:
            roots = substituted(roots, values, {})
        leaves = [n for n in topological(*roots) if n.op is VARIABLE]
        self._check_used(variables, roots, leaves, on_unused_input)
        shareds = dict.fromkeys(n for n in [*leaves, *told] if isinstance(n, SharedVariable))
        live = tuple(v for k, v in enumerate(variables) if k not in self._state)
        updated = tuple(zip(told, roots[len(outputs) :], strict=True))
        return Graph(live, tuple(shareds), tuple(roots[: len(outputs)]), updated)

    def _check_used(
        self, inputs: list[Expr], roots: Sequence[Expr], leaves: list[Expr], on_unused_input: str
    ) -> None:
        missing = [n for n in leaves if not isinstance(n, SharedVariable) and n not in inputs]
        if missing:
            raise InputError(
                f"function: {', '.join(map(repr, missing))} is needed but is no input",
                [described(n) for n in missing],
                _missing_remedy(missing[0], inputs),
            )
        idle = [v for k, v in enumerate(inputs) if v not in set(leaves) and k not in self._state]
        if not idle or on_unused_input == "ignore":
            return
        used = used_symbols(roots)
        for v in idle:
            own = {s for n in v.type.shape for s in symbols(n)}
            if not v.type.shape and v.type.dtype[0] in "iu":
                own = symbols(value_symbol(v))
            if own & used:
                continue  # its size, or its value as a size, is needed
            text = f"function: the input {v!r} is not used by any output or update"
            if on_unused_input == "raise":
                raise InputError(text, [described(v)], 'on_unused_input="ignore" allows it.')
            warnings.warn(text, stacklevel=6)

    # ---- calling ----

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs for these inputs. Raises InputError, DtypeError, ShapeError or IndexRangeError; nothing shared
        has changed then."""
        arrays = self._arrays(args, kwargs)
        with held(self._shareds, self._written):
            if self._executable is None:
                outputs = self._interpreted(arrays)
            else:
                bound = self._executable.bind(arrays, [s.array for s in self._shareds])
                if bound.status:
                    raise self._unmet(bound.status - 1, bound.sizes, arrays)
                status, outputs = self._executable.execute(bound)
                if status:
                    raise self._failed(status, bound.sizes, arrays)
        return self._shaped(outputs)

    def _arrays(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Array]:
        if len(args) > len(self.ins):
            raise InputError(f"{self._title()}: takes {len(self.ins)} inputs, got {len(args)}", [described(i.variable) for i in self.ins])
        values: dict[int, Any] = dict(enumerate(args))
        for name, value in kwargs.items():
            k = self._by_name.get(name)
            if k is None:
                close = difflib.get_close_matches(name, [n for n in self._by_name if n], 1)
                raise InputError(
                    f"{self._title()}: there is no input named {name!r}",
                    [described(i.variable) for i in self.ins],
                    f"Did you mean {close[0]!r}?" if close else "",
                )
            if k in values:
                raise InputError(f"{self._title()}: {name!r} is given twice", [described(self.ins[k].variable)])
            values[k] = value
        out = []
        for k, one in enumerate(self.ins):
            if k in self._state:
                if k in values:
                    self._state[k].set_value(values[k])
                continue
            if k not in values:
                if one.value is None:
                    raise InputError(f"{self._title()}: no value for the input {one.variable!r}", [described(one.variable)])
                values[k] = one.value
            downcast = self._downcast if one.allow_downcast is None else one.allow_downcast
            out.append(as_array(values[k], one.variable, one.strict, downcast))
        return out

    def _interpreted(self, arrays: list[Array]) -> Sequence[Array]:
        """The outputs by another way than machine code: a Program's interpreter, or the oracle."""
        if self.mode == "numpy":
            leaves = dict(zip([*self.graph.inputs, *self.graph.shareds], [*arrays, *(s.array for s in self._shareds)], strict=True))
            found = evaluate(self.graph.roots, leaves)
            for (leaf, _), new in zip(self.graph.updates, found[len(self.graph.outputs) :], strict=True):
                object.__setattr__(leaf, "array", np.array(new))
            return [np.array(f) for f in found[: len(self.graph.outputs)]]
        program = self._form.program
        given = zip(program.of_kind("input"), arrays, strict=True)
        kept = zip(program.of_kind("shared"), (s.array for s in self._shareds), strict=True)
        fixed = zip(program.of_kind("constant"), (c.params["value"].array for c in self._form.constants), strict=True)
        result = interpret(program, {b.name: np.asarray(a, order="C") for b, a in [*given, *kept, *fixed]})
        if result.status:
            error = self._failed if result.status >= FIRST_FAILURE else self._unmet
            raise error(result.status - (result.status < FIRST_FAILURE), result.sizes, arrays)
        return [result.outputs[b.name] for b in program.of_kind("output")]

    def _shaped(self, outputs: Sequence[Array]) -> Any:
        kind = self._kind
        if kind is None:
            return None
        if kind == "one":
            return outputs[0]
        if kind == "list":
            return list(outputs)
        return dict(zip(kind, outputs, strict=True))

    # ---- errors of a call ----

    def _title(self) -> str:
        return self.name or "function"

    def _unmet(self, number: int, sizes: Mapping[Symbol, int], arrays: Sequence[Array]) -> SymdlError:
        """A fact that does not hold, in the user's names."""
        check = self._form.program.checks[number]
        left, right = size_at(check.fact.left, sizes), size_at(check.fact.right, sizes)
        head = check.fact.why.replace("{left}", str(left)).replace("{right}", str(right))
        involved = symbols(check.fact.left) | symbols(check.fact.right)
        leaves = [*self.graph.inputs, *self.graph.shareds]
        shapes = [*(a.shape for a in arrays), *(s.array.shape for s in self._shareds)]
        parts: list[Part] = []
        if check.source >= 0:
            node = self._form.nodes[check.source]
            for k, operand in enumerate(node.inputs):
                head = head.replace(f"{{{k}}}", short(operand, 2))
            parts.append(described(node))
        for b in self._form.sizes.bindings:
            if b.symbol in involved:
                leaf = leaves[b.leaf]
                shown = f"{leaf.type.dtype}[{', '.join(map(str, shapes[b.leaf]))}]" if leaf.type.shape else leaf.type.dtype
                parts.append((short(leaf), shown, place_of(leaf)))
        kind = IndexRangeError if head.startswith("getitem") else ShapeError
        return kind(f"{self._title()}: {head}" if self.name else head, tuple(dict.fromkeys(parts)))

    def _failed(self, status: int, sizes: Mapping[Symbol, int], arrays: Sequence[Array]) -> SymdlError:
        """An index from data outside its axis, in the user's names."""
        if not 0 <= status - FIRST_FAILURE < len(self._form.program.failures):
            return InternalError(f"{self._title()}: the compiled code returned the unknown status {status}")
        failure = self._form.program.failures[status - FIRST_FAILURE]
        parts: list[Part] = []
        if failure.source >= 0:
            node = self._form.nodes[failure.source]
            parts = [described(node), *(described(i) for i in node.inputs)]
        return IndexRangeError(failure.text, tuple(dict.fromkeys(parts)))

    # ---- looking at it ----

    def __repr__(self) -> str:
        names = ", ".join(repr(i.variable) for i in self.ins)
        return f"<symdl function {self.name or ''}({names}), {len(self.graph.outputs)} outputs, {len(self.graph.updates)} updates>"

    @property
    def lowered(self) -> Lowered:
        """Every form of this function, from the user's graph to its Program."""
        return self._form

    def source(self, form: str = "llvm") -> str:
        """The compiled code as text: "program" (steps and loops), "llvm" (LLVM IR) or "asm" (assembly)."""
        if form == "program":
            return str(self._form.program)
        if form not in ("llvm", "asm"):
            raise InputError(f"source: there is no form {form!r}", (), "forms: program, llvm, asm")
        executable = self._executable or compiled(self._form, native())
        return executable.ir() if form == "llvm" else executable.assembly()

    def get_shared(self) -> list[SharedVariable]:
        """The shared values that this function reads or updates."""
        return list(self._shareds)

    def __reduce__(self) -> tuple[Any, ...]:
        flat = [e for pair in [*self._told, *self._given] for e in pair]
        updates = [i.update for i in self.ins if i.update is not None]
        roots = [*(i.variable for i in self.ins), *updates, *self._chosen, *flat]
        options = [
            (i.name, i.value, i.update is not None, i.strict, i.allow_downcast, i.mutable, i.borrow) for i in self.ins
        ]
        counts = len(self._chosen), len(self._told), len(self._given)
        return _restored, (pack(roots), options, counts, self._kind, self._options)


def _restored(packed: Any, ins: list[Any], counts: tuple[int, int, int], kind: Any, options: tuple[Any, ...]) -> Function:
    """A pickled function, compiled again."""
    roots = iter(unpack_all(packed))
    variables = [next(roots) for _ in ins]
    updates = [next(roots) if row[2] else None for row in ins]
    inputs = [
        In(v, row[0], row[1], u, *row[3:]) for v, u, row in zip(variables, updates, ins, strict=True)
    ]
    outputs = [next(roots) for _ in range(counts[0])]
    told = [(next(roots), next(roots)) for _ in range(counts[1])]
    given = [(next(roots), next(roots)) for _ in range(counts[2])]
    chosen: Any = outputs
    if kind == "one":
        chosen = outputs[0]
    elif kind is None:
        chosen = None
    elif kind != "list":
        chosen = dict(zip(kind, outputs, strict=True))
    return Function(inputs, chosen, told, given, *options)


# ---- reading what the user passes ----


@cache
def native() -> CpuBackend:
    """The back end of this computer, made at the first use."""
    return CpuBackend()


def _as_in(value: Any) -> In:
    if isinstance(value, In):
        return value
    if isinstance(value, Expr):
        return In(value)
    raise InputError(f"function: inputs holds {value!r}, which is no variable")


def _listed(inputs: Any) -> list[Any]:
    if isinstance(inputs, Expr | In):
        raise InputError(f"function: inputs is {inputs!r}, not a list", (), f"write [{inputs!r}]" if isinstance(inputs, Expr) else "")
    return list(inputs)


def _outputs(outputs: Any) -> tuple[Any, list[Expr]]:
    """("one", "list", the keys of a dictionary, or None; the expressions)."""

    def expr(value: Any) -> Expr:
        if isinstance(value, Out):
            value = value.variable
        if not isinstance(value, Expr):
            try:
                return as_expr(value)
            except (DtypeError, ValueError):
                raise InputError(f"function: outputs holds {value!r}, which is no expression") from None
        return value

    if outputs is None:
        return None, []
    if isinstance(outputs, Mapping):
        return tuple(outputs), [expr(v) for v in outputs.values()]
    if isinstance(outputs, list | tuple):
        return "list", [expr(v) for v in outputs]
    return "one", [expr(outputs)]


def _pairs(pairs: Any, what: str) -> list[tuple[Any, Any]]:
    items = list(pairs.items()) if isinstance(pairs, Mapping) else list(pairs or ())
    for item in items:
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise InputError(f"function: {what} takes pairs, not {item!r}")
    return [(a, b) for a, b in items]


def _new_value(target: SharedVariable, new: Any) -> Expr:
    """The new value of a shared one, in its dtype and shape."""
    value = new if isinstance(new, Expr) else as_expr(new)
    kind = target.type.dtype
    if value.type.dtype != kind:
        if not np.can_cast(value.type.dtype, kind, "safe"):
            raise DtypeError(
                f"function: the update of {target!r} is {value.type.dtype}, not {kind}",
                [described(target), described(value)],
                f"T.cast(..., {kind!r}) makes it so.",
            )
        value = cast_to(value, kind)
    if value.type.ndim != target.type.ndim:
        raise ShapeError(
            f"function: the update of {target!r} has {value.type.ndim} axes, not {target.type.ndim}",
            [described(target), described(value)],
        )
    if all(isinstance(n, int) for n in target.type.shape) and value.type.shape != target.type.shape:
        try:
            return spread(value, target.type.shape, tuple(range(value.type.ndim)))
        except ShapeError as error:
            raise ShapeError(f"function: the update of {target!r} has another shape", [described(target), described(value)]) from error
    return value


def _given(old: Expr, new: Any) -> Expr:
    """What givens puts in the place of a variable, in its dtype."""
    value = new if isinstance(new, Expr) else as_expr(new)
    if value.type.ndim != old.type.ndim:
        raise ShapeError(
            f"function: givens put {value!r} for {old!r}, which has {old.type.ndim} axes", [described(old), described(value)]
        )
    if value.type.dtype != old.type.dtype and not np.can_cast(value.type.dtype, old.type.dtype, "safe"):
        raise DtypeError(
            f"function: givens put {value.type.dtype} for {old!r}, which is {old.type.dtype}",
            [described(old), described(value)],
            f"T.cast(..., {old.type.dtype!r}) makes it so.",
        )
    return cast_to(value, old.type.dtype)


def _missing_remedy(missing: Expr, inputs: list[Expr]) -> str:
    names = [i.name for i in inputs if i.name]
    if missing.name in names:
        return "The input of that name is another variable."
    close = difflib.get_close_matches(missing.name or "", names, 1)
    return f"Did you mean the input {close[0]}? It is another variable." if close else "Add it to inputs, or give it a value in givens."
