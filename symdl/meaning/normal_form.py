"""The normal form of a meaning: sums of monomials c * exp(E) * atom**p * ..., with exact rational coefficients.

Everything is interned in the Forms of one lowering, so equal meanings are one object and like terms cancel exactly.
A sum inside a power, a function or a reduction is an Atom: only single monomials multiply out, so nothing is expanded
without a reason. A form stands for an array: shapes align at the right and stretch as NumPy's do, axes of 1 in front
are dropped, and a reduction keeps its axes as 1. So a scalar, a row and a matrix sit in one sum as they are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from symdl.graph.expr import Expr
from symdl.meaning.rationals import HALF, Rational, quotient, rational
from symdl.types import Shape

# atoms that the algebra knows by name
ODD = frozenset(["sin", "erf", "arctan", "arcsin", "arctanh", "arcsinh"])
FUNCTIONS = ODD | {"cos", "erfc", "erfcx", "gammaln", "digamma"}
SIZES = frozenset(["abs", "sign"])
SPECIAL = FUNCTIONS | {"pow", "log", "softplus", "others"}
Value = TypeVar("Value")


class once(Generic[Value]):  # noqa: N801  # lower case as property is
    """A property computed at its first use. functools.cached_property took a lock before Python 3.12, for longer than
    most of these take."""

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self.compute, self.name = compute, compute.__name__
        self.__doc__ = compute.__doc__

    def __get__(self, form: Any, kind: type) -> Value:
        out = form.__dict__[self.name] = self.compute(form)
        return out


class Unsafe(Exception):  # not an error: the algebra declines, the node stays as written
    """A step that would hide a zero, an infinity or a NaN, such as x/x = 1."""


def joined(shapes: Iterable[Shape]) -> Shape:
    """The shape to which shapes that align at the right broadcast, without 1s in front."""
    out: tuple[Any, ...] = ()
    for shape in shapes:
        if not shape or shape == out:
            continue
        short, long = (out, shape) if len(out) < len(shape) else (shape, out)
        short = (1,) * (len(long) - len(short)) + tuple(short)
        out = tuple(b if a == 1 else a for a, b in zip(short, long, strict=True))
    return stripped(out)


def varies(shape: Shape, axes: Sequence[int]) -> bool:
    """Whether an array of this shape changes along one of the axes, counted from the end."""
    return any(-k <= len(shape) and shape[k] != 1 for k in axes)


def stripped(shape: Shape) -> Shape:
    """shape without 1s in front."""
    k = 0
    while k < len(shape) and shape[k] == 1:
        k += 1
    return shape[k:]


class Atom:
    """A function of Polys that the algebra does not look into, or a leaf.

    op "leaf" has the meaning's node as param; "sum_of" is a sum standing as one factor; sum and max keep their axes.
    """

    __slots__ = ("__dict__", "args", "forms", "op", "order", "param", "shape")

    def __init__(self, forms: Forms, order: int, op: str, args: tuple[Poly, ...], param: Any, shape: Shape) -> None:
        self.forms, self.order, self.op, self.args, self.param, self.shape = forms, order, op, args, param, shape

    @once
    def alone(self) -> Poly:
        """The sum that is it."""
        return self.forms.mono(self.forms.zero, {self: 1}).alone

    @once
    def depth(self) -> int:
        return 1 + max((a.depth for a in self.args), default=0)

    @once
    def size(self) -> int:
        return 1 + sum(a.size for a in self.args)

    @once
    def bases(self) -> frozenset[Expr]:
        """The leaves' own nodes, whatever views and unknown functions stand before them."""
        if self.op == "leaf":
            base = base_of(self.param)
            return self.forms.bases.get(base) or frozenset([base])
        return frozenset().union(*(a.bases for a in self.args))

    @once
    def nonneg(self) -> bool:
        if self.op in ("abs", "softplus", "erfc", "erfcx"):
            return True
        if self.op == "leaf":
            return lower_of(self.param) >= 0
        if self.op in ("sum_of", "sum", "max", "others", "view", "pick"):
            return self.args[0].nonneg or ((v := self.beside_root) is not None and v.nonneg)
        if self.op == "pow":
            return self.args[0].nonneg
        if self.op == "maximum":
            return any(a.nonneg for a in self.args)
        if self.op in ("where", "join"):
            return all(a.nonneg for a in self.args)
        return False

    @once
    def positive(self) -> bool:
        """Whether it is finite and above 0 wherever its leaves are finite, as real numbers go."""
        if self.op == "sum_of":
            above = self.args[0] if self.args[0].nonneg else self.beside_root
            return above is not None and above.nonneg and any(m.positive for m in above.terms)
        if self.op in ("sum", "view", "pick", "where", "join"):
            return all(a.nonneg and any(m.positive for m in a.terms) for a in self.args)
        if self.op == "pow":
            base = self.args[0].single
            return base is not None and self.args[0].nonneg and base[0].positive
        return self.op in ("softplus", "erfc", "erfcx") or (
            self.op == "leaf" and (base_of(self.param).op.kind == "position" or lower_of(self.param) > 0)
        )

    @once
    def beside_root(self) -> Poly | None:
        """v, where it is u + sqrt(u^2 + v), which has v's sign or is above 0."""
        terms = self.args[0].terms if self.op == "sum_of" else {}
        if len(terms) != 2:
            return None
        for (m, c), (n, d) in itertools.permutations(terms.items()):
            a = next(iter(m.factors), None)
            if a is not None and a.op == "sum_of" and m.factors == {a: HALF} and not m.expo.terms and c > 0:
                return a.args[0] - self.forms.term(n**2, quotient(d * d, c * c))
        return None

    @once
    def special(self) -> bool:
        """Whether an exponential, a logarithm or another function that the algebra knows is in it."""
        return self.op in SPECIAL or any(a.special for a in self.args)

    def __repr__(self) -> str:
        return repr(self.param) if self.op == "leaf" else f"{self.op}({', '.join(map(repr, self.args))})"


