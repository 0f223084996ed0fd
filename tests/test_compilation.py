"""The pipeline as a whole: what each stage leaves, how updates are stored, and that growth is near linear."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from programs import MODES, calls, kernels, program_of, temps
from work import superlinear

import symdl
import symdl.tensor as T
from symdl.graph.expr import VARIABLE
from symdl.graph.walks import topological
from symdl.ir.loops import Store, walk
from symdl.ir.program import Program, verify
from symdl.pipeline.collector import collector_paused, grown_up
from symdl.pipeline.compilation import Graph, Lowered, lowered


def form_of(inputs: list[Any], outputs: list[Any], updates: Any = ()) -> Lowered:
    f = symdl.function(inputs, outputs, updates=updates)
    return f.lowered


def program(inputs: list[Any], outputs: list[Any], updates: Any = ()) -> Program:
    return form_of(inputs, outputs, updates).program


def test_buffers_come_in_the_order_of_the_call() -> None:
    x, y, s = T.vector("x"), T.lscalar("y"), symdl.shared(np.zeros(3), "s")
    p = program([y, x], [x * y, s + x], [(s, s + x * y)])
    assert [b.kind for b in p.buffers.values() if b.kind != "temp"] == ["input", "input", "shared", "output", "output"]
    assert [b.dtype for b in p.of_kind("input")] == ["int64", "float64"]
    assert p.bindings[0].buffer == p.of_kind("input")[0].name


def test_a_form_knows_the_users_nodes_by_number() -> None:
    x = T.vector("x")
    y = T.tanh(x) * 2
    form = form_of([x], [y])
    assert form.nodes[-1] is y
    sources = {k for s in kernels(form.program) for k in s.sources}
    assert {form.nodes[k].op.name for k in sources} >= {"tanh", "mul"}


def test_only_run_ops_are_left() -> None:
    x, y = T.matrix("x"), T.lvector("y")
    loss = T.categorical_crossentropy(T.softmax(T.dot(x, x.T)), y).mean()
    for stable in (True, False):
        form = lowered(Graph((x, y), (), (loss, symdl.grad(loss, x)), ()), stable)
        assert all(n.op.kind != "composite" for n in topological(*form.final))
        verify(form.program)


def test_leaves_of_the_final_graph_have_canonical_sizes() -> None:
    x, y = T.vector("x"), T.vector("y")
    form = form_of([x, y], [x + y])
    names = {str(n.type.shape[0]) for n in topological(*form.final) if n.op is VARIABLE}
    assert names == {"d0"}


def test_array_constants_are_arguments_in_the_order_of_the_program() -> None:
    x = T.vector("x")
    a, b = np.arange(3.0), np.arange(3.0) + 10
    form = form_of([x], [x + a, x * b])
    arrays = [c.params["value"].array for c in form.constants]
    assert [b.shape for b in form.program.of_kind("constant")] == [v.shape for v in arrays]
    for mode in MODES:
        got = symdl.function([x], [x + a, x * b], mode=mode)(np.ones(3))
        np.testing.assert_array_equal(got[0], a + 1)
        np.testing.assert_array_equal(got[1], b)


def test_a_call_is_all_or_nothing() -> None:
    for mode in MODES:
        s, n = symdl.shared(np.zeros(3), "s"), symdl.shared(np.int64(0), "n")
        x, i = T.vector("x"), T.lvector("i")
        f = symdl.function([x, i], x[i].sum(), updates=[(s, s + x), (n, n + 1)], mode=mode)
        with pytest.raises(symdl.errors.IndexRangeError):
            f(np.ones(3), np.array([3]))
        with pytest.raises(symdl.errors.ShapeError):
            f(np.ones(4), np.array([0]))
        assert not s.get_value().any()
        assert n.get_value() == 0
        f(np.ones(3), np.array([0]))
        assert n.get_value() == 1


def test_momentum_updates_are_in_place_and_share_a_kernel() -> None:
    w, v, g = (symdl.shared(np.zeros((4, 3)), name) for name in "wvg")
    speed = v * 0.9 - g * 0.1
    p = program_of([], [], [(v, speed), (w, w + speed), (g, g * 0)])
    assert (len(kernels(p)), calls(p), temps(p)) == (1, [], [])
    stored = [x.view.buffer for k in kernels(p) for x in walk(*k.body) if isinstance(x, Store)]
    assert sorted(stored) == sorted(b.name for b in p.of_kind("shared"))


def test_a_counter_is_read_before_it_counts() -> None:
    for mode in MODES:
        n = symdl.shared(np.int64(5), "n")
        f = symdl.function([], [n * 2, T.arange(n)], updates=[(n, n + 1)], mode=mode)
        double, numbers = f()
        assert (int(double), len(numbers), int(n.get_value())) == (10, 5, 6)
        assert len(f()[1]) == 6


def test_the_same_update_for_several() -> None:
    for mode in MODES:
        a, b = symdl.shared(np.ones(2), "a"), symdl.shared(np.zeros(2), "b")
        symdl.function([], [], updates=[(b, a), (a, b)], mode=mode)()
        np.testing.assert_array_equal(a.get_value(), [0, 0])
        np.testing.assert_array_equal(b.get_value(), [1, 1])


def chain(n: int) -> tuple[Any, Any]:
    x = T.vector("x")
    y: Any = x
    for k in range(n // 3):
        y = T.tanh(y * (1 + k / 1000)) + x
    return x, y


def test_python_stages_are_near_linear_in_a_chain_with_its_gradient() -> None:
    def stages(n: int) -> Callable[[], Any]:
        x, y = chain(n)
        graph = Graph((x,), (), (y, symdl.grad(y.sum(), x)), ())
        return lambda: lowered(graph, stable=False)

    assert superlinear(stages, 90) == []  # several kernels in both


def test_a_deep_chain_does_not_exhaust_the_stack() -> None:
    x, y = chain(3000)
    form = lowered(Graph((x,), (), (y,), ()), stable=False)
    assert len(form.program.steps) > 30


def test_the_collector_rests_while_compiling_and_is_as_before_after() -> None:
    seen = []
    with collector_paused():
        with collector_paused():
            seen.append(gc.isenabled())
        seen.append(gc.isenabled())
    assert seen == [False, False]
    assert gc.isenabled()
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()  # the user's own choice stays
    finally:
        gc.enable()


def test_what_is_dropped_while_it_rests_is_found_afterwards() -> None:
    class Knot:
        def __init__(self) -> None:
            self.own = self

    known: weakref.WeakSet[Knot] = weakref.WeakSet()
    most = 0
    for _ in range(100):
        with collector_paused():
            for _ in range(2000):
                known.add(Knot())
        rest = [[k] for k in range(3000)]  # which has the collector look, as every program does
        most = max(most, len(known))
    assert len(rest) == 3000
    assert most < 100_000  # of 200,000; nothing is collected where the dropped ones count as old


def test_importing_leaves_no_search_of_all_objects_to_the_first_function() -> None:
    """Python looks through everything once much is new; what an import makes has been looked through at its end."""
    program = textwrap.dedent("""
        import gc
        searched = []
        gc.callbacks.append(lambda phase, info: searched.append(info["generation"]))
        import symdl
        import symdl.tensor as T
        during = len(searched)
        x = T.matrix("x")
        for _ in range(5):
            x = T.tanh(x @ T.matrix())
        symdl.grad(x.sum(), x)
        print(during, searched.count(2))
    """)
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    during, of_all = map(int, said.stdout.split())
    assert during <= 20  # some hundred and more for that many objects, if it is not paused
    assert of_all == 0


def test_what_somebody_keeps_apart_from_the_collector_stays_apart() -> None:
    gc.freeze()  # as servers do before they fork
    try:
        kept = gc.get_freeze_count()
        grown_up()
        assert gc.get_freeze_count() == kept > 0
    finally:
        gc.unfreeze()
    young: list[list[int]] = [[] for _ in range(10)]
    assert any(found is young for found in gc.get_objects(generation=0))
    grown_up()
    assert not any(found is young for found in gc.get_objects(generation=0))
