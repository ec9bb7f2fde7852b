"""What a fleet shares beside its logs, against a real server: approvals and counts."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from approving import BOB, approve_all, line, refused_call, with_people
from fleet import SECRET, as_user, database, kept, needs_postgres, tamper
from guards import FR, MESSAGES, NOWHERE, SUMMER, TICKETS
from hypothesis import given, settings
from hypothesis import strategies as st
from integration.test_counters import LIMIT
from integration.test_own_policy import with_rules
from offline import Upstream
from services import Postgres
from unit.audit.test_counters import KEY, in_files, reserve, seen, share
from unit.authority.test_approvals import SCOPE, approval, revocation

from policyguard import ApprovalRequired, Guard, PolicyDenied, Settings
from policyguard.audit.counters import Counters
from policyguard.audit.layout import make_folder
from policyguard.audit.shared import approvals_at, counters_at
from policyguard.audit.stores.fleet import place_of
from policyguard.audit.verify import verify_trail
from policyguard.authority.approvals import Approvals
from policyguard.authority.people import People
from policyguard.errors import AuthorityError, TrailError
from policyguard.settings import SigningSettings, TrailSettings

pytestmark = needs_postgres("nothing was tested of what a fleet shares")
TESTS: Final = Path(__file__).parent.parent


def counting(url: str) -> Counters:
    return counters_at(place_of(url, None))


def approving(url: str) -> Approvals:
    return Approvals(
        store=approvals_at(place_of(url, None)),
        people=People.parse(line(BOB)),
        regimes={"GDPR-01": "gdpr"}.get,
    )


def signed(url: str, **changes: Any) -> tuple[Approvals, Any]:
    made, given = approving(url), approval(**changes)
    made.keep(made.sign(given, signer=BOB))
    return made, given


def in_processes(script: str, *arguments: str, number: int) -> list[int]:
    """Run a script so many times at once, and return the numbers that they print."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, *arguments, str(who)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
        )
        for who in range(number)
    ]
    return [int(item.communicate(timeout=120)[0]) for item in started]


PEOPLE: Final = st.frozensets(st.sampled_from("abcd"), max_size=3)
STEPS: Final = st.lists(
    st.one_of(
        st.tuples(
            st.just("reserve"),
            st.sampled_from(["r1", "r2", "r3"]),
            st.sampled_from(["c1", "c2"]),
            PEOPLE,
            st.integers(0, 3),
            st.integers(900, 1_200),
            st.booleans(),
        ),
        st.tuples(st.just("settle"), st.sampled_from(["r1", "r2", "r3"])),
        st.tuples(st.just("release"), st.sampled_from(["r1", "r2", "r3"])),
    ),
    max_size=12,
)


def counted(counters: Counters, steps: list[Any]) -> list[Any]:
    """Do what the steps say, and return every count on the way and at the end."""
    said: list[Any] = []
    for what, name, *rest in steps:
        if what == "settle":
            counters.settle(name)
        elif what == "release":
            counters.release(name)
        else:
            call, people, unnamed, at, keep = rest
            shares = [
                share(counters, *people, unnamed=unnamed),
                share(counters, *sorted(people)[:1], category="health", since=950),
            ]
            said.append(
                dict(
                    counters.reserve(
                        shares, reservation=name, call=call, at=at, keep=keep
                    )
                )
            )
    return [*said, seen(counters), seen(counters, since=0)]


