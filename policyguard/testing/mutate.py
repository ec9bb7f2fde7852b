"""Tries mutants of a policy: its tests should notice each fault of a rule.

Those beside the rule are asked first. What they do not notice is tried on the tests of
other modules that reach the rule, too. A mutant that no test notices is either a hole in the tests or no fault at all. Those
that find the same as the rule itself on every input that is at hand are told apart and
do not count, and it is said on how many inputs they were compared: that is evidence,
not proof.

Specification: for the operators see `mutants`; the score is killed mutants by those
that are neither stillborn nor equivalent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from policyguard.engines.tree import FINDINGS
from policyguard.errors import BundleError, ConfigurationError
from policyguard.testing.mutants import OPERATORS, Mutant, mutants_of, shown_only
from policyguard.testing.seen_inputs import MAX_INPUTS, SeenInputs
from policyguard.testing.sources import PolicySource
from policyguard.testing.unheard import unheard
from policyguard.testing.wider import WiderWorld
from policyguard.testing.witnesses import Inputs, Witness
from policyguard.testing.world import World, ground_of, world_of

State: TypeAlias = Literal["killed", "survived", "equivalent", "stillborn"]
Progress: TypeAlias = Callable[[str, int, int], None]

WHOLE: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MutantResult:
    """Is what became of one mutant."""

    mutant: Mutant
    state: State
    killer: str = ""
    """The test that noticed it."""
    elsewhere: str = ""
    """The file of that test, where it is not beside the module."""
    witness: Witness | None = None
    """An input on which a survivor finds something else than the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MutationReport:
    """Is what the tests of a policy noticed."""

    results: tuple[MutantResult, ...] = field(repr=False)
    inputs: int
    """On how many inputs survivors were compared with the rule."""
    untested: tuple[str, ...] = ()
    """Modules without a test beside them; they were not mutated."""

    def count(self, state: State) -> int:
        """Return how many mutants came to this."""
        return sum(result.state == state for result in self.results)

    @property
    def elsewhere(self) -> int:
        """Return how many mutants only tests of other modules noticed."""
        return sum(bool(result.elsewhere) for result in self.results)

    @property
    def score(self) -> float:
        """Return the share of real faults that tests noticed, from 0 to 1."""
        real = self.count("killed") + self.count("survived")
        return self.count("killed") / real if real else WHOLE

    @property
    def survivors(self) -> tuple[MutantResult, ...]:
        """Return the mutants that no test noticed, and that are real faults."""
        return tuple(item for item in self.results if item.state == "survived")

    def by_operator(self) -> Mapping[str, tuple[int, int]]:
        """Return for each operator how many were killed, of how many real faults."""
        killed: Counter[str] = Counter()
        real: Counter[str] = Counter()
        for item in self.results:
            if item.state in {"killed", "survived"}:
                real[item.mutant.operator] += 1
                killed[item.mutant.operator] += item.state == "killed"
        return {name: (killed[name], real[name]) for name in sorted(real)}

    def text(self) -> str:
        """Return what a person reads: the score, and each survivor."""
        lines = [
            (
                f"{self.score:.1%} of {self.count('killed') + self.count('survived')} mutants"
                f" are noticed; {self.count('equivalent')} are equivalent on {self.inputs}"
                f" inputs and {self.count('stillborn')} do not compile, which do not count"
            )
        ]
        if self.elsewhere:
            lines.append(f"{self.elsewhere} of them only by tests of other modules")
        for item in self.survivors:
            lines.append(f"SURVIVED {item.mutant.title}")
            if item.witness is not None:
                lines += [f"  {line}" for line in item.witness.text().splitlines()]
        return "\n".join(lines)


