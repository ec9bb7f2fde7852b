"""Decision tables say what rules find, of every call that they speak of, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from xml.etree import ElementTree as ET

import pytest
from unit.testing.trials import shipped

from policyguard.engines.protocol import PolicySet
from policyguard.errors import ConfigurationError
from policyguard.testing.decision_forms import (
    DecisionTable,
    DecisionTables,
    document_of,
)
from policyguard.testing.decision_tables import decision_tables
from policyguard.testing.fact_names import NAMES, name_of
from policyguard.testing.findings import Finder
from policyguard.testing.space import Space
from policyguard.testing.table_pages import groups_of, markdown_of

AT = datetime(2026, 11, 20, tzinfo=UTC)
FOUND = ("policyguard", "rules", "findings")


@cache
def shown(rule: str, *settings: str, views: int = 60_000) -> DecisionTables:
    return decision_tables(shipped(), [rule], at=AT, settings=settings, views=views)


def table(rule: str, *settings: str, views: int = 60_000) -> DecisionTable:
    return shown(rule, *settings, views=views).tables[0]


def space(policy: PolicySet) -> Space:
    return Space.from_catalog(policy, at=["2026-11-20T00:00:00Z"])


@pytest.mark.parametrize("rule", ["LIC-02", "AIA-01"])
def test_a_call_has_the_findings_of_the_rows_that_fit_and_no_others(rule: str) -> None:
    policy = shipped()
    whole, finder, chooser = space(policy), Finder(policy, FOUND), Random(7)
    names = {name for row in table(rule).rows for name in row.values}
    given = {
        name: sorted(
            {repr(v) for row in table(rule).rows for v in row.values.get(name, ())}
        )
        for name in names
    }
    effects = {row.effect for row in table(rule).rows}

    for _ in range(150):
        # What a rule cannot tell apart is one value in its rows.
        choice = {
            dim.path: chooser.choice(
                [i for i, v in enumerate(dim.values) if repr(v) in given[dim.name]]
                if dim.name in names
                else range(len(dim.values))
            )
            for dim in whole.dims
        }
        call = whole.call(choice)
        chosen = {d.name: d.values[choice[d.path]] for d in whole.dims}
        fitting = {
            row.effect
            for row in table(rule).rows
            if all(chosen[n] in vs for n, vs in row.values.items())
        }
        assert fitting == {
            e for e in effects if finder.found(call, rule=rule, effect=e)
        }


def test_a_row_says_in_words_what_has_to_be_and_what_would_help() -> None:
    denied = [row for row in table("LIC-02").rows if row.effect == "deny"]

    assert [dict(row.conditions) for row in denied] == [
        {
            "purpose": "known",
            "model": "claude-fable-5, claude-mythos-5",
            "purpose.kind": "fine_tune, train, distil",
            "purpose.competes": "yes",
        }
    ]
    assert denied[0].remedies == (
        "a model whose licence permits it, or the developer's express consent",
    )


def test_a_table_that_holds_nothing_is_proved_and_one_that_does_says_how_sure_it_is() -> (
    None
):
    whole, held = table("PROC-01"), table("PROC-01", views=1)

    assert (whole.tier, whole.too_much, whole.drawn) == ("PROVED", (), 0)
    assert held.tier == "SAMPLED"
    assert held.too_much
    assert held.drawn == 100
    assert set(held.too_much) <= set(held.held)
    assert held.differing > 0


def test_what_is_set_is_in_every_call_and_in_no_row() -> None:
    setting = "deployment=glm-5.2@api.scaleway.ai"

    assert table("LIC-02", setting).rows == ()
    # That nothing is found holds of these calls, and is not said of others.
    text = markdown_of(document_of(shown("LIC-02", setting)))
    assert "It finds nothing in these calls, and perhaps in others" in text
    assert "whatever the call is" not in text


def test_countries_are_named_by_the_groups_that_a_rule_speaks_of() -> None:
    said = {
        words
        for row in table("BLK-02").rows
        for fact, words in row.conditions.items()
        if fact == "exporter.establishment"
    }

    assert said <= {"the EEA", "unknown, the EEA"}


def test_each_name_is_of_a_fact_and_what_nobody_named_is_called_as_rules_call_it() -> (
    None
):
    facts = {dim.name for dim in Space.from_catalog(shipped()).dims}

    assert NAMES.keys() <= facts
    assert len(set(NAMES.values())) > len(NAMES) - 5
    assert name_of("tenant.licences.id") == "tenant.licences.id"


@pytest.mark.parametrize(
    ("rules", "settings", "says"),
    [
        (["EAR-99"], (), "there is no rule `EAR-99`"),
        (["LIC-02"], ("nope=1",), "there is no fact `nope`"),
        (["LIC-02"], ("data.classes=pii,health",), "is no one value"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    rules: list[str], settings: tuple[str, ...], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        decision_tables(shipped(), rules, at=AT, settings=settings)


def test_a_document_is_the_same_each_time_and_its_markdown_says_all_rows() -> None:
    one = document_of(shown("LIC-02"))
    other = document_of(decision_tables(shipped(), ["LIC-02"], at=AT))

    assert one == other
    text = markdown_of(one)
    groups = list(groups_of(one["tables"][0]))
    assert [group.effect for group in groups] == [
        "deny",
        "require_approval",
        "indeterminate",
    ]
    assert all(f"### {group.words}" in text for group in groups)
    assert "proved for 720 calls" in text


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_picture_says_the_same_and_is_the_same_each_time(
    kind: str, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="the extra `pictures` is not installed")
    from policyguard.testing.table_pictures import draw_tables

    paths = [tmp_path / f"{number}.{kind}" for number in range(2)]

    for path in paths:
        draw_tables(document_of(shown("LIC-02")), path)

    assert paths[0].read_bytes() == paths[1].read_bytes()
    if kind == "svg":
        text = " ".join(ET.parse(paths[0]).getroot().itertext())
        assert "a person has to approve" in text
