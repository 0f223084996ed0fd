"""One graph, run in one of three ways: machine code, the Program's interpreter, or the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from symdl.backends.base import Executable
from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.interpreter.backend import interpret
from symdl.backends.routines import RoutineRaised
from symdl.graph.bodies import every_node
from symdl.passes.evaluate import evaluate
from symdl.pipeline.compilation import Graph, Lowered, found_or_compiled, lowered, routines_of
from symdl.runtime.devices import backend
from symdl.runtime.failures import Blame
from symdl.runtime.inputs import Array
from symdl.types import size_at

Way = Literal["native", "interpreter", "numpy"]


class Run:
    """A graph, made ready to run on arrays. to_lower: the graph as it is compiled, where it differs. device: where machine
    code runs; shared values are passed as they are kept there (SharedVariable.on_host, on_device).

    executable is None unless machine code runs; form is None where nothing was lowered (the oracle runs, or the code was
    found in the cache).
    """

    def __init__(self, graph: Graph, way: Way, to_lower: Graph | None = None, device: str = "cpu") -> None:
        self.graph, self.to_lower = graph, to_lower or graph
        leaves = (*graph.inputs, *graph.shareds)
        fixed = frozenset(range(len(graph.inputs), len(leaves)))
        updates = {new: old for old, new in graph.updates}
        self.executable: Executable | None = None
        self.form: Lowered | None = None
        self.cut = True
        if way == "numpy":
            self.blame = Blame(leaves, fixed, updates, tuple(every_node(*graph.roots)), ())
            self.blame.sizes  # noqa: B018  # raises InputError where one cannot be known
        elif way == "interpreter":
            form = self.form = lowered(self.to_lower)
            self.blame = Blame(leaves, fixed, updates, form.nodes, form.program.failures)
        else:
            machine = backend(device)
            self.cut = machine.cut
            made = found_or_compiled(self.to_lower, machine, machine.store)
            self.executable, self.form = made.executable, made.form
            self.blame = Blame(leaves, fixed, updates, made.nodes, made.executable.interface.failures)

    @property
    def lowered(self) -> Lowered:
        """Every form of the graph, down to its Program."""
        if self.executable is not None and self.form is None:  # its code was found in the cache
            self.form = lowered(self.to_lower, blocks=self.cut)
        return self.form or lowered(self.to_lower)

    def __call__(self, arrays: Sequence[Any], values: Sequence[Any]) -> Sequence[Array]:
        """The outputs, then the new values of what is not updated in place. Raises what a call of a function raises."""
        if self.executable is None and self.form is None:
            return self._by_numpy(arrays, values)
        try:
            return (
                self._interpreted(self.form, arrays, values)
                if self.executable is None
                else self._native(arrays, values)
            )
        except RoutineRaised as raised:
            raise self.blame.noted(raised) from None

    def _native(self, arrays: Sequence[Any], values: Sequence[Any]) -> Sequence[Array]:
        assert self.executable is not None
        bound = self.executable.bind(arrays, values)
        status, outputs = (bound.status, ()) if bound.status else self.executable.execute(bound)
        if status:
            raise self.blame.error(status, bound.sizes, [np.asarray(a) for a in (*arrays, *values)])
        return outputs

    def _interpreted(self, form: Lowered | None, arrays: Sequence[Array], values: Sequence[Array]) -> list[Array]:
        assert form is not None
        program = form.program
        held = program.of_kind("input", "shared", "constant")
        given = [*arrays, *values, *(c.params["value"].array for c in form.constants)]
        named = {b.name: np.asarray(a, order="C") for b, a in zip(held, given, strict=True)}
        result = interpret(program, named, routines=routines_of(form))
        if result.status:
            raise self.blame.error(result.status, result.sizes, [*arrays, *values])
        return [result.outputs[b.name] for b in program.of_kind("output")]

    def _by_numpy(self, arrays: Sequence[Array], values: Sequence[Array]) -> list[Array]:
        given = [*arrays, *values]
        bindings = self.blame.sizes.bindings
        sizes = {b.symbol: int(given[b.leaf]) if b.axis is None else given[b.leaf].shape[b.axis] for b in bindings}
        for k, (fact, _) in enumerate(self.blame.sizes.checks):
            left, right = size_at(fact.left, sizes), size_at(fact.right, sizes)
            if left > right or (fact.relation == "==" and left != right):
                raise self.blame.error(1 + k, sizes, given)
        found = evaluate(self.graph.roots, dict(zip(self.blame.leaves, given, strict=True)))
        return [np.array(f, order="C") for f in found]


def native() -> CpuBackend:
    """The back end of this computer, with the cache that config names."""
    found = backend("cpu")
    assert isinstance(found, CpuBackend)
    return found
