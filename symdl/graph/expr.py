"""Expr: an immutable, interned node of a symbolic expression graph.

Two structurally equal expressions are the same object, so common subexpressions are shared from birth, `is` decides
equality, and a graph may be a dictionary key. Leaves carry an id, so two variables called "w" are two nodes. A node's
name and the user's lines that wrote it (origins) are side data: no part of its identity.
An op with several results makes one Expr whose type is a Results; `results(x)` are ordinary Exprs.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from operator import attrgetter
from typing import Any, Literal, TypeVar
from weakref import ref

import numpy as np

from symdl.errors import DtypeError, ImmutableError, InputError, Part, SymdlError, kind_of
from symdl.graph.irrationals import IRRATIONALS
from symdl.graph.methods import FUNCTIONS, Methods
from symdl.graph.origins import Origin, tracing, user_line
from symdl.number_forms import WIDE, records
from symdl.records import record
from symdl.types import (
    Extent,
    Fact,
    Results,
    Symbol,
    TensorType,
    fresh_serial,
    fresh_symbol,
    sole_symbol,
    symbols,
)

Kind = Literal[
    "leaf",  # variable, constant
    "elementwise",  # one scalar formula
    "composite",  # the same value from simpler ops (expand)
    "contraction",  # a sum of products over indices
    "reduction",  # a fold over axes
    "accumulation",  # a running fold along one axis
    "view",  # an index map, maybe guarded: no loops of its own
    "reshape",  # the same elements in C order under another shape
    "position",  # a formula of the indices alone
    "gather",  # elements at indices from data
    "scatter",  # elements written to indices from data
    "join",  # pieces laid side by side
    "permutation",  # a serial loop of swaps
    "routine",  # whole arrays to whole arrays by a library, or by the user's Python
    "control",  # a loop or a branch, whose body is a graph
    "counted",  # arrays whose sizes depend on data, computed between two parts of a graph
    "result",  # one of several results
]
LeafType = TypeVar("LeafType", bound="Expr")
Type = TensorType | Results
Inferred = tuple[Type, tuple[Fact, ...]]
ANY = TensorType("any")  # the type of a wildcard in a rewrite pattern
OPS: dict[str, Op] = {}  # every declared op by name; tests and docs are generated from it


@record(eq=False)
class Op:
    """All that the compiler must know about one operation; made by the decorators of ops.declare.

    infer(*types, **params) -> (type, facts to be checked at entry); raises ShapeError or DtypeError.
    reference(*arrays, **params) -> array, in NumPy: the oracle. None where expand says it all.
    pullback(gradient, result, *inputs, **params) -> one Expr or None an input. Of several results, gradient is a
    tuple with None where nothing flows back.
    meaning: the exact formula over the reals, in sympy's syntax and the arguments' names.
    definition(*inputs, **params) -> Expr: the meaning as a graph of simpler ops, for the algebra of stage 3.
    expand(*inputs, **params) -> Expr: the same value from simpler ops, fit to run; None for what backends supply.
    prepare(*values, **params) -> inputs: conversion and promotion of what a user passes.
    index_map(indices, operand shape, **params) -> (operand's indices, bounds) of a view.
    domain: one interval an operand on which meaning and derivative hold, for generated tests.
    """

    name: str
    kind: Kind
    arguments: tuple[str, ...]
    infer: Callable[..., Inferred]
    doc: str = ""
    reference: Callable[..., Any] | None = None
    pullback: Callable[..., tuple[Expr | None, ...]] | None = None
    meaning: str | None = None
    definition: Callable[..., Expr] | None = None
    expand: Callable[..., Expr] | None = None
    prepare: Callable[..., tuple[Expr, ...]] | None = None
    index_map: Callable[..., tuple[tuple[Any, ...], tuple[tuple[Any, Any], ...]]] | None = None
    commutative: bool = False
    domain: tuple[tuple[float, float], ...] = ()

    @property
    def foreign(self) -> bool:
        """Whether a user declared it, so that its name does not tell what it computes."""
        return self.expand is not None and not self.expand.__module__.startswith("symdl.")

    def __call__(self, *inputs: Any, **params: Any) -> Expr:
        ready = self.prepare(*inputs) if self.prepare else tuple(map(as_expr, inputs))
        return make(self, ready, **params)

    def __repr__(self) -> str:
        return self.name

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def __doc__(self) -> str:  # type: ignore[override]  # help(T.exp) shows the op's own text
        return self.doc

    def __reduce__(self) -> str | tuple[Any, ...]:
        return op_named, (self.name,)


def op_named(name: str) -> Op:
    """The declared op of this name."""
    return OPS[name]


def register(op: Op) -> Op:
    """Enter a new op in the table. Each is declared once, but a user may declare an own one anew."""
    if op.name in OPS and not (op.foreign and OPS[op.name].foreign):
        raise ValueError(f"op {op.name!r} is declared twice")
    OPS[op.name] = op
    return op


class Expr(Methods):
    """One operation applied to inputs; params holds its static arguments such as an axis."""

    __slots__ = ("__weakref__", "facts", "inputs", "name", "op", "origins", "params", "type")
    op: Op
    inputs: tuple[Expr, ...]
    params: Mapping[str, Any]
    type: Any  # TensorType, or Results
    facts: tuple[Fact, ...]
    origins: frozenset[Origin]  # side data: grows (`come_from`), is no part of identity
    name: str | None  # side data: x.name = "images" is allowed

    def __setattr__(self, name: str, value: object) -> None:
        if name != "name":
            raise ImmutableError(f"{self!r}: {name} cannot be set, for an expression never changes", [described(self)])
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return short(self)

    def __copy__(self) -> Expr:
        return self

    def __deepcopy__(self, memo: Any) -> Expr:
        return self


class Frozen:
    """A constant's array, hashable by content."""

    __slots__ = ("array", "key")

    def __init__(self, array: Any) -> None:
        own = np.array(array, order="C")
        own.flags.writeable = False
        self.array = own
        self.key = (own.dtype.str, own.shape, own.tobytes())

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frozen) and self.key == other.key

    def __repr__(self) -> str:
        return str(self.array)


