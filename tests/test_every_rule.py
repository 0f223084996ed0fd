"""Every rule of the simplifier is proved: over the reals by algebra, in floats bit by bit, and by an example that it fits."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from agree import number_array, value

import symdl
import symdl.tensor as T
from symdl.errors import RewriteError, ShapeError
from symdl.graph.expr import Expr, constant, make, variable, wildcard
from symdl.graph.origins import building
from symdl.graph.walks import topological
from symdl.ir.program import Kernel
from symdl.number_forms import LIMBS
from symdl.ops.declare import is_float, spread
from symdl.ops.elementwise import cast
from symdl.ops.views import DROP, PAD, SLICE, SPREAD
from symdl.passes.evaluate import evaluate
from symdl.passes.rewrite import Change, Rule, RulePass, instantiated
from symdl.rules.folding import LARGEST, folded
from symdl.rules.simplify import PATTERNS, SIMPLIFY, embeds, simplification, simplified
from symdl.types import fresh_symbol
from symdl.verify import KINDS, prove, wildcards

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -3.75, np.inf, -np.inf, np.nan, 5e-324, 1e-200, 1e200, 3.0, 1e15 + 0.5]
ROUNDED = {"cube", "fourth_power", "square", "power_minus_one"}  # fewer or other roundings: 2 ulp, as their rows say
OPERANDS: dict[str, Callable[[Expr], Expr]] = {"square_root": abs}  # where if_ wants more than a dtype


def bits(array: Any) -> Any:
    """Equal where the floats are the same number, the sign of a zero included; all NaN are one."""
    array = np.asarray(array)
    if array.dtype.kind != "f":
        return array
    return np.where(np.isnan(array), np.nan, array), np.where(np.isnan(array), False, np.signbit(array))


def test_names_are_unique() -> None:
    names = [r.name for r in SIMPLIFY]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("rule", PATTERNS, ids=lambda r: r.name)
def test_a_rule_holds_over_the_reals(rule: Rule) -> None:
    assert prove(rule) in ("proved", "checked")


def test_a_wrong_rule_is_not_proved() -> None:
    x, y = wildcard("x"), wildcard("y")
    for pattern, replacement in ((T.log(x * y), T.log(x) + T.log(y)), (T.sqrt(x * x), x), (abs(x) + y, x + y)):
        with pytest.raises(RewriteError, match=r"rule wrong: .* is not "):
            prove(Rule("wrong", pattern, replacement))
    assert prove(Rule("right", T.log(x * y), T.log(x) + T.log(y), where="(x > 0) & (y > 0)")) in ("proved", "checked")
    with pytest.raises(RewriteError, match="no point satisfies"):
        prove(Rule("nowhere", x + y, y + x, where="x > 1000"))


@pytest.mark.parametrize("rule", PATTERNS, ids=lambda r: r.name)
def test_a_rule_keeps_every_float(rule: Rule) -> None:
    """Pattern and result on special values, NaN, infinities and the sign of zero included; in every dtype that fits."""
    fitted = 0
    for dtype in ("float64", "float32", "int64", "int8", "uint16"):
        marks = wildcards(rule)
        n = fresh_symbol("n")  # one extent for all: else the rules would change the type
        leaves = [variable(w.name, (n,), KINDS.get(str(w.params["label"])[0], dtype)) for w in marks]
        bound = dict(zip(marks, leaves, strict=True))
        if rule.name in OPERANDS and is_float(dtype):
            bound = {w: OPERANDS[rule.name](v) for w, v in bound.items()}
        try:
            left = instantiated(rule.pattern, bound)
        except TypeError:  # a dtype that the pattern's ops do not take
            continue
        rules = RulePass([rule])
        (right,) = rules([left])
        if not rules.fired:
            continue
        fitted += 1
        assert right.type == left.type
        columns = [
            np.array([0, 1, 2, 3, 5, 9, 100, 127] if not is_float(dtype) else SPECIAL).astype(v.type.dtype)
            for v in leaves
        ]
        grid = list(product(*(range(len(c)) for c in columns)))
        values = {v: c[[p[k] for p in grid]] for k, (v, c) in enumerate(zip(leaves, columns, strict=True))}
        before, after = evaluate([left, right], values)
        if rule.name in ROUNDED and is_float(dtype):
            np.testing.assert_allclose(after, before, rtol=float(2 * np.finfo(dtype).eps), atol=0)
        else:
            np.testing.assert_array_equal(bits(after), bits(before))
    assert fitted, f"{rule.name} never fits"


# ---- rules that no pattern expresses: graphs that each fits, and one that it must leave alone ----


def _mask(n: int = 4) -> Any:
    return T.constant(np.arange(n) % 2 == 0)


EXAMPLES: dict[str, list[Callable[[Expr], Expr]]] = {  # of x[3, 4]
    "over_power_of_two": [lambda x: x / 8.0, lambda x: x / -0.25],
    "cast_of_cast": [lambda x: T.cast(T.cast(T.cast(x, "int8"), "int32"), "float32"), lambda x: T.cast(T.cast(x > 0, "int64"), "bool")],
    "known_condition": [lambda x: T.where(T.constant(True), x, x * 2), lambda x: T.where(T.constant(np.zeros((3, 4), bool)), x, -x)],
    "unstretched": [lambda x: x + T.broadcast_to(x[0], x.shape), lambda x: x * T.ones_like(x) * T.full_like(x, 2)],
    "stretched_after": [lambda x: T.exp(T.broadcast_to(x[:, None], (3, 5, 4))), lambda x: T.full_like(x, 2) - 1,
                        lambda x: T.broadcast_to(x[0], (2, 4)) * T.broadcast_to(x[1], (2, 4))],
    "whole_spread": [lambda x: make(SPREAD, (x,), shape=x.type.shape, axes=(0, 1)) + 1],
    "spread_of_spread": [lambda x: x.T.T, lambda x: T.expand_dims(x.T, 0), lambda x: T.broadcast_to(x[:1], (3, 4)).transpose()],
    "restored": [lambda x: spread(make(DROP, (x[:1],), axes=(0,)), x[:1].type.shape, (1,))],
    "drop_of_spread": [lambda x: x[None].squeeze(0), lambda x: T.expand_dims(x[:1], 1).squeeze()],
    "drop_of_drop": [lambda x: x[:1, :1].squeeze(0).squeeze(0)],
    "whole_slice": [lambda x: make(SLICE, (x,), starts=(0, 0), steps=(1, 1), lengths=x.type.shape)],
    "slice_of_slice": [lambda x: x[::-1][::-1], lambda x: x[1:, ::-2][::-1, 1:]],
    "slice_of_spread": [lambda x: x.T[1:], lambda x: T.broadcast_to(x, (5, 3, 4))[1:3, 0], lambda x: T.broadcast_to(x[:1], (3, 4))[2:0:-1]],
    "slice_of_pad": [lambda x: T.pad(x, 2)[2:5, 2:6]],
    "slice_of_join": [lambda x: T.concatenate([x, -x])[3:], lambda x: T.stack([x, -x], 1)[:, 1], lambda x: T.concatenate([x, -x], 1)[:, 6:4:-1]],
    "whole_pad": [lambda x: make(PAD, (x,), starts=(0, 0), steps=(1, 1), shape=x.type.shape, fill=0)],
    "single_copy": [lambda x: make(T.tile(x, (1, 2)).op, (x,), count=1, axis=1)],
    "reshaped_once": [lambda x: x.reshape((2, 6)).reshape((4, 3)), lambda x: x[:, None].reshape((6, 2)),
                      lambda x: T.full_like(x, 3).reshape((12,)) * 1.5, lambda x: x.reshape((2, 6)).reshape((3, 4))],
    "drop_of_reshape": [lambda x: x.reshape((1, 2, 6)).squeeze(0)],
    "reduction_of_ones": [lambda x: x[:1].sum(0), lambda x: T.max(x[:, None], axis=(0, 1)), lambda x: T.all(x[:1] > 0, axis=(0, 1))],
    "reduction_of_reduction": [lambda x: x.sum(0).sum(), lambda x: T.min(T.min(x, 1), 0), lambda x: T.any(T.any(x > 0, 0))],
    "reduction_of_copies": [lambda x: T.broadcast_to(x, (5, 3, 4)).sum(axis=(0, 2)), lambda x: T.max(T.broadcast_to(x[:1], (7, 4)), 0),
                            lambda x: T.full_like(x, 2.5).sum(), lambda x: T.broadcast_to(x[:, :1], (3, 9)).sum(),
                            lambda x: T.broadcast_to(x[0], (x.shape[0], 4)).sum(0)],
    "running_sum_of_one": [lambda x: T.cumsum(x[:1], 0)],
}  # fmt: skip
LEFT_ALONE: list[Callable[[Expr], Expr]] = [  # true of reals, not of floats; or views that are not one view
    lambda x: x * 0, lambda x: x - x, lambda x: x / x, lambda x: x + 0, lambda x: T.eq(x, x), lambda x: x / 3.0,
    lambda x: 0 - x, lambda x: x * T.ones((2, 1, 1)), lambda x: T.concatenate([x, -x])[2:4], lambda x: x.T.reshape((3, 4)),
    lambda x: T.pad(x, 1)[1:3], lambda x: T.cast(T.cast(x, "int8"), "float64"), lambda x: T.max(T.sum(x, 0)),
    lambda x: T.cast(T.cast(T.cast(x, "int32"), "float64"), "int8"), lambda x: x / 5e-324, lambda x: T.minimum(x, -x),
]  # fmt: skip


def test_each_has_an_example() -> None:
    assert set(EXAMPLES) == {r.name for r in SIMPLIFY if isinstance(r, Change)}


@pytest.mark.parametrize("known", [True, False], ids=["known extents", "unknown extents"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_simplified_and_keeps_its_numbers(name: str, known: bool) -> None:
    fits = 0
    for build, dtype in product(EXAMPLES[name], ("float64", "float32")):
        x = variable("x", (3, 4) if known else (None, None), dtype)
        try:
            before = build(x)
        except ShapeError:  # an axis of 1 is needed, and x[:1] of an empty x has none
            assert not known
            continue
        found = simplification([before])
        fits += name in found.fired
        assert name in found.fired or not known, f"{name} does not fit {before!r}"
        (after,) = found.roots
        assert after.type == before.type
        values = {x: np.random.default_rng(0).normal(size=(3, 4)).astype(dtype)}
        try:
            a = value(before, values)
        except ShapeError:  # broadcasting needs an axis known to be 1
            assert not known
            continue
        b = value(after, values)
        if name == "reduction_of_copies" or "sum" in name or name == "reduction_of_reduction":
            np.testing.assert_allclose(
                b, a, rtol=float(4 * np.finfo(dtype).eps), atol=1e-6 if dtype == "float32" else 1e-14
            )
        else:
            np.testing.assert_array_equal(bits(b), bits(a))
    assert fits or not known


@pytest.mark.parametrize("number", range(len(LEFT_ALONE)))
def test_what_floats_do_not_allow_stays(number: int) -> None:
    x = variable("x", (3, 4), "float64")
    before = LEFT_ALONE[number](x)
    (after,) = simplified([before])
    values = {x: np.array([[0.0, -0.0, np.inf, -np.inf], [np.nan, 1, -1, 3], [5e-324, 1e308, 7, 0.1]])}
    a, b = evaluate([before, after], values)
    np.testing.assert_array_equal(bits(a), bits(b))


def test_lossless_casts() -> None:
    assert embeds("int16", "float32")
    assert not embeds("int32", "float32")
    assert embeds("uint32", "int64")
    assert not embeds("int8", "uint64")
    assert not embeds("float64", "float32")
    assert embeds("bool", "int8")
    assert embeds("int32", "float64")
    assert not embeds("int64", "float64")
    assert embeds("int64", "float64x2")
    assert embeds("int32", "float64e")
    assert not embeds("int64", "float64e")


# ---- folding ----


def test_constants_fold_exactly_and_round_once() -> None:
    x = T.dscalar("x")
    tenth = T.constant(0.1)
    total = tenth
    for _ in range(9):
        total = total + tenth
    (y,) = folded([x * total])
    # Ten doubles next to 0.1 add up to 1 exactly rounded; one by one to 0.9999999999999999.
    assert y is x * 1.0 or y is x
    (z,) = folded([T.constant(1.0, "float32") / T.constant(3.0, "float32") * 3.0])
    assert value(z, {}) == np.float32(1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_folding_is_the_oracle_on_special_values(dtype: str) -> None:
    for a, b in product(SPECIAL, repeat=2):
        p, q = T.constant(a, dtype), T.constant(b, dtype)
        for y in (p + q, p - q, p * q, p / q, -p, T.exp(p), T.maximum(p, q), p < q, T.where(p > q, p, q)):
            (f,) = folded([y])
            np.testing.assert_array_equal(bits(value(f, {})), bits(value(y, {})))


@pytest.mark.parametrize("form", sorted(LIMBS))
def test_number_forms_fold_where_a_float_holds_what_comes_out(form: str) -> None:
    with building(()):
        one, three = T.constant(1.0), constant(3, form)
        exact = [cast(one, form) / 2, -(three * three) + cast(one, form), cast(three / 4, "float64")]
        left = [cast(one, form) / three, three - three, three / 0.0, cast(one, form) / 0.0 * three]
    assert [f.op.name for f in folded(exact)] == ["constant"] * 3
    for f, y, number in zip(folded(exact), exact, [0.5, -8.0, 0.75], strict=True):
        assert f.type == y.type
        with building(()):
            assert f is constant(number, y.type.dtype)
    assert all(f.op.name != "constant" for f in folded(left))


def test_the_seed_of_a_gradient_in_number_forms_is_a_constant() -> None:
    """Else a kernel for it alone comes between two others, and what is stored between these has lost its digits."""
    x, e = T.vector("x"), T.vector("e")
    y = ((1 + 1 / e) * T.exp(-(1 - e) * x) - (1 / e - 1) * T.exp(-(1 + e) * x)) / 2
    f = symdl.function([x, e], [symdl.grad(y.sum(), e)])
    assert len([s for s in f.lowered.program.steps if isinstance(s, Kernel)]) == 1


def test_folding_small_arrays_only() -> None:
    rng = np.random.default_rng(0)
    small, large = T.constant(number_array(rng, (4, 5), "float64")), T.constant(np.ones(LARGEST + 1))
    (a, b, c) = folded([T.exp(small).T.sum(0), T.exp(large), T.zeros((1000, 1000)) + 1])
    assert [n.op.name for n in topological(a)] == ["constant"]
    assert [n.op.name for n in topological(b)] == ["constant", "exp"]
    assert max(n.params["value"].array.size for n in topological(c) if n.op.name == "constant") == 1
    assert value(c, {}).sum() == 1e6


def test_integers_fold_as_they_wrap() -> None:
    n = T.constant(np.int8(100))
    (f,) = folded([n + n])
    assert f.op.name == "constant"
    assert value(f, {}) == np.int8(-56)


def test_folding_leaves_errors_to_the_call() -> None:
    picked = T.constant(np.arange(3.0))[T.constant(np.array([0, 7]))]
    assert folded([picked]) == [picked]
