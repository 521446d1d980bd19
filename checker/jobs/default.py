# SPDX-License-Identifier: GPL-2.0-only
"""The default jobs (default.toml): the 2.6 kernels, and the verdicts expected in the default scope."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from vmacheck.checker.jobs.job_file import Expectation, Job, best, read_jobs
from vmacheck.checker.jobs.run import in_words
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.search.verdict import Checked

DEFAULT_SCOPE = Scope()


@cache
def _jobs() -> dict[str, Job]:
    return {job.values["kernel"]: job for job in read_jobs(Path(__file__).with_name("default.toml"))}


def kernels_2004() -> list[str]:
    """The kernels of the default job, in the order of the file."""
    return list(_jobs())


def unexpected(checks: Sequence[Checked]) -> list[str]:
    """A line for each verdict that is not the expected one."""
    lines = []
    for checked in checks:
        job = _jobs()[checked.system.name]
        for result in checked.results:
            name = result.claim.name
            expected = job.expected.get(name, Expectation(best(job, name)))
            want = in_words(expected.verdict, expected.lengths)
            if result.outcome != want:
                lines.append(f"unexpected: {name} on {checked.system.name}: {result.outcome}, not {want}")
    return lines
