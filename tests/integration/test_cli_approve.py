"""`policyguard approve` and `approvals`: who may, what is refused, what is remembered."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from approving import ALICE, BOB, MALLORY, line
from integration.loopback import recorded_in
from integration.program import CALL, DENIED, refused, run
from unit.bundle.test_additions import PATH, RULE

from policyguard.audit.verify import verify_trail
from policyguard.bundle.additions import tenant_digest
from policyguard.bundle.files import read_files
from policyguard.signing.key_file import create_key_file
from policyguard.tlog import leaf_hash

CALLER = "canary-alice@acme.example"


class Desk:
    """Is a folder with settings, keys and a decision that asks for approval."""

    def __init__(
        self,
        folder: Path,
        *,
        trail: str = 'directory = "trail"',
        passphrase: bytes | None = None,
    ) -> None:
        self.folder = folder
        self.config = folder / "policyguard.toml"
        settings = f'[trail]\n{trail}\n[authority]\npeople = "people"\n'
        if passphrase is not None:
            create_key_file(folder / "secret", data=passphrase)
            settings += '[signing]\npassphrase_file = "secret"\n'
        self.config.write_text(settings)
        self.write(line(BOB), line(ALICE))
        for signer in (BOB, ALICE, MALLORY):
            signer.save(folder / f"{signer.key_name}.pem")
        self.asked = self.ask()

    def write(self, *lines: str) -> None:
        (self.folder / "people").write_text("".join(lines))

    def ask(self, **changes: Any) -> str:
        """Check a call, and return the decision's id."""
        call = {
            **CALL,
            "at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
            "caller": {"id": CALLER},
            "route": [None],
            "context": {
                "dod_contract": False,
                "gsa_schedule": False,
                "state_body": "none",
            },
            "data": {
                "classes": ["none"],
                "itar": False,
                "ear": {"classification": "not_technology"},
            },
            "asked": {"model": "glm-5.2", "host": "llm.unknown.example"},
            **changes,
        }
        done = run(
            "check", "-", "--json", "--config", self.config, stdin=json.dumps(call)
        )
        self.answer = json.loads(done.stdout)
        return str(self.answer["id"])

    def approve(self, name: str | None = None, **options: str | None) -> Any:
        """Run the command as Bob does, with some options replaced or left out."""
        by = options.get("by") or BOB.key_name
        given = {
            "by": by,
            "key": str(self.folder / f"{by}.pem"),
            "reason": "read",
            "until": "7d",
            "config": str(self.config),
            **options,
        }
        words = [
            word
            for option, value in given.items()
            if value is not None
            for word in ((f"--{option}", value) if value else (f"--{option}",))
        ]
        return run("approve", name or self.asked, *words, "--yes")

    def listed(self, *more: str) -> list[dict[str, Any]]:
        done = run("approvals", "list", "--json", "--config", self.config, *more)
        return [json.loads(item) for item in done.stdout.splitlines()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_an_approval_is_shown_signed_recorded_and_lets_the_call_through(
    desk: Desk,
) -> None:
    done = desk.approve()

    assert (done.exit_code, done.stderr) == (0, "")
    for part in ("FACT-02", "llm.unknown.example", "bob@acme.example", "read"):
        assert part in done.stdout
    assert CALLER not in done.stdout
    desk.ask()
    assert desk.answer["verdict"] == "allow"
    records = recorded_in(desk.folder / "trail")
    (grant,) = [item for item in records if item["kind"] == "approval.grant"]
    assert (grant["rule"], grant["decision"]) == ("FACT-02", desk.asked)
    assert "bob" not in json.dumps(grant)
    verify_trail(desk.folder / "trail")


def test_a_decision_that_was_changed_in_the_trail_is_not_approved(desk: Desk) -> None:
    connection = sqlite3.connect(desk.folder / "trail/logs/cli-1/log.sqlite")
    (body,) = connection.execute("SELECT body FROM entry WHERE idx = 1").fetchone()
    lie = body.replace(b'"purpose":"inference"', b'"purpose":"fine_tune"')
    assert lie != body
    connection.execute(
        "UPDATE entry SET body = ?, leaf = ? WHERE idx = 1", (lie, leaf_hash(lie))
    )
    connection.commit()
    connection.close()

    refused(desk.approve(), says="is not what was signed")

    assert desk.listed() == []


def test_the_list_says_what_became_of_each(desk: Desk) -> None:
    desk.approve(uses="3")
    (item,) = desk.listed()
    name = item["approval"]["id"]

    taken_back = desk.approve(name, revoke="", until=None)

    assert (item["state"], item["used"], item["approval"]["uses"]) == ("holds", 0, 3)
    assert (taken_back.exit_code, desk.listed()) == (0, [])
    assert [entry["state"] for entry in desk.listed("--all")] == ["revoked"]
    desk.ask()
    assert desk.answer["verdict"] == "require_approval"
    kinds = [entry["kind"] for entry in recorded_in(desk.folder / "trail")]
    assert kinds.count("approval.revoke") == 1


def test_the_table_fits_eighty_columns(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    empty = run("approvals", "list", "--config", desk.config)
    desk.approve(reason="the operator's papers are filed " * 5)

    shown = run("approvals", "list", "--config", desk.config).stdout

    assert empty.stdout == "no approvals\n"
    assert "FACT-02" in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"by": CALLER}, "asked for this call: somebody else has to approve it"),
        ({"by": MALLORY.key_name}, "no known key has signed"),
        ({"until": None}, "an approval has an end"),
        ({"until": "soon"}, "is no end: write 7d"),
        ({"until": "2020-01-01"}, "is over or more than 366 days away"),
        ({"until": "400d"}, "is over or more than 366 days away"),
        ({"rule": "GDPR-01"}, "does not ask for approval here"),
        ({"finding": "2"}, "has no finding 2 here"),
        ({"key": "none.pem"}, "does not exist"),
    ],
)
def test_what_may_not_be_approved_is_one_line_and_leaves_nothing(
    desk: Desk, options: dict[str, str | None], says: str
) -> None:
    done = desk.approve(**options)

    assert done.exit_code == 2
    assert says in done.stderr
    assert desk.listed("--all") == []
    assert all(item["kind"] == "check" for item in recorded_in(desk.folder / "trail"))


