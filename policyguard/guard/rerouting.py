"""Finds another way for a call: asked for as a route, or taken when one is refused.

A route names a deployment and moves nothing. A refused call moves only to a client that
the application has given for that: each has a key of its own, and no header, key or
query of the refused call goes along.

INVARIANT: whatever is found is asked again in full, with a record, before anything is
sent; what is asked about on the way leaves no record but in the decision it led to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from policyguard.errors import ConfigurationError, NotAllowed
from policyguard.guard.asking import Asking
from policyguard.guard.core import Core
from policyguard.guard.describe import Described, describe, method_of
from policyguard.guard.events import log
from policyguard.guard.facts import Facts
from policyguard.guard.persons import NOBODY, Persons
from policyguard.guard.policy import Policy
from policyguard.guard.routing import (
    Models,
    Rank,
    candidates,
    moved,
    objection_of,
    others,
    rejection,
)
from policyguard.guard.running import Begun, begin, question
from policyguard.identity import new_id
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import Alternative, Decision, Rejected, Route

_OWN_TO_A_CLIENT: Final = ("extra_headers", "extra_query", "extra_body")
"""Arguments that may hold a key, or name a model for one provider alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detour:
    """Says where a refused call may go instead."""

    clients: tuple[object, ...]
    models: Models = ()
    rank: Rank = "cost"


def detour_of(
    on_deny: Literal["raise", "reroute"] | None,
    *,
    clients: Sequence[object],
    models: Models,
    above: Detour | None,
) -> Detour | None:
    """Return where refused calls go; `None`: nowhere.

    Args:
        on_deny: What was bound; `None`: nothing new.
        clients: What they may move to.
        models: Other models that they may ask there.
        above: What was bound before.

    Raises:
        ConfigurationError: they do not fit together.
    """
    if on_deny == "reroute" and clients:
        return Detour(clients=tuple(clients), models=models)
    if on_deny == "reroute":
        raise ConfigurationError(
            "`on_deny` is `reroute`, and there is no client to move to: give `clients`,"
            " each with a key of its own"
        )
    if on_deny not in {None, "raise"}:
        raise ConfigurationError(f"`on_deny` is `{on_deny}`: give `raise` or `reroute`")
    if clients or models:
        raise ConfigurationError(
            "`clients` and `models` say where a refused call moves: give"
            ' `on_deny="reroute"` too'
        )
    return above if on_deny is None else None


def route(
    core: Core,
    call: ModelCall | str,
    *,
    facts: Facts,
    models: Models = (),
    rank: Rank = "cost",
) -> Route:
    """Return the best permitted deployment for a call, with one record of kind `check`.

    Args:
        core: Answers and remembers.
        call: The question, whose own deployment is one of the candidates; or a model.
        facts: What is declared of a call of which only the model is given.
        models: Other models that would do too.
        rank: What is best.

    Raises:
        ConfigurationError: an unknown model or rank.
    """
    # INVARIANT: one policy answers for all of them.
    policy = core.policies.current
    persons = facts.persons or NOBODY
    asking = Asking(call_id=new_id(), kind="check", persons=persons, offers=False)
    if isinstance(call, str):
        named = Described(model=call)
        put = question(core, described=named, facts=facts, asking=asking)
        if isinstance(put, Decision):
            return Route(to=None, decision=put)
        call = put
    rejected: list[Rejected] = []
    to, decision = None, None
    for candidate in candidates(call, catalog=policy.catalog, models=models, rank=rank):
        asked = core.consider(moved(call, candidate), asking=asking, policy=policy)
        against = objection_of(asked)
        if against is None:
            to, decision = candidate, asked
            break
        rejected.append(rejection(candidate, against))
    if decision is None:
        decision = core.consider(call, asking=asking, policy=policy)
    whole = decision.model_copy(update={"rejected": tuple(rejected)})
    recorded = core.record(whole, asking=asking)
    # Without a record there is no answer, and so no route.
    return Route(to=to if recorded.allowed else None, decision=recorded)


