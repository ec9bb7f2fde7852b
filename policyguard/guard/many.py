"""Asks about many calls that leave in one body: all of them go out, or none does.

Each call of a batch is a question with a record of its own. If one may not be made, the
records of the others say that they did not leave either. Data that is stored at a host
is asked about for every model that the catalog knows there, since any of them may read it.

INVARIANT: the decision that stands for a batch goes ahead only if every other one does,
and all of them are durable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, TypeAlias

import orjson

from policyguard.catalog.endpoints import unclear
from policyguard.guard.asking import Asking
from policyguard.guard.core import Core
from policyguard.guard.describe import Described
from policyguard.guard.obligations import Sending
from policyguard.guard.recording import Ending
from policyguard.guard.refusal import refused
from policyguard.guard.wire import Batch, Group, Opened
from policyguard.identity import new_id
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import Decision

MOST_CALLS: Final = 10_000
"""A batch with more calls is refused: each has a decision and an outcome."""
MOST_READERS: Final = 64
MOST_NAMED: Final = 100
"""So many refused requests are named."""
_FIRST_REFUSAL: Final = 400
_BESIDE: Final = "another request of the same batch is not allowed"
_ANY: Final = (
    "what is uploaded names no model: every one that answers there may read it"
)

Ask: TypeAlias = Callable[[Described, Asking], ModelCall | Decision]
"""Puts one call as a question, or returns the refusal of one that cannot be put."""


def expanded(core: Core, described: Described) -> Described:
    """Return a description with the calls of a file, or of those who may read an upload."""
    found = described
    if why := unclear(described.path):
        return _unclear(described, why)
    if described.file is not None:
        calls = core.batches.file(host=described.host, name=described.file)
        if calls is None:
            return _unclear(described, _unknown_file(described.file))
        found = replace(described, calls=calls)
    elif described.upload:
        found = replace(described, calls=_readers(core, described.host), why=_ANY)
        if not found.calls:
            return replace(
                found, why="no model is known to answer where it is uploaded"
            )
        if len(found.calls) > MOST_READERS:
            return _unclear(found, f"more than {MOST_READERS} models may read it")
    if len(found.calls) > MOST_CALLS:
        return _unclear(
            found, f"the batch has more than {MOST_CALLS:,} requests: split it"
        )
    return found


def batch_of(described: Described, *, asking: Asking, ask: Ask) -> Batch | Decision:
    """Put the calls of a body as questions, equal ones once.

    Args:
        described: As `expanded` returns it, with calls.
        asking: How the whole is asked for.
        ask: Puts one of them.

    Returns:
        The questions, or the refusal of one that cannot even be put.
    """
    groups: list[Group] = []
    for call, positions in _distinct(described):
        how = replace(
            asking,
            sending=Sending(parameters=call.parameters),
            why=described.why,
            offered=call.offered,
        )
        put = ask(call, how)
        if isinstance(put, Decision):
            return put
        groups.append(Group(call=put, asking=how, positions=positions))
    return Batch(described=described, groups=tuple(groups))


def decide(core: Core, batch: Batch) -> Decision:
    """Answer all questions of a batch and make the answers durable; never raises.

    Returns:
        The decision that stands for the batch: the first one, or the first refusal.
    """
    answered = sorted(_answers(core, batch), key=lambda item: item[0])
    against = [place for place, item, _ in answered if not item.goes_ahead]
    pairs: list[tuple[Decision, Asking]] = []
    for place, item, asking in answered:
        # What is kept of the body is kept once.
        how = replace(asking, prompt=None) if pairs else asking
        numbers = () if batch.described.upload else (place,)
        decision = item.model_copy(update={"requests": numbers})
        if against and place == against[0]:
            named = tuple(against[:MOST_NAMED]) if numbers else ()
            decision = decision.model_copy(update={"requests": named})
        elif against and item.goes_ahead:
            decision = refused(decision, code="guard.batch", detail=_BESIDE)
        pairs.append((decision, how))
    recorded = [core.settled(item) for item in core.record_all(pairs)]
    if against:
        return next(
            item
            for (place, _, _), item in zip(answered, recorded, strict=True)
            if place == against[0]
        )
    leader = next((item for item in recorded if not item.goes_ahead), recorded[0])
    if leader.goes_ahead:
        others = tuple(item for item in recorded if item is not leader)
        core.batches.open(leader, Opened(described=batch.described, others=others))
    return leader


def ended(core: Core, opened: Opened, ending: Ending) -> Ending:
    """Return how the other calls of a batch end; remember what an uploaded file holds."""
    seen, described = ending.seen(), opened.described
    made = ending.outcome == "complete" and (ending.status or 0) < _FIRST_REFUSAL
    if made and seen.file is not None and not described.upload:
        core.batches.keep_file(
            host=described.host or "", name=seen.file, calls=described.calls
        )
    # What the answer says, it says once.
    return replace(ending, observed=None)


def _answers(core: Core, batch: Batch) -> Iterator[tuple[int, Decision, Asking]]:
    policy = core.policies.current
    for group in batch.groups:
        first = core.consider(group.call, asking=group.asking, policy=policy)
        yield group.positions[0], first, group.asking
        for place in group.positions[1:]:
            if first.call.approvals:
                # Each call takes a use of its own.
                again = core.consider(group.call, asking=group.asking, policy=policy)
            else:
                again = first.model_copy(update={"id": new_id()})
            yield place, again, group.asking


def _distinct(
    described: Described,
) -> Iterator[tuple[Described, tuple[int, ...]]]:
    found: dict[object, tuple[Described, list[int]]] = {}
    for place, call in enumerate(described.calls, start=1):
        said = orjson.dumps(call.parameters, option=orjson.OPT_SORT_KEYS)
        key = (call.model, call.path, call.opaque, said, call.offered)
        found.setdefault(key, (call, []))[1].append(place)
    for call, places in found.values():
        there = replace(call, host=described.host, path=call.path or described.path)
        yield there, tuple(places)


def _readers(core: Core, host: str | None) -> tuple[Described, ...]:
    """Return a call to each model that the catalog knows at a host."""
    return tuple(
        Described(model=(item.names or (item.model,))[0])
        for _, item in sorted(core.catalog.entries.deployments.items())
        if host is not None and host in item.hosts
    )


def _unclear(described: Described, why: str) -> Described:
    return replace(
        described, calls=(), file=None, upload=False, opaque=True, model=None, why=why
    )


def _unknown_file(name: str) -> str:
    return (
        f"what the file `{name[:64]}` holds is not known here: upload it by a guarded"
        " client of the same process"
    )