def _leaf(name: str) -> Op:
    return register(Op(name, "leaf", (), lambda *, type, **_: (type, ()), pullback=lambda *_, **__: ()))


VARIABLE = _leaf("variable")  # params: id, type
CONSTANT = _leaf("constant")  # params: value, type; name, if it stands for one of IRRATIONALS
WILDCARD = _leaf("wildcard")  # params: label, type; stands for anything in a rewrite pattern
RESULT = register(
    Op("result", "result", ("x",), lambda t, *, index: (t.types[index], ()), reference=lambda x, *, index: x[index])
)
# The slots' own setters, past Expr.__setattr__: building is the hot path of every pass.
_OP, _INPUTS, _PARAMS, _TYPE, _FACTS, _ORIGINS, _NAME = (
    getattr(Expr, n).__set__ for n in ("op", "inputs", "params", "type", "facts", "origins", "name")
)
_lock = threading.RLock()


class Interned(ref):  # type: ignore[type-arg]  # at run time it takes none
    """Where the table knows an Expr until that goes. A WeakValueDictionary does the same by six calls of Python's, at every node."""

    __slots__ = ("key",)
    key: Any


_interned: dict[Any, Interned] = {}


def _known(key: Any) -> Expr | None:
    """The Expr of this key, if there is one."""
    entry = _interned.get(key)
    return None if entry is None else entry()


def _intern(key: Any, new: Expr) -> Expr:
    """The one Expr of this key: the new one, unless another thread was first."""
    entry = Interned(new, _gone)
    entry.key = key
    with _lock:
        found = _known(key)
        if found is None:
            _interned[key] = entry
        return new if found is None else found


def _gone(entry: Interned, table: Any = _interned, lock: Any = _lock) -> None:
    with lock:  # another thread's new entry may be there by now
        if table.get(entry.key) is entry:
            del table[entry.key]


_type_of = attrgetter("type")
NOWHERE: frozenset[Origin] = frozenset()  # one for all: most nodes are made while a function is compiled


def _fill(
    new: Expr, op: Op, inputs: tuple[Expr, ...], params: Mapping[str, Any], kind: Any, facts: tuple[Fact, ...]
) -> None:
    _OP(new, op)
    _INPUTS(new, inputs)
    _PARAMS(new, params)
    _TYPE(new, kind)
    _FACTS(new, facts)
    _ORIGINS(new, NOWHERE)
    _NAME(new, None)


def new_leaf(kind: type[LeafType], op: Op, **params: Any) -> LeafType:
    """A new leaf of a subclass of Expr; its params (an id among them) must be new."""
    new = object.__new__(kind)
    inferred, facts = op.infer(**params)
    _fill(new, op, (), params, inferred, facts)
    _intern((op, (), tuple(sorted(params.items()))), new)
    if (line := user_line()) is not None:
        come_from(new, [line])
    return new


