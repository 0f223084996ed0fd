"""Proofs: a graph's exact value, an op's derivative, a rule's two sides, by sympy and mpmath.

For tests, reports and authors of rules: nothing that `import symdl` loads comes here. Reals are mpmath numbers whose
precision is doubled until two results agree; sympy's simplify is used plainly, never force=True and never on exp of
both sides, which also "prove" log(a b) = log a + log b.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import mpmath
import numpy as np
import sympy

from symdl.derivatives.gradient import pull
from symdl.errors import RewriteError
from symdl.graph.expr import CONSTANT, VARIABLE, WILDCARD, Expr, Op, constant, variable
from symdl.graph.walks import topological
from symdl.interop.sympy import constants, formula, symbolic
from symdl.ops.declare import is_float
from symdl.passes.evaluate import bind, concrete
from symdl.passes.rewrite import Rule, instantiated

LIMIT = 20_000  # bits of precision past which a value counts as undecided
DECIDED = (160, 320, 1400, 2500)  # bits of precision at which one element among many is tried
SMALLEST = 1200  # two values that differ by less than 2^-1200 round to the same float
GREATEST_POWER = 1 << 45  # an exponent of 2 past which no number form goes
GREATEST_ANGLE = 4000  # ... and one past which exp, sin and their like would need as many bits, and are left out
ARITHMETIC = frozenset(
    "add sub mul true_div neg abs sign maximum minimum sqr reciprocal where sqrt log log2 log10 log1p".split()
)
# Ops with a step or a zero where an operand is whole, or operands are equal: there a last bit decides.
STEPS = frozenset(
    "add sub log log2 log10 log1p arccos arccosh eq ne lt le gt ge floor ceil trunc round_half_even floor_div mod sign maximum minimum arctanh erfinv xlogy".split()
)
# Ops whose outcome hangs on a difference or a divisor, however small that is.
HANGING = frozenset("eq ne lt le gt ge floor ceil trunc floor_div mod sign true_div reciprocal log log2 log10".split())
# Functions that come so near to 1, 2 or an operand that no precision tells them apart, and where they lie: nearer to 0 or
# farther from it than that number, or above it.
NEARER = frozenset("sin cos tanh erf arctan arcsinh".split())
FARTHER = frozenset("tan sinh cosh arcsin arctanh".split())
ABOVE = frozenset("softplus logaddexp".split())
NEARING = NEARER | FARTHER | ABOVE | {"exp", "exp2", "pow", "erfc"}
ENDS = {"softmax": 1, "log1p": -math.inf}  # what functions are of infinite numbers, or of such as have cancelled whole
KINDS = {"c": "bool", "n": "int64"}  # dtype of wildcards by the first letter of their label; others are float64
# Ops that make a number of what is none, or whose result has the sign of a zero.
UNDEFINED = frozenset("eq ne lt le gt ge max min max_and_argmax true_div reciprocal pow floor_div mod arctan2".split())

# ---- meanings ----


@cache
def meaning(op: Op) -> Callable[..., Any]:
    """An elementwise op's meaning as a function of mpmath numbers, in the precision of the time it is called. Its sums, and
    functions, do not lose what the precision cannot hold (`_beside`)."""
    symbols = [sympy.Symbol(a, real=True) for a in op.arguments]
    summed = sympy.Function("summed")
    written = formula(op).replace(lambda e: e.is_Add, lambda e: summed(*e.args))
    known = {"polygamma": _polygamma, "summed": _summed, "exp": _exp}
    function: Callable[..., Any] = sympy.lambdify(symbols, written, [known, "mpmath"], cse=False)
    return function


def _beside(whole: Any, rest: Any) -> Any:
    """A number that this precision cannot tell from a whole: the whole, moved to where the number lies by the last bits but
    32, and in proportion to the rest's digits: so no two precisions agree on what hangs on it, and only alike rests cancel."""
    digits, _ = mpmath.frexp(rest)
    return whole + mpmath.ldexp(abs(whole) * digits, 32 - mpmath.mp.prec)


def _summed(*terms: Any) -> Any:
    """A sum that loses no term beside a huge one."""
    total = terms[0]
    for term in terms[1:]:
        before, total = total, total + term
        if term and total == before and mpmath.isfinite(total):
            total = _beside(before, term)
        elif before and total == term and mpmath.isfinite(total):
            total = _beside(term, before)
    return total


def _exp(x: Any) -> Any:
    return _told_apart("exp", (x,), mpmath.exp(x))


