"""`policyguard audit anchor` and `monitor`, and what verification says of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from house.repository import DOCS, marked_blocks
from integration.program import COMMAND, refused, run, run_program
from outsiders import OPENSSL, Authority, answering, quorum_of, witness_for
from trails import append_pair, copied, made_trail

from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.settings import load_settings
from policyguard.signing.trust_file import TrustFile
from policyguard.tlog.quorum import verify_trusted_proof


@dataclass
class World:
    """Is a trail, its settings, a witness and an authority."""

    folder: Path
    authority: Authority

    @property
    def trail(self) -> Path:
        return self.folder / "trail"

    def grow(self) -> None:
        trail = Trail.open(self.trail)
        append_pair(trail)
        trail.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Authority]:
    if OPENSSL is None:
        pytest.skip("nothing was stamped: there is no `openssl`")
    pytest.importorskip("rfc3161_client", reason="no extra `timestamp`: no stamps")
    folder = tmp_path_factory.mktemp("world")
    return made_trail(folder / "trail"), Authority.made(folder / "tsa")


@pytest.fixture
def world(
    made: tuple[Path, Authority], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    trail = copied(made[0], tmp_path / "trail")
    (tmp_path / "sink").mkdir()
    with (
        witness_for(trail, tmp_path / "witness.json") as (_, known),
        made[1].answers() as url,
    ):
        (tmp_path / "witnesses").write_text(quorum_of(known).format())
        settings = tmp_path / "policyguard.toml"
        settings.write_text(
            f"""
            [trail]
            directory = "trail"
            [outside]
            witnesses = "witnesses"
            timestamp_url = "{url}"
            timestamp_roots = "{made[1].roots}"
            [[outside.sinks]]
            directory = "sink"
            """
        )
        monkeypatch.setenv("POLICYGUARD_CONFIG", str(settings))
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        yield World(folder=tmp_path, authority=made[1])


def words(text: str) -> str:
    return " ".join(text.split())


def test_anchoring_makes_an_incomplete_trail_whole(world: World) -> None:
    before = run("audit", "verify")
    anchored = run("audit", "anchor")
    after = run("audit", "verify")

    assert (before.exit_code, anchored.exit_code, after.exit_code) == (2, 0, 0)
    assert "INCOMPLETE" in before.stdout
    assert "nobody outside has seen a checkpoint" in words(before.stdout)
    assert anchored.stdout.count("has it") == 3
    assert "INTACT" in after.stdout
    assert "7 by w1 at" in after.stdout
    assert "7 stamped at" in after.stdout
    assert "0 records since" in words(after.stdout)


def test_what_is_printed_can_be_read_by_programs(world: World) -> None:
    (anchored,) = json.loads(run("audit", "anchor", "--json").stdout)
    verified = json.loads(run("audit", "verify", "--json").stdout)
    watched = json.loads(run("audit", "monitor", "--json").stdout)

    assert {place["name"]: place["failure"] for place in anchored["places"]} == {
        "witness w1": None,
        "time stamp": None,
        f"directory {world.folder / 'sink'}": None,
    }
    outside = verified["outside"]["acme.example/app-1"]
    assert (outside["cosigned_size"], outside["stamped_size"], outside["quorum"]) == (
        7,
        7,
        True,
    )
    assert watched["logs"][0] == {
        "origin": "acme.example/app-1",
        "size": 7,
        "before": 0,
        "late": False,
        "outside": outside,
    }


def test_progress_of_anchoring_and_proving_is_on_standard_error_alone(
    world: World,
) -> None:
    run("audit", "anchor")
    world.grow()
    terminal = {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"}

    # The witness, which knows the first seven records, wants a proof of the other two.
    anchored = run_program("audit", "anchor", "--json", **terminal)
    proved = run_program("audit", "prove", "app-1:1", "--json", **terminal)
    quiet = run_program("audit", "prove", "app-1:1", "--json")

    for done in (anchored, proved):
        assert done.returncode == 0, done.stderr
        assert "acme.example/app-1" in done.stderr
        assert "100%" in done.stderr
    assert "\x1b" not in anchored.stdout + proved.stdout
    assert (quiet.stdout, quiet.stderr) == (proved.stdout, "")


def test_a_record_is_shown_with_the_times_at_which_others_saw_the_log(
    world: World,
) -> None:
    before = json.loads(run("audit", "show", "app-1:1", "--json").stdout)
    run("audit", "anchor")
    world.grow()
    run("audit", "anchor")

    old, new = (
        json.loads(run("audit", "show", place, "--json").stdout)["seen_by_others"]
        for place in ("app-1:1", "app-1:8")
    )
    shown = run("audit", "show", "app-1:8")

    assert before["seen_by_others"] == {"absent": None, "present": None}
    assert old["absent"] is None
    assert old["present"] <= new["absent"] <= new["present"]
    assert f"others saw the log without it at {new['absent'][:19]}Z" in shown.stdout
    assert f"others saw the log with it at {new['present'][:19]}Z" in shown.stdout


def test_a_proof_has_the_cosignatures_and_the_trust_file_its_witnesses(
    world: World,
) -> None:
    run("audit", "anchor")
    world.grow()

    done = run("audit", "prove", "app-1:2", "--out", world.folder / "out")

    assert done.exit_code == 0
    folder = world.folder / "out"
    (proof,) = folder.glob("*.tlog-proof")
    (record,) = folder.glob("*.json")
    trust = TrustFile.parse((folder / "trust").read_bytes())
    assert trust.quorum == "w1"
    assert (
        verify_trusted_proof(
            proof.read_bytes(), leaf_bytes=record.read_bytes(), trust=trust
        ).size
        == 7
    )
    verified = run("audit", "verify", folder, "--trust", folder / "trust")
    assert (verified.exit_code, "INTACT" in verified.stdout) == (0, True)


def test_proofs_of_a_query_fill_the_quorum(world: World) -> None:
    out = world.folder / "proofs"
    run("audit", "anchor")
    sql = "SELECT log, entry FROM records"

    asked = run("audit", "query", "--sql", sql, "--proofs", out)
    trust = world.folder / "trust"
    reader = TrailReader.open(world.trail)
    witnesses = (world.folder / "witnesses").read_text()
    trust.write_text(f"log {reader.logs[0].vkey.format()}\n{witnesses}")
    verified = run("audit", "verify", out, "--trust", trust)

    assert (asked.exit_code, verified.exit_code) == (0, 0), asked.output


def test_an_export_of_lines_is_held_to_the_quorum(world: World) -> None:
    out = world.folder / "out"
    trust = world.folder / "trust"
    reader = TrailReader.open(world.trail)
    witnesses = (world.folder / "witnesses").read_text()
    trust.write_text(f"log {reader.logs[0].vkey.format()}\n{witnesses}")
    run("audit", "export", out, "--format", "jsonl")
    before = run("audit", "verify", out, "--trust", trust, "--json")
    run("audit", "anchor")
    run("audit", "export", out, "--format", "jsonl")
    after = run("audit", "verify", out, "--trust", trust, "--json")
    kept = out / "app-1" / "outside" / "7.checkpoint"
    *lines, cosigned = kept.read_text().splitlines()
    forged = cosigned[:-9] + ("A" if cosigned[-9] != "A" else "B") + cosigned[-8:]
    kept.write_text("\n".join([*lines, forged]) + "\n")

    altered = run("audit", "verify", out, "--trust", trust, "--json")

    assert [item.exit_code for item in (before, after, altered)] == [2, 0, 1]
    outside = [
        json.loads(item.stdout)["outside"]["acme.example/app-1"]
        for item in (before, after)
    ]
    assert [(item["quorum"], item["cosigned_size"]) for item in outside] == [
        (False, 0),
        (True, 7),
    ]
    assert json.loads(altered.stdout)["intact"] is False


def test_a_trust_file_that_is_given_counts_and_not_what_the_settings_name(
    world: World,
) -> None:
    out, mine = world.folder / "out", world.folder / "mine"
    (log,) = TrailReader.open(world.trail).logs
    with witness_for(world.trail, world.folder / "other.json") as (_, other):
        asked = {"none": "", "another": quorum_of(other).format()}

    def lacking(witnesses: str) -> list[bool]:
        mine.write_text(f"log {log.vkey.format()}\n{witnesses}")
        done = [
            run(*command, "--trust", mine, "--json")
            for command in (
                ("audit", "verify"),
                ("audit", "verify", out),
                ("audit", "monitor", "--max-age", "1d"),
                ("audit", "monitor", "--max-age", "1d", "--exported", out),
            )
        ]
        documents = [json.loads(item.stdout) for item in done]
        found = [
            *(item["outside"]["acme.example/app-1"] for item in documents[:2]),
            *(item["logs"][0]["outside"] for item in documents[2:]),
        ]
        return [not item["quorum"] for item in found]

    run("audit", "export", out)
    before = lacking(asked["none"])
    run("audit", "anchor")
    run("audit", "export", out)
    after = lacking(asked["another"])

    # The settings ask for the quorum of one that has cosigned nothing at first.
    assert (before, after) == ([False] * 4, [True] * 4)


def test_an_export_takes_cosignatures_and_stamps_along(world: World) -> None:
    out = world.folder / "out"
    trust = out / "trust"
    run("audit", "export", out)
    before = run("audit", "verify", out, "--trust", trust)
    run("audit", "anchor")
    run("audit", "export", out)
    after = run("audit", "verify", out, "--trust", trust)

    assert (before.exit_code, after.exit_code) == (2, 0), after.output
    note = (out / "app-1/checkpoint").read_text()
    assert "witness.example/w1" in note
    assert {path.name for path in (out / "app-1/outside").iterdir()} == {
        "7.checkpoint",
        "7.tsr",
    }
    world.grow()
    run("audit", "export", out)
    assert run("audit", "verify", out, "--trust", trust).exit_code == 0


def test_a_kept_checkpoint_that_an_export_contradicts_is_found(world: World) -> None:
    out = world.folder / "out"
    run("audit", "anchor")
    world.grow()
    run("audit", "anchor")
    run("audit", "export", out)
    (out / "app-1/outside/7.checkpoint").write_text(
        (out / "app-1/outside/9.checkpoint").read_text()
    )

    done = run("audit", "verify", out, "--trust", out / "trust")

    assert (done.exit_code, "TAMPERED" in done.stdout) == (1, True)


def test_a_trail_that_was_put_back_is_refused_by_witness_and_monitor(
    world: World,
) -> None:
    old = copied(world.trail, world.folder / "old")
    world.grow()
    run("audit", "anchor")
    run("audit", "monitor", "--state", world.folder / "watch.json")

    local = run("audit", "verify", "--trail", old)
    anchored = run("audit", "anchor", "--trail", old)
    watched = run(
        "audit", "monitor", "--trail", old, "--state", world.folder / "watch.json"
    )

    # Nothing of its own files betrays it: it lacks what others have said, no more.
    assert (local.exit_code, "TAMPERED" in local.stdout) == (2, False)
    assert (anchored.exit_code, watched.exit_code) == (1, 1)
    assert "the witness `w1` has seen 9" in words(anchored.stdout)
    assert "the monitor has seen 9" in words(watched.stdout)


def test_what_cannot_be_reached_is_said_and_the_rest_is_done(world: World) -> None:
    with answering(503) as url:
        settings = world.folder / "policyguard.toml"
        settings.write_text(
            settings.read_text() + f'[[outside.sinks]]\nurl = "{url}"\n'
        )
        done = run("audit", "anchor")

    assert done.exit_code == 2
    assert "status 503" in words(done.stdout)
    assert done.stdout.count("has it") == 3


def test_a_monitor_warns_when_nobody_has_seen_the_log(world: World) -> None:
    late = run("audit", "monitor")
    told = run("audit", "monitor", "--json")
    run("audit", "anchor")
    well = run("audit", "monitor")
    then = run("audit", "monitor", "--json")

    assert (late.exit_code, told.exit_code, well.exit_code) == (2, 2, 0)
    assert "nobody" in late.stdout
    assert "UNANCHORED: each log that was seen before continues that" in late.stdout
    assert "too few others have seen the newest records" in late.stdout
    assert "CONSISTENT: each log continues what was seen before" in well.stdout
    assert [json.loads(done.stdout)["complete"] for done in (told, then)] == [
        False,
        True,
    ]
    assert "kept in" in late.stdout
    assert len(list((world.folder / "state/policyguard/monitor").iterdir())) == 1


def test_a_monitor_watches_an_export_with_the_auditors_keys(world: World) -> None:
    out = world.folder / "out"
    run("audit", "anchor")
    run("audit", "export", out)
    state = world.folder / "watch.json"
    watch = ("audit", "monitor", "--exported", out, "--trust", out / "trust")

    first = run(*watch, "--state", state)
    (out / "app-1/checkpoint").unlink()
    gone = run(*watch, "--state", state)
    refused(run("audit", "monitor", "--exported", out), says="give the file of trusted")

    assert (first.exit_code, gone.exit_code) == (0, 1), first.output + gone.output


def test_a_monitor_looks_again_until_it_finds_tampering(world: World) -> None:
    old = copied(world.trail, world.folder / "old")
    world.grow()
    process = subprocess.Popen(
        [COMMAND, "audit", "monitor", "--every", "1s", "--json",
         "--state", world.folder / "watch.json"],
        stdout=subprocess.PIPE, text=True, env=os.environ,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        (world.trail / "logs").rename(world.folder / "aside")
        (old / "logs").rename(world.trail / "logs")
        last = ""
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            last = process.stdout.readline() or last
        code = process.wait(10)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        process.stdout.close()

    assert (first["intact"], first["logs"][0]["size"]) == (True, 9)
    assert (code, json.loads(last)["intact"]) == (1, False)


def test_nobody_to_ask_is_an_error_that_says_where_to_name_them(
    made: tuple[Path, Authority],
) -> None:
    done = run("audit", "anchor", "--trail", made[0])

    refused(done, says="under [outside]")
    assert not (made[0] / "logs/app-1/outside").exists()


@pytest.mark.parametrize("span", ["", "0s", "1.5h", "1w", "h", "-1h"])
def test_a_time_is_a_number_and_a_unit(made: tuple[Path, Authority], span: str) -> None:
    done = run("audit", "monitor", "--trail", made[0], "--every", span)

    assert done.exit_code == 2
    refused(done, says="is not a time such as")


GUIDE = marked_blocks(DOCS / "how-to/outside-memory.md")


def test_the_settings_of_the_guide_are_those_of_the_program(tmp_path: Path) -> None:
    file = tmp_path / "policyguard.toml"
    file.write_text(GUIDE["outside-keys"], "utf-8")

    outside = load_settings(file).outside

    assert outside.witnesses == Path("/etc/policyguard/witnesses")
    assert outside.timestamp_url == "https://tsa.example/tsr"
    assert [sink.directory or sink.command for sink in outside.sinks] == [
        Path("/srv/write-once/checkpoints"),
        ("/usr/local/bin/publish-checkpoint",),
    ]


def test_the_commands_of_the_guide_anchor_and_verify_without_our_code(
    world: World,
) -> None:
    anchored = in_shell(GUIDE["shell-anchor"], world.folder)
    (shelf,) = world.trail.glob("logs/*/outside")
    (shelf / "tsa.pem").write_bytes(world.authority.roots.read_bytes())
    stamped = in_shell(GUIDE["shell-openssl"], shelf)
    (shelf / "7.checkpoint").write_bytes(b"another\n8\ntext\n")
    changed = in_shell(GUIDE["shell-openssl"], shelf)

    assert (anchored.returncode, stamped.returncode) == (0, 0)
    assert anchored.stdout.splitlines()[0] == "acme.example/app-1, 7 records"
    assert "Verification: OK" in stamped.stdout + stamped.stderr
    assert changed.returncode != 0


def in_shell(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-eu", "-c", text],
        cwd=folder,
        env={**os.environ, "PATH": f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
