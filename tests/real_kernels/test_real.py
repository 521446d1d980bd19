# SPDX-License-Identifier: GPL-2.0-only
"""Traces on the kernel that runs here: C programs, replays, and every sequence of a scope."""

import io
import itertools
import json
import re
import shutil
import sys
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from tests.real_kernels.test_conform import FORK_MUTANTS, MODEL, MUTANTS
from tests.support.helpers import steps, vmacheck, vmacheck_json
from vmacheck.checker.kernels.btf import KernelError
from vmacheck.checker.kernels.scope import Scope
from vmacheck.counterexamples.pictures.terminal import show
from vmacheck.counterexamples.real_kernels import conform as conforming
from vmacheck.counterexamples.real_kernels.live import (
    Seen,
    cells_of,
    encode,
    line_of,
    replay_live,
    runner,
    seen_in,
    vmas_in,
)
from vmacheck.counterexamples.real_kernels.replay import LIVE, against_svg, compare_with_real, on_real
from vmacheck.counterexamples.reproducer.write import STYLES, c_text, program_of, try_out
from vmacheck.model.calls.operations import TraceError, all_calls
from vmacheck.model.calls.traces import parse_trace

SHARING = "mmap(0,1,RW); mmap(2,1,RW); write(0); write(2); mmap(1,1,RW)"
# every kind of call that a program can ask for; the same on Linux 6.1 to 6.18
EVERYTHING = (
    "mmap(0,4,RW); madvise(0,1,RANDOM); mlock(2,1); munlock(3,1); mbind(3,1,BIND); read(0); mremap(0,1->1);"
    " mmap(0,1,R,file=F,off=2); write(0); mremap(0,1,2); mmap(0,2,RW,NORESERVE); munmap(1,1); write(1)"
)
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]

# ---- C programs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cc", COMPILERS)
@pytest.mark.parametrize("trace", [SHARING, EVERYTHING, "mmap(0,1,R)", "read(0)"])
def test_a_program_shows_it(trace, cc):
    program = program_of("linux-2.6.8", parse_trace(trace))
    assert try_out(c_text(program), "program.c", cc=cc) == (0, "reproduced\n")


def test_a_program_with_a_control():
    program = program_of("rmap40", parse_trace(SHARING))
    assert program.cause == "accesses"
    text = c_text(program)
    assert '\tSTEP(map(1, 1, PROT_READ | PROT_WRITE, 0), 1, "0-2:rw- 2-3:rw-"); /* A A|B */\n' in text
    assert '\tSTEP(map(1, 1, PROT_READ | PROT_WRITE, 0), 1, "0-3:rw-");         /* o o o */\n' in text
    assert "reproduced = vmas() == 2;" in text


CAUSES = [
    ("mmap(0,1,RW); mmap(1,1,RW,NORESERVE)", "NORESERVE"),
    ("mmap(0,2,RW); mlock(0,1)", "calls of mlock"),
    ("mmap(0,2,R); madvise(1,1,RANDOM); read(0)", "calls of madvise"),
    ("mmap(0,2,R); mbind(1,1,BIND)", "calls of mbind"),
    ("mmap(0,1,RW); write(0); mremap(0,1->1); mmap(0,1,RW)", "accesses"),
    ("mmap(0,1,R); mmap(1,1,RW); mprotect(1,1,R); mmap(2,1,R); mprotect(1,1,R)", ""),
    ("mmap(0,1,RW); mmap(1,1,RWX)", ""),
    ("mmap(0,3,RW); mprotect(0,1,R); write(1); mprotect(1,1,R)", ""),  # less is allowed with mprotect
]


@pytest.mark.parametrize(("trace", "cause"), CAUSES)
def test_a_control_has_the_same_mapped_in_fewer_vmas(trace, cause):
    program = program_of("linux-2.6.8", parse_trace(trace))
    assert program.cause == cause
    assert bool(program.control) == bool(cause)
    if cause:
        assert len(program.control[-1].vmas) < len(program.steps[-1].vmas)


def test_pages_that_moved_or_are_gone_are_seen():
    trace = "mmap(0,3,RW); write(0); write(1); read(2); madvise(1,1,DONTNEED); mremap(0,1->2)"
    text = c_text(program_of("linux-2.6.8", parse_trace(trace)))
    assert try_out(text, "program.c") == (0, "reproduced\n")
    status, said = try_out(text.replace('"0 1");', '"0 1 2");'), "program.c")
    assert (status, "left pages {0 1}, and not {0 1 2}" in said) == (1, True)


