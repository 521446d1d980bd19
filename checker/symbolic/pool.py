# SPDX-License-Identifier: GPL-2.0-only
"""Questions to Z3, answered by one process per processor, in the order asked."""

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
    """Yield each question with its answer. If the caller stops early, questions not begun are dropped."""
    futures = [pool.submit(ask, question) for question in questions]
    try:
        for question, future in zip(questions, futures, strict=True):
            yield question, future.result()
    finally:
        for future in futures:
            future.cancel()
