"""NanGuard: a function that raises where it would give a NaN or an infinity, and names the op that made it first.

step = symdl.function([x, y], loss, updates=updates, nan_guard=True)

Only results are looked at, unless all is asked for: an infinity that a branch takes out again, such as the log(0) that a
`where` passes over, is legal. Where a result is bad, the run is repeated node by node and followed back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symdl.compilation import Graph, Rewritten
from symdl.config import config
from symdl.demand import Array, moved_places, places_below
from symdl.double_double import DoubleDouble
from symdl.errors import InputError, NanGuardError, Part, kind_of
from symdl.evaluate import bind
from symdl.exact_numbers import ExactNumbers
from symdl.expr import Expr, described, place_of, topological
from symdl.formulas import pprint
from symdl.ops.contractions import parse
from symdl.reasons import as_user_wrote, recorded
from symdl.rewrite import expanded
from symdl.shadow import Shadow, is_real, shadow, work
from symdl.storage import SharedVariable

BIG = 1e10  # Theano's
EXACTLY = 40_000  # elements for which the exact value is worth its time


@dataclass(frozen=True)
class NanGuard:
    """What a guarded function refuses to give: NaN, infinities, numbers of more than a size (big; None for any).

    intermediates: look at every node that the results rest on, inputs and shared values too, not at the results alone;
    NumPy then repeats each call node by node. Branches that a `where` does not take are never looked at.

        >>> f = symdl.function([x], T.log(x), nan_guard=symdl.NanGuard(inf=False))

    A call that fails raises NanGuardError and changes no shared value. Without a guard nothing is looked at.
    """

    nan: bool = True
    inf: bool = True
    big: float | None = None
    intermediates: bool = False

    def __post_init__(self) -> None:
        if self.big is not None and not (isinstance(self.big, int | float) and self.big > 0):
            raise InputError(f"NanGuard: big is {self.big!r}", (), "It must be a number above 0, or None.")

    def passes(self, array: Array) -> bool:
        """Whether all is well, by a quick look."""
        if array.dtype.kind != "f" or not array.size:
            return True
        if self.big is None:
            with np.errstate(all="ignore"):
                if np.isfinite(array.sum()):
                    return True
        return not self.bad(array).any()

    def bad(self, array: Array) -> Array:
        """Which elements are refused."""
        out = np.isnan(array) if self.nan else np.zeros(np.shape(array), bool)
        if self.inf:
            out = out | np.isinf(array)
        if self.big is not None:
            with np.errstate(all="ignore"):
                out = out | (np.isfinite(array) & (np.abs(array) > self.big))
        return np.asarray(out)


def NanGuardMode(  # Theano's name
    nan_is_error: bool = True, inf_is_error: bool = True, big_is_error: bool = True
) -> NanGuard:
    """Theano's mode: `symdl.function(..., mode=symdl.NanGuardMode())`. big: more than 1e10 in size."""
    return NanGuard(nan_is_error, inf_is_error, BIG if big_is_error else None)


def guard_of(given: Any) -> NanGuard | None:
    """What an argument nan_guard, or config.nan_guard in its place, asks for."""
    if given is None:
        given = {"off": False, "results": True, "all": NanGuard(intermediates=True)}[config.nan_guard]
    if isinstance(given, bool):
        return NanGuard() if given else None
    if not isinstance(given, NanGuard):
        raise InputError(f"function: nan_guard is {kind_of(given)}", (), "It takes True, False or a symdl.NanGuard.")
    return given


def look(
    guard: NanGuard, title: str, graph: Graph, names: Sequence[str], arrays: Sequence[Array], shareds: Sequence[Array],
    found: Sequence[Array],
) -> None:  # fmt: skip
    """Raise NanGuardError where a call of a graph is not what its guard lets pass. found: outputs, then new values; names:
    what they are called."""
    wrong = next((k for k, array in enumerate(found) if not guard.passes(np.asarray(array))), None)
    if wrong is None and not guard.intermediates:
        return
    user = dict(zip([*graph.inputs, *graph.shareds], [*arrays, *shareds], strict=True))
    search = _Search(guard, title, graph, names, user)
    with np.errstate(all="ignore"):
        if wrong is not None:
            raise search.result(wrong, np.asarray(found[wrong]))
        search.everything()


@dataclass(frozen=True)
class _Spot:
    """One element of a node, by its number among those of the run."""

    node: Expr
    at: int


