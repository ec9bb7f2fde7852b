"""`policyguard policy impact`: what other policy would have done to recorded calls."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from guards import CN, FR, guard_in
from integration.program import run
from integration.test_cli_replay import changed, question
from trails import copied
from unit.bundle.test_additions import FILES, PATH, RULE

from policyguard.bundle.additions import tenant_digest
from policyguard.bundle.shipped import shipped_directory

ROOT = Path(__file__).parents[2]
OVERLAY = ROOT / "policyguard/demo/acme.yaml"
OWN = "https://llm.fra-1.acme.example/v1"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    with guard_in(folder) as guard:
        guard.check_many([question(guard, base) for base in (FR, CN, OWN, FR)])
    return folder / "trail"


@pytest.fixture
def trail(original: Path, tmp_path: Path) -> Path:
    return copied(original, tmp_path / "trail")


def asked(trail: Path, *arguments: object) -> tuple[int, dict[str, Any]]:
    done = run(
        "policy", "impact", *map(str, arguments), "--trail", str(trail), "--json"
    )
    return done.exit_code, json.loads(done.stdout)


def bundle_in(folder: Path, effect: str) -> Path:
    """Copy the shipped bundle, with another effect of the rules on the CN call."""
    made = folder / "bundle"
    shutil.copytree(shipped_directory(), made)
    for name in ("gdpr_01", "gdpr_04"):
        path = made / f"policyguard/rules/gdpr/{name}.rego"
        path.write_text(
            path.read_text("utf-8").replace(
                '"effect": "deny"', f'"effect": "{effect}"'
            ),
            "utf-8",
        )
    return made


def config(folder: Path, text: str) -> Path:
    path = folder / "policyguard.toml"
    path.write_text(text)
    return path


def test_the_policy_that_decided_flips_nothing(trail: Path) -> None:
    done = run("policy", "impact", "--trail", str(trail))

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("0 of 4 recorded calls would get another verdict")


def test_a_looser_bundle_flips_what_its_rules_denied(
    trail: Path, tmp_path: Path
) -> None:
    loose = bundle_in(tmp_path, "advise")

    code, document = asked(trail, "--bundle", loose)
    shown = run("policy", "impact", "--bundle", str(loose), "--trail", str(trail))

    assert code == 1
    assert (document["calls"], document["same"]) == (4, 3)
    assert document["by_verdict"] == {"deny → allow": 1}
    assert document["by_rule"] == {
        "GDPR-01": {"stricter": 0, "looser": 1},
        "GDPR-04": {"stricter": 0, "looser": 1},
    }
    assert document["by_model"] == {"glm-5.2": 1}
    assert document["by_tenant"] == {"acme": 1}
    (flip,) = document["flips"]
    assert (flip["place"], flip["before"], flip["after"]) == (
        "app-1:2",
        "deny",
        "allow",
    )
    assert shown.exit_code == 1
    assert "deny → allow by GDPR-01, GDPR-04" in shown.stdout


def test_rules_of_a_tenant_are_asked_with_the_bundle(
    trail: Path, tmp_path: Path
) -> None:
    rule = RULE.replace("kimi-k2", "glm-5.2").encode()
    for name, data in {**FILES, PATH: rule}.items():
        (tmp_path / "rules" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "rules" / name).write_bytes(data)
    trusted = tenant_digest({**FILES, PATH: rule})
    settings = f'[bundle]\ntenant = "rules"\ntenant_digest = "{trusted}"\n'

    code, document = asked(trail, "--config", config(tmp_path, settings))

    assert (code, document["by_rule"]) == (
        1,
        {"ACME-01": {"stricter": 3, "looser": 0}},
    )
    assert [flip["after"] for flip in document["flips"]] == ["deny"] * 3


def test_facts_are_taken_as_recorded_or_as_they_are_known_now(
    trail: Path, tmp_path: Path
) -> None:
    known = config(tmp_path, f'[catalog]\noverlays = ["{OVERLAY}"]\n')

    then = asked(trail, "--config", known)
    now = asked(trail, "--config", known, "--facts", "now")

    assert then[0] == 0
    assert then[1]["catalog"] is None
    (flip,) = now[1]["flips"]
    assert (now[0], flip["place"], flip["before"]) == (1, "app-1:3", "require_approval")
    assert flip["after"] == "allow"
    assert "FACT-02" in flip["rules"]


def test_what_cannot_be_asked_is_counted(trail: Path) -> None:
    changed(trail / "logs/app-1/vault.sqlite", "DELETE FROM content")

    code, document = asked(trail)

    assert (code, document["unanswered"]) == (
        2,
        {"its content is gone from the vault": 4},
    )


def test_a_catalog_that_is_gone_is_counted_unless_another_one_is_asked(
    trail: Path,
) -> None:
    shutil.rmtree(trail / "versions/catalog")

    assert asked(trail)[1]["unanswered"] == {"the catalog is not kept any more": 4}
    assert asked(trail, "--facts", "now")[0] == 0


@pytest.mark.parametrize(
    ("file", "statement"),
    [
        (
            "logs/app-1/vault.sqlite",
            "UPDATE content SET body = CAST(replace(body, 'DE', 'FR') AS BLOB)",
        ),
        ("logs/app-1/log.sqlite", "DELETE FROM entry WHERE idx = 4"),
    ],
)
def test_a_trail_that_was_changed_is_not_asked(
    trail: Path, file: str, statement: str
) -> None:
    changed(trail / file, statement)

    code, document = asked(trail)

    assert (code, document["intact"]) == (1, False)


def test_a_kept_catalog_that_was_changed_is_found(trail: Path) -> None:
    (path,) = (trail / "versions/catalog").iterdir()
    path.write_bytes(path.read_bytes().replace(b"glm-5.2", b"glm-5.3"))

    assert asked(trail)[1]["intact"] is False


def test_a_bundle_that_does_not_load_is_a_wrong_question(
    trail: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    done = run(
        "policy", "impact", "--bundle", str(tmp_path / "empty"), "--trail", str(trail)
    )

    assert (done.exit_code, done.stdout) == (2, "")
