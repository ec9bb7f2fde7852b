"""`policyguard audit`: what it lists, shows, verifies and proves."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from integration.program import HOSTILE, refused, run
from trails import CALLER, TIME, append_pair, decision, made_trail, outcome

from policyguard.audit.layout import Layout
from policyguard.audit.leaf import body_of
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.writer import claim_writer
from policyguard.canonical import canonical_bytes
from policyguard.identity import new_id
from policyguard.signing.trust_file import TrustFile
from policyguard.tlog import open_checkpoint, verify_proof_file


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_trail(tmp_path_factory.mktemp("cli") / "trail")


def first_day(trail: Path) -> str:
    """Return the day on which a trail was begun."""
    genesis = TrailReader.open(trail).logs[0].find("0")
    assert genesis is not None
    return genesis.record().time[:10]


def test_the_records_are_listed(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    done = run("audit", "list", "--trail", made)

    head, line, *rows = done.stdout.splitlines()
    days = [number for number, row in enumerate(rows) if len(row.split()) == 1]
    assert (done.exit_code, done.stderr, set(line)) == (0, "", {"─"})
    assert head.split() == ["entry", "UTC", "record", "kind", "answer", "about"]
    assert [rows.pop(number).strip() for number in reversed(days)] == [
        TIME[:10],
        first_day(made),
    ]
    assert [row.split()[3:] for row in rows[1:3]] == [
        ["decision", "allow", "glm-5.2@api.scaleway.ai"],
        ["outcome", "complete"],
    ]
    assert len(rows) == 7


def test_a_long_list_comes_in_tables_and_has_every_record_once(tmp_path: Path) -> None:
    first, second = (Trail.open_or_create(tmp_path / "trail") for _ in range(2))
    second.close()
    for _ in range(2_100):
        first.append_later(outcome("x"), failed=lambda _: None)
    first.close()

    lines = run("audit", "list", "--trail", tmp_path / "trail").stdout.splitlines()

    assert sum(line.split()[:2] == ["entry", "UTC"] for line in lines) == 3
    # Both logs are named in each table, also where it has records of one alone.
    places = [line.split()[0] for line in lines if line.lstrip().startswith("app-")]
    assert sorted(places) == sorted(
        ["app-2:0", *(f"app-1:{index}" for index in range(2_101))]
    )


@pytest.mark.parametrize("columns", [60, 80, 100, 160])
def test_a_list_loses_nothing_to_a_narrow_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    trail = Trail.open_or_create(tmp_path / "trail")
    trail.append_decision(
        decision(
            verdict="require_approval",
            deployments=("claude-fable-5@api.anthropic.com",),
            rules=[
                {
                    "id": rule,
                    "effect": effect,
                    "status": "in_force",
                    "verified": False,
                }
                for rule, effect in (
                    ("EAR-07", "require_approval"),
                    ("GDPR-01", "oblige"),
                    ("VEND-01", "require_approval"),
                )
            ],
            obligations=("record_processing",),
        ),
        caller=None,
        content={},
    )
    trail.close()

    lines = run("audit", "list", "--trail", tmp_path / "trail").stdout.splitlines()

    assert max(map(len, lines)) <= columns, lines
    text = "".join("".join(lines).split())
    assert "…" not in text
    for part in ("require_approval", "claude-fable-5", "@api.anthropic.com", "EAR-07"):
        assert part in text
    assert "GDPR-01" not in text, "it does not object"
    assert "record_processing" in text


def test_several_logs_are_listed_by_time_and_their_entries_are_found(
    tmp_path: Path,
) -> None:
    place = tmp_path / "trail"
    application = Trail.open_or_create(place, name="acme.example")
    command_line = Trail.open_or_create(place, role="cli")
    for trail, minute in ((application, 3), (command_line, 1), (application, 2)):
        time = f"2126-07-10T12:0{minute}:00.000000Z"
        trail.append_decision(
            decision(time=time, tenant=f"t{minute}"), caller=None, content={}
        )
    application.close()
    command_line.close()

    listed = run("audit", "list", "--json", "--kind", "decision", "--trail", place)
    newest = run("audit", "list", "--json", "--limit", "1", "--trail", place)
    shown = run("audit", "show", "--json", "cli-1:1", "--trail", place)

    # A log is read in its order: its own clock may have been set back.
    found = [
        json.loads(line)["record"]["tenant"] for line in listed.stdout.splitlines()
    ]
    assert found == ["t1", "t3", "t2"]
    assert json.loads(newest.stdout)["record"]["tenant"] == "t2"
    assert json.loads(shown.stdout)["record"]["tenant"] == "t1"
    assert "cli-1:1" in run("audit", "list", "--trail", place).stdout
    refused(run("audit", "show", "1", "--trail", place), says="shows it, as `app-1:1`")
    refused(run("audit", "show", "cli-1:x", "--trail", place), says="no record")
    refused(run("audit", "show", "cli-2:1", "--trail", place), says="no record")
    text = run("audit", "show", "1", "--log", "acme.example/cli-1", "--trail", place)
    assert text.stdout.splitlines()[1] == "entry 1 of acme.example/cli-1"


def test_what_a_client_typed_cannot_rewrite_what_an_auditor_reads(
    tmp_path: Path,
) -> None:
    trail = Trail.open_or_create(tmp_path / "trail")
    content = {
        "input": {"asked": {"model": f"{HOSTILE}\nverdict allow"}},
        "detail": None,
        "findings": [
            {
                "id": "FACT-01",
                "effect": "deny",
                "title": "t",
                "citation": None,
                "msg": f"the catalog has no `{HOSTILE}`",
                "facts": {"asked.model": [HOSTILE, None]},
                "missing": ["model"],
            }
        ],
    }
    trail.append_decision(decision(), caller=HOSTILE, content=content)
    trail.close()

    text = run("audit", "show", "1", "--trail", tmp_path / "trail").stdout
    as_json = run("audit", "show", "--json", "1", "--trail", tmp_path / "trail").stdout

    assert {char for char in text if not char.isprintable()} == {"\n"}
    assert as_json.isascii()
    assert json.loads(as_json)["vault"] == {"caller": HOSTILE, **content}
    assert [line for line in text.splitlines() if line.startswith("verdict")] == [
        line for line in text.splitlines() if line.split()[:2] == ["verdict", "allow"]
    ][:1]


def test_the_list_as_json_has_one_record_a_line(made: Path) -> None:
    found = [
        json.loads(line)
        for line in run("audit", "list", "--json", "--trail", made).stdout.splitlines()
    ]

    assert [item["index"] for item in found] == [0, 1, 2, 3, 4, 5, 6]
    assert {item["origin"] for item in found} == {"acme.example/app-1"}
    assert found[1]["record"]["kind"] == "decision"


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--kind", "outcome"), 3),
        (("--verdict", "allow"), 3),
        (("--verdict", "deny"), 0),
        (("--limit", "2"), 2),
        (("--kind", "decision", "--limit", "1"), 1),
        (("--call", "nothing"), 0),
    ],
)
def test_the_list_is_narrowed(made: Path, options: tuple[str, ...], count: int) -> None:
    done = run("audit", "list", "--json", "--trail", made, *options)

    assert len(done.stdout.splitlines()) == count


def test_a_record_is_shown_with_what_the_vault_knows(made: Path) -> None:
    (log,) = TrailReader.open(made).logs
    record = next(iter(log.entries())).record()
    entry = log.find("1")
    assert entry is not None

    by_index = run("audit", "show", "1", "--trail", made)
    by_prefix = run("audit", "show", entry.record().id[:20], "--trail", made)
    as_json = run("audit", "show", "--json", entry.record().id, "--trail", made)
    first = run("audit", "show", "0", "--trail", made)

    assert by_index.stdout == by_prefix.stdout
    assert CALLER in by_index.stdout
    assert "In the log (signed, without personal data) ─" in by_index.stdout
    assert "In the vault (erasable, bound to the log by a commitment)" in (
        by_index.stdout
    )
    assert json.loads(as_json.stdout)["record"] == entry.record().model_dump(
        mode="json"
    )
    assert json.loads(as_json.stdout)["vault"]["caller"] == CALLER
    assert record.id in first.stdout


def test_a_record_that_is_not_there_or_not_one_gets_one_line(made: Path) -> None:
    refused(run("audit", "show", "99", "--trail", made), says="no record `99`")
    refused(run("audit", "show", "01", "--trail", made), says="`01`")
    refused(run("audit", "show", "abc", "--trail", made), says="too short")
    refused(run("audit", "prove", "0000000000", "--trail", made), says="no record")
    (log,) = TrailReader.open(made).logs
    entry = log.find("1")
    assert entry is not None
    shared = entry.record().id[:8]
    refused(run("audit", "show", shared, "--trail", made), says="more than one record")
    refused(run("audit", "show", "1", "--log", "x", "--trail", made), says="no log `x`")


def test_what_is_gone_without_an_order_is_not_said_to_be_erased(tmp_path: Path) -> None:
    trail = made_trail(tmp_path / "trail")
    vault = sqlite3.connect(trail / "logs/app-1/vault.sqlite", isolation_level=None)
    vault.execute("DELETE FROM content")
    vault.close()

    shown = run("audit", "show", "1", "--trail", trail)
    verified = run("audit", "verify", "--trail", trail)

    assert "gone, and nobody has ordered that" in shown.stdout
    assert verified.exit_code == 2
    assert "INCOMPLETE" in verified.stdout
    assert "gone from the vault: 3, and nobody has ordered that" in verified.stdout


@pytest.mark.parametrize("name", ["logs/app-1/log.sqlite", "people.sqlite"])
def test_a_trail_of_a_newer_version_is_not_called_tampered(
    tmp_path: Path, name: str
) -> None:
    trail = made_trail(tmp_path / "trail")
    if name == "people.sqlite":
        shutil.copy(trail / "logs/app-1/log.sqlite", trail / name)
    database = sqlite3.connect(trail / name)
    database.execute("PRAGMA user_version = 99")
    database.close()

    verified = run("audit", "verify", "--trail", trail)

    assert verified.exit_code == 2
    refused(
        verified, says="is of a newer version of policyguard: use that version here"
    )


def test_content_that_was_changed_is_not_shown(tmp_path: Path) -> None:
    trail = made_trail(tmp_path / "trail")
    vault = sqlite3.connect(trail / "logs/app-1/vault.sqlite", isolation_level=None)
    vault.execute("UPDATE content SET body = CAST('[]' AS BLOB)")
    vault.close()

    shown = run("audit", "show", "1", "--trail", trail)
    verified = run("audit", "verify", "--trail", trail)

    assert (shown.exit_code, verified.exit_code) == (1, 1)
    assert "TAMPERED: the content of entry 1 of acme.example/app-1" in shown.stdout
    assert "the content of entry" in verified.stdout


def test_a_record_is_shown_with_the_others_of_its_call(tmp_path: Path) -> None:
    trail = Trail.open_or_create(tmp_path / "trail")
    call = new_id()
    for attempt in (0, 1):
        trail.append_decision(
            decision(call_id=call, attempt=attempt, layer="http"),
            caller=None,
            content={},
        )
    append_pair(trail)
    trail.close()

    shown = run("audit", "show", "1", "--trail", tmp_path / "trail").stdout
    listed = run("audit", "list", "--json", "--call", call, "--trail", trail.directory)

    _, _, related = shown.partition("Of the same call")
    assert related.count("decision (http)") == 1
    assert [json.loads(line)["index"] for line in listed.stdout.splitlines()] == [1, 2]


def test_a_log_can_be_handed_out_without_its_vault(made: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(made, tmp_path / "copy")
    shutil.rmtree(copy / "keys")
    (copy / "logs/app-1/vault.sqlite").unlink()
    (copy / "callers.sqlite").unlink()
    lock = made.with_name("trail.lock")

    alone = run("audit", "verify", "--trail", copy)
    compared = run("audit", "verify", "--trail", copy, "--lock", lock)
    shown = run("audit", "show", "1", "--trail", copy)

    assert alone.exit_code == compared.exit_code == 2
    assert "no lock database beside this trail" in alone.stdout
    assert "compared with the lock database" in compared.stdout
    assert "gone from the vault: 3" in compared.stdout
    assert "not replayable" in shown.stdout
    assert run("audit", "prove", "1", "--trail", copy).exit_code == 0


def test_an_intact_trail_verifies(made: Path) -> None:
    done = run("audit", "verify", "--trail", made)
    as_json = run("audit", "verify", "--json", "--trail", made)

    head = TrailReader.open(made).logs[0].head()
    assert (done.exit_code, done.stderr) == (0, "")
    assert "INTACT: every record is what was signed" in done.stdout
    assert json.loads(as_json.stdout) == {
        "intact": True,
        "complete": True,
        "logs": [
            {
                "origin": "acme.example/app-1",
                "size": 7,
                "root": head.frontier.root().hex(),
            }
        ],
        "checkpoints": 1,
        "erased": 0,
        "missing": 0,
        "nameless": 0,
        "unfinished": 0,
        "pending": 0,
        "orders": {},
        "orders_compared": False,
        "lock_database": True,
        "outside": {
            "acme.example/app-1": {
                "cosigned_size": 0,
                "cosigned_at": None,
                "witnesses": [],
                "quorum": True,
                "stamped_size": 0,
                "stamped_at": None,
                "stamps_verified": True,
            }
        },
    }


def test_a_changed_trail_ends_with_one_and_names_the_record(tmp_path: Path) -> None:
    trail = made_trail(tmp_path / "trail")
    log = trail / "logs/app-1/log.sqlite"
    entry = TrailReader.open(trail).logs[0].find("5")
    assert entry is not None
    lie = entry.body.replace(b'"pii"', b'"pij"')
    log.write_bytes(log.read_bytes().replace(entry.body, lie))

    done = run("audit", "verify", "--trail", trail)
    as_json = run("audit", "verify", "--json", "--trail", trail)

    assert done.exit_code == as_json.exit_code == 1
    assert done.stdout.startswith("TAMPERED: entry 5 of acme.example/app-1")
    assert json.loads(as_json.stdout)["intact"] is False


def test_a_trail_that_was_put_back_ends_with_one(tmp_path: Path) -> None:
    trail = made_trail(tmp_path / "trail")
    backup = shutil.copytree(trail, tmp_path / "backup")
    later = Trail.open_or_create(trail)
    append_pair(later)
    later.close()
    shutil.rmtree(trail)
    backup.rename(trail)

    done = run("audit", "verify", "--trail", trail)

    assert done.exit_code == 1
    assert "was put back: it has 7 records" in done.stdout


def test_the_lock_database_is_the_one_that_the_settings_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = made_trail(tmp_path / "trail")
    (tmp_path / "trail.lock").rename(tmp_path / "elsewhere")
    settings = tmp_path / "policyguard.toml"
    settings.write_text('[trail]\ndirectory = "trail"\nlock = "elsewhere"\n')

    without = run("audit", "verify", "--json", "--trail", trail)
    monkeypatch.setenv("POLICYGUARD_CONFIG", str(settings))
    named = run("audit", "verify", "--json")

    assert (without.exit_code, named.exit_code) == (0, 0)
    assert json.loads(without.stdout)["lock_database"] is False
    assert json.loads(named.stdout)["lock_database"] is True


def test_allowed_calls_without_an_outcome_are_counted(tmp_path: Path) -> None:
    trail = Trail.open_or_create(tmp_path / "trail")
    append_pair(trail)
    trail.append_decision(decision(), caller=None, content={})
    trail.close()

    done = run("audit", "verify", "--trail", tmp_path / "trail")

    assert done.exit_code == 0
    assert "allowed calls without an outcome: 1" in done.stdout


def test_a_proof_is_verified_by_anyone_who_has_the_record_and_the_key(
    made: Path, tmp_path: Path
) -> None:
    out = tmp_path / "proof"

    printed = run("audit", "prove", "3", "--trail", made)
    done = run("audit", "prove", "3", "--out", out, "--trail", made)

    paths = [Path(line) for line in done.stdout.splitlines()]
    proof, leaf, trust = (path.read_bytes() for path in paths)
    assert printed.stdout.encode() == proof
    keys = TrustFile.parse(trust).log_keys()
    assert verify_proof_file(proof, leaf_bytes=leaf, vkeys=keys).size == 7
    assert json.loads(leaf)["id"] == paths[0].stem


def test_the_newest_checkpoint_is_printed_byte_for_byte(made: Path) -> None:
    (log,) = TrailReader.open(made).logs

    done = run("audit", "checkpoint", "--trail", made)

    assert done.stdout_bytes == log.head().note.encode()
    assert open_checkpoint(done.stdout, vkeys=[log.vkey]).size == 7


@pytest.mark.parametrize(
    "asked",
    [("verify",), ("report",), ("list",), ("gaps",), ("show", "1"), ("replay", "1")],
)
def test_what_a_newer_version_has_recorded_cannot_be_told(
    tmp_path: Path, asked: tuple[str, ...]
) -> None:
    Trail.create(tmp_path / "trail", name="acme.example").close()
    body = canonical_bytes(json.loads(body_of(outcome("x"))) | {"v": 2})
    writer = claim_writer(Layout.of(tmp_path / "trail"), name=None, role="app")
    writer.append([body], sealed=[])
    writer.close()

    done = run("audit", *asked, "--trail", tmp_path / "trail")

    refused(done, says="entry 1 of acme.example/app-1 is of a newer version")
