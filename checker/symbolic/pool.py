# SPDX-License-Identifier: GPL-2.0-only
"""Questions to Z3, answered by as many processes as there are processors; the answers come in the order asked."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


@contextmanager
def workers() -> Iterator[ProcessPoolExecutor]:
    """Processes to answer questions."""
    pool = ProcessPoolExecutor(os.cpu_count(), get_context("spawn"))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def in_order(
    pool: ProcessPoolExecutor, ask: Callable[[Question], Answer], questions: Sequence[Question]
) -> Iterator[tuple[Question, Answer]]:
    """Each question with its answer. Who stops listening is not waited for: what was not begun is dropped."""
    futures = [pool.submit(ask, question) for question in questions]
    try:
        for question, future in zip(questions, futures, strict=True):
            yield question, future.result()
    finally:
        for future in futures:
            future.cancel()
