"""Who made a variable, as Theano's programs see it: applications of ops, and the graph that they form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from symdl.graph.expr import RESULT, Expr, results
from symdl.types import Results


class Apply:
    """The application of an op that made a variable: op, inputs, outputs. A view; two of one node are equal."""

    def __init__(self, op: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        self.op, self.inputs, self.outputs = op, list(inputs), list(outputs)
        self.tag = type("Tag", (), {})()

    @property
    def out(self) -> Any:
        """The only output."""
        return self.outputs[0]

    @property
    def nin(self) -> int:
        return len(self.inputs)

    @property
    def nout(self) -> int:
        return len(self.outputs)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Apply) and len(self.outputs) == len(other.outputs) and self.outputs[0] is other.outputs[0]
        )

    def __hash__(self) -> int:
        return hash(self.outputs[0])

    def __repr__(self) -> str:
        return f"{self.op}({', '.join(map(str, self.inputs))})"

    def get_parents(self) -> list[Any]:
        """The inputs."""
        return list(self.inputs)


class OpOf:
    """The op of an Apply as a program sees it: its name, its parameters. Its class bears the name that Theano's has."""

    def __init__(self, node: Expr) -> None:
        self.node = node
        self.name = node.op.name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        params = self.__dict__["node"].params
        if name in params:
            return params[name]
        raise AttributeError(f"the op {self.name} has no {name!r}")

    @property
    def outputs(self) -> list[Expr]:
        """The results of a step of a loop, as formulas of the step's own variables."""
        body = self.node.params.get("body")
        if body is None:
            raise AttributeError(f"the op {self.name} has no 'outputs'")
        return list(body.outputs)

    @property
    def scalar_op(self) -> Any:
        """What an elementwise op does to each element."""
        if self.node.op.kind != "elementwise":
            raise AttributeError(f"the op {self.name} has no 'scalar_op'")
        return self.node.op

    def __eq__(self, other: object) -> bool:
        return self.node.op is other.node.op if isinstance(other, OpOf) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.node.op)

    def __str__(self) -> str:
        if type(self).__name__ == "DimShuffle" and "axes" in self.node.params:
            axes = self.node.params["axes"]
            places = (str(axes.index(k)) if k in axes else "x" for k in range(self.node.type.ndim))
            return f"InplaceDimShuffle{{{','.join(places)}}}"
        return f"Elemwise{{{self.name},no_inplace}}" if self.node.op.kind == "elementwise" else type(self).__name__

    __repr__ = __str__


CLASSES = {  # Theano's class of an op, where one word says it
    "contract": "Dot", "spread": "DimShuffle", "transpose": "DimShuffle", "squeeze": "Subtensor", "slice": "Subtensor",
    "gather": "AdvancedSubtensor", "scatter": "AdvancedIncSubtensor", "sum": "Sum", "prod": "Prod", "reshape": "Reshape",
    "join": "Join", "softmax": "Softmax", "scan": "Scan", "extent": "Shape_i", "iota": "ARange", "if": "IfElse",
}  # fmt: skip


@cache
def _class_of(name: str) -> type[OpOf]:
    return type(name, (OpOf,), {})


def op_of(node: Expr, compiled: bool = False) -> OpOf:
    """The op of a node; a product in a compiled function is a Gemm."""
    name = (
        "Elemwise"
        if node.op.kind == "elementwise"
        else CLASSES.get(node.op.name, node.op.name.title().replace("_", ""))
    )
    return _class_of("Gemm" if compiled and name == "Dot" else name)(node)


def owner(x: Expr) -> Apply | None:
    """Who made x; None for variables, constants and shared values."""
    if x.op.kind == "leaf":
        return None
    node = x.inputs[0] if x.op is RESULT else x
    made: Any = getattr(node.params.get("call"), "made_by", None) or op_of(node)
    return Apply(made, node.inputs, results(node))


def ancestors(outputs: Sequence[Expr]) -> Iterator[Expr]:
    """Every variable that the outputs depend on, and they themselves, each once, outputs first."""
    seen: set[Expr] = set()
    stack = list(outputs)
    while stack:
        n = stack.pop()
        if n in seen:
            continue
        seen.add(n)
        if not isinstance(n.type, Results):
            yield n
        stack += reversed(n.inputs)


class FunctionGraph:
    """Inputs, outputs and the applications between them."""

    def __init__(
        self, inputs: Sequence[Expr], outputs: Sequence[Expr], clone: bool = True, compiled: bool = False, **_: Any
    ) -> None:
        self.inputs, self.outputs, self.compiled = list(inputs), list(outputs), compiled

    @property
    def variables(self) -> set[Expr]:
        return set(ancestors(self.outputs))

    @property
    def apply_nodes(self) -> set[Apply]:
        return set(self.toposort())

    def toposort(self) -> list[Apply]:
        """Applications, each after what it uses."""
        order: dict[Apply, None] = {}
        stack = [o for n in reversed(self.outputs) if (o := owner(n)) is not None]
        while stack:
            a = stack[-1]
            above = [o for i in a.inputs if not isinstance(i.type, Results) and (o := owner(i)) is not None]
            if a in order:
                stack.pop()
            elif missing := [o for o in above if o not in order]:
                stack += reversed(missing)
            else:
                order[stack.pop()] = None
        if self.compiled:
            for a in order:
                a.op = op_of(a.op.node, compiled=True) if isinstance(a.op, OpOf) else a.op
        return list(order)