def _size_of_sum(a: Atom, p: Rational) -> bool:
    """Whether |A|^p is one of a sum of functions, or a root of one of any sum."""
    inner = a.args[0].atom
    return a.args[0].special or (p.denominator != 1 and inner is not None and inner.op == "sum_of")


class Mono:
    """exp(expo) * product of atom**power."""

    __slots__ = ("__dict__", "expo", "factors", "forms", "order")

    def __init__(self, forms: Forms, order: int, expo: Poly, factors: dict[Atom, Rational]) -> None:
        self.forms, self.order, self.expo, self.factors = forms, order, expo, factors

    @once
    def alone(self) -> Poly:
        """The sum of which it is the one term."""
        return self.forms.poly({self: 1})

    @once
    def nonneg(self) -> bool:
        return all(
            a.nonneg or (p.denominator == 1 and p.numerator % 2 == 0) or p.denominator % 2 == 0
            for a, p in self.factors.items()
        )

    @once
    def positive(self) -> bool:
        return all(a.positive for a in self.factors)

    @once
    def letters(self) -> frozenset[Atom]:
        """The atoms that its terms may hold once its sums are multiplied out."""
        return self.inner | self.factors.keys()

    @once
    def inner(self) -> frozenset[Atom]:
        """The atoms that multiplying out its sums may bring to a term."""
        return frozenset().union(*(m.letters for a in self.factors if a.op == "sum_of" for m in a.args[0].terms))

    @once
    def inner_exponents(self) -> frozenset[Mono]:
        """What multiplying out its sums may bring to a term's exponent."""
        return frozenset().union(*(exponents(a.args[0]) for a in self.factors if a.op == "sum_of"))

    @once
    def nearable(self) -> bool:
        """Whether c times it may differ from 1 by what is known without cancellation: an exponential, or sums and what
        they hold."""
        if not self.factors:
            return True
        if len(self.factors) == 1 and not self.expo.terms and next(iter(self.factors)).op in SPECIAL:
            return True
        if all(a.op == "pow" for a in self.factors):
            return not self.expo.terms and len({a.args[1] for a in self.factors}) == 1
        sums = {a for a, p in self.factors.items() if a.op == "sum_of" or (a.op == "abs" and _size_of_sum(a, p))}
        held = self.inner.union(*(n.letters for a in sums if a.op == "abs" for n in a.args[0].terms))
        sizes = {a for a in self.factors if a.op in SIZES and all(n.letters <= held for n in a.args[0].terms)}
        return bool(sums) and self.factors.keys() <= sums | held | sizes

    @once
    def inverse(self) -> Mono:
        """1 / this."""
        return self.forms.mono(self.expo.negated, {a: -q for a, q in self.factors.items()})

    @once
    def shape(self) -> Shape:
        if len(self.factors) == 1 and not self.expo.terms:
            return next(iter(self.factors)).shape
        return joined([self.expo.shape, *[a.shape for a in self.factors]])

    @once
    def special(self) -> bool:
        return bool(self.expo.terms) or any(a.special for a in self.factors)

    @property
    def bare(self) -> bool:
        """Whether it is 1."""
        return self is self.forms.unit

    def __mul__(self, other: Mono) -> Mono:
        if other.bare:
            return self
        if self.bare:
            return other
        key = (Mono.__mul__, self, other)
        out: Mono | None = self.forms.memo.get(key)
        if out is None:
            factors = dict(self.factors)
            for a, p in other.factors.items():
                factors[a] = factors[a] + p if a in factors else p
            out = self.forms.memo[key] = self.forms.mono(self.expo + other.expo, factors)
        return out

    def __pow__(self, p: Rational) -> Mono:
        if p == 1:
            return self
        if p == -1:
            return self.inverse
        p = rational(p)
        return self.forms.mono(self.expo.scale(p), {a: q * p for a, q in self.factors.items()})

    def without(self, atom: Atom, power: Rational = 1) -> Mono:
        """This over atom**power."""
        factors = dict(self.factors)
        factors[atom] = factors[atom] - power if atom in factors else -power
        return self.forms.mono(self.expo, factors)

    def __repr__(self) -> str:
        e = [f"exp({self.expo!r})"] if self.expo.terms else []
        return "*".join(e + [f"{a!r}^{p}" if p != 1 else repr(a) for a, p in self.factors.items()]) or "1"


