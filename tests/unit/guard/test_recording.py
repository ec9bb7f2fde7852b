"""Tests of what a record is made of: the bytes in the vault are those of the document."""

from __future__ import annotations

from pathlib import Path

import pytest

from policyguard import Guard, Settings
from policyguard.canonical import canonical_bytes
from policyguard.guard.asking import Asking
from policyguard.guard.describe import Described
from policyguard.guard.facts import facts_of
from policyguard.guard.recording import content_document, entry_of
from policyguard.settings import EngineSettings, TrailSettings
from policyguard.vocabulary.decision import Decision


@pytest.mark.parametrize(
    "host", ["api.scaleway.ai", "open.bigmodel.cn", "ünknown.example"]
)
def test_what_goes_into_the_vault_is_the_documents_canonical_bytes(
    tmp_path: Path, host: str
) -> None:
    with Guard(settings=Settings(trail=TrailSettings(directory=tmp_path))) as guard:
        facts = facts_of(caller={"id": "ä"}, data={"classes": ["pii"], "people": ["x"]})
        call = guard.core.question(
            described=Described(model="glm-5.2", host=host), facts=facts
        )
        decision = guard.check(call)

        assert _content(guard, decision) == canonical_bytes(content_document(decision))
        assert len(guard.check_many([call, call])) == 2


def test_a_text_that_has_no_bytes_is_left_to_the_trail_to_refuse(
    tmp_path: Path,
) -> None:
    with Guard(settings=Settings(trail=TrailSettings(directory=tmp_path))) as guard:
        decision = guard.check(guard.core.empty_question())
        odd = decision.model_copy(update={"detail": "\ud800"})

        assert _content(guard, odd) == content_document(odd)


def _content(guard: Guard, decision: Decision) -> object:
    asking = Asking(call_id=decision.call_id, kind="check")
    return entry_of(decision, asking=asking, catalog=guard.core.catalog).content


@pytest.mark.parametrize(("entries", "hits", "kept"), [(4_096, 2, 1), (0, 0, 0)])
def test_a_guard_says_how_often_it_answered_from_memory(
    tmp_path: Path, entries: int, hits: int, kept: int
) -> None:
    settings = Settings(
        trail=TrailSettings(directory=tmp_path),
        engine=EngineSettings(memo_entries=entries),
    )
    with Guard(settings=settings) as guard:
        call = guard.core.empty_question()
        guard.check_many([call, call, call])
        use = guard.memo_use

        assert (use.hits, use.entries) == (hits, kept)
        assert use.hits + use.misses == 3
