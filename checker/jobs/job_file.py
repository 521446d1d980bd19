# SPDX-License-Identifier: GPL-2.0-only
"""The job file, vmacheck.toml: jobs, and the answers expected of them.

    include = ["other.toml"]              # job files whose jobs come first; paths are relative to the file
    [defaults]                            # keys of a scope, for every job that can have them and leaves them out
    [job.NAME]                            # one of: kernel, compare, claims, prove (with kernel), equivalent
    [job.NAME.expect]                     # expectations, where they are not the best possible

Errors name the file and the line.
"""

import re
import tomllib
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vmacheck.checker.files.errors import InputError, instead_of
from vmacheck.checker.jobs.toml_lines import lines_of
from vmacheck.checker.kernels import user_properties
from vmacheck.checker.kernels.auto import resolved
from vmacheck.checker.kernels.btf import KernelError
from vmacheck.checker.kernels.compare import BY
from vmacheck.checker.kernels.names import UnknownName, split_name, unknown
from vmacheck.checker.kernels.scope import (
    PAGES,
    PROCESSES,
    SEGMENTS,
    THREADS,
    Scope,
    ScopeError,
)
from vmacheck.checker.kernels.world import WORLDS, World
from vmacheck.checker.proofs.trees import kind_of
from vmacheck.checker.search.memory import bytes_in
from vmacheck.checker.search.rounds import LEAST_MEMORY
from vmacheck.properties import PROPERTIES

DEFAULT_FILE = "vmacheck.toml"
ORDER = ("prove", "equivalent", "compare", "claims", "kernel")  # what a job is about, by the first of these that it has
WANTED = {
    "kernel": ("holds", "violated", "incomplete", "vacuous"),
    "compare": ("equal", "a_worse", "b_worse", "incomparable", "incomplete"),
    "claims": ("holds", "refuted", "holds within bound", "open", "not checked here"),
    "prove": ("proved", "refuted", "unproved", "incomplete", "vacuous"),
    "equivalent": ("equal", "different", "incomplete"),
}
WITH_COUNTEREXAMPLE = {"violated", "refuted", "holds", "holds within bound"}
SEARCHED = ("pages", "prot", "ops", "noreserve", "max_map_count", "max_pgoff", "depth", "max_states")
PROVED = ("vmas", "ops", "max_map_count", "timeout")
KEYS = {
    "kernel": ("kernel", "properties", *SEARCHED, "segments", "processes", "threads", "every_step", "memory", "states"),
    "compare": ("compare", "by", *SEARCHED, "states"),
    "claims": ("claims",),
    "prove": ("prove", "kernel", *PROVED, "depth", "prot", "noreserve"),
    "equivalent": ("equivalent", *PROVED),
}
COMMON = ("what", "expect")
SCOPE_KEYS = frozenset(SEARCHED + PROVED + ("segments", "processes", "threads", "every_step", "memory", "by"))
NUMBERS = (
    "pages",
    "max_map_count",
    "max_pgoff",
    "depth",
    "max_states",
    "segments",
    "processes",
    "threads",
    "vmas",
    "timeout",
    "states",
)
FLAGS = ("noreserve", "every_step")
LISTS = ("prot", "ops", "properties")
NAMES = ("kernel", "prove", "what", "compare", "equivalent", "properties")
ONE_LINE = ("what", "reason")  # texts that can be written on several lines, and are shown on one
DIRECTIONS = range(0x202A, 0x202F), range(0x2066, 0x206A)  # characters that reverse how others are shown


class JobError(InputError):
    """An invalid job file; the message names the file and the line."""


@dataclass(frozen=True)
class Expectation:
    """The expectation of a property, a claim, or a job: the verdict, and the pinned figures of its counterexamples."""

    verdict: str
    lengths: Mapping[str, int] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True)
