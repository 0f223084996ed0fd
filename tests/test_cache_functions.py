"""Functions and the cache of compiled code: what is found again and what is not, in several processes at once."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import os
import pkgutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cache_folders import files, two_and_one

import symdl
import symdl.pipeline.cache
import symdl.pipeline.provenance
import symdl.tensor as T
from symdl import config, function, shared
from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.interface import Interface
from symdl.backends.routines import Signature
from symdl.errors import IndexRangeError, ShapeError
from symdl.graph.expr import OPS, constant
from symdl.graph.walks import topological
from symdl.ir.program import Binding, Buffer, Failure
from symdl.pipeline.artifact import Artifact, BadArtifact
from symdl.pipeline.cache import Cache, current
from symdl.pipeline.compilation import Graph, found_or_compiled, key_of, lowered
from symdl.runtime.runs import native
from symdl.types import Symbol

ROOT = Path(__file__).resolve().parent.parent


def hit(f: symdl.Function) -> bool:
    """Whether the code of a new function was found: its stages were never run."""
    return f._main.form is None


def softmax_step(scale: float = 1.0) -> tuple[symdl.Function, symdl.SharedVariable]:
    x, y = T.dmatrix("x"), T.lvector("y")
    w = shared(np.arange(12.0).reshape(4, 3) / 7, "w")
    loss = -T.log(T.softmax(x @ w * scale)[T.arange(y.shape[0]), y]).mean()
    return function([x, y], loss, updates=[(w, w - 0.1 * symdl.grad(loss, w))]), w


def test_an_equal_function_is_found_and_gives_the_same_bits(folder: Path, rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(5, 4)), np.array([0, 2, 1, 1, 0])
    results = []
    for k in range(3):
        f, w = softmax_step()
        assert hit(f) == (k > 0)
        results.append([f(x, y), f(x[:2], y[:2]), w.get_value()])
    for later in results[1:]:
        for a, b in zip(results[0], later, strict=True):
            np.testing.assert_array_equal(a, b)
    assert not hit(softmax_step(2.0)[0])


def test_what_is_found_still_shows_all_its_forms(folder: Path) -> None:
    fresh, found = softmax_step()[0], softmax_step()[0]
    assert hit(found)
    for form in ("program", "llvm", "asm"):
        assert found.source(form) == fresh.source(form)
    assert str(found.lowered.program) == str(fresh.lowered.program)


def test_moved_lines_hit_and_messages_tell_the_new_ones(folder: Path) -> None:
    source = textwrap.dedent("""
        x, y, k = T.dmatrix("{0}"), T.dmatrix("{1}"), T.lvector("k")
        f = function([x, y, k], [(x + y) * 2, x[k]])
    """)
    told = []
    for moved, names in ((0, ("x", "y")), (100, ("images", "weights"))):
        scope: dict[str, Any] = {"T": T, "function": function}
        exec(compile("\n" * moved + source.format(*names), "model.py", "exec"), scope)
        f = scope["f"]
        assert hit(f) == (moved > 0)
        with pytest.raises(ShapeError) as sizes:
            f(np.zeros((2, 3)), np.zeros((2, 4)), [0])
        with pytest.raises(IndexRangeError) as index:
            f(np.zeros((2, 3)), np.zeros((2, 3)), [7])
        told.append(f"{sizes.value}\n{index.value}")
    assert "model.py:3" in told[0]
    for line, name in (("model.py:102", "images"), ("model.py:103", "weights"), ("axis -1 is 3 in images", "index 7")):
        assert line in told[1]
        assert name in told[1]
    moved_back = (
        told[1].replace("images", "x").replace("weights", "y").replace("py:102", "py:2").replace("py:103", "py:3")
    )
    assert " ".join(moved_back.split()) == " ".join(told[0].split())


def test_constants_come_back(folder: Path, rng: np.random.Generator) -> None:
    table, x = rng.normal(size=(50, 3)), T.dmatrix("x")
    y = T.dot(x, constant(table) * 2) + np.arange(3.0)
    fresh, found = function([x], y), function([x], y)
    assert hit(found)
    np.testing.assert_array_equal(fresh(np.eye(50)), found(np.eye(50)))
    np.testing.assert_array_equal(found(np.eye(50)), table * 2 + np.arange(3.0))
    other = table.copy()
    other[49, 2] = np.nextafter(other[49, 2], 9)
    assert not hit(function([x], T.dot(x, constant(other) * 2) + np.arange(3.0)))


def test_an_entry_that_is_no_artifact_is_made_anew(folder: Path) -> None:
    assert two_and_one(1.0) == 3.0
    x = T.dscalar("x")
    graph = Graph((x,), (), (2 * x + 1,), (), precision=config.precision)
    backend = native()
    assert backend.store is not None
    key = key_of(graph, tuple(topological(*graph.roots)), backend)
    assert key is not None
    good = backend.store[key]
    other = T.dvector("x")
    strange = found_or_compiled(Graph((other,), (), (2 * other + 1,), ()), backend, {}).executable
    for bad in (b"", b"x" * 100, good[:-1], good + b"y", Artifact(strange.interface, strange.code, ()).packed()):
        backend.store[key] = bad
        assert found_or_compiled(graph, backend, backend.store).form is not None
        assert backend.store[key] == good
    assert found_or_compiled(graph, backend, backend.store).form is None


def test_artifacts_come_back_whole() -> None:
    x, y = T.dmatrix("x"), T.lscalar("n")
    roots = (T.concatenate([x, x[: y * 2]]).reshape((-1, 2)), x[T.arange(4), 1])
    form = lowered(Graph((x, y), (), roots, ()))
    executable = CpuBackend().compile(form.program, [c.params["value"].array for c in form.constants])
    made = Artifact(executable.interface, executable.code, (3, np.zeros((0, 2), "float32"), np.arange(4)))
    kept = made.interface.plain()
    assert type(made.interface).from_plain(json.loads(json.dumps(kept))) == made.interface
    for part, names in ((Buffer, "name dtype shape kind"), (Binding, "symbol buffer axis"), (Failure, "text source"),
                        (Interface, "buffers bindings failures libraries routines"), (Symbol, "name serial signed"),
                        (Signature, "views results source")):  # fmt: skip
        assert " ".join(f.name for f in dataclasses.fields(part)) == names, "Interface.plain has to tell of this, too"
    with pytest.raises(BadArtifact):  # this interface has no such constants
        Artifact.unpacked(made.packed())


def test_switched_off(folder: Path) -> None:
    for off in ({"cache_dir": ""}, {"cache_size": 0}):
        with config.change(**off):
            assert current() is None
            assert two_and_one(1.0) == 3.0
            x = T.dscalar("x")
            assert not hit(function([x], 2 * x + 1))
    assert files(folder) == []


def test_another_version_or_machine_never_meets_the_code(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = T.dscalar("x")
    graph = Graph((x,), (), (2 * x + 1,), ())
    nodes = tuple(topological(*graph.roots))
    keys = {
        key_of(graph, nodes, b) for b in (CpuBackend(), CpuBackend("x86-64-v3", "+avx2,+fma"), CpuBackend("x86-64", ""))
    }
    assert len(keys) == 3
    assert two_and_one(1.0) == 3.0
    here = current()
    assert here is not None
    monkeypatch.setattr(symdl.pipeline.cache, "provenance", lambda kept, passed: "an edited source")
    other = current()
    assert other is not None
    assert len(here) > 0
    assert len(other) == 0


def test_provenance_reads_every_source_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.py", "ops/b.py", "ops/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
        os.utime(tmp_path / name, (1, 1))
    monkeypatch.setattr(symdl.pipeline.provenance, "__file__", str(tmp_path / "pipeline" / "provenance.py"))
    fresh = symdl.pipeline.provenance.provenance.__wrapped__
    seen = [fresh()]
    (tmp_path / "ops/notes.txt").write_text("y")
    assert fresh() == seen[0]
    for name, text in (("ops/b.py", "x = 2\n"), ("a.py", "x = 2\n")):
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, (1, 1))
        seen.append(fresh())
    os.rename(tmp_path / "a.py", tmp_path / "c.py")
    seen.append(fresh())
    assert "" not in seen
    assert len(set(seen)) == 4
    os.utime(tmp_path / "c.py", (time.time() + 9,) * 2)  # edited while this process runs
    assert fresh() == ""
    with config.change(cache_dir=str(tmp_path / "cache")):
        monkeypatch.setattr(symdl.pipeline.cache, "provenance", fresh)
        untold = current()
        assert untold is not None
        untold["a"] = b"1"
        assert (untold.get("a"), len(untold), files(tmp_path / "cache")) == (None, 0, [])


def test_provenance_is_remembered_until_a_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symdl.pipeline.provenance, "__file__", str(tmp_path / "pipeline" / "provenance.py"))
    fresh = symdl.pipeline.provenance.provenance.__wrapped__
    kept: dict[str, bytes] = {}
    (tmp_path / "a.py").write_text("x = 1\n")
    os.utime(tmp_path / "a.py", (1, 1))
    first = fresh(kept)
    assert first == fresh()
    ((stamp, _),) = kept.items()
    kept[stamp] = b"remembered"
    assert fresh(kept) == "remembered"
    changed = os.stat(tmp_path / "a.py").st_ctime_ns
    while os.stat(tmp_path / "a.py").st_ctime_ns == changed:  # until the clock of the file system ticks
        (tmp_path / "a.py").write_text("x = 2\n")
        os.utime(tmp_path / "a.py", (1, 1))  # as old and as long as before
    assert fresh(kept) == fresh() not in ("", first, "remembered")


def test_the_sources_of_the_running_symdl_are_known() -> None:
    found = [p for p, _ in symdl.pipeline.provenance.sources(os.path.dirname(symdl.__file__))]
    names = [os.path.basename(p) for p in found]
    assert {"expr.py", "assembler.py", "exponential.py", "reading.py", "elementwise.py"} <= set(names)
    assert len(names) == len(set(found)) > 100


def test_no_op_is_declared_above_the_sources_that_code_depends_on() -> None:
    """Of the packages whose text no key tells: code depends on them through the ops of a graph alone."""
    top = os.path.dirname(symdl.__file__)
    told = {os.path.abspath(p) for p, _ in symdl.pipeline.provenance.sources(top)}
    for name in symdl.pipeline.provenance.ABOVE:
        package = importlib.import_module(f"symdl.{name}")
        for _, module, _ in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.endswith("__main__"):
                importlib.import_module(module)
        assert f"{top}/{name}/__init__.py" not in told
    rules = [rule for op in OPS.values() for rule in (op.infer, op.expand, op.definition, op.reference) if rule]
    files = {inspect.unwrap(rule).__code__.co_filename for rule in rules if hasattr(inspect.unwrap(rule), "__code__")}
    own = {os.path.abspath(f) for f in files if f.startswith(top)}
    assert len(own) > 20
    assert own <= told


def test_what_code_depends_on_needs_nothing_above() -> None:
    """Nor what is for GPUs alone, even where something is compiled."""
    made = "import sys, symdl, symdl.tensor as T; x = T.dvector(); symdl.function([x], symdl.grad(T.exp(x).sum(), x))"
    done = subprocess.run(
        [sys.executable, "-c", f"{made}; print(*sys.modules)"], capture_output=True, text=True, check=True,
        env={**os.environ, "SYMDL_FLAGS": "", "SYMDL_CACHE_DIR": ""},
    )  # fmt: skip
    names = [name.split(".")[1:] for name in done.stdout.split() if name.startswith("symdl.")]
    packages, backends = (
        {name[0] for name in names},
        {name[1] for name in names if len(name) > 1 and name[0] == "backends"},
    )
    assert {"pipeline", "lowering"} <= packages
    assert "llvm" in backends
    assert packages.isdisjoint(symdl.pipeline.provenance.ABOVE)
    assert backends.isdisjoint(symdl.pipeline.provenance.GPU)


PROGRAM = """
    import itertools, os, sys
    import numpy as np
    import symdl, symdl.tensor as T
    for k in itertools.count():
        x = T.dvector("x")
        f = symdl.function([x], T.tanh(x).sum() + k % 3)
        assert abs(f(np.arange(5.0)) - np.tanh(np.arange(5.0)).sum() - k % 3) < 1e-12
        if k >= 8 and (os.path.exists(sys.argv[1]) or k == 10_000):
            break
    print("done")
"""


def test_several_processes_at_once_while_one_clears(folder: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SYMDL_CACHE_DIR": str(folder), "SYMDL_FLAGS": ""}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path / "enough")],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    cleared = 0
    while any(p.poll() is None for p in running):
        cleared += Cache(str(folder), 1 << 20).clear()
        if cleared > 10:
            (tmp_path / "enough").touch()
        time.sleep(0.01)
    for process in running:
        out, err = process.communicate()
        assert (process.returncode, out, err) == (0, "done\n", "")
    assert cleared > 10
    assert not [f for f in files(folder) if f.suffix != ".code"]
