"""Tries mutants in several processes, a module at a time.

A process reads the policy once, as text, and keeps its engines: they belong to one thread,
and a fork would copy locks that other threads hold. So each process is a new one, and who
calls this from a script needs `if __name__ == "__main__"` in it, as `multiprocessing` says.
"""

from __future__ import annotations

import functools
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from types import MappingProxyType

import orjson

from policyguard.errors import EvaluationError
from policyguard.testing.mutate import Bench, MutantResult, Progress
from policyguard.testing.sources import PolicySource

_BENCHES: list[Callable[[], Bench]] = []
"""How this process comes by its own, once it has begun."""


def in_processes(  # noqa: PLR0913 -- what is tried, and how
    policy: PolicySource,
    names: Sequence[str],
    *,
    operators: Sequence[str],
    compared_on: int,
    jobs: int,
    progress: Progress,
) -> Mapping[str, list[MutantResult] | None]:
    """Return by module what became of its mutants; nothing where it has no test.

    Args:
        policy: Modules and tests.
        names: The modules.
        operators: The operators to use; without them all.
        compared_on: On how many inputs a survivor is compared at most.
        jobs: In how many processes.
        progress: Told of each module when it is done.

    Raises:
        BundleError: the tests of a module fail unchanged.
        EngineLoadError: the policy does not load.
        EvaluationError: a process ended before its mutants were tried.
    """
    begin = (
        dict(policy.modules),
        dict(policy.tests),
        orjson.dumps(dict(policy.data)),
        tuple(operators),
        compared_on,
    )
    # The longest first: the last to begin should be short.
    order = sorted(names, key=lambda name: -len(policy.modules[name]))
    found: dict[str, list[MutantResult] | None] = {}
    pool = ProcessPoolExecutor(
        min(jobs, len(names)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=begin,
    )
    with pool:
        asked = {pool.submit(_results, name): name for name in order}
        try:
            for done in as_completed(asked):
                name = asked[done]
                results = found[name] = done.result()
                progress(name, len(results or ()), len(results or ()))
        except BrokenProcessPool as error:
            raise EvaluationError(
                "a process ended before its mutants were tried: is there memory for"
                f" {jobs} of them?"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return found


def _begin(
    modules: Mapping[str, str],
    tests: Mapping[str, str],
    data: bytes,
    operators: tuple[str, ...],
    compared_on: int,
) -> None:
    policy = PolicySource(
        modules=MappingProxyType(dict(modules)),
        tests=MappingProxyType(dict(tests)),
        data=orjson.loads(data),
    )
    # What fails here would end the process: it is made, and fails, with the first module.
    _BENCHES[:] = [
        functools.cache(
            lambda: Bench(policy, operators=operators, compared_on=compared_on)
        )
    ]


def _results(name: str) -> list[MutantResult] | None:
    (bench,) = _BENCHES
    return bench().results(name, progress=lambda *_: None)
