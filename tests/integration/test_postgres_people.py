"""People and prompts in PostgreSQL: sealed, found by person, and gone when ordered."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fleet import KEYS, SECRET, as_user, database, needs_postgres, tamper, terminate
from guards import CN, FR, MESSAGES, SUMMER, TICKETS, settings
from integration.program import run
from integration.test_cli_replay import question
from offline import Upstream
from services import Postgres
from unit.audit.test_erasure import (
    ALICE,
    BOB,
    CAROL,
    ERASERS,
    PRIVACY,
    TODAY,
    append,
)

from policyguard import Guard
from policyguard.audit.erasure import erase, finish, unfinished
from policyguard.audit.erasure_plan import Plan, Wanted, plan_erasure
from policyguard.audit.people import DataKeys
from policyguard.audit.reader import TrailReader
from policyguard.audit.retention import Keeping
from policyguard.audit.stores import postgres_erasing
from policyguard.audit.stores.fleet import place_of
from policyguard.audit.stores.postgres_people import PostgresPeople
from policyguard.audit.stores.postgres_server import Server
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.errors import (
    ConfigurationError,
    NotDurableError,
    TamperedError,
    TrailError,
)
from policyguard.settings import SigningSettings, TrailSettings
from policyguard.signing.key_source import FileKeys
from policyguard.vocabulary.record import DecisionRecord

pytestmark = needs_postgres("no person and no prompt was kept in a database")


def secret() -> bytes:
    return SECRET


def opened(url: str, **given: Any) -> Trail:
    return Trail.open(url, keys=KEYS, **given)


def prompts_of(url: str, *records: str) -> list[bytes | None]:
    """Open prompts; the vault key is unlocked once, which takes its time."""
    reader = TrailReader.open(url, passphrase=secret)
    keys = DataKeys.of(reader.source)
    assert keys is not None
    found = []
    for record in records:
        (log,) = [log for log in reader.logs if log.find(record)]
        entry, sealed = log.find(record), log.source.prompt(record)
        assert entry is not None
        assert sealed is not None
        said = entry.record()
        assert isinstance(said, DecisionRecord)
        assert said.prompt is not None
        found.append(keys.open(sealed, leaf=entry.leaf, committed=said.prompt))
    return found


def planned(url: str, **wanted: tuple[str, ...]) -> Plan:
    return plan_erasure(
        TrailReader.open(url),
        Wanted(**{name: frozenset(ids) for name, ids in wanted.items()}),
        keeping=Keeping(),
        today=TODAY,
    )


def erased(url: str, **wanted: tuple[str, ...]) -> Plan:
    plan = planned(url, **wanted)
    trail = opened(url, role="cli")
    try:
        erase(
            plan,
            trail=trail,
            reader=TrailReader.open(url),
            signer=PRIVACY,
            erasers=ERASERS,
            reason="request",
        )
    finally:
        trail.close()
    return plan


def files_with(cluster: Postgres, *secrets: bytes) -> set[str]:
    """Return the folders of the server's data that have bytes in some file of theirs."""
    data = cluster.folder / "data"
    return {
        path.relative_to(data).parts[0]
        for path in data.rglob("*")
        if path.is_file() and any(map(path.read_bytes().__contains__, secrets))
    }


def flushed(owned: str) -> None:
    """Have the server write its tables to their files."""
    with psycopg.connect(owned, autocommit=True) as session:
        session.execute("CHECKPOINT")


def test_people_who_are_gone_are_counted_not_hidden(owned: str, url: str) -> None:
    trail = opened(url)
    append(trail, caller=ALICE, about=(BOB, CAROL))
    trail.close()
    before = verify_trail(as_user(owned, "auditor"))

    tamper(owned, "DELETE FROM policyguard.person")

    assert (before.nameless, verify_trail(url).nameless) == (0, 2)


def test_a_prompt_is_kept_sealed_and_opens_in_its_place(
    cluster: Postgres, owned: str, url: str
) -> None:
    trail = opened(url)
    one = append(trail, caller=ALICE, about=(BOB, CAROL), prompt=b"canary-sealed")
    nobody = append(trail, prompt=b"canary-of-nobody")
    trail.close()
    flushed(owned)

    assert prompts_of(url, one, nobody) == [b"canary-sealed", b"canary-of-nobody"]
    assert files_with(cluster, b"canary-sealed", b"canary-of-nobody") == set()
    assert verify_trail(url, passphrase=secret).missing == 0


