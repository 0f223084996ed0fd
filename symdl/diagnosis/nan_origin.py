"""Where a NaN or an infinity came from: a run that ended in one is repeated node by node and followed back.

Only what the bad element is made of is computed again. In loops the first bad step is found, and the op inside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symdl.convolution import ROLES, met
from symdl.diagnosis.demand import Array, moved_places, places_below
from symdl.diagnosis.double_double import DoubleDouble
from symdl.diagnosis.exact_numbers import ExactNumbers
from symdl.diagnosis.nan_guard import NanGuard
from symdl.diagnosis.reasons import as_user_wrote, recorded
from symdl.diagnosis.shadow import Shadow, is_real, shadow, work
from symdl.errors import NanGuardError, Part
from symdl.graph.bodies import Body, argument, moved
from symdl.graph.expr import CONSTANT, Expr, described, place_of
from symdl.graph.walks import topological
from symdl.notation.formulas import pprint
from symdl.number_forms import WIDE
from symdl.ops.contractions import parse
from symdl.passes.evaluate import Evaluation, bind, concrete
from symdl.passes.rewrite import expanded
from symdl.pipeline.compilation import Graph, Rewritten
from symdl.runtime.loop_names import named, names_of, outer_of
from symdl.runtime.storage import SharedVariable
from symdl.types import TensorType

EXACTLY = 40_000  # elements for which the exact value is worth its time


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
        """A node as a formula, without the casts into number forms, which no user wrote."""
        while node.op.name == "cast" and node.type.dtype in WIDE:
            node = node.inputs[0]
        return pprint(as_user_wrote(node, {node: self._user(node)}), 30)

    def _is_bad(self, run: Shadow, spot: _Spot) -> bool:
        return bool(self.guard.bad(np.asarray(run.run[spot.node]).reshape(-1)[spot.at]))

    def _error(self, run: Shadow, spot: _Spot, what: str, last: Part, truth: str) -> NanGuardError:
        """Follow a bad element back to where it was made."""
        spot = self._origin(run, spot)
        step = ""
        while (loop := _loop_of(spot.node)) is not None:
            inner = self._inside(run, loop)
            if inner is not None:
                run, spot, step = inner
            else:
                before = self._into(run, spot, loop)
                if before is None:
                    break
                spot = self._origin(run, before)
        node = spot.node
        value = np.asarray(run.run[node]).reshape(-1)[spot.at]
        if node in self.leaf_of:
            return self._leaf_error(
                self.leaf_of[node], np.asarray(self.values[node]), self._whole(run, spot), [last], what
            )
        parts = [self._part(run, spot)]
        operands = [self._telling(run, spot, k) for k, i in enumerate(node.inputs) if is_real(i)]
        numbers: list[float] = []
        for at in operands:
            if at is None:
                continue
            number = np.asarray(run.run[at.node]).reshape(-1)[at.at]
            numbers.append(float(number))
            if at.node.op is not CONSTANT:  # constants stand in the formula
                parts.append(self._part(run, at))
                if np.isnan(value) and not np.isfinite(number):  # who made the infinity
                    parts.append(self._part(run, self._origin(run, at)))
        if last[0] != parts[0][0]:
            parts.append(last)
        line = f", {parts[0][2]}" if parts[0][2] else ""
        head = f"{self.title}: {what}: made by {_op(node)} in {parts[0][0]}{line}{step}"
        cause = cause_of(node, numbers, float(value))
        return NanGuardError(head, list(dict.fromkeys(parts)), "\n".join(filter(None, [cause, truth])))

    def _part(self, run: Shadow, spot: _Spot) -> Part:
        """An element as a part of a message."""
        node = spot.node
        value = np.asarray(run.run[node]).reshape(-1)[spot.at]
        return (
            self._shown(node),
            f"{_typed(node, run)}{_at(value, run.index(node, spot.at))}",
            place_of(self._user(node)),
        )

    def _user(self, node: Expr) -> Expr:
        """The user's node that a node comes from, one of a loop's body too, with leaves that bear names."""
        if node in self.source:
            return named(self.source[node], self.form.nodes)
        if node in self.leaf_of:
            return self.leaf_of[node]
        own = self.form.user(node)
        return node if own is None else own

    def _inside(self, run: Shadow, loop: Expr) -> tuple[Shadow, _Spot, str] | None:
        """The run of the first step of a loop, or of the branch, whose results are bad, the element that was made bad
        there, and which step it is. None where it came in with the operands."""
        reference = loop.op.reference
        assert reference is not None, loop.op
        watch = _Watch(Evaluation(dict(self.sizes)), self.guard)
        params = {key: concrete(v, self.sizes) for key, v in loop.params.items()}
        reference(*(run.run[i] for i in loop.inputs), **{**params, "run": watch})
        if watch.first is None:
            return None
        body, arrays, count = watch.first
        names = names_of(loop, outer_of(loop, body is params.get("then")), self._shown)
        leaves = [argument(t, name) for t, name in zip(body.parameters, names, strict=True)]
        inner = topological(*body.outputs)
        made = dict(zip(inner, moved(inner, dict(zip(body.leaves, leaves, strict=True))), strict=True))
        self.source.update((made[n], own) for n in inner if n.inputs and (own := self.form.user(n)) is not None)
        outputs = expanded([made[o] for o in body.outputs])
        values = dict(zip(leaves, arrays, strict=True))
        found = shadow(dict.fromkeys(outputs), values, self.sizes, DoubleDouble(), exact=False)
        for o in outputs:
            if is_real(o) and (bad := self.guard.bad(np.asarray(found.run[o])).reshape(-1)).any():
                spot = self._origin(found, _Spot(o, int(np.flatnonzero(bad)[0])))
                if spot.node in values:
                    return None
                return found, spot, f", in step {count} of {loop.op}" if "steps" in loop.params else ""
        return None

    def _into(self, run: Shadow, spot: _Spot, loop: Expr) -> _Spot | None:
        """A bad element of a loop's operands."""
        for i in loop.inputs:
            if is_real(i) and (bad := self.guard.bad(np.asarray(run.run[i])).reshape(-1)).any():
                return _Spot(i, int(np.flatnonzero(bad)[0]))
        return None

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
        elif n.op.kind == "contraction" and n.op.name in ROLES and shape is not None:
            how = (n.params[name] for name in ("steps", "spacing", "groups"))
            whole = met(n.op.name, k, at, [*(run.shapes[j] for j in n.inputs), shape], *how)
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
        sizes = bind(self.user, self.graph.roots)
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


@dataclass
class _Watch:
    """Computes the bodies of a loop and keeps the first whose results are bad: (body, its arrays, which step)."""

    evaluation: Evaluation
    guard: NanGuard
    count: int = 0
    first: tuple[Body, Sequence[Any], int] | None = None

    def __call__(self, body: Body, arrays: Sequence[Any]) -> list[Any]:
        out = self.evaluation(body, arrays)
        if self.first is None and not all(self.guard.passes(np.asarray(x)) for x in out):
            self.first = body, arrays, self.count
        self.count += 1
        return out

    def empty(self, kind: TensorType) -> Any:
        return self.evaluation.empty(kind)


def _loop_of(node: Expr) -> Expr | None:
    """The loop or branch of which a node is a result."""
    return node.inputs[0] if node.op.kind == "result" and node.inputs[0].op.kind == "control" else None


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
