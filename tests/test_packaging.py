"""What is shipped: the sdist, the wheel built from it, an editable install, and a checkout without its link."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LEFT_BEHIND = shutil.ignore_patterns(
    ".git", ".venv*", "venv*", "shared", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis"
)
TINY = (
    "import symdl, symdl.tensor as T, symdl.backends; x = T.vector('x');"
    "f = symdl.function([x], symdl.grad((x ** 2).sum(), x)); print(symdl.__file__, f([1.0, 2.0]).tolist())"
)


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run without PYTHONPATH, so that only what the test installed is found."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    return subprocess.run(
        [str(c) for c in command],
        cwd=cwd,
        text=True,
        capture_output=True,
        timeout=600,
        check=False,
        env=kept | environment,
    )


def succeed(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = run(*command, cwd=cwd, **environment)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def copy_of_checkout(to: Path) -> Path:
    """The checkout without its history and leftovers; builds write into it, so each has its own."""
    shutil.copytree(ROOT, to, symlinks=True, ignore=LEFT_BEHIND)
    return to


def build_wheel(project: Path, into: Path) -> Path:
    into.mkdir(exist_ok=True)
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    succeed(sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", into, project, cwd=into)
    (wheel,) = into.glob("*.whl")
    return wheel


def install(wheel: Path, into: Path) -> None:
    options = ["--no-deps", "--no-index", "--quiet", "--disable-pip-version-check"]
    succeed(sys.executable, "-m", "pip", "install", *options, "--target", into, wheel, cwd=into.parent)


def modules(root: Path) -> set[str]:
    """The package's files as a wheel names them, with backends in its one place."""
    link = root / "symdl" / "backends"
    found = {p.relative_to(root).as_posix() for p in (root / "symdl").rglob("*.py") if link not in p.parents}
    return found | {f"symdl/{p.relative_to(root).as_posix()}" for p in (root / "backends").rglob("*.py")}


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = copy_of_checkout(tmp_path_factory.mktemp("source") / "symdl")
    out = tmp_path_factory.mktemp("sdist")
    code = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
    succeed(sys.executable, "-c", code, out, cwd=project)
    (archive,) = out.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (project,) = folder.iterdir()
    return project


@pytest.fixture(scope="module")
def wheel(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as an installer does it that found no wheel: from the sdist."""
    project = tmp_path_factory.mktemp("from_sdist") / "symdl"
    shutil.copytree(unpacked, project)
    return build_wheel(project, tmp_path_factory.mktemp("wheel"))


def version() -> str:
    """symdl.__version__, read without importing it."""
    body = ast.parse((ROOT / "symdl" / "__init__.py").read_text(encoding="utf-8")).body
    (found,) = [
        n.value.value
        for n in body
        if isinstance(n, ast.Assign)
        and ast.unparse(n.targets[0]) == "__version__"
        and isinstance(n.value, ast.Constant)
    ]
    return str(found)


def test_sdist_holds_what_building_and_testing_need(unpacked: Path) -> None:
    held = {p.relative_to(unpacked).as_posix() for p in unpacked.rglob("*") if p.is_file()}
    assert {
        "pyproject.toml",
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "symdl/py.typed",
        "tests/conftest.py",
        "docs/stability.md",
    } <= held
    assert modules(unpacked) == modules(ROOT)
    assert not (unpacked / "symdl" / "backends").exists(), "backends would be packed twice"


def test_wheel_holds_every_module_once_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert len(names) == len(set(names))
    info = f"symdl-{version()}.dist-info/"
    data = {n for n in names if not n.startswith(info) and not n.endswith(".py")}
    assert {n for n in names if n.endswith(".py")} == modules(ROOT)
    shipped = {p.relative_to(ROOT).as_posix() for p in (ROOT / "symdl").rglob("*.safetensors")}
    cards = {p.relative_to(ROOT).as_posix() for p in (ROOT / "symdl").rglob("*.json")}
    assert data == {"symdl/py.typed"} | shipped | cards
    assert {info + "licenses/LICENSE", info + "METADATA", info + "entry_points.txt"} <= set(names)


def test_version_and_command_are_in_the_metadata(wheel: Path) -> None:
    info = f"symdl-{version()}.dist-info/"
    with zipfile.ZipFile(wheel) as archive:
        assert f"Version: {version()}\n" in archive.read(info + "METADATA").decode()
        assert "symdl = symdl.cli:main" in archive.read(info + "entry_points.txt").decode()


def test_installed_wheel_compiles(wheel: Path, tmp_path: Path) -> None:
    install(wheel, tmp_path / "site")
    out = succeed(sys.executable, "-c", TINY, cwd=tmp_path, PYTHONPATH=str(tmp_path / "site"))
    assert out.split() == [str(tmp_path / "site" / "symdl" / "__init__.py"), "[2.0,", "4.0]"]


def test_the_installed_command_runs(wheel: Path, tmp_path: Path) -> None:
    install(wheel, tmp_path / "site")
    command = tmp_path / "site" / "bin" / "symdl"
    out = succeed(sys.executable, command, "--version", cwd=tmp_path, PYTHONPATH=str(tmp_path / "site"))
    assert version() in out


def without_link(to: Path) -> Path:
    """A checkout as git makes it where it cannot make links: a text file that holds the link's target."""
    project = copy_of_checkout(to)
    link = project / "symdl" / "backends"
    link.unlink()
    link.write_text("../backends")
    return project


def dependencies(place: Path) -> str:
    """A PYTHONPATH for `python -S` that finds all that is installed here but symdl itself, whose own editable install
    would come before the copy that a test looks at."""
    place.mkdir()
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(folder).iterdir():
            if "symdl" not in entry.name.lower() and entry.suffix != ".pth":
                (place / entry.name).symlink_to(entry)
    return str(place)


def test_a_checkout_without_its_link_says_what_to_do(tmp_path: Path) -> None:
    project = without_link(tmp_path / "symdl")
    done = run(sys.executable, "-S", "-c", "import symdl", cwd=project, PYTHONPATH=dependencies(tmp_path / "site"))
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith("ImportError: symdl/backends")
    assert "pip install" in last
    assert "core.symlinks" in last


def test_a_checkout_without_its_link_installs_all_the_same(tmp_path: Path) -> None:
    wheel = build_wheel(without_link(tmp_path / "symdl"), tmp_path / "wheel")
    with zipfile.ZipFile(wheel) as archive:
        assert {n for n in archive.namelist() if n.endswith(".py")} == modules(ROOT)


def test_an_editable_install_works_with_and_without_the_link(tmp_path: Path) -> None:
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    packages = dependencies(tmp_path / "site")
    for name, project in {"link": copy_of_checkout(tmp_path / "a"), "file": without_link(tmp_path / "b")}.items():
        site = tmp_path / name
        succeed(sys.executable, "-m", "pip", "install", *options, "--target", site, "-e", project, cwd=tmp_path)
        # --target does not run .pth files; addsitedir does, as Python does for its own site-packages
        code = f"import site; site.addsitedir({str(site)!r}); {TINY}"
        out = succeed(sys.executable, "-S", "-c", code, cwd=tmp_path, PYTHONPATH=packages)
        assert out.split()[0] == str(project / "symdl" / "__init__.py"), name
