"""A graph beside its shadow: every node as it is run, in floats, and as it would be without any rounding.

Branches, labels and other whole numbers are those of the run. What no formula is known of (scans, libraries) is taken as
it came out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from symdl.diagnosis.demand import MOVING, Array, Places, demanded, moved_places, places_below, shapes_of
from symdl.diagnosis.double_double import DoubleDouble
from symdl.diagnosis.exact_numbers import ExactNumbers
from symdl.graph.bodies import Body
from symdl.graph.expr import CONSTANT, OPS, Expr, meant_by
from symdl.graph.walks import topological
from symdl.number_forms import WIDE, records
from symdl.ops.declare import is_float
from symdl.passes.evaluate import Evaluation, concrete
from symdl.passes.rewrite import expanded
from symdl.types import Results, Symbol, TensorType, size_at

Limbs = tuple[Array, ...]
Arithmetic = ExactNumbers | DoubleDouble
COMPARISONS = frozenset(["eq", "ne", "lt", "le", "gt", "ge"])
STEPS = frozenset(["floor", "ceil", "trunc", "round_half_even", "sign", "floor_div"])  # taken from the run
TERMS = 20  # of a product cost what an element of another op costs


def is_real(node: Expr) -> bool:
    """Whether a node is one array of floats."""
    return isinstance(node.type, TensorType) and is_float(node.type.dtype)


def plain_dtype(node: Expr) -> str:
    """The dtype whose ulps a node is measured in."""
    dtype: str = node.type.dtype
    return "float64" if dtype in WIDE else dtype


@dataclass
class Shadow:
    """The values of a graph's nodes at some elements of each.

    run: as computed. exact: as it would be without rounding. local: what the op alone would make of its operands as
    they were computed. moved: exact, after each leaf or all of them were moved by a little. opaque: what was taken as
    it came out. created and total: errors in ulp.
    """

    arithmetic: Arithmetic
    shapes: Mapping[Expr, tuple[int, ...]]
    places: Mapping[Expr, Places]
    run: dict[Expr, Any] = field(default_factory=dict)
    wide: dict[Expr, Limbs] = field(default_factory=dict)  # of number forms, all limbs
    exact: dict[Expr, Any] = field(default_factory=dict)
    local: dict[Expr, Limbs] = field(default_factory=dict)
    moved: list[dict[Expr, Any]] = field(default_factory=list)
    opaque: set[Expr] = field(default_factory=set)
    used: dict[Expr, Array] = field(default_factory=dict)  # which elements the results rest on: not branches not taken

    def found(self, node: Expr) -> Limbs:
        """The numbers that a node was computed as."""
        return self.wide[node] if node in self.wide else self.arithmetic.lift(self.run[node])

    def total(self, node: Expr) -> Array:
        """The error of each element in ulp."""
        return self.arithmetic.distance(self.exact[node], self.found(node), plain_dtype(node))

    def created(self, node: Expr) -> Array:
        """The part of the error that the op itself made, from its operands as they were computed."""
        if node not in self.local:
            return np.zeros(np.shape(self.run[node]))
        return self.arithmetic.distance(self.local[node], self.found(node), plain_dtype(node))

    def propagated(self, node: Expr) -> Array:
        """The part of the error that the operands' errors make."""
        if node not in self.local:
            return self.total(node)
        return self.arithmetic.distance(self.exact[node], self.local[node], plain_dtype(node))

    def condition(self, node: Expr) -> Array:
        """How many times its own relative change a change of the inputs makes of a node: |sum of df/dx x| / |f|."""
        changes = [self.arithmetic.change(self.exact[node], m[node]) for m in self.moved]
        return np.asarray(sum(changes[1:], changes[0])) if changes else np.zeros(np.shape(self.run[node]))

    def index(self, node: Expr, at: int) -> tuple[int, ...]:
        """The index of an element, by its number among those computed."""
        places = self.places[node]
        return tuple(int(k) for k in np.unravel_index(at if places is None else places[at], self.shapes[node]))


