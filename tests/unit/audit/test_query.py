"""Questions to a trail: what is answered comes from verified leaf bytes alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from trails import CALLER, append_pair, copied, decision, entries, made_trail, outcome

from policyguard.audit.layout import Layout
from policyguard.audit.query import Answer, Question, ask, instant
from policyguard.audit.query_canned import CANNED
from policyguard.audit.query_columns import VIEWS, rows_of_leaf
from policyguard.audit.query_index import Span, TrailIndex
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.writer import claim_writer
from policyguard.canonical import canonical_bytes
from policyguard.errors import (
    ConfigurationError,
    FormatError,
    NewerTrailError,
    TamperedError,
)
from policyguard.identity import new_id
from policyguard.vocabulary.record import (
    AUDIT_RECORD,
    EraseRecord,
    OutcomeRecord,
    PolicyLoadRecord,
    PolicyRejectRecord,
)

TRACE = {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7"}
DENIED = {"id": "GDPR-01", "effect": "deny", "status": "in_force", "verified": True}
ENDLESS = (
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
    " SELECT max(x) FROM n"
)


def time(minute: int, second: int = 0) -> str:
    return f"2026-07-10T12:{minute:02}:{second:02}.000000Z"


def append_call(trail: Trail, minute: int, **changes: Any) -> str:
    """Append a decision, and its outcome three seconds later if it allows."""
    fields = decision(time=time(minute), **changes)
    trail.append_decision(fields, caller=changes.get("caller", CALLER), content={})
    if fields["verdict"] == "allow":
        trail.append(
            OutcomeRecord(
                id=new_id(),
                call_id=fields["call_id"],
                decision=fields["id"],
                time=time(minute, 3),
                outcome="complete",
                served_model="glm-5.2",
                input_tokens=7,
                output_tokens=11,
            )
        )
    return str(fields["id"])


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Have a trail: allowed at 1 and 3, denied at 2, allowed and cut off at 4.

    The one that was denied was in a span.
    """
    place = tmp_path / "trail"
    writer = Trail.create(place, name="acme.example")
    append_call(writer, 1)
    append_call(writer, 2, verdict="deny", rules=[DENIED], trace=TRACE, tool="search")
    append_call(writer, 3)
    fields = decision(time=time(4), bundle={"revision": "2", "digest": "cd" * 32})
    writer.append_decision(fields, caller="bob", content={})
    writer.close()
    return place


def answer(trail: Path, name: str | None = None, **more: Any) -> Answer:
    return ask(Question(name=name, **more), reader=TrailReader.open(trail))


def rows(trail: Path, sql: str, **more: Any) -> tuple[tuple[Any, ...], ...]:
    return answer(trail, sql=sql, **more).rows


def test_an_answer_says_what_it_was_computed_from(trail: Path) -> None:
    found = answer(trail, "without-outcome")

    (covered,) = found.covered
    log = TrailReader.open(trail).logs[0]
    assert covered.origin == "acme.example/app-1"
    assert covered.root == log.head().frontier.root().hex()
    assert (covered.size, covered.first, covered.matched) == (7, 0, 7)
    assert (found.left_out, found.after) == (False, None)


def test_denials_are_counted_by_rule(trail: Path) -> None:
    assert answer(trail, "denies-by-rule").rows == (
        ("GDPR-01", "deny", 1, 0, 1, time(2), time(2)),
    )


def test_allowed_calls_without_an_end_are_found(trail: Path) -> None:
    (row,) = answer(trail, "without-outcome").rows

    assert row[:4] == ("app-1", 6, time(4), "acme")


