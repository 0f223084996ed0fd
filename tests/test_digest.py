"""The digest of a graph: what is an equal graph."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import agree
import numpy as np
import pytest
from cases import CASES
from random_graphs import Graph as RandomGraph

import symdl
import symdl.pipeline.cache
import symdl.pipeline.provenance
import symdl.tensor as T
from symdl import shared
from symdl.errors import SymdlError
from symdl.graph.expr import CONSTANT, OPS, VARIABLE, Expr, Frozen, constant, make, variable
from symdl.graph.walks import topological
from symdl.passes.dims import canonical_sizes, with_sizes
from symdl.pipeline.compilation import Graph, key_of
from symdl.pipeline.digest import NoDigest, digest
from symdl.runtime.runs import native
from symdl.types import Dim

ROOT = Path(__file__).resolve().parent.parent


def digest_of(graph: Graph) -> str:
    layout = len(graph.inputs), graph.outputs, graph.updates
    return digest((*graph.inputs, *graph.shareds), tuple(topological(*graph.roots)), layout)


def told(graph: Graph) -> str:
    """A graph in full, by another way than the digest's: sizes named as the compiler names them, every node printed."""
    leaves = [*graph.inputs, *graph.shareds]
    nodes = tuple(topological(*graph.roots))
    sizes = canonical_sizes(leaves, frozenset(range(len(graph.inputs), len(leaves))), nodes)
    names: dict[Expr, str] = {}
    for k, leaf in enumerate(leaves):
        names[leaf] = f"leaf {k}"
    renamed = with_sizes([*graph.roots, *leaves], sizes.table, {}, {})
    for k, leaf in enumerate(renamed[len(graph.roots) :]):
        names[leaf] = f"leaf {k} {leaf.type.dtype} {leaf.type.shape}"
    lines = [f"{len(graph.inputs)} {len(graph.outputs)} {[names[s] for s, _ in graph.updates]}"]
    lines += [f"{names[leaf]}" for leaf in renamed[len(graph.roots) :]]
    lines += [f"{leaf.type.dtype}[{[n if isinstance(n, int) else '?' for n in leaf.type.shape]}]" for leaf in leaves]
    for node in topological(*renamed[: len(graph.roots)]):
        if node.op is VARIABLE:
            continue
        params = {k: v.key if isinstance(v, Frozen) else v for k, v in sorted(node.params.items()) if k != "type"}
        names[node] = f"node {len(names)}"
        lines.append(f"{names[node]} {node.op} {[names[i] for i in node.inputs]} {params!r} {node.type.shape!r} {node.type.dtype}"
                     if not hasattr(node.type, "types") else f"{names[node]} {node.op} {[names[i] for i in node.inputs]} {params!r}")  # fmt: skip
    lines += [names[r] for r in renamed[: len(graph.roots)]]
    return "\n".join(lines) + repr([(c.fact.relation, c.fact.left, c.fact.right, c.node) for c in sizes.checks])


def random_graph(seed: int, smooth: bool, steps: int = 7) -> Graph:
    g = RandomGraph(seed, smooth)
    g.grow(steps)
    return Graph(tuple(g.values), (), tuple(g.outputs()), ())