def shadow(
    wanted: Mapping[Expr, Places],
    values: Mapping[Expr, Any],
    sizes: Mapping[Symbol, int],
    arithmetic: Arithmetic,
    moves: Sequence[Mapping[Expr, Array]] = (),
    created: bool = True,
    exact: bool = True,
    known: Mapping[Expr, Limbs] | None = None,
    decides: bool = False,
) -> Shadow:
    """The nodes that the wanted elements of some roots depend on. values: the leaves' arrays. moves: how much leaves are
    moved, in steps of the arithmetic, for the condition numbers. created: whether errors are told apart, and unused
    elements marked. exact: whether there is a shadow at all, or the run alone. known: what leaves are exactly, where that is
    not what their arrays hold. decides: whether exact numbers, not those of the run, say which branch is taken, which element
    is the largest and where a step lies."""
    order = topological(*wanted)
    shapes = shapes_of(order, sizes)
    out = Shadow(arithmetic, shapes, demanded(wanted, shapes, sizes), moved=[{} for _ in moves])
    walk = _Walk(out, dict(sizes), exact, known or {}, created, decides)
    with np.errstate(all="ignore"):
        for n in order:
            walk.leaf(n, values, moves) if n in values or n.op is CONSTANT else walk.step(n)
        if created:
            walk.mark_used(wanted, order)
    return out


