# SPDX-License-Identifier: GPL-2.0-only
"""Claims about a state, mm -> bool, or about a call, (before, call, after) -> bool; True is good.

They are written in the model's Python, so that every run can evaluate them. @always holds in every state, @step at
every call that did not stop the kernel; in `after`, anon_vmas still have the names that they have in `before`.
@sometimes must come true somewhere: it is the premise without which another claim holds for want of occasion.
"""

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple


class Property(NamedTuple):
    """The data on a property besides its code. kind: always, step or sometimes."""

    name: str
    kind: str
    on_step: bool
    premise: str | None
    doc: str

    @property
    def claim(self) -> str:
        """The claim in one sentence."""
        return " ".join(self.doc.split("\n\n")[0].split())


HERE = Path(__file__).parent
FILE_NAMES = (
    "neighbours",
    "flat_2_6/pages",
    "flat_2_6/ranges",
    "flat_2_6/mremap",
    "layout",
    "flat_2_6/reference",
    "merging",
    "sharing",
    "rmap",
    "situations",
)
COST_FILE = HERE / "cost.py"
THREADS_FILE = HERE / "threads.py"
PROCESSES_FILE = HERE / "processes.py"
FILES = tuple(HERE / f"{name}.py" for name in FILE_NAMES)  # linked with every kernel
CURRENT_PROCESSES_FILE = HERE / "flat_linux" / "processes.py"
REFERENCE = "pages_match_flat_reference"
PROPERTIES: dict[str, Property] = {}
PROCESS_PROPERTIES: dict[str, Property] = {}  # about the part of a state from model/worlds/fork_linux.py
THREAD_PROPERTIES: dict[str, Property] = {}  # about the part of a state from model/worlds/threads_2_6.py

Function = Callable[..., Any]


def file_of(name: str) -> Path:
    """The file of properties with this name, in its folder."""
    return HERE / f"{name}.py"


def rules_of(patches: Iterable[str]) -> list[Path]:
    """The files whose functions replace those of the same name, for kernels with these patches."""
    found = (HERE / "flat_linux" / f"{patch.replace('-', '_')}.py" for patch in patches)
    return [path for path in found if path.exists()]


def _mark(function: Function, kind: str, premise: Function | None) -> Function:
    name = function.__name__
    on_step = function.__code__.co_argcount == 3
    of_module = {"vmacheck.properties.threads": THREAD_PROPERTIES, "vmacheck.properties.processes": PROCESS_PROPERTIES}
    known = of_module.get(function.__module__, PROPERTIES)
    known[name] = Property(name, kind, on_step, premise.__name__ if premise else None, function.__doc__ or "")
    return function


def always(premise: Function | None = None) -> Callable[[Function], Function]:
    """Mark a claim about every state, vacuous unless `premise` is sometimes true."""
    return lambda function: _mark(function, "always", premise)


def step(premise: Function | None = None) -> Callable[[Function], Function]:
    """Mark a claim about every call, vacuous unless `premise` is sometimes true."""
    return lambda function: _mark(function, "step", premise)


def sometimes(function: Function) -> Function:
    """Mark a claim that must be true of some state, or of some call."""
    return _mark(function, "sometimes", None)


ORDER = (
    "layout",
    "flat_2_6.reference",
    "merging",
    "sharing",
    "rmap",
    "situations",
    "threads",
    "processes",
)
for _name in ORDER:  # the order of reports
    import_module(f"{__name__}.{_name}")

EVERY_PROPERTY = {**PROPERTIES, **THREAD_PROPERTIES, **PROCESS_PROPERTIES}
