# SPDX-License-Identifier: GPL-2.0-only
"""The kernel name auto: the model of the running kernel, by its release, its configuration, and what it shows.

A running kernel without a model gets the nearest one. Kernels before the first that is modelled, and systems other
than Linux, get the newest.
"""

import ctypes
import errno
import gzip
import mmap
import platform
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vmacheck.checker.kernels.btf import Btf, KernelError
from vmacheck.model.linux.mm import MADV_GUARD_INSTALL

AUTO = "auto"
CONFIG = Path("/proc/config.gz")
OVERCOMMIT = Path("/proc/sys/vm/overcommit_memory")
SMAPS = Path("/proc/self/smaps")
# options without which a kernel refuses calls that the model runs
NEEDED = {
    "CONFIG_KSM": "madvise MERGEABLE",
    "CONFIG_TRANSPARENT_HUGEPAGE": "madvise HUGEPAGE",
    "CONFIG_NUMA": "mbind",
    "CONFIG_64BIT": "mseal",
}
WITHOUT_FIX = "linux-6.16+mremap-many"
STICKY = "linux-6.18+sticky"
NEWEST = STICKY
OLDEST = (6, 12, 0)
MAINLINE_FIX = 35  # the first 6.18.y in which the fix of January 2026 was read; in 6.18.3 it was not
LAST_WITHOUT_FIX = 3
RELEASE = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
CHAINS = (2, 6, 34)  # the first release with anon_vma chains


@dataclass(frozen=True)
class Real:
    """Facts about a real kernel; None means unknown.

    has_fix: does mremap hand over an anon_vma (the fix of January 2026)? has_maybe_guard: is there VM_MAYBE_GUARD?
    config: the CONFIG_ options that are set, if readable. never_overcommits: then NORESERVE is ignored.
    """

    release: str
    has_fix: bool | None = None
    has_maybe_guard: bool | None = None
    config: frozenset[str] | None = None
    never_overcommits: bool = False


