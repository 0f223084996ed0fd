"""What Theano's variables have and symdl's have not: tags, owners, free attributes, types that make variables.

Expressions never change and have no room for more, so all of this is side data beside them, and the attributes are put
on symdl's classes when this package is loaded. They add names; no name that symdl has means something else after.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

import symdl.tensor
from symdl.config import config
from symdl.errors import ImmutableError
from symdl.expr import (
    CONSTANT,
    RESULT,
    SKIPPED,
    VARIABLE,
    Expr,
    Frozen,
    as_expr,
    checked_dtype,
    constant,
    described,
    make,
    results,
    variable,
)
from symdl.functions import Function, function
from symdl.inputs import as_array
from symdl.methods import Methods
from symdl.ops.declare import stacked
from symdl.ops.extents import expr_of
from symdl.ops.formulas import norm
from symdl.ops.identities import copied
from symdl.ops.reductions import ptp
from symdl.ops.shaping import full_like, squeeze
from symdl.storage import SharedVariable
from symdl.types import Results, TensorType, fresh_serial, fresh_symbol

_beside: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()  # attributes that users put on expressions


class Tag:
    """Whatever a program notes on a variable. test_value of what is computed follows from those of its inputs.

    A view: what is noted lies beside the variable, and goes with it.
    """

    def __init__(self, of: Expr) -> None:
        self.__dict__["_of"] = of

    def __getattr__(self, name: str) -> Any:
        x = self.__dict__["_of"]
        own = _beside.get(x, {}).get("tag", {})
        if name in own:
            return own[name]
        if name == "test_value":
            return test_value(x)
        raise AttributeError(f"the tag of {x!r} has no {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        _beside.setdefault(self.__dict__["_of"], {}).setdefault("tag", {})[name] = value

    def __delattr__(self, name: str) -> None:
        del _beside[self.__dict__["_of"]]["tag"][name]

    def __repr__(self) -> str:
        return f"tag({', '.join(self.noted())})"

    def noted(self) -> dict[str, Any]:
        """All that was noted."""
        return dict(_beside.get(self.__dict__["_of"], {}).get("tag", {}))


def test_value(x: Expr) -> Any:
    """The value of an expression for the test values of its variables. Raises AttributeError where one has none."""
    if x.op is CONSTANT:
        return x.params["value"].array
    if isinstance(x, SharedVariable):
        return x.get_value()
    if x.op is VARIABLE:
        raise AttributeError(f"{x!r} has no test value")
    leaves = [n for n in ancestors([x]) if n.op is VARIABLE and not isinstance(n, SharedVariable)]
    return x.eval({n: as_array(tag(n).test_value, n, downcast=True) for n in leaves})


def tag(x: Expr) -> Tag:
    """The tag of a variable."""
    return Tag(x)


def _set_tag(x: Expr, value: Any) -> None:
    """Another tag in its place: what is noted in it."""
    _beside.setdefault(x, {})["tag"] = value.noted() if isinstance(value, Tag) else dict(vars(value))


class Apply:
    """The application of an op that made a variable: op, inputs, outputs. A view; two of one node are equal."""

    def __init__(self, op: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        self.op, self.inputs, self.outputs = op, list(inputs), list(outputs)
        self.tag = type("Tag", (), {})()

    @property
    def out(self) -> Any:
        """The only output."""
        return self.outputs[0]

    @property
    def nin(self) -> int:
        return len(self.inputs)

    @property
    def nout(self) -> int:
        return len(self.outputs)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Apply) and len(self.outputs) == len(other.outputs) and self.outputs[0] is other.outputs[0]
        )

    def __hash__(self) -> int:
        return hash(self.outputs[0])

    def __repr__(self) -> str:
        return f"{self.op}({', '.join(map(str, self.inputs))})"

    def get_parents(self) -> list[Any]:
        """The inputs."""
        return list(self.inputs)


class OpOf:
    """The op of an Apply as a program sees it: its name, its parameters. Its class bears the name that Theano's has."""

    def __init__(self, node: Expr) -> None:
        self.node = node
        self.name = node.op.name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        params = self.__dict__["node"].params
        if name in params:
            return params[name]
        raise AttributeError(f"the op {self.name} has no {name!r}")

    @property
    def outputs(self) -> list[Expr]:
        """The results of a step of a loop, as formulas of the step's own variables."""
        body = self.node.params.get("body")
        if body is None:
            raise AttributeError(f"the op {self.name} has no 'outputs'")
        return list(body.outputs)

    @property
    def scalar_op(self) -> Any:
        """What an elementwise op does to each element."""
        if self.node.op.kind != "elementwise":
            raise AttributeError(f"the op {self.name} has no 'scalar_op'")
        return self.node.op

    def __eq__(self, other: object) -> bool:
        return self.node.op is other.node.op if isinstance(other, OpOf) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.node.op)

    def __str__(self) -> str:
        if type(self).__name__ == "DimShuffle" and "axes" in self.node.params:
            axes = self.node.params["axes"]
            places = (str(axes.index(k)) if k in axes else "x" for k in range(self.node.type.ndim))
            return f"InplaceDimShuffle{{{','.join(places)}}}"
        return f"Elemwise{{{self.name},no_inplace}}" if self.node.op.kind == "elementwise" else type(self).__name__

    __repr__ = __str__


