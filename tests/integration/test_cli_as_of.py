"""An old call with an old list gives the old answer, beside what is known now."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from integration.program import CALL, refused, run, written

from policyguard.assembly import catalog_of
from policyguard.audit.reader import TrailReader
from policyguard.catalog.importers.overlay import Imported, overlay_text
from policyguard.catalog.lists import Edition
from policyguard.catalog.schema import CatalogFile
from policyguard.settings import Settings

LIST = "bis-entity-list"
EARLIER, LATER = date(2026, 11, 20), date(2026, 11, 24)
CODE: dict[str, Any] = {
    **CALL,
    "at": "2026-11-25T12:00:00Z",
    "exporter": {"establishment": "US", "article_3": "none"},
    "data": {
        "classes": ["source_code"],
        "ear": {"classification": "EAR99", "us_origin": True},
        "itar": False,
    },
    "model": "glm-5.2",
    "route": ["glm-5.2@open.bigmodel.cn"],
    "asked": {"model": "glm-5.2", "host": "open.bigmodel.cn"},
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return settings with a list that named nobody in an earlier edition."""
    listed = catalog_of(Settings()).list_of(LIST)
    before = Edition(source="an edition of nobody", as_of=EARLIER)
    newer = listed.model_copy(
        update={"replaces": True, "as_of": LATER, "editions": (before,)}
    )
    overlay = Imported(
        file=CatalogFile(lists={LIST: newer}), source="test", sha256="0" * 64
    )
    (tmp_path / "own.yaml").write_text(overlay_text(overlay))
    file = tmp_path / "policyguard.toml"
    file.write_text(
        '[catalog]\noverlays = ["own.yaml"]\n[trail]\ndirectory = "trail"\n'
    )
    return file


def answers(config: Path, day: str) -> dict[str, Any]:
    call = written(config.parent, CODE)
    done = run("check", call, "--as-of", day, "--config", config, "--json")
    assert done.exit_code in (0, 1), done.stderr
    return dict(json.loads(done.stdout))


def test_what_was_not_known_then_did_not_object_then(config: Path) -> None:
    found = answers(config, "2026-11-21")

    assert "EAR-01" not in {item["id"] for item in found["then"]["findings"]}
    assert "EAR-01" in {item["id"] for item in found["now"]["findings"]}
    assert {"id": "EAR-01", "then": "nothing", "now": "deny"} in found["rules"]
    assert found["lists"] == [{"id": LIST, "then": "2026-11-20", "now": "2026-11-24"}]


def test_what_was_known_then_is_what_is_known_now(config: Path) -> None:
    found = answers(config, "2026-11-24")

    assert (found["rules"], found["lists"], found["not_known_yet"]) == ([], [], [])
    assert found["then"]["findings"] == found["now"]["findings"]


def test_a_list_that_was_not_known_yet_is_named(config: Path) -> None:
    found = answers(config, "2020-01-01")

    assert {"id": LIST, "oldest": "2026-11-20"} in found["not_known_yet"]
    shown = run(
        "check",
        written(config.parent, CODE),
        "--as-of",
        "2020-01-01",
        "--config",
        config,
    ).stdout
    assert "not known on 2020-01-01, so the oldest edition stands in:" in shown


def test_both_answers_are_shown_and_recorded_as_simulated(config: Path) -> None:
    call = written(config.parent, CODE)
    done = run("check", call, "--as-of", "2026-11-21", "--config", config)

    assert done.exit_code == 1
    heads = [line.split(" ─")[0] for line in done.stdout.splitlines() if " ─" in line]
    assert heads[:3] == ["as known on 2026-11-21", "as known now", "what differs"]
    records = [
        json.loads(entry.body)
        for log in TrailReader.open(config.parent / "trail").logs
        for entry in log.entries()
    ]
    checks = [item for item in records if item["kind"] == "check"]
    assert [item["simulated"] for item in checks] == [True, True]
    assert len({item["catalog"]["digest"] for item in checks}) == 2


def test_a_day_that_is_none_is_refused(config: Path) -> None:
    done = run("check", written(config.parent, CODE), "--as-of", "2026-13-01")

    assert done.exit_code == 2
    refused(done, says="2026-13-01")
