"""`audit erase` and `audit report`, with a guard that keeps prompts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from guards import FR, MESSAGES, SUMMER, TICKETS
from guards import settings as guard_settings
from integration.program import refused, run
from offline import Upstream
from trails import append_pair, decision

from policyguard import Guard
from policyguard.audit.trail import Trail
from policyguard.settings import load_settings
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.keyring import VerifierKey

ALICE = TICKETS["caller"]
EAR = {"id": "EAR-01", "effect": "advise", "status": "in_force", "verified": True}


@dataclass(frozen=True)
class Office:
    """Is a place with settings, a trail and the key of a privacy officer."""

    folder: Path

    @property
    def trail(self) -> Path:
        return self.folder / "trail"

    @property
    def key(self) -> Path:
        return self.folder / "privacy.pem"

    def erase(self, *arguments: object) -> Any:
        return run(
            "audit", "erase", *arguments, "--key", self.key, "--yes",
            "--trail", self.trail,
        )  # fmt: skip

    def verify(self) -> Any:
        return run("audit", "verify", "--trail", self.trail)

    def bytes(self) -> bytes:
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return b"\n".join(path.read_bytes() for path in files)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    signer = Ed25519Signer.generate(key_name="privacy@acme.example")
    signer.save(tmp_path / "privacy.pem")
    vkey = VerifierKey.of_signer(signer).format()
    file = tmp_path / "policyguard.toml"
    file.write_text(
        f"""
[trail]
directory = "trail"
name = "acme.example"
keep_prompts = true
erasers = ["{vkey}"]
[[trail.holds]]
name = "acme-v-smith"
until = 2099-01-01
tenants = ["litigant"]
"""
    )
    monkeypatch.setenv("POLICYGUARD_CONFIG", str(file))
    return Office(folder=tmp_path)


def called(office: Office, *people: str) -> str:
    """Make a guarded call about some people, and return its record's id."""
    trail = load_settings(office.folder / "policyguard.toml").trail
    settings = guard_settings(office.folder).model_copy(update={"trail": trail})
    upstream = Upstream()
    with Guard(settings=settings, clock=lambda: SUMMER) as guard:
        data = {**TICKETS["data"], "people": people}
        bound = guard.bind(**{**TICKETS, "data": data})
        bound.call(
            upstream.client(FR).chat.completions.create,
            model="glm-5.2",
            messages=MESSAGES,
        )
    listed = run("audit", "list", "--json", "--kind", "decision", "--limit", "1")
    return str(json.loads(listed.stdout)["record"]["id"])


def test_a_prompt_is_shown_to_whoever_has_the_keys(office: Office) -> None:
    record = called(office, "patient-17")

    shown = json.loads(run("audit", "show", record, "--json").stdout)
    seen = run("audit", "show", record).stdout

    assert json.loads(shown["vault"]["prompt"])["messages"] == MESSAGES
    assert "canary-prompt" in seen
    assert "people" not in shown["vault"]["input"]["data"]
    assert b"canary-prompt" not in office.bytes()
    assert b"patient-17" not in json.dumps(shown).encode()


def test_a_person_is_erased_by_order_of_a_key(office: Office) -> None:
    record = called(office, "patient-17")

    dry = run("audit", "erase", "--subject", "patient-17", "--dry-run")
    done = office.erase("--subject", "patient-17")
    shown = run("audit", "show", record)
    verified = office.verify()

    assert dry.exit_code == done.exit_code == verified.exit_code == 0
    assert "WOULD ERASE: 1 record, 1 person" in dry.stdout
    assert "ERASED: 1 record, 1 person" in done.stdout
    assert "the order is recorded at cli-1:1" in done.stdout
    assert b"patient-17" not in office.bytes()
    assert "erased: this record is not replayable\nby order " in shown.stdout
    assert "INTACT" in verified.stdout
    assert "erased by a signed order, not replayable: 1" in verified.stdout


def test_the_file_of_people_says_who_may_erase_and_whose_orders_count(
    office: Office,
) -> None:
    called(office, "patient-17")
    vkey = VerifierKey.of_signer(
        Ed25519Signer.load(office.key, key_name="privacy@acme.example")
    ).format()
    settings = office.folder / "policyguard.toml"
    text = settings.read_text()
    settings.write_text(
        text.replace(f'erasers = ["{vkey}"]', "") + '[authority]\npeople = "people"\n'
    )
    people = office.folder / "people"
    people.write_text(f"ex-eraser {vkey}\n")

    former = office.erase("--subject", "patient-17")
    people.write_text(f"eraser {vkey}\n")
    done = office.erase("--subject", "patient-17")
    verified = office.verify()
    people.write_text(f"ex-eraser {vkey}\n")
    later = office.verify()
    finished = run("audit", "erase", "--finish")
    people.write_text("")
    stranger = Ed25519Signer.generate(key_name="stranger")
    (office.folder / "others").write_text(
        f"eraser {VerifierKey.of_signer(stranger).format()}\n"
    )
    unknown = office.verify()
    compared = run("audit", "verify", "--people", office.folder / "others", "--json")

    assert (former.exit_code, "may not erase" in former.stderr) == (2, True)
    assert (done.exit_code, done.stderr) == (0, "")
    for said in (verified, later):
        assert said.exit_code == 0
        assert "erasures were ordered by privacy@acme.example, who may" in said.stdout
    assert (finished.exit_code, finished.stdout) == (
        0,
        "every order was carried out\n",
    )
    assert unknown.exit_code == 0
    assert "privacy@acme.example: say who may with --people" in unknown.stdout
    assert compared.exit_code == 1
    assert "may not erase" in json.loads(compared.stdout)["reason"]