def _told_apart(name: str, arguments: tuple[Any, ...], found: Any) -> Any:
    """A function's value: not the number that it nears, though rounding has made it that."""
    x, other = arguments[0], arguments[-1]
    if name in ABOVE:
        return _beside(found, abs(found)) if mpmath.isfinite(found) and found in arguments else found
    if not x or not mpmath.isfinite(x) or not (found in (1, -1) or found == (2 if name == "erfc" else x)):
        return found
    match name:
        case "exp" | "exp2":
            above = x > 0
        case "pow":
            if not (x > 0 and x != 1 and other and found == 1):
                return found  # a power of -1, or by 0 or 1
            above = (x > 1) == (other > 0)
        case "erfc":
            above = found == 1 and x < 0
        case _:
            above = (found > 0) == (name in FARTHER)
    return _beside(found, abs(x) if above else -abs(x))


def _polygamma(order: int, x: Any) -> Any:
    """psi_m(x); below 0 trigamma by reflection, pi^2 / sin(pi x)^2 - psi_1(1 - x), at most a sixth of which cancels: mpmath
    takes a step for each whole number between x and 0."""
    if order == 1 and isinstance(x, mpmath.mpf) and mpmath.isfinite(x) and x < 0:
        return (mpmath.pi / mpmath.sinpi(x)) ** 2 - mpmath.psi(1, 1 - x)
    return mpmath.psi(order, x)


# ---- exact values ----


def exact(outputs: Sequence[Expr], values: Mapping[Expr, Any], digits: int = 30, named: bool = False) -> list[Any]:
    """What the outputs mean over the reals, right to so many digits: arrays of mpmath numbers, of bools or of integers.

    Floats of values and constants are taken as they are (named: a constant next to pi, log 2, ... as that number).
    Casts between floats change nothing. Raises ArithmeticError where 20,000 bits do not settle a value.
    """
    bits = 4 * digits + 60
    before = _evaluated(outputs, values, bits, named)
    while True:
        bits *= 2
        if bits > LIMIT:
            raise ArithmeticError(f"exact: {outputs!r} is not settled by {LIMIT} bits")
        now = _evaluated(outputs, values, bits, named)
        if all(_settled(a, b, digits) for a, b in zip(before, now, strict=True)):
            return now
        before = now


def decided(outputs: Sequence[Expr], values: Mapping[Expr, Any]) -> list[Any]:
    """As `exact`, to 25 digits, element by element along the first axis, which all leaves share: NaN where 2,500 bits do
    not settle an element, where a number on the way leaves every number form, where the way leads through a quotient by
    0 or a comparison of NaN, and where it hangs on a number that is all noise: whether log(exp(x)) is x, what 1 over their
    difference is.

    A sum that comes out as exactly 0, or a comparison of equals, may be so for want of bits: such elements count only when
    1,400 bits say the same as 2,500, and none where, in the same row, a share is 1 or a log1p infinite, since one bit more or
    less would leave neither. What a precision cannot tell from a sum's term or a whole number, as erf(1000) from 1, lies
    beside it all the same, for each precision elsewhere, so that nothing that hangs on the difference settles. Numbers of
    derivatives that stand for pi, log 2, ... are taken as those.
    """
    count = next(len(v) for v in values.values())
    doubtful: set[int] = set()
    noisy: set[int] = set()
    hung: dict[Expr, Any] = {}  # on what nodes hung at the precision before
    undefined: set[int] = set()
    ends: set[int] = set()  # rows in which a share is the whole or a log1p of -1

    def watch(node: Expr, inputs: list[Any], result: Any) -> None:
        if np.shape(result)[:1] == (count,):
            if node.op.name in STEPS:
                doubtful.update(_doubtful(node.op.name, inputs, result))
            if node.op.name in ENDS:
                ends.update(at[0] for at, v in np.ndenumerate(result) if v == ENDS[node.op.name])
            if node.op.name in UNDEFINED:
                undefined.update(_undefined(node.op.name, inputs, result))
            if node.op.name in HANGING:
                now = _deciding(node.op.name, inputs)
                noisy.update(_changed(hung[node], now) if node in hung else ())
                hung[node] = now
        if isinstance(result, np.ndarray) and result.dtype == object:
            flat = result.reshape(-1)
            for k, v in enumerate(flat):
                if isinstance(v, mpmath.mpf) and abs(v._mpf_[2] + v._mpf_[3]) > GREATEST_POWER:
                    flat[k] = mpmath.nan

    arrays = {x: np.array(v, x.type.dtype) for x, v in values.items()}
    found: list[Any] = []
    before: list[Any] = []
    open_ = set(range(count))
    for bits in DECIDED:
        doubtful.clear()
        noisy.clear()
        now = _evaluated(outputs, arrays, bits, True, watch)
        found = found or [np.full(np.shape(o), mpmath.nan, object) for o in now]
        open_ -= undefined
        for k in sorted(open_) if before else ():
            pairs = [(b[k], a[k]) for b, a in zip(before, now, strict=True)]
            told = k not in doubtful or (bits == DECIDED[-1] and k not in ends)
            if told and k not in noisy and all(_settled(b, a, 25, SMALLEST) for b, a in pairs):
                open_.discard(k)
                for out, (_, a) in zip(found, pairs, strict=True):
                    out[k] = a
        if not open_:
            break
        for array in arrays.values():  # what is settled costs nothing more
            if is_float(str(array.dtype)):
                array[[k for k in range(count) if k not in open_]] = np.nan
        before = now
    return found