def come_from(expr: Expr, lines: Iterable[Any]) -> None:
    """Note that an expression was made by these lines, too."""
    with _lock:
        _ORIGINS(expr, expr.origins.union(lines))


def make(op: Op, inputs: tuple[Expr, ...], **params: Any) -> Expr:
    """The one Expr with these parts."""
    key: tuple[Any, ...] = (op, inputs, tuple(sorted(params.items())) if len(params) > 1 else tuple(params.items()))
    if op.kind == "counted":  # the key is no extent, whose symbol holds the node
        key = (op, inputs, str(params["count"]), *(s.order for s in _counts_of(params)))
    entry = _interned.get(key)  # as `_known`, without its call
    expr: Expr | None = None if entry is None else entry()
    if expr is None:
        kinds = list(map(_type_of, inputs))
        for kind in kinds:
            if kind is ANY:
                inferred, facts = ANY, ()
                break
        else:
            try:
                inferred, facts = op.infer(*kinds, **params)  # type: ignore[assignment]  # ANY above is no TensorType
            except SymdlError as error:
                raise explained(error, inputs) from None
        new = object.__new__(Expr)
        _fill(new, op, inputs, params, inferred, facts)
        if op.kind == "counted":
            WITH_COUNTS.add(op)
            for s in _counts_of(params):
                s.__dict__.setdefault("node", new)
        expr = _intern(key, new)
    origins = tracing.origins
    if origins is None:
        line = user_line()
        if line is not None and line not in expr.origins:
            come_from(expr, [line])
    elif op.kind != "leaf":
        table = tracing.table
        if table is None:
            come_from(expr, origins)
        else:
            before = table.get(expr)
            table[expr] = origins if before is None else before | origins
    return expr


WITH_COUNTS: set[Op] = set()  # ops of kind "counted" that this process has used: none, mostly


def _counts_of(params: Mapping[str, Any]) -> list[Symbol]:
    """The symbols of a counted node: each stands for the node where nothing else does."""
    count = params["count"]
    return [s for n in (count if type(count) is tuple else (count,)) if (s := sole_symbol(n)) is not None]


def counted_nodes(extent: Extent) -> list[Expr]:
    """The nodes whose results decide an extent, where data do."""
    return [s.__dict__["node"] for s in symbols(extent) if "node" in s.__dict__]


def rebuilt(expr: Expr, inputs: tuple[Expr, ...]) -> Expr:
    """The same op and params on other inputs."""
    return expr if inputs == expr.inputs else make(expr.op, inputs, **expr.params)


def results(expr: Expr) -> tuple[Expr, ...]:
    """The results of a node, one or several, as ordinary Exprs."""
    if not isinstance(expr.type, Results):
        return (expr,)
    return tuple(make(RESULT, (expr,), index=k) for k in range(len(expr.type)))


# ---- leaves ----


def variable(name: str | None, shape: Sequence[Any], dtype: str) -> Expr:
    """A new leaf. None in shape marks an unknown extent; an extent is taken as it is."""
    label = name or "unnamed"
    extents = tuple(fresh_symbol(f"{label}.shape[{k}]") if n is None else n for k, n in enumerate(shape))
    leaf = make(VARIABLE, (), id=fresh_serial(), type=TensorType(dtype, extents))
    leaf.name = name
    return leaf


def wildcard(label: str) -> Expr:
    """What matches anything in a rewrite pattern."""
    out = make(WILDCARD, (), label=label, type=ANY)
    out.name = label
    return out


SUPPORTED = frozenset(
    ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"]
)


def checked_dtype(dtype: Any) -> str:
    """The name of a dtype that symdl has; raises DtypeError for others. Number forms are for passes, not for users."""
    if type(dtype) is str and (dtype in SUPPORTED or (dtype in WIDE and tracing.origins is not None)):
        return dtype
    try:
        name = str(np.dtype(dtype).name)
    except TypeError:
        raise DtypeError(f"{dtype!r} is not a dtype", (), f"dtypes: {', '.join(sorted(SUPPORTED))}") from None
    if name not in SUPPORTED:
        remedy = "Cast it to float32 or float64 first." if name in ("float16", "longdouble", "float128") else ""
        if name.startswith("complex"):
            remedy = "Real and imaginary parts are expressions of their own."
        raise DtypeError(f"dtype {name} is not supported; dtypes: {', '.join(sorted(SUPPORTED))}", (), remedy)
    return name