CLASSES = {  # Theano's class of an op, where one word says it
    "contract": "Dot", "spread": "DimShuffle", "transpose": "DimShuffle", "squeeze": "Subtensor", "slice": "Subtensor",
    "gather": "AdvancedSubtensor", "scatter": "AdvancedIncSubtensor", "sum": "Sum", "prod": "Prod", "reshape": "Reshape",
    "join": "Join", "softmax": "Softmax", "scan": "Scan", "extent": "Shape_i", "iota": "ARange", "if": "IfElse",
}  # fmt: skip


@cache
def _class_of(name: str) -> type[OpOf]:
    return type(name, (OpOf,), {})


def op_of(node: Expr, compiled: bool = False) -> OpOf:
    """The op of a node; a product in a compiled function is a Gemm."""
    name = (
        "Elemwise"
        if node.op.kind == "elementwise"
        else CLASSES.get(node.op.name, node.op.name.title().replace("_", ""))
    )
    return _class_of("Gemm" if compiled and name == "Dot" else name)(node)


def text_of(x: Expr) -> str:
    """str(x) as Theano has it: a name, a constant, or the op that makes x and the number of the result."""
    if x.op is CONSTANT:
        return f"TensorConstant{{{x.params['value'].array}}}"
    if x.name or x.op is VARIABLE:
        return x.name or f"<{_shown(x.type)}>"
    made = owner(x)
    return f"{made.op if made else x.op}.{x.params['index'] if x.op is RESULT else 0}"


def owner(x: Expr) -> Apply | None:
    """Who made x; None for variables, constants and shared values."""
    if x.op.kind == "leaf":
        return None
    node = x.inputs[0] if x.op is RESULT else x
    made: Any = getattr(node.params.get("call"), "made_by", None) or op_of(node)
    return Apply(made, node.inputs, results(node))


def ancestors(outputs: Sequence[Expr]) -> Iterator[Expr]:
    """Every variable that the outputs depend on, and they themselves, each once, outputs first."""
    seen: set[Expr] = set()
    stack = list(outputs)
    while stack:
        n = stack.pop()
        if n in seen:
            continue
        seen.add(n)
        if not isinstance(n.type, Results):
            yield n
        stack += reversed(n.inputs)


class Sizes(tuple[Any, ...]):
    """x.shape as Theano has it: a vector of integers."""

    ndim = 1
    dtype = "int64"

    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index) if not isinstance(index, Expr) else stacked(tuple(self))[index]
        return Sizes(found) if isinstance(index, slice) else found

    def eval(self, values: Any = None) -> Any:
        """The sizes as an array."""
        return vector_of(self).eval(values or {})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(vector_of(self), name)


def vector_of(sizes: Sequence[Any]) -> Expr:
    """Sizes as one int64 vector."""
    return as_expr(stacked(tuple(sizes))) if len(sizes) else constant(np.zeros(0, "int64"))


class Size(int):
    """A size that is known: an int, with what programs ask of an expression."""

    ndim, dtype, name, owner = 0, "int64", None, None

    def eval(self, values: Any = None) -> Any:
        """The number as an array."""
        return np.asarray(int(self))


def _sizes(x: Expr) -> Sizes:
    return Sizes(Size(n) if isinstance(n, int) else expr_of(n) for n in x.type.shape)


def copy_of(x: Expr, name: str | None = None) -> Expr:
    """x as a variable of its own, with tags and a name of its own."""
    made = copied(x)
    made.name = name
    return made


def fresh(x: Expr, name: str | None = None) -> Expr:
    """A new variable of the type of x: x.type()."""
    return x.type(name)  # type: ignore[no-any-return]  # put on below


# ---- types ----


def _broadcastable(kind: TensorType) -> tuple[bool, ...]:
    return tuple(n == 1 if isinstance(n, int) else False for n in kind.shape)