def spread(outputs: Sequence[Expr], values: Mapping[Expr, Any], found: Sequence[Any]) -> list[Any]:
    """How far each of the outputs' exact values goes from those found where the leaves move by half a unit in their last
    place, neighbours in opposite directions: what inputs that were rounded leave open."""
    out = [np.full(np.shape(f), mpmath.mpf(0), object) for f in found]
    for sign in (1, -1):
        now = _evaluated(outputs, values, DECIDED[-1], True, moved=sign)
        for far, f, v in zip(out, found, now, strict=True):
            for at in np.ndindex(np.shape(f)):
                gap = abs(v[at] - f[at])
                far[at] = max(far[at], gap) if mpmath.isfinite(gap) else far[at]
    return out


def _moved(array: Any, exactly: Any, sign: int) -> Any:
    """An array's exact values, every second half an ulp above, the others as far below."""
    out = np.empty(array.shape, object)
    for k, (at, v) in enumerate(np.ndenumerate(array)):
        step = mpmath.mpf(float(np.spacing(np.abs(v)))) / 2
        out[at] = exactly[at] + (step if k % 2 else -step) * sign
    return out


def _undefined(name: str, inputs: list[Any], result: Any) -> Iterator[int]:
    """The rows in which what is no number is lost again: a NaN that is compared or not the largest, a quotient by 0."""
    operands = np.broadcast_arrays(*inputs)
    for at in np.ndindex(operands[0].shape):
        given = [o[at] for o in operands]
        odd: Any
        if any(isinstance(v, mpmath.mpf) and mpmath.isnan(v) for v in given):
            odd = True
        elif name in ("true_div", "reciprocal"):
            odd = given[-1] == 0
        elif name == "pow":
            odd = given[0] == 0 and given[1] < 0
        elif name == "arctan2":
            odd = given[0] == 0
        else:
            odd = name in ("floor_div", "mod") and not all(mpmath.isfinite(v) for v in given)
        if odd:
            yield at[0]


def _doubtful(name: str, inputs: list[Any], result: Any) -> Iterator[int]:
    """The rows in which a step's outcome hangs on a last bit."""
    operands = np.broadcast_arrays(*inputs)
    for at in np.ndindex(np.shape(result)):
        given = [o[at] for o in operands]
        if not all(isinstance(v, mpmath.mpf) and mpmath.isfinite(v) for v in given):
            continue
        odd: Any
        match name, given:
            case (("add" | "sub"), [a, b]):
                odd = result[at] == 0 and a != 0
            case (("log" | "log2" | "log10" | "log1p" | "arccos" | "arccosh"), _):
                odd = result[at] == 0
            case (("floor_div" | "mod"), [a, b]):
                odd = b != 0 and mpmath.isint(a / b)
            case (("floor" | "ceil" | "trunc" | "sign"), [a]):
                odd = mpmath.isint(a)
            case "round_half_even", [a]:
                odd = mpmath.isint(2 * a)
            case (("arctanh" | "erfinv"), _):
                odd = mpmath.isinf(result[at])
            case "xlogy", [a, b]:
                odd = result[at] == 0 and a != 0
            case _:
                odd = given[0] == given[-1]
        if odd:
            yield at[0]


