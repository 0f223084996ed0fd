"""Expressions are values: interned, immutable, picklable, and NumPy's operators and functions build them."""

from __future__ import annotations

import copy
import gc
import operator
import pickle
import threading
import weakref
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from agree import same, value
from work import superlinear

import symdl
import symdl.tensor as T
from symdl.errors import DtypeError, ShapeError, SymbolicError
from symdl.graph.expr import OPS, Expr, as_expr, constant, make, number_of, rebuilt, short, variable
from symdl.graph.methods import FUNCTIONS, UFUNC_NAMES
from symdl.graph.origins import building, user_line
from symdl.graph.packing import pack, unpack_all
from symdl.graph.walks import substitute, topological, walks_remembered

X = np.array([[1.0, -2.0, 3.0], [0.5, 0.25, -4.0]])


# ---- identity ----


def test_equal_expressions_are_one_object() -> None:
    x, y = T.dmatrices("x", "y")
    assert x + y is x + y
    assert x + y is not y + x
    assert T.exp(x).sum(axis=1) is T.exp(x).sum(axis=-1)
    assert constant(2.0) is constant(np.float64(2))
    assert constant(2.0) is not constant(2)
    assert constant(0.0) is not constant(-0.0)
    assert constant(np.nan) is constant(np.nan)
    assert T.dmatrix("x") is not x  # each variable is its own


def test_comparison_by_operators_is_identity() -> None:
    x, y = T.dvectors("x", "y")
    assert (x == y) is False
    assert (x == x) is True
    assert (x != y) is True
    assert {x: 1}[x] == 1
    assert T.eq(x, y).type.dtype == "bool"


def test_nodes_that_nobody_holds_are_freed() -> None:
    x = T.dvector("x")
    node = x * 12345.678
    key = id(node)
    del node
    gc.collect()
    assert not any(id(n) == key for n in gc.get_objects() if isinstance(n, Expr) and n.op is OPS["mul"])