@settings(max_examples=40, deadline=None)
@given(steps=STEPS)
def test_a_server_counts_as_files_do(
    cluster: Postgres,
    prepared: tuple[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[Any],
) -> None:
    directory = tmp_path_factory.mktemp("counts") / "trail"
    make_folder(directory / "keys")
    made = database(cluster, like=prepared[0])

    assert counted(counting(as_user(made, "app")), steps) == counted(
        in_files(directory), steps
    )

    with psycopg.connect(cluster.url(), autocommit=True) as session:
        session.execute(f'DROP DATABASE "{made.rpartition("/")[2]}" WITH (FORCE)')


def test_hosts_count_each_person_once(url: str) -> None:
    one, other = counting(url), counting(url)

    before = [reserve(one, "one", "a", "b"), reserve(other, "two", "b", "c")]

    assert before == [0, 1]
    assert (seen(one), seen(other)) == (3, 3)


def test_processes_together_never_pass_a_threshold(url: str) -> None:
    script = (
        "import sys\n"
        "from integration.test_postgres_shared import *\n"
        "counters = counting(sys.argv[1])\n"
        "made = 0\n"
        "for number in range(4):\n"
        "    name = f'{sys.argv[2]}-{number}'\n"
        "    if reserve(counters, name, *(f'{name}-{i}' for i in range(10))) + 10 <= 60:\n"
        "        made += 1; counters.settle(name)\n"
        "    else: counters.release(name)\n"
        "print(made)\n"
    )

    made = sum(in_processes(script, url, number=3))

    assert 1 <= made <= 6
    assert seen(counting(url)) == 10 * made


def test_what_counts_for_good_is_not_released(url: str) -> None:
    counters = counting(url)
    reserve(counters, "one", "a")
    counters.settle("one")

    with pytest.raises(TrailError, match="is not released"):
        counters.release("")

    assert seen(counters) == 1


def test_no_id_of_a_person_is_in_the_tables(owned: str, url: str) -> None:
    reserve(counting(url), "one", "canary-alice@acme.example")

    with psycopg.connect(owned) as session:
        rows = session.execute("SELECT * FROM policyguard.seen").fetchall()

    assert len(rows) == 1
    assert "canary" not in repr(rows)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("DELETE FROM policyguard.count_key", "is empty, and people were counted"),
        (
            (
                "ALTER TABLE policyguard.count_key DROP CONSTRAINT count_key_key_check;"
                "UPDATE policyguard.count_key SET key = 'short'"
            ),
            "is damaged",
        ),
    ],
)
def test_without_its_key_nobody_is_counted_anew(
    owned: str, url: str, damage: str, says: str
) -> None:
    reserve(counting(url), "one", "a")
    tamper(owned, *damage.split(";"))

    with pytest.raises(TrailError, match=says):
        counting(url).pseudonyms(["a"])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE policyguard.seen SET at = 0",
        "DELETE FROM policyguard.seen",
        "INSERT INTO policyguard.unnamed VALUES ('s', 'c', 'c', '', 0, -9)",
        "INSERT INTO policyguard.count_key (key) VALUES ('')",
        "UPDATE policyguard.approval SET used = 0",
        "UPDATE policyguard.approval SET revocation = NULL",
        "DELETE FROM policyguard.approval",
        (
            "INSERT INTO policyguard.approval (id, tenant, caller, bundle, note, used)"
            " VALUES ('x', 't', 'c', 'b', 'n', -9)"
        ),
    ],
)
def test_a_writer_changes_no_count_and_no_use_beside_the_functions(
    url: str, statement: str
) -> None:
    with (
        psycopg.connect(url) as session,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        session.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM policyguard.count_key",
        "SELECT * FROM policyguard.seen",
        "SELECT policyguard.release('x')",
        "SELECT policyguard.take('{x}', '{1}')",
        "SELECT policyguard.revoke('x', 'y')",
    ],
)
def test_an_auditor_neither_looks_people_up_nor_takes_a_use(
    owned: str, statement: str
) -> None:
    with (
        psycopg.connect(as_user(owned, "auditor")) as session,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        session.execute(statement)


def test_an_auditor_lists_approvals(owned: str, url: str) -> None:
    _, given = signed(url)

    listed = list(approving(as_user(owned, "auditor")).listing())

    assert [(item.approval, item.used) for item in listed] == [(given, 0)]


def test_what_was_kept_holds_for_its_caller_tenant_and_policy(url: str) -> None:
    made, given = signed(url)

    others = [
        {**SCOPE, "tenant": "other"},
        {**SCOPE, "caller": "1" * 32},
        {**SCOPE, "bundle": "cd" * 32},
    ]

    assert made.holding(**SCOPE) == (given,)
    assert [made.holding(**other) for other in others] == [(), (), ()]
    with pytest.raises(TrailError, match="duplicate key"):
        made.keep(made.sign(given, signer=BOB))


def test_an_approval_serves_as_often_as_was_signed(url: str) -> None:
    made, once = signed(url, uses=1)
    twice = approval(uses=2)
    made.keep(made.sign(twice, signer=BOB))

    taken = [made.take([once, twice]), made.take([twice, once]), made.take([twice])]

    # Of two approvals both serve or none.
    assert taken == [True, False, True]
    assert {item.approval.id: item.used for item in made.listing()} == {
        once.id: 1,
        twice.id: 2,
    }
    assert made.take([approval()]) is False


def test_threads_together_get_no_use_too_many(url: str) -> None:
    made, given = signed(url, uses=5)
    _, other = signed(url, uses=24)

    def take(number: int) -> bool:
        pair = [given, other]
        return made.take(pair if number % 2 else pair[::-1])

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(take, range(24)))

    assert taken.count(True) == 5
    assert {item.used for item in made.listing()} == {5}


