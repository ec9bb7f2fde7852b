"""The questions that auditors ask first, each with its name.

Each is one SELECT over the views of `query_columns`; who wants another one begins with
a copy of its text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from policyguard.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Canned:
    """Is a question with a name."""

    name: str
    answers: str
    """What it answers, in one line."""
    sql: str
    takes: Mapping[str, str] = field(default_factory=dict)
    """What it has to be told, and what that is."""


_UNALLOWED: Final = "verdict <> 'allow' AND kind = 'decision'"
# As `DecisionRecord.goes_ahead` says it: what is observed only is forwarded, too.
_FORWARDED: Final = (
    "kind = 'decision' AND (verdict = 'allow' OR NOT enforced) AND code IS NULL"
)
_OPEN: Final = f"{_FORWARDED} AND outcome IS NULL"

_ALL: Final = (
    Canned(
        name="denies-by-rule",
        answers="which rules objected to calls, how often, and how often only observed",
        sql="""
SELECT a.rule, a.effect, count(*) AS decisions, sum(NOT d.enforced) AS observed,
  count(DISTINCT d.caller) AS callers,
  min(d.time) AS first, max(d.time) AS last
FROM rule_answers a JOIN decisions d USING (log, entry)
WHERE d.verdict <> 'allow' AND a.effect IN ('deny', 'unavailable', 'require_approval')
GROUP BY a.rule, a.effect ORDER BY decisions DESC, a.rule""",
    ),
    Canned(
        name="policy-changes",
        answers="which bundle, catalog and engine decided from when until when",
        sql="""
SELECT min(time) AS first, max(time) AS last, count(*) AS decisions, bundle,
  substr(bundle_digest, 1, 12) AS bundle_digest, catalog,
  substr(catalog_digest, 1, 12) AS catalog_digest,
  engine || ' ' || engine_version AS engine
FROM decisions GROUP BY bundle_digest, catalog_digest, engine_digest ORDER BY first""",
    ),
    Canned(
        name="policy-loads",
        answers="which bundles took over, which were refused, and why",
        sql="""
SELECT log, entry, time, kind, json_extract(body, '$.source') AS source,
  coalesce(json_extract(body, '$.previous.revision'),
    json_extract(body, '$.kept.revision')) AS before,
  json_extract(body, '$.bundle.revision') AS after,
  json_extract(body, '$.code') AS refused
FROM records WHERE kind IN ('policy.load', 'policy.reject') ORDER BY log, entry""",
    ),
    Canned(
        name="policy-at",
        answers="which policy each log decided by at an instant",
        takes={"at": "an instant, as 2026-07-10T12:00:00Z"},
        sql="""
SELECT log, entry, time, kind AS said_by, json_extract(body, '$.bundle.revision') AS bundle,
  json_extract(body, '$.bundle.digest') AS bundle_digest,
  json_extract(body, '$.catalog.version') AS catalog,
  json_extract(body, '$.catalog.digest') AS catalog_digest,
  json_extract(body, '$.engine.name') || ' ' || json_extract(body, '$.engine.version')
    AS engine
FROM (SELECT *, row_number() OVER (PARTITION BY log ORDER BY entry DESC) AS newest
  FROM records WHERE time <= :at AND kind IN ('policy.load', 'decision', 'check'))
WHERE newest = 1 ORDER BY log""",
    ),
    Canned(
        name="after-revocation",
        answers="which calls a bundle decided after it should have been out of use",
        takes={
            "bundle": "a revision, or the beginning of a digest",
            "at": "the instant of its revocation",
        },
        sql="""
SELECT log, entry, time, verdict, tenant, caller, deployment, bundle, id
FROM decisions WHERE time >= :at AND (bundle = :bundle
  OR (length(:bundle) >= 8 AND substr(bundle_digest, 1, length(:bundle)) = :bundle))
ORDER BY log, entry""",
    ),
    Canned(
        name="without-outcome",
        answers="which calls that went ahead have no recorded end",
        sql=f"""
SELECT log, entry, time, tenant, caller, deployment, id, call_id
FROM decisions WHERE {_OPEN} ORDER BY log, entry""",  # noqa: S608 -- ours
    ),
    Canned(
        name="unusual-callers",
        answers="who is refused more often than others, or asks for more",
        sql=f"""
SELECT caller, count(*) AS calls,
  sum({_UNALLOWED}) * 100 / count(*) AS refused_percent,
  count(DISTINCT model) AS models, count(DISTINCT deployment) AS deployments,
  min(time) AS first, max(time) AS last
FROM decisions WHERE kind = 'decision'
GROUP BY caller ORDER BY refused_percent DESC, calls DESC, caller""",  # noqa: S608 -- ours
    ),
    Canned(
        name="keys-and-erasures",
        answers="what was done to the trail itself: begun, continued, rotated, erased",
        sql="""
SELECT log, entry, time, kind,
  coalesce(json_extract(body, '$.new'), json_extract(body, '$.vkey'),
    json_extract(body, '$.by')) AS key,
  json_extract(body, '$.predecessor.origin') AS continues,
  coalesce(json_extract(body, '$.reason'), json_extract(body, '$.predecessor.reason'))
    AS reason,
  json_array_length(body, '$.records') AS records,
  json_array_length(body, '$.callers') + json_array_length(body, '$.people') AS people,
  id
