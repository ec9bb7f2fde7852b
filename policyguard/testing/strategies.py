"""Draws calls with Hypothesis: from the catalog, around each bound, unknown and ill-typed.

A call is drawn as the facts in which it differs from one to which nobody objects, so
that what Hypothesis shrinks it to are the few facts that matter. Values come from the
catalog and from what rules compare with; random text would hardly ever name either.

Specification: the facts and their types are those of `ModelCall`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hypothesis import strategies as st
from pydantic import ValidationError

from policyguard.canonical import Json
from policyguard.engines.protocol import PolicySet
from policyguard.testing.changes import Place, set_in, without
from policyguard.testing.instants import instant
from policyguard.testing.moves import derived_instants
from policyguard.testing.seeds import call_of, seeds_of
from policyguard.testing.space import Dim
from policyguard.testing.trial import Trial
from policyguard.testing.variants import (
    Variant,
    dated,
    dates_in,
    dropped,
    names_in,
    rules_in,
    unnamed,
)
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.names import without_name_keys

MOST_FACTS: Final = 8
"""In how many facts a drawn call differs at most."""
_LONGER: Final = 3
"""How many elements a list has at most that a space has with one."""
_ODD: Final[tuple[Json, ...]] = (
    None, True, False, 0, -1, 1_000_000, "", "DE", "999999", [], ["DE"], {},
    {"DE": "DE"}, [None], [[]],
)  # fmt: skip
"""What stands where something of another type belongs."""
_CALLER: Final = "x"


def inputs(
    trial: Trial,
    *,
    facts: Iterable[str] = (),
    missing: bool = True,
    lists: int = _LONGER,
    most: int = MOST_FACTS,
) -> st.SearchStrategy[dict[str, Any]]:
    """Draw what rules are asked: the `input` of a call that the vocabulary accepts.

    Args:
        trial: The policy, whose catalog and rules name the values.
        facts: Names of the facts that vary; without them those that the rules on trial
            read.
        missing: Whether facts are unknown, too.
        lists: How many elements lists have at most: countries, hops, contracts.
        most: In how many facts a call differs at most from one to which nobody objects.
    """
    chosen = frozenset(facts)
    dims = [
        dim
        for dim in (trial.space.dims if chosen else trial.dims)
        if (not chosen or dim.name in chosen) and len(dim.values) > 1
    ]
    if not dims:
        return st.just(trial.space.call({}))
    one = st.one_of([_value(trial, dim, missing=missing, lists=lists) for dim in dims])
    plain = st.lists(one, max_size=most, unique_by=lambda item: item[0]).map(dict)
    seeds = [] if chosen else [seed for own in seeds_of(trial) for seed in own.facts]
    if not seeds:
        return plain.map(lambda given: _call(trial, given))
    near = st.builds(operator.or_, st.sampled_from(seeds), plain)
    return st.one_of(plain, near).map(lambda given: _call(trial, given))


def calls(
    trial: Trial, *, facts: Iterable[str] = (), missing: bool = True
) -> st.SearchStrategy[ModelCall]:
    """Draw calls as a guard takes them.

    Args:
        trial: The policy, whose catalog and rules name the values.
        facts: Names of the facts that vary; without them those that the rules on trial
            read.
        missing: Whether facts are unknown, too.
    """
    drawn = inputs(trial, facts=facts, missing=missing)
    return drawn.map(_model_call).filter(_is_call).map(_certain)


def ill_typed(trial: Trial, *, facts: Iterable[str] = ()) -> st.SearchStrategy[Json]:
    """Draw inputs of which one to three fields are missing or of another type.

    Args:
        trial: The policy.
        facts: Names of the facts that vary before that.
    """
    return _spoilt(inputs(trial, facts=facts))


def at_bounds(trial: Trial) -> st.SearchStrategy[dict[str, Any]]:
    """Draw inputs at an instant at which bundle or catalog say something else.

    Args:
        trial: The policy.
    """
    bounds = st.sampled_from(trial.boundaries or (1_767_225_600,)).map(instant)
    moved = st.builds(lambda call, at: {**call, "at": at}, inputs(trial), bounds)
    return st.one_of(inputs(trial), moved)


def times(trial: Trial) -> st.SearchStrategy[datetime]:
    """Draw instants at each bound of bundle and catalog, a second before and after it.

    Args:
        trial: The policy.
    """
    bounds = st.sampled_from(trial.boundaries or (1_767_225_600,))
    steps = st.sampled_from([0, -1, 1])
    return st.builds(lambda bound, step: _moment(bound + step), bounds, steps)


def around(call: Json) -> st.SearchStrategy[datetime]:
    """Draw instants at each bound that a call itself brings, ± a second.

    Args:
        call: An `input` with instants of its own: licences, assessments, owners.
    """
    own = sorted(set(derived_instants(call))) or [1_767_225_600]
    steps = st.sampled_from([0, -1, 1])
    return st.builds(
        lambda bound, step: _moment(bound + step), st.sampled_from(own), steps
    )


def bundles(policy: PolicySet) -> st.SearchStrategy[Variant]:
    """Draw policies that differ from one in one thing, which is said with them.

    A list names somebody less, or from another day on; or a rule is dropped.

    Args:
        policy: Rules and catalog, as an engine takes them.
    """
    names, dates, rules = names_in(policy), dates_in(policy), rules_in(policy)
    days = st.sampled_from([-1, 1, -365, 365])
    kinds = []
    if rules:
        kinds.append(st.sampled_from(rules).map(lambda r: dropped(policy, *r)))
    if names:
        kinds.append(st.sampled_from(names).map(lambda name: unnamed(policy, name)))
    if dates:
        kinds.append(
            st.builds(
                lambda date, by: dated(policy, date, days=by),
                st.sampled_from(dates),
                days,
            )
        )
    return st.one_of(kinds)


@st.composite
def _spoilt(draw: st.DrawFn, typed: st.SearchStrategy[dict[str, Any]]) -> Json:
    call: Json = draw(typed)
    for _ in range(draw(st.integers(1, 3))):
        found = list(_everywhere(call, ()))
        if found:
            place = draw(st.sampled_from(found))
            odd = draw(st.sampled_from(_ODD))
            gone = isinstance(place[-1], str) and draw(st.booleans())
            call = without(call, place) if gone else set_in(call, place, odd)
    return call


def _everywhere(node: Any, above: Place) -> Iterator[Place]:
    items = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    for key, item in items:
        yield (*above, key)
        yield from _everywhere(item, (*above, key))


def _value(
    trial: Trial, dim: Dim, *, missing: bool, lists: int
) -> st.SearchStrategy[tuple[str, Json]]:
    values = [value for value in dim.values if missing or value is not None]
    one: st.SearchStrategy[Json] = st.sampled_from(values or list(dim.values))
    singles = [
        value[0] for value in values if isinstance(value, list) and len(value) == 1
    ]
    # No class and no known route stand alone.
    singles = [item for item in singles if item not in (None, "none")]
    if dim.path == ("at",):
        one = st.one_of(one, times(trial).map(_written))
    elif lists > 1 and len(singles) == 1 and isinstance(singles[0], dict):
        one = st.one_of(one, st.integers(2, lists).map(lambda n: singles * n))
    elif lists > 1 and len(singles) > 1:
        longer = st.lists(
            st.sampled_from(singles), min_size=2, max_size=lists, unique=True
        )
        one = st.one_of(one, longer.map(list))
    return one.map(lambda value: (dim.name, value))


def _call(trial: Trial, facts: Mapping[str, Json]) -> dict[str, Any]:
    """Return a call with one contract for each operator, as the vocabulary demands.

    The first are with those whom it is sent to, the others with some of the catalog.
    """
    call = call_of(trial, facts)
    contracts = call["tenant"]["contracts"]
    if contracts:
        recipients = trial.space.recipients
        hops = (recipients.get(hop, "nobody") for hop in call["route"])
        operators = dict.fromkeys([*hops, *sorted(set(recipients.values()))])
        call["tenant"]["contracts"] = [
            {**contract, "operator": operator}
            for contract, operator in zip(contracts, operators, strict=False)
        ]
    return call


def _moment(second: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)


def _written(at: datetime) -> Json:
    return instant(int(at.timestamp()))


def _model_call(document: Mapping[str, Any]) -> ModelCall | None:
    whole = dict(document)
    if whole["caller"] is not None:
        whole["caller"] = {**whole["caller"], "id": _CALLER}
    try:
        return ModelCall.model_validate(without_name_keys(whole))
    except ValidationError:
        return None


def _is_call(call: ModelCall | None) -> bool:
    return call is not None


def _certain(call: ModelCall | None) -> ModelCall:
    if call is None:
        raise AssertionError("what is no call was filtered out")
    return call