@dataclass
class _Walk:
    """One way through a graph, operands before users."""

    out: Shadow
    sizes: dict[Symbol, int]
    exact: bool
    known: Mapping[Expr, Limbs]
    created: bool
    decides: bool
    product: tuple[Expr, list[Limbs], Limbs] | None = None  # the last contraction, of its operands as run
    loops: dict[Expr, Any] = field(default_factory=dict)  # exact results of loops of their operands as run

    def leaf(self, n: Expr, values: Mapping[Expr, Any], moves: Sequence[Mapping[Expr, Array]]) -> None:
        out, places = self.out, self.out.places[n]
        if is_real(n) and n.type.dtype in WIDE:
            if n in self.known:  # what a body is given
                array, limbs = np.asarray(values[n]), self.known[n]
                out.wide[n] = limbs if "x2" in n.type.dtype else out.arithmetic.single(limbs)
            else:
                array = n.params["value"].array
                out.wide[n] = limbs = out.arithmetic.of_form(self._cut(array, places), n.type.dtype)
            out.run[n], out.exact[n] = out.arithmetic.rounded(out.wide[n]), limbs
        else:
            array = n.params["value"].array if n.op is CONSTANT else np.asarray(values[n], n.type.dtype)
            out.run[n] = array if places is None else array.reshape(-1)[places]
            if is_real(n) and self.exact:
                meant = meant_by(n) if n.op is CONSTANT else None
                if n in self.known:
                    out.exact[n] = self.known[n]
                else:
                    out.exact[n] = out.arithmetic.lift(out.run[n]) if meant is None else out.arithmetic.fraction(meant)
        for m, scale in zip(out.moved, moves, strict=True):
            if n in scale and is_real(n):
                own = np.broadcast_to(scale[n], array.shape)
                m[n] = out.arithmetic.moved(out.exact[n], own if places is None else own.reshape(-1)[places])
            elif is_real(n):
                m[n] = out.exact[n]

    def step(self, n: Expr) -> None:
        """A node that has operands, or is a formula of indices."""
        out = self.out
        real = [i for i in n.inputs if is_real(i) or i in out.exact]
        self.params = {key: concrete(v, self.sizes) for key, v in n.params.items() if key != "count"}
        forms = any(is_real(i) and i.type.dtype in WIDE for i in (n, *n.inputs))
        if forms:
            self._run_in_forms(n)
        else:
            out.run[n] = self._run(n)
        if not self.exact:
            return
        if self.decides and n.op.name in COMPARISONS and real:
            out.run[n] = out.arithmetic.compare(
                n.op.name, *(self._limbs_at(self._limbs(i, out.exact), i, n) for i in n.inputs)
            )
        if isinstance(n.type, Results):
            self._several(n)
            return
        if not is_real(n):
            return
        given = not real or (n.op.name in STEPS and not self.decides)
        if given:
            out.exact[n] = out.found(n)
        else:
            try:
                out.exact[n] = self.computed(n, out.exact)
            except (KeyError, MemoryError):  # no formula, or too large a one
                out.opaque.add(n)
                out.exact[n] = out.found(n)
        if n in out.opaque or given:
            for m in out.moved:
                m[n] = out.exact[n]
            return
        if self.created and n.op.kind not in MOVING and n.op.kind != "result" and n.op.name not in ("max", "min"):
            out.local[n] = self.computed(n, {i: out.found(i) for i in n.inputs if is_real(i)})
        elif self.created and n.op.kind == "result" and n.inputs[0] in self.loops:
            out.local[n] = self.computed(n, self.loops)
        for m in out.moved:
            m[n] = self.computed(n, m)

    def _run(self, n: Expr) -> Any:
        """A node in plain floats."""
        out, reference = self.out, n.op.reference
        places = out.places.get(n)
        assert reference is not None, n.op
        if n.op.kind == "control":
            results = reference(*map(self._held, n.inputs), **{**self.params, "run": Evaluation(self.sizes)})
            return tuple(self._plain(x, t.dtype) for x, t in zip(results, n.type.types, strict=True))
        if n.op.kind == "elementwise":
            made = reference(*(self._at(out.run[i], i, n) for i in n.inputs), **self.params)
        elif places is not None and n.op.kind in ("view", "reshape"):
            return self._taken((out.run[n.inputs[0]],), n)[0]
        else:
            arrays = [out.run[i] for i in n.inputs]
            narrow = n.op.kind in ("reduction", "contraction") and is_real(n) and n.type.dtype == "float32"
            if narrow and all(is_real(i) for i in n.inputs):  # summed in float64, as compiled code does
                arrays = [a.astype(np.float64) for a in arrays]
            made = reference(*arrays, **self.params)
            if isinstance(made, tuple):
                return made
            made = self._cut(np.asarray(made), places)
        return np.asarray(made).astype(plain_dtype(n), copy=False)

    def _held(self, i: Expr) -> Array:
        """What the run has of an operand as bodies take it: number forms as records."""
        out, dtype = self.out, i.type.dtype
        high = np.asarray(out.run[i])
        if dtype not in WIDE:
            return high
        low = out.arithmetic.rounded(out.arithmetic.elementwise(OPS["sub"], [out.found(i), out.arithmetic.lift(high)]))
        numbers = np.empty(high.shape, object)
        for at in np.ndindex(high.shape):
            whole = math.isfinite(high[at]) and math.isfinite(low[at])
            numbers[at] = Fraction(float(high[at])) + Fraction(float(low[at])) if whole else float(high[at])
        return records(numbers, dtype)

    def _plain(self, array: Array, dtype: str) -> Array:
        """A result of a body as the run has it."""
        arithmetic = self.out.arithmetic
        return np.asarray(arithmetic.rounded(arithmetic.of_form(array, dtype)) if dtype in WIDE else array)

    def _run_in_forms(self, n: Expr) -> None:
        """A node with number forms among its operands or as its result: their ops are exact but for the last limb."""
        out = self.out
        if n.op.name in COMPARISONS:
            x, y = (self._limbs_at(out.found(i), i, n) for i in n.inputs)
            out.run[n] = out.arithmetic.compare(n.op.name, x, y)
            return
        if isinstance(n.type, Results) or not is_real(n):
            out.run[n] = self._run(n)
            return
        try:
            made = self.computed(n, {i: out.found(i) for i in n.inputs if is_real(i)})
        except KeyError:
            made = out.arithmetic.lift(np.asarray(self._run(n), float))
        if n.type.dtype in WIDE:
            out.wide[n] = made if "x2" in n.type.dtype else out.arithmetic.single(made)
            out.run[n] = out.arithmetic.rounded(out.wide[n])
        else:
            out.run[n] = np.asarray(out.arithmetic.rounded(made)).astype(n.type.dtype)

    def _several(self, n: Expr) -> None:
        """A node with several results: those that are floats."""
        out = self.out
        if n.op.name in ("max_and_argmax", "min_and_argmin") and n.inputs[0] in out.exact:
            axis, at = self.params.get("axis", self.params.get("axes")), out.run[n][1]
            if self.decides:
                (k,) = axis if isinstance(axis, tuple) else (axis,)
                at = _first(n.op.name, np.moveaxis(out.exact[n.inputs[0]][0], k, -1))
                out.run[n] = (out.run[n][0], at)
            for env in (out.exact, *out.moved):
                env[n] = (tuple(_chosen(x, at, axis) for x in env[n.inputs[0]]), None)
            return
        if n.op.kind == "control":
            try:
                for env in (out.exact, *out.moved):
                    env[n] = self._looped(n, env)
                if self.created:
                    self.loops[n] = self._looped(n, {i: out.found(i) for i in n.inputs if is_real(i)})
                return
            except KeyError:
                pass
        out.opaque.add(n)
        lifted = tuple(
            out.arithmetic.lift(x) if is_float(t.dtype) else None for x, t in zip(out.run[n], n.type.types, strict=True)
        )
        for env in (out.exact, *out.moved):
            env[n] = lifted

    def _looped(self, n: Expr, env: Mapping[Expr, Any]) -> tuple[Limbs | None, ...]:
        """The results of a loop or branch whose bodies are computed exactly; None for those that are no floats."""
        out, arithmetic, reference = self.out, self.out.arithmetic, n.op.reference
        assert reference is not None, n.op
        arrays = [arithmetic.packed(self._limbs(i, env)) if is_real(i) else out.run[i] for i in n.inputs]
        made = reference(*arrays, **{**self.params, "run": ExactBodies(arithmetic, self.sizes)})
        return tuple(arithmetic.unpacked(x) for x in made)

    def computed(self, n: Expr, env: Mapping[Expr, Any]) -> Limbs:
        """A node from its operands' exact numbers. Raises KeyError where no formula is known."""
        out, arithmetic, name = self.out, self.out.arithmetic, n.op.name
        if n.op.kind == "result":
            found: Limbs = env[n.inputs[0]][n.params["index"]]
            return found
        if name == "where":
            condition = self._at(out.run[n.inputs[0]], n.inputs[0], n)
            x, y = (self._limbs_at(self._limbs(i, env), i, n) for i in n.inputs[1:])
            return tuple(np.where(condition, a, b) for a, b in zip(x, y, strict=True))
        if n.op.kind == "elementwise":
            operands = [self._limbs_at(self._limbs(i, env), i, n) for i in n.inputs]
            if name == "cast":
                return operands[0]
            return arithmetic.elementwise(n.op, operands)
        if n.op.kind in MOVING:
            return self._moved(n, env)
        places = out.places.get(n)
        if n.op.kind == "reduction" and name in ("sum", "prod"):
            fold = arithmetic.sum if name == "sum" else arithmetic.prod
            return tuple(self._cut(x, places) for x in fold(env[n.inputs[0]], self.params["axes"]))
        if n.op.kind == "reduction" and name in ("max", "min"):
            return tuple(self._cut(x, places) for x in self._extreme(n, env[n.inputs[0]]))
        if n.op.kind == "contraction":
            return tuple(self._cut(x, places) for x in self._contracted(n, [self._limbs(i, env) for i in n.inputs]))
        if n.op.kind == "accumulation" and name == "cumsum":
            return tuple(self._cut(x, places) for x in arithmetic.cumsum(env[n.inputs[0]], self.params["axis"]))
        arrays = [self._limbs(i, env)[0] if is_real(i) else out.run[i] for i in n.inputs]
        return (self._cut(arithmetic.referred(n.op, arrays, self.params), places),)

    def _contracted(self, n: Expr, operands: Sequence[Limbs]) -> Limbs:
        """A product: of the operands as they were run once and for all, of others by what differs."""
        arithmetic, notation, dtype = self.out.arithmetic, self.params["notation"], plain_dtype(n)
        if len(operands) != 2:
            return arithmetic.contract(notation, operands)
        if self.product is None or self.product[0] is not n:
            run = [self.out.found(i) for i in n.inputs]
            self.product = n, run, arithmetic.contract(notation, run, dtype)
        _, run, product = self.product
        return arithmetic.contract_near(notation, operands, run, product, dtype)

    def _limbs(self, i: Expr, env: Mapping[Expr, Any]) -> Limbs:
        """An operand's numbers; whole numbers are those of the run."""
        found: Limbs = env[i] if i in env else self.out.arithmetic.lift(self.out.run[i])
        return found

    def _moved(self, n: Expr, env: Mapping[Expr, Any]) -> Limbs:
        """An op whose elements are elements of its operands."""
        out, places, reference = self.out, self.out.places.get(n), n.op.reference
        assert reference is not None, n.op
        x = self._limbs(n.inputs[0], env)
        if n.op.kind in ("view", "reshape") and places is not None:
            return self._taken(x, n)
        params = dict(self.params)
        if "fill" in params:
            params["fill"] = float(params["fill"])
        if n.op.kind == "join":
            columns = zip(*(self._limbs(i, env) for i in n.inputs), strict=True)
            return tuple(self._cut(np.asarray(reference(*limbs, **params)), places) for limbs in columns)
        rest = [out.run[i] for i in n.inputs[1:]]
        return tuple(self._cut(np.asarray(reference(limb, *rest, **params)), places) for limb in x)

    def _taken(self, x: Sequence[Array], n: Expr) -> Limbs:
        """Some elements of a view."""
        out, i, places = self.out, n.inputs[0], self.out.places[n]
        there = moved_places(n, out.shapes, self.sizes).reshape(-1)[places]
        own = out.places[i]
        at = there if own is None else np.minimum(np.searchsorted(own, there), len(own) - 1)
        fill = self.params.get("fill", 0)
        return tuple(
            np.where(there >= 0, limb.reshape(-1)[at], float(fill) if limb.dtype == object else fill)
            if limb.size
            else np.full(there.shape, fill, limb.dtype)
            for limb in x
        )

    def _extreme(self, n: Expr, x: Limbs) -> Limbs:
        """A maximum or minimum over axes: of the element that the run took, unless exact numbers decide."""
        chosen, axes = x[0] if self.decides else self.out.run[n.inputs[0]], self.params["axes"]
        kept = [k for k in range(chosen.ndim) if k not in axes]
        shape = [chosen.shape[k] for k in kept]
        if not (folded := math.prod(chosen.shape[k] for k in axes)):
            return self.out.arithmetic.lift(self.out.run[n])
        at = _first(n.op.name, np.transpose(chosen, [*kept, *axes]).reshape(*shape, folded))
        return tuple(_chosen(np.transpose(limb, [*kept, *axes]).reshape(*shape, folded), at, -1) for limb in x)

    def _at(self, array: Any, i: Expr, n: Expr) -> Any:
        """An operand's elements as they stand beside those of an elementwise node."""
        out, places, own = self.out, self.out.places.get(n), self.out.places.get(i)
        if places is None:
            return array
        at = places_below(places, out.shapes[n], out.shapes[i])
        return np.asarray(array).reshape(-1)[at] if own is None else array[np.searchsorted(own, at)]

    def _limbs_at(self, x: Limbs, i: Expr, n: Expr) -> Limbs:
        return tuple(self._at(limb, i, n) for limb in x)

    def mark_used(self, wanted: Mapping[Expr, Places], order: Sequence[Expr]) -> None:
        """Which elements the results rest on, from the results down."""
        out = self.out
        used = out.used = {n: np.full(np.shape(out.run[n]), n in wanted) for n in order if n in out.shapes}
        for n in reversed(order):
            mask = used.get(n)
            for k, i in enumerate(n.inputs):
                if i in used:
                    own = np.ones((), bool) if mask is None else mask
                    if n.op.name == "where" and k:
                        condition = self._at(out.run[n.inputs[0]], n.inputs[0], n)
                        own = own & (condition if k == 1 else ~condition)
                    self._mark(used[i], own, n, i)

    def _mark(self, marked: Array, mask: Array, n: Expr, i: Expr) -> None:
        """Marks the elements of operand i that the marked elements of n are made of."""
        out, places, own = self.out, self.out.places.get(n), self.out.places[i]
        shape = out.shapes[i]
        if not np.any(mask):
            return
        if n.op.kind == "elementwise" and places is None:
            extra = mask.ndim - len(shape)
            mask = np.asarray(mask.any(axis=tuple(range(extra))))
            marked |= mask.any(axis=tuple(k for k, m in enumerate(shape) if m == 1), keepdims=True)
            return
        if n.op.kind == "elementwise" or (n.op.kind in ("view", "reshape") and i is n.inputs[0]):
            if n.op.kind == "elementwise":
                there = places_below(places, out.shapes[n], shape)  # type: ignore[arg-type]  # not None, see above
            else:
                there = moved_places(n, out.shapes, self.sizes).reshape(-1)
                there = there if places is None else there[places]
            there = there[mask.reshape(-1) & (there >= 0)]
            marked.reshape(-1)[there if own is None else np.searchsorted(own, there)] = True
        elif n.op.kind == "reduction" and places is None and mask.ndim + len(self._axes(n)) == len(shape):
            marked |= np.expand_dims(mask, self._axes(n))
        else:
            marked[...] = True

    def _axes(self, n: Expr) -> tuple[int, ...]:
        """The axes that a reduction folds."""
        axes = n.params["axes"] if "axes" in n.params else n.params["axis"]
        return axes if isinstance(axes, tuple) else (axes,)

    def _cut(self, array: Array, places: Places) -> Array:
        return array if places is None else array.reshape(-1)[places]