@pytest.mark.parametrize("by", ["callers", "people"])
def test_what_was_erased_is_in_no_table_and_the_write_ahead_log_has_it_still(
    cluster: Postgres, owned: str, by: str
) -> None:
    canary = f"canary-{by}-fact"
    trail = opened(owned)
    one = append(
        trail, caller=ALICE, about=(BOB,), prompt=b"canary" * 50, secret=canary
    )
    append(trail, caller=ALICE, about=(BOB,), secret=canary)
    other = append(trail, caller=CAROL, secret="canary-stays")
    trail.close()
    sealed = TrailReader.open(owned).logs[0].source.prompt(one)
    assert sealed is not None
    flushed(owned)
    # In parts, since a page of the write-ahead log may end in the middle of it.
    parts = [sealed.body[at : at + 16] for at in range(0, 64, 16)]
    before = files_with(cluster, *parts)

    plan = erased(
        owned,
        **{by: {"callers": (ALICE,), "people": (BOB,)}[by]},
    )
    flushed(owned)

    assert (plan.count, before) == (2, {"base", "pg_wal"})
    assert files_with(cluster, canary.encode()) <= {"pg_wal"}
    assert files_with(cluster, *parts) == {"pg_wal"}, "said in NOT_REACHED"
    verified = verify_trail(owned, passphrase=secret)
    assert (verified.erased, verified.missing, verified.unfinished) == (2, 0, 0)
    left = TrailReader.open(owned)
    assert left.logs[0].source.kept() == {other}
    assert left.logs[0].source.prompt(one) is None
    assert {item.id for item in left.source.people()} == {
        "callers": {BOB},
        "people": {ALICE},
    }[by]


def test_one_of_two_people_is_enough_to_close_a_prompt_in_a_backup(
    cluster: Postgres, owned: str
) -> None:
    trail = opened(owned)
    both = append(trail, about=(ALICE, BOB), prompt=b"canary-both")
    one = append(trail, about=(BOB,), prompt=b"canary-one")
    trail.close()
    backup = database(cluster, like=owned)

    erased(owned, people=(ALICE,))

    assert prompts_of(owned, one) == [b"canary-one"]
    tamper(backup, f"DELETE FROM policyguard.person WHERE id = '{ALICE}'")
    assert prompts_of(backup, both, one) == [None, b"canary-one"]


def test_hosts_agree_on_the_vault_key_and_on_each_person(url: str) -> None:
    trails = [opened(url) for _ in range(3)]

    def write(trail: Trail) -> list[str]:
        return [append(trail, about=(ALICE, BOB), prompt=b"x") for _ in range(3)]

    with ThreadPoolExecutor(3) as pool:
        records = [record for made in pool.map(write, trails) for record in made]
    for trail in trails:
        trail.close()

    people = list(TrailReader.open(url).source.people())
    assert sorted(item.id for item in people) == [ALICE, BOB]
    assert set(prompts_of(url, *records)) == {b"x"}


def test_an_auditor_sees_whom_records_are_about_and_opens_no_prompt(
    owned: str, url: str
) -> None:
    trail = opened(url)
    record = append(trail, about=(ALICE,), prompt=b"canary-prompt")
    trail.close()
    auditor = as_user(owned, "auditor")
    reader = TrailReader.open(auditor, passphrase=secret)

    (person,) = reader.source.people()
    assert reader.logs[0].source.about({person.pseudonym}) == {record}
    assert DataKeys.of(reader.source) is None
    verify_trail(auditor, passphrase=secret)
    for statement in (
        "SELECT locked FROM policyguard.vault_key",
        "DELETE FROM policyguard.person",
        "UPDATE policyguard.prompt SET body = ''",
    ):
        with (
            psycopg.connect(auditor) as session,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            session.execute(statement)


def test_a_writer_takes_nothing_of_the_vault_away(url: str) -> None:
    for statement in (
        "DELETE FROM policyguard.person",
        "UPDATE policyguard.about SET person = 'x'",
        "DELETE FROM policyguard.prompt",
        "UPDATE policyguard.vault_key SET locked = ''",
    ):
        with (
            psycopg.connect(url) as session,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            session.execute(statement)


def test_without_the_fleets_passphrase_nobody_is_kept(url: str) -> None:
    opened(url).close()
    fleet = place_of(url, None)

    with pytest.raises(ConfigurationError, match="passphrase_file"):
        fleet.people(FileKeys())  # type: ignore[union-attr]
    PostgresPeople(Server(url=url), passphrase=SECRET).close()
    with pytest.raises(ConfigurationError, match="does not open with this passphrase"):
        PostgresPeople(Server(url=url), passphrase=b"another")


def test_without_its_vault_key_a_trail_keeps_no_prompt(owned: str, url: str) -> None:
    trail = opened(url)
    append(trail, about=(ALICE,), prompt=b"x")
    trail.close()
    tamper(owned, "DELETE FROM policyguard.vault_key")
    again = opened(url)

    with pytest.raises(NotDurableError, match="and no vault key"):
        append(again, about=(ALICE,), prompt=b"y")
    again.close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            f"UPDATE policyguard.person SET id = 'mallory' WHERE id = '{ALICE}'",
            "person",
        ),
        ("UPDATE policyguard.prompt SET body = overlay(body PLACING 'x' FROM 70)", "p"),
        (
            (
                "UPDATE policyguard.prompt p SET body = (SELECT body FROM"
                " policyguard.prompt o WHERE o.record <> p.record)"
            ),
            "prompt",
        ),
        ("UPDATE policyguard.content SET body = '{}'", "content"),
    ],
)
def test_what_was_changed_in_the_vault_is_found(
    owned: str, url: str, statement: str, said: str
) -> None:
    trail = opened(url)
    for prompt in (b"canary-one", b"canary-two"):
        append(trail, about=(ALICE,), prompt=prompt)
    trail.close()
    verify_trail(url, passphrase=secret)

    tamper(owned, statement)

    with pytest.raises(TamperedError, match=said):
        verify_trail(url, passphrase=secret)


