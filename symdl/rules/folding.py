"""Constant folding: what depends on constants alone is computed while compiling, arithmetic exactly and rounded once.

Only after stage 3 has chosen the forms to run: log(1 + exp(800)) folded before it would be inf.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from symdl.errors import SymdlError
from symdl.graph.bodies import Body
from symdl.graph.expr import CONSTANT, RESULT, Expr, constant, rebuilt
from symdl.graph.origins import building
from symdl.graph.walks import topological
from symdl.number_forms import WIDE
from symdl.ops.declare import is_float
from symdl.ops.scan import IF
from symdl.passes.rewrite import Origins
from symdl.rules.simplify import simplified
from symdl.types import Dim, Results

LARGEST = 1024  # elements of a folded array: more is cheaper to compute than to store
EXACT: dict[str, Callable[..., Fraction]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "true_div": lambda a, b: a / b,
    "neg": lambda a: -a, "abs": abs,
}  # fmt: skip
IN_FORMS = EXACT | {"cast": lambda a: a}
ONE_FLOAT = {"float32": "float32", "float64": "float64", **dict.fromkeys(WIDE, "float64")}
LONGEST = 2000  # bits of an exact number that is carried on


def folded(
    roots: Sequence[Expr],
    origins: Origins | None = None,
    simplify: Callable[[Sequence[Expr]], list[Expr]] | None = None,
) -> list[Expr]:
    """The roots with constant parts computed, then simplified where that changed something: by `simplify`, if that is given.

    A chain of +, -, *, / on scalar constants is computed in rationals and rounded once; all else by NumPy, op by op. Of an
    ifelse whose condition is constant the branch that is taken is left.
    """
    table: Origins = {} if origins is None else origins
    done: dict[Expr, Expr] = {}
    numbers: dict[Expr, Fraction] = {}  # exact values of nodes before folding; their constants are rounded
    for node in topological(*roots):
        inputs = tuple([done[i] for i in node.inputs])
        known = bool(inputs) and all(i.op is CONSTANT for i in inputs)
        if inputs == node.inputs and not known and node.op is not RESULT:
            done[node] = node
            continue
        mine = table.get(node, frozenset())
        with building(mine, table):
            new = rebuilt(node, inputs)
            if known:
                new = _folded(node, new, numbers)
            elif new.op is RESULT and inputs[0].op is IF and inputs[0].inputs[0].op is CONSTANT:
                new = _taken(inputs[0])[new.params["index"]]
        if new is not node and new.op.kind != "leaf":
            table[new] = table.get(new, frozenset()) | mine
        done[node] = new
    found = [done[r] for r in roots]
    if all(a is b for a, b in zip(found, roots, strict=True)):
        return found
    return simplified(found, table) if simplify is None else simplify(found)


def _taken(node: Expr) -> list[Expr]:
    """The results of an ifelse whose condition is known."""
    condition, *given = node.inputs
    split, holds = node.params["split"], bool(condition.params["value"].array)
    body: Body = node.params["then" if holds else "other"]
    return body(*(given[:split] if holds else given[split:]))


def _folded(node: Expr, new: Expr, numbers: dict[Expr, Fraction]) -> Expr:
    """new, a node on constants, as a constant if it is small. node: the same before folding."""
    if isinstance(new.type, Results) or new.op.reference is None or not _small(new):
        return new
    if not WIDE.isdisjoint([new.type.dtype, *(i.type.dtype for i in new.inputs)]):
        in_forms = _in_forms(new)
        return new if in_forms is None else in_forms
    try:
        with np.errstate(all="ignore"):
            array = np.asarray(new.op.reference(*(i.params["value"].array for i in new.inputs), **new.params))
    except SymdlError:  # an index out of range is an error of the call
        return new
    if is_float(new.type.dtype) and not new.type.shape and np.isfinite(array):
        value = _exactly(node, new, numbers)
        if value is not None:
            numbers[node] = value
            rounded = _rounded(value, new.type.dtype)
            if rounded is not None and value != 0:  # the sign of a zero is the float's
                return constant(rounded, new.type.dtype)
    return constant(array, new.type.dtype)


def _in_forms(new: Expr) -> Expr | None:
    """Arithmetic on scalars in number forms, where a float of the result's high limb holds what comes out."""
    compute = IN_FORMS.get(new.op.name)
    plain = ONE_FLOAT.get(new.type.dtype)
    if compute is None or plain is None or any(i.type.shape or i.type.dtype not in ONE_FLOAT for i in new.inputs):
        return None
    operands = [_number(i) for i in new.inputs]
    if None in operands or (new.op.name == "true_div" and operands[1] == 0):
        return None
    value = compute(*operands)
    rounded = _rounded(value, plain) if value else None
    return constant(rounded, new.type.dtype) if rounded is not None and Fraction(rounded) == value else None


def _number(scalar: Expr) -> Fraction | None:
    """The exact value of a constant, perhaps in a number form; None where that is no number, or far out."""
    array = scalar.params["value"].array
    limbs = {name: float(array[name]) for name in array.dtype.names} if array.dtype.names else {"high": float(array)}
    power = limbs.get("exponent", 0.0)
    if not np.isfinite(limbs["high"]) or (limbs["high"] and abs(power) > LONGEST):
        return None
    size = Fraction(2) ** int(power) if limbs["high"] else 1
    return (Fraction(limbs["high"]) + Fraction(limbs.get("low", 0.0))) * size


def _small(new: Expr) -> bool:
    """Whether all extents are known, the result holds few elements and no more than its operands together."""
    count = 1
    for n in new.type.shape:
        if isinstance(n, Dim):
            return False
        count *= n
    held = sum(i.params["value"].array.size for i in new.inputs)
    return count <= max(held, 1) and count <= LARGEST and not _symbolic(new.params.values())


def _symbolic(values: Any) -> bool:
    stack = list(values)
    while stack:
        v = stack.pop()
        if isinstance(v, Dim):
            return True
        if isinstance(v, tuple):
            stack += v
    return False


def _exactly(node: Expr, new: Expr, numbers: dict[Expr, Fraction]) -> Fraction | None:
    """The rational number that a node is, if its op is arithmetic on finite scalars."""
    compute = EXACT.get(new.op.name)
    if compute is None:
        return None
    operands = []
    for before, after in zip(node.inputs, new.inputs, strict=True):
        v = numbers.get(before)
        if v is None:
            number = after.params["value"].array
            if number.shape != () or not np.isfinite(number):
                return None
            v = Fraction(number.item())
        operands.append(v)
    if new.op.name == "true_div" and operands[1] == 0:
        return None
    value = compute(*operands)
    return value if value.numerator.bit_length() + value.denominator.bit_length() < LONGEST else None


def _rounded(value: Fraction, dtype: str) -> float | None:
    """The nearest number of dtype, ties to even; None where it overflows or is subnormal."""
    info = np.finfo(dtype)
    if not float(info.tiny) <= abs(value) <= float(info.max):
        return None
    if dtype == "float64":
        return value.numerator / value.denominator  # correctly rounded by Python
    digits = info.nmant + 1
    shift = digits - (abs(value.numerator).bit_length() - value.denominator.bit_length())
    scaled = abs(value) * Fraction(2) ** shift
    while scaled >= 2**digits:
        scaled, shift = scaled / 2, shift - 1
    while scaled < 2 ** (digits - 1):
        scaled, shift = scaled * 2, shift + 1
    whole = round(scaled)  # ties to even
    return float((1 if value > 0 else -1) * Fraction(whole) / Fraction(2) ** shift)
