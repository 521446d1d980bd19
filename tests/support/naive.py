# SPDX-License-Identifier: GPL-2.0-only
"""A second opinion without code of the checker: the model's modules imported as plain Python, and the simplest search
over them. It has no linking, packed keys or renaming by the model; states are compared as nested tuples."""

import importlib
import itertools
from types import SimpleNamespace

MODULES = [
    *(f"common.{name}" for name in ("lookup", "pages", "mm")),
    *(
        f"linux_2_6.{name}"
        for name in (
            "rmap",
            "memory",
            "mmap",
            "mprotect",
            "mlock",
            "mremap",
            "madvise",
            "mempolicy",
            "fault",
            "syscall",
        )
    ),
]
PATCHES = {
    "anonmm": ["anonmm"],
    "rmap39": [],
    "andrea-aa": ["andrea", "andrea_aa"],
    "andrea-rwx": ["andrea", "andrea_rwx"],
    "rmap40": ["rmap40"],
    "one-per-mm": ["rmap40", "one_per_mm"],
    "further-afield": ["rmap40", "further_afield"],
    "linux-2.6.8": ["rmap40", "importer"],
}
VMA = ("vm_start", "vm_end", "vm_flags", "vm_pgoff", "vm_file", "vm_policy", "anon_vma", "anon_vma_node")


def load(kernel, pages, monkeypatch):
    """step(mm, call) of a kernel in an address space of `pages` pages, patched module by module."""
    base = [importlib.import_module(f"vmacheck.model.{name}") for name in MODULES]
    patches = [importlib.import_module(f"vmacheck.model.linux_2_6.patches.{name}") for name in PATCHES[kernel]]
    bounds = {"TASK_SIZE": pages, "NR_VMAS": pages, "NR_ANON_VMAS": 4 * pages, "VMA_NEW": pages + 1}
    for patch in patches:
        for name in [n for n, f in vars(patch).items() if getattr(f, "__module__", "") == patch.__name__]:
            bounds[name] = getattr(patch, name)
    for module in base + patches:
        for name, value in bounds.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)
    return importlib.import_module("vmacheck.model.linux_2_6.syscall").step


class Structs(list[SimpleNamespace]):
    """Assignment copies, as in C."""

    def __setitem__(self, index, value):
        self[index].__dict__.update(value.__dict__)


def fresh(pages):
    def structs(count, *names):
        return Structs(SimpleNamespace(**dict.fromkeys(names, 0)) for _ in range(count))

    return SimpleNamespace(
        map_count=0,
        brk=0,
        events=0,
        oops=0,
        vma=structs(pages + 2, *VMA, "was"),
        page=structs(pages, "mapcount", "mapping", "index"),
        anon_vma=structs(4 * pages + 1, "life"),
    )


def copied(mm):
    copy = SimpleNamespace(**mm.__dict__)
    for name in ("vma", "page", "anon_vma"):
        setattr(copy, name, Structs(SimpleNamespace(**item.__dict__) for item in getattr(mm, name)))
    return copy


def view(mm):
    """The state as nested tuples, with anon_vmas named in the order of first appearance."""
    names = {0: 0}
    lives = []

    def name(anon_vma):
        if anon_vma not in names:
            names[anon_vma] = len(names)
            lives.append(mm.anon_vma[anon_vma].life)
        return names[anon_vma]

    vmas = []
    for vma in mm.vma[1 : mm.map_count + 1]:
        plain = [getattr(vma, field) for field in VMA[:-2]]
        vmas.append((*plain, name(vma.anon_vma), name(vma.anon_vma_node)))
    pages = tuple((page.mapcount, name(page.mapping), page.index) for page in mm.page)
    return (tuple(vmas), pages, tuple(lives), mm.brk)


def forget_unused(mm):
    """Free the slots of unreferenced anon_vmas."""
    used = {vma.anon_vma for vma in mm.vma[1 : mm.map_count + 1]} | {page.mapping for page in mm.page}
    for number, anon_vma in enumerate(mm.anon_vma):
        if number not in used:
            assert anon_vma.life != 1, "leaked"
            anon_vma.life = 0


def reachable(step, calls, pages):
    """Every reachable state, as a view, with the fewest calls that reach it."""
    first = fresh(pages)
    found = {view(first): 0}
    border = [first]
    for depth in itertools.count(1):
        beyond = []
        for mm in border:
            for call in calls:
                after = copied(mm)
                step(after, call)
                assert after.oops == 0
                forget_unused(after)
                if view(after) not in found:
                    found[view(after)] = depth
                    beyond.append(after)
        if not beyond:
            return found
        border = beyond
