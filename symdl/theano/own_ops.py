"""theano.Op: ops that are classes with make_node, perform, grad and infer_shape; also as_op, Print, Assert and ViewOp.

They become symdl's Python ops (`symdl.ops.own`): perform runs on arrays inside a compiled function, grad makes
expressions. Where infer_shape is missing the function is cut in two around the op. C code is not compiled.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symdl.errors import InputError
from symdl.graph.expr import Expr, as_expr, make, results, variable
from symdl.ops.extents import as_shape, exprs_of
from symdl.ops.own import PYTHON, PYTHON_SIZED, PythonFunction, custom_gradient
from symdl.theano.gradients import Disconnected
from symdl.theano.nodes import Apply
from symdl.theano.refusals import refused
from symdl.theano.variables import Sizes
from symdl.types import TensorType, fresh_symbol


class MethodNotDefined(Exception):  # Theano's name
    """An Op lacks a method that is asked for."""


class Op:
    """The base of a program's own ops. Calling it makes a node of the graph; `__props__` names what tells two apart."""

    __props__: tuple[str, ...] | None = None
    itypes: Sequence[Any] = ()
    otypes: Sequence[Any] = ()
    view_map: dict[int, list[int]] = {}  # noqa: RUF012  # Theano's name: programs replace it
    destroy_map: dict[int, list[int]] = {}  # noqa: RUF012  # likewise
    default_output: int | None = None

    def make_node(self, *inputs: Any) -> Apply:
        """Apply(self, inputs, variables of the types of the outputs); of itypes and otypes unless overridden."""
        if len(inputs) != len(self.itypes):
            raise ValueError(f"{self} takes {len(self.itypes)} inputs, not {len(inputs)}")
        ins = [as_expr(x) for x in inputs]
        for x, t in zip(ins, self.itypes, strict=True):
            wanted = t() if callable(t) else t
            if (x.type.dtype, x.type.ndim) != (wanted.type.dtype, wanted.type.ndim):
                raise TypeError(f"{self}: an input is {x.type}, not {wanted.type}")
        return Apply(self, ins, [t() for t in self.otypes])

    def perform(self, node: Any, inputs: Any, output_storage: Any, params: Any = None) -> None:
        """Compute arrays: output_storage[k][0] = array."""
        raise MethodNotDefined(f"{type(self).__name__} has no perform; C code is not compiled")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        name = options.pop("name", None)
        several = options.pop("return_list", False)
        node = self.make_node(*inputs, **options)
        made = applied(self, node)
        if name is not None and len(made) == 1:
            made[0].name = name
        if self.default_output is not None and not several:
            return made[self.default_output]
        return made if several or len(made) != 1 else made[0]

    def _props(self) -> tuple[Any, ...]:
        return tuple(getattr(self, p) for p in self.__props__ or ())

    def __eq__(self, other: object) -> bool:
        if self.__props__ is None:
            return self is other
        return type(self) is type(other) and isinstance(other, Op) and self._props() == other._props()

    def __hash__(self) -> int:
        return id(self) if self.__props__ is None else hash((type(self), self._props()))

    def __str__(self) -> str:
        if self.__props__:
            return f"{type(self).__name__}{{{', '.join(f'{p}={getattr(self, p)!r}' for p in self.__props__)}}}"
        return type(self).__name__

    def __repr__(self) -> str:
        return str(self)


def applied(op: Any, node: Apply) -> list[Expr]:
    """The outputs of an op's Apply as expressions."""
    ins = [as_expr(x) for x in node.inputs]
    outs = [o.type if isinstance(o, Expr) else o for o in node.outputs]
    kinds = tuple((t.dtype, t.ndim) for t in outs)

    def run(*arrays: Any) -> list[Any]:
        storage: list[list[Any]] = [[None] for _ in kinds]
        op.perform(node, [_as_given(a) for a in arrays], storage)
        return [np.asarray(cell[0], kind[0]) for cell, kind in zip(storage, kinds, strict=True)]

    def types(*given: TensorType) -> list[TensorType]:
        if sized is None:
            return list(outs)
        shapes = sized(node, [Sizes(as_expr(n) for n in exprs_of(t.shape)) for t in given])
        return [
            TensorType(t.dtype, as_shape(tuple(s), f"{op}: infer_shape")) for t, s in zip(outs, shapes, strict=True)
        ]

    sized = getattr(op, "infer_shape", None)
    known = sized is not None or all(isinstance(n, int) for t in outs for n in t.shape)
    call = PythonFunction(str(op), run, types, _rule(op))
    object.__setattr__(call, "made_by", op)  # for whoever asks who made a variable: x.owner.op
    if known:
        return list(results(make(PYTHON, tuple(ins), call=call)))
    count = tuple(fresh_symbol("count") for _, ndim in kinds for _ in range(ndim))
    return list(results(make(PYTHON_SIZED, tuple(ins), call=call, count=count, kinds=kinds)))


def _as_given(array: Any) -> Any:
    return array if isinstance(array, np.ndarray) else np.asarray(array)


