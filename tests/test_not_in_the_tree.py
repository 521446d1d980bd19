# SPDX-License-Identifier: GPL-2.0-only
"""No file of the tree or of a wheel has a trace that leads a released kernel to a memory fault, or past a limit."""

import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.support.helpers import mirrored, shortest
from tests.support.left_out import calls_in, digest, digests_of_c, found_in, left_out, texts_of
from vmacheck.counterexamples.reproducer.write import c_text, program_of
from vmacheck.model.calls.traces import parse_trace

ROOT = Path(__file__).parent.parent
KNOWN = left_out()
HARMLESS = "mmap(0,1,RW); write(0); mremap(0,1->2); mmap(1,1,R); munmap(2,1)"
PLANTED = KNOWN | {digest(calls_in(HARMLESS))}


def files_of_the_tree() -> set[Path]:
    """Every file that git tracks, or would after git add; without git, every file that is not hidden."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(words, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode == 0:
        found = [ROOT / name for name in done.stdout.split("\0") if name]
    else:
        found = [path for path in ROOT.rglob("*") if not any(part[0] == "." for part in path.relative_to(ROOT).parts)]
    return {path for path in found if path.is_file()}


def files_of_the_wheel() -> set[Path]:
    """The files that pyproject.toml puts into a wheel: the packages, their data, the description and the licence."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    setup = project["tool"]["setuptools"]
    found = {ROOT / project["project"]["readme"], ROOT / "LICENSE"}
    for package in setup["packages"]:
        folder = ROOT / package.replace(".", "/")
        for name, place in setup["package-dir"].items():
            if f"{package}.".startswith(f"{name}."):
                folder = ROOT / place / package.removeprefix(name).removeprefix(".").replace(".", "/")
        for pattern in ("*.py", *setup["package-data"].get(package, ())):
            found |= set(folder.glob(pattern))
    return found


def with_a_known_one(paths, known=KNOWN):
    return sorted(str(path) for path in paths if any(found_in(text, known) for text in texts_of(path)))


def test_no_file_has_one():
    tree, wheel = files_of_the_tree(), files_of_the_wheel()
    assert {ROOT / "README.md", ROOT / "checker/jobs/default.toml", ROOT / "model/linux/mmap.py"} <= tree & wheel
    assert not any("gallery" in path.parts and path.suffix != ".py" for path in wheel)
    assert with_a_known_one(tree | wheel) == [], "tell it in words: what happens, where, in how many calls"


@pytest.mark.parametrize("kernel", ["linux-2.6.8", "linux-6.16"])
def test_the_shortest_trace_of_a_released_kernel_is_known(kernel):
    trace = shortest(kernel, "rmap_finds_every_page", "mremap")
    assert found_in(trace, KNOWN)
    assert found_in(f"mmap(4,1,R); {mirrored(trace, 3)}; fork()", KNOWN)
    assert found_in(c_text(program_of(kernel, parse_trace(trace))), KNOWN)
    assert not found_in(HARMLESS, KNOWN)


def test_refused_calls_that_add_vmas_are_known():
    first, second = (f"munmap({page},{9 - page})" for page in (3, 5))
    head = "mmap(0,9,R); mseal(8,1); "
    assert found_in(f"{head}{first}; {second}", KNOWN)
    assert not found_in(f"{head}{first}", KNOWN)


WRITTEN = {
    "spaces and another protection": "mmap(0, 1, RWX);write( 0 ) ; mremap(0, 1 -> 2); mmap(1,1,R)\nmunmap(2, 1)",
    "further up": "mmap(3,1,RW); write(3); mremap(3,1->5); mmap(4,1,R); munmap(5,1)",
    "in larger pieces": "mmap(0,1,RW); write(0); mremap(0,1->3); mmap(1,2,R); munmap(3,1)",
    "a list": ", ".join(f'"{call}"' for call in HARMLESS.split("; ")),
    "a picture": "\n".join(f"  {number}  {call}   o|A ." for number, call in enumerate(HARMLESS.split("; "), 1)),
    "a table": " | ".join(HARMLESS.split("; ")),
    "of a picture in SVG": "".join(f"<text x='1'>{call}</text>" for call in HARMLESS.replace(">", "&gt;").split("; ")),
    "within a longer one": f"mmap(5,1,R); {HARMLESS}; munmap(0,4)",
    "in a child": "; ".join(f"p1: {call}" for call in HARMLESS.split("; ")),
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_a_planted_one_is_noticed(text, tmp_path):
    (tmp_path / "page.md").write_text(f"Look at this:\n\n{text}\n")
    assert with_a_known_one([tmp_path / "page.md"], PLANTED) == [str(tmp_path / "page.md")]
    assert with_a_known_one([tmp_path / "page.md"]) == []


def test_a_planted_one_is_noticed_in_python(tmp_path):
    first, _, last = HARMLESS.partition("; mmap(1")
    text = f'FIRST = "{first}"\nREST = "mmap(1{last}"\n\n\ndef test():\n    run(f"{{FIRST}}; {{REST}}")\n'
    (tmp_path / "test_it.py").write_text(text)
    assert with_a_known_one([tmp_path / "test_it.py"], PLANTED)


def test_a_planted_one_is_noticed_in_c(tmp_path):
    text = c_text(program_of("linux-2.6.8", parse_trace(HARMLESS)))
    steps_alone = text[text.index("static void trace(void)") :]
    comment_alone = text[: text.index("#define")]
    for part in (text, steps_alone, comment_alone):
        assert found_in(part, PLANTED)
    assert not found_in(steps_alone.replace("move(0, 1, 1, 2)", "move(0, 1, 1, 3)"), PLANTED)
    by_hand = "int main(void)\n{\n\tfor (;;)\n\t\tpause(); /* for ever */\n}\n"
    known = frozenset(digests_of_c(by_hand))
    (again,) = found_in(by_hand.replace("/* for ever */", "").replace("\t", "    "), known | KNOWN)
    assert again in known