def changed(graph: Graph, rng: np.random.Generator) -> Graph | None:
    """The graph with one small thing changed, or None where the change is not possible there."""
    nodes = list(topological(*graph.roots))
    node = nodes[int(rng.integers(len(nodes)))]
    kind = int(rng.integers(5))
    try:
        if kind == 0 and len(node.inputs) > 1:
            new = make(node.op, (*node.inputs[1:], node.inputs[0]), **node.params)
        elif kind == 1 and node.op is CONSTANT:
            array = node.params["value"].array.copy()
            raw = array.reshape(-1).view(np.uint8)
            if not raw.size or array.dtype == bool:
                return None
            raw[int(rng.integers(raw.size))] ^= 1
            new = constant(array)
        elif kind == 2 and node.params and node.op not in (VARIABLE, CONSTANT):
            name = sorted(node.params)[int(rng.integers(len(node.params)))]
            new = make(node.op, node.inputs, **{**node.params, name: nudged(node.params[name])})
        elif kind == 3 and node.inputs:
            alike = [op for op in OPS.values() if op.kind == node.op.kind and op.arguments == node.op.arguments]
            new = make(alike[int(rng.integers(len(alike)))], node.inputs, **node.params)
        elif kind == 4 and len(graph.outputs) > 1:
            return Graph(graph.inputs, (), graph.outputs[1:] + graph.outputs[:1], ())
        else:
            return None
        if new.type != node.type:
            return None
        table: dict[Expr, Expr] = {node: new}
        for n in nodes:
            if n not in table:
                table[n] = make(n.op, tuple(table[i] for i in n.inputs), **n.params) if n.inputs else n
        return Graph(graph.inputs, (), tuple(table[o] for o in graph.outputs), ())
    except (SymdlError, TypeError, ValueError, KeyError, IndexError, AttributeError, AssertionError):
        return None


def nudged(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | Dim):
        return value + 1
    if isinstance(value, tuple) and value:
        return (nudged(value[0]), *value[1:])
    return {"float64": "float32", "set": "add"}.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize("smooth", [False, True])
def test_digests_differ_just_where_graphs_do(smooth: bool) -> None:
    rng = np.random.default_rng(5)
    by_digest: dict[str, str] = {}
    by_text: dict[str, str] = {}
    mutants = 0

    def enter(graph: Graph) -> str:
        found, text = digest_of(graph), told(graph)
        assert by_digest.setdefault(found, text) == text, "two graphs share a digest"
        assert by_text.setdefault(text, found) == found, "one graph has two digests"
        return found

    for seed in range(60):
        graph = random_graph(seed, smooth)
        assert enter(graph) == enter(random_graph(seed, smooth))  # of other variables
        for _ in range(12):
            mutant = changed(graph, rng)
            if mutant is not None and mutant.outputs != graph.outputs:
                try:
                    enter(mutant)
                except SymdlError:  # its sizes belong to no input
                    continue
                mutants += 1
    assert mutants > 60
    assert len(by_digest) > 100


def test_inputs_shared_values_outputs_and_updates_are_told_apart() -> None:
    x, y, w = T.dvector("x"), T.dvector("y"), shared(np.zeros(3), "w")
    v = shared(np.zeros(3), "v")
    s, p = x + y, x * y
    graphs = [
        Graph((x, y), (), (s,), ()), Graph((y, x), (), (x - y,), ()), Graph((x, y), (), (x - y,), ()), Graph((x,), (y,), (s,), ()),
        Graph((x, y), (), (s, s), ()), Graph((x, y), (), (s, p), ()), Graph((x, y), (), (p, s), ()), Graph((x, y), (), (), ()),
        Graph((x,), (w,), (x,), ((w, x + w),)), Graph((x,), (w,), (x, x + w), ()), Graph((x,), (w, v), (x,), ((w, x + w),)),
        Graph((x,), (w, v), (x,), ((v, x + w),)), Graph((x,), (w, v), (x,), ((w, x + v),)),
        Graph((x,), (w, v), (x,), ((w, x + v), (v, x + w))), Graph((x,), (w, v), (x,), ((v, x + w), (w, x + v))),
        Graph((x, T.fvector()), (), (x,), ()), Graph((x, T.dmatrix()), (), (x,), ()),
    ]  # fmt: skip
    assert len({digest_of(g) for g in graphs}) == len(graphs)


def test_dtypes_and_axes_of_inputs_are_told_apart() -> None:
    graphs = []
    for dtype in ("float64", "float32", "int64", "int32", "uint8", "bool"):
        for shape in ((), (None,), (None, None), (1,), (2,), (None, 2), (2, None)):
            x = variable("x", shape, dtype)
            graphs += [Graph((x,), (), (x,), ()), Graph((), (x,), (x,), ()), Graph((x,), (), (), ())]
    assert len({digest_of(g) for g in graphs}) == len(graphs)


