"""What Theano's variables have and symdl's have not: tags, owners, free attributes, types that make variables.

Expressions never change and have no room for more, so all of this is side data beside them, and the attributes are put
on symdl's classes when this package is loaded. Most are new names; x.shape, x.eval, x[...], repr(x) and bool(x) become
Theano's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

import symdl.tensor
from symdl.errors import ImmutableError
from symdl.functions import Function, function
from symdl.graph.expr import CONSTANT, RESULT, VARIABLE, Expr, as_expr, constant, described
from symdl.graph.methods import Methods
from symdl.ops.declare import stacked
from symdl.ops.extents import expr_of
from symdl.ops.formulas import norm
from symdl.ops.identities import copied
from symdl.ops.reductions import ptp
from symdl.ops.shaping import full_like, squeeze
from symdl.runtime.inputs import as_array
from symdl.runtime.storage import SharedVariable
from symdl.theano.kinds import TensorTypeOf, alike, as_variable, broadcastable, equal, filtered, new_variable, shown
from symdl.theano.nodes import FunctionGraph, ancestors, owner
from symdl.types import TensorType

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


def text_of(x: Expr) -> str:
    """str(x) as Theano has it: a name, a constant, or the op that makes x and the number of the result."""
    if x.op is CONSTANT:
        return f"TensorConstant{{{x.params['value'].array}}}"
    if x.name or x.op is VARIABLE:
        return x.name or f"<{shown(x.type)}>"
    made = owner(x)
    return f"{made.op if made else x.op}.{x.params['index'] if x.op is RESULT else 0}"


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


def _reshaped(x: Expr, shape: Any, *more: Any, ndim: int | None = None) -> Expr:
    """x.reshape(shape, ndim), or with the extents one by one."""
    if len(more) == 1 and isinstance(shape, list | tuple):
        return symdl.tensor.reshape(x, shape, more[0])
    return symdl.tensor.reshape(x, (shape, *more) if more else shape, ndim)


EXTRA: dict[type, dict[str, Any]] = {
    Expr: {
        **{name: _method(name) for name in METHODS.split()},
        "__setattr__": _set_attribute, "__getattr__": _get_attribute, "__delattr__": _del_attribute,
        "__bool__": _true, "__str__": text_of, "__repr__": text_of, "__getitem__": _item, "eval": _eval,
        "tag": property(tag, _set_tag), "owner": property(owner), "index": property(lambda x: x.params.get("index", 0)),
        "clone": fresh, "copy": copy_of, "auto_name": property(lambda x: f"auto_{id(x)}"), "data": property(_data),
        "shape": property(_sizes), "broadcastable": property(lambda x: broadcastable(x.type)),
        "reshape": _reshaped,
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
        "broadcastable": property(broadcastable), "__call__": new_variable, "__repr__": shown, "__eq__": equal,
        "make_variable": new_variable, "filter": filtered,
        "filter_variable": as_variable, "numpy_dtype": property(lambda t: np.dtype(t.dtype)),
        "is_super": lambda t, other: alike(t, other), "in_same_class": lambda t, other: alike(t, other),
        "clone": lambda t, dtype=None, broadcastable=None: TensorTypeOf(
            dtype or t.dtype, t.broadcastable if broadcastable is None else broadcastable
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
