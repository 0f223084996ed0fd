"""What is known of a tensor before it exists: its dtype and its shape.

An extent is an int or a Dim. A Dim is an interned polynomial with integer coefficients over atoms, so equality of
normal forms is the proof of equality: n + m is m + n, 2*n - n is n. An atom is a Symbol (the unknown extent of one
axis of one variable; in a Program a named size, loop index or counter) or a Compound: floor division, minimum or
maximum of extents that no polynomial expresses. Shapes, strides, loop indices, view offsets and arena bytes are thus
one kind of number in every stage.
"""

from __future__ import annotations

import itertools
import operator
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal
from weakref import WeakValueDictionary

from symdl.errors import ShapeError
from symdl.records import record

CompoundName = Literal["floordiv", "max", "min"]
# Passes and writers put the same few hundred extents together again and again, seven of eight times one just made.
_remembered = lru_cache(maxsize=2048)
_lock = threading.Lock()
_symbols: WeakValueDictionary[tuple[str, int, bool], Symbol] = WeakValueDictionary()
_serials = itertools.count(1)


def _fresh_start() -> None:
    """Serials begin at a random place, so that what another process pickled never meets what is made here."""
    global _serials
    _serials = itertools.count(int.from_bytes(os.urandom(8)) >> 2)


_fresh_start()
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_fresh_start)


def fresh_serial() -> int:
    """A number that no other symbol or variable has, in this process or another."""
    return next(_serials)


@dataclass(frozen=True, eq=False, init=False)
class Symbol:
    """A named unknown. serial tells apart graph symbols of one name; names of a Program have serial 0.

    signed: it may be negative (the value of an integer input, as in x[i:]); an extent of an axis never is. Interned, since
    every pass and writer looks symbols up.
    """

    name: str
    serial: int = 0
    signed: bool = False

    def __new__(cls, name: str, serial: int = 0, signed: bool = False) -> Symbol:
        key = name, serial, signed
        found = _symbols.get(key)  # without the lock: who misses asks again with it
        if found is None:
            new = object.__new__(cls)
            new.__dict__.update(name=name, serial=serial, signed=signed)
            with _lock:  # another thread may have been first
                found = _symbols.setdefault(key, new)
        return found

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return Symbol, (self.name, self.serial, self.signed)  # not what is known of it beside

    @cached_property
    def order(self) -> tuple[Any, ...]:
        return (0, self.name, self.serial, self.signed)


@record
class Compound:
    """floordiv, max or min of two extents; build it with floor_divide, largest or smallest."""

    function: CompoundName
    left: Extent
    right: Extent

    def __str__(self) -> str:
        if self.function == "floordiv":
            return f"({self.left})//({self.right})"
        return f"{self.function}({self.left}, {self.right})"

    @cached_property
    def order(self) -> tuple[Any, ...]:
        return (1, self.function, _order(self.left), _order(self.right))  # not str: symbols may share a name

    @cached_property
    def identity(self) -> tuple[Any, ...]:
        """Equal for equal ones as long as one of them is there, of which it keeps nothing."""
        return self.function, *((n,) if isinstance(n, int) else id(n) for n in (self.left, self.right))


Atom = Symbol | Compound
# Sorted ((atom, atom, ...), coefficient); () is the monomial of the constant.
Terms = tuple[tuple[tuple[Atom, ...], int], ...]
# By what their terms are, not by the terms: a symbol of a size that data decide holds its node, whose type holds the extent.
_dims: WeakValueDictionary[tuple[Any, ...], Dim] = WeakValueDictionary()


