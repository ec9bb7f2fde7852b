"""A process that dies, or a server that is away, in the middle of a call.

What the table of DESIGN's failures promises end to end: the decision stays and is listed
as a gap, the log is claimed again, and without a durable record nothing is called.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fleet import NAME, SECRET, database, needs_postgres
from guards import SUMMER, TICKETS, guard_in, settings
from integration.program import run
from services import Postgres

from policyguard import Guard, NoDecision
from policyguard.audit.reader import TrailReader
from policyguard.settings import SigningSettings, TrailSettings

TESTS = Path(__file__).parents[1]
CALL_FOREVER = """
import sys, time
from pathlib import Path
from guards import TICKETS, guard_in

guard = guard_in(Path(sys.argv[1])).bind(**TICKETS)

@guard.guarded(model="glm-5.2", host="api.scaleway.ai")
def ask(last: bool) -> None:
    if last:
        print("called", flush=True)
        time.sleep(60)

ask(last=False)
ask(last=True)
"""


def killed_in_a_call(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CALL_FOREVER, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    ) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "called\n"
        caller.send_signal(signal.SIGKILL)


def test_a_process_that_is_killed_in_a_call_leaves_a_decision_that_is_a_gap(
    tmp_path: Path,
) -> None:
    killed_in_a_call(tmp_path)
    trail = tmp_path / "trail"

    gaps = run("audit", "gaps", "--json", "--trail", trail)
    asked = run("audit", "query", "without-outcome", "--json", "--trail", trail)
    verified = run("audit", "verify", "--json", "--trail", trail)

    (gap,) = map(json.loads, gaps.stdout.splitlines())
    (row,) = json.loads(asked.stdout)["rows"]
    assert (gap["kind"], gap["verdict"]) == ("decision", "allow")
    assert gap["id"] in row
    assert verified.exit_code == 0
    assert json.loads(verified.stdout)["pending"] == 1


def test_the_next_process_writes_on_in_the_log_of_a_killed_one(tmp_path: Path) -> None:
    killed_in_a_call(tmp_path)
    (before,) = TrailReader.open(tmp_path / "trail").logs
    size = before.head().size

    with guard_in(tmp_path).bind(**TICKETS) as guard:
        guard.guarded(model="glm-5.2", host="api.scaleway.ai")(lambda: None)()

    (after,) = TrailReader.open(tmp_path / "trail").logs
    assert (after.origin, after.head().size > size) == (before.origin, True)
    assert run("audit", "verify", "--trail", tmp_path / "trail").exit_code == 0


def test_a_guard_whose_callers_were_lost_calls_nothing_until_they_are_back(
    tmp_path: Path,
) -> None:
    called: list[int] = []
    callers = tmp_path / "trail/callers.sqlite"

    def ask(number: int) -> None:
        with guard_in(tmp_path).bind(**TICKETS) as guard:

            @guard.guarded(model="glm-5.2", host="api.scaleway.ai")
            def call() -> None:
                called.append(number)

            call()

    ask(1)
    callers.rename(tmp_path / "aside")
    with pytest.raises(NoDecision, match=r"callers\.sqlite` is missing: restore it"):
        ask(2)
    before = run("audit", "verify", "--json", "--trail", tmp_path / "trail")
    (tmp_path / "aside").rename(callers)
    ask(3)

    assert called == [1, 3]
    assert (before.exit_code, json.loads(before.stdout)["nameless"]) == (2, 1)
    assert run("audit", "verify", "--trail", tmp_path / "trail").exit_code == 0


@needs_postgres("no server was away")
def test_while_its_server_is_away_a_guard_calls_nothing(
    cluster: Postgres, tmp_path: Path
) -> None:
    url = database(cluster, "guarded")
    run("audit", "prepare", url, "--name", NAME)
    (tmp_path / "passphrase").write_bytes(SECRET)
    (tmp_path / "passphrase").chmod(0o600)
    guard = Guard(
        settings=settings(tmp_path).model_copy(
            update={
                "trail": TrailSettings(url=url),
                "signing": SigningSettings(passphrase_file=tmp_path / "passphrase"),
            }
        ),
        clock=lambda: SUMMER,
    ).bind(**TICKETS)
    called: list[int] = []

    @guard.guarded(model="glm-5.2", host="api.scaleway.ai")
    def ask(number: int) -> None:
        called.append(number)

    ask(1)
    # Nobody waits for an outcome, and this one would be lost with the server.
    guard.core.trail.flush()

    cluster.kill()
    with pytest.raises(NoDecision, match=r"trail\.not_durable"):
        ask(2)
    cluster.start()
    ask(3)
    guard.close()

    assert called == [1, 3]
    verified = run("audit", "verify", "--json", "--trail", url)
    assert verified.exit_code == 0
    assert json.loads(verified.stdout)["pending"] == 0
