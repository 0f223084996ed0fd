"""Optional packages: the one place that imports them, and that names the command when one is missing."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from typing import Any

from symdl.errors import MissingDependencyError

# the module that is imported -> (the distribution on the package index, the extra of symdl that brings it)
EXTRAS: dict[str, tuple[str, str]] = {
    "sklearn": ("scikit-learn", "zoo"),
    "safetensors": ("safetensors", "zoo"),
    "rich": ("rich", "zoo"),
    "PIL": ("Pillow", "zoo"),
    "threadpoolctl": ("threadpoolctl", "zoo"),
    "matplotlib": ("matplotlib", "plot"),
    "tensorboardX": ("tensorboardX", "tensorboard"),
    "mpi4py": ("mpi4py", "mpi"),
    "pycuda": ("pycuda", "cuda"),
    "cuda.bindings": ("cuda-bindings", "cuda-wheels"),
    "nvmath": ("nvmath-python", "cublas"),
}


def load(module: str, purpose: str) -> Any:
    """The module of an optional package, imported now: `load("sklearn.datasets", "the digits")`.

    Raises MissingDependencyError with the command to run when the package is not installed. An optional package that
    is installed but fails to import raises its own ImportError: installing it again is not known to help.
    """
    package = next((p for p in EXTRAS if module == p or module.startswith(f"{p}.")), module.partition(".")[0])
    if not installed(package):
        distribution, extra = EXTRAS[package]
        raise MissingDependencyError(
            f"{purpose}: the package {distribution} is not installed", (), f'pip install "symdl[{extra}]"'
        )
    return importlib.import_module(module)


def installed(package: str) -> bool:
    """Whether an optional package can be imported, without importing it."""
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of a package that it is a part of
        return False


def own_version() -> str:
    """The version of symdl that is running; its installed metadata may be of another checkout."""
    return str(sys.modules["symdl"].__version__)  # the package, which no part of it may import, is loaded by now


def version(package: str) -> str:
    """The installed version of an optional package's distribution, "" when it is not installed."""
    metadata = importlib.import_module("importlib.metadata")  # slow: it loads the package email
    try:
        return str(metadata.version(EXTRAS[package][0]))
    except metadata.PackageNotFoundError:
        return ""
