"""Ops of one's own: a Python function of arrays (as_op), a formula (elementwise), a graph (OpFromGraph)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from symdl.derivatives.gradient import pull
from symdl.errors import DtypeError, InputError, ShapeError, kind_of
from symdl.graph.expr import Expr, as_expr, checked_dtype, described, make, results, variable
from symdl.ops.declare import Derivative, DtypeRule, cast_to
from symdl.ops.declare import elementwise as declared_elementwise
from symdl.ops.extents import as_shape
from symdl.ops.own import PYTHON, PYTHON_SIZED, PythonFunction, Rule, custom_gradient
from symdl.passes.replacing import replaced
from symdl.types import TensorType, fresh_symbol

Shapes = Callable[[list[tuple[Any, ...]]], Sequence[Sequence[Any]]]
Gradient = Callable[[Sequence[Expr], Sequence[Expr], Sequence[Expr]], Sequence[Expr | None]]


def as_op(
    itypes: Sequence[Any], otypes: Sequence[Any], infer_shape: Shapes | None = None, gradient: Gradient | None = None
) -> Callable[[Callable[..., Any]], PythonOp]:
    """Make a Python function of NumPy arrays an op: call it with expressions, in graphs that are compiled.

        @symdl.as_op(itypes=[T.dmatrix], otypes=[T.dvector], infer_shape=lambda shapes: [shapes[0][:1]])
        def longest(a):
            return np.sqrt((a * a).sum(1))

    itypes, otypes: of each operand and result, T.dmatrix and the like, an expression of the type, or (dtype, number of
    axes). infer_shape(shapes of the operands) -> shapes of the results, in sizes like x.shape[0]; without it the compiled
    function is cut in two around the call, to see how large the results are. gradient(inputs, outputs, gradients of the
    outputs) -> for each input an expression or None. Operands are arrays that must not be changed. What the function
    raises reaches the caller, with a note that names the user's line. A function with such ops is compiled in each process.
    """
    ins, outs = [_type(t, "as_op: itypes") for t in itypes], [_type(t, "as_op: otypes") for t in otypes]
    if not outs:
        raise InputError("as_op: otypes is empty; an op has a result")
    return lambda function: PythonOp(function, ins, outs, infer_shape, gradient)


def _type(given: Any, what: str) -> tuple[str, int]:
    """(dtype, number of axes) of what stands for a type."""
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], int):
        return checked_dtype(given[0]), given[1]
    if callable(given) and not isinstance(given, Expr):
        given = given()
    if not isinstance(given, Expr):
        raise InputError(f"{what}: {kind_of(given)} is no type", (), 'T.dmatrix, or ("float64", 2)')
    return given.type.dtype, given.type.ndim


class PythonOp:
    """A Python function as an op: see as_op. Called with expressions; `function` is what it was made of."""

    def __init__(
        self, function: Callable[..., Any], itypes: list[tuple[str, int]], otypes: list[tuple[str, int]],
        infer_shape: Shapes | None, gradient: Gradient | None,
    ) -> None:  # fmt: skip
        self.function, self.itypes, self.otypes, self.infer_shape = function, itypes, otypes, infer_shape
        self.__name__ = getattr(function, "__name__", "function")
        self.__doc__ = function.__doc__
        self.call = PythonFunction(self.__name__, function, self._types, gradient)

    def __repr__(self) -> str:
        return self.__name__

    def _types(self, *types: TensorType) -> list[TensorType]:
        assert self.infer_shape is not None
        shapes = list(self.infer_shape([t.shape for t in types]))
        if len(shapes) != len(self.otypes):
            raise ShapeError(f"{self}: infer_shape gave {len(shapes)} shapes for {len(self.otypes)} results")
        found = []
        for k, (shape, (dtype, ndim)) in enumerate(zip(shapes, self.otypes, strict=True)):
            extents = as_shape(tuple(shape), f"{self}: infer_shape")
            if len(extents) != ndim:
                raise ShapeError(f"{self}: infer_shape gave result {k} {len(extents)} axes, not {ndim}")
            found.append(TensorType(dtype, extents))
        return found

    def __call__(self, *values: Any) -> Any:
        """The result, or a list of several. Raises InputError, DtypeError or ShapeError for operands of other types."""
        if len(values) != len(self.itypes):
            raise InputError(f"{self}: takes {len(self.itypes)} operands, not {len(values)}")
        inputs = []
        for k, (value, (dtype, ndim)) in enumerate(zip(values, self.itypes, strict=True)):
            x = as_expr(value)
            if not isinstance(value, Expr):
                x = cast_to(x, dtype)
            if x.type.dtype != dtype:
                raise DtypeError(f"{self}: operand {k} is {x.type.dtype}, not {dtype}", [described(x)])
            if x.type.ndim != ndim:
                raise ShapeError(f"{self}: operand {k} has {x.type.ndim} axes, not {ndim}", [described(x)])
            inputs.append(x)
        if self.infer_shape is not None:
            made = results(make(PYTHON, tuple(inputs), call=self.call))
        else:
            count = tuple(fresh_symbol("count") for _, ndim in self.otypes for _ in range(ndim))
            made = results(make(PYTHON_SIZED, tuple(inputs), call=self.call, count=count, kinds=tuple(self.otypes)))
        return made[0] if len(made) == 1 else list(made)


def elementwise(
    *, meaning: str, derivative: Derivative | Sequence[Derivative], rule: DtypeRule = "float", commutative: bool = False,
    domain: Sequence[tuple[float, float]] = (),
) -> Callable[[Callable[..., Any]], Any]:  # fmt: skip
    """Declare an elementwise op of one's own, in one piece: a function of expressions that computes it.

        @symdl.elementwise(meaning="log(1 + x**2)", derivative=lambda x, y: 2 * x / (1 + x * x))
        def log1psqr(x):
            return T.log(1 + x * x)

    meaning: the formula in sympy's syntax. derivative: one function an operand, of (*operands, result), or None for no
    gradient. rule: "float" makes floats of integers, "same" keeps dtypes. domain: an interval an operand, for proofs
    (symdl.verify.derivative_error compares derivative and meaning). It broadcasts, fuses, is stabilized and printed as any
    other op. A second declaration of a name replaces the first; names of symdl's own ops are taken.
    """
    return declared_elementwise(
        meaning=meaning, derivative=derivative, rule=rule, commutative=commutative, domain=domain, primitive=False
    )


class OpFromGraph:
    """A graph used as an op: f = OpFromGraph([x, y], [x + y]); f(a, b) is a + b.

    lop_overrides: gradients in the place of the graph's own: a function of (inputs, outputs, gradients of the outputs) that
    returns one for each input, or a list with such a function, or None for the graph's own gradient, for each input.
    grad_overrides: likewise, of (inputs, gradients of the outputs). Operands have the inputs' dtypes and numbers of axes;
    the graph is always compiled as a part of what surrounds it (inline makes no difference).
    """

    def __init__(
        self, inputs: Sequence[Expr], outputs: Sequence[Expr], inline: bool = True, lop_overrides: Any = None,
        grad_overrides: Any = None, rop_overrides: Any = None, name: str | None = None,
    ) -> None:  # fmt: skip
        if lop_overrides is not None and grad_overrides is not None:
            raise InputError("OpFromGraph: lop_overrides and grad_overrides are given, which say the same")
        if rop_overrides is not None:
            raise InputError(
                "OpFromGraph: rop_overrides are not needed", (), "Rop follows from the gradient; override that one."
            )
        self.inputs, self.outputs, self.name = list(inputs), list(outputs), name or "OpFromGraph"
        overrides = lop_overrides
        if grad_overrides is not None:
            overrides = (
                [None if g is None else _without_outputs(g) for g in grad_overrides]
                if isinstance(grad_overrides, list | tuple)
                else _without_outputs(grad_overrides)
            )
        self._rule = None if overrides is None else self._rule_of(overrides)

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.inputs))})"

    def __call__(self, *values: Any) -> Any:
        """The output, or a list of several, for these operands. Raises InputError or ShapeError where they do not fit."""
        if len(values) != len(self.inputs):
            raise InputError(f"{self.name}: takes {len(self.inputs)} operands, not {len(values)}")
        given = [cast_to(as_expr(v), x.type.dtype) for v, x in zip(values, self.inputs, strict=True)]
        for x, v in zip(self.inputs, given, strict=True):
            if v.type.ndim != x.type.ndim:
                raise ShapeError(f"{self.name}: {v!r} has {v.type.ndim} axes, {x!r} has {x.type.ndim}", [described(v)])
        made = replaced(self.outputs, dict(zip(self.inputs, given, strict=True)))
        if self._rule is not None:
            made = custom_gradient(made, given, self._rule)
        return made[0] if len(made) == 1 else made

    def _rule_of(self, overrides: Any) -> Rule:
        """One rule for all inputs."""
        if callable(overrides):
            rule: Rule = overrides
            return rule
        each = list(overrides)
        if len(each) != len(self.inputs):
            raise InputError(f"{self.name}: {len(each)} overrides for {len(self.inputs)} inputs")
        seeds = [variable(None, o.type.shape, o.type.dtype) for o in self.outputs]
        own = pull(self.outputs, seeds, self.inputs)  # on inputs that are told apart, whatever they stand for

        def both(inputs: Sequence[Expr], outputs: Sequence[Expr], gradients: Sequence[Expr]) -> list[Expr | None]:
            at = dict(zip((*self.inputs, *seeds), (*inputs, *gradients), strict=True))
            return [
                g(inputs, outputs, gradients) if g is not None else None if h is None else replaced([h], at)[0]
                for g, h in zip(each, own, strict=True)
            ]

        return both


def _without_outputs(g: Callable[..., Any]) -> Rule:
    return lambda inputs, outputs, gradients: g(inputs, gradients)
