# SPDX-License-Identifier: GPL-2.0-only
"""The inputs that the answer to a job depends on, as one hash, and answers stored under it.

An answer depends on the linked functions that the job can reach, on their constants, on the properties, on the words of
the job, and on the checker itself with the packages that it calculates with. Line numbers and comments count only for
answers about branches, which show them.
"""

import ast
import hashlib
import json
import platform
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from importlib import metadata
from typing import Any

from vmacheck.checker.files.kept import keep, kept
from vmacheck.checker.jobs.job_file import Job, JobError
from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.names import UnknownName, split_name
from vmacheck.checker.kernels.programs import check_bounds_are_not_named, program_with_claims
from vmacheck.checker.kernels.scope import SEGMENTS, ScopeError
from vmacheck.checker.program.link import LinkError, Program
from vmacheck.checker.program.system import Claim
from vmacheck.model.kernels import HERE, TREES
from vmacheck.properties import CURRENT_PROCESSES_FILE, FILES, PROCESSES_FILE, THREADS_FILE

LINKED = {path for tree in TREES for path in (*tree.base, *tree.patches_at.glob("*.py"))}
LINKED |= set((HERE / "worlds").glob("*.py"))
LINKED |= {*FILES, *CURRENT_PROCESSES_FILE.parent.glob("*.py"), THREADS_FILE, PROCESSES_FILE}
ANSWERS = "answers"  # the store's kind for them
FOLDERS = ("checker", "counterexamples", "model", "properties")
TOOLS = ("llvmlite", "networkx", "numpy", "z3-solver")


class Hasher:
    """A hash of texts, with their boundaries."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, *texts: str) -> None:
        """Add texts."""
        for text in texts:
            data = text.encode()
            self._hash.update(len(data).to_bytes(8) + data)

    def hexdigest(self) -> str:
        """The hash of what was added."""
        return self._hash.hexdigest()


@cache
def of_the_checker() -> str:
    """A hash of the checker: its files, the model's tables, and the packages, but without the linked functions."""
    root = HERE.parent
    hasher = Hasher()
    hasher.add(platform.python_version(), *(f"{name} {metadata.version(name)}" for name in TOOLS))
    for path in sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py")):
        if path not in LINKED:
            hasher.add(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
    return hasher.hexdigest()


def digest(job: Job) -> str:
    """The hash of the inputs that the job's answer depends on. Raises JobError for a kernel that cannot be linked."""
    hasher = Hasher()
    hasher.add(of_the_checker(), *job.command())
    try:
        for program, roots, claims in _programs(job):
            hasher.add(repr(claims))
            _add(hasher, program, roots)
    except (LinkError, ScopeError, UnknownName) as error:
        raise JobError(f"{job.where}: job '{job.name}': {error}") from None
    if job.kind in ("claims", "prove"):  # any property may become a lemma, and any kernel decide a claim
        for path in sorted(LINKED):
            hasher.add(path.name, path.read_text(encoding="utf-8"))
    return hasher.hexdigest()


def branches_digest(job: Job, key: str, words: Sequence[str]) -> str:
    """The hash for an answer about branches, from that of the job: it depends on lines and their text as well."""
    hasher = Hasher()
    hasher.add(key, *words)
    for path in [*sorted(LINKED), *(path for kernel in job.kernels for path in split_name(kernel)[2])]:
        hasher.add(path.name, path.read_text(encoding="utf-8"))
    return hasher.hexdigest()


def _programs(job: Job) -> Iterable[tuple[Program, list[str], tuple[Claim, ...]]]:
    if job.kind in ("prove", "equivalent"):
        for kernel in job.kernels:
            check_bounds_are_not_named(kernel)
            program = program_with_claims(kernel)
            program.check()
            yield program, list(program.functions), ()
    elif job.kind in ("kernel", "compare"):
        names = job.properties() if job.kind == "kernel" else []
        for kernel in job.kernels:
            system = job.builder()(kernel, job.scope(), names)
            yield system.program, system.roots(), system.claims
            if job.scope().world == SEGMENTS:  # whose programs are looked for in pages
                small = one_process.build(kernel, replace(job.scope(), segments=None, pages=1), names)
                yield small.program, small.roots(), small.claims


def _add(hasher: Hasher, program: Program, roots: list[str]) -> None:
    for function in program.reachable(root for root in roots if root in program.functions):
        hasher.add(ast.dump(function.node))
    hasher.add(*(f"{name}={value}" for name, value in sorted(program.constants.items())))


# ---- stored answers ------------------------------------------------------------------------------


def kept_answer(key: str) -> dict[str, Any] | None:
    """The answer stored for these inputs; None if it is missing or damaged."""
    content = kept(ANSWERS, f"{key}.json")
    if content is None:
        return None
    data: dict[str, Any] = json.loads(content)
    return data


def keep_answer(key: str, answer: dict[str, Any]) -> None:
    """Store an answer, if the folder can be written."""
    keep(ANSWERS, f"{key}.json", json.dumps(answer).encode())