def permitted(
    core: Core,
    decision: Decision,
    *,
    persons: Persons | None = None,
    models: Models = (),
    rank: Rank = "cost",
) -> tuple[Alternative, ...]:
    """Return the other deployments that a decided call could use, best first.

    Args:
        core: Answers; nothing is recorded.
        decision: Of the call, for whose instant they are asked about.
        persons: Those whom it is about, whom no decision names; `None`: not known.
        models: Other models that would do too.
        rank: What is best.

    Raises:
        ConfigurationError: an unknown model or rank.
    """
    return tuple(
        _permitted(
            core,
            decision.call,
            persons=persons,
            policy=core.policies.current,
            models=models,
            rank=rank,
        )
    )


def begin_somewhere(core: Core, detour: Detour | None, **call: Any) -> Begun:
    """Return a call, begun where it asks or, if refused, elsewhere; see `begin`.

    Raises:
        NotAllowed: the refusal, if there is no other way; or trouble on the way.
    """
    try:
        return begin(core, **call)
    except NotAllowed as refused:
        if detour is None:
            raise
        return begin_elsewhere(refused, detour, core=core, **call)


def begin_elsewhere(  # noqa: PLR0913 -- all that is known of a call
    refused: NotAllowed,
    detour: Detour,
    *,
    core: Core,
    facts: Facts,
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Begun:
    """Return a refused call, begun at the best client that may be used.

    Raises:
        NotAllowed: the refusal, if there is no other way; or trouble on the way.
    """
    decision = refused.decision
    if decision.code is not None or not _may_move(kwargs):
        # Without an answer, or with what belongs to one client, nothing moves.
        raise refused
    policy = core.policies.current
    for candidate in _permitted(
        core,
        decision.call,
        persons=facts.persons,
        policy=policy,
        models=detour.models,
        rank=detour.rank,
    ):
        there = {**kwargs, "model": candidate.name}
        method = _method_at(
            candidate, detour, fn=fn, args=args, kwargs=there, policy=policy
        )
        if method is None:
            refused.add_note(f"no client was given for {candidate.deployment}")
            continue
        try:
            begun = begin(
                core,
                facts=facts,
                fn=method,
                args=args,
                kwargs=there,
                call_id=decision.call_id,
            )
        except NotAllowed as again:
            if again.decision.code is not None:
                raise
            continue
        log.info(
            "call.rerouted",
            refused=decision.id,
            decision=begun.state.decision.id,
            deployment=candidate.deployment,
        )
        return begun
    raise refused


def _permitted(  # noqa: PLR0913 -- what is asked about, for whom, and in which order
    core: Core,
    call: ModelCall,
    *,
    persons: Persons | None,
    policy: Policy,
    models: Models,
    rank: Rank,
) -> Iterator[Alternative]:
    asking = Asking(
        call_id=new_id(), kind="check", persons=persons or NOBODY, offers=False
    )
    for candidate in others(call, catalog=policy.catalog, models=models, rank=rank):
        asked = core.consider(moved(call, candidate), asking=asking, policy=policy)
        if asked.allowed:
            yield candidate


def _may_move(kwargs: dict[str, Any]) -> bool:
    return "model" in kwargs and not any(map(kwargs.get, _OWN_TO_A_CLIENT))


def _method_at(  # noqa: PLR0913 -- all that is known of a call
    candidate: Alternative,
    detour: Detour,
    *,
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    policy: Policy,
) -> Callable[..., Any] | None:
    """Return the same method of the client that reaches a deployment, if one does."""
    for client in detour.clients:
        method = method_of(fn, client)
        if method is None:
            continue
        known = describe(method, args, kwargs)
        found = policy.catalog.resolve(
            asked_model=known.model, host=known.host, path=known.path
        )
        if found.deployment == candidate.deployment:
            return method
    return None