class _Search:
    """The way back from a bad element to the op that made it."""

    def __init__(
        self, guard: NanGuard, title: str, graph: Graph, names: Sequence[str], user: dict[Expr, Array]
    ) -> None:
        self.guard, self.title, self.graph, self.names, self.user = guard, title, graph, names, user
        self.form: Rewritten = recorded(graph)[0]
        self.source = self.form.source
        self.values = dict(zip(self.form.places, user.values(), strict=True))
        self.leaf_of = dict(zip(self.form.places, user, strict=True))
        self.sizes = bind(self.values)

    def result(self, k: int, found: Array) -> NanGuardError:
        """The error for a bad result."""
        root = self.form.roots[k]
        first = int(np.flatnonzero(self.guard.bad(found))[0])
        value = found.reshape(-1)[first]
        wanted = {root: np.array([first]) if found.size > 2 else None}
        few = work(wanted, self.sizes) <= EXACTLY
        run = shadow(wanted, self.values, self.sizes, ExactNumbers() if few else DoubleDouble(), exact=False)
        place = 0 if run.places[root] is not None else first
        index = tuple(int(i) for i in np.unravel_index(first, found.shape))
        name, where = self.names[k], place_of(self.graph.roots[k])
        last: Part = name, f"{_typed(root, run)}{_at(value, index)}", where
        spot = _Spot(root, place)
        if not self._is_bad(run, spot):
            head = f"{self.title}: {name} is {_number(value)}{_index(index)}"
            return NanGuardError(head, [last], "NumPy does not find it there again: it is made by machine code alone.")
        return self._error(run, spot, f"{name} is {_number(value)}{_index(index)}", last, self._truth(k, first, found))

    def everything(self) -> None:
        """Raise for the first node that the results rest on and that holds what is refused."""
        for place, leaf in self.leaf_of.items():
            array = np.asarray(self.values[place])
            if not self.guard.passes(array):
                at = int(np.flatnonzero(self.guard.bad(array))[0])
                raise self._leaf_error(leaf, array, at, [])
        roots = dict.fromkeys(self.form.roots)
        arithmetic = ExactNumbers() if work(roots, self.sizes) <= EXACTLY else DoubleDouble()
        run = shadow(roots, self.values, self.sizes, arithmetic, exact=False)
        for n in topological(*roots):
            if is_real(n) and n.inputs:
                bad = self.guard.bad(run.run[n]) & run.used[n]
                if bad.any():
                    at = int(np.flatnonzero(bad)[0])
                    value, index = run.run[n].reshape(-1)[at], run.index(n, at)
                    last: Part = self._shown(n), f"{_typed(n, run)}{_at(value, index)}", place_of(self.source.get(n, n))
                    raise self._error(run, _Spot(n, at), f"a node is {_number(value)}{_index(index)}", last, "")

    def _shown(self, node: Expr) -> str:
        return pprint(as_user_wrote(node, self.source), 30)

    def _is_bad(self, run: Shadow, spot: _Spot) -> bool:
        return bool(self.guard.bad(np.asarray(run.run[spot.node]).reshape(-1)[spot.at]))

    def _error(self, run: Shadow, spot: _Spot, what: str, last: Part, truth: str) -> NanGuardError:
        """Follow a bad element back to where it was made."""
        spot = self._origin(run, spot)
        node = spot.node
        value = np.asarray(run.run[node]).reshape(-1)[spot.at]
        if node in self.leaf_of:
            return self._leaf_error(
                self.leaf_of[node], np.asarray(self.values[node]), self._whole(run, spot), [last], what
            )
        own = self.source.get(node, node)
        parts: list[Part] = [
            (self._shown(node), f"{_typed(node, run)}{_at(value, run.index(node, spot.at))}", place_of(own))
        ]
        operands = [self._telling(run, spot, k) for k, i in enumerate(node.inputs) if is_real(i)]
        numbers: list[float] = []
        for at in operands:
            if at is None:
                continue
            number = np.asarray(run.run[at.node]).reshape(-1)[at.at]
            numbers.append(float(number))
            if at.node.inputs or at.node in self.leaf_of:  # constants stand in the formula
                place = place_of(self.source.get(at.node, self.leaf_of.get(at.node, at.node)))
                shown = f"{_typed(at.node, run)}{_at(number, run.index(at.node, at.at))}"
                parts.append((self._shown(at.node), shown, place))
                if np.isnan(value) and not np.isfinite(number):  # who made the infinity
                    before = self._origin(run, at)
                    if before != at:
                        there = np.asarray(run.run[before.node]).reshape(-1)[before.at]
                        shown = f"{_typed(before.node, run)}{_at(there, run.index(before.node, before.at))}"
                        origin = self.source.get(before.node, self.leaf_of.get(before.node, before.node))
                        parts.append((self._shown(before.node), shown, place_of(origin)))
        if last[0] != parts[0][0]:
            parts.append(last)
        line = f", {place_of(own)}" if place_of(own) else ""
        head = f"{self.title}: {what}: made by {_op(node)} in {parts[0][0]}{line}"
        cause = cause_of(node, numbers, float(value))
        return NanGuardError(head, list(dict.fromkeys(parts)), "\n".join(filter(None, [cause, truth])))

    def _leaf_error(self, leaf: Expr, array: Array, at: int, more: list[Part], what: str = "") -> NanGuardError:
        kind = "shared value" if isinstance(leaf, SharedVariable) else "input"
        index = tuple(int(i) for i in np.unravel_index(at, array.shape))
        value = array.reshape(-1)[at]
        name, dtype, place = described(leaf)
        result = f"{what}: " if what else ""
        head = f"{self.title}: {result}the {kind} {name} holds {_number(value)}{_index(index)}"
        return NanGuardError(head, [(name, f"{dtype}{_at(value, index)}", place), *more])

    def _whole(self, run: Shadow, spot: _Spot) -> int:
        """The number of an element among all of its node."""
        places = run.places[spot.node]
        return spot.at if places is None else int(places[spot.at])

    def _origin(self, run: Shadow, spot: _Spot) -> _Spot:
        """The first element of its kind on the way back."""
        while True:
            value = np.asarray(run.run[spot.node]).reshape(-1)[spot.at]
            step = next(filter(None, (self._like(run, spot, k, value) for k in range(len(spot.node.inputs)))), None)
            if step is None:
                return spot
            spot = step

    def _like(self, run: Shadow, spot: _Spot, k: int, value: Any) -> _Spot | None:
        """An element of operand k that is of the same kind of bad and that this one is made of."""
        i = spot.node.inputs[k]
        if not is_real(i):
            return None
        below = self._below(run, spot, k)
        numbers = np.asarray(run.run[i]).reshape(-1)[below]
        if np.isnan(value):
            same = np.isnan(numbers)
        elif np.isinf(value):
            same = np.isinf(numbers)
        else:
            same = np.isfinite(numbers) & (np.abs(numbers) > (self.guard.big or math.inf))
        return _Spot(i, int(below[np.flatnonzero(same)[0]])) if same.any() else None

    def _telling(self, run: Shadow, spot: _Spot, k: int) -> _Spot | None:
        """The element of operand k to show: of many the largest in size."""
        i, below = spot.node.inputs[k], self._below(run, spot, k)
        if not len(below):
            return None
        numbers = np.abs(np.asarray(run.run[i]).reshape(-1)[below])
        return _Spot(i, int(below[int(np.argmax(np.where(np.isnan(numbers), np.inf, numbers)))]))

    def _below(self, run: Shadow, spot: _Spot, k: int) -> Array:
        """The elements of operand k, by their numbers in the run, that an element is made of."""
        n, at = spot.node, self._whole(run, spot)
        i = n.inputs[k]
        shape, own = run.shapes.get(n), run.places[i]
        if n.op.name == "where" and k:
            condition = self._element(run, n.inputs[0], n, at)
            if bool(condition) != (k == 1):
                return np.zeros(0, int)
        if n.op.kind == "elementwise" and shape is not None:
            whole = places_below(np.array([at]), shape, run.shapes[i])
        elif n.op.kind in ("view", "reshape"):
            whole = moved_places(n, run.shapes, self.sizes).reshape(-1)[[at]]
            whole = whole[whole >= 0]
        elif n.op.kind == "reduction" and shape is not None:
            axes = n.params["axes"]
            numbers = np.arange(math.prod(run.shapes[i])).reshape(run.shapes[i])
            kept = [a for a in range(numbers.ndim) if a not in axes]
            whole = np.transpose(numbers, [*kept, *axes]).reshape(math.prod(shape), -1)[at]
        elif n.op.kind == "contraction" and shape is not None:
            letters, result = parse(n.params["notation"])
            index = dict(zip(result, np.unravel_index(at, shape), strict=True))
            numbers = np.arange(math.prod(run.shapes[i])).reshape(run.shapes[i])
            whole = np.asarray(numbers[tuple(index.get(a, slice(None)) for a in letters[k])]).reshape(-1)
        else:
            return np.arange(np.size(run.run[i]))
        return whole if own is None else np.searchsorted(own, whole)

    def _element(self, run: Shadow, i: Expr, n: Expr, at: int) -> Any:
        there = places_below(np.array([at]), run.shapes[n], run.shapes[i])
        own = run.places[i]
        return np.asarray(run.run[i]).reshape(-1)[there if own is None else np.searchsorted(own, there)][0]

    def _truth(self, k: int, first: int, found: Array) -> str:
        """What exact arithmetic makes of the formula as it is written there, if that is not too much work."""
        (root,) = expanded([self.graph.roots[k]])
        wanted = {root: np.array([first]) if found.size > 2 else None}
        sizes = bind(self.user)
        if work(wanted, sizes) > EXACTLY:
            return ""
        exact = shadow(wanted, self.user, sizes, ExactNumbers(4000), created=False)
        if exact.opaque:
            return ""
        at = 0 if exact.places[root] is not None else first
        limbs = tuple(x.reshape(-1) for x in exact.exact[root])
        number = exact.arithmetic.rounded(limbs)[at]
        text = exact.arithmetic.text(limbs, at)
        largest = float(np.finfo(found.dtype).max)
        if not np.isfinite(number) and text.strip("+-") in ("inf", "nan"):
            return "The formula has no finite value there: no other way to compute it can help."
        if abs(number) > largest:
            return f"The formula's value there is {text}, which {found.dtype} cannot hold."
        if self.guard.big is not None and abs(number) > self.guard.big:
            return f"The formula's value there is {text}."
        hint = ' precision="right" keeps it.' if self._right_keeps(k, first, found) else ""
        return f"The formula's value there is {text}: it is lost on the way.{hint}"

    def _right_keeps(self, k: int, first: int, found: Array) -> bool:
        """Whether number forms would give a value that passes."""
        if self.graph.precision == "right":
            return False
        form = recorded(replace(self.graph, precision="right"))[0]
        values = dict(zip(form.places, self.user.values(), strict=True))
        root = form.roots[k]
        wanted = {root: np.array([first]) if found.size > 2 else None}
        run = shadow(wanted, values, bind(values), ExactNumbers(), exact=False)
        at = 0 if run.places[root] is not None else first
        return not self.guard.bad(np.asarray(run.run[root]).reshape(-1)[at]).any()