def test_what_was_forwarded_though_a_rule_objected_is_counted_with_the_calls(
    trail: Path,
) -> None:
    writer = Trail.open(trail)
    append_call(writer, 5, verdict="deny", rules=[DENIED], enforced=False)
    # No call follows what has no answer of the rules, nor a mere question.
    append_call(writer, 6, verdict="deny", code="engine.late", enforced=False)
    append_call(writer, 7, kind="check", verdict="deny", enforced=False)
    writer.close()

    objected = answer(trail, "denies-by-rule").rows
    opened = answer(trail, "without-outcome").rows
    served = answer(trail, "top-models").rows

    assert objected == (("GDPR-01", "deny", 2, 1, 1, time(2), time(5)),)
    assert [row[2] for row in opened] == [time(4), time(5)]
    assert [row[2] for row in served] == [4]


@pytest.mark.parametrize(
    ("span", "decided", "matched"),
    [
        (Span(until=time(1, 1)), (1,), 1),
        (Span(since=time(3), until=time(3, 1)), (4,), 1),
        (Span(after="app-1:1", until=time(3, 1)), (3, 4), 3),
    ],
)
def test_a_call_that_ended_after_the_span_has_ended(
    trail: Path, span: Span, decided: tuple[int, ...], matched: int
) -> None:
    sql = "SELECT entry FROM decisions ORDER BY entry"

    found = answer(trail, "without-outcome", span=span)

    assert (found.rows, found.covered[0].matched) == ((), matched)
    assert tuple(row[0] for row in rows(trail, sql, span=span)) == decided


def test_a_call_whose_end_is_in_a_log_before_the_cursor_has_ended(trail: Path) -> None:
    first, second = Trail.open(trail), Trail.open(trail)
    fields = decision(time=time(5))
    second.append_decision(fields, caller=CALLER, content={})
    first.append(outcome(fields["id"]))
    second.close()
    first.close()
    sql = "SELECT log, outcome FROM decisions"

    found = rows(trail, sql, span=Span(after="app-1:7"))

    assert found == (("app-2", "complete"),)


def test_a_clock_that_went_back_is_seen_in_the_log_that_it_wrote(
    tmp_path: Path,
) -> None:
    place = tmp_path / "trail"
    writer = Trail.create(place, name="acme.example")
    for minute in (3, 1, 2):
        # Each with an outcome three seconds later; in the first log 3 goes before 1.
        append_call(writer, minute)
    writer.close()
    beside = Trail.open_or_create(place, role="cli")
    append_call(beside, 1)
    beside.close()

    (begun, one, other) = answer(place, "clock-set-back").rows

    # Trails of tests are begun today, and their calls are of another day.
    assert (begun[:3], other[:3]) == (
        ("app-1", 1, "decision"),
        ("cli-1", 1, "decision"),
    )
    assert one == ("app-1", 3, "decision", time(3, 3), time(1), 123)


def test_changes_of_policy_have_their_first_and_last_decision(trail: Path) -> None:
    found = [row[:4] for row in answer(trail, "policy-changes").rows]

    assert found == [(time(1), time(3), 3, "1"), (time(4), time(4), 1, "2")]


@pytest.mark.parametrize(
    ("at", "revision"),
    [
        (time(3), ["1"]),
        ("2026-07-10T12:03:59Z", ["1"]),
        (time(4), ["2"]),
        ("2026-07-10", []),
    ],
)
def test_the_policy_at_an_instant_is_that_of_the_last_decision_before(
    trail: Path, at: str, revision: list[str]
) -> None:
    found = answer(trail, "policy-at", values={"at": at})

    assert [row[4] for row in found.rows] == revision


