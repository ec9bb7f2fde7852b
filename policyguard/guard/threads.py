"""Carries what contexts declare into threads, which do not carry it themselves.

Context variables follow `await`, tasks and `asyncio.to_thread`. A bare thread, an
executor and `loop.run_in_executor` begin with nothing, and then a guard that is bound
with `FROM_CONTEXT` refuses. Processes share no memory: give them the facts as values.

Owner: each function that is wrapped owns the copy that was made when it was wrapped. A
worker that lives longer than the work it was started for keeps that work's caller:
wrap the piece of work, never the worker.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import update_wrapper
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def copy_context(fn: Callable[P, R], /) -> Callable[P, R]:
    """Return a function that runs as if it were called here: with this context.

        threading.Thread(target=copy_context(work)).start()

    It may be called more than once and by several threads: each call gets a copy of
    its own, so that what one of them declares no other sees.

    Args:
        fn: What another thread is to run.
    """
    here = contextvars.copy_context()

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        # A context cannot be entered twice at a time.
        return here.copy().run(fn, *args, **kwargs)

    return update_wrapper(run, fn)


class ContextExecutor(ThreadPoolExecutor):
    """Is a thread pool whose work runs in the context in which it was submitted.

    It stands wherever a `ThreadPoolExecutor` does, `loop.run_in_executor` and
    `loop.set_default_executor` included.
    """

    def submit(
        self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[R]:
        """Do what `ThreadPoolExecutor.submit` does, with the context of the caller.

        Args:
            fn: What a thread is to run.
            args: Its positional arguments.
            kwargs: Its keyword arguments.
        """
        return super().submit(copy_context(fn), *args, **kwargs)