@dataclass
class ExactBodies:
    """Who computes the bodies of loops and branches for their references: exactly, on packed arrays."""

    arithmetic: Arithmetic
    sizes: Mapping[Symbol, int]

    def __call__(self, body: Body, arrays: Sequence[Any]) -> list[Any]:
        """The outputs of a body. Raises KeyError where it holds what no formula is known of."""
        known, values = {}, {}
        for leaf, array in zip(body.leaves, arrays, strict=True):
            limbs = self.arithmetic.unpacked(array)
            if limbs is not None:
                known[leaf] = limbs
            values[leaf] = np.asarray(array) if limbs is None else self.arithmetic.rounded(limbs)
        outputs = expanded(body.outputs)
        found = shadow(dict.fromkeys(outputs), values, self.sizes, self.arithmetic, created=False, known=known)
        if found.opaque:
            raise KeyError("opaque")
        return [self.arithmetic.packed(found.exact[o]) if is_real(o) else found.run[o] for o in outputs]

    def empty(self, kind: TensorType) -> Any:
        """No rows of a type."""
        shape = (0, *(size_at(n, self.sizes) for n in kind.shape))
        return (
            self.arithmetic.packed(self.arithmetic.lift(np.empty(shape)))
            if is_float(kind.dtype)
            else np.empty(shape, kind.dtype)
        )