def _deciding(name: str, inputs: list[Any]) -> Any:
    """The number, element by element, whose being 0 or not decides about an op's outcome."""
    a, b = inputs[0], inputs[-1]
    if name in ("floor", "ceil", "trunc", "floor_div", "mod"):
        over = np.frompyfunc(lambda v, w: v / w if w else mpmath.nan, 2, 1)(a, b) if len(inputs) > 1 else a
        return np.frompyfunc(lambda v: v - mpmath.nint(v) if mpmath.isfinite(v) else v, 1, 1)(over)
    return b if len(inputs) == 1 or name == "true_div" else a - b


def _changed(before: Any, now: Any) -> Iterator[int]:
    """The rows of an array of which a number is not the same, in so much as a digit, with more bits."""
    for at, v in np.ndenumerate(now):
        if isinstance(v, mpmath.mpf) and mpmath.isfinite(v) and abs(v - before[at]) * 10 > abs(v):
            yield at[0]


def _settled(before: Any, now: Any, digits: int, smallest: int | None = None) -> bool:
    for a, b in zip(np.ravel(before), np.ravel(now), strict=True):
        if isinstance(b, mpmath.mpf):
            if mpmath.isnan(a) and mpmath.isnan(b):
                continue
            if a != b and not abs(a - b) <= abs(b) * mpmath.mpf(10) ** -digits:
                if smallest is None or not abs(a - b) < mpmath.ldexp(1, -smallest):
                    return False
        elif a != b:
            return False
    return True


Watch = Callable[[Expr, list[Any], Any], None]


def _evaluated(
    outputs: Sequence[Expr],
    values: Mapping[Expr, Any],
    bits: int,
    named: bool,
    watch: Watch | None = None,
    moved: int = 0,
) -> list[Any]:
    with mpmath.workprec(bits):
        env: dict[Expr, Any] = {}
        arrays = {leaf: np.asarray(v, leaf.type.dtype) for leaf, v in values.items()}
        sizes = bind(arrays)
        for k, (leaf, array) in enumerate(arrays.items()):
            env[leaf] = _reals(array) if is_float(leaf.type.dtype) else array
            if moved and is_float(leaf.type.dtype):
                env[leaf] = _moved(array, env[leaf], moved if k % 2 else -moved)
        for node in topological(*outputs):
            if node not in env:
                params = {k: concrete(v, sizes) for k, v in node.params.items()}
                inputs = [env[i] for i in node.inputs]
                env[node] = _array(_step(node, inputs, params, values, bits, named))
                if watch is not None:
                    watch(node, inputs, env[node])
        return [env[o] for o in outputs]


def _array(value: Any) -> Any:
    """A lone mpmath number as an array without axes; arrays, and the tuple of several results, as they are."""
    if not isinstance(value, mpmath.mpf | bool | int):
        return value
    out = np.empty((), object if isinstance(value, mpmath.mpf) else type(value))
    out[()] = value
    return out


def _step(node: Expr, inputs: list[Any], params: dict[str, Any], values: Any, bits: int, named: bool) -> Any:
    op = node.op
    if op is CONSTANT:
        if (name := node.params.get("name")) is not None:
            return _named(name)._to_mpmath(mpmath.mp.prec)
        array = node.params["value"].array
        return _reals(array, named) if is_float(node.type.dtype) else array
    if op is VARIABLE:
        raise ValueError(f"exact: no value for {node!r}")
    if op.name == "cast":
        return _cast(inputs[0], node.inputs[0].type.dtype, node.type.dtype)
    write: Any
    floating = [is_float(i.type.dtype) for i in node.inputs]
    if op.definition or (op.expand and op.kind == "composite" and op.meaning is None):
        write = op.definition or op.expand
        body = write(*node.inputs, **node.params)
        env = dict(zip(node.inputs, inputs, strict=True))
        return _inside(body, env, values, bits, named)
    if op.meaning is not None and op.kind in ("elementwise", "composite") and any(floating):
        whole = np.frompyfunc(lambda *a: _scalar(op, a), len(inputs), 1)(*inputs)
        return whole if is_float(node.type.dtype) else np.asarray(whole).astype(node.type.dtype)
    if op.name == "sum" and any(floating):
        total = inputs[0]
        for axis in sorted(params["axes"], reverse=True):
            total = np.frompyfunc(_summed, 2, 1).reduce(total, axis=axis)
        return total
    if op.reference is None:
        write = op.expand
        body = write(*node.inputs, **node.params)
        return _inside(body, dict(zip(node.inputs, inputs, strict=True)), values, bits, named)
    return op.reference(*inputs, **params)