def test_the_header_says_what_cannot_be_seen():
    text = c_text(program_of("rmap40", parse_trace("mmap(0,3,RW); mprotect(0,1,R); write(1); mprotect(1,1,R)")))
    assert "Here the mapping of page 1 points at an anon_vma that its vma is not on" in text
    text = c_text(program_of("linux-2.6.8", parse_trace(SHARING)))
    assert "not see anon_vmas, nor what the mapping" in text.replace("\n * ", " ")
    assert "the mapping of page 1" not in text


def test_files_have_a_page_at_every_offset():
    trace = "mmap(0,1,R,file=F,off=3); read(0); mmap(1,1,RW,file=F,off=999990); read(1); write(1)"
    assert try_out(c_text(program_of("linux-2.6.8", parse_trace(trace))), "program.c") == (0, "reproduced\n")
    assert vmacheck("replay", trace, "--against", "linux-2.6.8")[0] == 0


def test_the_edge_of_the_address_space_is_the_models(tmp_path):
    """Nothing grows over it, in a replay and in a program of a counterexample that was found there."""
    trace = ["mmap(0,1,RW)", "mremap(0,1,2)"]
    code, out, _ = vmacheck("replay", "; ".join(trace), "--pages", "1")
    assert (code, out.count("ENOMEM")) == (0, 2)
    result = {"kernel": "linux-2.6.8", "scope": {"pages": 1}, "counterexample": {"operations": trace}}
    (tmp_path / "result.json").write_text(json.dumps(result))
    code, out, _ = vmacheck("reproduce", "--from", str(tmp_path / "result.json"))
    assert code == 0
    assert 'STEP(resize(0, 1, 2), -ENOMEM, "0-1:rw-", "");' in out


def test_a_program_that_hangs(tmp_path, monkeypatch):
    monkeypatch.setattr("vmacheck.counterexamples.reproducer.write.PATIENCE", 0.2)
    with pytest.raises(KernelError, match="does not come to an end"):
        try_out("int main(void) { for (;;); }", "program.c")
    with pytest.raises(KernelError, match="ended with -11"):
        try_out("#include <signal.h>\nint main(void) { return raise(SIGSEGV); }", "program.c")


def test_a_program_that_is_wrong_says_so():
    text = c_text(program_of("rmap40", parse_trace(SHARING)))
    status, said = try_out(text.replace("vmas() == 2", "vmas() == 3"), "program.c")
    assert (status, said) == (1, "not reproduced\n")
    status, said = try_out(text.replace('"0-2:rw- 2-3:rw-"', '"0-1:rw- 1-3:rw-"'), "program.c")
    assert (status, said.splitlines()[-1]) == (0, "reproduced, but for these differences")
    assert "left 0-2:rw- 2-3:rw-, and not 0-1:rw- 1-3:rw-" in said
    # nothing but where vmas meet may differ
    for right, wrong in (('"0-2:rw- 2-3:rw-"', '"0-2:rw- 2-3:r--"'), ("0), 1,", "0), 2,"), ('"0-3:rw-"', '"0-2:rw-"')):
        status, said = try_out(text.replace(right, wrong), "program.c")
        assert (status, said.splitlines()[-1]) == (1, "not reproduced")
    text = c_text(program_of("rmap40", parse_trace("mmap(0,1,RW)")))
    status, said = try_out(text.replace("0), 0,", "0), 1,"), "program.c")
    assert (status, said.splitlines()[-1]) == (1, "not reproduced")


@pytest.mark.parametrize("cc", COMPILERS)
@pytest.mark.parametrize("trace", [SHARING, EVERYTHING, "mmap(0,1,R)"])
def test_the_other_style(trace, cc):
    text = c_text(program_of("linux-2.6.8", parse_trace(trace)), "kselftest")
    assert '#include "../kselftest_harness.h"' in text
    status, said = try_out(text, "test.c", cc=cc)
    assert (status, said.splitlines()[0]) == (0, "ok space.trace")
    assert ("ok space.control" in said) == (trace == SHARING)


def test_the_other_style_fails():
    text = c_text(program_of("rmap40", parse_trace(SHARING)), "kselftest")
    status, said = try_out(text.replace('"0-3:rw-"', '"0-4:rw-"'), "test.c")
    assert status == 1
    assert "not ok space.control" in said


