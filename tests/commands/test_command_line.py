# SPDX-License-Identifier: GPL-2.0-only
"""The command line: verdicts, exit codes, JSON, and bad input, which gives one clear line and exit code 2."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache

import pytest

from tests.support.helpers import KERNELS, vmacheck, vmacheck_json
from vmacheck.checker.commands import check
from vmacheck.checker.jobs.job_file import Expectation
from vmacheck.checker.search.verdict import check_all

PLAIN = "adjacent_vmas_share_anon_vma"
LOCAL = "first_write_takes_neighbours_anon_vma"


@cache
def searched_once(*what):
    """The searches of the job of 2004, cached for all tests of its output, since they take most of its time."""
    systems, names, limits, run, progress, workers, job = what
    return check_all(systems, names, limits, run, progress, workers, job)


@pytest.fixture
def one_search(monkeypatch):
    def shared(systems, names, limits, run, _progress, workers, job):
        return searched_once(tuple(systems), tuple(names), limits, run, no_progress, workers, job)

    monkeypatch.setattr(check, "check_all", shared)


def no_progress(_name):
    return lambda _now: None


@pytest.mark.slow
def test_the_default_job_sees_what_it_expects(one_search):
    code, out, err = vmacheck("check", "--kernels", "2004")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "every verdict is as expected"
    for kernel in KERNELS:
        assert f"\n{kernel} " in out


def test_the_default_job_notices_another_verdict(monkeypatch):
    from vmacheck.checker.jobs import default

    jobs = default._jobs()
    other = {**jobs["rmap40"].expected, PLAIN: Expectation("violated", {"length": 4})}
    table = {"rmap40": replace(jobs["rmap40"], expected=other)}
    monkeypatch.setattr(default, "_jobs", lambda: table)
    code, out, _ = vmacheck("check", "--kernels", "2004", "-p", PLAIN, "-p", LOCAL, "-p", "rmap_finds_every_page")
    assert code == 1
    assert out.splitlines()[-1] == f"unexpected: {PLAIN} on rmap40: violated 5, not violated 4"


def test_violated():
    code, data = vmacheck_json("check", "rmap40", "-p", PLAIN, "--pages", "3")
    assert code == 1
    (result,) = data["results"]
    assert data["schema"] == 1
    assert (result["kernel"], result["property"], result["verdict"]) == ("rmap40", PLAIN, "violated")
    found = result["counterexample"]
    assert found["operations"] == ["mmap(0,1,RW)", "mmap(2,1,RW)", "write(0)", "write(2)", "mmap(1,1,RW)"]
    assert found["length"] == 5
    assert found["shorter_programs_ruled_out"] == sum(33**n for n in range(1, 5))
    assert [step["operation"] for step in found["steps"]] == found["operations"]
    last = found["steps"][-1]
    assert last["vmas"] == [
        {
            "start": 0,
            "end": 2,
            "prot": "RW",
            "flags": ["ACCOUNT"],
            "pgoff": 0,
            "anon_vma": "A",
            "file": None,
            "policy": None,
        },
        {
            "start": 2,
            "end": 3,
            "prot": "RW",
            "flags": ["ACCOUNT"],
            "pgoff": 2,
            "anon_vma": "B",
            "file": None,
            "policy": None,
        },
    ]
    assert last["result"] == 1
    assert [page["page"] for page in last["pages"]] == [0, 2]


def test_holds():
    code, data = vmacheck_json("check", "rmap40", "-p", LOCAL, "--pages", "3")
    assert code == 0
    (result,) = data["results"]
    assert (result["verdict"], result["closed"], result["counterexample"]) == ("holds", True, None)
    assert (result["states"], result["transitions"], result["depth"]) == (1046, 34518, 15)
    assert result["scope"] == {
        "pages": 3,
        "prot": ["R", "RW"],
        "ops": ["mmap", "munmap", "mprotect", "write"],
        "noreserve": False,
        "max_pgoff": 2,
        "max_map_count": 65536,
        "depth": None,
        "max_states": None,
    }
    (coverage,) = data["coverage"]
    assert coverage["calls"]["mprotect"] == {"ENOMEM": 1970, "ok": 10582}
    assert coverage["events"]["vma_merge case 6"] == 424


def test_exit_codes():
    assert vmacheck("check", "rmap39", "-p", LOCAL, "--pages", "3")[0] == 1
    assert vmacheck("check", "linux-2.6.8", "-p", LOCAL, "--pages", "3", "--depth", "3")[0] == 3
    assert vmacheck("check", "linux-2.6.8", "-p", LOCAL, "--pages", "3", "--max-states", "9")[0] == 3
    assert vmacheck("check", "anonmm", "-p", PLAIN, "--pages", "3")[0] == 4
    # violated goes before incomplete, incomplete before vacuous
    assert vmacheck("check", "rmap40", "anonmm", "-p", PLAIN, "--pages", "3", "--depth", "5")[0] == 1
    assert vmacheck("check", "rmap40", "anonmm", "-p", PLAIN, "--pages", "3", "--depth", "4")[0] == 3


def test_the_bug_of_the_seeds_own_tree():
    code, data = vmacheck_json("check", "rmap40", "-p", "rmap_finds_every_page", "--pages", "3")
    assert (code, data["results"][0]["counterexample"]["length"]) == (1, 4)
    code, data = vmacheck_json("check", "linux-2.6.8", "-p", "rmap_finds_every_page", "--pages", "3")
    assert (code, data["results"][0]["closed"]) == (0, True)


def test_sometimes_shows_its_witness():
    code, data = vmacheck_json("check", "rmap40", "-p", "two_vmas_exist", "--pages", "3")
    assert (code, data["results"][0]["witness"]["length"]) == (0, 2)
    assert "two_vmas_exist: holds, first after 2 calls" in vmacheck("check", "rmap40", "-p", "two_vmas_exist")[1]


def test_linux_2_6_8_is_the_seed_with_the_fix():
    one, two = (vmacheck_json("check", kernel, "--pages", "3")[1] for kernel in ("linux-2.6.8", "rmap40+importer"))
    for first, second in zip(one["results"], two["results"], strict=True):
        for data in (first, second):
            del data["kernel"], data["seconds"]
        assert first == second


def test_the_order_of_options_does_not_matter():
    scope = ("--prot", "RW,R", "--ops", "write,mprotect,munmap,mmap")
    assert vmacheck("check", "rmap40", "--pages", "3", *scope) == vmacheck("check", "rmap40", "--pages", "3")


def test_both_runs_print_the_same():
    one, two = (vmacheck("check", "rmap40", "--pages", "3", "--run", run) for run in ("interpreted", "compiled"))
    assert one == two


def test_run_draws_every_step():
    code, out, _ = vmacheck(
        "run", "rmap40", "mmap(0,1,RW) # first\nwrite(0); write(3); mprotect(0,2,R)", "--pages", "4"
    )
    assert code == 0
    assert out.splitlines()[:4] == [
        "  1  mmap(0,1,RW)      o . . .",
        "  2  write(0)          A . . .",
        "  3  write(3)          A . . .   EFAULT",
        "  4  mprotect(0,2,R)   a . . .   ENOMEM",
    ]


def test_run_as_data():
    code, data = vmacheck_json("run", "rmap40", "mmap(1,1,RW,NORESERVE); write(1); write(0)")
    assert (code, data["schema"], data["kernel"]) == (0, 1, "rmap40")
    assert [step["result"] for step in data["steps"]] == [1, 0, "EFAULT"]
    assert data["steps"][1]["vmas"] == [
        {"start": 1, "end": 2, "prot": "RW", "flags": [], "pgoff": 1, "anon_vma": "A", "file": None, "policy": None}
    ]
    assert data["steps"][1]["pages"] == [{"page": 1, "anon_vma": "A", "freed": False, "index": 1}]


def test_every_counterexample_replays_under_run():
    _, data = vmacheck_json("check", "rmap39", "--pages", "3")
    for result in data["results"]:
        if result["counterexample"]:
            trace = "; ".join(result["counterexample"]["operations"])
            assert (
                vmacheck_json("run", "rmap39", trace, "--pages", "3")[1]["steps"] == result["counterexample"]["steps"]
            )


def test_run_says_where_the_kernel_stops(tmp_path):
    patch = tmp_path / "null.py"
    patch.write_text("def find_mergeable_anon_vma(mm, vma):\n    return mm.vma[vma_next(mm, vma)].anon_vma\n")
    code, out, _ = vmacheck("run", f"rmap40+{patch}", "mmap(0,1,RW); write(0); munmap(0,1)")
    assert code == 0
    assert out.splitlines()[1] == "  2  write(0)       o   BUG: the kernel stops here"
    assert "munmap" not in out


def test_run_takes_many_anon_vmas():
    trace = "".join(f"mmap({page},1,RW); write({page});" for page in range(0, 60, 2))
    _, data = vmacheck_json("run", "rmap39", trace)
    assert [vma["anon_vma"] for vma in data["steps"][-1]["vmas"]][24:28] == ["Y", "Z", "AA", "AB"]


def test_list():
    for what in ("kernels", "properties", "operations", "claims"):
        code, out, _ = vmacheck("list", what)
        assert code == 0
        names = [line.split("  ")[0] for line in out.splitlines()]
        assert [row["name"] for row in vmacheck_json("list", what)[1][what]] == names
    assert set(KERNELS) < {line.split()[0] for line in vmacheck("list", "kernels")[1].splitlines()}


BAD = [
    (("check", "rmap41"), "unknown kernel 'rmap41'; did you mean rmap40?"),
    (("check", "rmap40+imports"), "unknown patch 'imports'; did you mean importer?"),
    (("check", "rmap40+importer+importer"), "rmap40+importer+importer: importer is in it twice"),
    (("check", "linux-2.6.8+importer"), "linux-2.6.8+importer: importer is in it twice"),
    (("check", "rmap40", "rmap40"), "rmap40 is named twice"),
    (("check", "rmap40+./no/such/file.py"), "no/such/file.py: No such file or directory"),
    (("check", "rmap40", "-p", "adjacent_vmas_share_anon_vmas"), "unknown property 'adjacent_vmas_share_anon_vmas'; did"),
    (("check", "rmap40", "--pages", "0"), "--pages is 0; it can be 1 to 256"),
    (("check", "rmap40", "--pages", "-3"), "--pages is -3"),
    (("check", "rmap40", "--pages", "257"), "--pages is 257"),
    (("check", "rmap40", "--pages", "200"), "different calls fit in 200 pages"),
    (("check", "rmap40", "--pages", "x"), "argument --pages: invalid int value: 'x'"),
    (("check", "rmap40", "--prot", "R,RWW"), "--prot: unknown protection 'RWW'; there are N, R, W, RW, RX, RWX"),
    (("check", "rmap40", "--prot", "R,R"), "--prot: protection 'R' is named twice"),
    (("check", "rmap40", "--prot", ","), "--prot has an empty protection"),
    (("check", "rmap40", "--ops", "mmap,fork"), "--ops: fork is for --threads"),
    (("check", "rmap40", "--ops", "write", "--noreserve"), "--noreserve is about mmap, which --ops leaves out"),
    (("check", "rmap40", "--depth", "0"), "argument --depth: 0 is not at least 1"),
    (("check", "rmap40", "--max-states", "none"), "argument --max-states: invalid"),
    (("check", "rmap40", "--max-map-count", "18446744073709551616"), "18446744073709551616 is larger than 2147483647"),
    (("check", "rmap40", "--max-states", "9223372036854775808"), "9223372036854775808 is larger than 2147483647"),
    (("check", "rmap40", "--pages", "1_0"), "argument --pages: invalid int value: '1_0'"),
    (("check", "rmap40", "--prot", "R,,RW"), "--prot has an empty protection"),
    (("run", "rmap40", "write(0)", "--max-map-count", "-5"), "--max-map-count is -5; it has to be at least 1"),
    (("run", "rmap40", "mmap(0,1,RW,NORESERVE,NORESERVE)"), "NORESERVE is named twice"),
    (("check", "rmap40", "--max-map-count", "0"), "--max-map-count is 0; it has to be at least 1"),
    (("check", "rmap40", "--format", "xml"), "argument --format: invalid choice: 'xml'"),
    (("check", "--frobnicate"), "unrecognized arguments: --frobnicate"),
    (("frobnicate",), "invalid choice: 'frobnicate'"),
    (("list", "everything"), "invalid choice: 'everything'"),
    (("run", "rmap40", "mmap(0,1)"), "operation 1, 'mmap(0,1)': the form is mmap(a,n,P[,NORESERVE])"),
    (("run", "rmap40", "mmap(0,1,RW,SHARED)"), "'mmap(0,1,RW,SHARED)': SHARED is not known to rmap40; linux-6.12, linux-6.16, linux-6.18 know it"),
    (("run", "rmap40", "mmap(0,1,RW,PRIVATE)"), "operation 1, 'mmap(0,1,RW,PRIVATE)': unknown mmap flag 'PRIVATE'; there are SHARED, GROWSDOWN"),
    (("run", "rmap40", "memw(0)"), "'memw(0)': memw is not known to rmap40; linux-6.12, linux-6.16, linux-6.18 know it"),
    (("check", "rmap40", "--ops", "mmap,growsdown"), "--ops: growsdown is not known to rmap40; linux-6.12, linux-6.16, linux-6.18 know it"),
    (("run", "linux-2.6.8", "mmap(0,1,RW,LOCKED)"), "'mmap(0,1,RW,LOCKED)': LOCKED is not known to linux-2.6.8; linux-6.12, linux-6.16, linux-6.18 know it"),
    (("conform", "linux-6.18", "--ops", "mmap,growsdown,move"), "--ops: growsdown goes without move: where the space of a real program begins, offsets go on below it"),
    (("run", "rmap40", "mmap(0,1,RW,)"), "operation 1, 'mmap(0,1,RW,)': the form is"),
    (("run", "rmap40", "mmap(0,1,WR)"), "'WR' is not a protection; there are N, R, W, RW, RX, RWX"),
    (("run", "rmap40", "mmap(0,1,RW); write(a)"), "operation 2, 'write(a)': 'a' is not a page number"),
    (("run", "rmap40", "write(-1)"), "operation 1, 'write(-1)': '-1' is not a page number"),
    (("run", "rmap40", "write 1"), "operation 1, 'write 1': not of the form name(arguments)"),
    (("run", "rmap40", "remap(0,1->2)"), "operation 1, 'remap(0,1->2)': unknown operation 'remap'; there are mmap"),
    (("run", "rmap40", "mremap(0,1)"), "the form is mremap(a,n->b[,m]) or mremap(a,n,m[,MAYMOVE])"),
    (("run", "rmap40", "mremap(0,1->2,1,MAYMOVE)"), "the form is mremap(a,n->b[,m]) or mremap(a,n,m[,MAYMOVE])"),
    (("run", "rmap40", "mremap(0,1->2,DONTUNMAP)"), "'mremap(0,1->2,DONTUNMAP)': DONTUNMAP is not known to rmap40; linux-6.12, linux-6.16, linux-6.18 know it"),
    (("run", "rmap40", "mremap(0,1,2,FIXED)"), "unknown mremap flag 'FIXED'; there is MAYMOVE"),
    (("run", "rmap40", "mremap(0,1->9)", "--pages", "4"), "outside of the address space of 4 pages"),
    (("run", "rmap40", "mlock2(0,1,ONFAULT)"), "'mlock2(0,1,ONFAULT)': mlock2 is not known to rmap40; linux-6.12,"),
    (("run", "linux-6.18", "mlock2(0,1,ALL)"), "'ALL' is not a mlock2 flag; there are ONFAULT"),
    (("run", "rmap40", "mmap(0,1,RW,POPULATE)"), "POPULATE is not known to rmap40"),
    (("run", "rmap40", "madvise(0,1,DONTFORK)"), "DONTFORK is not known to rmap40"),
    (("check", "rmap40", "--ops", "mmap,mseal"), "--ops: mseal is not known to rmap40; linux-6.12,"),
    (("check", "linux-6.18", "--threads", "1"), "--threads is about 2.6 kernels, and linux-6.18 is none"),
    (("check", "linux-6.18+importer"), "unknown patch 'importer'; vmacheck list kernels lists them"),
    (("run", "rmap40", "madvise(0,1,FREE)"), "'FREE' is not an advice; there are NORMAL, RANDOM, SEQUENTIAL, DONTNEED"),
    (("run", "rmap40", "mbind(0,1,PREFERRED)"), "'PREFERRED' is not a policy; there are DEFAULT, BIND, INTERLEAVE"),
    (("run", "rmap40", "mmap(0,1,R,file=G,off=0)"), "'G' is not a file; there are F"),
    (("run", "rmap40", "mmap(0,1,R,off=0)"), "off= is of a file, and there is no file="),
    (("run", "rmap40", "mmap(0,1,R,file=F,file=F)"), "file is named twice"),
    (("run", "rmap40", "brk(0,1)"), "the form is brk(n)"),
    (("check", "rmap39+prev-first"), "prev-first is a change to rmap40 and linux-2.6.8"),
    (("check", "rmap40+ignore-locked+ignore-hints"), "ignore-locked and ignore-hints both replace with_protection_of"),
    (("run", "rmap40", "p1: write(0)"), "operation 1, 'p1: write(0)': a write is of a thread, as in t1: write(0)"),
    (("run", "rmap40", " ; # nothing"), "the trace has no operations"),
    (("run", "rmap40", "write(4)", "--pages", "4"), "operation 1, 'write(4)': outside of the address space of 4 pages"),
    (("run", "rmap40", "mmap(3,2,RW)", "--pages", "4"), "operation 1, 'mmap(3,2,RW)': outside of the address space"),
    (("run", "rmap40", "munmap(0,5)", "--pages", "4"), "operation 1, 'munmap(0,5)': outside of the address space"),
    (("run", "rmap40", "write(300)"), "the trace needs 301 pages; there can be 256"),
    (("run", "rmap40", "write(0)", "--pages", "0"), "argument --pages: 0 is not at least 1"),
    (("run", "nokernel", "write(0)"), "unknown kernel 'nokernel'"),
    (("run", "rmap40"), "run takes a TRACE behind the KERNEL"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_bad_input_is_one_line(words, message):
    code, out, err = vmacheck(*words)
    assert (code, out) == (2, "")
    assert err.startswith("vmacheck: ")
    assert err.count("\n") == 1
    assert message in err


PATCHES = [
    ("def find_mergeable_anon_vma(mm):\n    return NULL\n", ":1: find_mergeable_anon_vma takes (mm, vma), not (mm)"),
    ("def find_mergable_anon_vma(mm, vma):\n    return NULL\n", ":1: find_mergable_anon_vma replaces nothing and nothing here calls it; did you mean find_mergeable_anon_vma?"),
    ("def find_mergeable_anon_vma(mm, vma):\n    return None\n", ":2: find_mergeable_anon_vma: not allowed: None (use NULL)"),
    ("def find_mergeable_anon_vma(mm, vma):\n    near = [1]\n    return NULL\n", ":2: find_mergeable_anon_vma: not allowed: lists"),
    ("def find_mergeable_anon_vma(mm, vma):\n    return '0'\n", ":2: find_mergeable_anon_vma: not allowed: strings"),
    ("def find_mergeable_anon_vma(mm, vma):\n    return 1 / 2\n", ":2: find_mergeable_anon_vma: not allowed: division"),
    ("def find_mergeable_anon_vma(mm, vma):\n    for v in mm.vma:\n        pass\n    return NULL\n", ":2: find_mergeable_anon_vma: only 'for name in range(...)' is allowed"),
    ("def find_mergeable_anon_vma(mm, vma):\n    import os\n    return NULL\n", ":2: find_mergeable_anon_vma: not allowed: imports inside functions"),
    ("def find_mergeable_anon_vma(mm, vma):\n    try:\n        pass\n    finally:\n        pass\n    return NULL\n", ":2: find_mergeable_anon_vma: not allowed: exceptions"),
    ("def find_mergeable_anon_vma(mm, vma):\n    return nowhere\n", ":2: find_mergeable_anon_vma: unknown name 'nowhere'"),
    ("def find_mergeable_anon_vma(mm, vma):\n    return find_vma(mm)\n", ":2: find_mergeable_anon_vma: find_vma takes 2 arguments, not 1"),
    ("def find_mergeable_anon_vma(mm, vma):\n    return mm.vma[vma].vm_ops\n", ":2: find_mergeable_anon_vma: a slot of vma has no field vm_ops"),
    ("def find_mergeable_anon_vma(mm, vma):\n    if vma > 1:\n        return NULL\n", ":1: find_mergeable_anon_vma: returns a value on some paths and nothing on others"),
    ("def find_mergeable_anon_vma(mm, vma):\n    if vma > 1:\n        near = 1\n    return near\n", ":4: find_mergeable_anon_vma: 'near' may have no value here"),
    ("def find_mergeable_anon_vma(mm, vma):\n    return BUG(mm)\n", ":2: find_mergeable_anon_vma: BUG returns nothing"),
    ("def find_mergeable_anon_vma(mm, vma):\n    return find_mergeable_anon_vma(mm, vma)\n", ":1: find_mergeable_anon_vma calls itself"),
    ("def find_mergeable_anon_vma(mm, vma, more=1):\n    return NULL\n", ":1: find_mergeable_anon_vma takes (mm, vma), not (mm, vma, more)"),
    ("def find_mergeable_anon_vma(mm, vma):\n    return NULL\n\n\ndef find_mergeable_anon_vma(mm, vma):\n    return 1\n", ":5: find_mergeable_anon_vma is defined twice"),
    ("import os\n", ":1: only functions, integer constants and imports from vmacheck are allowed here"),
    ("print('hello')\n", ":1: only functions, integer constants and imports from vmacheck are allowed here"),
    ("def find_mergeable_anon_vma(mm, vma)\n    return NULL\n", ":1: expected ':'"),
    ("@cache\ndef find_mergeable_anon_vma(mm, vma):\n    return NULL\n", ":2: find_mergeable_anon_vma: decorators are not allowed"),
    ("", ": defines no function"),
    ("def find_mergeable_anon_vma(mm, vma):\n    é = 1\n    return é\n", ":2: find_mergeable_anon_vma: 'é' is not in plain letters"),
    ("def find_mergeable_anon_vma(mm, vma):\n    return 2147483648\n", ":2: find_mergeable_anon_vma: 2147483648 is larger than 2147483647"),
    ("BIG = 2147483647 + 1\n", ": BIG is 2147483648, beyond 2147483647"),
    ("def pack(s, key):\n    return 0\n\n\ndef find_mergeable_anon_vma(mm, vma):\n    return pack(mm, vma)\n", ": pack is a name of the checker's own"),
    ("def find_mergeable_anon_vma(mm, vma):\n    return lshr(vma, COUNT)\n\n\ndef lshr(a, b):\n    return b\n\n\nCOUNT = 1\n", ": lshr is a name of the checker's own"),
    ("def find_mergeable_anon_vma(mm, vma):\n    return COUNT\n\n\nCOUNT = 1\n", ": COUNT is a name of the checker's own"),
    ("def find_mergeable_anon_vma(mm, vma):\n    mm.events = 99999999\n    return NULL\n", ":2: find_mergeable_anon_vma: events is the checker's own and cannot be set"),
    ("def step(mm, call):\n    return mm.nr\n", ":2: step: mm is used both as a state and as a call"),
    ("def step(mm, call):\n    call.addr = 1\n    return 0\n", ":2: step: only fields of the state can be assigned to"),
    ("def find_mergeable_anon_vma(mm, vma):\n    return total(3)\n\n\ndef total(n):\n    for i in range(n):\n        n = i\n    return n\n", ":6: total: the first parameter of a function with a loop has to be the state"),
    ("def find_mergeable_anon_vma(mm, vma):\n    return find_vma\n", ":2: find_mergeable_anon_vma: find_vma is a function, and is not called here"),
    ("def find_mergeable_anon_vma(mm, vma):\n    x = range(3)\n    return x\n", ":2: find_mergeable_anon_vma: range is for loops"),
    ("def find_mergeable_anon_vma(mm, vma):\n    range = 5\n    return range\n", ":1: find_mergeable_anon_vma: 'range' is a global name and cannot be a local one"),
    ("def find_mergeable_anon_vma(mm, vma):\n    mm = 3\n    return mm\n", ":2: find_mergeable_anon_vma: mm is a struct and cannot be given another value"),
    ("def find_mergeable_anon_vma(mm, vma):\n    mm.vma[1] = mm.page[0]\n    return NULL\n", ":2: find_mergeable_anon_vma: a slot of page is not one of vma"),
    ("def find_mergeable_anon_vma(mm, vma):\n    return vma << 63\n", ":2: find_mergeable_anon_vma: shifts are by a constant of 0 to 31"),
    ("def find_mergeable_anon_vma(mm, vma):\n    mm.vma[find_vma(mm, 0)].vm_pgoff += 0\n    return NULL\n", ":2: find_mergeable_anon_vma: a call in the target of an augmented assignment"),
    ("def step(mm, call):\n    pass\n", ":1: step has to return a value"),
    ("def step(mm, call):\n    return call.result\n", ":2: step: the result is known only after the call"),
    ("def find_mergeable_anon_vma(mm, vma):\n    return helper()\n\n\ndef helper():\n    while True:\n        pass\n    return 0\n", ":5: helper: the first parameter of a function with a loop has to be the state"),
    ("X = 1 << -1\n", ":1: only functions, integer constants and imports from vmacheck are allowed here"),
    ("X = 1 << 99999999999999999999\n", ":1: only functions, integer constants and imports from vmacheck are allowed here"),
    ("def find_mergeable_anon_vma(mm, vma):\n    __debug = 1\n    return __debug\n", ":2: find_mergeable_anon_vma: names that start with two underscores are not a model's: '__debug'"),
    ("TASK_SIZE = 3\n", ": TASK_SIZE is a constant of the kernel; a patch replaces functions"),
    ("find_vma = 3\n", ": find_vma is a function of the kernel, not a constant"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), PATCHES, ids=[message for _, message in PATCHES])
@pytest.mark.parametrize("command", [("check",), ("run", "write(0)")], ids=lambda words: words[0])
def test_a_bad_patch_is_one_line(text, message, command, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(text)
    code, out, err = vmacheck(command[0], f"rmap40+{path}", *command[1:])
    assert (code, out) == (2, "")
    assert err == f"vmacheck: {path}{message}\n" or err.startswith(f"vmacheck: {path}{message} ")


def test_a_patch_that_leaves_the_scope_is_one_line(tmp_path):
    """Where properties do not judge such a state."""
    path = tmp_path / "mine.py"
    path.write_text("def linear_page_index(mm, vma, address):\n    return 99\n")
    for words in (("compare", "rmap40"), ("graph",), ("coverage",), ("tradeoff",)):
        code, _, err = vmacheck(words[0], f"rmap40+{path}", *words[1:], "--pages", "2")
        assert (code, err.count("\n")) == (2, 1)
        assert "page[0].index is 99, outside of 0..1" in err


STOPS = {
    "a result that is none": "def do_munmap(mm, start, len):\n    return -99999\n",
    "an event that is none": "def BUG(mm):\n    count_vm_event(mm, 1 << 20)\n\n\ndef do_munmap(mm, start, len):\n    BUG(mm)\n    return 0\n",
    "an endless for": "def do_munmap(mm, start, len):\n    for i in range(2000000000):\n        start = i\n    return 0\n",
    "too large for a field": "def do_munmap(mm, start, len):\n    mm.leaked += 65536 * 65536\n    return 0\n",
}


@pytest.mark.parametrize("text", STOPS.values(), ids=STOPS)
def test_what_cannot_be_stops_the_kernel_in_both_runs(text, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(text)
    words = ("check", f"rmap40+{path}", "--pages", "2", "-p", "kernel_bug_is_never_hit", "--run")
    one, two = vmacheck(*words, "compiled"), vmacheck(*words, "interpreted")
    assert one == two
    assert one[0] == 1
    assert "munmap(0,1)   . .   BUG: the kernel stops here" in one[1]


@pytest.mark.parametrize("run", ["compiled", "interpreted"])
@pytest.mark.parametrize(
    "text",
    [
        "def page_referenced_anon(mm, page):\n    return mm.page[page].mapcount + mm.vma[NULL].vm_pgoff\n",
        "def begin(mm):\n    x = mm.vma[0].vm_start\n",
        "def canonicalise(mm):\n    while True:\n        pass\n",
    ],
)
def test_what_goes_wrong_outside_of_calls_is_one_line(text, run, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(text)
    code, out, err = vmacheck("check", f"linux-2.6.8+{path}", "--pages", "2", "--run", run)
    assert (code, out) == (2, "")
    assert err.startswith("vmacheck: a property, a measure, begin or canonicalise uses NULL")


def test_a_property_cannot_change_the_state(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def page_referenced_anon(mm, page):\n    mm.page[page].mapcount = 0\n    return 0\n")
    code, _, err = vmacheck("check", f"linux-2.6.8+{path}", "--pages", "2")
    assert code == 2
    assert f"{path}:2: page_referenced_anon: changes the state, and the property rmap_finds_every_page calls it" in err


def test_names_of_locals_cannot_collide_with_those_of_the_compiler(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "def labs(x):\n    return x\n\n\ndef find_mergeable_anon_vma(mm, vma) -> int:\n    bool1 = 7\n    for1 = 0\n"
        "    x = vma and mm.map_count\n    for t in range(3):\n        for1 = 0\n"
        "    if bool1 != 7 or labs(vma - 5) + 5 != vma:\n        BUG(mm)\n    return NULL\n"
    )
    words = ("check", f"rmap40+{path}", "--pages", "2", "-p", "kernel_bug_is_never_hit", "--run")
    assert vmacheck(*words, "compiled") == vmacheck(*words, "interpreted")
    assert vmacheck(*words, "compiled")[0] == 0


def test_values_that_no_field_has_room_for_are_one_line_in_run(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def anon_vma_prepare(mm, vma):\n    mm.vma[vma].anon_vma = -1\n    return 0\n")
    code, _, err = vmacheck("run", f"rmap40+{path}", "mmap(0,1,RW); write(0)")
    assert code == 2
    assert "vma[1].anon_vma is -1, outside of" in err


def test_nothing_of_a_patch_is_run_when_it_is_read(tmp_path):
    path, mark = tmp_path / "mine.py", tmp_path / "mark"
    path.write_text(f"open({str(mark)!r}, 'w')\n")
    assert vmacheck("check", f"rmap40+{path}")[0] == 2
    assert not mark.exists()


def test_a_patch_may_bring_helpers_constants_and_imports(tmp_path):
    path = tmp_path / "mine+1.py"
    path.write_text(
        '"""Mine."""\nfrom model.mm import NULL\n\nMASK = ~(VM_READ | VM_WRITE)\n\n\n'
        "def helper(mm, vma):\n    return MASK & NULL\n\n\n"
        "def find_mergeable_anon_vma(mm, vma):\n    return helper(mm, vma)\n"
    )
    assert vmacheck("check", f"rmap40+{path}", "-p", LOCAL, "--pages", "3")[0] == 1


def run_program(*words, **more):
    return subprocess.run([sys.executable, "-m", "vmacheck", *words], capture_output=True, check=False, **more)


def test_the_same_command_gives_the_same_bytes():
    answers = {run_program("check", "rmap40", "--pages", "3", env={**os.environ, "PYTHONHASHSEED": seed}).stdout for seed in "01"}  # fmt: skip
    assert len(answers) == 1


def test_no_progress_where_there_is_no_terminal():
    assert run_program("check", "rmap39", "--pages", "4").stderr == b""


@pytest.mark.slow
def test_json_of_the_default_job_is_whole(one_search):
    code, data = vmacheck_json("check", "--kernels", "2004")
    assert code == 0
    assert len(data["results"]) == 9 * 15
    assert json.loads(json.dumps(data)) == data
