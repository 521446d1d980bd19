# SPDX-License-Identifier: GPL-2.0-only
"""The reports of vmacheck ci: JUnit XML and SARIF against their schemas, annotations, and the page in a browser."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
import xmlschema

from tests.support.helpers import vmacheck
from vmacheck.checker.jobs.job_file import read_jobs
from vmacheck.checker.jobs.run import Report
from vmacheck.counterexamples.job_reports.page import page_html

SCHEMAS = Path(__file__).parent.parent.parent / ".schemas"
CHROMIUM = shutil.which("chromium")
QUIET = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
QUIET += " --disable-component-update --disable-sync"
JOBS = """
[job."<b> & co"]
what = "a job & what it is <for>"
kernel = "linux-2.6.8+mine.py"
pages = 2
states = 1
properties = ["first_write_takes_neighbours_anon_vma", "page_index_is_linear", "rmap_finds_every_page"]

[job.known]
kernel = "rmap40"
pages = 3
properties = ["rmap_finds_every_page", "nothing_refers_to_a_freed_anon_vma"]
[job.known.expect]
rmap_finds_every_page = { verdict = "violated", length = 4, reason = "known since <June> 2004" }

[job.threads]
kernel = "linux-2.6.8"
threads = 2
pages = 2
prot = ["RW", "RWX"]
properties = ["faults_share_with_their_neighbours"]

[job.two]
compare = ["rmap39", "rmap40"]
pages = 2
by = "layout"

[job.claim]
claims = ["C15"]
expect.C15 = { verdict = "refuted", length = 3 }

[job.bound]
kernel = "rmap40"
pages = 2
depth = 1
properties = ["anon_vma_is_write_once"]
"""
MINE = """def nearest(mm, vma):
    return vma_next(mm, vma)


def find_mergeable_anon_vma(mm, vma):
    if nearest(mm, vma) == NULL:
        return NULL
    return NULL


def page_add_anon_rmap(mm, vma, address):
    mm.page[address].mapcount = 1
    mm.page[address].mapping = mm.vma[vma].anon_vma
    mm.page[address].index = address - mm.vma[vma].vm_start
