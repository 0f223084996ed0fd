"""What a compiled function accepts: every array-like, converted only where nothing is lost, and never changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symdl.tensor as T
from symdl import In, function, shared
from symdl.errors import DtypeError, InputError, ShapeError
from symdl.runtime.inputs import EXACT, as_array

DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"]


@pytest.fixture(scope="module")
def twice() -> Any:
    x = T.dmatrix("x")
    return function([x], x * 2)


BASE = np.arange(12.0).reshape(3, 4)
LAYOUTS = {
    "columns first": np.asfortranarray(BASE),
    "transposed": BASE.T,
    "strided": BASE[::2, ::3],
    "reversed": BASE[::-1, ::-1],
    "broadcast": np.broadcast_to(np.array([1.0, 2.0]), (3, 2)),
    "other byte order": BASE.astype(">f8"),
    "other byte order, strided": BASE.astype(">f8")[:, 1::2],
    "unaligned": np.frombuffer(b"\0" + BASE.tobytes(), np.uint8)[1:].view("f8").reshape(3, 4),
    "field of records": np.array([[(1, 2.0), (3, 4.0)]], dtype=[("a", "i1"), ("b", "f8")])["b"],
    "no rows": np.zeros((0, 4)),
    "no columns": np.zeros((3, 0)),
    "matrix": BASE.view(np.matrix) if hasattr(np, "matrix") else BASE,
    "masked, nothing hidden": np.ma.masked_array(BASE),
    "booleans": BASE > 3,
    "small integers": BASE.astype("uint8"),
    "float32": BASE.astype("float32"),
    "float16": BASE.astype("float16"),
}


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(layout: str, twice: Any) -> None:
    a = LAYOUTS[layout]
    a.flags.writeable = False
    assert twice(a).tolist() == (2.0 * np.asarray(a)).tolist()


def test_lists_and_numbers(twice: Any) -> None:
    assert twice([[1, 2.5], (3, True)]).tolist() == [[2, 5], [6, 2]]
    assert twice([np.array([1.0]), np.array([2])]).tolist() == [[2], [4]]
    assert twice([[]]).tolist() == [[]]
    x, i, b = T.fscalar("x"), T.bscalar("i"), T.tensor("b", "bool")
    f = function([x, i, b], [x, i, b])
    for given in (
        (1, 2, True),
        (np.float32(1), np.int64(2), np.bool_(True)),
        (np.array(1.0, "f4"), np.uint8(2), np.array(1)),
    ):
        assert [v.tolist() for v in f(*given)] == [1, 2, True]
    assert function([T.scalar("y")], 0, on_unused_input="ignore")(3) == 0


def test_everything_with_the_array_protocol(twice: Any) -> None:
    class Table:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return BASE

    class Exchange:
        def __dlpack__(self, **options: Any) -> Any:
            return BASE.__dlpack__(**options)

        def __dlpack_device__(self) -> Any:
            return BASE.__dlpack_device__()

    for thing in (Table(), Exchange(), BASE.data, shared(BASE, "W")):
        assert twice(thing).tolist() == (2 * BASE).tolist()


def test_torch(twice: Any) -> None:
    torch = pytest.importorskip("torch")
    t = torch.arange(6, dtype=torch.float64).reshape(2, 3)
    assert twice(t).tolist() == [[0, 2, 4], [6, 8, 10]]
    assert twice(t.T).tolist() == [[0, 6], [2, 8], [4, 10]]
    assert twice(t.to(torch.int32)).tolist() == [[0, 2, 4], [6, 8, 10]]
    assert twice(t.to(torch.float32)).tolist() == [[0, 2, 4], [6, 8, 10]]
    with pytest.raises(InputError, match="requires grad"):
        twice(t.clone().requires_grad_())
    assert torch.from_dlpack(shared(BASE, "W")).tolist() == BASE.tolist()


def test_jax(twice: Any) -> None:
    jnp = pytest.importorskip("jax.numpy")
    assert twice(jnp.arange(6.0).reshape(2, 3)).tolist() == [[0, 2, 4], [6, 8, 10]]
    with pytest.raises(DtypeError):
        twice(jnp.ones((2, 2), dtype="bfloat16"))


@pytest.mark.parametrize("wanted", DTYPES)
@pytest.mark.parametrize("given", DTYPES)
def test_arrays_convert_where_the_values_fit(given: str, wanted: str) -> None:
    """0 and 1 fit everywhere, but a float never becomes an integer by itself and float64 never float32."""
    x = T.tensor("x", wanted, shape=(None,))
    a = np.array([0, 1], given)
    allowed = np.can_cast(given, wanted, "safe") or given[0] in "iu"
    if allowed:
        out = as_array(a, x)
        assert (out.dtype, out.tolist()) == (np.dtype(wanted), np.array([0, 1], wanted).tolist())
        assert as_array([a[0], a[1]], x).dtype == wanted
    else:
        with pytest.raises(DtypeError):
            as_array(a, x)


@pytest.mark.parametrize(
    "wanted", [d for d in DTYPES if d not in ("bool", "float64")]
)  # NumPy calls int64 -> float64 safe
def test_integers_convert_only_where_they_fit(wanted: str) -> None:
    x = T.tensor("x", wanted, shape=(None,))
    if wanted.startswith("float"):
        high = EXACT[wanted]
        low = -high
    else:
        low, high = int(np.iinfo(wanted).min), int(np.iinfo(wanted).max)
    inside = np.array([low, high], "uint64" if wanted == "uint64" else "int64")
    assert as_array(inside, x).tolist() == [low, high]
    for outside in (low - 1, high + 1):
        if -(2**63) <= outside < 2**63:
            with pytest.raises(DtypeError, match="does not hold"):
                as_array(np.array([0, outside]), x)
    assert as_array(np.array([], "int64"), x).dtype == wanted


def test_python_numbers_adopt_the_dtype() -> None:
    f32, i8 = T.fvector("f32"), T.bvector("i8")
    assert as_array([0.1, 1], f32).tolist() == [np.float32(0.1), 1]
    assert as_array([2**30], f32).tolist() == [2.0**30]
    for bad in ([1e300], [300.5]):
        with pytest.raises(DtypeError):
            as_array(bad, i8 if bad[0] < 1e9 else f32)
    assert np.isinf(as_array([float("inf")], f32)).all()
    with pytest.raises(DtypeError):
        as_array([128], i8)
    assert as_array([], i8).tolist() == []


def test_downcast_by_function_and_by_input() -> None:
    x, i = T.fvector("x"), T.ivector("i")
    a = np.array([1.5, 2.5])
    with pytest.raises(DtypeError, match="would lose digits"):
        function([x], x)(a)
    assert function([x], x, allow_input_downcast=True)(a).tolist() == [1.5, 2.5]
    assert function([In(x, allow_downcast=True)], x)(a).tolist() == [1.5, 2.5]
    assert function([i], i, allow_input_downcast=True)(a).tolist() == [1, 2]
    with pytest.raises(DtypeError):
        function([In(x, allow_downcast=False)], x, allow_input_downcast=True)(a)
    with pytest.raises(DtypeError, match="does not hold 4294967296"):
        function([i], i, allow_input_downcast=True)(np.array([2**32]))


def test_strict_inputs() -> None:
    x = T.dvector("x")
    f = function([In(x, strict=True)], x)
    assert f(np.ones(2)).tolist() == [1, 1]
    for bad in (np.ones(2, "f4"), [1.0], np.ones(2, ">f8")):
        with pytest.raises(DtypeError, match="strict"):
            f(bad)


def test_what_is_no_array_of_numbers() -> None:
    x = T.dvector("x")
    f = function([x], x)
    for bad in (
        "a",
        ["a"],
        b"a",
        [None],
        None,
        object(),
        {1: 2},
        [1j],
        np.array([1j]),
        np.array(["2026"], "M8[Y]"),
        {1.0},
    ):
        with pytest.raises(DtypeError):
            f(bad)
    with pytest.raises(ShapeError, match="rows of different lengths"):
        f([[1], [1, 2]])
    with pytest.raises(InputError, match="takes a value, not the expression y"):
        f(T.dvector("y"))
    with pytest.raises(DtypeError, match="masked"):
        f(np.ma.masked_array([1.0, 2.0], [True, False]))
    with pytest.raises(ShapeError, match="has 1 axis, the value given 2 axes"):
        f([[1.0]])
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(DtypeError, match="toarray"):
        f(sparse.eye_array(2, format="csr"))


def test_inputs_are_never_changed() -> None:
    x, s = T.dvector("x"), shared(np.zeros(3), "s")
    a = np.array([3.0, 1.0, 2.0])
    f = function([In(x, mutable=True, borrow=True)], [x * 2, T.set_subtensor(x[0], 9.0)], updates=[(s, x)])
    f(a)
    assert a.tolist() == [3, 1, 2]
    s.set_value(np.zeros(3))
    assert a.tolist() == [3, 1, 2]
