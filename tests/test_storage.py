"""Shared values: what they hold, who owns the memory, and which arrays they take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symdl.tensor as T
from symdl import function, shared
from symdl.errors import DtypeError, ShapeError, SymdlError


def test_a_shared_value_has_the_arrays_type_and_a_fixed_shape() -> None:
    for value, kind in (
        (np.zeros((2, 3), "f4"), "float32[2, 3]"), ([1, 2], "int64[2]"), (0.5, "float64"), (True, "bool"),
        (np.int8(3), "int8"), (np.zeros(0), "float64[0]"), ([[]], "float64[1, 0]"), (np.zeros(2, ">i4"), "int32[2]"),
    ):  # fmt: skip
        assert str(shared(value).type) == kind
        assert shared(value).get_value().tolist() == np.asarray(value).tolist()
    assert str(shared([1, 2], dtype="float32").type) == "float32[2]"
    assert str(shared([1, 2], "n", shape=(None,)).type) == "int64[?]"
    assert repr(shared(0.5, "rate")) == "rate"
    assert repr(shared(0.5)) == "<float64>"


def test_get_value_copies_unless_borrowed() -> None:
    s = shared(np.zeros(2), "s")
    s.get_value()[:] = 1
    assert s.get_value().tolist() == [0, 0]
    s.get_value(borrow=True)[:] = 1
    assert s.get_value().tolist() == [1, 1]


def test_set_value_and_shared_copy_unless_borrowed() -> None:
    own = np.zeros(2)
    for borrow in (False, True):
        s = shared(own, borrow=borrow)
        assert np.shares_memory(s.get_value(borrow=True), own) is borrow
        s.set_value(own, borrow=borrow)
        assert np.shares_memory(s.get_value(borrow=True), own) is borrow


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(4)[::2],
        np.broadcast_to(0.0, 2),
        np.zeros(2, ">f8"),
        np.zeros(2, "f4"),
        np.frombuffer(bytes(16)),
        [0.0, 0],
    ],
)
def test_what_compiled_code_cannot_update_in_place_is_copied_though_borrowed(array: Any) -> None:
    s = shared(array, dtype="float64", borrow=True)
    s.set_value(array, borrow=True)
    function([], updates=[(s, s + 1)])()
    assert s.get_value().tolist() == [1, 1]
    assert np.asarray(array).tolist() == [0, 0]


def test_set_value_rounds_floats_but_never_wraps_or_truncates() -> None:
    x, i = shared(np.zeros(2, "f4"), "x"), shared(np.zeros(2, "int8"), "i")
    x.set_value(np.array([0.1, 1e-50]))
    assert x.get_value().tolist() == [np.float32(0.1), 0]
    x.set_value(np.array([1, 2**30]))
    i.set_value([1, 127])
    assert (x.get_value().tolist(), i.get_value().tolist()) == ([1, 2**30], [1, 127])
    for bad in ([1, 128], [1.5, 2], np.array([1.0, 2.0]), ["a", "b"], [1j, 2]):
        with pytest.raises(DtypeError):
            i.set_value(bad)
    assert i.get_value().tolist() == [1, 127]


def test_shapes_are_fixed_unless_left_open() -> None:
    fixed, opened = shared(np.zeros((2, 3)), "fixed"), shared(np.zeros((2, 3)), "opened", shape=(None, 3))
    for bad in (np.zeros(3), np.zeros((3, 3)), 0.0):
        with pytest.raises(ShapeError):
            fixed.set_value(bad)
    opened.set_value(np.zeros((7, 3)))
    assert function([], opened.shape[0] + opened.sum())() == 7
    with pytest.raises(ShapeError):
        opened.set_value(np.zeros((7, 4)))
    with pytest.raises(ShapeError):
        shared(np.zeros((2, 3)), shape=(None, 4))
    with pytest.raises(ShapeError):
        shared(np.zeros((2, 3)), shape=(None,))


def test_compiled_functions_see_new_values() -> None:
    s = shared(np.zeros(2), "s")
    f = function([], s * 2)
    s.set_value([1, 2])
    assert f().tolist() == [2, 4]
    s.get_value(borrow=True)[:] = 5
    assert f().tolist() == [10, 10]


def test_a_shared_value_is_an_array_to_numpy_and_an_expression_to_its_functions() -> None:
    s = shared(np.arange(3.0), "s")
    a = np.asarray(s)
    assert (type(a), a.tolist()) == (np.ndarray, [0, 1, 2])
    a[:] = 9
    assert s.get_value().tolist() == [0, 1, 2]
    assert np.array(s, dtype="float32").dtype == np.float32
    assert np.from_dlpack(s).tolist() == [0, 1, 2]
    assert not isinstance(np.exp(s), np.ndarray)
    total: Any = np.ones(3) + s
    assert total.eval().tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="only be copied"):
        np.array(s, copy=False)
    assert shared(s).get_value().tolist() == [0, 1, 2]


def test_what_is_no_value() -> None:
    for bad in ("a", None, object(), [1j], np.zeros(2, "f2"), np.zeros(2, "c8"), T.dvector("x"), [[1], [2, 3]]):
        with pytest.raises(SymdlError):
            shared(bad)
    with pytest.raises(DtypeError):
        shared([1], dtype="float16")
    with pytest.raises(DtypeError):
        shared([1.5], dtype="int32")


def test_names_are_labels_and_types_never_change() -> None:
    s = shared(0.0, "s")
    s.name = "renamed"
    assert repr(s) == "renamed"
    with pytest.raises(AttributeError):
        s.type = s.type
    with pytest.raises(AttributeError):
        s.array = np.ones(3)
