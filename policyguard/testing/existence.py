"""Looks for what has to exist: a call for each rule, each condition, each region.

Where none is met among the calls that are tried, that is said with their number. It is
no proof that there is none: `policyguard policy prove` decides that over a space.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Final

import orjson

from policyguard.canonical import Json
from policyguard.engines.native import compile_modules
from policyguard.testing.answers import VERDICTS
from policyguard.testing.conditions import DROPPED
from policyguard.testing.mutants import mutants_of, shown_only
from policyguard.testing.properties import Property
from policyguard.testing.rego_tests import answer_of
from policyguard.testing.rule_table import OBJECTS, Found, Table
from policyguard.testing.seeds import call_of, seeds_of
from policyguard.testing.space import Dim
from policyguard.testing.trial import Trial
from policyguard.testing.viewed import views_of

MOST_VIEWS: Final = 500
"""Calls on which a rule without one of its conditions is compared with the rule."""
_NEAR: Final = 0.5
_CLASSES: Final = "data.classes"
_KIT: Final = "policyguard_kit.rego"
_ANSWERS: Final = "data.policyguard_kit.near.answers"


def unreached(prop: Property, trial: Trial, examples: int) -> list[str]:
    """Return the rules of which no call is met that makes them find something.

    Args:
        prop: The property.
        trial: The policy.
        examples: Unused: how many calls are tried depends on the number of rules.
    """
    del prop, examples
    met = {seeds.rule for seeds in seeds_of(trial) if seeds.facts}
    rest = [rule for rule in trial.rules if rule not in met]
    for golden in trial.policy.golden if rest else ():
        met |= trial.found(golden.input).keys()
    return [
        f"{rule}: no call that was tried makes it find anything"
        for rule in rest
        if rule not in met and not _in_table(trial, rule)
    ]


def dead_conditions(prop: Property, trial: Trial, examples: int) -> list[str]:
    """Return the conditions without which a rule finds the same in all calls tried.

    Args:
        prop: The property; conditions whose text it is not demanded of are passed over.
        trial: The policy.
        examples: Unused: each rule is compared on as many calls.
    """
    del examples
    passed_over = shown_only(trial.analyst.tree.modules)
    found = []
    for seeds in seeds_of(trial):
        module = trial.analyst.rules[seeds.rule]
        text = trial.policy.modules[module.name]
        calls = list(_near(trial, seeds.rule, seeds.facts))
        views = [view for view in views_of(trial, calls) if view is not None]
        compared = _Compared(trial, seeds.rule, views)
        expected = compared.answers(text)
        found += [
            f"{mutant.file}:{mutant.line}: `{mutant.before}` decides nothing in"
            f" {len(views)} calls"
            for mutant in mutants_of(module, text, passed_over=passed_over)
            if mutant.operator == DROPPED
            and mutant.before not in prop.but
            and compared.answers(mutant.text) == expected
        ]
    return found


def uncovered(prop: Property, trial: Trial, examples: int) -> list[str]:
    """Return the values of facts that matter to no rule on trial in any call tried.

    Args:
        prop: The property; the facts that it is about are looked at, without any the
            data classes.
        trial: The policy.
        examples: How many calls each value is tried in.
    """
    names = sorted(prop.facts) or [_CLASSES]
    found = []
    for name in names:
        dim = trial.space.dim(name)
        contexts = list(_contexts(trial, dim, examples))
        calm = _value_of(trial, name)
        for value in dim.values:
            several = isinstance(value, list) and len(value) > 1
            if value is None or value == calm or several:
                continue
            if not any(
                trial.found(call_of(trial, {**facts, name: value}))
                != trial.found(call_of(trial, {**facts, name: calm}))
                for facts in contexts
            ):
                shown = orjson.dumps(value).decode("utf-8")
                found.append(
                    f"{name} = {shown}: no rule looks at it in {len(contexts)} calls"
                )
    return found


def shadowed(prop: Property, trial: Trial, examples: int) -> list[str]:
    """Return the rules to whose every objection another one objects as strictly.

    Args:
        prop: The property; rules that it is not demanded of are passed over.
        trial: The policy.
        examples: Unused: each rule is looked at in as many calls.
    """
    del examples
    found = []
    for seeds in seeds_of(trial):
        if seeds.rule in prop.but:
            continue
        calls, others = 0, set(trial.analyst.rules) - {seeds.rule}
        for call in _near(trial, seeds.rule, seeds.facts):
            said = trial.found(call)
            own = _strictness(said.get(seeds.rule, frozenset()))
            if own:
                calls += 1
                others = {
                    o for o in others if _strictness(said.get(o, frozenset())) >= own
                }
        if calls and others:
            found.append(
                f"{seeds.rule}: {', '.join(sorted(others))} objects as strictly in each of"
                f" {calls} calls: where that is meant, name the rule in `but`"
            )
    return found


def _strictness(found: Found) -> int:
    """Say how strict the strictest finding is; what a profile decides is the least."""
    strict = (
        VERDICTS.index(e) if e in VERDICTS else 1 for _, e in found if e in OBJECTS
    )
    return max(strict, default=0)


class _Compared:
    """Asks one rule, as it is or changed, on views; belongs to one thread."""

    def __init__(self, trial: Trial, rule: str, views: Sequence[Json]) -> None:
        analyst = trial.analyst
        self._module = analyst.rules[rule]
        texts = {
            name: text
            for name, text in analyst.texts_of(self._module).items()
            if name != self._module.name
        }
        found = ".".join(analyst.set_of(self._module))
        texts[_KIT] = (
            "package policyguard_kit.near\n\nanswers := [found |\n"
            "some given in data.policyguard_kit.views\n"
            f"fs := data.{found} with input as given\n"
            f"found := [x | some f in fs; f.id == {orjson.dumps(rule).decode()};"
            ' x := [f.effect, object.get(f, "missing", [])]]\n]\n'
        )
        self._base = compile_modules(texts)
        data = {**trial.policy.data, "policyguard_kit": {"views": views}}
        self._base.add_data_json(orjson.dumps(data).decode("utf-8"))

    def answers(self, text: str) -> str:
        """Return what a text of the rule finds; what failed instead, if it did."""
        engine = self._base.clone()
        try:
            engine.add_policy(self._module.name, text)
        except Exception as error:  # noqa: BLE001 -- what does not compile is no rule
            return str(error)
        engine.set_input_json("{}")
        answer, message = answer_of(engine, _ANSWERS)
        return message or answer


def _near(
    trial: Trial, rule: str, seeds: Sequence[Mapping[str, Json]]
) -> Iterator[Json]:
    """Yield calls of which a rule finds something, calls near them, and any others."""
    chooser = Random(0)  # noqa: S311 -- the same calls each time, no secret
    dims = trial.dims_of(rule)
    one_changed = [
        {**facts, dim.name: value}
        for facts in seeds
        for dim in dims
        for value in dim.values
    ]
    chooser.shuffle(one_changed)
    chosen: list[Mapping[str, Json]] = [*seeds, *one_changed[: MOST_VIEWS // 4]]
    near = list(chosen) or [{}]
    while len(chosen) < MOST_VIEWS and dims:
        start = chooser.choice(near) if chooser.random() < _NEAR else {}
        changing = chooser.sample(
            dims, min(len(dims), chooser.randint(2, len(dims) + 1))
        )
        chosen.append(
            {**start, **{dim.name: chooser.choice(dim.values) for dim in changing}}
        )
    for facts in chosen:
        yield call_of(trial, facts)


def _contexts(trial: Trial, dim: Dim, examples: int) -> Iterator[Mapping[str, Json]]:
    """Yield facts besides one of which some rule may find something."""
    chooser = Random(0)  # noqa: S311 -- the same calls each time, no secret
    reading = [
        (seeds, dims)
        for seeds in seeds_of(trial)
        for dims in [trial.dims_of(seeds.rule)]
        if any(own.name == dim.name for own in dims)
    ]
    yield {}
    for seeds, _ in reading:
        yield from seeds.facts
    for index in range(examples if reading else 0):
        _, dims = reading[index % len(reading)]
        yield {own.name: chooser.choice(own.values) for own in dims}


def _value_of(trial: Trial, name: str) -> Json:
    node: Json = trial.space.call({})
    for part in name.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def _in_table(trial: Trial, rule: str) -> bool:
    """Say whether some view of a whole table makes a rule find something."""
    table = trial.analyst.table(rule)
    return isinstance(table, Table) and any(table.outcomes)


EXISTENCE: Final[Mapping[str, Callable[[Property, Trial, int], list[str]]]] = {
    "reachable": unreached,
    "no_dead_condition": dead_conditions,
    "no_uncovered": uncovered,
    "no_shadowed_rule": shadowed,
}
"""Who looks, by the name of the property."""
