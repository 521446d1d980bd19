# SPDX-License-Identifier: GPL-2.0-only
"""LLVM: assembly to machine code, stored on disk.

A build is stored under the hash of everything that it is made from: the assembly, which is made from the text of every
linked function and every bound of the scope; the processor; and LLVM's version. So a changed function is never
answered from an old build. A damaged build is made again.

A build that is wanted at once is unoptimised first. Another process makes the optimised one meanwhile, and is stopped
if the search ends earlier. With VMACHECK_OPTIMISE=0 nothing is optimised: most searches of tests are shorter than the
optimiser's work for them.
"""

import contextlib
import ctypes
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from vmacheck.checker.files.kept import keep, kept

BUILDS = "builds"  # the store's kind for them
BEST = 3  # the level of optimisation
PATIENCE = 0.3  # seconds that a search may take before a better build of it is begun

_loaded: dict[str, "Library"] = {}


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
    """The machine code of a module; entries: the functions that can be called, with their number of arguments."""
    level = best_level()
    name = _name(assembly, level)
    library = _kept(name, entries)
    if library is None:
        library = _keep(name, _compile(assembly, level), entries)
    return library


def best_level() -> int:
    """The level of optimisation of the best build that is wanted: 0 if VMACHECK_OPTIMISE=0 says so."""
    return 0 if os.environ.get("VMACHECK_OPTIMISE") == "0" else BEST


class Soon:
    """A module's machine code, which starts unoptimised and is swapped for the optimised build."""

    def __init__(self, assembly: str, entries: Mapping[str, int]) -> None:
        self._assembly, self._entries, self._name = assembly, entries, _name(assembly, best_level())
        self._begin, self._is_begun = time.monotonic(), False
        self._child: subprocess.Popen[bytes] | None = None
        self._files: tempfile.TemporaryDirectory[str] | None = None
        best = _kept(self._name, entries)
        if best is None and best_level() == 0:
            best = load(assembly, entries)
        self.is_best = best is not None
        quick = f"{self._name} not optimised"
        if best is None and quick not in _loaded:
            _loaded[quick] = Library(_compile(assembly, 0), entries)
        self.library = best or _loaded[quick]

    def improve(self) -> None:
        """Start the best build if that is worth it by now, and use it once it is there."""
        if self._child is None:
            if not self.is_best and not self._is_begun and time.monotonic() - self._begin >= PATIENCE:
                self._is_begun = True
                with contextlib.suppress(OSError):
                    self._child = self._start()
        elif self._child.poll() is not None:
            self._child = None
            assert self._files is not None
            with contextlib.suppress(OSError):  # it failed, or was ended
                code = Path(self._files.name, "code").read_bytes()
                self.library, self.is_best = _keep(self._name, code, self._entries), True

    def _start(self) -> "subprocess.Popen[bytes]":
        self._files = tempfile.TemporaryDirectory()
        source = Path(self._files.name, "source")
        source.write_text(self._assembly, encoding="utf-8")
        words = [
            sys.executable,
            "-P",
            "-m",
            "vmacheck.checker.compiled.native",
            str(source),
            str(source.with_name("code")),
        ]
        return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def close(self) -> None:
        """Stop a build that is under way."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        if self._files is not None:
            self._files.cleanup()


def _kept(name: str, entries: Mapping[str, int]) -> Library | None:
    """The stored build with this name, or None."""
    if name not in _loaded:
        code = kept(BUILDS, name)
        if code is None:
            return None
        _loaded[name] = Library(code, entries)
    return _loaded[name]


def _keep(name: str, code: bytes, entries: Mapping[str, int]) -> Library:
    keep(BUILDS, name, code)
    _loaded[name] = Library(code, entries)
    return _loaded[name]


def _name(assembly: str, level: int) -> str:
    _initialize()
    made_from = f"{llvmlite.__version__} {llvm.llvm_version_info} {_processor()} {level} {assembly}"
    return f"{hashlib.sha256(made_from.encode()).hexdigest()[:40]}.o"


def _initialize() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _processor() -> str:
    return f"{llvm.get_default_triple()} {llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"


def _target_machine(level: int = BEST) -> Any:
    target = llvm.Target.from_default_triple()
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=level, jit=True, reloc="pic", codemodel="jitdefault"
    )


def _compile(assembly: str, level: int = BEST) -> bytes:
    machine = _target_machine(level)
    module = llvm.parse_assembly(assembly)
    module.verify()
    if level:
        builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=level))
        builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))


if __name__ == "__main__":
    _initialize()
    source, target = map(Path, sys.argv[1:])
    code = _compile(source.read_text(encoding="utf-8"))
    target.with_suffix(".new").write_bytes(code)
    target.with_suffix(".new").replace(target)
