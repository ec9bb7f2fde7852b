"""Writes the few cases that notice every fault which any input at hand shows.

A mutant is noticed by an input on which it answers something else than its rule. From the
inputs that tests give, and variations of them, as few are kept as notice all mutants that
any of them notices: the one that notices most first, then the one that notices most of
the rest, and in the end none that the others make idle. Whoever wants each pair of two
facts' values in a case has those first, and then what still is to be noticed. The cases
are a module of tests, for `opa test`, for `policyguard policy test`, and for pytest, one
item each.

What the rule answers is what it answers today: who writes a suite keeps it, and says
nothing of whether it is right. Read each case before it is kept.

INVARIANT: a mutant is promised only if it was tried on the module of tests as written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from policyguard.canonical import Json
from policyguard.engines.tree import FINDINGS, Module
from policyguard.errors import BundleError, EngineLoadError
from policyguard.testing.mutants import Mutant, mutants_of, shown_only
from policyguard.testing.seen_inputs import MAX_INPUTS, SeenInputs
from policyguard.testing.sources import PolicySource
from policyguard.testing.varied import Asked
from policyguard.testing.world import ground_of, world_of

Progress: TypeAlias = Callable[[str, int, int], None]
SUITE: Final = "policyguard_suite_test.rego"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteCase:
    """Is what a rule is asked on, and what it answers."""

    file: str
    """The module that it is about."""
    name: str
    asked: Asked = field(repr=False)
    answer: Mapping[str, Json] = field(repr=False)
    notices: int
    """How many mutants it notices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Is a module of tests, and what it notices."""

    text: str = field(repr=False)
    cases: tuple[SuiteCase, ...]
    killed: tuple[Mutant, ...] = field(repr=False)
    """Mutants that the tests, as written, notice."""
    missed: tuple[Mutant, ...] = field(repr=False)
    """Those that an input shows, and the tests as written do not notice."""
    unshown: int
    """Mutants that no input at hand shows: no fault, or a hole in the inputs."""


def suite(
    policy: PolicySource,
    *,
    files: Sequence[str] = (),
    inputs: int = MAX_INPUTS,
    strength: int = 0,
    progress: Progress = lambda *_: None,
) -> Suite:
    """Write the few cases that notice the faults of some modules.

    Args:
        policy: Modules and tests.
        files: The modules, by path; without them all that have a test.
        inputs: How many inputs of each module are looked at, at most.
        strength: Of how many facts each combination of the values that tests give is in
            a case, whatever it notices; 0: of none.
        progress: Told the module, how many mutants are done, and how many there are.

    Raises:
        BundleError: a file is none of the policy's, nothing gives it an input, or more
            than so many inputs combine the values.
        EngineLoadError: the policy does not load.
    """
    ground = ground_of(policy)
    unknown = sorted(set(files) - policy.modules.keys())
    if unknown:
        raise BundleError(f"`{unknown[0]}` is no module of the policy")
    seen = SeenInputs(ground=ground, most=inputs, strength=strength)
    passed_over = shown_only(m for m in ground.tree.modules if m.name in policy.modules)
    cases: list[SuiteCase] = []
    shown: list[Mutant] = []
    unshown = 0
    for module in ground.tree.modules:
        if module.name not in policy.modules or (files and module.name not in files):
            continue
        if not seen.inputs(module.name):
            if files:
                raise BundleError(
                    f"{module.name}: no test gives it an input: write one test first"
                )
            continue
        mutants = list(
            mutants_of(module, policy.modules[module.name], passed_over=passed_over)
        )
        kills = _kills(module, policy, mutants, seen, progress)
        found = {mutant for mutants in kills.values() for mutant in mutants}
        shown += [mutants[index] for index in sorted(found)]
        unshown += len(mutants) - len(found)
        cases += _cases(module, policy, seen, kills)
    text = text_of(cases, ground.tree.modules)
    killed, missed = _tried(policy, text, shown)
    return Suite(
        text=text,
        cases=tuple(cases),
        killed=tuple(killed),
        missed=tuple(missed),
        unshown=unshown,
    )


def fewest(
    kills: Mapping[int, AbstractSet[int]], *, noticed: AbstractSet[int] = frozenset()
) -> list[int]:
    """Return few inputs that together notice all that any of them notices.

    None of them can be left out; that there are no fewer is not claimed.

    Args:
        kills: By input the mutants that it notices.
        noticed: Mutants that something else notices already.
    """
    left = set[int]().union(*kills.values()) - noticed
    chosen: list[int] = []
    while left:
        best = max(kills, key=lambda index: (len(kills[index] & left), -index))
        chosen.append(best)
        left -= kills[best]
    for index in list(reversed(chosen)):
        others = set(noticed).union(
            *(kills[other] for other in chosen if other != index)
        )
        if kills[index] <= others:
            chosen.remove(index)
    return chosen


def text_of(cases: Sequence[SuiteCase], modules: Sequence[Module]) -> str:
    """Return the module of tests that holds some cases.

    Args:
        cases: The cases.
        modules: All modules of the policy, which say whose findings are whose.
    """
    own = {
        module.name: sorted({h.finding for h in module.heads if h.finding is not None})
        for module in modules
    }
    lines = [
        "# The few cases that notice each fault which any input at hand shows.",
        "# Written by `policyguard policy mutate --suite`: read each before it is kept.",
        "package policyguard_suite_test",
        "",
        "_told(value) := json.unmarshal(json.marshal(value))",
    ]
    by_file: dict[str, list[SuiteCase]] = {}
    for case in cases:
        by_file.setdefault(case.file, []).append(case)
    for number, (file, group) in enumerate(sorted(by_file.items()), start=1):
        names = sorted({name for case in group for name in case.answer})
        given = "".join(
            f" with {name} as case.data[{json.dumps(name)}]"
            for name in group[0].asked.data
        )
        lines += ["", f"# {file}", f"test_suite_{number}[name] if {{"]
        lines += [f"\tsome name, case in _cases_{number}"]
        for place, name in enumerate(names):
            ids = json.dumps(own[file]) if name.endswith(f".{FINDINGS}") else None
            lines += _statements(name, ids=ids, place=place, given=given)
        lines += ["}", "", f"_cases_{number} := {{"]
        lines += [
            f"\t{json.dumps(case.name)}: _case_{number}_{place},"
            for place, case in enumerate(group, start=1)
        ]
        lines.append("}")
        for place, case in enumerate(group, start=1):
            document = {**case.asked.document(), "answer": dict(case.answer)}
            shown = json.dumps(document, indent="\t", ensure_ascii=False)
            lines += ["", f"_case_{number}_{place} := {shown}"]
    return "\n".join(lines) + "\n"


def _statements(name: str, *, ids: str | None, place: int, given: str) -> list[str]:
    """Return what says that a name has the values that a case has of it."""
    wanted = f"case.answer[{json.dumps(name)}]"
    if ids is None:
        return [
            f"\tfound_{place} := [_told(v) | v := data.{name} with input as case.input{given}]",
            f"\tfound_{place} == {wanted}",
        ]
    return [
        f"\tall_{place} := data.{name} with input as case.input{given}",
        f"\tfound_{place} := {{_told(v) | some v in all_{place}; v.id in {ids}}}",
        f"\tfound_{place} == {{v | some v in {wanted}[0]}}",
    ]


def _kills(
    module: Module,
    policy: PolicySource,
    mutants: Sequence[Mutant],
    seen: SeenInputs,
    progress: Progress,
) -> dict[int, set[int]]:
    """Return for each input the mutants that answer otherwise on it."""
    expected = seen.answers(module.name, policy.modules[module.name])
    found: dict[int, set[int]] = {}
    for number, mutant in enumerate(mutants):
        try:
            answers = seen.answers(module.name, mutant.text)
        except EngineLoadError:
            answers = expected
        for index, (one, other) in enumerate(zip(expected, answers, strict=True)):
            if one != other and _can_be_kept(one):
                found.setdefault(index, set()).add(number)
        progress(module.name, number + 1, len(mutants))
    return found


def _can_be_kept(answer: Json) -> bool:
    """Say whether an answer can stand in a test: a failure cannot."""
    return isinstance(answer, dict)


def _cases(
    module: Module,
    policy: PolicySource,
    seen: SeenInputs,
    kills: Mapping[int, AbstractSet[int]],
) -> list[SuiteCase]:
    inputs = seen.inputs(module.name)
    expected: list[Any] = seen.answers(module.name, policy.modules[module.name])
    rows = range(seen.combined(module.name))
    noticed = set[int]().union(*(kills.get(index, ()) for index in rows))
    # In the order in which they are kept; what is combined may notice nothing.
    chosen = {**dict.fromkeys(rows), **dict.fromkeys(fewest(kills, noticed=noticed))}
    return [
        SuiteCase(
            file=module.name,
            name=f"case {number}, which notices {len(kills.get(index, ()))} faults",
            asked=inputs[index],
            answer=expected[index],
            notices=len(kills.get(index, ())),
        )
        for number, index in enumerate(chosen, start=1)
    ]


def _tried(
    policy: PolicySource, text: str, shown: Sequence[Mutant]
) -> tuple[list[Mutant], list[Mutant]]:
    """Try mutants on the tests as written, and on no others."""
    alone = PolicySource(modules=policy.modules, tests={SUITE: text}, data=policy.data)
    ground = ground_of(alone)
    killed: list[Mutant] = []
    missed: list[Mutant] = []
    for module in ground.tree.modules:
        mine = [mutant for mutant in shown if mutant.file == module.name]
        world = world_of(ground, module) if mine else None
        for mutant in mine:
            killer = "" if world is None else world.killer_of(mutant)
            # One that does not compile fails on every input, and is no fault.
            if killer is not None:
                (killed if killer else missed).append(mutant)
    return killed, missed