def _inside(body: Expr, env: dict[Expr, Any], values: Any, bits: int, named: bool) -> Any:
    """The value of an op's body, its inputs being known."""
    sizes = bind({leaf: np.asarray(v) for leaf, v in values.items()})
    stack = [body]
    while stack:  # not topological, which would go on below the op's inputs
        node = stack[-1]
        missing = [i for i in node.inputs if i not in env] if node not in env else []
        if missing:
            stack += missing
            continue
        stack.pop()
        if node not in env:
            params = {k: concrete(v, sizes) for k, v in node.params.items()}
            env[node] = _array(_step(node, [env[i] for i in node.inputs], params, values, bits, named))
    return env[body]


def _scalar(op: Op, arguments: tuple[Any, ...]) -> Any:
    """A meaning at a point; at poles its limit or NaN."""
    if any(isinstance(a, mpmath.mpf) and mpmath.isnan(a) for a in arguments) and op.name not in ("where", "isnan"):
        return mpmath.nan if op.infer is not None and op.name not in COMPARISONS else op.name == "ne"
    if op.name == "isnan":
        return bool(mpmath.isnan(arguments[0]))
    if op.name not in ARITHMETIC and any(
        isinstance(a, mpmath.mpf) and a._mpf_[2] + a._mpf_[3] > GREATEST_ANGLE for a in arguments
    ):
        return mpmath.nan if op.name not in COMPARISONS else meaning(op)(*arguments)
    try:
        found = meaning(op)(*arguments)
    except ZeroDivisionError:
        return _quotient(op, arguments)
    except (ValueError, TypeError):  # outside the domain
        return mpmath.nan
    if isinstance(found, mpmath.mpc):
        return found.real if found.imag == 0 else mpmath.nan
    if op.name in NEARING:
        found = _told_apart(op.name, arguments, found)
    return found if isinstance(found, bool | mpmath.mpf) else mpmath.mpf(found)


COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge", "isinf", "isfinite")


def _quotient(op: Op, arguments: tuple[Any, ...]) -> Any:
    if op.name in ("true_div", "reciprocal"):
        above = arguments[0] if op.name == "true_div" else mpmath.mpf(1)
        return mpmath.nan if above == 0 else mpmath.inf * mpmath.sign(above)
    if op.name == "pow":  # 0 to a negative power
        return mpmath.inf
    return mpmath.nan


@cache
def _named(name: str) -> Any:
    """One of IRRATIONALS as sympy's."""
    return sympy.sympify(name)


def _reals(array: Any, named: bool = False) -> Any:
    def real(v: Any) -> Any:
        f = float(v)
        meant = constants().get(abs(f)) if named else None
        return mpmath.mpf(f) if meant is None else mpmath.sign(f) * meant._to_mpmath(mpmath.mp.prec)

    out = np.empty(np.shape(array), object)
    for at in np.ndindex(out.shape):
        out[at] = real(array[at])
    return out


def _cast(x: Any, before: str, after: str) -> Any:
    if is_float(before):
        if is_float(after):
            return x
        whole = np.frompyfunc((lambda v: v != 0) if after == "bool" else lambda v: int(v), 1, 1)(x)
        return np.asarray(whole).astype(after)
    if is_float(after):
        return (
            np.frompyfunc(lambda v: mpmath.mpf(int(v)), 1, 1)(x) if np.shape(x) else _reals(np.asarray(int(x), object))
        )
    return np.asarray(x).astype(after)


# ---- proofs ----


