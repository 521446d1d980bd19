# SPDX-License-Identifier: GPL-2.0-only
"""The unlisted pages at which a loop was followed, in numbers."""

from dataclasses import replace

from vmacheck.checker.symbolic.values import unknown


def with_others(path, numbers, page_fields):
    """The numbers, with the pages at which a loop was followed; all unlisted ones are mapped, and the loop skips them.

    Their anon_vmas are left out, since they do not matter.
    """
    value, mapped = path.model.value, dict(numbers.mapped)
    plain_page = dict.fromkeys(page_fields, 0) | {"mapcount": 1}
    listed = [value(address) for address, _ in path.before.page.entries]
    for number in range(path.others):
        fields = {name: value(unknown(f"{name}_of_other{number}")) for name in page_fields}
        mapped[value(unknown(f"other{number}"))] = fields
        listed.append(value(unknown(f"other{number}")))
    mapped |= {page: plain_page for page in range(numbers.pages) if page not in listed}
    return replace(numbers, mapped=mapped)
