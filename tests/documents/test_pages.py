# SPDX-License-Identifier: GPL-2.0-only
"""README.md and docs/: commands do what the pages say, and names, links and paths in them exist."""

import ast
import re
import shutil

import pytest
import yaml

from tests.documents.pages import DOCS, MARKS, PAGES, ROOT, blocks, commands_in, options_of, parsers, written_anew

TEXTS = {name: path.read_text(encoding="utf-8") for name, path in PAGES.items()}
MAKE_TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
# what may stand in a block that is not run
SHELL_LINE = re.compile(
    r"(make|git|\. \.venv/bin/activate|\.venv/bin/|pip install|python -m (pip|pytest|venv|benchmarks))"
)
FOLDERS = "benchmarks|checker|counterexamples|docs|model|properties|tests"


def marked():
    for name, text in TEXTS.items():
        for mark in MARKS:
            if commands_in(text, mark):
                yield pytest.param(name, mark, marks=getattr(pytest.mark, mark))


def check(name, marks):
    if "vmacheck reproduce" in TEXTS[name] and shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    assert written_anew(TEXTS[name], marks) == TEXTS[name], f"run `python -m tests.documents.pages {name}`"


@pytest.mark.parametrize("name", [name for name, text in TEXTS.items() if "console" in text or "options of" in text])
def test_page_is_current(name):
    check(name, (None,))


@pytest.mark.usefixtures("optimised")
@pytest.mark.parametrize(("name", "mark"), list(marked()))
def test_marked_blocks_are_current(name, mark):
    check(name, (mark,))


def test_the_front_page_ends():
    assert len(TEXTS["README"].splitlines()) <= 220


def test_every_page_has_one_title_and_a_link_from_the_front_page():
    for name, text in TEXTS.items():
        outside = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        assert len(re.findall(r"^# ", outside, re.MULTILINE)) == 1, name
        assert text.startswith("<!-- SPDX-License-Identifier: GPL-2.0-only -->\n# "), name
        assert name == "README" or f"](docs/{name}.md)" in TEXTS["README"], name


def test_commands_of_the_questions_are_run_in_the_pages_that_they_link_to():
    rows = re.findall(
        r"^\| .*\| `(vmacheck [^`]+)` \| \[[^\]]*\]\(docs/([\w.-]+)\.md\) \|$", TEXTS["README"], re.MULTILINE
    )
    assert len(rows) >= 8
    for command, page in rows:
        assert any(one.startswith(command) for one in commands_in(TEXTS[page])), (command, page)


def test_every_option_of_every_command_is_in_the_reference():
    assert re.findall(r"<!-- options of: (\S+) -->", TEXTS["reference"]) == list(parsers())
    for name in parsers():
        for line in options_of(name):
            assert line in TEXTS["reference"]


def test_every_block_is_run_or_a_file_or_measured_or_about_set_up():
    for name, text in TEXTS.items():
        for language, body, comments in blocks(text):
            if language == "sh":
                for line in body.splitlines():
                    assert SHELL_LINE.match(line), f"{name}: {line}"
                    assert all(target in MAKE_TARGETS for target in re.findall(r"^make ([\w-]+)", line)), line
            elif language != "text":  # rules, pseudocode and formats
                assert language == "console" or {"file", "measured by"} & set(comments), f"{name}: {body}"


def test_links_lead_somewhere():
    for name, text in TEXTS.items():
        for path in re.findall(r"\]\(([^:)#]+)(?:#[\w-]+)?\)", text):
            assert (PAGES[name].parent / path).exists(), f"{name}: {path}"


def test_paths_in_backticks_exist():
    for name, text in TEXTS.items():
        for path in re.findall(rf"`((?:{FOLDERS})/[\w./-]*)`", text):
            assert (ROOT / path).exists(), f"{name}: {path}"


def defined_in(path):
    """The names that a file defines at its top."""
    names = set()
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        for target in getattr(node, "targets", None) or [getattr(node, "target", None)]:
            names |= {one.id for one in ast.walk(target) if isinstance(one, ast.Name)} if target else set()
    return names


def names_by_file(text):
    """The names in backticks that follow a file of the model, up to the next file or the end of the item."""
    for item in re.split(r"\n\n|\n(?=- |\d+\. |\| )", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        path = None
        for word in re.findall(r"`([^`\n]+)`", item):
            if re.fullmatch(r"[\w/]+\.py|[\w/]+/", word):
                path = word if word.startswith("model/") and word.endswith(".py") else None
            elif path and re.fullmatch(r"[A-Za-z_]\w*(\([\w, ]*\))?", word):
                yield path, word.split("(")[0]


def test_names_after_a_file_of_the_model_are_defined_in_it():
    found = [(name, path, word) for name, text in TEXTS.items() for path, word in names_by_file(text)]
    assert found
    wrong = [one for one in found if one[2] not in defined_in(one[1])]
    assert not wrong


def test_sections_that_the_code_cites_are_in_the_rule_books():
    sections = {
        page: set(re.findall(r"^##+ ([\d.]+?)\.? ", TEXTS[page], re.MULTILINE)) for page in ("rules-2.6", "rules-6")
    }
    cited = 0
    for folder in FOLDERS.split("|"):
        for path in (ROOT / folder).rglob("*.py"):
            text = re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))
            for page, numbers in re.findall(r"docs/(rules-[\d.]+)\.md sections? ((?:[\d.]+(?:, | and | to |))+)", text):
                for number in re.findall(r"\d+(?:\.\d+)?", numbers):
                    cited += 1
                    assert number in sections[page], f"{path}: {page} section {number}"
    assert cited > 60


def test_the_workflow_is_one():
    data = yaml.safe_load((DOCS / "github-workflow.yml").read_text(encoding="utf-8"))
    assert set(data[True]) == {"push", "pull_request"}  # YAML 1.1 reads the key "on" so
    (job,) = data["jobs"].values()
    assert all(("uses" in step) != ("run" in step) for step in job["steps"])
    (command,) = (step["run"].split() for step in job["steps"] if step.get("run", "").startswith("vmacheck ci"))
    known = {line.split("`")[1].split(" ")[0] for line in options_of("ci")}
    given = {word for word in command if word.startswith("--")}
    assert given == {"--github", "--sarif", "--junit", "--html"} <= known
    used = {step["uses"].split("@")[0]: step.get("with", {}) for step in job["steps"] if "uses" in step}
    assert used["actions/cache"]["path"] == "~/.cache/vmacheck"
    assert used["github/codeql-action/upload-sarif"]["sarif_file"] in command
