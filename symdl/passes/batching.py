"""What a body makes in one round, made for all rounds at once: the batch of `vectorized` whose axis counts the rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symdl.graph.bodies import ARGUMENT, argument
from symdl.graph.expr import Expr
from symdl.graph.walks import topological
from symdl.ops.declare import spread
from symdl.passes.rewrite import Origins, Pass
from symdl.passes.vectorized import Batch, NotBatched
from symdl.types import Extent


class Batching:
    """rows: leaves and nodes of a body, each with its values in all rounds, one a row. fixed: leaves with the value that
    they have in every round. count: how many rounds there are."""

    def __init__(self, rows: Mapping[Expr, Expr], fixed: Mapping[Expr, Expr], count: Extent, origins: Origins) -> None:
        self.count, self.origins = count, origins
        self.leaves = {n: argument(n.type) for n in rows}
        self.walk = Pass(lambda n: n, origins, final=True)
        self.walk.done.update({**fixed, **self.leaves})
        self.batch = Batch((count,), {self.leaves[n]: x for n, x in rows.items()})
        self.batch.single.update(fixed.values())

    def can(self, roots: Sequence[Expr]) -> bool:
        """Whether the roots can be made for all rounds: all that they are made of is known and has a batched form."""
        known, stack, seen = self.walk.done, list(roots), set(roots)
        while stack:
            n = stack.pop()
            if n in self.leaves or (n in known and n.op is ARGUMENT):
                continue
            if n.op is ARGUMENT:
                return False
            stack += [i for i in n.inputs if i not in seen]
            seen.update(n.inputs)
        try:
            self(roots)
        except NotBatched:
            return False
        return True

    def __call__(self, roots: Sequence[Expr]) -> list[Expr]:
        """The roots, one row a round. Raises NotBatched."""
        own = self.walk(roots)
        found = self.batch.of(own)
        for old in topological(*roots):
            new = self.batch.done.get(self.walk.done.get(old, old))
            if new is not None and old in self.origins and new.op.kind != "leaf":
                self.origins[new] = self.origins.get(new, frozenset()) | self.origins[old]
        return [
            x if n in self.batch.done else spread(x, (self.count, *x.type.shape), tuple(range(1, 1 + x.type.ndim)))
            for n, x in zip(own, found, strict=True)
        ]