def test_nodes_of_sizes_that_data_decide_are_freed() -> None:
    """Their symbol holds them, their type the symbol."""
    x = T.dvector("x")
    (places,) = T.nonzero(x > 12345.678)
    chosen = symdl.function([x], x[places][: places.shape[0] // 2].sum())
    assert chosen([12346.0, 1.0, 12347.0]) == 12346.0
    node = weakref.ref(places.inputs[0])
    del places, chosen
    gc.collect()
    assert node() is None


def test_expressions_never_change() -> None:
    x = T.dvector("x")
    with pytest.raises(AttributeError, match="an expression never changes"):
        x.op = OPS["add"]
    x.name = "renamed"
    assert repr(x + 1) == "renamed + 1"
    array = np.ones(2)
    c = constant(array)
    array[:] = 7
    assert c.params["value"].array.tolist() == [1, 1]
    assert copy.copy(x) is x
    assert copy.deepcopy({"x": x})["x"] is x
    assert x.copy() is x


def test_interning_under_threads() -> None:
    x = T.dvector("x")
    found: list[list[Expr]] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait()
        found.append([T.tanh(x * k) + k for k in range(300)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(a is b for row in found for a, b in zip(row, found[0], strict=True))


def test_pickling_interns_again() -> None:
    x, n = T.dmatrix("x"), T.lvector("n")
    y = T.softmax(x[T.arange(3), n][:, None] @ np.ones((1, 2)))
    assert pickle.loads(pickle.dumps(y)) is y
    for name in ("exp", "getitem", "softmax"):
        function = getattr(T, name, None) or FUNCTIONS[name]
        assert pickle.loads(pickle.dumps(function)) is function or name == "softmax"
    deep = x
    for k in range(3000):
        deep = deep + float(k)
    assert pickle.loads(pickle.dumps(deep)) is deep


def test_a_graph_packs_as_plain_data() -> None:
    x = T.dvector("x")
    y = T.exp(x * 2.5)
    assert unpack_all(pack([y, x])) == [y, x]


# ---- NumPy's face ----

UNARY = {operator.neg: None, operator.pos: None, abs: None}
BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
          operator.lt, operator.le, operator.gt, operator.ge]  # fmt: skip
OTHERS = [2, 2.5, np.float64(1.5), np.float32(0.5), np.array([1.0, 2.0, 4.0]), np.array([[2.0], [3.0]])]


@pytest.mark.parametrize("op", BINARY, ids=lambda o: o.__name__)
def test_operators_on_both_sides(op: Any) -> None:
    x = T.dmatrix("x")
    with np.errstate(all="ignore"):
        for other in OTHERS:
            same(value(op(x, other), {x: abs(X)}), op(abs(X), other))
            same(value(op(other, x), {x: abs(X)}), op(other, abs(X)))


@pytest.mark.parametrize(
    "op", [operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift], ids=lambda o: o.__name__
)
def test_bit_operators(op: Any) -> None:
    n = T.lvector("n")
    array = np.array([0, 1, 2, 5, 12])
    for other in (3, np.int64(1), np.array([1, 0, 2, 1, 3])):
        same(value(op(n, other), {n: array}), op(array, other))
        same(value(op(other, n), {n: array}), op(other, array))
    same(value(~n, {n: array}), ~array)


def test_unary_operators_and_divmod() -> None:
    x = T.dmatrix("x")
    same(value(-x, {x: X}), -X)
    same(value(abs(x), {x: X}), abs(X))
    assert +x is x
    for got, expected in zip(divmod(x, 2), divmod(X, 2), strict=True):
        same(value(got, {x: X}), expected)
    same(value(x @ x.T, {x: X}), X @ X.T)
    same(value(as_expr(X.T @ x), {x: X}), X.T @ X)


UFUNCS = ["exp", "log", "sin", "tanh", "sqrt", "square", "absolute", "negative", "sign", "floor", "rint", "isnan", "logical_not",
          "arctan", "log1p", "expm1", "deg2rad", "reciprocal", "ceil", "trunc", "positive"]  # fmt: skip


@pytest.mark.parametrize("name", UFUNCS)
def test_numpys_ufuncs_build_graphs(name: str) -> None:
    x = T.dmatrix("x")
    function = getattr(np, name)
    with np.errstate(all="ignore"):
        same(value(function(x), {x: X}), function(X))


@pytest.mark.parametrize(
    "name",
    ["add", "subtract", "multiply", "divide", "power", "maximum", "arctan2", "logaddexp", "less_equal", "not_equal"],
)
def test_numpys_binary_ufuncs_build_graphs(name: str) -> None:
    x = T.dmatrix("x")
    function = getattr(np, name)
    np.testing.assert_allclose(value(function(x, abs(X)), {x: abs(X)}), function(abs(X), abs(X)), rtol=1e-15)
    np.testing.assert_allclose(value(function(abs(X), x), {x: abs(X)}), function(abs(X), abs(X)), rtol=1e-15)


FUNCTIONS_OF_NUMPY: dict[str, Any] = {
    "sum": lambda x: np.sum(x, axis=1), "prod": np.prod, "mean": lambda x: np.mean(x, 0), "std": np.std, "max": lambda x: np.max(x, axis=0),
    "argmax": lambda x: np.argmax(x, 1), "any": lambda x: np.any(x > 0), "cumsum": lambda x: np.cumsum(x, 1), "dot": lambda x: np.dot(x, x.T),
    "where": lambda x: np.where(x > 0, x, 0), "clip": lambda x: np.clip(x, -1, 1), "reshape": lambda x: np.reshape(x, (3, 2)),
    "transpose": np.transpose, "concatenate": lambda x: np.concatenate([x, X]), "stack": lambda x: np.stack([X, x], axis=1),
    "tile": lambda x: np.tile(x, 2), "repeat": lambda x: np.repeat(x, 2, 1), "flip": lambda x: np.flip(x, 0), "outer": lambda x: np.outer(x, x),
    "expand_dims": lambda x: np.expand_dims(x, 1), "squeeze": lambda x: np.squeeze(x[:, None], 1), "zeros_like": np.zeros_like,
    "full_like": lambda x: np.full_like(x, 3), "pad": lambda x: np.pad(x, 1), "take": lambda x: np.take(x, [2, 0], axis=1),
    "round": lambda x: np.round(x, 1), "tensordot": lambda x: np.tensordot(x, X, 2), "einsum": lambda x: np.einsum("ij,kj->ik", x, X),
    "diagonal": np.diagonal, "trace": np.trace, "tril": np.tril, "roll": lambda x: np.roll(x, 1, 1), "diff": np.diff,
    "moveaxis": lambda x: np.moveaxis(x, 0, 1), "swapaxes": lambda x: np.swapaxes(x, 0, 1), "ravel": np.ravel, "split": lambda x: np.split(x, 3, 1)[1],
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 2, 3)), "vstack": lambda x: np.vstack([x, X]), "hstack": lambda x: np.hstack([X, x]),
    "isclose": lambda x: np.isclose(x, X + 1e-7), "allclose": lambda x: np.allclose(x, X), "size": np.size, "ndim": np.ndim, "ptp": np.ptp,
    "hypot": lambda x: np.hypot(x, X + 1), "average": lambda x: np.average(x, 1, [1, 2, 3]), "count_nonzero": np.count_nonzero, "median": np.median,
    "norm": lambda x: np.linalg.norm(x, 1, axis=1), "nan_to_num": lambda x: np.nan_to_num(x / 0 - np.inf),
    "matmul": lambda x: np.matmul(x, X.T), "inner": lambda x: np.inner(x, X), "var": lambda x: np.var(x, axis=0, ddof=1), "amin": np.amin,
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS_OF_NUMPY)
def test_numpys_functions_build_graphs(name: str) -> None:
    x = variable("x", (2, 3), "float64")
    build = FUNCTIONS_OF_NUMPY[name]
    got = value(as_expr(build(x)), {x: X})
    np.testing.assert_allclose(got, build(X), rtol=1e-14)
    assert got.dtype == np.asarray(build(X)).dtype


def test_every_name_of_the_protocol_exists() -> None:
    assert [n for n in UFUNC_NAMES.values() if n not in FUNCTIONS] == []


def test_what_numpy_has_and_symdl_has_not() -> None:
    x = T.dmatrix("x")
    for build, name in ((lambda: np.linalg.eig(x), "np.linalg.eig"), (lambda: np.spacing(x), "np.spacing"), (lambda: np.add.reduce(x), "np.add.reduce"),
                        (lambda: np.exp(x, out=np.ones((2, 3))), "np.exp with out"), (lambda: np.partition(x, 1), "np.partition")):  # fmt: skip
        with pytest.raises(SymbolicError, match=f"{name}.* has no symbolic form"):
            build()


def test_attributes_and_methods() -> None:
    x, k = T.fmatrix("x"), variable("k", (2, 3), "float64")
    assert (x.ndim, x.dtype, k.shape, k.size, len(k)) == (2, "float32", (2, 3), 6, 2)
    assert k.T.shape == (3, 2)
    assert x.broadcastable == (False, False)
    assert T.drow("r").broadcastable == (True, False)
    same(value(x.shape[0] * x.shape[1] + x.size, {x: X}), np.int64(12))
    assert [r.type.shape for r in k] == [(3,), (3,)]
    a, b = k
    same(value(a + b, {k: X}), X[0] + X[1])
    for method, arguments in (("flatten", ()), ("ravel", ()), ("sum", (0,)), ("mean", (1,)), ("var", ()), ("std", ()), ("min", ()), ("max", (1,)),
                              ("argmin", (0,)), ("argmax", ()), ("any", ()), ("all", (0,)), ("cumsum", (1,)), ("clip", (-1, 1)), ("round", (1,)),
                              ("astype", ("int32",)), ("transpose", ()), ("transpose", ((1, 0),)), ("reshape", (3, 2)), ("reshape", ((-1, 2),)),
                              ("repeat", (2, 1)), ("take", ([1, 0], 1)), ("swapaxes", (0, 1)), ("squeeze", ()), ("prod", (0,)), ("dot", (X.T,))):  # fmt: skip
        np.testing.assert_allclose(
            value(getattr(k, method)(*arguments), {k: X}), getattr(X, method)(*arguments), rtol=1e-14
        )


def test_whole_numbers_are_rounded_to_tens() -> None:
    k, numbers = T.lvector("k"), np.arange(-40, 41)
    for decimals in (1, 0, -1, -2):
        np.testing.assert_array_equal(T.round(k, decimals).eval({k: numbers}), np.round(numbers, decimals))


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (bool, r"(?s)has no truth value until it is computed.*T\.where\(condition, a, b\)"),
        (float, r"(?s)has no value until it is computed.*symdl\.function"),
        (int, "has no value until it is computed"),
        (np.asarray, "has no value until it is computed"),
        (list, r"(?s)cannot be iterated over.*T\.split"),
        (len, r"(?s)has no length yet.*x\.shape\[0\]"),
        (lambda x: operator.setitem(x, 0, 1), r"(?s)cannot be assigned to.*T\.set_subtensor\(x\[index\], value\)"),
        (lambda x: 0 < x < 1, "has no truth value"),
        (lambda x: x in [1, 2] or x in np.ones(2), "."),
        (lambda x: 1 in x, r"(?s)cannot be searched.*T\.any\(T\.eq\(x, value\)\)"),
        (range, "has no value"),
        (lambda x: [1, 2, 3][x], "has no value"),
        (lambda x: len(x.sum()), "has no length"),
        (lambda x: list(x.sum()), "cannot be iterated"),
    ],
)  # fmt: skip
def test_what_needs_a_value_says_so(use: Any, text: str) -> None:
    with pytest.raises(SymbolicError, match=text):
        use(T.dvector("x"))


