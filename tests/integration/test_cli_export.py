"""`audit export`, `audit verify DIR` and `audit gaps`."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from integration.program import refused, run
from trails import CALLER, SECRET, append_pair, decision, made_trail, outcome

from policyguard.audit.export import tiles
from policyguard.audit.layout import Layout
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.writer import claim_writer
from policyguard.canonical import canonical_bytes
from policyguard.cli.export_formats import Events
from policyguard.cli.progress import ProgressBar


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    directory = made_trail(tmp_path / "trail")
    command = Trail.open(directory, role="cli")
    append_pair(command)
    command.close()
    return directory


def test_an_export_is_verified_with_trusted_keys_alone(
    trail: Path, tmp_path: Path
) -> None:
    keys = shutil.copy(trail / "trust", tmp_path / "keys")
    out = tmp_path / "out"

    done = run("audit", "export", out, "--trail", trail)
    shutil.rmtree(trail)
    verified = run("audit", "verify", out, "--trust", keys)
    as_json = run("audit", "verify", "--json", out, "--trust", keys)

    assert (done.exit_code, done.stderr) == (0, "")
    assert f"{out / 'app-1'}: 7 records, 7 of them new" in done.stdout
    assert f"{out / 'cli-1'}: 3 records, 3 of them new" in done.stdout
    assert verified.exit_code == as_json.exit_code == 0
    assert [log["size"] for log in json.loads(as_json.stdout)["logs"]] == [7, 3]


def test_a_second_export_adds_what_is_new(trail: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("audit", "export", out, "--trail", trail)
    writer = Trail.open(trail)
    append_pair(writer)
    writer.close()

    again = run("audit", "export", out, "--trail", trail)

    assert f"{out / 'app-1'}: 9 records, 2 of them new" in again.stdout
    verified = run("audit", "verify", out, "--trust", trail / "trust")
    assert verified.exit_code == 0


def test_nothing_personal_is_exported(trail: Path, tmp_path: Path) -> None:
    run("audit", "export", tmp_path / "out", "--trail", trail)

    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    data = b"".join(path.read_bytes() for path in files)
    assert CALLER.encode() not in data
    assert SECRET.encode() not in data
    assert b"PRIVATE" not in data


def test_a_changed_or_missing_export_is_found(trail: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("audit", "export", out, "--trail", trail)
    entries = out / "app-1/tile/entries/000.p/7"
    entries.write_bytes(entries.read_bytes().replace(b'"allow"', b'"denys"', 1))

    changed = run("audit", "verify", out, "--trust", trail / "trust")
    shutil.rmtree(out / "app-1")
    missing = run("audit", "verify", out, "--trust", trail / "trust")

    assert changed.exit_code == missing.exit_code == 1
    assert changed.stdout.startswith("TAMPERED: entry 1 of acme.example/app-1")
    assert "acme.example/app-1 is trusted and is not in the export" in missing.stdout


@pytest.mark.parametrize("form", ["tiles", "jsonl"])
def test_a_part_of_an_export_is_said_to_be_one(tmp_path: Path, form: str) -> None:
    made_trail(tmp_path / "trail")
    out, log = tmp_path / "out", tmp_path / "out/app-1"
    run("audit", "export", out, "--format", form, "--trail", tmp_path / "trail")
    verify = ("audit", "verify", "--trust", tmp_path / "trail/trust")

    one = run(*verify, log)
    shutil.rmtree(log / "tile") if form == "tiles" else (log / "records.jsonl").unlink()
    lost = run(*verify, out)
    (log / "checkpoint").unlink()
    (log / "tile").mkdir()
    headless = run(*verify, out)

    refused(one, says="is one exported log: give the directory that it is in")
    assert (lost.exit_code, lost.stderr) == (1, "")
    assert lost.stdout.startswith("TAMPERED: the records are missing from")
    refused(headless, says=f"the checkpoint is missing from `{log}`")


def test_an_export_tells_programs_nothing_of_what_is_not_in_it(
    trail: Path, tmp_path: Path
) -> None:
    writer = Trail.open(trail)
    writer.append_decision(decision(), caller=CALLER, content={})
    writer.close()
    run("audit", "export", tmp_path / "out", "--trail", trail)

    done = run(
        "audit", "verify", "--json", tmp_path / "out", "--trust", trail / "trust"
    )

    document = json.loads(done.stdout)
    names = ("erased", "missing", "nameless", "unfinished", "pending", "orders")
    assert [document[name] for name in names] == [None] * 6
    assert (document["intact"], document["lock_database"]) == (True, False)


def test_what_cannot_be_verified_gets_one_line(trail: Path, tmp_path: Path) -> None:
    run("audit", "export", tmp_path / "out", "--trail", trail)
    before = sorted(tmp_path.rglob("*"))

    refused(run("audit", "verify", tmp_path / "out"), says="--trust")
    refused(
        run("audit", "verify", trail, "--trust", trail / "trust"),
        says="there is no exported log and no proof",
    )
    refused(
        run("audit", "verify", tmp_path / "out", "--trust", "absent"),
        says="cannot read",
    )
    refused(
        run("audit", "export", trail / "trust", "--trail", trail), says="cannot create"
    )
    assert sorted(tmp_path.rglob("*")) == before


def test_calls_without_an_end_are_listed(tmp_path: Path) -> None:
    trail = Trail.create(tmp_path / "trail")
    append_pair(trail)
    cut = decision()
    trail.append_decision(cut, caller=None, content={})
    trail.append_decision(decision(verdict="deny"), caller=None, content={})
    trail.append_decision(decision(kind="check"), caller=None, content={})
    trail.close()

    listed = run("audit", "gaps", "--trail", tmp_path / "trail")
    as_json = run("audit", "gaps", "--json", "--trail", tmp_path / "trail")

    assert listed.exit_code == 0
    assert cut["id"][:18] in listed.stdout
    assert [json.loads(line)["id"] for line in as_json.stdout.splitlines()] == [
        cut["id"]
    ]


def test_an_end_that_another_clock_puts_before_its_call_ends_it(tmp_path: Path) -> None:
    first, second = (Trail.open_or_create(tmp_path / "trail") for _ in range(2))
    ended, cut = decision(), decision()
    for fields in (ended, cut):
        second.append_decision(fields, caller=None, content={})
    early = outcome(ended["id"]).model_copy(
        update={"time": "2026-07-10T11:59:59.000000Z"}
    )
    first.append(early)
    first.close()
    second.close()

    listed = run("audit", "gaps", "--json", "--trail", tmp_path / "trail")

    assert [json.loads(line)["id"] for line in listed.stdout.splitlines()] == [
        cut["id"]
    ]


def test_gaps_of_several_logs_say_in_which(trail: Path) -> None:
    for role in ("app", "cli"):
        writer = Trail.open(trail, role=role)
        writer.append_decision(decision(), caller=CALLER, content={})
        writer.close()

    done = run("audit", "gaps", "--trail", trail)

    for place in ("app-1:7", "cli-1:3"):
        assert place in done.stdout


def test_where_every_call_has_ended_there_are_no_gaps(trail: Path) -> None:
    assert run("audit", "gaps", "--trail", trail).stdout == "no gaps\n"


def test_lines_are_exported_and_verified(trail: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    done = run("audit", "export", out, "--format", "jsonl", "--trail", trail)
    verified = run("audit", "verify", out, "--trust", trail / "trust")
    tiles = run("audit", "export", out, "--trail", trail)
    file = out / "cli-1/records.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    changed = run("audit", "verify", out, "--trust", trail / "trust")

    assert (done.exit_code, verified.exit_code, changed.exit_code) == (0, 0, 1)
    assert f"{out / 'app-1'}: 7 records" in done.stdout
    assert changed.stdout.startswith("TAMPERED: ")
    refused(tiles, says="as lines")


def test_decisions_are_exported_as_events_of_opa(trail: Path, tmp_path: Path) -> None:
    asked = ("audit", "export", tmp_path / "out", "--format", "opa", "--trail", trail)

    done = run(*asked)
    events = [
        json.loads(line)
        for line in (tmp_path / "out/decisions.jsonl").read_text().splitlines()
    ]
    later = run(*asked, "--after", "app-1:3")

    assert [event["labels"]["entry"] for event in events] == ["1", "3", "5", "1"]
    assert "4 events; go on with --after app-1:6,cli-1:2" in done.stdout
    assert "2 events" in later.stdout
    assert CALLER not in str(events)


def test_a_later_export_of_events_has_what_is_new_of_every_log(
    trail: Path, tmp_path: Path
) -> None:
    asked = ("audit", "export", tmp_path / "out", "--format", "opa", "--trail", trail)
    after = json.loads(run(*asked, "--json").stdout)["after"]
    for role in ("app", "cli"):
        writer = Trail.open(trail, role=role)
        append_pair(writer)
        writer.close()
    first, second = Trail.open(trail), Trail.open(trail)
    append_pair(second)
    second.close()
    first.close()

    nothing = run(*asked, "--after", "app-1:8,app-2:2,cli-1:4", "--json")
    done = run(*asked, "--after", after, "--json")

    events = (tmp_path / "out/decisions.jsonl").read_text().splitlines()
    places = [json.loads(line)["labels"] for line in events]
    assert [(item["id"].rpartition("/")[2], item["entry"]) for item in places] == [
        ("app-1", "7"),
        ("app-2", "1"),
        ("cli-1", "3"),
    ]
    ends = "app-1:8,app-2:2,cli-1:4"
    assert json.loads(done.stdout) == json.loads(nothing.stdout) | {"events": 3}
    assert json.loads(nothing.stdout)["after"] == ends


def test_events_that_were_read_ahead_are_in_the_next_export(trail: Path) -> None:
    with ProgressBar() as bar:
        events = Events(
            logs=TrailReader.open(trail).logs, after="app-1:1", mask=(), bar=bar
        )
        taken = iter(events)
        cursors = []
        for count, _ in enumerate(taken):
            cursors.append(events.cursor(count) if count else None)
        whole = events.cursor(3)

    assert cursors == [None, "app-1:3", "app-1:5"]
    assert whole == "app-1:6,cli-1:2"


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("tiles", {"origin", "records", "new", "files"}),
        ("jsonl", {"where", "records"}),
        ("opa", {"where", "events", "after"}),
    ],
)
def test_an_export_tells_programs_what_it_did(
    trail: Path, tmp_path: Path, form: str, names: set[str]
) -> None:
    out = tmp_path / "out"

    done = run("audit", "export", out, "--format", form, "--json", "--trail", trail)

    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 0
    assert [item.keys() for item in said] == [names] * (1 if form == "opa" else 2)


def test_changed_content_is_not_exported(trail: Path, tmp_path: Path) -> None:
    vault = sqlite3.connect(trail / "logs/app-1/vault.sqlite", isolation_level=None)
    vault.execute("UPDATE content SET body = CAST('{}' AS BLOB)")
    vault.close()

    done = run("audit", "export", tmp_path / "out", "--format", "opa", "--trail", trail)

    assert done.exit_code == 1
    assert "TAMPERED" in done.stdout
    assert "was changed" in done.stdout
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give the directory"),
        (["--format", "opa"], "a directory, or a collector"),
        (
            ["out", "--format", "opa", "--to", "https://x/"],
            "a directory, or a collector",
        ),
        (["out", "--mask", "/input"], "for `--format opa`"),
        (["out", "--format", "opa", "--mask", "input"], "no pointer"),
        (["--format", "opa", "--to", "http://x.example/"], "not encrypted"),
        (
            ["--format", "opa", "--to", "https://x/", "--token-file", "no"],
            "cannot be read",
        ),
        (["out", "--format", "opa", "--after", "x"], "no cursor"),
        (["out", "--format", "opa", "--after", "app-1:7"], "behind the end of `app-1`"),
    ],
)
def test_what_cannot_be_exported_gets_one_line(
    trail: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], says: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)

    done = run("audit", "export", *arguments, "--trail", trail)

    refused(done, says=says)
    assert not (tmp_path / "out/decisions.jsonl").exists()


def test_an_export_is_pruned_after_its_time_alone(tmp_path: Path) -> None:
    trail = Trail.create(tmp_path / "trail", name="acme.example")
    for _ in range(600):
        trail.append_later(outcome("x"), failed=lambda _: None)
    trail.close()
    out = tmp_path / "out"
    asked = ("audit", "prune", out / "app-1", "--trail", tmp_path / "trail")
    run("audit", "export", out, "--trail", tmp_path / "trail")

    refused(run(*asked, "--below", "512"), says="six months")
    little = run(*asked, "--below", "300", "--json")

    assert json.loads(little.stdout) == {"minimum": 256, "bundles": 0}
    told = run(
        "audit", "verify", out, "--minimum", "256", "--trust", tmp_path / "trail/trust"
    )
    assert told.exit_code == 0
    assert "records below 256 may be missing" in told.stdout


def test_the_log_that_is_pruned_is_the_one_that_the_export_is_of(
    tmp_path: Path,
) -> None:
    place, out = tmp_path / "trail", tmp_path / "out"
    first = Trail.create(place, name="acme.example")
    # The first log is claimed: the second is the one that is written last.
    Trail.open(place).close()
    first.close()
    run("audit", "export", out, "--trail", place)

    done = [
        run("audit", "prune", out / slot, "--below", "0", "--trail", place)
        for slot in ("app-1", "app-2")
    ]

    assert [(item.exit_code, item.output) for item in done] == [
        (0, f"{out / slot}: 0 bundles removed; the minimum index is 0\n")
        for slot in ("app-1", "app-2")
    ]
    (out / "app-1/checkpoint").unlink()
    refused(
        run("audit", "prune", out / "app-1", "--below", "0", "--trail", place),
        says="no export",
    )


def test_an_export_that_was_pruned_is_verified_and_watched_from_its_minimum_on(
    tmp_path: Path,
) -> None:
    trail = Trail.create(tmp_path / "trail", name="acme.example")
    for _ in range(600):
        trail.append_later(outcome("x"), failed=lambda _: None)
    trail.close()
    out, trust = tmp_path / "out", tmp_path / "trail/trust"
    run("audit", "export", out, "--trail", tmp_path / "trail")
    (out / "app-1/tile/entries/001").unlink()

    for asked in (
        ("audit", "verify", out, "--trust", trust, "--json"),
        ("audit", "monitor", "--exported", out, "--trust", trust, "--json"),
    ):
        said = [
            json.loads(run(*asked, "--minimum", minimum).stdout)["intact"]
            for minimum in ("0", "511", "512")
        ]
        assert said == [False, False, True], asked


def test_an_export_that_goes_on_while_it_is_verified_is_no_tampering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, out = tmp_path / "trail", tmp_path / "out"
    made_trail(place, pairs=1)
    run("audit", "export", out, "--trail", place)
    read_edge = tiles.read_edge
    overtaken: list[int] = []

    def read_late(folder: Path, *, size: int) -> Any:
        if not overtaken:
            overtaken.append(size)
            trail = Trail.open(place)
            for _ in range(300):
                trail.append_later(outcome("x"), failed=lambda _: None)
            trail.close()
            run("audit", "export", out, "--trail", place)
            assert not (out / "app-1/tile/0/000.p").exists()
        return read_edge(folder, size=size)

    monkeypatch.setattr(tiles, "read_edge", read_late)

    done = run("audit", "verify", out, "--trust", place / "trust", "--json")

    assert overtaken == [3]
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["logs"][0]["size"] == 303


@pytest.mark.parametrize("form", ["tiles", "jsonl"])
def test_a_handover_of_a_newer_version_in_an_export_cannot_be_told(
    tmp_path: Path, form: str
) -> None:
    trail = Trail.create(tmp_path / "trail", name="acme.example")
    trail.rotate_key()
    trail.close()
    entry = TrailReader.open(tmp_path / "trail").logs[0].find("1")
    assert entry is not None
    writer = claim_writer(Layout.of(tmp_path / "trail"), name=None, role="app")
    writer.append([canonical_bytes(json.loads(entry.body) | {"v": 2})], sealed=[])
    writer.close()
    run(
        "audit",
        "export",
        tmp_path / "o",
        "--format",
        form,
        "--trail",
        tmp_path / "trail",
    )

    done = run("audit", "verify", tmp_path / "o", "--trust", tmp_path / "trail/trust")

    refused(done, says="entry 2 of acme.example/app-1 is of a newer version")