def _first(name: str, rows: Array) -> Array:
    """Where the largest or smallest of each row stands first; a NaN, where there is one."""
    if rows.dtype != object:
        return np.asarray((np.argmax if name.startswith("max") else np.argmin)(rows, axis=-1))
    strange = np.asarray(rows != rows, bool)
    numbers = np.where(strange, 0.0, rows)
    at = (np.argmax if name.startswith("max") else np.argmin)(numbers, axis=-1)
    return np.asarray(np.where(strange.any(axis=-1), np.argmax(strange, axis=-1), at))


def _chosen(x: Array, at: Array, axis: Any) -> Array:
    """The element at an index along an axis."""
    (k,) = axis if isinstance(axis, tuple) else (axis,)
    return np.take_along_axis(x, np.expand_dims(at, k), k).squeeze(k)


def work(wanted: Mapping[Expr, Places], sizes: Mapping[Any, int]) -> float:
    """How many elements a shadow of these has, or what costs as much."""
    order = topological(*wanted)
    shapes = shapes_of(order, sizes)
    places = demanded(wanted, shapes, sizes)
    work = 0.0
    for n in order:
        if n.op.kind == "control":
            work += _work_of_loop(n, sizes)
        elif is_real(n) and n.inputs:
            own = places.get(n)
            count = math.prod(shapes[n]) if own is None else len(own)
            if n.op.kind == "contraction":
                a, b = (math.prod(shapes[i]) if i in shapes else 1 for i in (n.inputs[0], n.inputs[-1]))
                work += count + math.sqrt(float(a) * b * max(count, 1)) / TERMS  # of a product of matrices: m k n terms
            elif n.op.kind not in MOVING:
                work += count
    return work


def _work_of_loop(n: Expr, sizes: Mapping[Symbol, int]) -> float:
    """As many elements as the nodes of the bodies have, all steps together, taken to be as large as the largest result."""
    bodies = [v for v in n.params.values() if isinstance(v, Body)]
    steps = size_at(n.params["steps"], sizes) if "steps" in n.params else 1
    nodes = sum(1 for body in bodies for _ in topological(*body.outputs))
    largest = max(
        (math.prod(size_at(k, sizes) for k in o.type.shape) for body in bodies for o in body.outputs), default=1
    )
    return float(steps) * nodes * largest
