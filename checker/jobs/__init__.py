# SPDX-License-Identifier: GPL-2.0-only
"""The job file, its answers, and the expectations for them.

Read job_file.py first, then run.py and answers.py; default.toml is what `vmacheck ci` of the repository includes.
May import model, properties, and all of checker's rooms but commands.
"""