def test_the_kernels_own_harness(tmp_path):
    (tmp_path / "mm").mkdir()
    (tmp_path / "kselftest_harness.h").write_text("#error not this one\n")
    words = ("reproduce", SHARING, "--style", "kselftest", "--harness")
    code, out, err = vmacheck(*words, str(tmp_path))
    assert (code, out, "not this one" in err, err.count("\n")) == (2, "", True, 1)
    assert vmacheck(*words, "/nowhere")[2] == "vmacheck: there is no /nowhere/kselftest_harness.h\n"
    assert "--harness is for --style kselftest" in vmacheck("reproduce", SHARING, "--harness", "/")[2]


def test_what_is_needed_is_there_and_nothing_else():
    for style in STYLES:
        text = c_text(program_of("rmap40", parse_trace("mmap(0,1,R)")), style)
        assert "@" not in text
        assert not any(
            word in text for word in ("sigsetjmp", "mremap", "memfd", "mbind", "control(", "static long result")
        )


def test_from_a_result(tmp_path):
    _, data = vmacheck_json("check", "rmap40", "--pages", "3", "-p", "adjacent_vmas_share_anon_vma")
    (tmp_path / "result.json").write_text(json.dumps(data))
    code, out, err = vmacheck("reproduce", "--from", str(tmp_path / "result.json"), "-o", str(tmp_path / "x.c"))
    assert (code, err) == (0, "")
    assert out.startswith("reproduced on Linux ")
    text = (tmp_path / "x.c").read_text()
    assert text.startswith(
        "// SPDX-License-Identifier: GPL-2.0-only\n/*\n * adjacent_vmas_share_anon_vma is violated on"
    )
    assert f" * {SHARING}\n" in text
    code, out, _ = vmacheck("reproduce", "--from", str(tmp_path / "result.json"))
    assert (code, out) == (0, text)


def test_from_other_results(tmp_path):
    """The kernel is the worse one of a comparison, and the first one of a claim."""

    def header(number, *words):
        (tmp_path / "result.json").write_text(vmacheck(*words, "--format", "json")[1])
        code, out, _ = vmacheck("reproduce", "--from", str(tmp_path / "result.json"), "--id", str(number))
        assert code in (0, 1)
        return " ".join(out.split("*/")[0].replace(" * ", " ").split())

    compare = ("compare", "andrea+importer", "rmap40+importer", "--pages", "3")
    for number, worse, better in ((1, "andrea", "rmap40"), (2, "rmap40", "andrea")):
        text = header(number, *compare)
        assert f"{worse}+importer is worse than {better}+importer, by vmas." in text
        assert f"on the model kernel {worse}+importer" in text
    text = header(1, "claims", "C11")
    assert "andrea+importer can have more vmas than rmap39+importer." in text
    text = header(1, "check", "rmap40", "--pages", "3", "-p", "first_write_meets_faulted_neighbour")
    assert "first_write_meets_faulted_neighbour happens on rmap40" in text