def test_sizes_that_must_be_equal_are_told_from_sizes_that_may_differ() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    z = variable("z", x.type.shape, "float64")  # on the symbol of x
    n = T.lscalar("n")
    fixed = variable("f", (3,), "float64")
    w = T.dmatrix("w")
    a, b = w.shape
    graphs = [
        Graph((x, y), (), (x, y), ()), Graph((x, z), (), (x, z), ()), Graph((x, fixed), (), (x, fixed), ()),
        Graph((x, n), (), (x[:n],), ()), Graph((x, n), (), (x[: n + 1],), ()), Graph((x, n), (), (x[: 2 * n],), ()),
        Graph((x, n), (), (x[: n // 2],), ()), Graph((x, n), (), (x[n:],), ()),
        *(Graph((w,), (), (T.zeros((size,)),), ()) for size in (a, b, a * b, a * a, b * b, 2 * a, a + b, a + 2 * b, T.maximum(a, b), a // b, b // a)),
    ]  # fmt: skip
    assert len({digest_of(g) for g in graphs}) == len(graphs)


def test_numbers_that_are_equal_to_python_but_not_to_a_machine() -> None:
    found = set()
    for value in (
        0.0,
        -0.0,
        np.nan,
        -np.nan,
        np.float32(0),
        np.int64(0),
        np.int32(0),
        np.uint8(0),
        False,
        np.zeros(1),
        np.zeros((1, 1)),
    ):
        c = constant(value)
        found.add(digest_of(Graph((), (), (c,), ())))
    assert len(found) == 11


def test_a_name_or_a_line_changes_nothing() -> None:
    def build(name: str) -> Graph:
        x = T.dmatrix(name)
        y = T.tanh(x).sum()
        y.name = name * 2
        return Graph((x,), (), (y,), ())

    first = build("a")
    assert digest_of(first) == digest_of(build("zz"))
    assert first.outputs[0] is not build("b").outputs[0]


def test_the_digest_is_the_same_in_every_process() -> None:
    script = "import sys; sys.path.insert(0, 'tests'); import test_digest as t; print(t.digest_of(t.random_graph(3, True, 20)))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "77"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == digest_of(random_graph(3, True, 20))


def test_what_has_no_text_of_its_own_is_not_kept() -> None:
    x = T.dvector("x")
    with pytest.raises(NoDigest):
        digest((x,), [x], object())
    with pytest.raises(NoDigest):
        digest((), [x], ())
    backend = native()
    two = Graph((x,), (), (x + T.dvector("free"),), ())
    assert key_of(two, tuple(topological(*two.roots)), backend) is None


def test_every_op_has_a_digest_with_gradients_and_random_numbers() -> None:
    """A param of a kind that the digest does not know would be compiled anew each time, without a word."""
    met = set()
    for case in CASES:
        xs = [agree.leaf(f"x{k}", a) for k, a in enumerate(case.arrays("float64"))]
        built = case.build(*xs)
        outputs = tuple(built) if isinstance(built, list | tuple) else (built,)
        if case.floats and all(e.type.dtype == "float64" for e in (*xs, *outputs)):
            outputs += tuple(agree.pulled(outputs, xs)[1])
        digest_of(Graph(tuple(xs), (), outputs, ()))
        met |= {n.op.name for n in topological(*outputs)}
    stream = symdl.RandomStream(3)
    draws = [stream.uniform(size=(3,)), stream.normal(size=(2, 2)), stream.permutation(size=(2,), n=4)]
    leaves = {n for n in topological(*draws) if n.op is VARIABLE}
    digest_of(Graph((), tuple(leaves), tuple(draws), ()))
    met |= {n.op.name for n in topological(*draws)}
    structural = {op.name for op in OPS.values() if op.kind not in ("elementwise", "composite", "leaf", "counted")}
    assert structural <= met | {"python", "random_state"}  # tests/test_extending.py, tests/test_theano_streams.py


def test_long_chains_have_digests() -> None:
    y = x = T.dvector("x")
    for _ in range(5000):
        y = T.tanh(y)
    n = x.shape[0]
    for k in range(20):
        n = n // 2 + k
    assert len(digest_of(Graph((x,), (), (y, T.zeros((n,))), ()))) == 64