FROM records WHERE kind IN ('genesis', 'key.rotate', 'erase') ORDER BY log, entry""",
    ),
    Canned(
        name="silences",
        answers="the twenty longest times in which a log recorded nothing",
        sql="""
SELECT log, entry, before AS silent_from, time AS silent_until,
  CAST(round((julianday(time) - julianday(before)) * 86400) AS INTEGER) AS seconds
FROM (SELECT *, lag(time) OVER (PARTITION BY log ORDER BY entry) AS before
  FROM records)
WHERE before IS NOT NULL ORDER BY seconds DESC, log, entry LIMIT 20""",
    ),
    Canned(
        name="clock-set-back",
        answers="where a writer's clock went back by more than a second between records",
        # Threads that wait for one commit may be some milliseconds out of order.
        sql="""
SELECT log, entry, kind, before, time, seconds FROM (SELECT *,
    CAST(round((julianday(before) - julianday(time)) * 86400) AS INTEGER) AS seconds
  FROM (SELECT *, lag(time) OVER (PARTITION BY log ORDER BY entry) AS before
    FROM records))
WHERE seconds > 1 ORDER BY log, entry""",
    ),
    Canned(
        name="top-models",
        answers="which models served how many calls and tokens",
        sql=f"""
SELECT coalesce(served_model, model) AS model, deployment, count(*) AS calls,
  sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
  sum(served_model <> model) AS served_another
FROM decisions WHERE {_FORWARDED}
GROUP BY 1, deployment ORDER BY calls DESC, 1""",  # noqa: S608 -- ours
    ),
    Canned(
        name="deviations",
        answers="answers that came by another route than the approved one",
        sql="""
SELECT log, entry, time, model, served_model, deployment, deviations, id
FROM decisions WHERE deviations <> '[]' ORDER BY log, entry""",
    ),
    Canned(
        name="latency",
        answers="how long calls took, from decision to outcome: percentiles in ms",
        sql="""
SELECT deployment, count(*) AS calls,
  min(CASE WHEN place * 100 >= total * 50 THEN duration_ms END) AS p50,
  min(CASE WHEN place * 100 >= total * 95 THEN duration_ms END) AS p95,
  min(CASE WHEN place * 100 >= total * 99 THEN duration_ms END) AS p99,
  max(duration_ms) AS longest
FROM (SELECT deployment, duration_ms,
    row_number() OVER (PARTITION BY deployment ORDER BY duration_ms) AS place,
    count(*) OVER (PARTITION BY deployment) AS total
  FROM decisions WHERE duration_ms IS NOT NULL)
GROUP BY deployment ORDER BY calls DESC, deployment""",
    ),
    Canned(
        name="about-caller",
        answers="everything about one caller: calls, approvals given or got, erasures",
        takes={"caller": "a pseudonym, or the caller's id while it is not erased"},
        sql="""
SELECT log, entry, time, kind, verdict, coalesce(deployment, model) AS deployment,
  data_classes, outcome, id
FROM decisions WHERE caller = :caller
UNION ALL SELECT log, entry, time, kind, NULL, NULL, NULL, NULL, id FROM records
WHERE (kind IN ('approval.grant', 'approval.revoke')
    AND :caller IN (json_extract(body, '$.caller'), json_extract(body, '$.by')))
  OR (kind = 'erase' AND :caller IN (SELECT value FROM json_each(body, '$.callers')))
ORDER BY log, entry""",
    ),
    Canned(
        name="about-person",
        answers="every decision about one person, as the vault knows whom it was about",
        takes={
            "person": "the id that calls gave among `people`, while it is not erased"
        },
        # The ids of the records, each with a line end: no leaf names whom it is about.
        sql="""
WITH RECURSIVE about(id, rest) AS (
  SELECT '', :person UNION ALL
  SELECT substr(rest, 1, instr(rest, char(10)) - 1), substr(rest, instr(rest, char(10)) + 1)
  FROM about WHERE rest <> '')
SELECT log, entry, time, kind, verdict, coalesce(deployment, model) AS deployment,
  purpose, data_classes, outcome, id
FROM decisions WHERE id IN (SELECT id FROM about) ORDER BY log, entry""",
    ),
)

CANNED: Final[Mapping[str, Canned]] = {item.name: item for item in _ALL}


def canned(name: str, values: Mapping[str, str]) -> Canned:
    """Return the question of a name, if it is told what it has to be.

    Raises:
        ConfigurationError: there is no such question, or it is told something else.
    """
    if name not in CANNED:
        raise ConfigurationError(
            f"there is no question `{name}`: `policyguard audit query` lists them all"
        )
    question = CANNED[name]
    missing = question.takes.keys() - values.keys()
    if missing:
        first = min(missing)
        raise ConfigurationError(
            f"`{name}` has to be told `{first}`: give `--set {first}=…`,"
            f" {question.takes[first]}"
        )
    unknown = values.keys() - question.takes.keys()
    if unknown:
        raise ConfigurationError(
            f"`{name}` takes no `{min(unknown)}`: it takes"
            f" {', '.join(f'`{item}`' for item in question.takes) or 'nothing'}"
        )
    return question
