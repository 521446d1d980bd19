# SPDX-License-Identifier: GPL-2.0-only
"""What docs/ tells the reader to do works as written, and what it shows is what is printed."""

import re
import shutil

import pytest
import yaml

from tests.documents.docs import DOCS, FENCED, PAGES, commands, made_anew, options_of


@pytest.mark.parametrize("name", PAGES)
def test_page_is_current(name):
    if name == "tutorial" and shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert made_anew(text) == text, "run `make readme`"


def test_every_option_of_every_command_is_in_the_reference():
    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    assert re.findall(r"<!-- options of: (\S+) -->", text) == list(commands())
    for name in commands():
        for line in options_of(name):
            assert line in text


def test_every_block_is_carried_out_or_a_file():
    for name in PAGES:
        for match in FENCED.finditer((DOCS / f"{name}.md").read_text(encoding="utf-8")):
            assert match["language"] == "console" or match["kind"] == "file", match[0]


def test_links_lead_somewhere():
    for name in PAGES:
        for path in re.findall(r"\]\(([^:)#]+)\)", (DOCS / f"{name}.md").read_text(encoding="utf-8")):
            assert (DOCS / path).is_file()


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