class Job:
    """A job: its subject, the values of its keys with the defaults, and its place in the file.

    expected: by property or claim; of other jobs, by "". A missing name is expected to hold. what: the job in words,
    for reports.
    """

    name: str
    kind: str
    values: Mapping[str, Any]
    expected: Mapping[str, Expectation]
    path: Path
    line: int
    what: str | None = None

    @property
    def where(self) -> str:
        """File and line, for messages."""
        return f"{self.path}:{self.line}"

    @property
    def kernels(self) -> tuple[str, ...]:
        """The kernels that it names."""
        if self.kind in ("compare", "equivalent"):
            return tuple(self.values[self.kind][:2])
        return (self.values["kernel"],) if "kernel" in self.values else ()

    @property
    def world(self) -> World:
        """The kind of world of the job."""
        return WORLDS[self._world]

    @property
    def _world(self) -> str:
        """The word for the kind of world, from keys that need not make a valid scope."""
        if self.values.get("threads"):
            return THREADS
        if self.values.get("processes", 1) != 1:
            return PROCESSES
        return PAGES if self.values.get("segments") is None else SEGMENTS

    def files(self) -> list[Path]:
        """The files that the job is read from, and those that it reads."""
        words = [*self.values.get("properties", ())]
        patches = [path for kernel in self.kernels for path in split_name(kernel)[2]]
        return [self.path, *patches, *user_properties.paths_of(words)]

    def scope(self) -> Scope:
        """The scope that it asks for. Raises ScopeError."""
        return Scope.of(self.values)

    def properties(self) -> list[str]:
        """The properties that it checks."""
        if "properties" in self.values:
            return list(dict.fromkeys(self.values["properties"]))
        return self.world.property_names(self.scope())

    def builder(self) -> Callable[..., Any]:
        """The function that makes a system of a kernel in the job's scope."""
        return self.world.build

    def command(self) -> list[str]:
        """The words after vmacheck that do the same, except for options of running and printing."""
        words = {
            "kernel": lambda: ["check", self.values["kernel"]],
            "compare": lambda: ["compare", *self.values["compare"]],
            "claims": lambda: ["claims", *([] if self.values["claims"] == "all" else self.values["claims"])],
            "prove": lambda: ["prove", self.values["kernel"], self.values["prove"]],
            "equivalent": lambda: ["prove", "--equivalent", *self.values["equivalent"]],
        }[self.kind]()
        for key, value in self.values.items():
            option = f"--{key.replace('_', '-')}"
            if key == "properties":
                for name in dict.fromkeys(value):  # a file's name may begin like an option
                    words += [f"-p{name}"] if name.startswith("-") else ["-p", name]
            elif key in SCOPE_KEYS and value is not False:
                words += [option] if value is True else [option, ",".join(value) if key in LISTS else str(value)]
        return words


# ---- reading -------------------------------------------------------------------------------------


