"""theano.gof, theano.printing and theano.scalar: looking at graphs, ops and types by Theano's names.

Rewriting is symdl's own matter, so decorators that would register rewrites give their function back and register nothing.
"""

from __future__ import annotations

import os
import sys
import unittest
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import symdl.display.pictures
import symdl.display.printing
import symdl.graph.expr
import symdl.tensor as T
from symdl.functions import Function
from symdl.graph.expr import CONSTANT, VARIABLE, Expr, as_expr
from symdl.passes.replacing import clone as replaced_clone
from symdl.theano.gradients import verify_grad as checked_gradient
from symdl.theano.nodes import Apply, FunctionGraph, OpOf, ancestors
from symdl.theano.own_ops import MethodNotDefined, Op
from symdl.theano.variables import tag
from symdl.types import Results, TensorType

# ---- theano.gof ----


class Type(TensorType):
    """The base of a program's own types: each variable of one is a float64 scalar, whose type is that object."""

    dtype, shape = "float64", ()

    def __init__(self) -> None:
        """Nothing: dtype and shape are the class's."""


class _Variables(type):
    def __instancecheck__(cls, thing: Any) -> bool:
        return isinstance(thing, Expr)

    def __subclasscheck__(cls, other: Any) -> bool:
        return other is cls or issubclass(other, Expr)


class Variable(metaclass=_Variables):
    """Theano's Variable: any expression. Called with a type it makes a variable of it."""

    def __new__(cls, type: Any, owner: Any = None, index: Any = None, name: str | None = None) -> Any:
        return type(name) if callable(type) else T.scalar(name)


class Generic(Type):
    """The type of any Python object."""


def _listed(variables: Any) -> list[Expr]:
    return [variables] if isinstance(variables, Expr) else list(variables)


def inputs(variable_list: Any, blockers: Any = None) -> list[Expr]:
    """The variables, shared values and constants at the bottom of graphs, in the order in which they are met."""
    stop = set(blockers or ())
    seen: set[Expr] = set()
    out, stack = [], list(_listed(variable_list))  # the last first, as in Theano
    while stack:
        n = stack.pop()
        if n in seen:
            continue
        seen.add(n)
        if n in stop or n.op is VARIABLE or n.op is CONSTANT:
            out.append(n)
        else:
            stack += reversed(n.inputs)
    return out


def all_ancestors(variable_list: Any, blockers: Any = None) -> list[Expr]:
    """Every variable that these depend on, and they themselves."""
    stop = set(blockers or ())
    if not stop:
        return list(ancestors(_listed(variable_list)))
    seen: dict[Expr, None] = {}
    stack = list(_listed(variable_list))
    while stack:
        n = stack.pop()
        if n not in seen:
            seen[n] = None
            stack += reversed(() if n in stop else n.inputs)
    return [n for n in seen if not isinstance(n.type, Results)]


def variables(i: Any, o: Any) -> list[Expr]:
    """Every variable between inputs and outputs, both included."""
    return all_ancestors(o, i)


def io_toposort(i: Any, o: Any, orderings: Any = None) -> list[Apply]:
    """The applications between inputs and outputs, each after what it uses."""
    return FunctionGraph(_listed(i), _listed(o)).toposort()


def is_same_graph(var1: Expr, var2: Expr, givens: Any = None, debug: bool = False) -> bool:
    """Whether two graphs compute one formula: equal ones are one object. givens: what stands for what."""
    pairs = dict(givens or {})
    return replaced_clone(var1, pairs) is replaced_clone(var2, pairs)


def equal_computations(xs: Any, ys: Any, in_xs: Any = (), in_ys: Any = ()) -> bool:
    """Whether the formulas xs become ys with in_ys in the place of in_xs."""
    pairs = dict(zip(_listed(in_xs), _listed(in_ys), strict=True))
    both = zip(_listed(xs), _listed(ys), strict=True)
    return all(as_expr(replaced_clone(as_expr(x), pairs)) is as_expr(y) for x, y in both)


def clone_get_equiv(i: Any, o: Any, **_: Any) -> dict[Expr, Expr]:
    """Each variable to its copy: itself."""
    return {n: n for n in variables(i, o)}


def get_debug_values(*args: Any) -> Iterator[list[Any]]:
    """Test values of all of these, once if all have one, else never."""
    try:
        found = [tag(a).test_value if isinstance(a, Expr) else a for a in args]
    except AttributeError:
        return
    yield found


def registers(*args: Any, **_: Any) -> Any:
    """A decorator that registers nothing, with or without arguments."""
    if len(args) == 1 and callable(args[0]) and not isinstance(args[0], type):
        return args[0]
    return lambda function: function


