"""sympy both ways: compiled functions of sympy expressions, and sympy expressions of elementwise graphs.

f = symdl.from_sympy(sympy.exp(-x**2) * sympy.cos(a * x), [x, a])
f(numpy.linspace(0, 1, 1000), 2.0)          # like sympy.lambdify's functions, compiled and stabilized
f.grad(x)(1.0, 2.0)                         # its derivative
y = f.graph(T.vector("x"), T.scalar("a"))   # the graph, to go on with
symdl.to_sympy(T.log(1 + T.exp(u)))         # log(exp(u) + 1)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.errors import InputError, SymbolicError, kind_of
from symdl.functions import Function, function
from symdl.graph.expr import CONSTANT, Expr, Op, as_expr, constant, described, number_of
from symdl.graph.walks import topological
from symdl.ops.declare import cast_to, is_float

Array = np.ndarray[Any, Any]
Form = Callable[..., Any]  # Exprs to an Expr


@cache
def _sympy() -> Any:
    import sympy  # noqa: PLC0415  # slow to load: at its first use, never by `import symdl`

    return sympy


# ---- to sympy ----


@cache
def formula(op: Op) -> Any:
    """An elementwise op's meaning as a sympy expression of its arguments."""
    sympy = _sympy()
    if op.meaning is None:
        raise ValueError(f"{op} states no meaning")
    return sympy.sympify(op.meaning, locals={a: sympy.Symbol(a, real=True) for a in op.arguments})


@cache
def constants() -> dict[float, Any]:
    """A float that is the double next to one of these stands for it in a formula: x * math.log(2) means x log 2."""
    s = _sympy()
    values = (
        s.log(2), 1 / s.log(2), s.log(10), 1 / s.log(10), s.pi, s.pi / 180, 180 / s.pi, 2 / s.sqrt(s.pi),
        s.sqrt(s.pi) / 2, s.sqrt(2), 1 / s.sqrt(2), s.E,
    )  # fmt: skip
    return {float(s.N(value, 40)): value for value in values}


def number(value: Any) -> Any:
    """A Python number as sympy's: exact, and a float next to pi, log 2, ... as that constant."""
    sympy = _sympy()
    if isinstance(value, bool):
        return sympy.true if value else sympy.false
    if isinstance(value, int):
        return sympy.Integer(value)
    if abs(value) in constants():
        return constants()[abs(value)] * (1 if value > 0 else -1)
    return sympy.Rational(value) if math.isfinite(value) else sympy.Float(value)


def symbolic(root: Expr, names: Mapping[Expr, Any]) -> Any:
    """A graph of elementwise ops on scalars as one sympy expression. names: the sympy expression of each leaf."""
    sympy = _sympy()
    done: dict[Expr, Any] = dict(names)
    for node in topological(root):
        if node in done:
            continue
        value = number_of(node)
        if value is not None:
            done[node] = number(value)
        elif node.op.name in ("spread", "cast") and (node.op.name == "cast" or node.inputs[0].type.shape == ()):
            done[node] = done[node.inputs[0]]  # a scalar stretched to its peers, or a number in another dtype
        elif node.op.meaning is None or node.op.kind not in ("elementwise", "composite") or not node.inputs:
            raise SymbolicError(
                f"to_sympy: {node.op} is no elementwise op of numbers",
                [described(node)],
                "Elementwise graphs have formulas.",
            )
        else:
            at = {sympy.Symbol(a, real=True): done[i] for a, i in zip(node.op.arguments, node.inputs, strict=True)}
            done[node] = formula(node.op).xreplace(at)
    return done[root]


def to_sympy(graph: Any, names: Mapping[Expr, Any] | None = None) -> Any:
    """A graph of elementwise ops as a sympy expression, over the reals; a list or tuple of graphs as a list.

    Leaves become real symbols of their names, or what names gives for them. Floats become exact rationals, those next to
    pi, e, log 2, ... these constants; casts vanish. Raises SymbolicError for ops that are not elementwise, arrays of
    constants, and leaves without a name or with the name of another.
    """
    if isinstance(graph, list | tuple):
        return [to_sympy(g, names) for g in graph]
    sympy, root = _sympy(), as_expr(graph)
    given: dict[Expr, Any] = {as_expr(k): sympy.sympify(v) for k, v in (names or {}).items()}
    used: dict[str, Expr] = {}
    for leaf in topological(root):
        if leaf.inputs or leaf in given or number_of(leaf) is not None:
            continue
        if not leaf.name or leaf.op is CONSTANT:
            raise SymbolicError(
                f"to_sympy: {leaf!r} has no name", [described(leaf)], "names={x: sympy.Symbol(...)} gives one."
            )
        if used.setdefault(leaf.name, leaf) is not leaf:
            raise SymbolicError(
                f"to_sympy: two leaves are named {leaf.name!r}", [described(used[leaf.name]), described(leaf)],
                "names={x: sympy.Symbol(...)} tells them apart.",
            )  # fmt: skip
        given[leaf] = sympy.Symbol(leaf.name, real=True)
    return symbolic(root, given)