@pytest.mark.parametrize("text", ["7", "[]", '{"operations": [1]}', '{"kernel": 5, "pages": true}', "null", '"x"'])
def test_results_of_another_shape(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    code, out, err = vmacheck("reproduce", "--from", str(tmp_path / "result.json"))
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_results_with_traces_of_another_shape(tmp_path):
    for kernel, operations in (("rmap40", ["mmap("]), ("x", ["mmap(0,1,R)"]), ("rmap40", []), ("rmap40", ["brk(1)"])):
        (tmp_path / "result.json").write_text(json.dumps({"kernel": kernel, "operations": operations, "pages": -1}))
        code, out, err = vmacheck("reproduce", "--from", str(tmp_path / "result.json"))
        assert (code, out, err.count("\n")) == (2, "", 1)


# ---- replays -------------------------------------------------------------------------------------


def test_letters_and_back():
    for step in steps("rmap40", "mmap(0,2,RW); mmap(3,1,RX); mmap(1,1,N); mprotect(1,1,RW)", 5):
        cells = cells_of(step.vmas, 5)
        assert [(vma.start, vma.end, vma.prot) for vma in vmas_in(cells)] == [
            (vma.start, vma.end, vma.prot) for vma in step.vmas
        ]


def test_replay_side_by_side():
    code, out, err = vmacheck("replay", SHARING, "--against", "linux-2.6.8")
    assert (code, err.count("\n")) == (0, 1)  # it warns that another model is this kernel's
    lines = out.splitlines()
    assert lines[0].split()[:2] == ["linux-2.6.8", "Linux"]
    assert lines[5] == "  5  mmap(1,1,RW)   A A|B         o o|o"
    assert lines[7].startswith("every step is the same")


def test_the_first_difference_is_marked():
    trace = "mmap(0,1,R); mmap(1,1,RW); mprotect(1,1,R)"  # VM_ACCOUNT stays in 2004, and goes since 6.5
    (seen,) = replay_live([line_of(parse_trace(trace), 2, True)])
    code, out, _ = vmacheck("replay", trace, "--against", "linux-2.6.8")
    assert code == int(seen[-1].cells == "bB")
    assert ("<- differs" in out) == bool(code)
    _, data = vmacheck_json("replay", trace, "--against", "linux-2.6.8")
    assert data["traces"][0]["first_difference"] == (3 if code else None)
    assert [step["operation"] for step in data["traces"][0]["steps"]] == trace.split("; ")


@pytest.mark.parametrize("count", [250, pytest.param(2500, marks=pytest.mark.slow)])
def test_a_batch(tmp_path, count):
    (tmp_path / "traces").write_text(f"{SHARING}\n# nothing\n\n" + "mmap(0,1,RW)\n" * count)
    code, out, err = vmacheck("replay", "--batch", str(tmp_path / "traces"))
    assert (code, err) == (0, "")
    assert re.search(
        rf"^{count + 1:,} of {count + 1:,} traces are the same on linux-\S+ and on Linux ", out, re.MULTILINE
    )


def test_wrong_rules_are_changes_to_what_the_model_says():
    """The runs that need a kernel are made now and then only: a rule that was rewritten is noticed here."""
    wrong = [(file, old) for _, file, old, *_ in MUTANTS] + [
        ("../worlds/fork_linux", old) for _, old, _ in FORK_MUTANTS
    ]
    assert [(file, old) for file, old in wrong if old not in (MODEL / f"{file}.py").read_text(encoding="utf-8")] == []


def test_what_a_program_cannot_ask_for():
    for call in all_calls(3, ("R",), ("mremap", "brk"), False):
        try:
            encode(1, call)
        except TraceError as error:
            assert "kernel's choice" in str(error)
            continue
        assert call.nr != 10


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("replay", "brk(1)"), "operation 1, 'brk(1)': where the heap of a program is, is the kernel's choice"),
        (("replay", "mmap(0,1,RW); mremap(0,1,2,MAYMOVE)"), "operation 2, 'mremap(0,1,2,MAYMOVE)': where it moves to"),
        (("reproduce", "t1: write(0)"), "a trace of threads or processes is not one that a program can be made to"),
        (("reproduce", ""), "the trace has no operations"),
        (("reproduce", "mmap(0,1"), "operation 1, 'mmap(0,1': not of the form name(arguments)"),
        (("reproduce",), "give a TRACE, or --from a result"),
        (("reproduce", SHARING, "--expect", "linux-9"), "unknown kernel 'linux-9'"),
        (("reproduce", SHARING, "-o", "/nowhere/x.c"), "-o: /nowhere/x.c: there is no folder /nowhere"),
        (("reproduce", "--from", "/nowhere.json"), "/nowhere.json: No such file or directory"),
        (("replay", SHARING, "--batch", "x"), "give a TRACE, or a --batch of them"),
        (("replay", SHARING, "--pages", "300"), "the trace needs 300 pages; a replay has 256"),
        (("replay", SHARING, "--pages", "2"), "operation 2, 'mmap(2,1,RW)': outside of the address space of 2 pages"),
        (("replay", SHARING, "--kernel", "/nowhere"), "there is no kernel image /nowhere"),
        (
            ("replay", "; ".join(["mmap(0,1,RW)"] * 9000)),
            "the trace has 9000 calls, which are more than a replay takes",
        ),
        (("replay", "--batch", "x", "--svg", "y"), "--svg is for one TRACE"),
        (
            ("reproduce", SHARING, "--pages", "2"),
            "operation 2, 'mmap(2,1,RW)': outside of the address space of 2 pages",
        ),
        (("reproduce", SHARING, "--pages", "900"), "--pages is 900; it can be 1 to 256"),
        (("conform", "rmap40", "--pages", "900"), "--pages is 900; it can be 1 to 256"),
        (("conform", "rmap40", "--random", "9", "--kernel", "x.img"), "--random is for the running kernel"),
        (("conform", "rmap40", "--random", "0"), "argument --random: 0 is not at least 1"),
        (("run", "rmap40", "t1: write(0)", "--svg", "x"), "--svg: there are no pictures of threads"),
        (("run", "rmap40", "mmap(0,1,R)", "--svg", "/nowhere/x"), "--svg: /nowhere/x: there is no folder /nowhere"),
        (("conform", "rmap40", "--kernel", "/nowhere"), "there is no kernel image /nowhere"),
        (("conform", "linux-9"), "unknown kernel 'linux-9'"),
        (("conform", "rmap40", "--ops", "mmap,fork"), "--ops: fork is for --threads"),
    ],
)
def test_what_is_refused(words, message):
    code, out, err = vmacheck(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"vmacheck: {message}")