@dataclass(frozen=True)
class Chosen:
    """The model kernel for a real one: the reason, and the differences if it is only the nearest."""

    kernel: str
    real: str
    why: str
    but: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Lines for the user: the model, the reason, and whether it is only the nearest."""
        said = [f"model kernel: {self.kernel}, for Linux {self.real}: {self.why}"]
        return said + ([f"only the nearest that there is: {'; '.join(self.but)}"] if self.but else [])


def version_of(release: str) -> tuple[int, int, int]:
    """The numbers 6, 18, 44 of 6.18.44-something. Raises KernelError."""
    match = RELEASE.match(release)
    if match is None:
        raise KernelError(f"'{release}' is no release of Linux: name the model kernel")
    return int(match[1]), int(match[2]), int(match[3] or 0)


# ---- what is known -------------------------------------------------------------------------------


def _has_fix() -> bool | None:
    """Does struct vma_merge_struct have the member that the fix added? Read from BTF."""
    try:
        btf = Btf()
        btf.offset("vma_merge_struct", "vm_flags" if _is_there(btf, "vm_flags") else "flags")
    except KernelError:
        return None
    return _is_there(btf, "copied_from")


def _is_there(btf: Btf, member: str) -> bool:
    try:
        btf.offset("vma_merge_struct", member)
    except KernelError:
        return False
    return True


def _has_maybe_guard() -> bool | None:
    """Does smaps say so of a vma in which guards were installed? None if it cannot be tried."""
    try:
        with mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as mapping:
            mapping.madvise(MADV_GUARD_INSTALL)
            view = ctypes.c_char.from_buffer(mapping)
            start = ctypes.addressof(view)
            del view
            return "gu" in _vm_flags_at(start)
    except OSError as error:
        return False if error.errno == errno.EINVAL else None
    except (AttributeError, ValueError):
        return None


def _vm_flags_at(address: int) -> list[str]:
    """The VmFlags that smaps shows for the vma at this address. Raises OSError, and ValueError if they are missing."""
    is_it = False
    for line in SMAPS.read_text().splitlines():
        if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            is_it = int(found[1], 16) <= address < int(found[2], 16)
        elif is_it and line.startswith("VmFlags:"):
            return line.split()[1:]
    raise ValueError("no VmFlags")


def _config() -> frozenset[str] | None:
    try:
        lines = gzip.decompress(CONFIG.read_bytes()).decode().splitlines()
    except (OSError, EOFError, UnicodeDecodeError):
        return None
    return frozenset(line.partition("=")[0] for line in lines if re.match(r"CONFIG_\w+=[ym]$", line))


def _never_overcommits() -> bool:
    try:
        return OVERCOMMIT.read_text().strip() == "2"
    except OSError:
        return False


# ---- choosing ------------------------------------------------------------------------------------


def choose(real: Real) -> Chosen:
    """The model kernel for a real one, or the nearest. Raises KernelError for a release without numbers."""
    version = version_of(real.release)
    kernel, why, but = _of_old(version) if version < (6, 12, 0) else _of_today(version[:2])(real, version[2])
    return Chosen(kernel, real.release, why, (*but, *_by_config(real)))


def _of_old(version: tuple[int, int, int]) -> tuple[str, str, list[str]]:
    if version == (2, 6, 8):
        return "linux-2.6.8", "the same release", []
    if version < CHAINS:
        return "linux-2.6.8", "a kernel without anon_vma chains", ["of those only 2.6.8 is modelled"]
    return "linux-6.12", "a kernel with anon_vma chains", ["none before 6.12 is modelled"]


Choice = Callable[[Real, int], tuple[str, str, list[str]]]
NEVER_COMPARED = "it was never compared with a real one"


def _of_today(version: tuple[int, int]) -> Choice:
    """The choice for a release of 6.12 or later."""
    known: dict[tuple[int, int], Choice] = {
        (6, 12): lambda _real, _patch: ("linux-6.12", "the same release", []),
        (6, 13): _with_guards,
        (6, 14): _with_guards,
        (6, 15): lambda _real, _patch: ("linux-6.12+guard-regions", "6.12 with guard regions", [NEVER_COMPARED]),
        (6, 16): lambda _real, _patch: ("linux-6.16", "the same release", [NEVER_COMPARED]),
        (6, 17): lambda _real, _patch: (WITHOUT_FIX, "6.16 with mremap of many vmas", [NEVER_COMPARED]),
        (6, 18): _of_6_18,
    }
    return known.get(version, _of_later)


def _with_guards(_real: Real, _patch: int) -> tuple[str, str, list[str]]:
    lacks = "its guard regions are in files, too, which came with 6.15"
    return "linux-6.12+guard-regions", "6.12 with guard regions", [lacks, NEVER_COMPARED]


def _of_6_18(real: Real, patch: int) -> tuple[str, str, list[str]]:
    """6.18: with the fix of January 2026 or without; with VM_MAYBE_GUARD or without."""
    fix, but = real.has_fix, []
    because = "its BTF has vma_merge_struct.copied_from" if fix else "its BTF lacks vma_merge_struct.copied_from"
    if fix is None:
        fix, because = patch > LAST_WITHOUT_FIX, f"6.18.{patch}"
        if LAST_WITHOUT_FIX < patch < MAINLINE_FIX:
            but.append(
                f"it is not known if 6.18.{patch} has the fix of mremap; 6.18.3 does not and 6.18.{MAINLINE_FIX} does"
            )
    why = f"{'with' if fix else 'without'} the fix of January 2026 ({because})"
    if real.has_maybe_guard is None:
        but.append("it was not asked if it has VM_MAYBE_GUARD")
    if not fix:
        if real.has_maybe_guard:
            but.append("it has VM_MAYBE_GUARD, which is modelled with the fix only")
        return WITHOUT_FIX, why, but
    if real.has_maybe_guard:
        return STICKY, f"{why}, and VM_MAYBE_GUARD (smaps shows gu)", but
    seen = ", and no VM_MAYBE_GUARD (smaps shows no gu)" if real.has_maybe_guard is False else ""
    return "linux-6.18", why + seen, but


def _of_later(real: Real, _patch: int) -> tuple[str, str, list[str]]:
    newest = "6.18 is the newest that is modelled"
    if real.has_maybe_guard is False:
        return "linux-6.18", "a later one, without VM_MAYBE_GUARD (smaps shows no gu)", [newest]
    return STICKY, "a later one, with VM_MAYBE_GUARD", [newest]


def _by_config(real: Real) -> list[str]:
    """The differences that the kernel's configuration makes."""
    but = []
    if real.config is not None:
        but += [
            f"{option} is not set, so it refuses {what}" for option, what in NEEDED.items() if option not in real.config
        ]
    if real.never_overcommits:
        but.append(f"{OVERCOMMIT} is 2, so it ignores NORESERVE")
    return but


# ---- the name ------------------------------------------------------------------------------------


@cache
def running() -> Real:
    """Facts about the running kernel."""
    return Real(platform.release(), _has_fix(), _has_maybe_guard(), _config(), _never_overcommits())


def chosen_for_auto() -> Chosen:
    """The model of the running kernel; the newest, if it is older than all current kernels or not Linux."""
    real, system = running(), platform.system()
    if system != "Linux":
        return Chosen(NEWEST, f"none, but {system or 'another system'}", "the newest model", ("this is not Linux",))
    if version_of(real.release) < OLDEST:
        old = f"{real.release} is older than every model of a current kernel"
        return Chosen(NEWEST, real.release, "the newest model", (old,))
    return choose(real)


def resolved(name: str) -> str:
    """The name of a kernel, with the model of the running kernel in place of auto. Raises KernelError."""
    base, plus, patches = name.partition("+")
    return f"{chosen_for_auto().kernel}{plus}{patches}" if base == AUTO else name


def said_of(name: str) -> list[str]:
    """Lines about a kernel's name: if it is auto, which model that is, and why."""
    return chosen_for_auto().lines() if name.partition("+")[0] == AUTO else []