def mutate(  # noqa: PLR0913 -- what is tried, and how
    policy: PolicySource,
    *,
    files: Sequence[str] = (),
    operators: Sequence[str] = (),
    compared_on: int = MAX_INPUTS,
    jobs: int = 1,
    progress: Progress | None = None,
) -> MutationReport:
    """Make each mutant of a policy's modules and run the tests that reach them.

    Args:
        policy: Modules and tests.
        files: The modules to mutate, by path; all that have a test beside them.
        operators: The operators to use; all.
        compared_on: On how many inputs a survivor is compared with its rule at most;
            with none, no mutant counts as equivalent.
        jobs: In how many processes; each takes one module after the other.
        progress: What is told of each mutant: module, done, total.

    Raises:
        ConfigurationError: there is no such operator, or not one process.
        BundleError: a file is none of the policy's, or its tests fail unchanged.
        EngineLoadError: the policy does not load.
        EvaluationError: a process ended before its mutants were tried.
    """
    unknown = sorted(set(files) - policy.modules.keys())
    if unknown:
        raise BundleError(f"`{unknown[0]}` is no module of the policy")
    odd = sorted(set(operators) - set(OPERATORS))
    if odd:
        raise ConfigurationError(
            f"there is no kind of fault `{odd[0]}`: known are {', '.join(OPERATORS)}"
        )
    if jobs < 1:
        raise ConfigurationError(f"{jobs} processes: at least one is needed")
    chosen = [name for name in sorted(policy.modules) if not files or name in files]
    told = progress or _nobody
    if jobs > 1 and len(chosen) > 1:
        from policyguard.testing.mutate_jobs import in_processes

        found = in_processes(
            policy, chosen, operators=operators, compared_on=compared_on, jobs=jobs,
            progress=told,
        )  # fmt: skip
    else:
        bench = Bench(policy, operators=operators, compared_on=compared_on)
        found = {name: bench.results(name, progress=told) for name in chosen}
    return MutationReport(
        results=tuple(item for name in chosen for item in found[name] or ()),
        inputs=compared_on,
        untested=tuple(name for name in chosen if found[name] is None),
    )


class Bench:
    """Tries the mutants of one policy, module by module; belongs to one thread.

    Args:
        policy: Modules and tests.
        operators: The operators to use; without them all.
        compared_on: On how many inputs a survivor is compared with its rule at most.

    Raises:
        EngineLoadError: the policy does not load.
    """

    def __init__(
        self, policy: PolicySource, *, operators: Sequence[str], compared_on: int
    ) -> None:
        self._policy = policy
        self._ground = ground_of(policy)
        self._operators = frozenset(operators or OPERATORS)
        self._modules = {
            module.name: module
            for module in self._ground.tree.modules
            if module.name in policy.modules
        }
        self._passed_over = shown_only(self._modules.values())
        self._known = SeenInputs(ground=self._ground, most=compared_on)

    def results(self, name: str, *, progress: Progress) -> list[MutantResult] | None:
        """Return what became of each mutant of a module; nothing if it has no test.

        Raises:
            BundleError: its tests fail unchanged.
        """
        module = self._modules[name]
        world = world_of(self._ground, module)
        if world is None:
            return None
        text = self._policy.modules[name]
        mutants = [
            mutant
            for mutant in mutants_of(module, text, passed_over=self._passed_over)
            if mutant.operator in self._operators
        ]
        wider = WiderWorld(self._ground, module)
        shared = all(head.path[-1] != FINDINGS for head in module.heads)
        results = []
        for index, mutant in enumerate(mutants, start=1):
            with unheard():
                tried = _tried(mutant, world, wider, self._known, shared=shared)
            results.append(tried)
            progress(name, index, len(mutants))
        return results


def _nobody(name: str, done: int, total: int) -> None:
    del name, done, total


def _tried(
    mutant: Mutant, world: World, wider: WiderWorld, inputs: Inputs, *, shared: bool
) -> MutantResult:
    killer = world.killer_of(mutant)
    if killer is None:
        return MutantResult(mutant=mutant, state="stillborn")
    if killer:
        return MutantResult(mutant=mutant, state="killed", killer=killer)
    witness = inputs.difference(mutant) if inputs.count else None
    alike = witness is None and inputs.count > 0
    if alike and not shared:
        return MutantResult(mutant=mutant, state="equivalent")
    # Others give a module that they share what its own tests do not.
    noticed = wider.killer_of(mutant)
    if noticed is not None:
        killer, file = noticed
        return MutantResult(
            mutant=mutant, state="killed", killer=killer, elsewhere=file
        )
    if alike:
        return MutantResult(mutant=mutant, state="equivalent")
    return MutantResult(mutant=mutant, state="survived", witness=witness)


def survivors_by_file(report: MutationReport) -> Iterator[tuple[str, int]]:
    """Yield each module with its survivors, most first."""
    counts = Counter(item.mutant.file for item in report.survivors)
    yield from counts.most_common()