def test_constants() -> None:
    assert constant([1, 2]).type.dtype == "int64"
    assert constant([1.0, 2], "float32").type.dtype == "float32"
    assert number_of(constant(np.int8(3))) == 3
    assert number_of(constant([3])) is None
    big = np.arange(3, dtype=">f8")
    assert constant(big).params["value"].array.dtype.byteorder in "=|"
    for bad, text in (("abc", "holds numbers, not the text"), (None, "holds numbers, not None"), ([1, "a"], "not a list that holds the text 'a'"), (1j, "complex128 is not supported"),
                      (np.float16(1), "(?s)float16 is not supported.*Cast it"), (object(), "not an object")):  # fmt: skip
        with pytest.raises(DtypeError, match=text):
            constant(bad)
    for dtype in ("complex64", "float16", "nonsense", 3.5):
        with pytest.raises(DtypeError):
            T.cast(T.dvector(), dtype)


# ---- graphs ----


def test_substitution_does_not_enter_what_it_replaces() -> None:
    x, y = T.dvectors("x", "y")
    (z,) = substitute([T.exp(x + y) * (x + y)], {x + y: x - y, x: y})
    assert z is T.exp(x - y) * (x - y)
    assert rebuilt(z, z.inputs) is z


def test_walks_are_remembered_inside_only() -> None:
    """What is given out may be changed; the last large graph is remembered, and let go of at the end."""
    x = T.dvector("x")
    y = x
    for k in range(100):
        y = T.tanh(y) + k
    with walks_remembered():
        first = topological(y)
        small = topological(x + 1)
        again = topological(y)
        assert again == first
        assert again is not first
        first.clear()
        assert topological(y) == again
        assert topological(y, x) == again
        assert topological(x + 1) == small
    assert topological(y) == again
    gone = weakref.ref(y)
    del y, again
    gc.collect()
    assert gone() is None


