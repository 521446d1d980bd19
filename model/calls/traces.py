# SPDX-License-Identifier: GPL-2.0-only
"""The trace notation: text to calls. Calls to text is str()."""

import re
from collections.abc import Mapping

from vmacheck.model.calls.operations import (
    ADVICE,
    DONTUNMAP,
    EVERY_OPERATION,
    FILES,
    FIXED,
    MMAP_FLAGS,
    NAMES,
    POLICIES,
    PROTECTIONS,
    Call,
    TraceError,
)
from vmacheck.model.common.mm import MREMAP_MAYMOVE
from vmacheck.model.common.unistd import NR_exit, NR_fork, NR_mmap, NR_mremap
from vmacheck.model.linux.mm import MLOCK_ONFAULT

NUMBERS = {operation: nr for nr, operation in NAMES.items()}


def parse_trace(text: str, processes: bool = False) -> list[Call]:
    """A trace as calls; of two processes only if `processes`.

    Raises TraceError with the unreadable operation and the reason.
    """
    operations = [_Operation(number, word, processes) for number, word in enumerate(operations_in(text), 1)]
    return [operation.call() for operation in operations]


def operations_in(text: str) -> list[str]:
    """The operations of a trace, as written."""
    lines = [line.split("#", 1)[0] for line in text.splitlines()]
    words = [word.strip() for line in lines for word in line.split(";")]
    return [word for word in words if word]


class _Operation:
    """One operation of a trace, and its place."""

    def __init__(self, number: int, text: str, processes: bool = False) -> None:
        self.where, self.process = f"operation {number}, '{text}'", 0
        if processes and (match := re.match(r"p(\d+)\s*:\s*", text)):
            self.process, text = int(match[1]), text[match.end() :]
            if self.process > 1:
                raise self.error("there are p0 and p1")
        elif re.match(r"[pt]\d+\s*:", text):
            raise self.error("there is one process with one thread; leave the prefix out, or give --threads")
        match = re.fullmatch(r"(\w+)\s*\(([^()]*)\)", text)
        if match is None:
            raise self.error("not of the form name(arguments)")
        self.name, self.words = match[1], [word.strip() for word in match[2].split(",")]
        known = [name for name in NUMBERS if processes or name not in ("fork", "exit")]
        if self.name not in known:
            raise self.error(f"unknown operation '{self.name}'; there are {', '.join(known)}")

    def error(self, why: str) -> TraceError:
        return TraceError(f"{self.where}: {why}")

    def bad_form(self) -> TraceError:
        nr = NUMBERS[self.name]
        forms = [form for op in EVERY_OPERATION.values() if op.nr == nr for form in op.form.split(" | ")]
        forms = [form for form in forms if nr != NR_mremap or form != "a,n->b"]
        return self.error(f"the form is {' or '.join(f'{self.name}({form})' for form in forms)}")

    def call(self) -> Call:
        """The operation as a call."""
        nr = NUMBERS[self.name]
        if nr in (NR_fork, NR_exit):
            if self.words != [""]:
                raise self.error(f"the form is {self.name}()")
            return Call(nr, 0, process=self.process)
        return self._call(nr)._replace(process=self.process)

    def _call(self, nr: int) -> Call:
        if "" in self.words:
            raise self.bad_form()
        if nr == NR_mmap:
            return self.mmap()
        if nr == NR_mremap:
            return self.mremap()
        form = EVERY_OPERATION[self.name].form.split(",")
        if len(self.words) != len(form):
            raise self.bad_form()
        call = Call(nr, self.page_number(self.words[0]))
        for kind, word in zip(form[1:], self.words[1:], strict=True):
            if kind == "n":
                call = call._replace(len=self.page_number(word))
            elif kind == "P":
                call = call._replace(prot=self.one_of("protection", word, PROTECTIONS))
            elif kind == "ONFAULT":
                call = call._replace(flags=self.one_of("mlock2 flag", word, {"ONFAULT": MLOCK_ONFAULT}))
            elif kind == "ADVICE":
                call = call._replace(behavior=self.one_of("advice", word, ADVICE))
            else:
                call = call._replace(policy=self.one_of("policy", word, POLICIES))
        return call

    def mmap(self) -> Call:
        if len(self.words) < 3:
            raise self.bad_form()
        addr, length = (self.page_number(word) for word in self.words[:2])
        call = Call(NR_mmap, addr, length, self.one_of("protection", self.words[2], PROTECTIONS))
        seen = set()
        for word in self.words[3:]:
            what, _, value = word.partition("=")
            if what in seen:
                raise self.error(f"{what} is named twice")
            seen.add(what)
            if word in MMAP_FLAGS:
                call = call._replace(flags=call.flags | MMAP_FLAGS[word])
            elif what == "file" and value:
                call = call._replace(file=self.one_of("file", value, FILES))
            elif what == "off" and value:
                call = call._replace(pgoff=self.page_number(value))
            else:
                known = ", ".join(MMAP_FLAGS)
                raise self.error(f"unknown mmap flag '{word}'; there are {known}, file=F and off=K")
        if "off" in seen and "file" not in seen:
            raise self.error("off= is of a file, and there is no file=")
        return call

    def mremap(self) -> Call:
        if not 2 <= len(self.words) <= 4:
            raise self.bad_form()
        addr = self.page_number(self.words[0])
        old, arrow, new = (word.strip() for word in self.words[1].partition("->"))
        call = Call(NR_mremap, addr, self.page_number(old))
        more = self.words[2:]
        if arrow:
            flags = DONTUNMAP if more[-1:] == ["DONTUNMAP"] else FIXED
            more = more[:-1] if flags == DONTUNMAP else more
            if len(more) > 1:
                raise self.bad_form()
            new_len = self.page_number(more[0]) if more else call.len
            return call._replace(flags=flags, new_len=new_len, new_addr=self.page_number(new))
        if not more:
            raise self.bad_form()
        if more[1:] not in ([], ["MAYMOVE"]):
            raise self.error(f"unknown mremap flag '{more[1]}'; there is MAYMOVE")
        return call._replace(flags=MREMAP_MAYMOVE if more[1:] else 0, new_len=self.page_number(more[0]))

    def page_number(self, word: str) -> int:
        if not re.fullmatch(r"[0-9]{1,6}", word):
            raise self.error(f"'{word}' is not a page number")
        return int(word)

    def one_of(self, what: str, word: str, known: Mapping[str, int]) -> int:
        if word not in known:
            an = "an" if what[0] in "aeiou" else "a"
            raise self.error(f"'{word}' is not {an} {what}; there are {', '.join(known)}")
        return known[word]