def test_a_result_that_is_none(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("{")
    assert vmacheck("reproduce", "--from", str(path))[2].startswith(f"vmacheck: {path}:1: not JSON: ")
    path.write_text('{"results": []}')
    assert vmacheck("reproduce", "--from", str(path))[2] == f"vmacheck: {path} has no counterexample\n"


def test_a_batch_names_the_line(tmp_path):
    (tmp_path / "traces").write_text("# first\nmmap(0,1,RW)\nmmap(0,1\n")
    assert vmacheck("replay", "--batch", str(tmp_path / "traces"))[2].startswith(f"vmacheck: {tmp_path}/traces:3: oper")


def test_a_replay_that_crashes_is_one_line(tmp_path, monkeypatch):
    """The child may crash in any way; the checker reports it, and its own address space is unaffected."""
    (tmp_path / "crash.c").write_text("#include <signal.h>\nint main(void) { return raise(SIGSEGV); }\n")
    monkeypatch.setattr("vmacheck.counterexamples.real_kernels.live.SOURCE", tmp_path / "crash.c")
    runner.cache_clear()
    code, out, err = vmacheck("replay", SHARING)
    runner.cache_clear()
    assert (code, out, err) == (2, "", "vmacheck: the runner ended with -11\n")


def test_what_a_kernel_says_in_between():
    with pytest.raises(KernelError, match=r"the kernel says: 1 \[ 5.7\] init"):
        seen_in("1 [ 5.7] init[1]: segfault\n\nend\n")


# ---- pictures ------------------------------------------------------------------------------------


def test_svg_of_each_command(tmp_path):
    def svg(*words):
        _, out, err = vmacheck(*words, "--svg", str(tmp_path / "x.svg"))
        assert (out != "", err) == (True, "")
        text = (tmp_path / "x.svg").read_text()
        ElementTree.fromstring(text)
        return text

    assert svg("run", "rmap40", SHARING).count('rx="5"') == 9
    assert svg("replay", SHARING).count('rx="5"') == 18
    text = svg("check", "rmap40", "--pages", "3", "-p", "adjacent_vmas_share_anon_vma", "-p", "rmap_finds_every_page")
    assert "adjacent_vmas_share_anon_vma is violated on rmap40</text>" in text
    assert "rmap_finds_every_page is violated on rmap40</text>" in text
    code, _, err = vmacheck("check", "rmap40", "--pages", "2", "-p", "vmas_are_sorted_and_disjoint", "--svg", "x")
    assert (code, err) == (2, "vmacheck: --svg: there is no counterexample to draw\n")


def test_a_difference_is_drawn():
    calls = parse_trace("mmap(0,1,RW)")
    (compared,) = compare_with_real("linux-2.6.8", LIVE, [(calls, 1)])
    other = replace(compared, seen=(Seen(0, "b"),))
    assert ">differs</text>" in against_svg("linux-2.6.8", LIVE, other)
    assert ">differs</text>" not in against_svg("linux-2.6.8", LIVE, compared)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_colours_are_for_terminals(monkeypatch):
    lines = ["  1  mmap(1,1,RW)   A|b .   EFAULT", "     page 0 hangs from A at index 0", "A and a the same"]

    def shown(out, **variables):
        for name in ("NO_COLOR", "TERM"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"TERM": "xterm-256color", **variables}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.stdout", out)
        show(lines)
        return out.getvalue()

    plain = "\n".join(lines) + "\n"
    assert shown(io.StringIO()) == shown(Terminal(), NO_COLOR="1") == shown(Terminal(), TERM="dumb") == plain
    coloured = shown(Terminal())
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured) == plain
    assert coloured.endswith("\nA and a the same\n")
    assert [part for part in ("A", "b", ".", "EFAULT") if re.search(f"\x1b\\[[0-9;]+m{re.escape(part)}\x1b", coloured)] == [
        "A", "b", ".", "EFAULT"
    ]  # fmt: skip