def _made(kind: TensorType, name: str | None = None) -> Expr:
    """A new variable of this type. Extents that are known stay, others are its own."""
    if not kind.shape:  # the very type: x.type is T.dscalar
        leaf = make(VARIABLE, (), id=fresh_serial(), type=kind)
        leaf.name = name
        return leaf
    return variable(name, [n if isinstance(n, int) else None for n in kind.shape], kind.dtype)


PATTERNS = {
    (): "scalar", (False,): "vector", (True, False): "row", (False, True): "col", (False, False): "matrix"
}  # fmt: skip


def _shown(kind: TensorType) -> str:
    """As Theano writes a type."""
    ones = _broadcastable(kind)
    return f"TensorType({kind.dtype}, {PATTERNS.get(ones) or (ones if any(ones) else f'{len(ones)}D')})"


def _filtered(kind: TensorType, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
    return as_array(data, _made(kind), strict, bool(allow_downcast))


def _as_variable(kind: TensorType, other: Any, allow_convert: bool = True) -> Expr:
    return as_expr(other)


def alike(one: Any, other: Any) -> bool:
    """Whether two types are one to Theano: dtype, number of axes, which have extent 1."""
    return (
        isinstance(one, TensorType)
        and isinstance(other, TensorType)
        and one.dtype == other.dtype
        and _broadcastable(one) == _broadcastable(other)
    )


def _equal(one: TensorType, other: object) -> bool:
    """Two types are equal to symdl if their sizes are proved equal; to a program that asks, if they are to Theano."""
    if other.__class__ is not one.__class__:
        return NotImplemented  # type: ignore[no-any-return]  # mypy knows it in methods alone
    assert isinstance(other, TensorType)
    if one.dtype == other.dtype and one.shape == other.shape:
        return True
    return not sys._getframe(1).f_code.co_filename.startswith(SKIPPED) and alike(one, other)


class _Types(type):
    def __instancecheck__(cls, thing: Any) -> bool:
        return isinstance(thing, TensorType)

    def __subclasscheck__(cls, other: Any) -> bool:
        return other is cls or issubclass(other, TensorType)


class TensorTypeOf(metaclass=_Types):
    """T.TensorType(dtype, broadcastable): a type, which called makes a variable."""

    def __new__(cls, dtype: Any, broadcastable: Sequence[Any], name: str | None = None, **_: Any) -> Any:
        name_of = config.floatX if dtype == "floatX" else checked_dtype(dtype)
        return _type(name_of, tuple(b is True or (type(b) is not bool and b == 1) for b in broadcastable))


@cache
def _type(dtype: str, ones: tuple[bool, ...]) -> TensorType:
    """The one type of this dtype and these axes of extent 1: equal ones of Theano's are one."""
    return TensorType(dtype, tuple(1 if b else fresh_symbol("n") for b in ones))


class _Constants(type):
    def __instancecheck__(cls, thing: Any) -> bool:
        return isinstance(thing, Expr) and thing.op is CONSTANT


class ConstantOf(metaclass=_Constants):
    """Theano's Constant: an expression that is a number or an array."""

    def __new__(cls, type: Any, data: Any, name: str | None = None) -> Any:
        if not isinstance(type, TensorType):
            return constant(data)
        return make(CONSTANT, (), value=Frozen(np.asarray(data, type.dtype)), type=type)


class _Symbolic(type):
    def __instancecheck__(cls, thing: Any) -> bool:
        return type(thing) is Expr and thing.op is not CONSTANT

    def __subclasscheck__(cls, other: Any) -> bool:
        return other is cls or issubclass(other, Expr)


class TensorVariable(metaclass=_Symbolic):
    """Theano's TensorVariable: an expression that is neither constant nor shared."""

    def __new__(cls, type: Any, owner: Any = None, index: Any = None, name: str | None = None) -> Any:
        return type(name)


# ---- put on symdl's classes ----


def _set_attribute(x: Expr, name: str, value: Any) -> None:
    """Names that symdl does not use may be set; its own parts stay as they are."""
    if name == "name":
        _plain_set(x, name, value)
    elif name == "tag":
        _set_tag(x, value)
    elif name == "__doc__" or not (
        hasattr(type(x), name) or name in ("op", "inputs", "params", "type", "facts", "origins")
    ):
        _beside.setdefault(x, {})[name] = value
    else:
        raise ImmutableError(f"{x!r}: {name} cannot be set, for an expression never changes", [described(x)])


_plain_set = object.__setattr__


def _get_attribute(x: Expr, name: str) -> Any:
    if not name.startswith("__"):
        own = _beside.get(x)
        if own is not None and name in own:
            return own[name]
    raise AttributeError(f"{type(x).__name__!r} object has no attribute {name!r}")


def _del_attribute(x: Expr, name: str) -> None:
    own = _beside.get(x, {})
    if name not in own:
        raise AttributeError(name)
    del own[name]


_plain_bool = Expr.__bool__


def _true(x: Expr) -> bool:
    """`if not W` asks whether W was given: every variable counts as true but comparisons, which still raise."""
    return _plain_bool(x) if x.type.dtype == "bool" else True


_plain_item = Expr.__getitem__


def _item(x: Expr, index: Any) -> Any:
    """x[index]; a list that holds slices counts as a tuple, as it did in NumPy.

    Beside new axes, axes at the end that the index leaves out are dropped where their extent is 1: m[:, None] of a
    column is that column (Theano reads it as dimshuffle(0, "x")).
    """
    if isinstance(index, list) and any(isinstance(i, slice) for i in index):
        index = tuple(index)
    if isinstance(index, tuple) and any(i is None for i in index) and not any(i is Ellipsis for i in index):
        used = sum(i is not None for i in index)
        if (
            used < x.type.ndim
            and all(n == 1 for n in x.type.shape[used:] if isinstance(n, int))
            and all(isinstance(n, int) for n in x.type.shape[used:])
        ):
            x = squeeze(x, tuple(range(used, x.type.ndim)))
    return _plain_item(x, index)


_plain_eval = Expr.eval


def _eval(x: Expr, inputs_to_values: Any = None) -> Any:
    """x.eval(); unlike symdl's, it moves random streams on."""
    if not any(isinstance(n, SharedVariable) and n.default_update is not None for n in ancestors([x])):
        return _plain_eval(x, inputs_to_values)
    given = dict(inputs_to_values or {})
    return function(list(given), x, on_unused_input="ignore", name="eval")(*given.values())


def _data(x: Expr) -> Any:
    if x.op is not CONSTANT:
        raise AttributeError(f"{x!r} is no constant and has no data")
    return x.params["value"].array


def _zero(value: SharedVariable, borrow: bool = False) -> None:
    value.set_value(np.zeros_like(value.get_value(borrow=True)))


class Container:
    """The place where a shared value lies."""

    def __init__(self, of: SharedVariable) -> None:
        self.of = of

    @property
    def data(self) -> Any:
        return self.of.get_value(borrow=True)

    @data.setter
    def data(self, value: Any) -> None:
        self.of.set_value(value)

    value = data

    @property
    def storage(self) -> list[Any]:
        return [self.data]


class Maker:
    """f.maker: the graph of a function, as far as programs look at it."""

    def __init__(self, of: Function) -> None:
        self.function, self.fgraph = of, FunctionGraph(list(of.graph.inputs), list(of.graph.outputs), compiled=True)
        self.inputs = of.ins
        self.mode = of.mode
        self.linker = self


class FunctionGraph:
    """Inputs, outputs and the applications between them."""

    def __init__(
        self, inputs: Sequence[Expr], outputs: Sequence[Expr], clone: bool = True, compiled: bool = False, **_: Any
    ) -> None:
        self.inputs, self.outputs, self.compiled = list(inputs), list(outputs), compiled

    @property
    def variables(self) -> set[Expr]:
        return set(ancestors(self.outputs))

    @property
    def apply_nodes(self) -> set[Apply]:
        return set(self.toposort())

    def toposort(self) -> list[Apply]:
        """Applications, each after what it uses."""
        order: dict[Apply, None] = {}
        stack = [o for n in reversed(self.outputs) if (o := owner(n)) is not None]
        while stack:
            a = stack[-1]
            above = [o for i in a.inputs if not isinstance(i.type, Results) and (o := owner(i)) is not None]
            if a in order:
                stack.pop()
            elif missing := [o for o in above if o not in order]:
                stack += reversed(missing)
            else:
                order[stack.pop()] = None
        if self.compiled:
            for a in order:
                a.op = op_of(a.op.node, compiled=True) if isinstance(a.op, OpOf) else a.op
        return list(order)


def _maker(f: Function) -> Maker:
    return Maker(f)


def _copy_of(f: Function, share_memory: bool = False, swap: Any = None, delete_updates: bool = False, **_: Any) -> Any:
    """A function of the same graph; swap puts other shared values in the place of some."""
    pairs = [] if delete_updates else [(dict(swap or {}).get(a, a), b) for a, b in f._updates]
    outputs: Any = list(f._chosen)
    if f.kind is None or f.kind == "one":
        outputs = f._chosen[0] if f.kind else None
    elif isinstance(f.kind, tuple):
        outputs = dict(zip(f.kind, f._chosen, strict=True))
    givens = [*f._givens, *dict(swap or {}).items()]
    options: Any = f._options
    _, downcast, name, mode, defaults, *rest = options
    return Function(f.ins, outputs, pairs, givens, "ignore", downcast, name, mode, delete_updates or defaults, *rest)


def _nothing(*_: Any, **__: Any) -> None:
    return None


METHODS = (
    "arccos arccosh arcsin arcsinh arctan arctanh ceil cos cosh deg2rad exp exp2 expm1 floor log log10 log1p log2 rad2deg sin "
    "sinh sqrt tan tanh trunc searchsorted"
)


def _method(name: str) -> Any:
    """T.name as a method of its first operand."""
    op = getattr(symdl.tensor, name)
    return lambda x, *others, **options: op(x, *others, **options)


EXTRA: dict[type, dict[str, Any]] = {
    Expr: {
        **{name: _method(name) for name in METHODS.split()},
        "__setattr__": _set_attribute, "__getattr__": _get_attribute, "__delattr__": _del_attribute,
        "__bool__": _true, "__str__": text_of, "__repr__": text_of, "__getitem__": _item, "eval": _eval,
        "tag": property(tag, _set_tag), "owner": property(owner), "index": property(lambda x: x.params.get("index", 0)),
        "clone": fresh, "copy": copy_of, "auto_name": property(lambda x: f"auto_{id(x)}"), "data": property(_data),
        "shape": property(_sizes), "broadcastable": property(lambda x: _broadcastable(x.type)),
        "norm": lambda x, L=2, axis=None, keepdims=False: norms(x, L, axis, keepdims),
        "ptp": lambda x, axis=None: ptp(x, axis),
        "zeros_like": lambda x, dtype=None: full_like(x, 0, dtype),
        "ones_like": lambda x, dtype=None: full_like(x, 1, dtype),
        "fill": lambda x, value: full_like(x, value), "conj": lambda x: x, "conjugate": lambda x: x,
        "get_parents": lambda x: [o] if (o := owner(x)) is not None else [],
        "transfer": lambda x, target: x,
        "real": property(lambda x: x),
    },
    SharedVariable: {"container": property(Container), "zero": _zero, "value": property(lambda s: s.get_value())},
    TensorType: {
        "broadcastable": property(_broadcastable), "__call__": _made, "__repr__": _shown, "__eq__": _equal,
        "make_variable": _made, "filter": _filtered,
        "filter_variable": _as_variable, "numpy_dtype": property(lambda t: np.dtype(t.dtype)),
        "is_super": lambda t, other: alike(t, other), "in_same_class": lambda t, other: alike(t, other),
        "clone": lambda t, dtype=None, broadcastable=None: TensorTypeOf(
            dtype or t.dtype, _broadcastable(t) if broadcastable is None else broadcastable
        ),
    },
    Function: {
        "maker": property(_maker), "copy": _copy_of, "free": _nothing, "fn": property(lambda f: f),
        "input_storage": property(lambda f: [None for _ in f.ins]),
        "get_shared": lambda f: list(f._shareds),
    },
}  # fmt: skip


def norms(x: Any, order: Any, axis: Any = None, keepdims: bool = False) -> Expr:
    """(sum |x|^order)^(1 / order); the largest |x| for infinity, their number for 0."""
    e = as_expr(x)
    if order == 2:
        return norm(e, axis, keepdims)
    if order == np.inf:
        return abs(e).max(axis=axis, keepdims=keepdims)
    if order == 0:
        return as_expr(abs(e) > 0).sum(axis=axis, keepdims=keepdims)
    found: Expr = (abs(e) ** order).sum(axis=axis, keepdims=keepdims) ** (1.0 / order)
    return found


ABSENT = object()
_before: dict[tuple[type, str], Any] = {}  # what symdl's classes had, by class and name


def put_on(extra: dict[type, dict[str, Any]] = EXTRA) -> None:
    """Give symdl's classes Theano's attributes."""
    for kind, attributes in extra.items():
        for name, value in attributes.items():
            _before.setdefault((kind, name), vars(kind).get(name, ABSENT))
            setattr(kind, name, value)
    if "__array__" in vars(Methods):  # arrays of expressions, as np.prod([n, m]) makes them, are arrays of objects
        _before[Methods, "__array__"] = vars(Methods)["__array__"]
        del Methods.__array__


def take_off() -> None:
    """Give symdl's classes back what they had."""
    for (kind, name), value in _before.items():
        if value is not ABSENT:
            setattr(kind, name, value)
        elif name in vars(kind):
            delattr(kind, name)
