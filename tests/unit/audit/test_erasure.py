"""Erasure: what was erased is in no byte of any file, and the trail still verifies."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from trails import append_pair, decision, entries

from policyguard.audit.erasure import erase, finish, orders_in, unfinished
from policyguard.audit.erasure_plan import Plan, Wanted, plan_erasure
from policyguard.audit.people import DataKeys
from policyguard.audit.reader import TrailReader
from policyguard.audit.retention import Keeping, LegalHold
from policyguard.audit.trail import Trail
from policyguard.audit.vault import Vault
from policyguard.audit.vault_reading import read_kept
from policyguard.audit.verify import verify_trail
from policyguard.errors import ConfigurationError, TamperedError, TrailError
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.keyring import VerifierKey
from policyguard.vocabulary.record import DecisionRecord

PRIVACY = Ed25519Signer.from_seed(b"p" * 32, key_name="privacy@acme.example")
STRANGER = Ed25519Signer.from_seed(b"s" * 32, key_name="stranger")
ERASERS = (VerifierKey.of_signer(PRIVACY),)
TODAY = date(2026, 11, 25)
ALICE, BOB, CAROL = "canary-alice@x", "canary-bob@x", "canary-carol@x"
EAR = {"id": "EAR-01", "effect": "advise", "status": "in_force", "verified": True}


def append(
    trail: Trail,
    *,
    caller: str | None = None,
    about: tuple[str, ...] = (),
    prompt: bytes | None = None,
    secret: str = "canary-fact",
    **changes: Any,
) -> str:
    fields = decision(**changes)
    content = {"input": {"data": secret}}
    trail.append_decision(
        fields, caller=caller, content=content, prompt=prompt, people=about
    )
    return str(fields["id"])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "trail"


def planned(
    place: Path,
    *,
    callers: tuple[str, ...] = (),
    people: tuple[str, ...] = (),
    records: tuple[str, ...] = (),
    keeping: Keeping | None = None,
    today: date = TODAY,
) -> Plan:
    wanted = Wanted(
        callers=frozenset(callers), people=frozenset(people), records=frozenset(records)
    )
    return plan_erasure(
        TrailReader.open(place), wanted, keeping=keeping or Keeping(), today=today
    )


def erased(place: Path, **wanted: Any) -> Plan:
    plan = planned(place, **wanted)
    order(plan, place)
    return plan


def order(
    plan: Plan,
    place: Path,
    *,
    signer: Ed25519Signer = PRIVACY,
    erasers: tuple[VerifierKey, ...] = ERASERS,
) -> None:
    trail = Trail.open(place, role="cli")
    try:
        erase(
            plan,
            trail=trail,
            reader=TrailReader.open(place),
            signer=signer,
            erasers=erasers,
            reason="request",
        )
    finally:
        trail.close()


def bytes_of(place: Path) -> bytes:
    """Return every byte of every file of the store, side files and all."""
    folders = (place, place.with_name("trail.lock"))
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return b"\n".join(path.read_bytes() for path in files)


def secrets_of(place: Path) -> set[bytes]:
    """Return salts, wrapped keys and sealed bytes of a trail."""
    found: set[bytes] = set()
    queries = {
        "people.sqlite": ("SELECT salt FROM person", "SELECT key FROM person"),
        "callers.sqlite": ("SELECT salt FROM caller",),
        "logs/app-1/vault.sqlite": (
            "SELECT salt FROM content",
            "SELECT substr(body, 1, 64) FROM prompt",
            "SELECT key FROM prompt WHERE key IS NOT NULL",
        ),
    }
    for name, statements in queries.items():
        if (place / name).exists():
            connection = sqlite3.connect(f"file:{place / name}?mode=ro", uri=True)
            for statement in statements:
                found |= {bytes(row[0]) for row in connection.execute(statement)}
            connection.close()
    return found


def prompt_of(place: Path, record: str) -> bytes | None:
    reader = TrailReader.open(place)
    log = next(log for log in reader.logs if log.find(record))
    entry = log.find(record)
    assert entry is not None
    said = entry.record()
    assert isinstance(said, DecisionRecord)
    assert said.prompt is not None
    sealed, keys = log.source.prompt(record), DataKeys.of(reader.source)
    assert sealed is not None
    assert keys is not None
    return keys.open(sealed, leaf=entry.leaf, committed=said.prompt)


def test_a_prompt_is_kept_sealed_and_opens_in_its_place(place: Path) -> None:
    with_people = Trail.create(place)
    one = append(with_people, caller=ALICE, about=(BOB, CAROL), prompt=b"canary-prompt")
    nobody = append(with_people, prompt=b"canary-nobody")
    with_people.close()

    assert prompt_of(place, one) == b"canary-prompt"
    assert prompt_of(place, nobody) == b"canary-nobody"
    assert b"canary-prompt" not in bytes_of(place)
    assert b"canary-nobody" not in bytes_of(place)
    assert verify_trail(place).erased == 0


@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize("by", ["callers", "people", "records"])
def test_what_was_erased_is_in_no_byte_of_any_file(
    place: Path, by: str, running: bool
) -> None:
    trail = Trail.create(place, name="acme.example")
    gone = append(
        trail, caller=ALICE, about=(BOB,), prompt=b"canary-prompt" * 50,
        secret="canary-secret" * 200,
    )  # fmt: skip
    unprompted = append(trail, caller=ALICE, about=(BOB,), secret="canary-other")
    before = secrets_of(place) if running else set()
    if not running:
        trail.close()
        before = secrets_of(place)
    kept_open = trail
    wanted = {
        "callers": (ALICE,),
        "people": (BOB,),
        "records": (gone, unprompted),
    }

    plan = erased(place, **{by: wanted[by]})

    data = bytes_of(place)
    assert plan.count == 2
    for secret in (b"canary-secret", b"canary-other", b"canary-prompt"):
        assert secret not in data
    names = {"callers": (ALICE,), "people": (BOB,), "records": ()}
    for name in names[by]:
        assert name.encode() not in data
    left = secrets_of(place)
    assert before - left
    for secret in before - left:
        assert secret not in data
    if running:
        append(kept_open, caller=ALICE, secret="canary-new")
        kept_open.close()
    verified = verify_trail(place)
    assert (verified.erased, verified.missing, verified.unfinished) == (2, 0, 0)


def test_one_of_two_people_is_enough_to_close_a_prompt(place: Path) -> None:
    trail = Trail.create(place)
    both = append(trail, about=(ALICE, BOB), prompt=b"canary-both")
    one = append(trail, about=(BOB,), prompt=b"canary-one")
    trail.close()
    copy = shutil.copytree(place, place.with_name("copy"))
    shutil.copytree(place.with_name("trail.lock"), place.with_name("copy.lock"))

    erased(place, people=(ALICE,))

    assert prompt_of(place, one) == b"canary-one"
    # A copy of the vault with the people as they are now: what a backup would be.
    shutil.copy(place / "people.sqlite", copy / "people.sqlite")
    assert prompt_of(copy, both) is None
    assert prompt_of(copy, one) == b"canary-one"


def test_the_order_has_ids_and_no_content(place: Path) -> None:
    trail = Trail.create(place, name="acme.example")
    record = append(trail, caller=ALICE, about=(BOB,))
    trail.close()

    erased(place, callers=(ALICE,), people=(BOB,))

    ((where, said),) = orders_in(TrailReader.open(place))
    assert (where, said.reason, said.records) == ("cli-1:1", "request", (record,))
    assert (said.by, said.trail) == (ERASERS[0].format(), "acme.example")
    assert len(said.callers) == len(said.people) == 1
    logged = b"".join(entry.body for entry in entries(place))
    assert ALICE.encode() not in logged
    assert BOB.encode() not in logged


def test_others_keep_what_is_theirs(place: Path) -> None:
    trail = Trail.create(place)
    append(trail, caller=ALICE, about=(CAROL,), prompt=b"canary-gone")
    kept = append(trail, caller=BOB, about=(CAROL,), prompt=b"canary-kept")
    trail.close()

    erased(place, callers=(ALICE,))

    assert prompt_of(place, kept) == b"canary-kept"
    assert TrailReader.open(place).pseudonym(BOB) is not None
    assert TrailReader.open(place).pseudonym(ALICE) is None


def test_an_erased_caller_who_asks_again_is_somebody_else(place: Path) -> None:
    trail = Trail.create(place)
    append(trail, caller=ALICE)
    erased(place, callers=(ALICE,))
    append(trail, caller=ALICE)
    trail.close()

    found = [
        record.caller
        for entry in entries(place)
        if isinstance(record := entry.record(), DecisionRecord)
    ]
    assert len(set(found)) == 2


@pytest.mark.parametrize(
    ("rule", "today", "until"),
    [
        ("EAR-01", date(2026, 11, 25), date(2031, 7, 10)),
        ("EAR-01", date(2031, 7, 9), date(2031, 7, 10)),
        ("EAR-01", date(2031, 7, 10), None),
        ("OFAC-02", date(2036, 7, 9), date(2036, 7, 10)),
        ("OFAC-02", date(2036, 7, 10), None),
        ("GDPR-01", date(2026, 11, 25), None),
    ],
)
def test_the_law_keeps_records_for_its_years(
    place: Path, rule: str, today: date, until: date | None
) -> None:
    trail = Trail.create(place)
    record = append(trail, caller=ALICE, rules=[{**EAR, "id": rule}])
    trail.close()

    plan = erased(place, callers=(ALICE,), today=today)

    assert [item.until for item in plan.kept] == ([until] if until else [])
    assert bool(read_kept(place / "logs/app-1/vault.sqlite")) is bool(until)
    assert (record in str(plan.kept)) is bool(until)


def test_who_has_a_record_that_is_kept_stays_known(place: Path) -> None:
    trail = Trail.create(place)
    held = append(trail, caller=ALICE, about=(BOB,), prompt=b"x", rules=[EAR])
    free = append(trail, caller=ALICE, about=(BOB,), prompt=b"y")
    trail.close()

    plan = erased(place, callers=(ALICE,), people=(BOB,))

    assert (plan.count, plan.callers, plan.people) == (1, (), ())
    assert len(plan.held_names) == 3, "a caller, the same one as a person, and Bob"
    assert [item.record for item in plan.kept] == [held]
    assert "15 CFR 762.6" in plan.kept[0].reasons[0].why
    assert prompt_of(place, held) == b"x"
    assert free not in read_kept(place / "logs/app-1/vault.sqlite")
    ((_, said),) = orders_in(TrailReader.open(place))
    assert said.kept == 1


@pytest.mark.parametrize(
    ("hold", "held"),
    [
        (LegalHold(name="all"), True),
        (LegalHold(name="over", until=TODAY), False),
        (LegalHold(name="on", until=date(2026, 11, 26)), True),
        (LegalHold(name="tenant", tenants=frozenset({"acme"})), True),
        (LegalHold(name="tenant", tenants=frozenset({"other"})), False),
        (LegalHold(name="rule", rules=frozenset({"GDPR"})), False),
        (
            LegalHold(
                name="two", tenants=frozenset({"acme"}), rules=frozenset({"GDPR"})
            ),
            False,
        ),
    ],
)
def test_a_legal_hold_keeps_what_fits_it(
    place: Path, hold: LegalHold, held: bool
) -> None:
    trail = Trail.create(place)
    append(trail, caller=ALICE)
    trail.close()

    plan = planned(place, callers=(ALICE,), keeping=Keeping(holds=(hold,)))

    assert bool(plan.kept) is held
    if held:
        assert plan.kept[0].reasons[0].why == f"legal hold `{hold.name}`"
        assert plan.kept[0].until == hold.until


def test_only_a_listed_key_erases(place: Path) -> None:
    trail = Trail.create(place)
    append(trail, caller=ALICE)
    trail.close()
    plan = planned(place, callers=(ALICE,))

    with pytest.raises(ConfigurationError, match="may not erase"):
        order(plan, place, signer=STRANGER)

    assert list(orders_in(TrailReader.open(place))) == []
    assert planned(place, callers=(ALICE,)) == plan


def test_a_trail_that_cannot_be_written_loses_nothing(place: Path) -> None:
    trail = Trail.create(place)
    append(trail, caller=ALICE)
    trail.close()
    plan = planned(place, callers=(ALICE,))
    (place.with_name("trail.lock")).rename(place.with_name("elsewhere"))

    with pytest.raises(TrailError):
        order(plan, place)

    assert len(read_kept(place / "logs/app-1/vault.sqlite")) == 1


def test_an_order_that_was_cut_off_is_reported_and_finished(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = Trail.create(place)
    append(trail, caller=ALICE, about=(BOB,), prompt=b"canary-prompt")
    trail.close()

    def crash(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(Vault, "erase", crash)
        with pytest.raises(OSError, match="no space"):
            erased(place, callers=(ALICE,), people=(BOB,))
    cut = verify_trail(place)
    done = finish(TrailReader.open(place), erasers=ERASERS)

    assert (cut.erased, cut.missing, cut.unfinished) == (0, 0, 1)
    assert done is not None
    assert done.count == 1
    assert unfinished(TrailReader.open(place)) is None
    assert finish(TrailReader.open(place), erasers=ERASERS) is None
    after = verify_trail(place)
    assert (after.erased, after.missing, after.unfinished) == (1, 0, 0)


def test_nobody_finishes_a_stranger_s_order(place: Path) -> None:
    trail = Trail.create(place)
    record = append(trail, caller=ALICE)
    trail.close()
    plan = replace(planned(place, records=(record,)), records={})
    stranger = VerifierKey.of_signer(STRANGER)
    nobody = replace(plan, callers=("ab" * 16,))
    order(nobody, place, signer=STRANGER, erasers=(stranger,))
    forged = Trail.open(place, role="cli")
    ((_, signed),) = orders_in(TrailReader.open(place))
    forged.append(signed.model_copy(update={"id": "x", "records": (record,)}))
    forged.close()

    with pytest.raises(TamperedError, match="counts for nothing"):
        finish(
            TrailReader.open(place), erasers=(*ERASERS, VerifierKey.of_signer(STRANGER))
        )
    with pytest.raises(TamperedError):
        verify_trail(place)


def test_an_order_for_another_trail_counts_for_nothing(
    place: Path, tmp_path: Path
) -> None:
    other = tmp_path / "elsewhere" / "trail"
    for folder in (place, other):
        folder.parent.mkdir(exist_ok=True)
        trail = Trail.create(
            folder, name="here.example" if folder == place else "there.example"
        )
        append(trail, caller=ALICE)
        trail.close()
    erased(other, callers=(ALICE,))
    ((_, signed),) = orders_in(TrailReader.open(other))
    trail = Trail.open(place, role="cli")
    trail.append(signed)
    trail.close()

    with pytest.raises(TamperedError, match="is for the trail"):
        verify_trail(place)


def test_content_that_nobody_ordered_to_erase_is_missing(place: Path) -> None:
    trail = Trail.create(place)
    append(trail, caller=ALICE)
    append(trail, caller=BOB)
    trail.close()
    erased(place, callers=(ALICE,))
    connection = sqlite3.connect(place / "logs/app-1/vault.sqlite")
    connection.execute("DELETE FROM content")
    connection.commit()
    connection.close()

    verified = verify_trail(place)

    assert (verified.erased, verified.missing) == (1, 1)


def test_what_nobody_knows_is_said(place: Path) -> None:
    trail = Trail.create(place)
    append(trail, caller=ALICE)
    trail.close()

    plan = erased(place, callers=("who",), people=("whom",), records=("which",))

    assert plan.unknown == ("which", "who", "whom")
    assert plan.empty is True
    assert list(orders_in(TrailReader.open(place))) == []


def test_a_second_order_finds_nothing_left(place: Path) -> None:
    trail = Trail.create(place)
    record = append(trail, caller=ALICE)
    trail.close()
    erased(place, callers=(ALICE,))

    plan = erased(place, records=(record,))

    assert (plan.count, plan.gone, plan.empty) == (0, 1, True)
    assert len(list(orders_in(TrailReader.open(place)))) == 1


def test_more_records_than_one_order_holds_are_divided(place: Path) -> None:
    trail = Trail.create(place)
    for _ in range(1_001):
        append(trail, caller=ALICE, secret="x")
    trail.close()

    plan = erased(place, callers=(ALICE,))

    orders = [said for _, said in orders_in(TrailReader.open(place))]
    assert plan.count == 1_001
    assert [len(said.records) for said in orders] == [1_000, 1]
    assert [len(said.callers) for said in orders] == [1, 0]
    assert verify_trail(place).erased == 1_001


def test_calls_go_on_while_content_is_erased(place: Path) -> None:
    trail = Trail.create(place)
    for _ in range(20):
        append(trail, caller=ALICE)
    stop = threading.Event()
    made: list[str] = []

    def work() -> None:
        while not stop.is_set():
            made.append(append(trail, caller=BOB))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        erased(place, callers=(ALICE,))
        append(trail, caller=ALICE)
    erased(place, callers=(ALICE,))
    stop.set()
    for thread in threads:
        thread.join()
    trail.close()

    assert set(made) == read_kept(place / "logs/app-1/vault.sqlite")
    verified = verify_trail(place)
    assert (verified.erased, verified.missing, verified.unfinished) == (23, 0, 0)


def test_a_forked_child_leaves_its_parents_vault_alone(place: Path) -> None:
    trail = Trail.create(place)
    append(trail, caller=ALICE, about=(BOB,), prompt=b"x")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            append(trail, caller=ALICE, about=(BOB,), prompt=b"y")
            trail.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    append(trail, caller=ALICE, about=(BOB,), prompt=b"z")
    trail.close()

    erased(place, people=(BOB,))

    assert verify_trail(place).erased == 3


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE prompt SET body = x'00'",
        "UPDATE prompt SET body = (SELECT max(body) FROM prompt)",
        "UPDATE about SET person = 'ab' || person",
        "DELETE FROM about",
    ],
)
def test_a_changed_prompt_is_found(place: Path, statement: str) -> None:
    trail = Trail.create(place)
    append(trail, about=(ALICE,), prompt=b"one")
    append(trail, about=(ALICE,), prompt=b"two")
    trail.close()
    connection = sqlite3.connect(place / "logs/app-1/vault.sqlite")
    connection.execute(statement)
    connection.commit()
    connection.close()

    if statement.startswith("UPDATE about"):
        record = next(iter(read_kept(place / "logs/app-1/vault.sqlite")))
        assert prompt_of(place, record) is None
        return
    with pytest.raises(TamperedError):
        verify_trail(place)


def test_without_its_vault_key_a_trail_keeps_no_prompt(place: Path) -> None:
    trail = Trail.create(place)
    append(trail, about=(ALICE,), prompt=b"one")
    trail.close()
    (place / "keys/vault.key").unlink()
    trail = Trail.open(place)

    with pytest.raises(TrailError, match="vault key"):
        append(trail, about=(ALICE,), prompt=b"two")

    trail.close()
    assert verify_trail(place).erased == 0


def test_a_swapped_person_is_found(place: Path) -> None:
    trail = Trail.create(place)
    append_pair(trail)
    append(trail, about=(ALICE,))
    trail.close()
    connection = sqlite3.connect(place / "people.sqlite")
    connection.execute("UPDATE person SET id = 'mallory'")
    connection.commit()
    connection.close()

    with pytest.raises(TamperedError, match="person behind the pseudonym"):
        verify_trail(place)
