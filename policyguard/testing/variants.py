"""Makes policies that differ from a given one in one thing: a name, a date, or a rule.

They are for laws about comparisons: what differs is known, and is said in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from policyguard.bundle.additions import read_overrides
from policyguard.bundle.rulebook import read_rules, rulebook_document
from policyguard.canonical import digest_of
from policyguard.catalog.document import with_views
from policyguard.engines.protocol import PolicySet
from policyguard.testing.instants import instant
from policyguard.testing.space import Space
from policyguard.testing.tables import Analyst

_NAMED: Final = ("parties", "countries", "regions", "items")
"""The sections of a list that name something."""
_BOUNDS: Final = ("since", "until")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """Is a policy that differs in one thing from the one it was made of."""

    policy: PolicySet = field(repr=False)
    changed: str
    """What differs, in words."""
    rule: str | None = None
    """The rule that is another one, if it is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """Is a name in a list of the catalog."""

    list: str
    section: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Date:
    """Is a bound of a window in which a list names something."""

    at: Name
    window: int
    """Which of its windows."""
    bound: str
    """`since` or `until`."""


def names_in(policy: PolicySet) -> tuple[Name, ...]:
    """Return the names in the lists of a policy's catalog."""
    return tuple(
        Name(list=key, section=section, name=name)
        for key, entry in _lists(policy).items()
        for section in _NAMED
        for name in entry[section]
    )


def dates_in(policy: PolicySet) -> tuple[Date, ...]:
    """Return the dates at which those names come and go."""
    lists = _lists(policy)
    return tuple(
        Date(at=name, window=number, bound=bound)
        for name in names_in(policy)
        for number, window in enumerate(lists[name.list][name.section][name.name])
        for bound in _BOUNDS
        if window[bound] is not None
    )


def rules_in(policy: PolicySet) -> tuple[tuple[str, str], ...]:
    """Return the rules that can be dropped, each with its module.

    Those are alone in it, and no other rule takes anything from it.
    """
    analyst = Analyst(policy, Space.from_catalog(policy))
    holding = Counter(module.name for module in analyst.rules.values())
    taken = {
        name
        for module in analyst.rules.values()
        for name in analyst.texts_of(module)
        if name != module.name
    }
    return tuple(
        (rule, module.name)
        for rule, module in sorted(analyst.rules.items())
        if holding[module.name] == 1 and module.name not in taken
    )


def unnamed(policy: PolicySet, name: Name) -> Variant:
    """Return a policy of which a list names somebody less."""
    catalog = _catalog(policy)
    del catalog["lists"][name.list][name.section][name.name]
    return Variant(
        policy=_over(policy, catalog),
        changed=f"`{name.list}` does not name `{name.name}` under {name.section}",
    )


def dated(policy: PolicySet, date: Date, *, days: int) -> Variant:
    """Return a policy of which a list names somebody from, or until, another day."""
    catalog = _catalog(policy)
    at = date.at
    window = catalog["lists"][at.list][at.section][at.name][date.window]
    before = window[date.bound]
    window[date.bound] = before + days * 86_400
    return Variant(
        policy=_over(policy, catalog),
        changed=f"`{at.list}` names `{at.name}` {date.bound}"
        f" {instant(window[date.bound])}, not {instant(before)}",
    )


def dropped(policy: PolicySet, rule: str, module: str) -> Variant:
    """Return a policy without one rule.

    Args:
        policy: The policy.
        rule: The rule's id.
        module: The module in which it is alone.
    """
    modules = {name: text for name, text in policy.modules.items() if name != module}
    data = dict(policy.data)
    ours: Any = data.get("policyguard") or {}
    if "rulebook" in ours:
        book = rulebook_document(
            revision=str(ours["rulebook"]["revision"]),
            rules=read_rules(modules.items()),
            overrides=read_overrides(data),
        )
        data["policyguard"] = {**ours, "rulebook": book}
    made = replace(
        policy,
        modules=modules,
        data=data,
        rule_ids=policy.rule_ids - {rule},
        bundle_digest=digest_of({"of": policy.bundle_digest, "without": rule}),
        golden=(),
    )
    return Variant(policy=made, changed=f"{rule} is dropped", rule=rule)


def _lists(policy: PolicySet) -> Mapping[str, Any]:
    catalog: Any = policy.data["catalog"]
    found: Iterator[tuple[str, Any]] = iter(sorted(catalog["lists"].items()))
    return dict(found)


def _catalog(policy: PolicySet) -> Any:
    return orjson.loads(orjson.dumps(policy.data["catalog"]))


def _over(policy: PolicySet, catalog: Any) -> PolicySet:
    made = with_views(catalog)
    data = {**policy.data, "catalog": made}
    return replace(policy, data=data, catalog_digest=digest_of(made), golden=())