class _File:
    """A job file as it was read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_bytes().decode()  # with its line ends unchanged
            self.data = tomllib.loads(text)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise JobError(f"{path}: {reason}") from None
        except tomllib.TOMLDecodeError as error:
            at = re.search(r"\(at line (\d+), column \d+\)", str(error))
            line = int(at[1]) if at else max(1, text.count("\n"))  # else at the end of the document
            raise JobError(f"{path}:{line}: {str(error).split(' (at ')[0]}") from None
        except RecursionError:
            raise JobError(f"{path}: nested too deeply") from None
        self.lines = lines_of(text)

    def line(self, *place: str) -> int:
        """The line number of the innermost of these names that has one."""
        for length in range(len(place), 0, -1):
            if place[:length] in self.lines:
                return self.lines[place[:length]]
        return 1

    def fail(self, why: str, *place: str) -> JobError:
        """The error for this reason, with the line."""
        job = f"job '{place[1]}': " if place[:1] == ("job",) and len(place) > 1 else ""
        return JobError(f"{self.path}:{self.line(*place)}: {job}{why}")

    def table(self, value: Any, what: str, *place: str) -> dict[str, Any]:
        """The value, which must be a table."""
        if not isinstance(value, dict):
            raise self.fail(f"{what} is not a table", *place)
        return value

    def check_known(self, name: str, known: Collection[str], *place: str) -> None:
        """Raise JobError for an unknown key."""
        if name not in known:
            raise self.fail(f"unknown key '{name}'; {instead_of(name, known)}", *place, name)


def read_jobs(path: Path) -> list[Job]:
    """The jobs of a file, those of included files first. Raises JobError."""
    jobs: dict[str, Job] = {}
    _read(path, [], jobs)
    if not jobs:
        raise JobError(f"{path}: there are no jobs in it")
    return list(jobs.values())


def _read(path: Path, above: list[Path], jobs: dict[str, Job]) -> None:
    file = _File(path)
    for name in file.data:
        file.check_known(name, ("include", "defaults", "job"))
    include = file.data.get("include", [])
    if not isinstance(include, list) or not all(isinstance(word, str) for word in include):
        raise file.fail("include is not a list of file names", "include")
    for word in include:
        if is_unprintable(word):
            raise file.fail(f"include has a name that cannot be shown: {word!a}", "include")
        other = path.parent / word
        if other.resolve() in [one.resolve() for one in (*above, path)]:
            raise file.fail(f"{word} includes itself", "include")
        if not other.is_file():
            raise file.fail(f"there is no file {word}", "include")
        _read(other, [*above, path], jobs)
    defaults = file.table(file.data.get("defaults", {}), "defaults", "defaults")
    for key, value in defaults.items():
        file.check_known(key, sorted(SCOPE_KEYS), "defaults")
        _check_value(file, key, value, "defaults", key)
    for name, table in file.table(file.data.get("job", {}), "job", "job").items():
        if is_unprintable(name):
            raise JobError(f"{path}:{file.line('job', name)}: the job {name!a} has a character that cannot be shown")
        if name in jobs:
            raise file.fail(f"there is a job of that name in {jobs[name].where}", "job", name)
        jobs[name] = _job(file, name, file.table(table, "it", "job", name), defaults)


def _job(file: _File, name: str, table: dict[str, Any], defaults: dict[str, Any]) -> Job:
    place = ("job", name)
    kind = next((key for key in ORDER if key in table), None)
    everything = dict.fromkeys(key for keys in KEYS.values() for key in (*keys, *COMMON))
    for key in table:
        file.check_known(key, everything, *place)
    if kind is None:
        raise file.fail("it says nothing to do: give kernel, compare, claims, prove or equivalent", *place)
    for key, value in table.items():
        if key not in (*KEYS[kind], *COMMON):
            raise file.fail(f"{key} does not go with {kind}", *place, key)
        _check_value(file, key, value, *place, key)
    if "segments" in table and "pages" in table:
        raise file.fail("segments and pages do not go together", *place, "segments")
    if kind == "prove" and "kernel" not in table:
        raise file.fail("prove needs a kernel", *place, "prove")
    values = {key: value for key, value in table.items() if key not in COMMON}
    clash = {"segments": {"pages"}, "pages": {"segments"}}
    taken = {other for key in values for other in clash.get(key, ())}
    inherited = {key: value for key, value in defaults.items() if key in KEYS[kind] and key not in taken}
    job = Job(name, kind, {**inherited, **values}, {}, file.path, file.line(*place))
    _check_names(file, job)
    for key in ("kernel", "compare", "equivalent"):
        if key in job.values:
            values[key] = _from_here(file.path.parent, values[key])
    if "properties" in values and file.path.parent != Path():
        values["properties"] = [
            str(file.path.parent / word) if user_properties.split(word)[0] else word for word in values["properties"]
        ]
    job = Job(name, kind, {**inherited, **values}, {}, file.path, job.line)
    expected = _expected(file, job, table.get("expect", {}))
    return Job(name, kind, job.values, expected, file.path, job.line, _one_line(table.get("what")))


def _one_line(text: str | None) -> str | None:
    return None if text is None else " ".join(text.split())


def _from_here(folder: Path, names: Any) -> Any:
    """Names of kernels, with paths of files relative to the job file, and auto resolved."""
    if isinstance(names, list):
        return [*(_from_here(folder, name) for name in names[:2]), *names[2:]]
    base, patches, paths = split_name(names)
    if folder == Path() or not paths:
        return resolved(names)
    found = [str(folder / path) for path in paths]
    # a path with a plus sign needs a folder that shows it to be a path
    return "+".join([base, *patches, *(f"./{path}" if "+" in path and path[0] != "/" else path for path in found)])


def _check_value(file: _File, key: str, value: Any, *place: str) -> None:
    """Raise JobError if the key cannot have the value."""

    def strings(count: int | None = None) -> bool:
        good = isinstance(value, list) and value and all(isinstance(word, str) and word for word in value)
        return bool(good) and count in (None, len(value))

    is_good, wanted = {
        **dict.fromkeys(NUMBERS, (type(value) is int and 0 <= value < 1 << 31, "a number")),
        **dict.fromkeys(FLAGS, (isinstance(value, bool), "true or false")),
        **dict.fromkeys(LISTS, (strings(), 'a list of words, as in ["R", "RW"]')),
        **dict.fromkeys(("kernel", "prove", "what"), (isinstance(value, str) and value != "", "a name")),
        "memory": (isinstance(value, str) and bytes_in(value) is not None, 'a size, as in "4G" or "700M"'),
        "by": (isinstance(value, str) and value in BY, f"one of {', '.join(BY)}"),
        "compare": (strings(2), "a list of two kernels"),
        "equivalent": (strings(3), "a list of two kernels and a function"),
        "claims": (value == "all" or strings(), '"all" or a list of claims'),
        "expect": (isinstance(value, dict), "a table"),
    }[key]
    if not is_good:
        raise file.fail(f"{key} is not {wanted}", *place)
    words = value if isinstance(value, list) else [value]
    if key in NAMES and any(is_unprintable(" ".join(word.split()) if key in ONE_LINE else word) for word in words):
        raise file.fail(f"{key} has a character that cannot be shown", *place)
    if key == "memory" and memory_of(value) < LEAST_MEMORY:
        raise file.fail(f"memory is less than the {LEAST_MEMORY >> 20}M that any search needs", *place)


def is_unprintable(text: str) -> bool:
    """Has the text a character that ends a line, controls a terminal, or is not allowed in XML?"""
    is_hidden = any(unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") or one in "\ufffe\uffff" for one in text)
    return is_hidden or any(ord(one) in turning for one in text for turning in DIRECTIONS)


def _of_key(file: _File, job: Job, key: str, why: str) -> JobError:
    """The error about the value of a key, which may be one of the defaults."""
    place = ("job", job.name, key)
    if key in job.values and place not in file.lines and ("defaults", key) in file.lines:
        return file.fail(f"job '{job.name}': {why}", "defaults", key)
    return file.fail(why, *(place if key in job.values else place[:2]))


def memory_of(text: str) -> int:
    """A size in bytes."""
    value = bytes_in(text)
    assert value is not None
    return value


def _check_names(file: _File, job: Job) -> None:
    """Raise JobError for unknown names, and for an invalid scope."""
    place = ("job", job.name)
    try:
        for kernel in job.kernels:
            split_name(kernel)
    except (UnknownName, KernelError) as error:
        raise file.fail(str(error), *place, "kernel" if "kernel" in job.values else job.kind) from None
    if job.kind in ("kernel", "compare", "prove"):
        try:
            job.scope()
        except ScopeError as error:
            option = re.search(r"--([a-z-]+)", str(error))
            key = option[1].replace("-", "_") if option else ""
            raise _of_key(file, job, key, str(error)) from None
    for key in ("max_map_count", "depth", "max_states", "timeout", "threads"):
        if job.values.get(key) == 0:
            raise file.fail(f"{key} is 0; it has to be at least 1", *place, key)
    known = job.world.known
    for name in (*job.values.get("properties", ()), *([job.values["prove"]] if job.kind == "prove" else [])):
        if name not in known and (job.kind == "prove" or user_properties.split(name)[0] is None):
            key = "prove" if job.kind == "prove" else "properties"
            raise file.fail(str(unknown("property", name, known)), *place, key)
    if job.kind in ("prove", "equivalent"):
        followed = kind_of(job.kernels[0]).followed
        for operation in job.values.get("ops", ()):
            if "depth" not in job.values and operation not in followed:
                raise file.fail(f"prove does not follow {operation}; it follows {', '.join(followed)}", *place, "ops")
    if job.kind == "claims" and job.values["claims"] != "all":
        for name in job.values["claims"]:
            if name not in claim_verdicts():
                raise file.fail(str(unknown("claim", name, claim_verdicts())), *place, "claims")


def claim_verdicts() -> dict[str, str]:
    """The verdict expected of each claim, unless a job says otherwise."""
    from vmacheck.checker.claims.linux import CURRENT_CLAIMS  # noqa: PLC0415
    from vmacheck.checker.claims.linux_2_6 import CLAIMS  # noqa: PLC0415  (slow to import)

    return {claim.id: claim.expected for claim in (*CLAIMS, *CURRENT_CLAIMS)}


def _seed_claims() -> list[str]:
    from vmacheck.checker.claims.linux_2_6 import CLAIMS  # noqa: PLC0415  (slow to import)

    return [claim.id for claim in CLAIMS]


# ---- expectations --------------------------------------------------------------------------------


def names_of(job: Job) -> list[str]:
    """The names that the job gives verdicts on: properties, claims, or "" for itself."""
    if job.kind == "kernel":
        return [user_properties.split(word)[1] for word in job.properties()]
    if job.kind == "claims":
        return _seed_claims() if job.values["claims"] == "all" else list(dict.fromkeys(job.values["claims"]))
    return [""]


def best(job: Job, name: str) -> str:
    """The verdict expected where the job names none."""
    return claim_verdicts()[name] if job.kind == "claims" else WANTED[job.kind][0]


def _expected(file: _File, job: Job, table: dict[str, Any]) -> dict[str, Expectation]:
    place = ("job", job.name, "expect")
    if job.kind not in ("kernel", "claims"):
        return {"": _expectation(file, job, table, *place)} if table else {}
    known = names_of(job)
    for name, value in table.items():
        if name not in known:
            what = "claim" if job.kind == "claims" else "property"
            hint = instead_of(user_properties.split(name)[1], known)
            raise file.fail(f"expects something of '{name}', which is no {what} of it; {hint}", *place, name)
        file.table(value, f"what is expected of {name}", *place, name)
    return {name: _expectation(file, job, value, *place, name) for name, value in table.items()}


def _expectation(file: _File, job: Job, table: dict[str, Any], *place: str) -> Expectation:
    sides = ("a_worse", "b_worse") if job.kind == "compare" else () if job.kind == "equivalent" else ("length",)
    for key in table:
        file.check_known(key, ("verdict", *sides, "reason"), *place)
    verdict, reason = table.get("verdict"), table.get("reason")
    if verdict not in WANTED[job.kind]:
        wrong = f"'{verdict}' is no verdict" if verdict is not None else "no verdict is given"
        raise file.fail(f"{wrong}; there are {', '.join(WANTED[job.kind])}", *place, "verdict")
    if reason is not None and not isinstance(reason, str):
        raise file.fail("reason is not a text", *place, "reason")
    reason = _one_line(reason)
    if is_unprintable(reason or ""):
        raise file.fail("reason has a character that cannot be shown", *place, "reason")
    lengths = {side: table[side] for side in sides if side in table}
    for side, length in lengths.items():
        if type(length) is not int or length < 1:
            raise file.fail(f"{side} is not a number of calls", *place, side)
        possible = (
            verdict in (side, "incomparable", "incomplete")
            if job.kind == "compare"
            else (
                verdict in WITH_COUNTEREXAMPLE
                and (verdict != "holds" or job.kind == "claims" or _is_sometimes(place[-1]))
            )
        )
        if not possible:
            raise file.fail(f"{side} goes with no verdict '{verdict}'", *place, side)
    return Expectation(verdict, lengths, reason)


def _is_sometimes(name: str) -> bool:
    return name in PROPERTIES and PROPERTIES[name].kind == "sometimes"
