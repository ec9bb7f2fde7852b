"""Records what became of calls, which nobody waits for.

Owner: nothing is kept here. What is handed to the trail and not yet written is lost in a
crash; its decision stays without an outcome, which an auditor sees. The call has been
made by then: to hide its answer would help nobody.

INVARIANT: nothing in here raises, and nobody who has an answer waits for its record.
Whoever is told of outcomes (watchers, people behind notices) is told before the answer
is handed on; where there is nobody, the record is made by the thread that writes it.
"""

from __future__ import annotations

from typing import Final

from policyguard.errors import PolicyGuardError
from policyguard.guard.core import Core
from policyguard.guard.events import log
from policyguard.guard.notices import deviation_notice
from policyguard.guard.recording import Ending, outcome_of, type_name
from policyguard.guard.tally import NOT_MADE
from policyguard.identity import wall_clock
from policyguard.vocabulary.decision import Decision
from policyguard.vocabulary.record import OutcomeRecord

_MANY_WAITING: Final = 500
"""With twice as many, whoever brings one writes first."""


def record_outcome(core: Core, decision: Decision, ending: Ending) -> None:
    """Record what became of an allowed call, or of all of a batch; never raises."""
    _record(core, decision, ending)
    opened = core.batches.close(decision)
    if opened is not None:
        from policyguard.guard import many

        same = many.ended(core, opened, ending)
        for item in opened.others:
            _record(core, item, same)


def may_block(core: Core, decision: Decision) -> bool:
    """Say whether recording the end of a call may take time: a loop would not wait."""
    many = core.batches.find(decision) is not None
    behind = core.trail.waiting > _MANY_WAITING
    counted = core.tally is not None and core.tally.is_open(decision.id)
    return many or behind or counted or _is_heard(core)


def _is_heard(core: Core) -> bool:
    return core.notices is not None or bool(core.watching.watchers)


def _record(core: Core, decision: Decision, ending: Ending) -> None:
    def failed(error: BaseException) -> None:
        # The decision stays without outcome, and that is what an auditor will see.
        log.error("outcome.not_recorded", decision=decision.id, reason=str(error))

    catalog, time = core.catalog, wall_clock()

    def make() -> OutcomeRecord:
        made = outcome_of(decision, ending=ending, catalog=catalog, time=time)
        if not made.deviations:
            return made
        told = _told(core, decision, made)
        return made.model_copy(update={"notified": told})

    try:
        if core.tally is not None:
            name = type_name(ending.error)
            core.tally.settle(decision.id, made=name != NOT_MADE)
        if not _is_heard(core):
            core.trail.append_later(make, failed=failed)
            return
        outcome = make()
        core.watching.ended(decision, outcome, catalog=catalog)
        core.trail.append_later(outcome, failed=failed)
    except (PolicyGuardError, ValueError) as failure:
        failed(failure)


def _told(core: Core, decision: Decision, outcome: OutcomeRecord) -> bool:
    """Tell whoever settings name of an answer that came by another route."""
    log.warning(
        "answer.deviates", decision=decision.id, deviations=list(outcome.deviations)
    )
    if core.notices is None:
        return False
    try:
        core.notices.tell(deviation_notice(decision, outcome))
    except PolicyGuardError as failure:
        log.error("answer.not_told", decision=decision.id, reason=str(failure))
        return False
    return True
