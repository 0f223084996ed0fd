"""theano.config: symdl's own options under Theano's names, and Theano's others, which are kept and have no effect."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from symdl.config import OPTIONS
from symdl.config import config as own
from symdl.errors import CudaUnavailableError
from symdl.events import logger
from symdl.runtime.devices import backend

DEFAULTS: dict[str, Any] = {
    "force_device": False, "init_gpu_device": "", "mode": "Mode", "linker": "cvm", "optimizer": "fast_run",
    "optimizer_including": "", "optimizer_excluding": "", "optimizer_requiring": "", "optimizer_verbose": False,
    "on_opt_error": "warn", "on_shape_error": "warn", "compute_test_value": "off", "compute_test_value_opt": "off",
    "print_test_value": False, "exception_verbosity": "low", "cast_policy": "custom", "int_division": "int",
    "warn_float64": "ignore", "warn_on_unused": True, "profile": False, "profile_memory": False, "profile_optimizer": False,
    "openmp": False, "openmp_elemwise_minsize": 200000, "allow_gc": True, "cxx": "g++", "compiledir": "", "base_compiledir": "",
    "pthreads": False, "print_active_device": False, "gpuarray.preallocate": 0.0, "gpuarray.sync": False, "print_global_stats": False,
    "tensor.cmp_sloppy": 0, "tensor.local_elemwise_fusion": True, "tensor.insert_inplace_optimizer_validate_nb": -1,
    "lib.amdlibm": False, "lib.cnmem": 0.0, "gpuelemwise.sync": True, "traceback.limit": 8, "traceback.compile_limit": 0,
    "experimental.unpickle_gpu_on_cpu": False, "experimental.local_alloc_elemwise": True, "numpy.seterr_all": "ignore",
    "numpy.seterr_divide": "None", "numpy.seterr_over": "None", "numpy.seterr_under": "None", "numpy.seterr_invalid": "None",
    "warn.ignore_bug_before": "all", "warn.round": False, "warn.inc_set_subtensor1": False, "warn.softmax_db": False,
    "unittests.rseed": 666, "unittest.rseed": 666, "blas.ldflags": "", "gcc.cxxflags": "", "dnn.enabled": "auto",
    "dnn.conv.algo_fwd": "small", "dnn.conv.algo_bwd_data": "none", "dnn.conv.algo_bwd_filter": "none", "nvcc.fastmath": False,
    "nvcc.flags": "", "cuda.root": "", "cuda.enabled": False, "scan.allow_gc": False, "scan.allow_output_prealloc": True,
    "scan.debug": False, "reoptimize_unpickled_function": False, "unpickle_function": True, "cycle_detection": "regular",
    "deterministic": "default", "metaopt.verbose": 0, "assert_no_cpu_op": "ignore", "conv.assert_shape": False,
    "NanGuardMode.nan_is_error": True, "NanGuardMode.inf_is_error": True, "NanGuardMode.big_is_error": True,
    "DebugMode.patience": 10, "DebugMode.check_strides": 0, "DebugMode.check_py": True, "DebugMode.check_c": True,
    "DebugMode.optimizer_verbose": False, "DebugMode.check_finite": True, "vm.lazy": "None", "ProfileMode.n_ops_to_print": 20,
    "enable_initial_driver_test": True, "cmodule.warn_no_version": False, "ctc.root": "", "check_stack_trace": "off",
    "pickle_test_value": True, "gpu.local_elemwise_fusion": True, "magma.enabled": False, "ignore_bug_before": "all",
    "compile.timeout": 240, "cache_optimizations": False, "max_threads": 1,
}  # fmt: skip


class Group:
    """Options that share the first part of their name: config.scan.allow_gc."""

    def __init__(self, flags: Flags, prefix: str) -> None:
        self.__dict__.update(_flags=flags, _prefix=prefix)

    def __getattr__(self, name: str) -> Any:
        return self._flags.value(f"{self._prefix}.{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        self._flags.put(f"{self._prefix}.{name}", value)


class Flags:
    """theano.config. floatX, on_unused_input and device are symdl.config's; THEANO_FLAGS is read once, at the start."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self.__dict__["_values"] = dict(DEFAULTS)
        for item in filter(None, environment.get("THEANO_FLAGS", "").split(",")):
            name, _, value = (part.strip() for part in item.partition("="))
            self.put(name, value)

    def value(self, name: str) -> Any:
        """The value of an option by its whole name, or a group of options. Raises AttributeError for none."""
        if name in OPTIONS:
            return getattr(own, name)
        values = self.__dict__["_values"]
        if name in values:
            return values[name]
        if not name.startswith("_") and any(known.startswith(f"{name}.") for known in values):
            return Group(self, name)
        raise AttributeError(f"theano.config has no {name!r}")

    def put(self, name: str, value: Any) -> None:
        """Set an option. Texts, as THEANO_FLAGS has them, become the type that the option has."""
        if name in OPTIONS:
            setattr(own, name, self._device(value) if name == "device" else value)
            return
        values = self.__dict__["_values"]
        before = values.get(name)
        if isinstance(value, str) and isinstance(before, bool):
            value = value.lower() in ("1", "true", "yes")
        elif isinstance(value, str) and isinstance(before, int | float):
            value = type(before)(float(value)) if value.replace(".", "", 1).lstrip("-").isdigit() else value
        values[name] = value

    def _device(self, name: Any) -> Any:
        """symdl's device for one of Theano's. As there, gpu0 and cuda are the CPU where there is no GPU, unless force_device
        is set."""
        if name == "cuda-emulated" or not str(name).startswith(("gpu", "cuda")):
            return name
        try:
            backend("cuda")
        except CudaUnavailableError as error:
            if self.__dict__["_values"]["force_device"]:
                raise
            logger.warning("theano: device=%s: functions run on the CPU: %s", name, error.head)
            return "cpu"
        return "cuda"

    def __getattr__(self, name: str) -> Any:
        return self.value(name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.put(name, value)

    @contextmanager
    def change_flags(self, changes: Mapping[str, Any] | None = None, **more: Any) -> Iterator[None]:
        """Other values inside a with block or a decorated function; dots of names may be written as two underscores."""
        wanted = {**(changes or {}), **{k.replace("__", "."): v for k, v in more.items()}}
        before = {name: self.value(name) for name in wanted}
        try:
            for name, value in wanted.items():
                self.put(name, value)
            yield
        finally:
            for name, value in before.items():
                self.put(name, value)

    def __str__(self) -> str:
        rows = [*((n, getattr(own, n)) for n in OPTIONS), *self.__dict__["_values"].items()]
        return "\n".join(f"{name} ({type(value).__name__})\n    Value:  {value}" for name, value in rows)

    __repr__ = __str__


config = Flags()