def test_policy_that_was_loaded_is_known_before_its_first_decision(
    trail: Path,
) -> None:
    writer = Trail.open(trail)
    refs = decision(bundle={"revision": "3", "digest": "ef" * 32})
    loaded = PolicyLoadRecord.model_validate(
        {name: refs[name] for name in ("bundle", "catalog", "engine")}
        | {"id": new_id(), "time": time(9), "source": "directory"}
    )
    refused = PolicyRejectRecord.model_validate(
        {"id": new_id(), "time": time(10), "source": "http", "code": "bundle.signature"}
        | {"kept": refs["bundle"]}
    )
    writer.append(loaded)
    writer.append(refused)
    writer.close()

    (at,) = answer(trail, "policy-at", values={"at": time(11)}).rows
    loads = answer(trail, "policy-loads").rows

    assert (at[1], at[3], at[4]) == (7, "policy.load", "3")
    assert [row[1:] for row in loads] == [
        (7, time(9), "policy.load", "directory", None, "3", None),
        (8, time(10), "policy.reject", "http", "3", None, "bundle.signature"),
    ]


@pytest.mark.parametrize("bundle", ["1", "ab" * 4, "ab" * 32])
def test_calls_after_a_revocation_are_found_by_revision_or_digest(
    trail: Path, bundle: str
) -> None:
    values = {"bundle": bundle, "at": time(2)}

    found = answer(trail, "after-revocation", values=values)

    assert [(row[1], row[3]) for row in found.rows] == [(3, "deny"), (4, "allow")]


def test_models_tokens_and_latency_are_added_up(trail: Path) -> None:
    deployment = "glm-5.2@api.scaleway.ai"

    assert answer(trail, "top-models").rows == (("glm-5.2", deployment, 3, 14, 22, 0),)
    assert answer(trail, "latency").rows == ((deployment, 2, 3000, 3000, 3000, 3000),)


def test_a_caller_is_found_by_id_and_by_pseudonym(trail: Path) -> None:
    pseudonym = TrailReader.open(trail).pseudonym("bob")

    for name in ("bob", str(pseudonym)):
        found = answer(trail, "about-caller", values={"caller": name})
        assert [row[1] for row in found.rows] == [6]
    unheard = {"caller": "0" * 32}
    assert answer(trail, "about-caller", values=unheard).rows == ()


def test_everything_about_a_caller_is_calls_approvals_and_erasures(trail: Path) -> None:
    alice, bob = map(TrailReader.open(trail).pseudonym, (CALLER, "bob"))
    writer = Trail.open(trail)
    approval = {
        "kind": "approval.grant",
        "id": new_id(),
        "time": time(5),
        "approval": new_id(),
        "decision": new_id(),
        "rule": "GDPR-01",
        "tenant": "acme",
        "caller": alice,
        "by": bob,
        "until": time(6),
        "uses": 1,
        "bundle": "ab" * 32,
        "input": {"alg": "HMAC-SHA256", "bytes": 1, "value": "ab" * 32},
    }
    order = EraseRecord(
        id=new_id(),
        time=time(6),
        trail="acme.example",
        reason="request",
        records=(),
        callers=(str(bob),),
        people=(),
        kept=0,
        by="key",
        signature="AA==",
    )
    writer.append(AUDIT_RECORD.validate_python(approval))
    writer.append(order)
    writer.close()

    found = {
        name: [
            row[1:4]
            for row in answer(trail, "about-caller", values={"caller": name}).rows
        ]
        for name in (CALLER, "bob")
    }

    granted, erased = (7, time(5), "approval.grant"), (8, time(6), "erase")
    decided = [(1, time(1)), (3, time(2)), (4, time(3))]
    assert found == {
        CALLER: [*((*place, "decision") for place in decided), granted],
        "bob": [(6, time(4), "decision"), granted, erased],
    }
    assert [row[3:9] for row in answer(trail, "keys-and-erasures").rows] == [
        (
            "genesis",
            TrailReader.open(trail).logs[0].vkey.format(),
            None,
            None,
            None,
            None,
        ),
        ("erase", "key", None, "request", 0, 1),
    ]


