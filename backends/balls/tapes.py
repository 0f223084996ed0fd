"""A tape: the body of a loop as numbers that `library` reads, one operation after another, for one element.

    leaves, operations, results, balls              how many
    function, result, operand, operand, operand     of each operation
    ball, kind, offset                              of each result
    constants                                       as in `numbers`

An operand is the number of a ball, or -1 - k for constant k. Balls hold the leaves first, and take others when they are no
longer needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from symdl.backends.balls.formula import IRRATIONALS
from symdl.backends.balls.library import KINDS, NAMES
from symdl.backends.balls.numbers import words
from symdl.ir.loops import Apply, Const, Value
from symdl.number_forms import LIMBS
from symdl.records import record

MOST_BALLS = 400  # 25 KiB of a thread's stack
SAME = {"cast": "copy"}


def _named(x: Apply) -> str:
    """Who computes a value in balls."""
    return "where_bool" if x.primitive == "where" and x.dtype == "bool" else SAME.get(x.primitive, x.primitive)


ONE_LIMB, TWO_LIMBS = 53, 100  # digits that one limb holds, and as many as two hold at least
SIMPLE = 1 << 20  # denominators up to this


@record
class Tape:
    """leaves: the values that are given."""

    leaves: tuple[Value, ...]
    words: tuple[int, ...]


def tape_of(results: Sequence[tuple[Value, str, int]], stands_for: Callable[[Value], Value | None]) -> Tape | None:
    """The tape of values, each kept in a dtype at an offset; None where something in them is not written for. stands_for:
    another value that one is, but for a precaution against errors."""
    order, other = _in_order([value for value, _, _ in results], stands_for)
    results = [(other.get(id(value), value), dtype, offset) for value, dtype, offset in results]
    if any(dtype not in KINDS for _, dtype, _ in results) or not all(map(_known, order)):
        return None
    exact: dict[int, Fraction] = {}  # constants, and sums of them
    for item in order:
        if (number := _exactly(item, exact)) is not None:
            exact[id(item)] = number
        elif isinstance(item, Const):
            return None
    leaves = [x for x in order if not _computed(x) and id(x) not in exact]
    operands = {id(item): [other.get(id(x), x) for x in item.args] for item in order if isinstance(item, Apply)}
    last = {id(x): k for k, item in enumerate(order) for x in operands.get(id(item), ())}
    last |= {id(value): len(order) for value, _, _ in results}
    place = {id(x): k for k, x in enumerate(leaves)}
    constants: dict[tuple[int, ...], int] = {}
    free: list[int] = []
    count = len(leaves)
    operations: list[int] = []
    for k, item in enumerate(order):
        if id(item) in exact:
            place[id(item)] = -1 - constants.setdefault(_meant(exact[id(item)]), len(constants))
        if id(item) in place or not isinstance(item, Apply):
            continue
        given = [place[id(x)] for x in operands[id(item)]]
        if free:
            out = free.pop()
        else:
            out, count = count, count + 1
        operations += [NAMES.index(_named(item)), out, *given, *(0,) * (3 - len(given))]
        place[id(item)] = out
        free += {place[id(x)] for x in operands[id(item)] if last[id(x)] == k and place[id(x)] >= 0}
    if count > MOST_BALLS:
        return None
    kept = [number for value, dtype, offset in results for number in (place[id(value)], KINDS.index(dtype), offset)]
    head = len(leaves), len(operations) // 5, len(results), count
    return Tape(tuple(leaves), (*head, *operations, *kept, *(word for one in constants for word in one)))


def _computed(x: Value) -> bool:
    """Whether a value is computed here: a float, or a truth of floats."""
    if not isinstance(x, Apply):
        return False
    return x.dtype.startswith("float") or (x.dtype == "bool" and any(_floats(a) for a in x.args))


def _floats(x: Value) -> bool:
    return x.dtype.startswith("float") or _computed(x)


def _known(x: Value) -> bool:
    if not _computed(x):
        return isinstance(x, Const) or x.dtype in LEAVES
    assert isinstance(x, Apply)
    return _named(x) in NAMES


LEAVES = frozenset(["bool", "float32", "float64", *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)), *LIMBS])


def _exactly(x: Value, known: Mapping[int, Fraction]) -> Fraction | None:
    """What a constant is, or a sum of constants."""
    if isinstance(x, Const):
        return _number(x)
    if isinstance(x, Apply) and x.primitive in ("cast", "add") and all(id(a) in known for a in x.args):
        return sum((known[id(a)] for a in x.args), Fraction(0)) if x.dtype in LIMBS else None
    return None


def _number(x: Const) -> Fraction | None:
    """None of what is no number."""
    limbs = x.number if isinstance(x.number, tuple) else (x.number,)
    try:
        if not isinstance(x.number, tuple) or "exponent" not in LIMBS[x.dtype]:
            return sum((Fraction(limb) for limb in limbs), Fraction(0))
        *digits, exponent = limbs
        return sum(map(Fraction, digits), Fraction(0)) * Fraction(2) ** int(exponent if any(digits) else 0)
    except (OverflowError, ValueError):
        return None


def _meant(number: Fraction) -> tuple[int, ...]:
    """The words of a constant: what two limbs hold of a fraction, or of a float's multiple of an irrational number, is that."""
    if number and abs(number.numerator).bit_length() > ONE_LIMB:
        for unit in (Fraction(1), *IRRATIONALS):
            factor = number / unit
            for near in (factor.limit_denominator(SIMPLE), Fraction(float(factor))):
                if near and abs(near / factor - 1) < Fraction(1, 1 << TWO_LIMBS):
                    return words(near * unit, unit == 1)
    return words(number)


def _in_order(
    roots: Sequence[Value], stands_for: Callable[[Value], Value | None]
) -> tuple[list[Value], dict[int, Value]]:
    """Values, operands first, and by their ids which of them are others."""
    found: dict[int, Value] = {}
    other: dict[int, Value] = {}
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        item, ready = stack.pop()
        if id(item) in found or (id(item) in other and not ready):
            continue
        if ready:
            if id(item) in other:
                one = other[id(item)]
                other[id(item)] = other.get(id(one), one)
            else:
                found[id(item)] = item
            continue
        stack.append((item, True))
        if (inner := stands_for(item)) is not None:
            other[id(item)] = inner
            stack.append((inner, False))
        elif _computed(item):
            assert isinstance(item, Apply)
            stack += [(x, False) for x in item.args]
    return list(found.values()), other
