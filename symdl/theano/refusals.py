"""What Theano has and symdl has not: stand-ins that say what to do instead when a program calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symdl.errors import DtypeError, InputError

REMEDIES = {  # what it is about: the kind of error, why, what to do
    "sparse": (InputError, "symdl has no sparse matrices", "value.toarray() is dense; T.nonzero and take gather what counts."),
    "typed_list": (
        InputError, "symdl has no lists of tensors", "T.stack makes one tensor of equal ones; a Python list holds others."
    ),
    "gpuarray": (InputError, "kernels are not compiled", "Write the op's perform in Python."),
    "complex": (DtypeError, "symdl has no complex numbers", "Two real variables are the real and the imaginary part."),
    "fft": (InputError, "symdl has no Fourier transform", "theano.Op with perform and grad calls numpy.fft."),
    "linker": (InputError, "symdl has one linker, its own", "MonitorMode(pre_func, post_func) looks at every node."),
}  # fmt: skip


def refused(about: str, name: str = "") -> Callable[..., Any]:
    """A stand-in for a function, or for a class, which a program may also derive from: calling it raises the error."""
    kind, why, remedy = REMEDIES[about]

    def stand_in(*_: Any, **__: Any) -> Any:
        raise kind(f"theano.{name or about}: {why}", (), remedy)

    leaf = name.rpartition(".")[2]
    return type(leaf, (), {"__init__": stand_in}) if leaf[:1].isupper() else stand_in