def _rule(op: Any) -> Callable[..., Any] | None:
    """The op's gradient in symdl's form."""
    newer, older = getattr(op, "L_op", None), getattr(op, "grad", None)
    if newer is None and older is None:
        return None

    def rule(inputs: Any, outputs: Any, gradients: Any) -> list[Any]:
        found = newer(list(inputs), list(outputs), list(gradients)) if newer else older(list(inputs), list(gradients))  # type: ignore[misc]  # one of them is there
        return [None if g is None or isinstance(g, Disconnected) else as_expr(g) for g in found]

    return rule


class FromFunction(Op):
    """A Python function as an op; made by as_op."""

    def __init__(
        self, function: Callable[..., Any], itypes: Sequence[Any], otypes: Sequence[Any], infer_shape: Any
    ) -> None:
        self.function, self.itypes, self.otypes = function, list(itypes), list(otypes)
        self.__name__ = function.__name__
        if infer_shape is not None:
            self.infer_shape = infer_shape

    def perform(self, node: Any, inputs: Any, output_storage: Any, params: Any = None) -> None:
        found = self.function(*inputs)
        for cell, array in zip(output_storage, found if isinstance(found, list | tuple) else (found,), strict=True):
            cell[0] = array

    def __str__(self) -> str:
        return f"FromFunctionOp{{{self.__name__}}}"


def as_op(itypes: Any, otypes: Any, infer_shape: Any = None) -> Callable[[Callable[..., Any]], FromFunction]:
    """theano.compile.ops.as_op: infer_shape takes (node, shapes)."""
    ins, outs = (list(t) if isinstance(t, list | tuple) else [t] for t in (itypes, otypes))
    return lambda function: FromFunction(function, ins, outs, infer_shape)


class Print(Op):
    """Print(message)(x) is x, whose value is printed when it is computed."""

    def __init__(self, message: str = "", attrs: Sequence[str] = ("__str__",), global_fn: Any = None) -> None:
        self.message, self.attrs, self.global_fn = message, tuple(attrs), global_fn

    def make_node(self, x: Any) -> Apply:
        x = as_expr(x)
        return Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any, params: Any = None) -> None:
        if self.global_fn is not None:
            self.global_fn(self, inputs[0])
        else:
            for name in self.attrs:
                found = getattr(inputs[0], name)
                sys.stdout.write(f"{self.message} {name} = {found() if callable(found) else found}\n")
        output_storage[0][0] = np.array(inputs[0])

    def infer_shape(self, node: Any, shapes: Any) -> Any:
        """The shape of x."""
        return shapes

    def grad(self, inputs: Any, output_gradients: Any) -> Any:
        """The gradient of x."""
        return output_gradients

    def __str__(self) -> str:
        return f"Print{{message={self.message!r}}}"


class ViewOp(Op):
    """ViewOp()(x) is x: for classes that derive from it and say what becomes of the gradient, by grad or L_op."""

    def make_node(self, x: Any) -> Apply:
        x = as_expr(x)
        return Apply(self, [x], [x.type()])

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        node, rule = self.make_node(*inputs), _rule(self)
        (x,) = node.inputs
        made = [x] if rule is None else custom_gradient([x], [x], rule)
        return made if options.get("return_list") else made[0]


class Eig(Op):
    """Eigenvalues and eigenvectors of a matrix; programs derive from it for symmetric ones, with `_numop` their own."""

    _numop = staticmethod(np.linalg.eig)
    __props__: tuple[str, ...] | None = ()

    def make_node(self, x: Any) -> Apply:
        x = as_expr(x)
        return Apply(self, [x], [variable(None, (None,) * ndim, x.type.dtype) for ndim in (1, 2)])

    def perform(self, node: Any, inputs: Any, output_storage: Any, params: Any = None) -> None:
        for place, array in zip(output_storage, self._numop(inputs[0]), strict=True):
            if np.iscomplexobj(array):
                refused("complex", "tensor.nlinalg.Eig")()
            place[0] = array

    def infer_shape(self, node: Any, shapes: Any) -> list[Any]:
        (n, _) = shapes[0]
        return [(n,), (n, n)]


class Assert(Op):
    """Assert(message)(x, *conditions) is x; AssertionError where a condition does not hold when it is computed."""

    def __init__(self, msg: str = "Theano Assert failed!") -> None:
        self.msg = msg

    def make_node(self, value: Any, *conditions: Any) -> Apply:
        x = as_expr(value)
        return Apply(self, [x, *map(as_expr, conditions)], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any, params: Any = None) -> None:
        if not all(np.all(c) for c in inputs[1:]):
            raise AssertionError(self.msg)
        output_storage[0][0] = np.array(inputs[0])

    def infer_shape(self, node: Any, shapes: Any) -> Any:
        """The shape of x."""
        return [shapes[0]]

    def grad(self, inputs: Any, output_gradients: Any) -> Any:
        """The gradient of x; none for the conditions."""
        return [output_gradients[0], *(Disconnected() for _ in inputs[1:])]


def assert_op(value: Any, *conditions: Any) -> Any:
    """Assert without a message of its own."""
    return Assert()(value, *conditions)


class COp(Op):
    """An op in C: not compiled."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise InputError("COp: C code is not compiled", (), "Write perform in Python.")
