# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck ci --update: the results go into a job file of any form, and the rest of it stays as it is."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.jobs.test_ci import folder, run  # noqa: F401  (folder is a fixture)
from tests.support.helpers import vmacheck
from vmacheck.checker.jobs.job_file import Expectation, JobError, read_jobs
from vmacheck.checker.jobs.run import Outcome, Report
from vmacheck.checker.jobs.update import update

INDEX = "page_index_is_linear"


def rewritten(text, name="a", verdict="violated", lengths=(("length", 5),), states=7):
    """The file after an update with this verdict for page_index_is_linear of job a, and `states` states."""
    path = Path("vmacheck.toml")
    path.write_bytes(text.encode())
    job = next(job for job in read_jobs(path) if job.name == name)
    expected = job.expected.get(INDEX, Expectation("holds"))
    outcome = Outcome(INDEX, verdict, expected, "newly violated", dict(lengths))
    answer = {"coverage": [{"states": states}]}
    update([Report(job, answer, (outcome,), "drifted")])
    new = path.read_bytes().decode()
    (found,) = (job for job in read_jobs(path) if job.name == name)
    return new, found


K = f'kernel = "rmap40"\nproperties = ["{INDEX}"]\n'
FILES = {
    "a comment is about what follows": f"[job.a]\n{K}# end of a\n\n# about b\n[job.b]\n{K}",
    "no line end": f"[job.a]\n{K.rstrip()}",
    "inline tables": f'[job]\na = {{ kernel = "rmap40", properties = ["{INDEX}"] }} # c\nb = {{ kernel = "rmap40" }}\n',
    "dotted keys": f'job.a.kernel = "rmap40"\njob.a.properties = ["{INDEX}"]\njob.b.kernel = "rmap40"\n',
    "dotted keys in a table": f'[job]\na.kernel = "rmap40"\na.properties = ["{INDEX}"]\nb.kernel = "rmap40"\n',
    "spread over the file": f'[job.a]\n{K}[job.b]\n{K}[job.a.expect]\n{INDEX} = {{ verdict = "vacuous" }} # hm\n',
    "dotted expectation": f'[job.a]\n{K}expect.{INDEX} = {{ verdict = "vacuous" }} # hm\n# end\n',
    "a table of its own": f'[job.a]\n{K}[job.a.expect.{INDEX}]\nverdict = "vacuous" # hm\n\n# about b\n[job.b]\n{K}',
    "inline expectation": f'[job.a]\n{K}expect = {{ {INDEX} = {{ verdict = "vacuous" }} }} # hm\n',
    "line ends of other systems": f"[job.a]\n{K}\n# about b\n[job.b]\n{K}".replace("\n", "\r\n"),
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_however_it_is_written(folder, text):  # noqa: F811
    new, job = rewritten(text)
    assert job.expected == {INDEX: Expectation("violated", {"length": 5})}
    assert job.values["states"] == 7
    lines = new.splitlines()
    comments = [line for line in text.splitlines() if "#" in line]
    assert [line.split("#")[1] for line in lines if "#" in line] == [line.split("#")[1] for line in comments]
    if "# about b" in text:
        assert lines[lines.index("# about b") + 1] == "[job.b]"
    assert new.count("\n") == new.count("\r\n") or "\r" not in text
    again, job = rewritten(new, verdict="holds", lengths=(), states=8)
    assert job.expected.get(INDEX, Expectation("holds")) == Expectation("holds")
    # what stands behind an expectation that is taken away goes with it
    kept = [line for line in again.splitlines() if line.startswith("#")]
    assert kept == [line for line in text.splitlines() if line.startswith("#")]
    assert job.values["states"] == 8


def test_what_is_not_decided_is_not_written(folder):  # noqa: F811
    text = f'# kept\n[job.a]\nkernel = "linux-2.6.8"\npages = 2\ndepth = 1\nstates = 1\nproperties = ["{INDEX}"]\n'
    Path("vmacheck.toml").write_text(text)
    code, out, err = vmacheck("ci", "--update")
    assert (code, err) == (3, "")
    assert out.splitlines()[0] == f"vmacheck.toml:2: a: {INDEX}: left as it is: incomplete"
    assert out.splitlines()[1].startswith("vmacheck.toml:2: a: left as it is: ")
    assert Path("vmacheck.toml").read_text() == text
    assert run()[0] == 1


def test_what_somebody_edits_meanwhile_is_not_overwritten(folder):  # noqa: F811
    path = Path("vmacheck.toml")
    path.write_text(f"[job.a]\n{K}")
    (job,) = read_jobs(path)
    outcome = Outcome(INDEX, "violated", Expectation("holds"), "newly violated", {"length": 5})
    report = Report(job, {"coverage": [{"states": 7}]}, (outcome,))
    for text in (f"[job.a]\n{K}pages = 2\n", f"[job.b]\n{K}", "[job"):
        path.write_text(text)
        with pytest.raises(JobError):
            update([report])
        assert path.read_text() == text
    path.write_text(f"# only this\n[job.a]\n{K}")
    assert update([report])[0] == [f"vmacheck.toml:1: a: {INDEX}: violated 5, was holds"]
    failed = replace(report, outcomes=(), error="why")
    assert update([failed]) == ([], ["vmacheck.toml:1: a: left as it is: no answer: why"])
