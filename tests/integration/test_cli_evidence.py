"""`--record`: results about policy, kept in the trail and read back like any record."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from guards import CN, FR, guard_in
from integration.program import refused, run
from integration.test_cli_impact import bundle_in
from integration.test_cli_policy_compare import OWN
from integration.test_cli_replay import VAULT, changed, question
from trails import copied
from unit.testing.own_policy import written

from policyguard.audit.verify import verify_trail
from policyguard.bundle.source import load_directory
from policyguard.cli.evidence import document_digest
from policyguard.version import __version__


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    with guard_in(folder) as guard:
        guard.check_many([question(guard, base) for base in (FR, CN)])
    return folder / "trail"


@pytest.fixture
def trail(original: Path, tmp_path: Path) -> Path:
    return copied(original, tmp_path / "trail")


def evidence(trail: Path) -> list[dict[str, Any]]:
    listed = run("audit", "list", "--kind", "evidence", "--json", "--trail", str(trail))
    return [json.loads(line)["record"] for line in listed.stdout.splitlines()]


def test_a_replay_is_recorded_with_the_digest_of_its_document(trail: Path) -> None:
    done = run("audit", "replay", "--all", "--json", "--record", "--trail", str(trail))

    (record,) = evidence(trail)
    text = json.dumps(
        json.loads(done.stdout),
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    assert done.exit_code == 0
    assert done.stderr.startswith(f"recorded as {record['id']}, entry ")
    assert record["document"] == sha256(text.encode()).hexdigest()
    assert (record["examined"], record["tier"], record["version"]) == (
        "replay",
        "checked",
        __version__,
    )
    assert record["counts"] == {
        "decisions": 2,
        "equal": 2,
        "different": 0,
        "unanswered": 0,
    }
    assert (record["bundle"], record["catalog"]) == (None, None)
    assert verify_trail(trail).missing == 0


def test_an_impact_names_the_bundle_that_was_asked(trail: Path, tmp_path: Path) -> None:
    loose = bundle_in(tmp_path, "advise")

    done = run(
        "policy", "impact", "--bundle", str(loose), "--facts", "now", "--record",
        "--trail", str(trail),
    )  # fmt: skip

    (record,) = evidence(trail)
    assert done.exit_code == 1
    assert record["bundle"]["digest"] == load_directory(loose).digest
    assert record["catalog"]["version"]
    assert record["counts"] == {"calls": 2, "flips": 1, "unanswered": 0}


def test_evidence_is_listed_and_shown_for_people(trail: Path) -> None:
    changed(trail / VAULT, "DELETE FROM content")
    done = run("audit", "replay", "--all", "--record", "--trail", str(trail))
    (record,) = evidence(trail)

    listed = run("audit", "list", "--trail", str(trail)).stdout
    shown = run("audit", "show", record["id"], "--trail", str(trail)).stdout

    assert done.exit_code == 2
    assert "2 unanswered" in listed
    assert record["document"] in shown.replace("\n", "").replace(" ", "")


def test_a_mutation_result_needs_a_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLICYGUARD_TRAIL", str(tmp_path / "trail"))
    written(tmp_path / "rules")

    refused(
        run("policy", "mutate", str(tmp_path / "rules"), "--record"),
        says="is no file of a bundle",
    )
    assert not (tmp_path / "trail").exists()


def own_rules(directory: Path, text: str = OWN) -> Path:
    directory.mkdir()
    (directory / "own.rego").write_text(text, "utf-8")
    return directory


def test_a_proof_is_recorded_with_tier_digests_and_the_digest_of_its_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLICYGUARD_TRAIL", str(tmp_path / "trail"))
    own = own_rules(tmp_path / "own")

    done = run(
        "policy", "prove", str(own), "--rule", "ACME-01", "--property", "reachable",
        "--crosschecks", "10", "--json", "--record",
    )  # fmt: skip

    (record,) = evidence(tmp_path / "trail")
    document = json.loads(done.stdout)
    assert done.exit_code == 0
    assert record["document"] == document_digest(document)
    assert (record["examined"], record["tier"], record["version"]) == (
        "proof",
        "proved",
        __version__,
    )
    assert record["bundle"]["digest"] == document["bundle"]
    assert record["catalog"]["digest"] == document["catalog"]
    assert record["counts"] == {"claims": 1, "crosschecks": 10, "proved": 1}
    assert verify_trail(tmp_path / "trail").missing == 0


def test_a_comparison_is_recorded_of_the_new_policy_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLICYGUARD_TRAIL", str(tmp_path / "trail"))
    old = own_rules(tmp_path / "old")
    new = own_rules(tmp_path / "new", OWN.replace(', "embed"', ""))

    done = run("policy", "compare", str(old), str(new), "--json", "--record")

    (record,) = evidence(tmp_path / "trail")
    document = json.loads(done.stdout)
    shown = run(
        "audit", "show", record["id"], "--trail", str(tmp_path / "trail")
    ).stdout
    assert done.exit_code == 1
    assert (record["examined"], record["tier"]) == ("comparison", "proved")
    assert record["bundle"]["digest"] == document["bundle"]["new"]
    assert record["counts"]["looser"] == 1
    assert record["counts"]["new_access"] == 1
    assert record["document"] in shown.replace("\n", "").replace(" ", "")


def test_a_trail_that_was_changed_gives_no_evidence(trail: Path) -> None:
    changed(
        trail / VAULT,
        "UPDATE content SET body = CAST(replace(body, 'DE', 'FR') AS BLOB)",
    )

    done = run("audit", "replay", "--all", "--record", "--trail", str(trail))

    assert (done.exit_code, evidence(trail)) == (1, [])


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert document_digest({"a": 1, "b": {"c": "é", "d": 0.5}}) == document_digest(
        {"b": {"d": 0.5, "c": "é"}, "a": 1}
    )
    assert document_digest({"a": 1}) != document_digest({"a": 2})
