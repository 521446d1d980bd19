# SPDX-License-Identifier: GPL-2.0-only
"""Random patches, each answered by every run that can answer: two answers that contradict each other are a fault.

Read answers.py first: what is asked, and which answers go together; mutate.py makes the patches. `make fuzz`.
"""
