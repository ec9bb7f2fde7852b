"""Checks a property on one call of a policy, and says what breaks it.

A property of the form `change` is checked against each change of the call that counts;
of a rule's own facts alone, where it is known which facts the objecting rules read.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from policyguard.canonical import Json
from policyguard.testing.answers import Answer
from policyguard.testing.changes import Changed, changed, named, places, set_in
from policyguard.testing.firing import known_of
from policyguard.testing.properties import Property
from policyguard.testing.rule_table import OBJECTS, Found, objects
from policyguard.testing.space_values import LEFT_OUT
from policyguard.testing.trial import Trial

MOST_CHANGES: Final = 200
"""Changes of one call that are looked at."""
ODD: Final[tuple[Json, ...]] = (True, 1, "", "DE", [], ["DE"], {}, {"DE": "DE"})
"""What stands where something of another type belongs."""
_SHOWN: Final = 1_200


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """Is one call that breaks a property."""

    property: Property
    rules: tuple[str, ...]
    """Whose finding shows it."""
    call: Json = field(repr=False)
    """The `input` before the change."""
    fact: str | None = None
    """What is changed."""
    value: Json = None
    after: Json = field(default=None, repr=False)
    """The `input` with the change."""
    said: str = ""
    """What is found, before and after."""
    differs: Mapping[str, Json] = field(default_factory=dict)
    """What the call has that a call to which nobody objects has not."""

    def text(self) -> str:
        """Return what a person reads."""
        lines = [f"{self.property.name} does not hold: {self.property.says}"]
        if self.fact is not None:
            lines.append(f"  when {self.fact} = {_short(self.value)}: {self.said}")
        else:
            lines.append(f"  {self.said}")
        shown = [f"{name} = {_short(value)}" for name, value in self.differs.items()]
        lines.append(f"  call: {' · '.join(shown) or 'as it is'}")
        return "\n".join(lines)


def breach_of(prop: Property, trial: Trial, call: Json) -> Breach | None:
    """Return what breaks a property on one call; nothing if it holds there.

    Args:
        prop: A property of the form `change` or `call`.
        trial: The policy, and which of its rules are on trial.
        call: An `input`.
    """
    if prop.form == "change":
        return _by_change(prop, trial, call)
    said = _BY_CALL[prop.name](trial, call)
    if not said:
        return None
    return Breach(
        property=prop, rules=(), call=call, said=said, differs=_differing(trial, call)
    )


def _by_change(prop: Property, trial: Trial, call: Json) -> Breach | None:
    before = _of_rules(trial, call)
    if prop.breaks_only_objections and not objects(before):
        return None
    facts = _read_by_objecting(prop, trial, before)
    counted = (
        item
        for item in changed(prop, trial, call)
        if facts is None or item.fact in facts
    )
    for item in itertools.islice(counted, MOST_CHANGES):
        after = (
            trial.all_found(item.call)
            if prop.breaks_only_objections
            else _of_rules(trial, item.call)
        )
        if prop.breaks(before, after):
            return _breach(prop, trial, call, item, before, after)
    return None


def _breach(  # noqa: PLR0913, PLR0917 -- the two sides of one comparison
    prop: Property,
    trial: Trial,
    call: Json,
    item: Changed,
    before: Found,
    after: Found,
) -> Breach:
    return Breach(
        property=prop,
        rules=tuple(sorted({rule for rule, _ in before ^ after})),
        call=call,
        fact=item.fact,
        value=item.value,
        after=item.call,
        said=f"{_effects(before)} → {_effects(after)}",
        differs=_differing(trial, call),
    )


def _read_by_objecting(
    prop: Property, trial: Trial, before: Found
) -> frozenset[str] | None:
    """Return the facts that can silence who objects; nothing if that may be any."""
    rules = {rule for rule, effect in before if effect in OBJECTS}
    if not prop.breaks_only_objections or not rules <= set(trial.rules):
        return None
    return frozenset(dim.name for rule in rules for dim in trial.dims_of(rule))


def _of_rules(trial: Trial, call: Json) -> Found:
    """Return what the rules on trial find; of a call without a view that alone."""
    found = trial.found(call)
    return frozenset(
        item
        for rule, items in found.items()
        if rule in trial.rules or rule == "view"
        for item in items
    )


def _nondeterminism(trial: Trial, call: Json) -> str:
    first = trial.answer(call)
    for turned in (False, True):
        again = trial.answer(call, engine=trial.engine(turned=turned))
        if again != first:
            return f"{_decided(first)}, and then {_decided(again)}"
    return ""


def _allowed_otherwise(trial: Trial, call: Json) -> str:
    answer, found = trial.answer(call), trial.found(call)
    objecting = sorted(
        rule for rule, effects in answer.effects.items() if OBJECTS & set(effects)
    )
    if answer.verdict == "allow" and objecting:
        return f"allowed, although {', '.join(objecting)} objects"
    if answer.verdict == "allow" and "view" in found:
        return "allowed, although no rule can look at it"
    statuses = trial.in_force(call)
    unheard = sorted(
        rule
        for rule, items in found.items()
        if objects(items)
        and rule in statuses
        and rule not in answer.softened
        and not OBJECTS & set(answer.effects.get(rule, ()))
    )
    if unheard and answer.verdict == "allow":
        return f"allowed, although {', '.join(unheard)} objects and is in force"
    if answer.verdict != "allow" and not objecting and not found:
        return f"{answer.verdict}, although nothing is found"
    return ""


def _opened_by_type(trial: Trial, call: Json) -> str:
    before = _of_rules(trial, call)
    if not objects(before):
        return ""
    rules = {rule for rule, effect in before if effect in OBJECTS}
    known = rules <= set(trial.rules)
    dims = (
        [dim for rule in sorted(rules) for dim in trial.dims_of(rule)]
        if known
        else trial.dims
    )
    for dim in {dim.path: dim for dim in dims}.values():
        types = {type(None), *map(type, dim.values)}
        for place, _ in places(call, dim.path):
            for value in (odd for odd in ODD if type(odd) not in types):
                spoilt = set_in(call, place, value)
                if objects(trial.all_found(spoilt)):
                    continue
                # What is no whole question is refused before any rule is asked.
                if trial.answer(spoilt).verdict == "allow":
                    return f"when {named(place)} = {_short(value)}: {_effects(before)} → nothing"
    return ""


_BY_CALL: Final = {
    "ill_typed_never_allows": _opened_by_type,
    "deterministic": _nondeterminism,
    "allow_iff_nothing_objects": _allowed_otherwise,
}


def _decided(answer: Answer) -> str:
    effects = (f"{rule} {'+'.join(e)}" for rule, e in sorted(answer.effects.items()))
    return f"{answer.verdict} ({', '.join(effects) or 'nothing found'})"


def _differing(trial: Trial, call: Any) -> dict[str, Json]:
    """Return by name each fact that differs from a call to which nobody objects."""
    left_out = {".".join(path) for path in LEFT_OUT}
    calm: Any = trial.space.call({})
    return {
        name: value
        for name, value in _facts(call, "")
        if name not in left_out and _at(calm, name) != value
    }


def _facts(node: Any, above: str) -> list[tuple[str, Json]]:
    if not isinstance(node, dict):
        return [(above, known_of(node) if isinstance(node, list) else node)]
    return [
        fact
        for key, item in node.items()
        for fact in _facts(item, f"{above}.{key}" if above else key)
    ]


def _at(node: Any, name: str) -> Json:
    for part in name.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    value: Json = known_of(node) if isinstance(node, list) else node
    return value


def _effects(found: Found) -> str:
    return ", ".join(sorted(f"{rule} {effect}" for rule, effect in found)) or "nothing"


def _short(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"
