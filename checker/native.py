# SPDX-License-Identifier: GPL-2.0-only
"""LLVM: assembly to machine code, kept on disk.

A build is kept under the hash of everything that it is made from: the assembly, which is made from the text of every
linked function and every bound of the scope; the processor; and LLVM's version. So a changed function is never
answered from an old build. A damaged file is built again.
"""

import ctypes
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm

_loaded: dict[str, "Library"] = {}


def cache_folder() -> Path:
    """Where builds are kept: $VMACHECK_CACHE, else vmacheck in the user's cache folder."""
    if chosen := os.environ.get("VMACHECK_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vmacheck"


class Library:
    """Machine code in memory."""

    def __init__(self, code: bytes, entries: Mapping[str, int]) -> None:
        machine = _target_machine()
        empty = llvm.parse_assembly("")
        self._engine = llvm.create_mcjit_compiler(empty, machine)
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        self._functions: dict[str, Any] = {}
        for name, arguments in entries.items():
            prototype = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * arguments)
            self._functions[name] = prototype(self._engine.get_function_address(name))

    def run(self, entry: str, *arguments: Any) -> int:
        """Call an entry with arrays, which go by address, and integers. An entry that returns nothing returns noise."""
        numbers = [argument.ctypes.data if hasattr(argument, "ctypes") else argument for argument in arguments]
        return int(self._functions[entry](*numbers))


def load(assembly: str, entries: Mapping[str, int]) -> Library:
    """The machine code of a module; entries names its functions that can be called, with their number of arguments."""
    _initialize()
    made_from = f"{llvmlite.__version__} {llvm.llvm_version_info} {_processor()} {assembly}"
    name = hashlib.sha256(made_from.encode()).hexdigest()
    if name not in _loaded:
        path = cache_folder() / f"{name[:40]}.o"
        code = _read(path)
        if code is None:
            code = _compile(assembly)
            _write(path, code)
        _loaded[name] = Library(code, entries)
    return _loaded[name]


def _initialize() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _processor() -> str:
    return f"{llvm.get_default_triple()} {llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"


def _target_machine() -> Any:
    target = llvm.Target.from_default_triple()
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True, reloc="pic", codemodel="jitdefault"
    )


def _compile(assembly: str) -> bytes:
    machine = _target_machine()
    module = llvm.parse_assembly(assembly)
    module.verify()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))


def _read(path: Path) -> bytes | None:
    """The code in a build's file, or None if there is none or it is not whole."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, code = content[:32], content[32:]
    return code if hashlib.sha256(code).digest() == digest else None


def _write(path: Path, code: bytes) -> None:
    """Keep a build, in one step, whoever else does the same. Where nothing can be kept, nothing is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(code).digest() + code)
        os.replace(temporary, path)
    except OSError:
        pass