class Dim:
    """A polynomial over atoms that is not a plain int. Interned: equal ones are one object."""

    __slots__ = ("__weakref__", "terms")
    terms: Terms

    def __add__(self, other: Extent) -> Extent:
        if other == 0:
            return self
        return _sum(self, other, 1)

    def __sub__(self, other: Extent) -> Extent:
        if other is self or other == 0:
            return 0 if other is self else self
        return _sum(self, other, -1)

    def __rsub__(self, other: Extent) -> Extent:
        return _sum(other, self, -1)

    def __mul__(self, other: Extent) -> Extent:
        return self if other == 1 else _product(self, other)

    def __neg__(self) -> Extent:
        return _product(self, -1)

    __radd__, __rmul__ = __add__, __mul__

    def __str__(self) -> str:
        out = ""
        for atoms_, k in self.terms:
            names = "*".join(map(str, atoms_))
            number = str(abs(k)) if abs(k) != 1 or not names else ""
            term = "*".join(p for p in (number, names) if p)
            out += ("-" if k < 0 else "+" if out else "") + term
        return out

    __repr__ = __str__

    def __reduce__(self) -> tuple[Any, ...]:
        return polynomial, (self.terms,)


Extent = int | Dim
Shape = tuple[Extent, ...]


def _order(extent: Extent) -> tuple[Any, ...]:
    return tuple((len(atoms_), [a.order for a in atoms_], k) for atoms_, k in terms_of(extent))


def terms_of(extent: Extent) -> Terms:
    """The monomials of an extent, an int being one without atoms."""
    return extent.terms if isinstance(extent, Dim) else (((), int(extent)),)


def polynomial(terms: Iterable[tuple[tuple[Atom, ...], int]]) -> Extent:
    """The one extent with these terms: an int where no atom is left."""
    total: dict[tuple[Atom, ...], int] = {}
    for atoms_, k in terms:
        key = atoms_ if len(atoms_) < 2 else tuple(sorted(atoms_, key=lambda a: a.order))
        total[key] = total.get(key, 0) + k
    kept = [(a, k) for a, k in total.items() if k]
    if not kept:
        return 0
    if len(kept) == 1 and kept[0][0] == ():
        return kept[0][1]
    if len(kept) > 1:
        kept.sort(key=lambda t: (-len(t[0]), [a.order for a in t[0]]))
    return _interned(tuple(kept))


def _interned(found: Terms) -> Dim:
    """The one extent of these terms, which are sorted."""
    key = tuple([(tuple([a.identity if isinstance(a, Compound) else id(a) for a in atoms_]), k) for atoms_, k in found])
    with _lock:
        dim = _dims.get(key)
        if dim is None:
            dim = object.__new__(Dim)
            dim.terms = found
            _dims[key] = dim
    return dim


@_remembered
def _sum(left: Extent, right: Extent, sign: int) -> Extent:
    """left + sign right."""
    return polynomial([*terms_of(left), *((atoms, k * sign) for atoms, k in terms_of(right))])


@_remembered
def _product(left: Dim, right: Extent) -> Extent:
    if isinstance(right, int):  # in the order that the terms have already
        return _interned(tuple([(atoms, p * right) for atoms, p in left.terms])) if right else 0
    return polynomial((a + b, p * q) for a, p in left.terms for b, q in right.terms)


def symbol(name: str, serial: int = 0, signed: bool = False) -> Dim:
    """The extent that is one symbol."""
    return _interned((((Symbol(name, serial, signed),), 1),))


def fresh_symbol(name: str, signed: bool = False) -> Dim:
    """A new unknown, for example named "x.shape[0]"."""
    return symbol(name, fresh_serial(), signed)