class Registry:
    """theano.compile.optdb and its like: names may be entered, and nothing follows."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    def register(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    def query(self, *_: Any, **__: Any) -> Registry:
        """This registry."""
        return self

    def __getitem__(self, name: str) -> Registry:
        return self


optdb = Registry()


class _OfName(type):
    """Classes that stand for Theano's ops in isinstance(variable.owner.op, T.Elemwise)."""

    def __instancecheck__(cls, thing: Any) -> bool:
        if isinstance(thing, Elementwise):
            return "elementwise" in cls.kinds  # type: ignore[attr-defined]  # of each class
        return isinstance(thing, OpOf) and (thing.node.op.name in cls.names or thing.node.op.kind in cls.kinds)  # type: ignore[attr-defined]  # of each class


class Elementwise:
    """An elementwise function of T, such as T.tanh: an object that programs may give attributes, and compare with owner.op."""

    def __init__(self, op: symdl.graph.expr.Op) -> None:
        self.op, self.name, self.scalar_op = op, op.name, op
        self.__name__, self.__doc__ = op.name, op.doc

    def __call__(self, *operands: Any, **options: Any) -> Expr:
        name = options.pop("name", None)
        made = self.op(*operands, **options)
        if name is not None and made.name is None:
            made.name = name
        return made

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, OpOf) and other.node.op is self.op)

    def __hash__(self) -> int:
        return hash(self.op)

    def __repr__(self) -> str:
        return f"Elemwise{{{self.op.name},no_inplace}}"


class Elemwise(metaclass=_OfName):
    """Elemwise(scalar op): the op on each element."""

    names, kinds = (), ("elementwise",)

    def __new__(cls, scalar_op: Callable[..., Any], *_: Any, **__: Any) -> Any:
        return scalar_op


def of_names(name: str, *names: str) -> type:
    """A class whose instances are ops of these names."""
    return _OfName(name, (), {"names": names, "kinds": (), "__doc__": f"symdl's {', '.join(names)}."})


DimShuffle = of_names("DimShuffle", "spread", "transpose", "squeeze")
Softmax = of_names("Softmax", "softmax")
Dot = of_names("Dot", "contract", "dot")
Subtensor = of_names("Subtensor", "slice", "squeeze")
AdvancedSubtensor1 = of_names("AdvancedSubtensor1", "gather")
Sum = of_names("Sum", "sum")
Scan = of_names("Scan", "scan")
IfElse = of_names("IfElse", "ifelse", "if")
Reshape = of_names("Reshape", "reshape")
Join = of_names("Join", "join")

# ---- theano.printing ----


def debugprint(
    obj: Any, depth: int = -1, print_type: bool = False, file: Any = None, ids: str = "CHAR", stop_on_name: bool = False,
    done: Any = None, print_storage: bool = False, **_: Any,
) -> Any:  # fmt: skip
    """symdl's debugprint; a function prints the graph that is run. file="str" returns the text."""
    thing = [o for o in obj if isinstance(o, Expr)] if isinstance(obj, list | tuple) else obj
    if isinstance(thing, Apply):
        thing = thing.outputs
    levels = 50 if depth < 0 else depth
    more = {"before": False, "steps": False} if isinstance(thing, Function) else {}
    text = symdl.display.printing.debugprint(thing, "str", print_type=print_type, depth=levels, **more)
    if file == "str":
        return text
    print(text, file=file or sys.stdout)
    return None


def pp(*obj: Any) -> str:
    """Formulas as text."""
    return "\n".join(_bracketed(o) for o in obj)


def _bracketed(x: Any) -> str:
    """The formula; of two operands in brackets, as Theano has it."""
    text = str(symdl.display.printing.pprint(x))
    return f"({text})" if isinstance(x, Expr) and x.op.name in ("add", "sub", "mul", "true_div", "pow") else text


def min_informative_str(obj: Any, *_: Any, **__: Any) -> str:
    """A short tree."""
    return str(debugprint(obj, file="str"))


def pydotprint(fct: Any, outfile: Any = None, *_: Any, **options: Any) -> None:
    """The graph as a picture, written to outfile: SVG, whatever the name; the file ends in .svg then."""
    where = os.fspath(outfile) if outfile is not None else "theano.pydotprint.svg"
    stem, ending = os.path.splitext(where)
    symdl.display.pictures.pydotprint(fct, where if ending in (".svg", ".html", ".dot") else f"{stem}.svg")


def d3viz(fct: Any, outfile: Any, copy_deps: bool = True, *_: Any, **__: Any) -> None:
    """The graph as an HTML page."""
    stem, _ending = os.path.splitext(os.fspath(outfile))
    symdl.display.pictures.pydotprint(fct, f"{stem}.html")