def test_processes_together_get_no_use_too_many(url: str) -> None:
    made, given = signed(url, uses=7)
    script = (
        "import sys\n"
        "from integration.test_postgres_shared import *\n"
        "made = approving(sys.argv[1])\n"
        "given = made.find(sys.argv[2]).approval\n"
        "print(sum(made.take([given]) for _ in range(6)))\n"
    )

    taken = in_processes(script, url, given.id, number=3)

    assert sum(taken) == 7
    assert next(made.listing()).used == 7


def test_what_was_taken_back_serves_nobody(url: str) -> None:
    made, given = signed(url)

    made.revoke(made.sign_revocation(revocation(given), signer=BOB))

    assert (made.holding(**SCOPE), made.take([given])) == ((), False)
    with pytest.raises(AuthorityError, match="taken back before"):
        made.revoke(made.sign_revocation(revocation(given), signer=BOB))


@pytest.mark.parametrize("column", ["tenant", "caller", "bundle"])
def test_what_was_changed_in_the_table_opens_an_approval_to_nobody_else(
    owned: str, url: str, column: str
) -> None:
    made, _ = signed(url)
    changed = {**SCOPE, column: "f" * 32}
    tamper(owned, f"UPDATE policyguard.approval SET {column} = '{'f' * 32}'")

    assert (made.holding(**SCOPE), made.holding(**changed)) == ((), ())


def test_a_server_that_is_away_counts_and_allows_nothing(url: str) -> None:
    made, given = signed(url)
    gone = "postgresql://app@127.0.0.1:9/trail"

    for work in (
        lambda: reserve(counting(gone), "one", "a"),
        lambda: counting(gone).settle("one"),
        lambda: approving(gone).take([given]),
        lambda: approving(gone).holding(**SCOPE),
    ):
        with pytest.raises(TrailError, match="cannot use"):
            work()
    assert next(made.listing()).used == 0


def test_tables_of_an_older_version_say_what_to_do(owned: str, url: str) -> None:
    counting(url).pseudonyms(["a"])
    tamper(owned, "DROP FUNCTION policyguard.settle")

    with pytest.raises(TrailError, match="of an older version of policyguard"):
        counting(url).settle("one")


def in_fleet(known: Settings, url: str, folder: Path) -> Settings:
    """Return settings with the trail in a database."""
    secret = folder / "passphrase"
    secret.write_bytes(SECRET)
    secret.chmod(0o600)
    return known.model_copy(
        update={
            "trail": TrailSettings(url=url),
            "signing": SigningSettings(passphrase_file=secret),
        }
    )


def test_an_approval_serves_a_fleet_once(url: str, tmp_path: Path) -> None:
    known = in_fleet(with_people(tmp_path), url, tmp_path)
    client = Upstream().client(NOWHERE)

    def call(guard: Guard) -> Any:
        return guard.bind(**TICKETS).call(
            client.chat.completions.create, model="glm-5.2", messages=MESSAGES
        )

    with (
        Guard(settings=known, clock=lambda: SUMMER) as one,
        Guard(settings=known, clock=lambda: SUMMER) as other,
    ):
        (given,) = approve_all(one, refused_call(one, client))

        reply = call(other)

        assert reply.choices[0].message.content == "hello"
        with pytest.raises(ApprovalRequired):
            call(one)
        assert given.id in {
            item.approval.id for item in approving(url).listing() if item.used == 1
        }
    verify_trail(url)


def test_two_hosts_do_not_pass_a_threshold_together(url: str, tmp_path: Path) -> None:
    known = in_fleet(with_rules(tmp_path, LIMIT), url, tmp_path)
    client = Upstream().client(FR)

    def call(guard: Guard, *people: str) -> Any:
        data = {"classes": ["pii"], "subjects": ["US"], "persons": {"US": people}}
        return guard.bind(**{**TICKETS, "data": data}).call(
            client.chat.completions.create, model="glm-5.2", messages=MESSAGES
        )

    with (
        Guard(settings=known, clock=lambda: SUMMER) as one,
        Guard(settings=known, clock=lambda: SUMMER) as other,
    ):
        call(one, "a", "b", "c")
        with pytest.raises(PolicyDenied):
            call(other, "d", "e", "f")
        # What was refused has added nobody, and who was sent before is nobody new.
        call(other, "a", "d", "e")
    assert len(kept(url)) > 4
    assert KEY == ("acme zhipu", "pii")
