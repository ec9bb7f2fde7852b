"""A matrix is what a guard would say of each cell, and says what it does not vary."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from functools import cache
from pathlib import Path

import orjson
import pytest
from integration.program import CALL
from unit.testing.test_compare import OWN, shipped

from policyguard.errors import ConfigurationError
from policyguard.settings import Settings
from policyguard.testing.answers import Answer, Asker
from policyguard.testing.choosing import Ground
from policyguard.testing.matrix import Matrix, matrix
from policyguard.testing.policies import policy_in
from policyguard.vocabulary.call import ModelCall

GLM = "deployment=glm-5.2@api.scaleway.ai,glm-5.2@open.bigmodel.cn"


@cache
def own_call() -> ModelCall:
    return ModelCall.model_validate_json(orjson.dumps(CALL))


def verdicts(found: Matrix) -> list[list[str]]:
    return [[cell.verdict for cell in row] for row in found.cells]


def test_cells_are_what_the_policy_says_of_a_persons_own_call() -> None:
    found = matrix(
        shipped(), rows=[GLM], columns=["data.classes=none,pii"], call=own_call()
    )

    assert verdicts(found) == [["allow", "allow"], ["allow", "deny"]]
    assert found.cells[1][1].rules == ("GDPR-01", "GDPR-04")
    assert not found.contracts_follow
    asker = Asker(shipped())
    elsewhere = own_call().model_copy(update={"route": ("glm-5.2@open.bigmodel.cn",)})
    assert asker.ask(elsewhere.engine_input()).verdict == "deny"


def test_what_is_fixed_and_what_is_unknown_is_every_fact_that_is_not_chosen() -> None:
    found = matrix(
        shipped(),
        rows=["caller.location=DE"],
        settings=["data.classes=pii", "at=2026-07-10"],
    )

    assert found.fixed["data.classes"] == ["pii"]
    assert found.fixed["at"] == "2026-07-10T00:00:00Z"
    assert "data.subjects" in found.unknown
    assert "caller.location" not in {*found.fixed, *found.unknown}
    assert not {*found.fixed} & {*found.unknown}


def test_several_facts_are_every_combination_in_the_order_they_are_given() -> None:
    found = matrix(
        shipped(),
        rows=["data.classes=pii+health,none", "data.subjects=DE,empty,unknown"],
    )

    assert [[item.label for item in line] for line in found.rows] == [
        [one, other]
        for one in ("pii+health", "none")
        for other in ("DE", "empty", "unknown")
    ]
    ground = Ground.of(shipped())
    call = ground.apply(*found.rows[1])
    assert (call["data"]["classes"], call["data"]["subjects"]) == (
        ["pii", "health"],
        [],
    )


def test_a_model_is_each_of_its_deployments_and_a_deployment_brings_its_model() -> None:
    found = matrix(shipped(), rows=["model=glm-5.2"])

    assert {line[0].label.partition("@")[0] for line in found.rows} == {"glm-5.2"}
    assert all(line[0].facts["model",] == "glm-5.2" for line in found.rows)
    assert found.contracts_follow


def test_facts_of_what_is_not_declared_yet_are_said_of_a_declared_one() -> None:
    ground = Ground.of(shipped(), own_call())
    (setting,) = ground.axis("caller.organisation.owners.share_bp=5000").settings

    organisation = ground.apply(setting)["caller"]["organisation"]

    assert organisation["owners"][0]["share_bp"] == 5000
    assert organisation["country"] is None


def test_an_authors_own_rules_object_before_anybody_trusts_them(tmp_path: Path) -> None:
    (tmp_path / "own.rego").write_text(OWN, encoding="utf-8")

    found = matrix(
        policy_in(tmp_path, Settings()), rows=["purpose.kind=inference,embed"]
    )

    assert verdicts(found) == [["allow"], ["deny"]]
    assert found.by_rule == {"ACME-01": 1}


def test_a_call_without_a_whole_answer_is_no_permission() -> None:
    call = Ground.of(shipped()).apply()
    del call["data"]

    assert Asker(shipped()).ask(call).verdict == "unanswered"


def test_the_same_question_has_the_same_digest_and_a_csv_line_for_each_cell() -> None:
    one, other = (
        matrix(shipped(), rows=[GLM], columns=["data.classes=none,pii"])
        for _ in range(2)
    )
    lines = list(csv.DictReader(io.StringIO(one.csv())))

    assert one.document() == other.document()
    assert len(lines) == one.size == sum(one.counts.values()) == 4
    assert lines[3]["verdict"] == one.cells[1][1].verdict
    assert [entry["verdict"] for entry in one.document()["cells"]] == [
        line["verdict"] for line in lines
    ]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (["data.clases"], "did you mean `data.classes`"),
        (["location"], "did you mean `caller.location`"),
        (["data.classes=secret"], "`data.classes` cannot be `secret`"),
        (["data.classes="], "has no value"),
        (["data.persons=-1"], "`data.persons` cannot be `-1`"),
        (["at=tomorrow"], "is no instant"),
        (["model=glm"], "did you mean glm-5.2"),
        (["deployment=nowhere"], "there is no deployment `nowhere`"),
        (["at", "at=2026-01-01"], "is given twice"),
        (["purpose", "purpose.kind"], "`purpose.kind` is a part of `purpose`"),
        (["at", "caller.location", "data.subjects"], "cells, and at most 20,000"),
        ([], "needs a fact for its rows"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_says_what_could(
    rows: list[str], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says.replace("(", r"\(")):
        matrix(shipped(), rows=rows)


def test_what_all_cells_have_is_one_value() -> None:
    with pytest.raises(ConfigurationError, match="all cells have one"):
        matrix(shipped(), rows=["at"], settings=["caller.location"])


def test_marks_that_no_cell_has_are_not_explained() -> None:
    refused = Answer(verdict="deny", effects={"A-1": ("deny",), "B-1": ("oblige",)})
    shared = Answer(verdict="deny", effects={"A-1": ("deny",), "B-1": ("deny",)})
    obliged = Answer(verdict="allow", effects={"B-1": ("oblige",)})
    asked = matrix(shipped(), rows=["purpose.kind=inference"])

    told = {
        (found.obliges, found.shares)
        for found in (
            replace(asked, cells=((cell,),)) for cell in (refused, shared, obliged)
        )
    }

    assert told == {(False, False), (False, True), (True, False)}