def test_decisions_about_a_person_are_found_in_all_logs(tmp_path: Path) -> None:
    place = tmp_path / "trail"
    writers = [Trail.create(place), Trail.open(place)]
    for writer in writers:
        for people in (("patient-17",), ("patient-4", "patient-17"), ("patient-4",)):
            writer.append_decision(decision(), caller=None, content={}, people=people)
    for writer in writers:
        writer.close()

    found = answer(place, "about-person", values={"person": "patient-17"})

    assert [row[:2] for row in found.rows] == [
        ("app-1", 1), ("app-1", 2), ("app-2", 1), ("app-2", 2),
    ]  # fmt: skip
    with pytest.raises(ConfigurationError, match="nobody of that id is known"):
        answer(place, "about-person", values={"person": "patient-99"})


def test_every_question_with_a_name_can_be_asked(trail: Path) -> None:
    writer = Trail.open(trail)
    writer.append_decision(decision(), caller=None, content={}, people=("patient",))
    writer.close()
    given = {
        "at": "2026-07-10",
        "bundle": "1",
        "caller": CALLER,
        "person": "patient",
    }
    assert len(CANNED) >= 10

    for name, question in CANNED.items():
        values = {item: given[item] for item in question.takes}
        assert answer(trail, name, values=values).columns


def test_percentiles_are_those_of_the_nearest_rank(tmp_path: Path) -> None:
    writer = Trail.create(tmp_path / "trail")
    for seconds in range(1, 21):
        fields = decision(time=time(0))
        writer.append_decision(fields, caller=None, content={})
        ended = outcome(fields["id"]).model_copy(update={"time": time(0, seconds)})
        writer.append(ended)
    writer.close()

    ((_, calls, *percentiles),) = answer(tmp_path / "trail", "latency").rows

    assert (calls, percentiles) == (20, [10_000, 19_000, 20_000, 20_000])


def test_the_views_have_the_documented_columns(trail: Path) -> None:
    for view, (_, columns) in VIEWS.items():
        found = answer(trail, sql=f"SELECT * FROM {view}")
        assert found.columns == tuple(column.name for column in columns)


def test_json_in_a_column_is_opened(trail: Path) -> None:
    sql = (
        "SELECT entry, c.value FROM decisions, json_each(data_classes) AS c"
        " UNION SELECT entry, t.atom FROM records, json_tree(body) AS t"
        " WHERE t.key = 'revision' AND entry = 6"
    )

    found = rows(trail, sql)

    assert found == ((1, "pii"), (3, "pii"), (4, "pii"), (6, "2"), (6, "pii"))


def test_a_span_is_of_times_and_of_places(trail: Path) -> None:
    sql = "SELECT entry FROM records ORDER BY entry"

    assert rows(trail, sql, span=Span(after="app-1:4")) == ((5,), (6,))
    assert rows(trail, sql, span=Span(after="app-1:6")) == ()
    assert rows(trail, sql, span=Span(after="aaa-1:4")) == tuple((n,) for n in range(7))
    assert rows(trail, sql, span=Span(after="zzz-1:0")) == ()
    span = Span(since=time(2), until=time(3))
    assert rows(trail, sql, span=span) == ((3,),)
    for behind in ("app-1:7", "app-1:99"):
        with pytest.raises(ConfigurationError, match="or the log was put back"):
            rows(trail, sql, span=Span(after=behind))
    with pytest.raises(ConfigurationError, match="no cursor"):
        rows(trail, sql, span=Span(after="4711"))


def test_pages_have_every_row_once(tmp_path: Path) -> None:
    place = made_trail(tmp_path / "trail", pairs=5)
    second = Trail.open(place, role="cli")
    append_pair(second)
    second.close()
    sql = "SELECT log, entry FROM records ORDER BY log, entry"
    whole = rows(place, sql)

    pages: list[tuple[Any, ...]] = []
    after, left_out = None, True
    while left_out:
        page = answer(place, sql=sql, limit=4, span=Span(after=after))
        pages += page.rows
        after, left_out = page.after, page.left_out

    assert tuple(pages) == whole
    assert len(whole) == 11 + 3