def constant(value: Any, dtype: Any = None) -> Expr:
    """A constant leaf of a NumPy array, a number or a nested list, copied. Raises DtypeError for what is no number."""
    if isinstance(value, Expr):
        return value
    if type(dtype) is str and dtype in WIDE and checked_dtype(dtype):
        own = records(value, dtype)
        return make(CONSTANT, (), value=Frozen(own), type=TensorType(dtype, own.shape))
    array = np.asarray(value)
    if array.dtype == object and type(value) is int:
        raise DtypeError(f"a constant holds numbers of at most 64 bits, not {kind_of(value)}")
    if array.dtype == object or array.dtype.kind in "USVMm":
        raise DtypeError(f"a constant holds numbers, not {kind_of(value)}")
    name = checked_dtype(dtype if dtype is not None else array.dtype)
    array = array.astype(name)  # native byte order too
    return make(CONSTANT, (), value=Frozen(array), type=TensorType(name, array.shape))


def named_constant(name: str, like: Expr) -> Expr:
    """One of IRRATIONALS, in the dtype of an expression."""
    kind = like.type if like.type is ANY else TensorType(like.type.dtype, ())
    value = np.asarray(float(IRRATIONALS[name]), "float64" if like.type is ANY else like.type.dtype)
    return make(CONSTANT, (), value=Frozen(value), type=kind, name=name)


def meant_by(constant: Expr) -> Fraction | None:
    """The number that a constant stands for, if its dtype does not hold that."""
    name = constant.params.get("name")
    return None if name is None else IRRATIONALS[name]


def pattern_constant(value: Any) -> Expr:
    """A number in a rewrite pattern, which fits any dtype."""
    return make(CONSTANT, (), value=Frozen(np.asarray(value)), type=ANY)


def as_expr(value: Any) -> Expr:
    """An Expr as it is, anything else as a constant."""
    return value if isinstance(value, Expr) else constant(value)


def is_constant(expr: Expr) -> bool:
    """Whether a node is a constant leaf."""
    return expr.op is CONSTANT


def number_of(expr: Expr) -> Any:
    """The Python number that a scalar constant holds, else None (also for one of a number form)."""
    if expr.op is CONSTANT and expr.params["value"].array.shape == () and not expr.params["value"].array.dtype.names:
        return expr.params["value"].array.item()
    return None


# ---- what an error or a printout calls a node ----


SHOWN = {"contract": "dot", "join": "concatenate", "gather": "getitem", "slice": "getitem", "scatter": "set_subtensor"}


def one_expression(x: Any, what: str) -> None:
    """Raises InputError for what is none."""
    if not isinstance(x, Expr):
        raise InputError(f"{what}: takes an expression, not {kind_of(x)}", (), "symdl.debugprint shows functions, too.")


def short(expr: Expr, depth: int = 3) -> str:
    """A name, or a formula cut off after a few levels."""
    return expr.name or FUNCTIONS["formula"](expr, depth)


def place_of(expr: Expr) -> str:
    """The user's line that made a node, as file:line; of several, the first. A number has none: 1.0 is everywhere one."""
    if expr.op is CONSTANT and not expr.type.shape:
        return ""
    lines = sorted(expr.origins)
    return f"{os.path.basename(lines[0][0])}:{lines[0][1]}" if lines else ""


def described(expr: Expr) -> Part:
    """A node as a part of an error message."""
    return short(expr, 2), str(expr.type), place_of(expr)


def before_casts(expr: Expr) -> Expr:
    """An operand before the casts that promotion put around it."""
    while expr.op.name == "cast":
        expr = expr.inputs[0]
    return expr


def explained(error: SymdlError, inputs: Sequence[Expr]) -> SymdlError:
    """A type rule's error with the names ({0}, {1}, ... in its text) and parts of the inputs."""
    inputs = [before_casts(i) for i in inputs]
    names = [short(i, 2) for i in inputs]
    head, remedy = error.head, error.remedy
    for k, name in enumerate(names):
        head, remedy = head.replace(f"{{{k}}}", name), remedy.replace(f"{{{k}}}", name)
    parts = error.parts or tuple(dict.fromkeys(described(i) for i in inputs))
    return type(error)(head, parts, remedy)


FUNCTIONS["described"] = described  # for methods.py, which knows no Expr