def floor_divide(left: Extent, right: Extent) -> Extent:
    """left // right, exact where every term of left is a multiple of right (which must not be 0)."""
    if isinstance(left, int) and isinstance(right, int):
        return left // right
    if left == 0 or right == 1:
        return left
    if len(terms_of(right)) == 1:  # a divisor of several terms is never cancelled
        ((below, divisor),) = terms_of(right)
        exact: list[tuple[tuple[Atom, ...], int]] = []
        for above, k in terms_of(left):
            rest = list(above)
            for atom in below:
                if atom not in rest:
                    break
                rest.remove(atom)
            else:
                if k % divisor == 0:
                    exact.append((tuple(rest), k // divisor))
                    continue
            break
        else:
            return polynomial(exact)
    elif left is right:
        return 1
    if isinstance(right, int) and right > 0:
        return _whole_parts(terms_of(left), right)
    return polynomial([((Compound("floordiv", left, right),), 1)])


def _whole_parts(terms: Terms, divisor: int) -> Extent:
    """A quotient by a number, without the multiples of it: (n + 2)//2 is n//2 + 1, and so is equal to it."""
    whole: list[tuple[tuple[Atom, ...], int]] = []
    rest: list[tuple[tuple[Atom, ...], int]] = []
    for atoms_, k in terms:
        quotient, left = divmod(k, divisor)
        if atoms_ and left:
            rest.append((atoms_, k))
        else:
            whole.append((atoms_, quotient))
            rest.append((atoms_, left))
    below = polynomial(rest)
    if isinstance(below, int):
        return polynomial(whole)  # less than the divisor
    return polynomial([*whole, ((Compound("floordiv", below, divisor),), 1)])


def largest(left: Extent, right: Extent) -> Extent:
    """max(left, right), decided where the order is proved."""
    if at_most(left, right):
        return right
    if at_most(right, left):
        return left
    return _commutative("max", left, right)


def smallest(left: Extent, right: Extent) -> Extent:
    """min(left, right), decided where the order is proved."""
    if at_most(left, right):
        return left
    if at_most(right, left):
        return right
    return _commutative("min", left, right)


def _commutative(function: CompoundName, left: Extent, right: Extent) -> Extent:
    if isinstance(left, int) or (isinstance(right, Dim) and _order(right) < _order(left)):
        left, right = right, left
    return polynomial([((Compound(function, left, right),), 1)])


@_remembered
def symbols(extent: Extent) -> frozenset[Symbol]:
    """Every symbol in an extent, also inside compounds."""
    found: set[Symbol] = set()
    stack: list[Extent] = [extent]
    while stack:
        for atoms_, _ in terms_of(stack.pop()):
            for a in atoms_:
                if isinstance(a, Symbol):
                    found.add(a)
                else:
                    stack += [a.left, a.right]
    return frozenset(found)


def sole_symbol(extent: Extent) -> Symbol | None:
    """The symbol that the extent is, if it is nothing else."""
    terms = terms_of(extent)
    if len(terms) == 1 and terms[0][1] == 1 and len(terms[0][0]) == 1 and isinstance(terms[0][0][0], Symbol):
        return terms[0][0][0]
    return None


def product(shape: Iterable[Extent]) -> Extent:
    """The number of elements of a shape."""
    out: Extent = 1
    for n in shape:
        out = out * n
    return out


def replace_symbols(extent: Extent, values: Mapping[Symbol, Extent]) -> Extent:
    """The extent with symbols replaced; what is not in values stays."""
    if isinstance(extent, int) or symbols(extent).isdisjoint(values):
        return extent
    out: Extent = 0
    for atoms_, k in extent.terms:
        term: Extent = k
        for a in atoms_:
            if isinstance(a, Symbol):
                term = term * values.get(a, polynomial([((a,), 1)]))
            else:
                build = {"floordiv": floor_divide, "max": largest, "min": smallest}[a.function]
                term = term * build(replace_symbols(a.left, values), replace_symbols(a.right, values))
        out = out + term
    return out


MOST_QUOTIENTS = 4  # that a proof of an order goes through
TRIED = (1,), (2,), (1, 50), (50, 1), (9, 50), (50, 9)  # sizes of symbols, in turn, that may show what has no proof
_COMBINE: dict[CompoundName, Callable[[int, int], int]] = {"floordiv": operator.floordiv, "max": max, "min": min}


@_remembered
def slope(extent: Extent, index: Symbol) -> Extent | None:
    """What one more of the index adds to the extent; None if that depends on the index."""
    found = []
    for atoms, k in terms_of(extent):
        rest = list(atoms)
        if index in rest:
            rest.remove(index)
            found.append((tuple(rest), k))
        for atom in rest:
            if atom == index or (isinstance(atom, Compound) and index in symbols(atom.left) | symbols(atom.right)):
                return None
    return polynomial(found)


@_remembered
def repeats(extent: Extent, index: Symbol) -> int | None:
    """The number of rounds after which the extent grows by 1, if it is index // number and what does not depend on the index;
    else None."""
    found = None
    for atoms, k in terms_of(extent):
        for atom in atoms:
            if atom == index:
                return None
            if isinstance(atom, Compound) and index in symbols(atom.left) | symbols(atom.right):
                if found is not None or len(atoms) > 1 or k != 1 or atom.function != "floordiv":
                    return None
                if sole_symbol(atom.left) != index or not isinstance(atom.right, int) or atom.right < 1:
                    return None
                found = atom.right
    return found


def forget() -> None:
    """Forgets the sums, products and slopes put together so far: their symbols may hold nodes (of sizes that data decide)."""
    for made in (_sum, _product, symbols, slope, repeats, _not_below_zero):
        made.cache_clear()


def size_at(extent: Extent, sizes: Mapping[Symbol, int]) -> int:
    """The extent's number, every symbol being given."""
    if isinstance(extent, int):
        return extent
    total = 0
    for atoms_, k in extent.terms:
        for a in atoms_:
            if isinstance(a, Symbol):
                k *= sizes[a]
            else:
                k *= _COMBINE[a.function](size_at(a.left, sizes), size_at(a.right, sizes))
        total += k
    return total


def _atom_nonnegative(a: Atom) -> bool:
    if isinstance(a, Symbol):
        return not a.signed
    if a.function == "max":
        return nonnegative(a.left) or nonnegative(a.right)
    return nonnegative(a.left) and nonnegative(a.right)


def nonnegative(extent: Extent) -> bool:
    """Whether extent >= 0 is proved."""
    return all(k >= 0 and all(map(_atom_nonnegative, a)) for a, k in terms_of(extent))


def at_most(left: Extent, right: Extent) -> bool:
    """Whether left <= right is proved."""
    if isinstance(left, int) and isinstance(right, int):
        return left <= right
    return left is right or nonnegative(right - left) or _not_below_zero(right - left)


@_remembered
def _not_below_zero(extent: Extent) -> bool:
    """Whether extent >= 0 is proved by what quotients by numbers are at least and at most: n//k is above n/k - 1 and not above
    n/k. So n//2 <= (n + 1)//2, and 2 (n//2) <= n."""
    if not any(any(map(_divided, atoms_)) for atoms_, _ in terms_of(extent)) or _refuted(extent):
        return False
    scale, bound = _least(extent, lambda k: k < 0)
    if nonnegative(bound + (scale - 1)):  # scale times a whole number that is above -1 is above -scale
        return True
    scale, bound = _least(extent, lambda k: True)
    return nonnegative(bound + (scale - 1))


def _refuted(extent: Extent) -> bool:
    """Whether an extent is found to be below 0 at one of a few sizes, which is seen much sooner than that there is no proof."""
    names = sorted(symbols(extent), key=lambda s: s.order)
    try:
        return any(size_at(extent, dict(zip(names, itertools.cycle(sizes), strict=False))) < 0 for sizes in TRIED)
    except ZeroDivisionError:
        return False


def _divided(atom: Atom) -> bool:
    return isinstance(atom, Compound) and atom.function == "floordiv" and isinstance(atom.right, int) and atom.right > 0


def _least(extent: Extent, which: Callable[[int], bool]) -> tuple[int, Extent]:
    """(scale, a bound): the extent is at least bound / scale, in which quotients are gone from those terms whose sign is such
    as `which` says, and that have no other factor that may be negative."""
    scale, bound = 1, extent
    for _ in range(MOST_QUOTIENTS):
        found = next(
            (
                (atoms_, k, place)
                for atoms_, k in terms_of(bound)
                for place, a in enumerate(atoms_)
                if which(k) and _divided(a) and all(map(_atom_nonnegative, (*atoms_[:place], *atoms_[place + 1 :])))
            ),
            None,
        )
        if found is None:
            break
        atoms_, k, place = found
        atom = atoms_[place]
        assert isinstance(atom, Compound)  # _divided says so
        assert isinstance(atom.right, int)
        others = polynomial([((*atoms_[:place], *atoms_[place + 1 :]), k)])
        quotient = atom.left - (atom.right - 1 if k > 0 else 0)
        bound = (bound - polynomial([(atoms_, k)])) * atom.right + others * quotient
        scale *= atom.right
    return scale, bound


@record
class Fact:
    """left == right, or left <= right: must hold at run time; known after the check at the function's entry.

    why completes the message when it does not hold; {left} and {right} stand for the numbers found.
    """

    relation: Literal["==", "<="]
    left: Extent
    right: Extent
    why: str = ""

    def map(self, change: Callable[[Extent], Extent]) -> Fact:
        return Fact(self.relation, change(self.left), change(self.right), self.why)


def equal(left: Extent, right: Extent, why: str, facts: list[Fact]) -> Extent:
    """The common extent of two that must agree: proved, refuted (ShapeError), or left to a check at entry."""
    if left is right or left == right:
        return left
    if isinstance(left - right, int):
        raise ShapeError(why.replace("{left}", str(left)).replace("{right}", str(right)))
    facts.append(Fact("==", left, right, why))
    return right if isinstance(right, int) else left


def require_at_most(left: Extent, right: Extent, why: str, facts: list[Fact]) -> None:
    """left <= right must hold: proved, refuted (ShapeError), or left to a check at entry."""
    if at_most(left, right):
        return
    if at_most(right + 1, left):
        raise ShapeError(why.replace("{left}", str(left)).replace("{right}", str(right)))
    facts.append(Fact("<=", left, right, why))


def show_extent(extent: Extent) -> str:
    """As in a type: a number, or ? for what is unknown."""
    return str(extent) if isinstance(extent, int) else "?"


@record(slots=True)
class TensorType:
    """dtype is a NumPy dtype name."""

    dtype: str
    shape: Shape = ()

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(show_extent, self.shape))}]" if self.shape else self.dtype

    def map(self, change: Callable[[Extent], Extent]) -> TensorType:
        return TensorType(self.dtype, tuple(map(change, self.shape)))


@record
class Results:
    """The type of an op with several results, however many."""

    types: tuple[TensorType, ...]

    def __iter__(self) -> Iterator[TensorType]:
        return iter(self.types)

    def __len__(self) -> int:
        return len(self.types)

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.types))})"


def broadcast(name: str, shapes: Sequence[Shape]) -> tuple[Shape, tuple[Fact, ...]]:
    """Align at the right; a known extent of 1 stretches. An unknown axis never does: it must equal its peers."""
    first = next(filter(None, shapes), ())
    if all(not s or s == first for s in shapes):
        return first, ()
    out: list[Extent] = []
    facts: list[Fact] = []
    for axis in range(-max(map(len, shapes)), 0):
        extent: Extent = 1
        first_of = 0  # the operand whose extent it is
        for k, s in enumerate(shapes):
            if len(s) >= -axis and s[axis] != 1:
                why = f"{name}: axis {axis} is {{left}} in {{{first_of}}} and {{right}} in {{{k}}}"
                first_of = k if extent == 1 else first_of
                extent = s[axis] if extent == 1 else equal(extent, s[axis], why, facts)
        out.append(extent)
    return tuple(out), tuple(facts)