def test_rows_in_another_order_have_no_cursor(trail: Path) -> None:
    sql = "SELECT log, entry FROM records ORDER BY entry DESC"

    found = answer(trail, sql=sql, limit=2)

    assert (found.left_out, found.after) == (True, None)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM decision",
        "INSERT INTO decision (log) VALUES ('x')",
        "UPDATE record SET kind = 'x'",
        "CREATE TABLE x (y)",
        "DROP VIEW decisions",
        "ATTACH 'elsewhere.sqlite' AS x",
        "PRAGMA query_only = OFF",
        "SELECT * FROM pragma_database_list",
        "SELECT load_extension('x')",
        "SELECT fts3_tokenizer('simple')",
        # No row of it is too large, and all of them together are.
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
            " WHERE i < 99) SELECT hex(zeroblob(500000)) FROM n"
        ),
        "VACUUM INTO 'elsewhere.sqlite'",
        "BEGIN",
        "SELECT 1; SELECT 2",
        "SELECT zeroblob(100000000)",
        "SELECT :missing",
        "",
        "SELECT * FROM nothing",
        "SELECT 1 FROM (",
        "SELECT '\x00'",
        "SELECT '\ud800'",
    ],
)
def test_nothing_but_one_select_is_run(
    trail: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigurationError):
        answer(trail, sql=sql)

    assert not (tmp_path / "elsewhere.sqlite").exists()


def test_an_endless_select_is_ended(trail: Path) -> None:
    with pytest.raises(ConfigurationError, match="longer than 0 s"):
        answer(trail, sql=ENDLESS, seconds=0)


def test_an_index_is_asked_again_after_a_select_that_was_ended(trail: Path) -> None:
    with TrailIndex.build(TrailReader.open(trail).logs) as index:
        with pytest.raises(ConfigurationError):
            index.select(ENDLESS, limit=1, seconds=0)
        _, found, _ = index.select("SELECT count(*) FROM records", limit=1)

    assert found == [(7,)]


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("denies", {}, "there is no question"),
        ("about-caller", {}, "--set caller="),
        ("latency", {"at": "x"}, "takes no `at`"),
        ("policy-at", {"at": "noon"}, "no instant"),
        ("policy-at", {"at": "2026-02-30"}, "no instant"),
        ("policy-at", {"at": "2026-01-01T24:30"}, "no instant"),
        ("about-caller", {"caller": "nobody"}, "no caller `nobody` is known here"),
        ("about-caller", {"caller": "ab" * 15}, "is known here"),
    ],
)
def test_a_question_that_cannot_be_put_says_why(
    trail: Path, name: str, values: dict[str, str], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        answer(trail, name, values=values)


def test_either_a_name_or_a_select_is_asked(trail: Path) -> None:
    for given in ({}, {"name": "latency", "sql": "SELECT 1"}):
        with pytest.raises(ConfigurationError, match="one SELECT"):
            ask(Question(**given), reader=TrailReader.open(trail))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-07-10", "2026-07-10T00:00:00.000000Z"),
        ("2026-07-10T12:30", "2026-07-10T12:30:00.000000Z"),
        ("2026-07-10 12:30:01.5Z", "2026-07-10T12:30:01.500000Z"),
    ],
)
def test_an_instant_is_written_as_records_have_it(text: str, found: str) -> None:
    assert instant(text) == found


