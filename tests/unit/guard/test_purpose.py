"""Where models are fine-tuned nobody goes to ask one something."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from guards import TICKETS, guard_in

from policyguard import Guard
from policyguard.guard import running
from policyguard.guard.describe import Described
from policyguard.guard.facts import facts_of


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    with guard_in(tmp_path_factory.mktemp("purpose")) as made:
        yield made


@pytest.mark.parametrize(
    ("path", "purpose", "refused"),
    [
        ("/v1/fine_tuning/jobs", "inference", True),
        ("/v1/fine-tunes", "embed", True),
        ("/V1/Fine_Tune/jobs", "evaluate", True),
        ("/v1/fine_tuning/jobs", "fine_tune", False),
        ("/v1/fine_tuning/jobs", "train", False),
        ("/v1/fine_tuning/jobs", "distil", False),
        ("/v1/chat/completions", "inference", False),
        ("/v1/models/fine-tuned-one", "inference", False),
    ],
)
def test_an_address_that_contradicts_the_purpose_is_refused(
    guard: Guard, path: str, purpose: str, refused: bool
) -> None:
    described = Described(model="glm-5.2", host="api.scaleway.ai", path=path)
    facts = facts_of(**{**TICKETS, "purpose": purpose})

    answer = running.at_wire(
        guard.core, described, own=facts, attempt=0, body=None, text=None
    )

    assert (answer.decision.code == "guard.question") == refused
    if refused:
        assert answer.decision.detail == (
            f"it goes to what fine-tunes models, and its purpose is {purpose}"
        )