def _op(node: Expr) -> str:
    return {"contract": "dot", "true_div": "a division", "sub": "a difference", "add": "a sum", "mul": "a product"}.get(
        node.op.name, node.op.name
    )


def _typed(node: Expr, run: Shadow) -> str:
    shape = ", ".join(map(str, run.shapes[node]))
    return f"{node.type.dtype}[{shape}]" if shape else str(node.type.dtype)


def _number(value: Any) -> str:
    return f"{float(value):.6g}"


def _index(index: tuple[int, ...]) -> str:
    return f" at {list(index)}" if index else ""


def _at(value: Any, index: tuple[int, ...]) -> str:
    return f", {_number(value)}{_index(index)}"


LARGEST_EXP = {"float64": 709.78, "float32": 88.72}


def cause_of(node: Expr, numbers: Sequence[float], value: float) -> str:
    """Why an op of these operands gives no finite number, where that can be said."""
    name = node.op.name
    x = numbers[0] if numbers else math.nan
    if name in ("log", "log2", "log10"):
        return "The logarithm of a negative number is not a number." if x < 0 else "The logarithm of 0 is -inf."
    if name == "sqrt":
        return "The root of a negative number is not a number."
    if name in ("true_div", "mod", "floor_div") and len(numbers) > 1 and numbers[1] == 0:
        return "0 / 0 is not a number." if x == 0 else "It divides by 0."
    if name in ("arcsin", "arccos") and abs(x) > 1:
        return f"{name} takes numbers from -1 to 1."
    if name == "exp" and x > 0 and math.isinf(value):
        largest = LARGEST_EXP.get(node.type.dtype)
        return f"exp leaves the range of {node.type.dtype} beyond {largest:g}." if largest else ""
    if math.isnan(value) and any(math.isinf(v) for v in numbers):
        return {
            "sub": "inf - inf is not a number.", "add": "inf - inf is not a number.", "mul": "0 * inf is not a number.",
            "true_div": "inf / inf is not a number.",
        }.get(name, "")  # fmt: skip
    if math.isinf(value) and numbers and all(math.isfinite(v) for v in numbers):
        return f"It leaves the range of {node.type.dtype}."
    return ""