def test_topological_order() -> None:
    x = T.dvector("x")
    y = T.exp(x)
    z = (y + x) * y
    order = list(topological(z, x))
    assert len(order) == len(set(order)) == 4
    assert all(order.index(i) < order.index(n) for n in order for i in n.inputs)


def test_origins_are_the_users_lines() -> None:
    x = T.dvector("x")
    y = T.softplus(x)  # this line
    assert {file.rsplit("/", 1)[-1] for file, _ in y.origins} == {"test_expr.py"}
    (line,) = {number for _, number in y.origins}
    with open(__file__, encoding="utf-8") as source:
        assert "# this line" in source.read().splitlines()[line - 1]
    with building([("other.py", 3)]):
        z = x * 97.25
    assert ("other.py", 3) in z.origins


def test_short_names() -> None:
    x = T.dvector("x")
    assert short(T.exp(x + 1)) == "exp(x + 1)"
    assert short(T.dvector()) == "<float64[?]>"
    assert "..." in short(T.exp(T.exp(T.exp(T.exp(T.exp(x))))))
    assert short(constant(np.ones((2, 3)))) == "constant[2, 3]"
    assert short(T.concatenate([x] * 9)) == "concatenate([x, x, x, x, x, x, ...])"
    assert short(x[0] * T.cast(x, "float32")) == "x[0] * float64(float32(x))"
    with building(()):  # where number forms are allowed
        assert short(constant(0.5, "float64x2e")) == "0.5"
        assert short(constant(Fraction(2) ** 2000, "float64x2e")) == "inf"
    outputs, _ = symdl.scan(lambda a, b: a * b, sequences=x, outputs_info=T.ones(()))
    assert short(outputs[-1] / x[0]) == "scan(...)[0][-1] / x[0]"


def test_errors_name_operands_as_the_user_wrote_them() -> None:
    x, n = variable("x", (2,), "float32"), variable("n", (3,), "int64")
    with pytest.raises(ShapeError) as caught:
        x + n
    assert str(caught.value).splitlines()[0] == "add: axis -1 is 2 in x and 3 in n"
    assert [p[0] for p in caught.value.parts] == ["x", "n"]
    assert all(p[2].startswith("test_expr.py:") for p in caught.value.parts)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)


def test_frames_of_decorators_are_not_the_users() -> None:
    found = walks_remembered()(user_line)()
    assert found is not None
    assert found[0] == __file__


def test_building_is_linear() -> None:
    """Even where each node is used twice."""

    def chain(n: int) -> Callable[[], Any]:
        def build() -> None:
            y: Any = T.dvector("x")
            for _ in range(n):
                y = T.tanh(y) + y
            assert sum(1 for _ in topological(y)) == 2 * n + 1

        return build

    assert superlinear(chain, 50) == []


def test_an_op_is_declared_once() -> None:
    from symdl.graph.expr import register

    with pytest.raises(ValueError, match="op 'exp' is declared twice"):
        register(OPS["exp"])
    assert repr(OPS["exp"]) == OPS["exp"].__name__ == "exp"
    assert "exponential" in str(OPS["exp"].__doc__)
    assert make(OPS["exp"], (constant(1.0),)) is T.exp(1.0)
