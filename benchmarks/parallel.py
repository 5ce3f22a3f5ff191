"""Work for all cores, with a bar that says how far it is."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Job = TypeVar("Job")
Result = TypeVar("Result")


def parallel(what: str, work: Callable[[Job], Result], jobs: Sequence[Job]) -> list[Result]:
    """`work` for every job, the results in the order of the jobs. Put the longest jobs first.

    Raises the first error that a job raises.
    """
    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Not forked: a fork of a process with threads, such as the bar's, may hang.
    context = multiprocessing.get_context("spawn")
    with Progress(*columns) as progress, ProcessPoolExecutor(mp_context=context) as pool:
        bar = progress.add_task(what, total=len(jobs))
        futures = [pool.submit(work, job) for job in jobs]
        for done in as_completed(futures):
            done.result()
            progress.advance(bar)
    return [future.result() for future in futures]