# ---- from sympy ----


def _gamma(x: Expr) -> Expr:
    odd = T.eq(T.mod(T.floor(x), 2), 1)
    return T.where(x > 0, 1, T.where(odd, -1, 1)) * T.exp(T.gammaln(x))


def _polygamma(n: Expr, x: Expr) -> Expr:
    order = number_of(n)
    if order not in (0, 1):
        raise SymbolicError("from_sympy: polygamma of an order other than 0 and 1 has no graph")
    return T.digamma(x) if order == 0 else T.trigamma(x)


def _folded(f: Form) -> Form:
    def fold(*args: Expr) -> Any:
        out = args[0]
        for a in args[1:]:
            out = f(out, a)
        return out

    return fold


def _heaviside(x: Expr, at_zero: Any = 0.5) -> Expr:
    return T.where(x > 0, 1.0, T.where(T.eq(x, 0), at_zero, 0.0))


# sympy's functions by name. What has no row is rewritten by sympy itself where it can be (binomial, ...).
FUNCTIONS: dict[str, Form] = {
    "Abs": T.abs, "Max": _folded(T.maximum), "Min": _folded(T.minimum), "Mod": T.mod, "acos": T.arccos,
    "acosh": T.arccosh, "asin": T.arcsin, "asinh": T.arcsinh, "atan": T.arctan, "atan2": T.arctan2, "atanh": T.arctanh,
    "beta": lambda a, b: T.exp(T.gammaln(a) + T.gammaln(b) - T.gammaln(a + b)), "ceiling": T.ceil, "conjugate": lambda x: x,
    "cos": T.cos, "cosh": T.cosh, "digamma": T.digamma, "erf": T.erf, "erfc": T.erfc, "erfinv": T.erfinv, "exp": T.exp,
    "exp2": T.exp2, "expm1": T.expm1, "factorial": lambda n: _gamma(n + 1), "floor": T.floor, "frac": lambda x: x - T.floor(x),
    "gamma": _gamma, "Heaviside": _heaviside, "hypot": lambda x, y: T.sqrt(x * x + y * y), "im": lambda x: x * 0, "log": T.log,
    "log10": T.log10, "log1p": T.log1p, "log2": T.log2, "loggamma": T.gammaln, "polygamma": _polygamma, "re": lambda x: x,
    "sign": T.sign, "sin": T.sin, "sinh": T.sinh, "sqrt": T.sqrt, "tan": T.tan, "tanh": T.tanh,
    "cot": lambda x: 1 / T.tan(x), "sec": lambda x: 1 / T.cos(x), "csc": lambda x: 1 / T.sin(x),
    "coth": lambda x: 1 / T.tanh(x), "sech": lambda x: 1 / T.cosh(x), "csch": lambda x: 1 / T.sinh(x),
    "acot": lambda x: T.arctan(1 / x), "asec": lambda x: T.arccos(1 / x), "acsc": lambda x: T.arcsin(1 / x),
    "acoth": lambda x: T.arctanh(1 / x), "asech": lambda x: T.arccosh(1 / x), "acsch": lambda x: T.arcsinh(1 / x),
    "And": _folded(T.logical_and), "Or": _folded(T.logical_or), "Xor": _folded(T.logical_xor), "Not": T.logical_not,
    "Equality": T.eq, "Unequality": T.ne, "StrictLessThan": T.lt, "LessThan": T.le, "StrictGreaterThan": T.gt,
    "GreaterThan": T.ge, "ITE": T.where, "KroneckerDelta": lambda a, b: T.where(T.eq(a, b), 1.0, 0.0),
    "sinc": lambda x: T.where(T.eq(x, 0), 1.0, T.sin(x) / T.where(T.eq(x, 0), 1.0, x)),
}  # fmt: skip


def _power(base: Expr, exponent: Any, given: Any) -> Any:
    """base to a power, which sympy knows (given) where it is a number."""
    if given == -1:
        return 1 / base
    if given in (0.5, -0.5):
        return T.sqrt(base) if given > 0 else 1 / T.sqrt(base)
    return T.pow(base, int(given) if getattr(given, "is_Integer", False) else exponent)


def _rational(p: int, q: int, dtype: str) -> Any:
    return constant(p, dtype) / constant(q, dtype) if q != 1 else constant(p, dtype)