def test_an_order_that_was_cut_off_is_reported_and_finished(
    owned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = opened(owned)
    append(trail, caller=ALICE, about=(BOB,), prompt=b"canary-prompt")
    trail.close()

    with monkeypatch.context() as broken:
        broken.setattr(postgres_erasing, "_OF_RECORDS", ("SELECT nothing(%s, %s)",))
        with pytest.raises(TrailError):
            erased(owned, callers=(ALICE,), people=(BOB,))
    cut = verify_trail(owned)
    done = finish(TrailReader.open(owned), erasers=ERASERS)

    assert (cut.erased, cut.missing, cut.unfinished) == (0, 0, 1)
    assert done is not None
    assert done.count == 1
    assert unfinished(TrailReader.open(owned)) is None
    after = verify_trail(owned)
    assert (after.erased, after.missing, after.unfinished) == (1, 0, 0)
    assert list(TrailReader.open(owned).source.people()) == []


def test_people_outlive_the_end_of_a_session(owned: str, url: str) -> None:
    trail = opened(url)
    append(trail, about=(ALICE,), prompt=b"x")
    terminate(owned)

    record = append(trail, about=(ALICE, BOB), prompt=b"y")
    trail.close()

    assert prompts_of(url, record) == [b"y"]
    assert len(list(TrailReader.open(url).source.people())) == 2
    verify_trail(url, passphrase=secret)


def guarded(owned: str, folder: Path) -> Guard:
    path = folder / "passphrase"
    path.write_bytes(SECRET)
    path.chmod(0o600)
    known = settings(folder).model_copy(
        update={
            "trail": TrailSettings(url=owned, keep_prompts=True),
            "signing": SigningSettings(passphrase_file=path),
        }
    )
    return Guard(settings=known, clock=lambda: SUMMER)


def test_a_guard_keeps_what_was_sent_and_commands_show_and_erase_it(
    owned: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {**TICKETS["data"], "people": [BOB]}
    with guarded(owned, tmp_path) as guard:
        guard.bind(**{**TICKETS, "data": data}).call(
            Upstream().client(FR).chat.completions.create,
            model="glm-5.2",
            messages=MESSAGES,
        )
    monkeypatch.setenv("POLICYGUARD_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    config = tmp_path / "policyguard.toml"
    config.write_text(
        f'[trail]\nurl = "{owned}"\nerasers = ["{ERASERS[0].format()}"]\n'
    )
    monkeypatch.setenv("POLICYGUARD_CONFIG", str(config))
    PRIVACY.save(tmp_path / "privacy.pem")

    shown = run("audit", "show", "app-1:1", "--json")
    done = run(
        "audit", "erase", "--subject", BOB, "--key", tmp_path / "privacy.pem", "--yes"
    )
    after = run("audit", "show", "app-1:1", "--json")

    assert "canary-prompt" in json.loads(shown.stdout)["vault"]["prompt"]
    assert (done.exit_code, done.stderr) == (0, "")
    assert "1 person" in done.stdout
    assert "not reached: the server's write-ahead log" in done.stdout
    assert json.loads(after.stdout)["vault"] is None


def test_decisions_in_a_database_are_replayed_and_asked_anew(
    owned: str, tmp_path: Path
) -> None:
    with guarded(owned, tmp_path) as guard:
        decisions = [guard.check(question(guard, base)) for base in (FR, CN)]
    auditor = as_user(owned, "auditor")

    replayed = run("audit", "replay", "--all", "--trail", auditor)
    impact = run("policy", "impact", "--trail", auditor)
    tamper(
        owned,
        f"UPDATE policyguard.content SET salt = body WHERE record = '{decisions[1].id}'",
    )
    changed = run("audit", "replay", decisions[1].id, "--trail", auditor)
    erased(owned, records=(decisions[0].id,))
    gone = run("audit", "replay", decisions[0].id, "--trail", auditor)

    assert (replayed.exit_code, replayed.stderr, replayed.stdout) == (
        0,
        "",
        "2 of 2 decisions come out as recorded\n",
    )
    assert (impact.exit_code, impact.stderr) == (0, "")
    assert impact.stdout.startswith("0 of 2 recorded calls would get another verdict")
    assert changed.exit_code == 1
    assert gone.exit_code == 2