def points(domain: Sequence[tuple[float, float]], count: int, seed: int = 0) -> Iterator[tuple[float, ...]]:
    """Random points inside a domain, of all magnitudes where it is unbounded; integers among them."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        out = []
        for low, high in domain:
            if math.isinf(low) and math.isinf(high):
                v = rng.choice([-1, 1]) * 10.0 ** rng.uniform(-3, 1.5)
            elif math.isinf(high):
                v = low + 10.0 ** rng.uniform(-3, 1.5)
            elif math.isinf(low):
                v = high - 10.0 ** rng.uniform(-3, 1.5)
            else:
                v = low + (high - low) * rng.uniform(0.01, 0.99)
            out.append(float(v))
        yield tuple(out)


def derivative_error(op: Op, which: int, at: Sequence[float], **params: Any) -> float:
    """|declared - true| / |true| of an elementwise op's derivative in one operand, at a point; absolute where it is 0.

    declared is what pull builds, evaluated exactly; true is the numeric derivative of the meaning in 60 digits.
    """
    leaves = [variable(a, (), "bool" if _is_condition(op, a) else "float64") for a in op.arguments]
    y = op(*leaves, **params)
    (g,) = pull([y], [constant(1.0)], [leaves[which]])
    values = dict(zip(leaves, at, strict=True))
    with mpmath.workdps(60):
        f = meaning(op)
        true = mpmath.diff(
            lambda t: f(*[t if k == which else mpmath.mpf(v) for k, v in enumerate(at)]), mpmath.mpf(at[which])
        )
        declared = exact([g], values, 40, named=True)[0][()] if g is not None else mpmath.mpf(0)
        gap = abs(declared - true)
        return float(gap / abs(true) if abs(true) > mpmath.mpf(10) ** -40 else gap)


def _is_condition(op: Op, argument: str) -> bool:
    return op.name == "where" and argument == "c"


def wildcards(rule: Rule) -> list[Expr]:
    """The wildcards of a rule's pattern, in order."""
    return [n for n in topological(rule.pattern) if n.op is WILDCARD]


def sides(rule: Rule, dtype: str = "float64") -> tuple[Expr, Expr, list[Expr]]:
    """A rule's pattern and replacement on scalar variables, and these. Wildcards c... are bool, n... int64."""
    bound = {w: variable(w.name, (), KINDS.get(str(w.params["label"])[0], dtype)) for w in wildcards(rule)}
    left = instantiated(rule.pattern, bound)
    right = instantiated(rule.replacement, bound)
    if right.op is CONSTANT:
        right = constant(right.params["value"].array.item(), left.type.dtype)
    return left, right, list(bound.values())


def prove(rule: Rule, count: int = 20, digits: int = 30) -> str:
    """ "proved" where sympy shows both sides equal, else "checked" where mpmath finds them equal at random points.

    Raises RewriteError with a counterexample where they differ, or where no point of the rule's domain was found.
    """
    left, right, leaves = sides(rule)
    inside = _condition(rule, leaves)
    met = 0
    for at in _samples(leaves, count * 10):
        if not inside(at):
            continue
        met += 1
        values = dict(zip(leaves, at, strict=True))
        a, b = exact([left], values, digits)[0][()], exact([right], values, digits)[0][()]
        if not _settled([a], [b], digits - 2):
            raise RewriteError(f"rule {rule.name}: {a} is not {b} at {values}")
        if met == count:
            break
    if not met:
        raise RewriteError(f"rule {rule.name}: no point satisfies {rule.where!r}")
    return "proved" if _simplifies(rule, left, right, leaves) else "checked"


def _simplifies(rule: Rule, left: Expr, right: Expr, leaves: Sequence[Expr]) -> bool:
    if any(not is_float(v.type.dtype) for v in leaves):
        return False
    positive = {v for v in leaves if f"{v.name} > 0" in rule.where.split(" & ")}
    names = {
        v: sympy.Symbol(str(v.name), positive=True) if v in positive else sympy.Symbol(str(v.name), real=True)
        for v in leaves
    }
    try:
        return bool(sympy.simplify(symbolic(left, names) - symbolic(right, names)) == 0)
    except (TypeError, ValueError, NotImplementedError, AttributeError):  # such as the difference of two conditions
        return False  # not proved here: mpmath decides


def _condition(rule: Rule, leaves: Sequence[Expr]) -> Callable[[Sequence[Any]], bool]:
    if not rule.where:
        return lambda at: True
    symbols = [sympy.Symbol(str(v.name), real=True) for v in leaves]
    text = sympy.sympify(rule.where, locals={str(s): s for s in symbols})
    function = sympy.lambdify(symbols, text, modules="mpmath")
    return lambda at: bool(function(*at))


def _samples(leaves: Sequence[Expr], count: int) -> Iterator[tuple[Any, ...]]:
    """Points of every dtype, small whole numbers among them."""
    rng = np.random.default_rng(1)
    whole = (0.0, 1.0, -1.0, 2.0, 0.5)
    for k in range(count):
        out: list[Any] = []
        for v in leaves:
            if v.type.dtype == "bool":
                out.append(bool(rng.integers(2)))
            elif not is_float(v.type.dtype):
                out.append(int(rng.integers(-9, 10)))
            elif k % 3 == 0:
                out.append(float(rng.choice(whole)))
            else:
                out.append(float(rng.choice([-1, 1]) * 10.0 ** rng.uniform(-3, 1.5)))
        yield tuple(out)
