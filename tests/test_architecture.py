"""The architecture, kept by a test: imports point one way, the compile path stays light, every package is listed."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import symdl

ROOT = Path(__file__).resolve().parent.parent

# What each part may import, besides what those parts may import themselves. Two columns know nothing of each other:
# the mathematics (expr .. gradient) and the machine (loops .. backends); fuse and lower join them.
MAY_IMPORT: dict[str, list[str]] = {
    "errors": [],
    "records": [],
    "types": ["errors", "records"],
    "config": ["errors", "records"],
    "methods": ["errors"],
    "extras": ["errors"],
    "turns": ["errors"],
    "philox": [],
    "convolution": [],
    "number_forms": [],
    "semantics": [],
    "irrationals": [],
    "form_arithmetic": ["number_forms"],
    "provenance": [],
    "cache": ["config", "provenance"],
    # mathematics: what is computed
    "origins": [],
    "expr": ["types", "methods", "number_forms", "irrationals", "origins"],
    "walks": ["expr"],
    "packing": ["walks"],
    "bodies": ["packing"],
    "clock": ["expr"],
    "ops": ["bodies", "config", "convolution", "philox"],
    "rewrite": ["ops"],
    "evaluate": ["rewrite", "form_arithmetic"],
    "dims": ["rewrite"],
    "digest": ["bodies", "ops"],
    "meaning": ["rewrite", "convolution"],
    "rules": ["rewrite"],
    "gradient": ["rules", "bodies"],
    "batching": ["rewrite", "vectorized"],
    "loop_parts": ["rewrite"],
    "unrolled": ["loop_parts"],
    "branches": ["loop_parts"],
    "motion": ["batching", "branches"],
    "loop_gradients": ["gradient"],
    # machine: how it is computed
    "loops": ["types"],
    "program": ["loops", "convolution", "number_forms"],
    "rebuilding": ["loops"],
    "renaming": ["program", "rebuilding"],
    "memory": ["renaming"],
    "arena": ["renaming", "number_forms"],
    "patches": ["memory"],
    "schedule": ["memory", "arena"],
    "epilogues": ["renaming"],
    "costs": ["program", "number_forms"],
    "events": [],
    "columns": [],
    "flat": ["renaming"],
    "column_sums": ["flat"],
    "column_choices": ["column_sums"],
    "whole_columns": ["column_sums"],
    "short_columns": ["column_sums"],
    "narrow_rows": ["column_sums"],
    "rounds": ["loops"],
    "parallel": ["rounds", "column_choices", "whole_columns", "short_columns", "narrow_rows"],
    "backends": ["arena", "parallel", "epilogues", "config", "philox", "events", "extras", "form_arithmetic"],
    # the bridge
    "lower": ["ops", "program"],
    "stored": ["lower"],
    "nests": ["stored", "number_forms", "column_choices"],
    "apart": ["nests"],
    "fuse": ["apart", "memory"],
    "regions": ["fuse"],
    # what a user sees
    "inputs": ["expr"],
    "residence": ["turns"],
    "storage": ["ops", "inputs", "residence"],
    "collector": [],
    "artifact": ["backends"],
    "compilation": [
        "artifact",
        "collector",
        "digest",
        "events",
        "dims",
        "meaning",
        "rules",
        "motion",
        "unrolled",
        "regions",
        "patches",
        "schedule",
        "epilogues",
        "column_sums",
        "column_choices",
        "whole_columns",
        "short_columns",
        "narrow_rows",
        "parallel",
        "backends",
    ],
    "signature": ["compilation", "storage"],
    "loop_names": ["ops"],
    "failures": ["dims", "evaluate", "inputs", "loop_names", "backends"],
    "titles": ["compilation"],
    "sources": ["titles"],
    "profile": ["titles", "columns", "costs"],
    "gpu_profile": ["profile"],
    "devices": ["cache", "backends"],
    "runs": ["devices", "compilation", "failures", "evaluate"],
    "segments": ["runs", "failures"],
    "formulas": ["ops"],
    "reasons": ["compilation", "formulas", "columns"],
    "exact_numbers": ["ops", "form_arithmetic"],
    "double_double": ["runs"],
    "demand": ["evaluate"],
    "shadow": ["demand", "exact_numbers", "double_double"],
    "sampling": ["dims", "evaluate", "inputs"],
    "stability_tables": ["columns"],
    "stability": ["stability_tables", "shadow", "sampling", "reasons", "segments", "signature"],
    "nan_guard": ["config", "errors"],
    "nan_origin": ["shadow", "reasons", "storage", "nan_guard", "loop_names"],
    "functions": [
        "segments",
        "gpu_profile",
        "sources",
        "latex",
        "signature",
        "gradient",
        "nan_origin",
        "stability",
    ],
    "sweeps": ["functions"],
    "printing": ["functions", "reasons", "formulas", "columns"],
    "layout": [],
    "latex": ["ops"],
    "pictures": ["printing", "layout", "titles", "storage"],
    "variables": ["ops"],
    "linalg": ["ops"],
    "replacing": ["ops", "bodies"],
    "vectorized": ["replacing"],
    "extending": ["replacing", "gradient"],
    "gradient_check": ["functions"],
    "jacobians": ["vectorized", "gradient"],
    "random": ["ops", "storage", "clock"],
    "scanning": ["ops", "storage", "clock"],
    "control": ["loop_gradients", "scanning"],
    "tensor": ["linalg", "gradient", "jacobians", "variables", "storage", "random"],
    "interop": ["tensor", "functions", "extras"],
    "nn": ["control", "tensor", "functions", "sweeps", "interop", "plot"],
    "datasets": ["extras"],
    "images": ["extras"],
    "plot": ["tensor", "functions", "extras"],
    "zoo": ["nn", "datasets", "images"],
    "sklearn": ["zoo"],
    "distributed": ["nn"],
    "doctor": ["tensor", "functions", "extras"],
    "theano": ["tensor", "control", "extending", "gradient_check", "functions", "pictures", "printing"],
    "cli": ["zoo", "distributed", "doctor", "printing"],
    "__main__": ["cli"],
    "verify": ["gradient", "evaluate", "interop"],
    "__init__": ["control", "extending", "gradient_check", "functions", "interop", "pictures", "printing", "tensor"],
}
# verify stands outside: tests, reports and authors of rules use it, the compile path never does.
OUTSIDE = {"verify"}

# Imports under `if TYPE_CHECKING`: annotations that name what the other file builds on this one. No others.
TYPES_ONLY = {("symdl.graph.methods", "symdl.graph.expr")}

# What a function may import: third-party, absent on some machines or slow to load (scipy.special), or what errors alone ask (difflib).
# Of symdl itself: what explains a function that somebody has made, loaded by the methods that show it.
EXPLAINING = ("symdl.diagnosis", "symdl.notation", "symdl.profiling")
LAZY = {"difflib", "jax", "matplotlib", "mpmath", "pycuda", "rich", "safetensors", "scipy", "sklearn", "sympy", "torch"}

BANNED_NAMES = re.compile(r"(?:^|_)(?:commons?|[h]elpers?|managers?|misc|stuff|tools|utils?)(?:_|$)")
SUFFIXES = {".py", ".md", ".toml", ".in", ".yaml", ".yml", ".json", ".txt", ".typed", ""}


# Packages whose modules each have a place of their own in the table above; every other folder is one part.
PACKAGES = {
    "graph", "passes", "derivatives", "notation", "ir", "lowering", "pipeline", "runtime", "profiling", "diagnosis", "display",
}  # fmt: skip


def part(name: str) -> str:
    """The part of the architecture that a module belongs to: symdl.graph.expr is expr, symdl.nn.layers is nn."""
    first, *rest = name.removeprefix("symdl").lstrip(".").split(".")
    return rest[0] if rest and first in PACKAGES else first or "__init__"


def layer(path: Path) -> str:
    """The part that a file belongs to."""
    return part(module(path))


@pytest.mark.parametrize("root", ["symdl", "symdl.backends"])
def test_packages_point_one_way(root: str) -> None:
    """What holds for modules holds for the packages that they lie in: none needs another that needs it."""
    graph: dict[str, set[str]] = {}
    head = f"{root}."
    for path in sources():
        here = module(path).removeprefix(head).split(".")[0]
        for _, name in imported(path):
            there = name.removeprefix(head).split(".")[0]
            if module(path).startswith(head) and name.startswith(head) and here != there:
                graph.setdefault(here, set()).add(there)
    assert len(graph) > 10
    tuple(graphlib.TopologicalSorter(graph).static_order())


def module(path: Path) -> str:
    """The name under which a file is imported."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] == "backends":
        parts.insert(0, "symdl")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def sources() -> tuple[Path, ...]:
    """Every file of the package, each once: backends/ itself, not through the link."""
    link = ROOT / "symdl" / "backends"
    found = [p for p in (ROOT / "symdl").rglob("*.py") if link not in p.parents]
    return tuple(sorted([*found, *(ROOT / "backends").rglob("*.py")]))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of every import in a file; `from symdl import expr` names symdl.graph.expr."""
    known = {module(p) for p in sources()}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [n if (n := f"{node.module}.{a.name}") in known else node.module for a in node.names]
        else:
            continue
        yield from ((node.lineno, n) for n in dict.fromkeys(names) if (module(path), n) not in TYPES_ONLY)


@cache
def allowed(part: str) -> frozenset[str]:
    return frozenset(p for direct in MAY_IMPORT.get(part, ()) for p in {direct, *allowed(direct)})


def test_the_tree_was_found() -> None:
    """The other tests loop over sources(): an empty list would pass them all."""
    names = {module(p) for p in sources()}
    assert {"symdl", "symdl.errors", "symdl.graph.expr", "symdl.ops", "symdl.rules", "symdl.backends"} <= names


def test_every_part_has_its_place() -> None:
    assert {layer(p) for p in sources()} - PACKAGES <= set(MAY_IMPORT)  # the head of a package is its docstring


def test_the_table_itself_points_one_way() -> None:
    tuple(graphlib.TopologicalSorter(MAY_IMPORT).static_order())
    mathematics = {"expr", "ops", "rewrite", "evaluate", "dims", "meaning", "rules", "gradient", "variables"}
    machine = {"loops", "program", "memory", "arena", "parallel", "backends"}
    for part in mathematics:
        assert not allowed(part) & (machine | {"fuse", "lower"})
    for part in machine:
        assert not allowed(part) & (mathematics | {"fuse", "lower"})
    for part in set(MAY_IMPORT) - OUTSIDE:
        assert not allowed(part) & OUTSIDE


def test_imports_point_one_way() -> None:
    wrong = []
    for path in sources():
        here = layer(path)
        for line, name in imported(path):
            if name.split(".")[0] != "symdl":
                continue
            there = part(name)
            same_folder = here == there and path.parent != ROOT / "symdl"
            if not same_folder and there not in allowed(here):
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {here} imports {there}")
    assert wrong == []


def test_no_import_cycle_between_files() -> None:
    """Also inside a folder, and also for imports that only type checkers follow."""
    names = {module(p) for p in sources()}
    graph = {module(p): {n for _, n in imported(p) if n in names} - {module(p)} for p in sources()}
    for package in [n for n in names if any(other.startswith(n + ".") for other in names)]:
        for user in graph:  # a package's __init__ is loaded before its parts, but the parts need not know it
            if user.startswith(package + "."):
                graph[user].discard(package)
    tuple(graphlib.TopologicalSorter(graph).static_order())


def test_imports_are_absolute_and_backends_has_one_name() -> None:
    for path in sources():
        for node in ast.walk(tree(path)):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}:{node.lineno}: relative import"
        for _, name in imported(path):
            assert name.split(".")[0] != "backends", f"{path}: `backends` works only from the root: symdl.backends"


def test_imports_stand_at_the_top() -> None:
    """Inside a function only optional third-party packages and what errors ask, with a comment on the line or above it."""
    wrong = []
    for path in sources():
        lines = path.read_text(encoding="utf-8").splitlines()
        for function in ast.walk(tree(path)):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            for node in ast.walk(function):
                if not isinstance(node, ast.Import | ast.ImportFrom):
                    continue
                heads = (
                    {a.name.split(".")[0] for a in node.names}
                    if isinstance(node, ast.Import)
                    else {(node.module or "").split(".")[0]}
                )
                if module(path) == "symdl.functions" and isinstance(node, ast.ImportFrom):
                    heads -= {"symdl"} if (node.module or "").startswith(EXPLAINING) else set()
                said = "#" in lines[node.lineno - 1] or lines[node.lineno - 2].lstrip().startswith("#")
                if not heads <= LAZY or not said:
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {lines[node.lineno - 1].strip()}")
    assert wrong == []


def test_files_open_with_a_docstring() -> None:
    everything = [
        *sources(),
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "examples").rglob("*.py"),
        *(ROOT / "benchmarks").rglob("*.py"),
    ]
    assert [str(p.relative_to(ROOT)) for p in everything if not ast.get_docstring(tree(p))] == []


def test_files_are_named_for_their_subject() -> None:
    for folder in ("symdl", "backends", "tests", "examples", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            for part in path.relative_to(ROOT).with_suffix("").parts:
                assert not BANNED_NAMES.search(part), path


def test_files_are_small() -> None:
    """A file has one subject; past 700 lines it has two."""
    long = {
        str(p.relative_to(ROOT)): n for p in sources() if (n := len(p.read_text(encoding="utf-8").splitlines())) > 700
    }
    assert long == {}


def test_every_package_is_listed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    on_disk = {module(p) for p in sources() if p.name == "__init__.py"}
    assert set(settings["packages"]) == on_disk
    folders = {p.parent for p in sources()}
    assert {f for f in folders if not (f / "__init__.py").exists()} == set()


def test_the_link_is_tracked_as_a_link() -> None:
    link = ROOT / "symdl" / "backends"
    assert link.is_symlink()
    assert link.readlink() == Path("../backends")


def test_the_symdl_of_these_tests_has_one_copy_of_backends() -> None:
    code = "import symdl.backends, sys; print([m for m in sys.modules if m.split('.')[0] == 'backends'])"
    assert run(code).strip() == "[]"


@pytest.mark.parametrize("module_name", ["symdl", "symdl.tensor"])
def test_import_is_light(module_name: str) -> None:
    """sympy, mpmath and scipy.special cost 0.1 to 0.6 s each; a user who adds two vectors does not pay for them."""
    heavy = [
        "sympy",
        "mpmath",
        "sklearn",
        "scipy.special",
        "scipy.optimize",
        "scipy.sparse",
        "numpy.ma",
        "numpy.random",
        "importlib.metadata",
        "rich",
        "torch",
        "jax",
        "matplotlib",
        "pycuda",
        "safetensors",
        "symdl.display.printing",  # what shows
        "symdl.notation.formulas",
        "symdl.notation.latex",
        "symdl.diagnosis.stability",
    ]
    old = "import sys, numpy; old = set(sys.modules)"  # what NumPy itself loads differs from version to version
    code = f"{old}; import {module_name}; print([m for m in {heavy} if m in sys.modules and m not in old])"
    assert run(code).strip() == "[]"


@pytest.mark.parametrize(
    "formula",
    [
        "T.exp(x).sum()",
        "T.correlate(x.reshape((1, 1, 1, -1)) * 2, T.ones((1, 1, 1, 1)))",
        "symdl.scan(lambda row, s: s + row, x, x.sum() * 0)[0]",
    ],
)
def test_a_function_is_made_and_called_without_what_explains_it(formula: str) -> None:
    code = f"import sys, symdl, symdl.tensor as T; x = T.dvector('x'); symdl.function([x], {formula})([1.0])"
    said = run(
        f"{code}; print(sorted(m for m in sys.modules if m.startswith(('symdl.diagnosis', 'symdl.notation', 'symdl.profiling'))))"
    )
    assert ast.literal_eval(said) == ["symdl.diagnosis", "symdl.diagnosis.nan_guard"]


def test_what_is_loaded_later_is_what_type_checkers_read() -> None:
    (block,) = (b for b in tree(ROOT / "symdl" / "__init__.py").body if isinstance(b, ast.If) and b.orelse)
    read = {n.module: tuple(a.name for a in n.names) for n in block.body if isinstance(n, ast.ImportFrom)}
    table = next(n for n in block.orelse if isinstance(n, ast.Assign))
    assert ast.literal_eval(table.value) == read
    assert set(symdl.__all__) <= set(dir(symdl))
    for names in read.values():
        assert set(names) <= set(symdl.__all__)
        assert all(callable(getattr(symdl, name)) for name in names)


@pytest.mark.parametrize(
    ("ask", "answer"),
    [("x.eval({x: 2})", "2.0"), ("(x + 1)._repr_latex_()", "$\\displaystyle x + 1$"), ("short(x + 1)", "x + 1")],
)
def test_what_methods_need_is_loaded_when_they_are_called(ask: str, answer: str) -> None:
    head = "import symdl.tensor as T; from symdl.graph.expr import short; x = T.dscalar('x')"
    assert run(f"{head}; print({ask})").strip() == answer


def test_a_name_that_there_is_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'symdl' has no attribute 'functoin'"):
        symdl.functoin  # type: ignore[attr-defined]  # noqa: B018  # that there is no such name is what is tested


def test_provenance_is_there_from_the_start() -> None:
    """What is edited later is not what runs, and meets no cache: so says the time at which that file is loaded."""
    assert run("import sys, symdl; print('symdl.pipeline.provenance' in sys.modules)").strip() == "True"


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, text=True, capture_output=True, cwd=ROOT, timeout=600
    ).stdout


def written() -> Iterator[Path]:
    """Every text file of the project that a person wrote."""
    yield from (p for p in ROOT.iterdir() if p.is_file() and p.suffix in SUFFIXES)
    for folder in ("symdl", "backends", "tests", "examples", "benchmarks", "docs", ".ci"):
        link = ROOT / "symdl" / "backends"
        yield from (
            p
            for p in (ROOT / folder).rglob("*")
            if p.is_file()
            and p.suffix in SUFFIXES
            and link not in p.parents
            and not any(q.startswith("venv") for q in p.parts)
        )


# One letter of each in brackets, so that this file does not match itself.
PLACES = r"(?:^|[\s\"'`(=])(?:/[r]oot/|/[h]ome/|/[U]sers/|/[w]ork/|[A-Z]:\\\\?[U]sers)"
HOSTS = r"[p]ypi\.org|[p]ythonhosted|[n]pmjs|[a]rtifactory|[/]opt/wheels"
WORDS = r"(?i)(?<!`)\b(?:[a]gents?|[s]ubagents?|[s]essions?|[h]elpers?|[a]ssistants?|[h]ouse rules|[l]anguage model|[c]oworkers?)\b"


@pytest.mark.parametrize("pattern", [PLACES, HOSTS, WORDS], ids=["machine paths", "registry hosts", "words"])
def test_the_text_speaks_of_the_project_only(pattern: str) -> None:
    """No path of one machine, no registry's address, nothing about who wrote it or where."""
    found = []
    for path in written():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(pattern, line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_imports_for_annotations_stand_under_type_checking() -> None:
    for user, used in TYPES_ONLY:
        (path,) = [p for p in sources() if module(p) == user]
        guarded = [
            node.module
            for block in tree(path).body
            if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
            for node in block.body
            if isinstance(node, ast.ImportFrom)
        ]
        assert used in guarded
