"""NumPy's face of an expression: operators, methods and the protocols by which np.exp(x) builds a graph.

A function of the user's vocabulary is entered in FUNCTIONS where it is declared (ops/), under NumPy's name for it;
the operators here look it up, so that this file needs no op.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from symdl.errors import SymbolicError

if TYPE_CHECKING:
    from symdl.graph.expr import Expr

Function = TypeVar("Function", bound=Callable[..., Any])
LATER = {  # functions whose modules are loaded when they are called
    "eval": "symdl.functions", "formula": "symdl.notation.formulas", "latex": "symdl.notation.latex",
}  # fmt: skip


class Vocabulary(dict[str, Callable[..., Any]]):
    """name -> function on expressions."""

    def __missing__(self, name: str) -> Callable[..., Any]:
        import_module(LATER[name])
        return self[name]


FUNCTIONS = Vocabulary()  # ufuncs and array functions are found here, too
UFUNC_NAMES = {  # NumPy's name of a ufunc -> ours, where they differ
    "subtract": "sub", "multiply": "mul", "divide": "true_div", "true_divide": "true_div", "floor_divide": "floor_div",
    "remainder": "mod", "power": "pow", "float_power": "pow", "negative": "neg", "absolute": "abs", "fabs": "abs",
    "equal": "eq", "not_equal": "ne", "less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge",
    "logical_not": "logical_not", "bitwise_not": "invert", "rint": "round_half_even", "square": "sqr",
}  # fmt: skip


_COMPUTED = "symdl.function(inputs, x)(...) computes it, or x.eval({variable: value})."


def declared(name: str) -> Callable[[Function], Function]:
    """Enter a function in FUNCTIONS under a name."""

    def enter(function: Function) -> Function:
        FUNCTIONS[name] = function
        return function

    return enter


def _call(name: str, *args: Any, **options: Any) -> Expr:
    return FUNCTIONS[name](*args, **options)  # type: ignore[no-any-return]  # all but a few return an Expr


class Methods:
    """What NumPy users expect of an array. Comparison by == and != is identity, as in Theano and sympy: use T.eq."""

    __slots__ = ()
    __array_priority__ = 1000.0

    def _repr_latex_(self) -> str:
        return FUNCTIONS["latex"](self)  # type: ignore[no-any-return]  # the one that returns text

    def __neg__(self) -> Expr:
        return _call("neg", self)

    def __pos__(self) -> Expr:
        return self  # type: ignore[return-value]  # the only subclass is Expr

    def __abs__(self) -> Expr:
        return _call("abs", self)

    def __invert__(self) -> Expr:
        return _call("invert", self)

    def __add__(self, other: Any) -> Expr:
        return _call("add", self, other)

    def __radd__(self, other: Any) -> Expr:
        return _call("add", other, self)

    def __sub__(self, other: Any) -> Expr:
        return _call("sub", self, other)

    def __rsub__(self, other: Any) -> Expr:
        return _call("sub", other, self)

    def __mul__(self, other: Any) -> Expr:
        return _call("mul", self, other)

    def __rmul__(self, other: Any) -> Expr:
        return _call("mul", other, self)

    def __truediv__(self, other: Any) -> Expr:
        return _call("true_div", self, other)

    def __rtruediv__(self, other: Any) -> Expr:
        return _call("true_div", other, self)

    def __floordiv__(self, other: Any) -> Expr:
        return _call("floor_div", self, other)

    def __rfloordiv__(self, other: Any) -> Expr:
        return _call("floor_div", other, self)

    def __mod__(self, other: Any) -> Expr:
        return _call("mod", self, other)

    def __rmod__(self, other: Any) -> Expr:
        return _call("mod", other, self)

    def __divmod__(self, other: Any) -> tuple[Expr, Expr]:
        return self // other, self % other

    def __pow__(self, other: Any) -> Expr:
        return _call("pow", self, other)

    def __rpow__(self, other: Any) -> Expr:
        return _call("pow", other, self)

    def __matmul__(self, other: Any) -> Expr:
        return _call("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Expr:
        return _call("matmul", other, self)

    def __and__(self, other: Any) -> Expr:
        return _call("bitwise_and", self, other)

    def __rand__(self, other: Any) -> Expr:
        return _call("bitwise_and", other, self)

    def __or__(self, other: Any) -> Expr:
        return _call("bitwise_or", self, other)

    def __ror__(self, other: Any) -> Expr:
        return _call("bitwise_or", other, self)

    def __xor__(self, other: Any) -> Expr:
        return _call("bitwise_xor", self, other)

    def __rxor__(self, other: Any) -> Expr:
        return _call("bitwise_xor", other, self)

    def __lshift__(self, other: Any) -> Expr:
        return _call("left_shift", self, other)

    def __rlshift__(self, other: Any) -> Expr:
        return _call("left_shift", other, self)

    def __rshift__(self, other: Any) -> Expr:
        return _call("right_shift", self, other)

    def __rrshift__(self, other: Any) -> Expr:
        return _call("right_shift", other, self)

    def __lt__(self, other: Any) -> Expr:
        return _call("lt", self, other)

    def __le__(self, other: Any) -> Expr:
        return _call("le", self, other)

    def __gt__(self, other: Any) -> Expr:
        return _call("gt", self, other)

    def __ge__(self, other: Any) -> Expr:
        return _call("ge", self, other)

    def __getitem__(self, index: Any) -> Expr:
        return _call("getitem", self, index)

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise self._no_value(
            "cannot be assigned to: an expression never changes",
            "y = T.set_subtensor(x[index], value) is x with the value in that place.",
        )

    def __bool__(self) -> NoReturn:
        raise self._no_value(
            "has no truth value until it is computed",
            "T.where(condition, a, b) chooses elementwise; (x > 0) & (x < 1) combines conditions.",
        )

    def __iter__(self) -> Iterator[Expr]:
        n = self.shape[0] if self.ndim else None
        if not self.ndim:
            raise self._no_value("cannot be iterated over: it is a scalar", "")
        if not isinstance(n, int):
            raise self._no_value(
                "cannot be iterated over: its length is not known yet",
                "x[i] is one entry, T.split(x, n) makes n parts; operations on x act on all entries.",
            )
        return (self[k] for k in range(n))

    def __contains__(self, value: object) -> NoReturn:
        raise self._no_value(
            "cannot be searched: its entries are not known yet", "T.any(T.eq(x, value)) is whether one is value."
        )

    def __len__(self) -> int:
        n = self.shape[0] if self.ndim else None
        if not isinstance(n, int):
            if not self.ndim:
                raise self._no_value("has no length: it is a scalar", "")
            raise self._no_value("has no length yet", "x.shape[0] is its symbolic length.")
        return n

    def __float__(self) -> NoReturn:
        raise self._no_value("has no value until it is computed", _COMPUTED)

    __int__ = __complex__ = __float__

    def __index__(self) -> NoReturn:
        raise self._no_value("has no value until it is computed", f"{_COMPUTED} T.arange(n) counts to an unknown n.")

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise self._no_value("has no value until it is computed", _COMPUTED)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """np.exp(x), array + x: the same functions by NumPy's names."""
        function = FUNCTIONS.get(UFUNC_NAMES.get(ufunc.__name__, ufunc.__name__))
        if function is None or method != "__call__" or options:
            how = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
            extra = f" with {', '.join(options)}" if options else ""
            raise self._no_value(f"is symbolic, and np.{how}{extra} has no symbolic form", "")
        return function(*inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        """np.sum(x, axis=0), np.concatenate([x, y]): likewise."""
        ours = FUNCTIONS.get(function.__name__)
        if ours is None:
            name = f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)
            raise self._no_value(f"is symbolic, and {name} has no symbolic form", "")
        return ours(*args, **options)

    def _no_value(self, what: str, remedy: str) -> SymbolicError:
        return SymbolicError(f"{self!r} {what}", [FUNCTIONS["described"](self)], remedy)

    # ---- attributes and methods of an array ----

    @property
    def shape(self) -> tuple[Any, ...]:
        """One entry an axis: an int where it is known, else a symbolic int64 scalar."""
        return FUNCTIONS["shape"](self)  # type: ignore[no-any-return]  # its own type is there

    @property
    def ndim(self) -> int:
        return len(self.type.shape)  # type: ignore[attr-defined]  # the only subclass is Expr

    @property
    def dtype(self) -> str:
        return self.type.dtype  # type: ignore[attr-defined, no-any-return]  # the only subclass is Expr

    @property
    def size(self) -> Any:
        return _call("size", self)

    @property
    def broadcastable(self) -> tuple[bool, ...]:
        return tuple(n is not None and isinstance(n, int) and n == 1 for n in self.shape)

    @property
    def T(self) -> Expr:
        return _call("transpose", self)

    def transpose(self, *axes: Any) -> Expr:
        return _call("transpose", self, axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None)

    def dimshuffle(self, *pattern: Any) -> Expr:
        return _call("dimshuffle", self, *pattern)

    def reshape(self, *shape: Any, ndim: int | None = None) -> Expr:
        return _call("reshape", self, shape[0] if len(shape) == 1 else shape, ndim=ndim)

    def flatten(self, ndim: int = 1) -> Expr:
        return _call("flatten", self, ndim)

    def ravel(self) -> Expr:
        return _call("flatten", self, 1)

    def squeeze(self, axis: Any = None) -> Expr:
        return _call("squeeze", self, axis)

    def swapaxes(self, axis1: int, axis2: int) -> Expr:
        return _call("swapaxes", self, axis1, axis2)

    def repeat(self, repeats: Any, axis: int | None = None) -> Expr:
        return _call("repeat", self, repeats, axis)

    def take(self, indices: Any, axis: int | None = None) -> Expr:
        return _call("take", self, indices, axis)

    def astype(self, dtype: Any) -> Expr:
        return _call("cast", self, dtype)

    def clip(self, min: Any = None, max: Any = None) -> Expr:
        return _call("clip", self, min, max)

    def round(self, decimals: int = 0) -> Expr:
        return _call("round", self, decimals)

    def copy(self) -> Expr:
        return self  # type: ignore[return-value]  # the only subclass is Expr, which never changes

    def eval(self, values: Any = None) -> Any:
        """The value for these values of its variables: (x + y).eval({x: 1, y: 2})."""
        return _call("eval", self, values)

    def dot(self, other: Any) -> Expr:
        return _call("dot", self, other)

    def sum(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Expr:
        return _call("sum", self, axis=axis, dtype=dtype, keepdims=keepdims)

    def prod(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Expr:
        return _call("prod", self, axis=axis, dtype=dtype, keepdims=keepdims)

    def mean(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Expr:
        return _call("mean", self, axis=axis, dtype=dtype, keepdims=keepdims)

    def var(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Expr:
        return _call("var", self, axis=axis, ddof=ddof, keepdims=keepdims)

    def std(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Expr:
        return _call("std", self, axis=axis, ddof=ddof, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Expr:
        return _call("min", self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Expr:
        return _call("max", self, axis=axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, keepdims: bool = False) -> Expr:
        return _call("argmin", self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Expr:
        return _call("argmax", self, axis=axis, keepdims=keepdims)

    def any(self, axis: Any = None, keepdims: bool = False) -> Expr:
        return _call("any", self, axis=axis, keepdims=keepdims)

    def all(self, axis: Any = None, keepdims: bool = False) -> Expr:
        return _call("all", self, axis=axis, keepdims=keepdims)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Expr:
        return _call("diagonal", self, offset, axis1, axis2)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Expr:
        return _call("trace", self, offset, axis1, axis2)

    def cumsum(self, axis: int | None = None) -> Expr:
        return _call("cumsum", self, axis=axis)

    def argsort(self, axis: int | None = -1) -> Expr:
        return _call("argsort", self, axis=axis)

    def sort(self, axis: int | None = -1) -> Expr:
        return _call("sort", self, axis=axis)

    def nonzero(self) -> Any:
        return _call("nonzero", self)

    def cumprod(self, axis: int | None = None) -> Expr:
        return _call("cumprod", self, axis=axis)

    def compress(self, condition: Any, axis: int | None = None) -> Expr:
        return _call("compress", condition, self, axis=axis)