def test_output_that_ends_too_early():
    with pytest.raises(Exception, match="did not come to the end"):
        seen_in("0 d..\n")


# ---- every sequence ------------------------------------------------------------------------------


def test_every_sequence_is_compared():
    """The counts are those of all sequences; each was handed to the real kernel as it stands."""
    scope, lines = Scope(pages=2), []

    def real(some):
        lines.extend(some)
        return on_real(LIVE, some)

    found = conforming.conform("linux-2.6.8", scope, 2, real)
    texts = [encode(1, call) for call in scope.calls()]
    assert lines[: len(texts)] == [f"2 0 {text}" for text in texts]
    assert set(lines[len(texts) :]) == {f"2 0 {a} {b}" for a, b in itertools.product(texts, texts)}
    assert found.compared == [17, 289]
    assert (found.agreed, found.differences) == (306, {})


def test_a_model_that_is_wrong_differs(tmp_path):
    (tmp_path / "wrong.py").write_text("def do_munmap(mm, addr, len):\n    return 0\n")
    found = conforming.conform(f"rmap40+{tmp_path / 'wrong.py'}", Scope(pages=2), 2, lambda lines: on_real(LIVE, lines))
    assert "munmap maps or allows something else" in found.differences


def test_a_difference_is_put_into_words():
    scope = Scope(pages=2)

    def wrong(lines):
        return [[Seen(-1, "..")] for _ in lines]

    found = conforming.conform("rmap40", scope, 1, wrong)
    ways = {"mmap": "success", "munmap": "success", "mprotect": "ENOMEM", "write": "EFAULT"}
    assert {*found.differences} == {
        f"{name} returns {was} in the model, EPERM in reality" for name, was in ways.items()
    }
    assert (found.compared, found.agreed) == ([17], 0)


def test_conform_says_what_it_compared():
    code, out, err = vmacheck("conform", "linux-2.6.8", "--pages", "2", "--depth", "2")
    assert (code, err.count("\n")) == (0, 1)
    assert err.startswith("vmacheck: warning: linux-2.6.8 is not the model of Linux ")
    assert out.splitlines()[-2] == "306 sequences compared (17 of 1, 289 of 2), none beyond its first difference"
    code, data = vmacheck_json("conform", "linux-2.6.8", "--pages", "2", "--depth", "2", "--ops", "mmap,brk")
    assert (code, data["left_out"], data["compared"]) == (0, {"brk": 3}, [6, 36])


# ---- longer sequences ----------------------------------------------------------------------------


def test_longer_sequences_are_shrunk_and_the_same_for_a_seed(tmp_path):
    (tmp_path / "wrong.py").write_text("def do_munmap(mm, addr, len):\n    return 0\n")
    words = ("conform", f"rmap40+{tmp_path / 'wrong.py'}", "--pages", "2", "--prot", "RW", "--ops", "mmap,munmap")
    words += ("--random", "50", "--length", "12", "--seed", "7")
    code, data = vmacheck_json(*words)
    assert (code, data["random"], data["length"], data["seed"]) == (1, 50, 12, 7)
    ways = {way["what"]: way["operations"] for way in data["differences"]}
    assert len(ways["munmap maps or allows something else"]) == 2
    assert ways["munmap maps or allows something else"][0].startswith("mmap(")
    assert any("stops the model kernel" in what for what in ways)
    assert vmacheck_json(*words) == (code, data)


def test_longer_sequences_that_agree():
    words = ("conform", "linux-2.6.8", "--pages", "3", "--prot", "RW", "--random", "30", "--seed", "2")
    code, out, err = vmacheck(*words)
    assert (code, err.count("\n")) == (0, 1)
    assert out.splitlines()[-1].startswith("30 sequences compared, which agree with Linux ")


def test_hypothesis_need_not_be_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    monkeypatch.delitem(sys.modules, "vmacheck.counterexamples.real_kernels.random_sequences", raising=False)
    code, out, err = vmacheck("conform", "linux-2.6.8", "--random", "3")
    assert (code, out) == (2, "")
    assert err == "vmacheck: --random needs the package hypothesis: install vmacheck[hypothesis]\n"