class Poly:
    """Sum of coefficient * Mono."""

    __slots__ = ("__dict__", "forms", "order", "terms")

    def __init__(self, forms: Forms, order: int, terms: dict[Mono, Rational]) -> None:
        self.forms, self.order, self.terms = forms, order, terms

    @once
    def shape(self) -> Shape:
        return next(iter(self.terms)).shape if len(self.terms) == 1 else joined([m.shape for m in self.terms])

    @once
    def depth(self) -> int:
        inner = [m.expo.depth for m in self.terms] + [a.depth for m in self.terms for a in m.factors]
        return 1 + max(inner, default=0) if self.terms else 0

    @once
    def size(self) -> int:
        return sum(1 + m.expo.size + sum(a.size for a in m.factors) for m in self.terms)

    @once
    def digits(self) -> int:
        """How many bits the longest coefficient takes."""
        longest = max(
            (max(c.numerator.bit_length(), c.denominator.bit_length()) for c in self.terms.values()), default=0
        )
        return max([longest, *(m.expo.digits for m in self.terms if m.expo.terms)])

    @once
    def bases(self) -> frozenset[Expr]:
        parts = [m.expo.bases for m in self.terms if m.expo.terms] + [a.bases for m in self.terms for a in m.factors]
        return frozenset().union(*parts)

    @once
    def letters(self) -> frozenset[Atom]:
        """The atoms that are factors of its terms."""
        return frozenset(a for m in self.terms for a in m.factors)

    @once
    def nonneg(self) -> bool:
        return all(c > 0 and m.nonneg for m, c in self.terms.items())

    @property
    def nonpos(self) -> bool:
        return self.scale(-1).nonneg

    @once
    def special(self) -> bool:
        return any(m.special for m in self.terms)

    @property
    def single(self) -> tuple[Mono, Rational] | None:
        """(mono, coefficient) if there is exactly one term."""
        return next(iter(self.terms.items())) if len(self.terms) == 1 else None

    @property
    def number(self) -> Rational | None:
        """The number that it is, if it is one."""
        if not self.terms:
            return 0
        return self.terms.get(self.forms.unit) if len(self.terms) == 1 else None

    @property
    def atom(self) -> Atom | None:
        """The atom that it is, if it is one."""
        found = self.single
        if found and found[1] == 1 and not found[0].expo.terms and len(found[0].factors) == 1:
            ((a, p),) = found[0].factors.items()
            return a if p == 1 else None
        return None

    def __add__(self, other: Poly) -> Poly:
        if not other.terms:
            return self
        if not self.terms:
            return other
        terms = dict(self.terms)
        for m, c in other.terms.items():
            terms[m] = terms[m] + c if m in terms else c
        return self.forms.poly(terms)

    def __sub__(self, other: Poly) -> Poly:
        return self + other.scale(-1)

    @once
    def negated(self) -> Poly:
        return self.forms.poly({m: -c for m, c in self.terms.items()})

    def scale(self, k: Rational) -> Poly:
        if k == 1:
            return self
        if k == -1:
            return self.negated
        return self.forms.poly({m: c * k for m, c in self.terms.items()})

    def times(self, mono: Mono, k: Rational = 1) -> Poly:
        """This times k * mono, term by term, unchecked."""
        same = k == 1  # arithmetic with Fractions is what the algebra spends its time on
        terms: dict[Mono, Rational] = {}
        for m, c in self.terms.items():
            n, own = m * mono, c if same else c * k
            terms[n] = terms[n] + own if n in terms else own
        return self.forms.poly(terms)

    def multiplied_out(self, other: Poly) -> Poly:
        terms: dict[Mono, Rational] = {}
        for n, d in other.terms.items():
            for m, c in self.terms.items():
                own = m * n
                terms[own] = terms[own] + c * d if own in terms else c * d
        return self.forms.poly(terms)

    def __repr__(self) -> str:
        return " + ".join(f"{c}*{m!r}" if c != 1 else repr(m) for m, c in self.terms.items()) or "0"


