"""`policyguard audit query`, and `audit verify` of the proofs that it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from integration.program import HOSTILE, refused, run
from trails import CALLER, made_trail

from policyguard.audit.query_canned import CANNED
from policyguard.audit.trail import Trail


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_trail(tmp_path_factory.mktemp("query") / "trail")


def test_without_a_name_the_questions_are_listed() -> None:
    done = run("audit", "query")
    listed = json.loads(run("audit", "query", "--json").stdout)

    assert (done.exit_code, done.stderr) == (0, "")
    assert all(name in done.stdout for name in CANNED)
    assert [item["name"] for item in listed] == list(CANNED)


def test_an_answer_is_shown_with_what_it_covers(made: Path) -> None:
    done = run("audit", "query", "top-models", "--trail", made)

    assert done.exit_code == 0
    assert "@api.scaleway.ai" in done.stdout
    assert "COMPLETE: 1 row, nothing left out" in done.stdout
    assert "acme.example/app-1: records 0 to 6 of 7" in done.stdout


def test_an_answer_in_json_has_rows_and_cover(made: Path) -> None:
    sql = "SELECT kind, count(*) AS n FROM records GROUP BY kind ORDER BY kind"

    done = run("audit", "query", "--json", "--sql", sql, "--trail", made)

    found = json.loads(done.stdout)
    assert found["columns"] == ["kind", "n"]
    assert found["rows"] == [["decision", 3], ["genesis", 1], ["outcome", 3]]
    assert (found["complete"], found["after"]) == (True, None)
    assert [item["size"] for item in found["covers"]] == [7]


def test_what_json_has_not_is_text(made: Path) -> None:
    done = run(
        "audit", "query", "--json", "--trail", made, "--sql",
        "SELECT x'00ff' AS a, 9e999 AS b, -9e999 AS c, 1.5 AS d, NULL AS e, 'x' AS f",
    )  # fmt: skip

    assert (done.exit_code, done.stderr) == (0, "")
    rows = json.loads(done.stdout, parse_constant=pytest.fail)["rows"]
    assert rows == [["00ff", "inf", "-inf", 1.5, None, "x"]]


def test_an_answer_that_was_cut_says_where_to_go_on(made: Path) -> None:
    sql = "SELECT log, entry FROM records ORDER BY log, entry"
    asked = ("audit", "query", "--sql", sql, "--limit", "5", "--trail", made)

    first = run(*asked)
    second = run(*asked, "--after", "app-1:4")

    assert (first.exit_code, second.exit_code) == (2, 0)
    assert "INCOMPLETE: 5 rows" in first.stdout
    assert "--after app-1:4" in first.stdout
    assert "records 5 to 6 of 7" in second.stdout


def test_the_proofs_of_an_answer_are_verified_without_the_trail(
    made: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    asked = run(
        "audit", "query", "about-caller", "--set", f"caller={CALLER}",
        "--proofs", out, "--trail", made,
    )  # fmt: skip
    verified = run("audit", "verify", out, "--trust", made / "trust")
    as_json = run("audit", "verify", out, "--json", "--trust", made / "trust")
    (out / next(path.name for path in out.glob("*.json"))).write_bytes(b"{}")
    changed = run("audit", "verify", out, "--trust", made / "trust")

    assert (asked.exit_code, verified.exit_code, changed.exit_code) == (0, 0, 1)
    assert "3 proofs in" in asked.stdout
    assert "INTACT: each of these records stands in its log" in verified.stdout
    assert [item["records"] for item in json.loads(as_json.stdout)["proofs"]] == [3]
    assert changed.stdout.startswith("TAMPERED: ")


def test_the_proof_of_one_record_is_verified_alike(made: Path, tmp_path: Path) -> None:
    run("audit", "prove", "1", "--out", tmp_path / "one", "--trail", made)

    done = run("audit", "verify", tmp_path / "one", "--trust", made / "trust")
    (proof,) = (tmp_path / "one").glob("*.tlog-proof")
    proof.unlink()
    alone = run("audit", "verify", tmp_path / "one", "--trust", made / "trust")

    assert done.exit_code == 0
    assert (alone.exit_code, alone.stderr) == (1, "")
    assert alone.stdout.startswith(f"TAMPERED: the proof `{proof.name}` is missing")


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("name", ["denies-by-rule", "without-outcome", "about-caller"])
def test_no_answer_is_wider_than_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int, name: str
) -> None:
    from trails import decision

    monkeypatch.setenv("COLUMNS", str(columns))
    place = tmp_path / "trail"
    trail = Trail.create(place, name="acme.example")
    rules = [
        {"id": rule, "effect": "deny", "status": "in_force", "verified": False}
        for rule in ("EAR-07", "GDPR-01")
    ]
    for verdict in ("allow", "deny"):
        fields = decision(
            verdict=verdict,
            deployments=("claude-fable-5@api.anthropic.com",),
            rules=rules,
        )
        trail.append_decision(fields, caller=CALLER, content={})
    trail.close()
    given = ("--set", f"caller={CALLER}") if name == "about-caller" else ()

    lines = run("audit", "query", name, *given, "--trail", place).stdout.splitlines()

    rows = lines[: next(n for n, line in enumerate(lines) if "COMPLETE" in line)]
    assert max(map(len, rows)) <= columns, rows
    if name != "denies-by-rule":
        assert "claude-fable-5" in "".join(rows)


def test_what_a_select_returns_cannot_move_the_cursor(made: Path) -> None:
    sql = f"SELECT '{HOSTILE}' AS x, x'00ff' AS y"

    done = run("audit", "query", "--sql", sql, "--trail", made)

    assert done.exit_code == 0
    assert not set("\x1b\x9b\u202e\x07") & set(done.stdout)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (["denies"], "no question"),
        (["--sql", "DROP VIEW decisions"], "cannot be run"),
        (["latency", "--set", "x"], "--set name=value"),
        (["latency", "--proofs", "x"], "`log` and `entry`"),
        (["latency", "--since", "noon"], "no instant"),
    ],
)
def test_what_cannot_be_asked_gets_one_line(
    made: Path, tmp_path: Path, asked: list[str], says: str
) -> None:
    done = run("audit", "query", *asked, "--trail", made)

    refused(done, says=says)
    assert list(tmp_path.iterdir()) == []