def test_a_line_bounds_what_a_person_may_approve(desk: Desk) -> None:
    desk.write(line(BOB, "gdpr"))

    assert "may not approve `FACT-02`" in desk.approve().stderr


def test_a_denied_decision_cannot_be_approved(desk: Desk) -> None:
    denied = desk.ask(route=DENIED["route"], caller={"id": CALLER})

    assert "and nothing else" in desk.approve(denied).stderr


def test_a_call_of_nobody_cannot_be_approved(desk: Desk) -> None:
    anonymous = desk.ask(caller=None)

    assert "nobody has declared who asked" in desk.approve(anonymous).stderr


def test_several_rules_are_approved_one_by_one(desk: Desk) -> None:
    asked = desk.ask(purpose=None)
    both = desk.approve(asked)

    first = desk.approve(asked, rule="FACT-02")
    second = desk.approve(asked, rule="FACT-04")

    assert "name one with `--rule`: FACT-02, FACT-04" in both.stderr
    assert (first.exit_code, second.exit_code) == (0, 0)
    desk.ask(purpose=None)
    assert desk.answer["verdict"] == "allow"


def test_a_decision_of_another_policy_is_asked_again_first(desk: Desk) -> None:
    text = desk.config.read_text()
    rules = desk.folder / "rules/policyguard/tenant"
    rules.mkdir(parents=True)
    (desk.folder / "rules/.manifest").write_text(
        '{"revision": "1", "roots": ["policyguard/tenant"], "rego_version": 1}'
    )
    (desk.folder / "rules" / PATH).write_text(RULE)
    trusted = tenant_digest(read_files(desk.folder / "rules"))
    desk.config.write_text(
        f'{text}[bundle]\ntenant = "rules"\ntenant_digest = "{trusted}"\n'
    )

    assert "ask again, and approve the new decision" in desk.approve().stderr


def test_without_people_nobody_approves(desk: Desk) -> None:
    desk.config.write_text('[trail]\ndirectory = "trail"\n')

    done = desk.approve()

    assert done.exit_code == 2
    refused(done, says="nobody may approve anything")


def test_whoever_is_not_sure_signs_nothing(desk: Desk) -> None:
    done = run(
        *("approve", desk.asked, "--by", BOB.key_name, "--reason", "read"),
        *("--key", desk.folder / f"{BOB.key_name}.pem", "--until", "7d"),
        *("--config", desk.config),
        stdin="n\n",
    )

    assert "approved" not in done.stdout
    assert desk.listed("--all") == []