def _known(parts: Mapping[Any, Rational]) -> tuple[Hashable, list[tuple[int, Any, Rational]]]:
    """What a sum or product is known by, and (order, part, number) for each number that is not 0, whole ones as ints:
    hashing those is far quicker than hashing Fractions."""
    if len(parts) == 1:  # most sums and products
        ((part, c),) = parts.items()
        if type(c) is int:
            return (((part.order, c),), [(part.order, part, c)]) if c else ((), [])
    kept: list[tuple[int, Any, Rational]] = []
    known: list[tuple[int, Any]] = []  # not by comprehensions, each of which is a call before Python 3.12
    for part, c in parts.items():
        if c:
            order = part.order
            if type(c) is int:
                known.append((order, c))
            elif c.denominator == 1:
                c = c.numerator
                known.append((order, c))
            else:
                known.append((order, c.as_integer_ratio()))
            kept.append((order, part, c))
    if len(kept) > 1:  # no two orders are equal, so nothing else is compared
        kept.sort()
        known.sort()
    return tuple(known), kept


class Forms:
    """The table of one lowering: every form once, numbered in order of birth; memos that end with it."""

    def __init__(self) -> None:
        self._atoms: dict[Hashable, Atom] = {}
        self._monos: dict[Hashable, Mono] = {}
        self._polys: dict[Hashable, Poly] = {}
        self._births = itertools.count()
        self.memo: dict[Hashable, Any] = {}
        self.bases: dict[Expr, frozenset[Expr]] = {}  # of leaves that are functions: on what they depend
        self.strict = False  # whether a mask leaves what stands beside it alone, and 0 log 0 is NaN
        self.risk: set[Atom] = set()  # what was cancelled though it may be 0
        self.nonzero: dict[tuple[Expr, bool], frozenset[Atom]] = {}  # (condition, its value) -> what is not 0 there
        self.roots: set[Atom] = set()  # roots of what may be negative that met themselves
        self.slopes: set[Atom] = set()  # what the derivative of a logarithm divides by
        self.divided: set[Atom] = set()  # what the formula itself divides by
        self.found = 0  # how often the algebra did more than write down what it read
        self.zero = self.poly({})
        self.unit = self.mono(self.zero, {})
        self.one = self.unit.alone

    def forget(self) -> None:
        """Let go of every form when the lowering is over: by way of these tables, and of what they remember, they hold one
        another."""
        for table in (self._atoms, self._monos, self._polys):
            for form in table.values():
                form.__dict__.clear()
            table.clear()
        self.memo.clear()

    def atom(self, op: str, args: tuple[Poly, ...] = (), param: Hashable = None, shape: Shape | None = None) -> Atom:
        key = (op, args, param)
        made = self._atoms.get(key)
        if made is None:
            shape = joined(a.shape for a in args) if shape is None else stripped(shape)
            made = self._atoms[key] = Atom(self, next(self._births), op, args, param, shape)
        return made

    def mono(self, expo: Poly, factors: Mapping[Atom, Rational]) -> Mono:
        known, kept = _known(factors)
        key = (expo.order, known)
        made = self._monos.get(key)
        if made is None:
            made = self._monos[key] = Mono(self, next(self._births), expo, {a: p for _, a, p in kept})
        return made

    def poly(self, terms: Mapping[Mono, Rational]) -> Poly:
        key, kept = _known(terms)
        made = self._polys.get(key)
        if made is None:
            made = self._polys[key] = Poly(self, next(self._births), {m: c for _, m, c in kept})
        return made

    def constant(self, number: Rational) -> Poly:
        return self.term(self.unit, number)

    def of_atom(self, atom: Atom, p: Rational = 1) -> Poly:
        return atom.alone if p == 1 else self.mono(self.zero, {atom: rational(p)}).alone

    def function(self, op: str, *args: Poly, param: Hashable = None, shape: Shape | None = None) -> Poly:
        return self.of_atom(self.atom(op, args, param, shape))

    def term(self, mono: Mono, c: Rational = 1) -> Poly:
        return mono.alone if c == 1 else self.poly({mono: rational(c)})

    def raw_exp(self, expo: Poly) -> Poly:
        """exp(expo) as it stands."""
        return self.term(self.mono(expo, {}))