def tampering(trail: Path, *statements: str) -> None:
    connection = sqlite3.connect(trail / "logs/app-1/log.sqlite")
    connection.execute("PRAGMA writable_schema=ON")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_flipped_column_deceives_nobody(trail: Path) -> None:
    sql = "SELECT entry, verdict, trace_id, tool FROM decisions ORDER BY entry"
    before = rows(trail, sql)
    # Columns beside the records, as older logs have them, that say something else.
    tampering(
        trail,
        "CREATE TABLE lie (idx INTEGER PRIMARY KEY, body BLOB NOT NULL,"
        " leaf BLOB NOT NULL, id TEXT, verdict TEXT, trace_id TEXT, tool TEXT) STRICT",
        "INSERT INTO lie SELECT idx, body, leaf, 'none', 'allow', 'none', 'none' FROM entry",
        "DROP TABLE entry",
        "ALTER TABLE lie RENAME TO entry",
    )

    assert rows(trail, sql) == before
    assert [row[1:] for row in before] == [
        ("allow", None, None),
        ("deny", TRACE["trace_id"], "search"),
        ("allow", None, None),
        ("allow", None, None),
    ]


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE entry SET body = replace(body, 'deny', 'allo') WHERE idx = 3", "not"),
        ("DELETE FROM entry WHERE idx = 3", "entry 3 of .* is missing"),
        ("DELETE FROM entry WHERE idx = 6", "entry 6 of .* is missing"),
        ("UPDATE head SET size = 6", "cannot be verified"),
    ],
)
def test_a_changed_log_answers_nothing(
    trail: Path, tmp_path: Path, statement: str, says: str
) -> None:
    changed = copied(trail, tmp_path / "changed")
    tampering(
        changed,
        statement.replace("replace(body", "CAST(replace(CAST(body AS TEXT)").replace(
            "'allo')", "'allo') AS BLOB)"
        ),
    )

    with pytest.raises(TamperedError, match=says):
        answer(changed, "latency")


def append_signed(trail: Path, **changes: object) -> None:
    """Append the record of a decision with other fields, signed as it is."""
    (entry,) = (item for item in entries(trail) if item.index == 1)
    writer = claim_writer(Layout.of(trail), name=None, role="app")
    body = canonical_bytes(json.loads(entry.body) | {"id": new_id()} | changes)
    writer.append([body], sealed=[])
    writer.close()


@pytest.mark.parametrize("changes", [{"v": 2}, {"kind": "novel"}, {"v": 2, "time": 1}])
def test_what_a_newer_version_has_recorded_is_in_no_answer_and_none_is_without_it(
    trail: Path, changes: dict[str, object]
) -> None:
    append_signed(trail, **changes)

    with pytest.raises(
        NewerTrailError, match=r"^entry 7 of acme.example/app-1 is of a"
    ):
        answer(trail, "denies-by-rule", span=Span(since=time(59)))

    # Signed it must be all the same.
    tampering(trail, "UPDATE entry SET body = CAST(body || ' ' AS BLOB) WHERE idx = 1")
    with pytest.raises(TamperedError):
        answer(trail, "denies-by-rule")


@pytest.mark.parametrize(
    "changes",
    [
        {"time": None},
        {"time": "2026-07-10T12:00:00Z"},
        {"attempt": "first"},
        {"rules": 5},
        {"rules": None},
    ],
)
def test_what_is_signed_and_no_record_is_no_row(
    trail: Path, changes: dict[str, object]
) -> None:
    append_signed(trail, **changes)

    with pytest.raises(TamperedError):
        answer(trail, "denies-by-rule", span=Span(since=time(0)))


def test_only_the_one_form_of_a_record_has_rows() -> None:
    bodies = (b'{"kind": "x"}', b'{"a":1,"a":2}', b"[]", b"", b"\xff")

    for body in bodies:
        with pytest.raises(FormatError):
            list(rows_of_leaf(body, log="app-1", entry=0))


def test_what_is_written_meanwhile_is_the_next_answers(trail: Path) -> None:
    reader = TrailReader.open(trail)
    writer = Trail.open(trail)

    def while_reading() -> Iterator[None]:
        append_pair(writer)
        yield

    appended = while_reading()
    found = ask(
        Question(sql="SELECT count(*) FROM records"),
        reader=reader,
        progress=lambda *_: next(appended, None),
    )
    writer.close()

    assert found.rows == ((7,),)
    assert rows(trail, "SELECT count(*) FROM records") == ((9,),)