def test_a_caller_is_erased_with_name_and_prompts(office: Office) -> None:
    called(office, "patient-17")

    done = office.erase("--caller", ALICE, "--json")

    report = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (report["done"], report["orders"]) == (True, ["cli-1:1"])
    assert [len(report[name]) for name in ("callers", "people", "kept")] == [1, 1, 0]
    assert ALICE.encode() not in office.bytes()
    assert office.verify().exit_code == 0


def test_what_has_to_be_kept_is_kept_and_said(office: Office) -> None:
    trail = Trail.create(office.trail, name="acme.example")
    for rules, tenant in (([EAR], "acme"), ([], "litigant"), ([], "acme")):
        fields = decision(rules=rules, tenant=tenant)
        trail.append_decision(fields, caller=ALICE, content={"input": 1})
    trail.close()

    done = office.erase("--caller", ALICE)
    again = office.erase("--caller", ALICE, "--json")

    assert (done.exit_code, again.exit_code) == (2, 2)
    assert "ERASED: 1 record" in done.stdout
    assert "KEPT: 2 records" in done.stdout
    assert "2031-07-10  EAR record, 5 years, 15 CFR 762.6" in done.stdout
    assert "2099-01-01  legal hold `acme-v-smith`" in done.stdout
    kept = json.loads(again.stdout)["kept"]
    assert [item["until"] for item in kept] == ["2031-07-10", "2099-01-01"]
    assert json.loads(again.stdout)["erased_before"] == 1


def test_the_report_has_verification_retention_and_erasures(office: Office) -> None:
    trail = Trail.create(office.trail, name="acme.example")
    trail.append_decision(decision(rules=[EAR]), caller=ALICE, content={"input": 1})
    append_pair(trail)
    append_pair(trail, caller="bob")
    trail.close()
    office.erase("--caller", "bob")

    shown = run("audit", "report")
    found = json.loads(run("audit", "report", "--json").stdout)

    assert shown.exit_code == 0
    for part in ("INTACT", "EAR record, 5 years", "2031-07-10", "@acme.example"):
        assert part in shown.stdout
    assert found["intact"] is True
    assert found["retention"] == {
        "with_content": 2,
        "may_be_erased": 1,
        "reasons": [
            {
                "why": "EAR record, 5 years, 15 CFR 762.6",
                "records": 1,
                "until": "2031-07-10",
            }
        ],
    }
    assert [(item["entry"], len(item["records"])) for item in found["erasures"]] == [
        ("cli-1:1", 1)
    ]


def test_a_report_of_a_changed_trail_says_so(office: Office) -> None:
    called(office)
    path = office.trail / "trust"
    path.write_text(path.read_text().replace("log ", "log x"))

    assert run("audit", "report").exit_code == 1
    assert json.loads(run("audit", "report", "--json").stdout)["intact"] is False


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--caller, --subject or --record"),
        (["--caller", "x"], "--key"),
        (
            ["--caller", ALICE, "--key", "stranger.pem", "--yes"],
            "`policyguard keys vkey stranger.pem NAME` prints into `erasers`",
        ),
        (["--caller", ALICE, "--key", "privacy.pem"], "--yes"),
        (["--caller", ALICE, "--key", "nothing.pem", "--yes"], "does not exist"),
    ],
)
def test_what_may_not_be_erased_gets_one_line(
    office: Office, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    called(office)
    monkeypatch.chdir(office.folder)
    Ed25519Signer.generate(key_name="x").save(office.folder / "stranger.pem")
    before = office.bytes()

    refused(run("audit", "erase", *arguments), says=says)

    assert office.bytes() == before


def test_a_key_may_be_encrypted(office: Office) -> None:
    called(office)
    plain = Ed25519Signer.load(office.key, key_name="x")
    office.key.unlink()
    plain.save(office.key, passphrase=b"correct horse")

    without = office.erase("--caller", ALICE)
    typed = run(
        "audit", "erase", "--caller", ALICE, "--key", office.key, "--yes",
        "--ask-passphrase", stdin="correct horse\n",
    )  # fmt: skip

    refused(without, says="encrypted")
    assert typed.exit_code == 0
    assert "ERASED: 1 record" in typed.stdout


def test_nothing_is_left_to_finish(office: Office) -> None:
    called(office)

    done = run("audit", "erase", "--finish")

    assert (done.exit_code, done.stdout) == (0, "every order was carried out\n")


def test_what_nobody_knows_is_said(office: Office) -> None:
    called(office)

    done = office.erase("--subject", "nobody")

    assert done.exit_code == 2
    assert "nothing to erase" in done.stdout
    assert "NOT KNOWN: nobody" in done.stdout
