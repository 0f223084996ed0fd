"""The normal form: interned, exact, and shy of what may be 0 / 0."""

from __future__ import annotations

import gc
from fractions import Fraction

import pytest

import symdl.tensor as T
from symdl.derivatives.gradient import grad
from symdl.graph.expr import Expr, variable
from symdl.meaning import stabilized
from symdl.meaning.cancellation import combine, near_log, simplify
from symdl.meaning.factoring import as_factor, multiply, power
from symdl.meaning.index_maps import Cut, Place, Reshape, leaf, viewed
from symdl.meaning.logarithms import exponential, logarithm
from symdl.meaning.masks import chosen, hit_of, product
from symdl.meaning.normal_form import Atom, Forms, Mono, Poly, Unsafe, joined
from symdl.meaning.reading import Reading


@pytest.fixture
def forms() -> Forms:
    return Forms()


def atoms(forms: Forms, *names: str, shape: tuple[int, ...] = ()) -> list[Poly]:
    return [leaf(forms, variable(n, shape, "float64")) for n in names]


def read(node: Expr) -> Poly:
    reading = Reading()
    reading([node])
    return reading.polys[node]


def test_equal_forms_are_one_object(forms: Forms) -> None:
    a, b = atoms(forms, "a", "b")
    assert multiply(a, b) is multiply(b, a)
    assert a + b is b + a
    assert (a + b) - b is a
    assert (a - a) is forms.zero


def test_both_faces_of_a_logistic_are_one_atom(forms: Forms) -> None:
    (x,) = atoms(forms, "x")
    up, down = as_factor(forms.one + forms.raw_exp(x)), as_factor(forms.one + forms.raw_exp(x.scale(-1)))
    assert set(up[0].factors) == set(down[0].factors)


def test_exponents_add(forms: Forms) -> None:
    x, y = atoms(forms, "x", "y")
    assert multiply(forms.raw_exp(x), forms.raw_exp(y)) is forms.raw_exp(x + y)
    assert multiply(forms.raw_exp(x), forms.raw_exp(x.scale(-1))) is forms.one


def test_zero_over_zero_is_not_lost(forms: Forms) -> None:
    (x,) = atoms(forms, "x")
    with pytest.raises(Unsafe):
        multiply(x, power(x, -1))
    with pytest.raises(Unsafe):
        power(power(x, Fraction(1, 2)), 2)
    with pytest.raises(Unsafe):
        power(x, 0)
    assert not forms.risk
    assert multiply(x, power(x, -1), lenient=True) is forms.one
    assert forms.risk


def test_a_root_of_a_square_is_a_size(forms: Forms) -> None:
    (x,) = atoms(forms, "x")
    root = power(power(x, 2), Fraction(1, 2)).atom
    assert root is not None
    assert root.op == "abs"


def test_one_less_sigmoid_cancels_exactly() -> None:
    x = variable("x", (), "float64")
    assert str(read(1 - T.sigmoid(x))) == "sum_of(1 + exp(x))^-1"
    assert str(read(T.sigmoid(x) * (1 - T.sigmoid(x)))) == "exp(x)*sum_of(1 + exp(x))^-2"


def test_sums_are_not_multiplied_out() -> None:
    x, y = variable("x", (), "float64"), variable("y", (), "float64")
    assert len(read((x + y) * (x - y) * (x + 2)).terms) == 1


def test_combine_counts_what_vanishes(forms: Forms) -> None:
    (x,) = atoms(forms, "x")
    (below, _) = as_factor(forms.one + x)
    found = combine([(forms.unit, Fraction(1)), (below**-1, Fraction(-1))])  # 1 - 1 / (1 + x)
    assert found is not None
    numerator, denominator, vanished, _ = found
    assert numerator is x
    assert denominator is below
    assert vanished == 1


def test_simplify_leaves_plain_sums(forms: Forms) -> None:
    x, y = atoms(forms, "x", "y")
    poly = power(x, 2) - y
    assert simplify(poly) is poly


def test_near_log_of_what_is_near_one(forms: Forms) -> None:
    (x,) = atoms(forms, "x")
    m, c = as_factor(forms.one + x)
    near = near_log(m, c)
    assert near is not None
    assert near.atom is not None
    assert near.atom.op == "log1p"
    assert near.atom.args[0] is x
    assert near_log(*as_factor(x)) is None


def test_logarithm_and_exponential_undo_each_other_only_where_that_is_sure(forms: Forms) -> None:
    (x,) = atoms(forms, "x")
    assert logarithm(forms.raw_exp(x)) is x
    log_of_x = logarithm(x)
    assert exponential(log_of_x) is forms.raw_exp(log_of_x)  # NaN below 0
    softplus = logarithm(forms.one + forms.raw_exp(x))
    assert exponential(softplus.scale(-1)) is power(forms.one + forms.raw_exp(x), -1)
    assert exponential(softplus.scale(2)) is forms.raw_exp(softplus.scale(2))  # its square would overflow


def test_shapes_align_at_the_right() -> None:
    assert joined([(3, 1), (4,), ()]) == (3, 4)
    assert joined([(1, 1), (1,)]) == ()


def test_views_reach_the_leaves(forms: Forms) -> None:
    (m,) = atoms(forms, "m", shape=(3, 4))
    (row,) = atoms(forms, "row", shape=(4,))
    turn = Place((1, 0))
    assert viewed(viewed(m, turn, 2), turn, 2) is m
    assert viewed(m + row, turn, 2).shape == (4, 3)
    assert viewed(row, turn, 2).shape == (4, 1)
    cut = Cut((0, 1), (1, 1), (3, 2))
    assert viewed(multiply(m, row), cut, 2).shape == (3, 2)
    assert viewed(viewed(m, Reshape((3, 4), (12,)), 2), Reshape((12,), (3, 4)), 1) is m


def test_a_softmax_row_sum_stands_beside_its_matrix() -> None:
    x = variable("x", (None, 3), "float64")
    y = read(T.exp(x) / T.exp(x).sum(axis=1, keepdims=True))
    assert y is not None
    assert y.shape == x.type.shape
    assert str(y) == "exp(x + -1*max(x))*sum(exp(x + -1*max(x)))^-1"


def test_a_mask_takes_its_factors_inside(forms: Forms) -> None:
    x, y = atoms(forms, "x", "y", shape=(3,))
    condition = variable("c", (3,), "bool")
    mask = chosen(condition, x, forms.zero)
    assert product(mask, y) is chosen(condition, multiply(x, y), forms.zero)
    assert chosen(condition, mask, forms.zero) is mask  # what the condition decides is decided


def test_the_mask_of_a_label_is_known() -> None:
    labels = variable("labels", (None,), "int64")
    x = variable("x", (None, 3), "float64")
    one_hot = T.one_hot(labels, 3)
    hit = hit_of(one_hot.inputs[0])
    assert hit is not None
    assert hit.inside is not None  # a label outside gives a row of 0
    assert hit_of(x > 0) is None


def test_forms_go_with_their_lowering() -> None:
    """Not when the collector finds them: those of a chain of 10,000 ops are half a million objects."""
    x = T.dvector("x")
    y = x
    for _ in range(20):
        y = T.tanh(1.5 * y + 0.25) - T.exp(-(y * y))
    roots = [y.sum(), grad(y.sum(), x)]

    def alive() -> int:
        return sum(type(o) in (Atom, Mono, Poly) for o in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = alive()
        stabilized(roots, {})
        assert alive() - before < 10  # 0, 1 and what they are made of know the table itself
    finally:
        gc.enable()