# ---- theano.scalar ----


def upcast(*dtypes: Any) -> str:
    """The dtype that holds all of these."""
    return str(np.result_type(*dtypes).name)


class ScalarType:
    """A type of scalars: called, it makes a variable."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def __call__(self, name: str | None = None) -> Expr:
        return T.tensor(name, self.dtype, ())

    make_variable = __call__


class ScalarOp(Op):
    """The base of a program's own scalar ops: impl(*numbers) and grad(inputs, gradients). Called, it works on each element."""

    nin = -1
    nout = 1

    def __init__(self, output_types_preference: Any = None, name: str | None = None) -> None:
        self.name = name
        self.preference = output_types_preference

    def make_node(self, *given: Any) -> Apply:
        ins = [as_expr(x) for x in given]
        whole = ins[0]
        for x in ins[1:]:
            whole = whole + x  # the shape that they have together
        return Apply(self, ins, [T.cast(whole, self._dtype([x.type.dtype for x in ins])).type()])

    def _dtype(self, dtypes: Sequence[str]) -> str:
        kind = upcast(*dtypes)
        if getattr(self.preference, "__name__", "") in ("upgrade_to_float", "upgrade_to_float_no_complex"):
            return kind if kind.startswith("float") else "float64"
        return kind

    def impl(self, *numbers: Any) -> Any:
        """The result for numbers."""
        raise MethodNotDefined(f"{type(self).__name__} has no impl; C code is not compiled")

    def perform(self, node: Any, inputs: Any, output_storage: Any, params: Any = None) -> None:
        kind = node.outputs[0].type.dtype
        output_storage[0][0] = (
            np.vectorize(self.impl, otypes=[kind])(*inputs)
            if np.size(inputs[0])
            else np.zeros(np.shape(inputs[0]), kind)
        )

    def infer_shape(self, node: Any, shapes: Any) -> Any:
        """The shape of the operand with most axes."""
        return [max(shapes, key=len)]


class UnaryScalarOp(ScalarOp):
    """A ScalarOp of one operand."""

    nin = 1


class BinaryScalarOp(ScalarOp):
    """A ScalarOp of two operands."""

    nin = 2


def upgrade_to_float(*types: Any) -> Any:
    """The preference for floats."""
    return types


def same_out(*types: Any) -> Any:
    """The preference for the dtype of the operands."""
    return types


# ---- theano.tests.unittest_tools ----


def seed_rng(pseed: Any = None) -> int:
    """Seed NumPy's generator; the seed."""
    seed = fetch_seed(pseed)
    np.random.seed(seed)  # what Theano's tests do
    return seed


def fetch_seed(pseed: Any = None) -> int:
    """The seed of tests: 666 unless given."""
    return 666 if pseed is None else int(pseed)


def assert_allclose(expected: Any, value: Any, rtol: float | None = None, atol: float | None = None) -> None:
    """AssertionError unless two arrays are close: relatively 1e-5 or, in float32, 1e-4, unless given."""
    single = any(np.asarray(v).dtype == np.float32 for v in (expected, value))
    np.testing.assert_allclose(
        value, expected, rtol=rtol or (1e-4 if single else 1e-5), atol=atol or (1e-5 if single else 1e-8)
    )


def verify_grad(op: Any, pt: Any, n_tests: int = 2, rng: Any = None, *args: Any, **options: Any) -> None:
    """symdl's verify_grad with a seeded generator."""
    options.pop("mode", None)
    checked_gradient(op, pt, n_tests, np.random.RandomState(fetch_seed()) if rng is None else rng, *args, **options)


class InferShapeTester(unittest.TestCase):
    """The base of tests of infer_shape."""

    def _compile_and_check(self, inputs: Any, outputs: Any, numeric_inputs: Any, cls: Any = None, **_: Any) -> None:
        """Sizes that are told beforehand equal those that are computed."""
        values = Function(list(inputs), list(outputs), (), (), "ignore", True, None, None, False)(*numeric_inputs)
        sizes = [T.stack([as_expr(n) for n in o.shape]) for o in outputs if o.ndim]
        found = Function(list(inputs), sizes, (), (), "ignore", True, None, None, False)(*numeric_inputs)
        for size, value in zip(found, (v for v in values if np.ndim(v)), strict=True):
            assert tuple(size) == np.shape(value)


# ---- theano.sparse ----


class SparseType:
    """The type of sparse matrices, of which symdl has none: nothing is one."""


class SparseVariable:
    """A sparse variable: nothing is one."""
