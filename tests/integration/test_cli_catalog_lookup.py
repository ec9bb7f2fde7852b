"""`policyguard catalog list` and `show`: what a newcomer asks before the first call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from integration.program import HOSTILE, refused, run

OVERLAY = f"""
version: ours
developers:
  acme:
    name: "Acme {HOSTILE.encode("unicode_escape").decode()}"
    country: DE
    source: a test
    as_of: 2026-11-01
models:
  acme-1:
    name: Acme One
    developer: acme
    source: a test
    as_of: 2026-11-01
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "ours.yaml").write_text(OVERLAY, "utf-8")
    path = tmp_path / "policyguard.toml"
    path.write_text('[catalog]\noverlays = ["ours.yaml"]\n')
    return path


def rows(text: str) -> list[list[str]]:
    lines = text.split("\n\n", maxsplit=1)[0].splitlines()
    return [line.split() for line in lines[2:]]


def test_models_are_listed_with_who_made_them_and_how_many_run_them(
    config: Path,
) -> None:
    done = run("catalog", "list", "--config", config)

    assert done.exit_code == 0
    assert rows(done.stdout)[0] == ["acme-1", "acme", "DE", "?", "0"]
    assert ["glm-5.2", "zhipu", "CN", "open", "5"] in rows(done.stdout)
    assert "10 models of catalog" in done.stdout


def test_deployments_are_listed_with_place_and_price() -> None:
    listed = rows(run("catalog", "list", "deployments").stdout)

    assert ["glm-5.2@api.scaleway.ai", "scaleway", "FR", "1.80", "5.50"] in listed
    assert ["kimi-k2@self-hosted", "tenant-self", "?", "?", "?"] in listed


@pytest.mark.parametrize(
    "section", ["models", "deployments", "developers", "operators", "weights", "lists"]
)
def test_each_section_is_listed_for_people_and_for_programs(section: str) -> None:
    listed = run("catalog", "list", section)
    document = json.loads(run("catalog", "list", section, "--json").stdout)

    assert listed.exit_code == 0
    assert f"{len(document)} {section} of catalog" in listed.stdout
    assert [key for key in document if key not in listed.stdout] == []
    assert all(entry["source"] for entry in document.values())


def test_all_of_a_model_is_shown_what_is_unknown_and_where_it_runs() -> None:
    text = " ".join(run("catalog", "show", "zai-org/GLM-5.2").stdout.split())

    assert "model glm-5.2" in text
    assert "developer zhipu" in text
    assert "systemic_risk unknown" in text
    assert "licence_terms none" in text
    assert "open.bigmodel.cn zhipu-bigmodel CN 1.40 4.40" in text
    assert "weights glm-5.2" not in text


def test_a_host_shows_the_names_it_answers_to() -> None:
    done = run("catalog", "show", "api.moonshot.ai")

    assert done.exit_code == 0
    assert "kimi-k2-0905-preview, kimi-k2-0711-preview" in done.stdout


def test_what_several_go_by_is_shown_of_each() -> None:
    found = json.loads(run("catalog", "show", "anthropic", "--json").stdout)

    assert [(item["kind"], item["id"], item["by"]) for item in found] == [
        ("developer", "anthropic", "id"),
        ("operator", "anthropic", "id"),
    ]


def test_what_is_not_there_is_said_with_what_may_be_meant() -> None:
    refused(run("catalog", "show", "kimi2"), says="did you mean `kimi-k2`?")
    refused(
        run("catalog", "show", "unlike anything"), says="see `policyguard catalog list`"
    )
    refused(run("catalog", "show", HOSTILE), says="nothing in the catalog is called")


def test_what_an_overlay_says_moves_nothing_on_a_terminal(config: Path) -> None:
    for arguments in (("show", "acme"), ("list", "developers")):
        text = run("catalog", *arguments, "--config", config).stdout
        assert "Acme x\N{REPLACEMENT CHARACTER}[2J" in text
        assert all(line.isprintable() for line in text.split("\n"))
