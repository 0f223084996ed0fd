"""Which values of a graph are kept in memory; all others are formulas, computed where they are used.

Stored are results, what library calls, gathers and reshapes look at, every reduction, and an elementwise value that
costs something and is used twice or by more elements than it has. Views are index maps and cost nothing.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from symdl.graph.expr import Expr
from symdl.ir.program import CONVOLUTIONS
from symdl.lowering.lower import is_lendable, is_window
from symdl.ops.convolutions import CONVOLVE
from symdl.types import product

CHEAP = frozenset(
    "add sub mul neg abs where eq ne lt le gt ge maximum minimum cast bitwise_and bitwise_or bitwise_xor invert isnan".split()
)
DEEPEST = 40  # a formula nested deeper is stored, so that no later stage recurses far
RECOMPUTED = 6  # a cheap formula of more ops than this is stored rather than computed again by a second user
READ_OFTEN = 4  # views of a border, from which on it is stored
COSTLY = 12  # a transcendental function in cheap ops
# Kinds that are no formulas.
OWN_LOOPS = (
    "reduction",
    "accumulation",
    "contraction",
    "scatter",
    "join",
    "permutation",
    "routine",
    "control",
)


class Storage:
    """The decision for one graph. order: its nodes, inputs before users, without those that `given` holds."""

    def __init__(
        self, order: Sequence[Expr], given: Container[Expr], results: Iterable[Expr], windows: Iterable[Expr]
    ) -> None:
        """given: nodes that lie in memory already. results: nodes to store in any case. windows: nodes that are read
        as they lie in memory, in C order."""
        self.given = given
        self.keep: set[Expr] = set(results)
        # Borders around what is read many times: written in pieces, none of which asks where it is.
        self.framed: set[Expr] = set()
        self.bordering: set[Expr] = set()  # borders that only convolutions see, which make them as they go
        self.weight: dict[Expr, int] = {}  # node -> cheap ops in its formula, down to what is stored
        self._depth: dict[Expr, int] = {}
        self._left: dict[Expr, int] = {}  # as weight, but 0 for what is stored
        uses: dict[Expr, int] = {}
        self._others: set[Expr] = set()  # what is read otherwise than as the images of a convolution
        for n in order:
            for k, i in enumerate(n.inputs):
                uses[i] = uses.get(i, 0) + 1
                if k or n.op is not CONVOLVE:
                    self._others.add(i)
        for n in windows:
            self._window(n, strided=False)
        for n in order:
            self._operands(n)
            self._decide(n, uses.get(n, 0))
        self.nodes = [n for n in order if n in self.keep and n.op.kind != "result"]

    def _operands(self, n: Expr) -> None:
        """Store what n needs in memory, and what it would compute more often than once an element."""
        match n.op.kind:
            case "contraction" | "routine":
                sliding = n.op.name in CONVOLUTIONS
                for x in n.inputs:
                    if sliding and self._goes_along(x):
                        self.bordering.add(x)
                        x = x.inputs[0]
                    elif sliding and is_border(x):
                        self.framed.add(x)
                    self._window(x, strided=not sliding)
            case "control":
                for k, x in enumerate(n.inputs):
                    decides = k == 0 and n.op.name == "ifelse"  # a condition is read where it lies
                    if decides or x in self.given or not is_lendable(x):
                        self._window(x, strided=True)
            case "gather":
                x, *positions = n.inputs
                self._window(x, strided=True)
                for p in positions:
                    if len(p.type.shape) < len(n.type.shape):
                        self._repeated(p)
            case "reshape" if is_window(n):
                self._window(n.inputs[0], strided=False)
            case "elementwise":
                for x in n.inputs:
                    if x.type.shape != n.type.shape:
                        self._repeated(x)
            case "view" if (
                n.op.name == "covering"
            ):  # what windows have is read where they lie, never worked out for each place
                self._repeated(n.inputs[0], 1)
            case "view" if _stretches(n):
                self._repeated(n.inputs[0])

    def _goes_along(self, n: Expr) -> bool:
        """Whether a border is zeros around two axes, at most, of images that lie in memory anyway, and only convolutions see it."""
        if not is_border(n) or n in self.keep or n in self._others or n.type.dtype not in ("float32", "float64"):
            return False
        (x,), starts = n.inputs, n.params["starts"]
        return (
            (x in self.given or x in self.keep)
            and n.params["fill"] == 0
            and n.type.shape[:2] == x.type.shape[:2]
            and len(starts) <= 4
        )

    def _repeated(self, n: Expr, least: int = COSTLY) -> None:
        """n is computed several times for each of its elements, unless it is stored, as it is if it costs so much."""
        views: list[Expr] = []
        while n.op.kind == "view" and n not in self.keep:
            views.append(n)
            n = n.inputs[0]
        if self._left.get(n, 0) >= least:
            self._store(n)
            self._left.update(dict.fromkeys(views, 0))

    def _window(self, n: Expr, strided: bool) -> None:
        """Store what a window on n looks at. strided: a view with strides will do; else it must be in C order."""
        while n not in self.given and n not in self.keep and is_window(n):
            if n.op.kind == "reshape":
                strided = False
            elif not strided:
                break
            n = n.inputs[0]
        if n not in self.given and n.op.kind != "result":
            self._store(n)

    def _store(self, n: Expr) -> None:
        self.keep.add(n)
        self._depth[n] = self._left[n] = 0

    def _decide(self, n: Expr, uses: int) -> None:
        kind = n.op.kind
        if kind in ("leaf", "result") or (is_window(n) and kind == "reshape"):  # these own no memory
            self.weight[n] = self._depth[n] = self._left[n] = 0
            return
        cheap = n.op.name in CHEAP if kind == "elementwise" else kind != "gather"
        own = COSTLY if not cheap else int(kind == "elementwise")
        weight = self.weight[n] = own + sum(self._left[i] for i in n.inputs if i in self._left)
        self._left[n] = weight
        self._depth[n] = 1 + max((self._depth[i] for i in n.inputs if i in self._depth), default=0)
        reread = not cheap or (kind == "elementwise" and weight > RECOMPUTED)
        if uses >= READ_OFTEN and is_border(n):
            self.framed.add(n)
            self._store(n)
        if n in self.keep or kind in OWN_LOOPS or self._depth[n] > DEEPEST or (uses > 1 and reread):
            self._store(n)


def is_border(n: Expr) -> bool:
    """Whether a view puts a constant around its operand."""
    return n.op.name == "pad" and all(step == 1 for step in n.params["steps"])


def _stretches(n: Expr) -> bool:
    """Whether a view reads elements of its operand more than once."""
    (x,) = n.inputs
    if n.op.name == "spread":
        return product(x.type.shape) != product(n.type.shape)
    return n.op.name in ("tile_axis", "repeat_each")