def lower_of(node: Expr) -> float:
    """What the user said that no element of a node lies below."""
    lower: float = base_of(node).params.get("lower", -math.inf) if base_of(node).op.name == "assumed" else -math.inf
    return lower


def base_of(node: Expr) -> Expr:
    """The node that views rearrange."""
    while node.inputs and (node.op.kind in ("view", "reshape", "gather") or node.op.name == "cast"):
        node = node.inputs[0]
    return node


def leaves_of(poly: Poly) -> tuple[Expr, ...]:
    """Every node of the meaning in a form: leaves, conditions and labels."""
    memo, key = poly.forms.memo, ("leaves", poly)
    if key not in memo:
        out: dict[Expr, None] = {}
        for m in poly.terms:
            out |= dict.fromkeys(leaves_of(m.expo)) if m.expo.terms else {}
            for a in m.factors:
                if isinstance(a.param, Expr):
                    out[a.param] = None
                elif a.op in ("view", "put"):
                    out |= dict.fromkeys(getattr(getattr(a.param, "taken", a.param), "indices", ()))
                for p in a.args:
                    out |= dict.fromkeys(leaves_of(p))
        memo[key] = tuple(out)
    return memo[key]  # type: ignore[no-any-return]  # memos are Any


def leaf_atoms(poly: Poly) -> frozenset[Atom]:
    """The leaves of a form."""
    memo, key = poly.forms.memo, ("leaf atoms", poly)
    if key not in memo:
        out: set[Atom] = set()
        for m in poly.terms:
            out |= leaf_atoms(m.expo) if m.expo.terms else set()
            for a in m.factors:
                if a.op == "leaf":
                    out.add(a)
                for p in a.args:
                    out |= leaf_atoms(p)
        memo[key] = frozenset(out)
    return memo[key]  # type: ignore[no-any-return]  # memos are Any


def divisors_of(poly: Poly) -> frozenset[Atom]:
    """The atoms that a form divides by or takes a root of, at any depth."""
    memo, key = poly.forms.memo, ("divisors", poly)
    if key not in memo:
        out: set[Atom] = set()
        for m in poly.terms:
            out |= divisors_of(m.expo) if m.expo.terms else set()
            for a, p in m.factors.items():
                if p < 0 or p.denominator != 1:
                    out.add(a)
                for q in a.args:
                    out |= divisors_of(q)
        memo[key] = frozenset(out)
    return memo[key]  # type: ignore[no-any-return]  # memos are Any


def exponents(poly: Poly) -> frozenset[Mono]:
    """What the exponentials in a form's factors and sums depend on."""
    memo, key = poly.forms.memo, ("exponents", poly)
    if key not in memo:
        out: set[Mono] = set()
        for m in poly.terms:
            out.update(m.expo.terms)
            for a in m.factors:
                if a.op in ("sum_of", "sum", "view", "pick", "where", "put"):
                    for p in a.args:
                        out |= exponents(p)
        memo[key] = frozenset(out)
    return memo[key]  # type: ignore[no-any-return]  # memos are Any