def converted(expr: Any, values: Mapping[Any, Expr], dtype: str) -> Expr:
    """A scalar sympy expression as a graph. values: a graph for each of its symbols, by the symbol itself.

    Rationals stay exact, numbers like pi are the nearest float. Raises SymbolicError where a part has no graph.
    """
    sympy = _sympy()
    done: dict[Any, Any] = dict(values)
    stack = [expr]
    while stack:
        e = stack[-1]
        if e in done:
            stack.pop()
            continue
        parts = _parts(e)
        if missing := [p for p in parts if p not in done]:
            stack += missing
            continue
        stack.pop()
        args = [done[p] for p in parts]
        done[e] = _node(sympy, e, args, dtype)
    found = done[expr]
    return found if isinstance(found, Expr) else constant(found, dtype)


BINDERS = ("Sum", "Product", "Integral", "Derivative", "Limit", "Subs")


def _parts(e: Any) -> tuple[Any, ...]:
    """What must be converted first."""
    if type(e).__name__ in BINDERS:
        raise SymbolicError(f"from_sympy: sympy finds no closed form of {e}")
    if getattr(e, "is_Piecewise", False):
        return tuple(p for pair in e.args for p in pair.args)
    return () if e.is_Atom else tuple(e.args)


def _node(sympy: Any, e: Any, args: list[Any], dtype: str) -> Any:
    if e.is_Rational:
        return _rational(int(e.p), int(e.q), dtype)
    if e in (sympy.true, sympy.false):
        return constant(e == sympy.true)
    if e.is_number and not e.args:
        value = complex(e) if e.is_real is False else float(e)
        if isinstance(value, complex):
            raise SymbolicError(f"from_sympy: {e} is complex")
        return constant(value, dtype)
    if e.is_Symbol:
        raise SymbolicError(f"from_sympy: {e} is not among the symbols given")
    if e.is_Add:
        return _folded(T.add)(*args)
    if e.is_Mul:
        above = [a for a, p in zip(args, e.args, strict=True) if not _is_inverse(p)]
        below = [a for a, p in zip(args, e.args, strict=True) if _is_inverse(p)]
        return _folded(T.mul)(*(above or [constant(1, dtype)]), *below)
    if e.is_Pow:
        return _power(args[0], args[1], e.args[1])
    if e.is_Piecewise:
        out: Any = constant(math.nan, dtype)
        for value, condition in reversed(list(zip(args[::2], args[1::2], strict=True))):
            out = value if number_of(condition) is True else T.where(condition, value, out)
        return out
    name = type(e).__name__
    if name in FUNCTIONS:
        return FUNCTIONS[name](*args)
    values = {p: a for p, a in zip(_parts(e), args, strict=True) if not p.is_number}
    dummies = {p: sympy.Dummy(real=True) for p in values}
    plain = e.xreplace(dummies)
    for form in (sympy.exp, sympy.gamma, sympy.Piecewise):
        other = plain.rewrite(form)
        if other != plain and not other.atoms(sympy.I):
            return converted(other, {dummies[p]: a for p, a in values.items()}, dtype)
    raise SymbolicError(
        f"from_sympy: {name} has no graph", (), f"functions: {', '.join(sorted(FUNCTIONS, key=str.lower))}"
    )


def _is_inverse(e: Any) -> bool:
    return bool(e.is_Pow and e.args[1].is_Number and e.args[1] < 0)


def from_sympy(
    expr: Any, symbols: Sequence[Any], dtype: str = "float64", precision: str | None = None
) -> SympyFunction:
    """A compiled function of a sympy expression, its arguments in the order of symbols: a faster, differentiable and
    stabilized sympy.lambdify.

    expr: an expression, a Matrix, or a list of them. Arguments are numbers and arrays that broadcast; the result has the
    matrix's axes first, then those of the arguments. dtype: what arguments are computed in. precision: as in function.
    Raises SymbolicError where a part has no graph, naming it.
    """
    return SympyFunction(expr, tuple(symbols), dtype, precision)