"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Every report on jobs of all kinds, some with unexpected results."""
    folder = tmp_path_factory.mktemp("reports")
    (folder / "vmacheck.toml").write_text(JOBS)
    (folder / "mine.py").write_text(MINE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
        patch.setenv("SOURCE_DATE_EPOCH", "1085000000")
        words = [word for name in ("json", "junit", "sarif", "html") for word in (f"--{name}", f"out.{name}")]
        code, out, err = vmacheck("ci", *words, "--github", "--itf", "traces")
        assert (code, err) == (1, "")
        (folder / "out.text").write_text(out)
    return folder


@pytest.mark.parametrize("name", ["junit", "jenkins"])
def test_junit_is_valid(reports, name):
    if not (SCHEMAS / f"{name}.xsd").exists():
        pytest.skip("the schema is not there: tests/schemas.sh says why")
    schema = xmlschema.XMLSchema(str(SCHEMAS / f"{name}.xsd"))
    schema.validate(str(reports / "out.junit"))
    text = (reports / "out.junit").read_text()
    assert not schema.is_valid(text.replace("<testcase name=", "<testcase nmae="))


def test_junit_says_what_happened(reports):
    root = ElementTree.parse(reports / "out.junit").getroot()
    suites = {suite.get("name"): suite for suite in root}
    assert list(suites) == ["<b> & co", "known", "threads", "two", "claim", "bound"]
    counts = {name: (suite.get("tests"), suite.get("failures")) for name, suite in suites.items()}
    assert counts == {
        "<b> & co": ("4", "4"),
        "known": ("2", "1"),
        "threads": ("1", "1"),
        "two": ("1", "1"),
        "claim": ("1", "0"),
        "bound": ("1", "1"),
    }
    failure = suites["known"].find("testcase[@name='nothing_refers_to_a_freed_anon_vma']/failure")
    assert failure.get("message") == "newly violated: violated 5, not holds"
    assert "  4  mprotect(1,1,R)   - -|A\n" in failure.text
    assert suites["known"].get("timestamp") == "2004-05-19T20:53:20"
    drift = suites["<b> & co"].find("testcase[@name='states']/failure")
    assert re.fullmatch(r"\d+ states, not 1", drift.get("message"))


def sarif(reports):
    return json.loads((reports / "out.sarif").read_text())


def test_sarif_is_valid(reports):
    if not (SCHEMAS / "sarif.json").exists():
        pytest.skip("the schema is not there: tests/schemas.sh says why")
    schema = json.loads((SCHEMAS / "sarif.json").read_text())
    validator = jsonschema.validators.validator_for(schema)(schema, format_checker=jsonschema.FormatChecker())
    data = sarif(reports)
    validator.validate(data)
    data["runs"][0]["results"][0]["levle"] = "error"
    assert not validator.is_valid(data)


def test_sarif_says_where(reports):
    """The function of the patch that each violation hangs on; without a patch, where the last call enters the kernel."""
    (run,) = sarif(reports)["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    found = {}
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        (place,) = result["locations"]
        physical = place["physicalLocation"]
        function = place["logicalLocations"][0]["name"] if "logicalLocations" in place else None
        job = result["message"]["text"].split(": ")[0]
        where = (Path(physical["artifactLocation"]["uri"]).name, physical["region"]["startLine"], function)
        found[job, result["ruleId"]] = (result["level"], *where)
    lines = MINE.splitlines()
    sharing = lines.index("def find_mergeable_anon_vma(mm, vma):") + 1
    index = lines.index("def page_add_anon_rmap(mm, vma, address):") + 1
    job = JOBS.splitlines().index('[job."<b> & co"]') + 1
    assert {name: one for name, one in found.items() if name[0] == "<b> & co"} == {
        ("<b> & co", "first_write_takes_neighbours_anon_vma"): (
            "error", "mine.py", sharing, "find_mergeable_anon_vma"),
        ("<b> & co", "page_index_is_linear"): ("error", "mine.py", index, "page_add_anon_rmap"),
        ("<b> & co", "rmap_finds_every_page"): ("error", "mine.py", index, "page_add_anon_rmap"),
        ("<b> & co", "job"): ("warning", "vmacheck.toml", job, None),
    }  # fmt: skip
    assert found["known", "rmap_finds_every_page"][::3] == ("note", "sys_mprotect")
    assert found["known", "nothing_refers_to_a_freed_anon_vma"][::3] == ("error", "do_mmap_pgoff")
    assert found["bound", "anon_vma_is_write_once"][0] == "warning"
    (suppressed,) = (result for result in run["results"] if result["ruleId"] == "rmap_finds_every_page" and
                     result["level"] == "note")  # fmt: skip
    assert suppressed["suppressions"][0]["justification"] == "known since <June> 2004"


def test_sarif_has_the_trace_as_a_code_flow(reports):
    (run,) = sarif(reports)["runs"]
    (result,) = (one for one in run["results"] if one["ruleId"] == "nothing_refers_to_a_freed_anon_vma")
    steps = result["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [step["location"]["message"]["text"].split("  ")[1] for step in steps] == [
        "mmap(0,3,RW)",
        "mprotect(0,1,R)",
        "write(1)",
        "mprotect(1,1,R)",
        "mmap(2,1,R)",
    ]
    names = [step["location"]["logicalLocations"][0]["name"] for step in steps]
    assert names == ["do_mmap_pgoff", "sys_mprotect", "do_page_fault", "sys_mprotect", "do_mmap_pgoff"]


def test_annotations_and_summary(reports):
    lines = [line for line in (reports / "out.text").read_text().splitlines() if line.startswith("::")]
    assert len(lines) == 8
    known = [line for line in lines if "title=known" in line]
    assert len(known) == 1
    assert re.fullmatch(
        r"::error file=\S+mmap\.py,line=\d+,title=known%3A newly violated%3A nothing_refers_to_a_freed_anon_vma::"
        r"violated 5, not holds%0A.*mprotect\(1,1,R\)   - -\|A%0A.*",
        known[0],
    )
    text = (reports / "summary.md").read_text()
    assert "| known | known (check rmap40) | 2 | :x: newly violated |\n" in text
    assert "| claim | claim (claims C15) | 1 | :white_check_mark: |\n" in text
    assert "  4  mprotect(1,1,R)   - -|A\n" in text


def test_json_has_it_all(reports):
    data = json.loads((reports / "out.json").read_text())
    assert data["schema"] == 1
    jobs = {job["name"]: job for job in data["jobs"]}
    assert jobs["<b> & co"]["what"] == "a job & what it is <for>"
    assert jobs["known"]["command"][:3] == ["vmacheck", "check", "rmap40"]
    assert jobs["known"]["outcomes"][0]["expected"]["reason"] == "known since <June> 2004"
    assert jobs["known"]["answer"]["results"][0]["counterexample"]["length"] == 4
    assert [job["as_expected"] for job in data["jobs"]] == [False, False, False, False, True, False]


def test_traces(reports):
    names = sorted(path.name for path in (reports / "traces").iterdir())
    assert names == [
        "linux-2.6.8+mine.py.first_write_takes_neighbours_anon_vma.itf.json",
        "linux-2.6.8+mine.py.page_index_is_linear.itf.json",
        "linux-2.6.8+mine.py.rmap_finds_every_page.itf.json",
        "linux-2.6.8.faults_share_with_their_neighbours.itf.json",
        "rmap40.nothing_refers_to_a_freed_anon_vma.itf.json",
        "rmap40.rmap_finds_every_page.itf.json",
    ]
    data = json.loads((reports / "traces" / names[-1]).read_text())
    assert data["#meta"]["property"] == "rmap_finds_every_page"
    assert len(data["states"]) == 5


# ---- the page ------------------------------------------------------------------------------------


def test_the_page_needs_nothing_and_lets_nothing_in(reports):
    text = (reports / "out.html").read_text()
    assert "&lt;b&gt; &amp; co" in text
    assert "<b> & co" not in text
    assert "<June>" not in text
    assert "<p>a job &amp; what it is &lt;for&gt;</p>" in text
    outside = re.findall(r"(?:src|href)\s*=\s*(?![\"']?#)[^\s>]*|url\((?!#)[^)]*\)|@import", text)
    assert outside == []
    for name in re.findall(r'href="#([^"]*)"', text):
        assert text.count(f'id="{name}"') == 1, name


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its texts."""

    def __init__(self, text):
        super().__init__()
        self.found, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data)


HOSTILE = [
    '<img src="x" onerror="y">',
    "\" onclick='z' \"",
    "{{ 7 * 7 }}",
    "{% raw %}{# </p></style>",
    "</script><script>&lt;",
]


def test_whatever_is_shown_is_escaped(tmp_path):
    """Names, words and errors of all kinds are texts of the page, and change none of its elements."""
    jobs = "".join(f"[job.{json.dumps(word)}]\nwhat = {json.dumps(word)}\nkernel = 'rmap40'\n" for word in HOSTILE)
    (tmp_path / "vmacheck.toml").write_text(jobs)
    plain = "".join(f"[job.a{number}]\nwhat = 'b'\nkernel = 'rmap40'\n" for number in range(len(HOSTILE)))
    (tmp_path / "plain.toml").write_text(plain)
    page, usual = (
        Elements(page_html([Report(job, {}, (), error=job.name) for job in read_jobs(tmp_path / name)]))
        for name in ("vmacheck.toml", "plain.toml")
    )
    assert [(tag, list(attributes)) for tag, attributes in page.found] == [
        (tag, list(attributes)) for tag, attributes in usual.found
    ]
    for word in HOSTILE:
        assert sum(text == word for text in page.texts) == 4  # the verdict's row, the heading, what it is, the error
    names = {attributes["id"] for _, attributes in page.found if "id" in attributes}
    assert len(names) == len(HOSTILE)
    assert {attributes["href"][1:] for tag, attributes in page.found if tag == "a"} == names


def test_jinja2_is_imported_for_the_page_only():
    program = "import sys, vmacheck.checker.commands.main; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"


def dom(reports, fragment=""):
    """The page in the browser, after its scripts have run."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium: tests/schemas.sh says why")
    page = f"{(reports / 'out.html').as_uri()}{fragment}"
    words = [CHROMIUM, *QUIET.split(), f"--user-data-dir={reports / 'profile'}", "--window-size=1280,6000"]
    shot = reports / "shot.png"
    done = subprocess.run([*words, "--dump-dom", page], capture_output=True, text=True, timeout=120, check=True)
    subprocess.run([*words, f"--screenshot={shot}", page], capture_output=True, timeout=120, check=True)
    assert shot.stat().st_size > 20_000
    return done.stdout


def test_the_page_in_a_browser(reports):
    """Unexpected results are open; a link to another counterexample opens that, and all around it."""
    text = dom(reports)
    known = 'id="job.known/rmap_finds_every_page"'
    opened = re.compile(r"<details open=\"\"><summary>(?:(?!</details>).)*?" + known, re.DOTALL)
    assert known in text
    assert not opened.search(text)
    assert text.count('<details open=""') == sum(
        1 for _ in re.finditer(r"<details open>", (reports / "out.html").read_text())
    )
    assert "<button>copy</button>" in text
    again = dom(reports, "#job.known/rmap_finds_every_page")
    assert opened.search(again)
    assert again.count('<details open=""') == text.count('<details open=""') + 1


def test_the_page_has_pictures_programs_and_coverage(reports):
    text = (reports / "out.html").read_text()
    assert text.count("<svg") >= 5
    assert "int main(void)" in text
    assert "vma_merge case 5" in text
    assert "are taken by programs of 2 pages, of its" in text
    assert "State graph in 2 pages: " in text
    assert "  6                                   @page_table_lock   A|B" in text
