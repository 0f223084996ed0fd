"""The table of primitives has no hole, and its NumPy meanings are what the rest of symdl relies on."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from symdl.backends.primitives import PRIMITIVES, integer_power, kind, meaning
from symdl.backends.vmath import EMIT

NAMES = """
add sub mul true_div floor_div mod neg abs maximum minimum pow eq ne lt le gt ge bitwise_and bitwise_or bitwise_xor invert
left_shift right_shift where cast floor ceil trunc round_half_even isnan exp expm1 exp2 log log1p log2 log10 sqrt sin cos
tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh logistic_tail erf erfc erfcx erfinv gammaln digamma
random_word32 random_word64 random_normal32 random_normal64
""".split()
INTEGERS = [f"{sign}int{bits}" for bits in (8, 16, 32, 64) for sign in ("", "u")]
DTYPES = ["bool", *INTEGERS, "float32", "float64"]


def test_no_cell_is_empty() -> None:
    assert set(PRIMITIVES) == set(EMIT) == set(NAMES)
    assert all(row.arity for row in PRIMITIVES.values())
    assert all(row.accepts for name, row in PRIMITIVES.items() if not name.startswith("random_"))


@pytest.mark.parametrize("name", [name for name in PRIMITIVES if name != "cast"])
def test_meaning_has_the_stated_dtype_for_every_accepted_kind(name: str) -> None:
    row = PRIMITIVES[name]
    for dtype in (d for d in DTYPES if kind(d) in row.accepts):
        operands = [np.ones(3, dtype)] * row.arity
        if name == "where":
            operands[0] = np.ones(3, "bool")
        result = row.numpy(*operands)
        assert result.dtype == ("bool" if row.result == "bool" else dtype)
        assert meaning(name, *operands, dtype=str(result.dtype)).dtype == result.dtype


def test_integer_division_by_zero_is_zero() -> None:
    for dtype in INTEGERS:
        x, zero = np.array([7, 0, 100], dtype), np.zeros(3, dtype)
        assert meaning("floor_div", x, zero, dtype=dtype).tolist() == [0, 0, 0]
        assert meaning("mod", x, zero, dtype=dtype).tolist() == [0, 0, 0]


def test_division_is_toward_minus_infinity() -> None:
    x, y = np.array([7, -7, 7, -7], "int32"), np.array([2, 2, -2, -2], "int32")
    assert meaning("floor_div", x, y, dtype="int32").tolist() == [3, -4, -4, 3]
    assert meaning("mod", x, y, dtype="int32").tolist() == [1, 1, -1, -1]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_power_wraps_and_truncates(dtype: str) -> None:
    info = np.iinfo(dtype)
    for base in (-3, -2, -1, 0, 1, 2, 3, 7, info.max):
        for exponent in (-3, -2, -1, 0, 1, 2, 5, 8, 63, 100):
            if base < info.min or exponent < info.min:
                continue
            if exponent >= 0:
                true = pow(base, exponent)
            else:
                true = {1: 1, -1: (-1) ** (exponent % 2)}.get(base, 0)
            wrapped = (true - info.min) % (1 << info.bits) + info.min
            assert integer_power(np.array(base, dtype), np.array(exponent, dtype)) == wrapped, (base, exponent)


def test_maximum_and_minimum_keep_nan() -> None:
    x, y = np.array([1.0, np.nan, 2.0]), np.array([np.nan, 1.0, 1.0])
    for name in ("maximum", "minimum"):
        assert np.isnan(meaning(name, x, y, dtype="float64")).tolist() == [True, True, False]


def test_cast_truncates_and_asks_for_nonzero() -> None:
    assert meaning("cast", np.array([1.9, -1.9]), dtype="int32").tolist() == [1, -1]
    assert meaning("cast", np.array([0.3, 0.0, np.nan]), dtype="bool").tolist() == [True, False, True]
    assert meaning("cast", np.array([300]), dtype="uint8").tolist() == [44]


def test_special_functions_are_loaded_on_first_use() -> None:
    code = "import sys, symdl.backends.primitives as p; assert 'scipy.special' not in sys.modules; p.meaning('erf', 1.0, dtype='float64')"
    subprocess.run([sys.executable, "-c", code], check=True)