class SympyFunction:
    """What from_sympy gives: call it with numbers and arrays. graph and grad give graphs and derivatives."""

    def __init__(self, expr: Any, symbols: tuple[Any, ...], dtype: str, precision: str | None) -> None:
        sympy = _sympy()
        self.symbols = tuple(sympy.sympify(s) for s in symbols)
        self.dtype, self.precision = dtype, precision
        self.several = isinstance(expr, list | tuple)
        self.exprs = [sympy.sympify(e).doit() for e in (expr if self.several else [expr])]
        if not is_float(dtype):
            raise InputError(f"from_sympy: dtype must be float32 or float64, not {dtype!r}")
        if len(set(self.symbols)) != len(self.symbols):
            raise InputError(f"from_sympy: a symbol is given twice among {', '.join(map(str, self.symbols))}")
        known = set(self.symbols)
        for e in self.exprs:
            if unknown := sorted(map(str, e.free_symbols - known)):
                raise SymbolicError(f"from_sympy: {e} has {', '.join(unknown)}, not among the symbols given")
        self._compiled: dict[tuple[bool, ...], Function] = {}
        self._function((False,) * len(self.symbols))  # what cannot be converted is told now

    def __repr__(self) -> str:
        shown = ", ".join(map(str, self.exprs))
        return f"<symdl function of {', '.join(map(str, self.symbols))}: {shown if len(shown) < 80 else shown[:77] + '...'}>"

    def graph(self, *values: Any) -> Any:
        """The graph on these expressions, one for each symbol: an Expr, or a list where a list was given."""
        if len(values) != len(self.symbols):
            raise InputError(f"from_sympy: takes {len(self.symbols)} values, not {len(values)}")
        exprs = [cast_to(as_expr(v), self.dtype) for v in values]
        found = [self._one(e, dict(zip(self.symbols, exprs, strict=True))) for e in self.exprs]
        return found if self.several else found[0]

    def _one(self, e: Any, values: Mapping[Any, Expr]) -> Expr:
        if not getattr(e, "is_Matrix", False):
            return converted(e, values, self.dtype)
        cells = [converted(cell, values, self.dtype) for cell in e]
        zero = sum((v * 0 for v in values.values()), constant(0.0, self.dtype))  # of the shape of all arguments
        rows, columns = e.shape
        flat = T.stack([c + zero if c.type.shape != zero.type.shape else c for c in cells])
        return T.reshape(flat, (rows, columns, *zero.shape))

    def grad(self, symbol: Any) -> SympyFunction:
        """The derivative with respect to a symbol, by sympy; for that of a loss of many numbers take grad of the graph."""
        sympy = _sympy()
        s = sympy.sympify(symbol)
        if s not in self.symbols:
            raise InputError(f"from_sympy: {s} is not among {', '.join(map(str, self.symbols))}")
        found = [e.diff(s) for e in self.exprs]
        return SympyFunction(found if self.several else found[0], self.symbols, self.dtype, self.precision)

    def _function(self, arrays: tuple[bool, ...]) -> Function:
        """The function for arguments of which these are vectors, all of one length."""
        if arrays not in self._compiled:
            length = next((v for v, a in zip(self._leaves(arrays), arrays, strict=True) if a), None)
            leaves = self._leaves(arrays)
            if length is not None:
                n = T.vector(dtype=self.dtype).type.shape
                leaves = [
                    T.tensor(str(s), self.dtype, n if a else ()) for s, a in zip(self.symbols, arrays, strict=True)
                ]
            found = self.graph(*leaves)
            self._compiled[arrays] = function(
                leaves, found, on_unused_input="ignore", precision=self.precision, name="from_sympy"
            )
        return self._compiled[arrays]

    def _leaves(self, arrays: tuple[bool, ...]) -> list[Expr]:
        return [
            (T.vector if a else T.scalar)(str(s), dtype=self.dtype) for s, a in zip(self.symbols, arrays, strict=True)
        ]

    def __call__(self, *values: Any) -> Any:
        """The value at numbers and arrays, which broadcast."""
        if len(values) != len(self.symbols):
            raise InputError(
                f"from_sympy: takes {len(self.symbols)} values ({', '.join(map(str, self.symbols))}), not {len(values)}"
            )
        if any(isinstance(v, Expr) for v in values):
            parts = [described(v) for v in values if isinstance(v, Expr)]
            raise InputError("from_sympy: takes numbers and arrays", parts, "graph(...) gives the expression.")
        arrays = [np.asarray(v) for v in values]
        for s, a in zip(self.symbols, arrays, strict=True):
            if a.dtype.kind not in "biuf":
                raise InputError(
                    f"from_sympy: {s} is {kind_of(values[self.symbols.index(s)])}, neither a number nor an array"
                )
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
        long = tuple(a.ndim > 0 for a in arrays)
        flat = [
            np.ascontiguousarray(np.broadcast_to(a, shape), self.dtype).reshape(-1) if wide else a.astype(self.dtype)
            for a, wide in zip(arrays, long, strict=True)
        ]
        found = self._function(long)(*flat)
        shaped = [
            _shaped(f, shape, any(long), e) for f, e in zip(found if self.several else [found], self.exprs, strict=True)
        ]
        return shaped if self.several else shaped[0]


def _shaped(found: Array, shape: tuple[int, ...], long: bool, e: Any) -> Array:
    """A result with the axes of the arguments again; an expression of no argument that is an array is stretched."""
    if getattr(e, "is_Matrix", False):
        return found.reshape((*e.shape, *shape)) if long else found
    if long and found.ndim:
        return found.reshape(shape)
    return np.broadcast_to(found, shape).copy() if shape else found


def functions_known() -> Iterator[str]:
    """The names of sympy's functions that have a graph, for the documentation."""
    yield from sorted(FUNCTIONS, key=str.lower)
