"""Bad input, of every document of a catalog: file, line and field are named.

One catalog with a document of each kind; each row puts one fault into it. That the facts in
use stay is shown where they are reloaded (`tests/integration/test_reload_catalog.py`).
"""

from __future__ import annotations

import pytest

from policyguard.catalog.load import Source, compile_catalog
from policyguard.errors import CatalogError

GOOD = """\
version: "1"
developers:
  dev:
    name: Dev
    owners:
      - owner: Holding
        listed: [l]
        since: 2025-01-01T00:00:00Z
        until: 2026-01-01T00:00:00Z
    source: s
    as_of: 2026-01-01
operators:
  op:
    name: Op
    country: "NO"
    owners:
      - owner: Dev
        party: dev
        since: 2025-01-01T00:00:00Z
        until: 2026-01-01T00:00:00Z
    source: s
    as_of: 2026-01-02
models:
  m:
    name: M
    developer: dev
    restrictions:
      - letter: x-1
        persons: foreign
        since: 2025-01-01T00:00:00Z
        until: 2026-01-01T00:00:00Z
        source: s
    access_terms:
      supported: l
      since: 2025-02-01T00:00:00Z
    source: s
    as_of: 2026-01-03
weights:
  w:
    model: m
    repository: org/m
    files:
      - path: a.safetensors
        sha256: "0000000000000000000000000000000000000000000000000000000000000000"
    source: s
    as_of: 2026-01-04
deployments:
  m@a:
    model: m
    mode: self_hosted
    operator: op
    hosts: [a.example]
    processing_countries: [DE]
    readers:
      - role: support
        citizenships: [FR]
    states:
      - state: suspended
        reason: r
        since: 2025-01-01T00:00:00Z
        until: 2026-01-01T00:00:00Z
        source: s
    installed:
      weights: w
    source: s
    as_of: 2026-01-05
lists:
  l:
    name: L
    screening: true
    names:
      - names: [Somebody]
        seen_from: 2026-01-01
    parties:
      - party: dev
        names: [Dev]
        since: 2025-01-01T00:00:00Z
        until: 2026-01-01T00:00:00Z
    countries:
      - country: CU
        since: 2025-01-01T00:00:00Z
        until: 2026-01-01T00:00:00Z
    regions:
      - region: UA-43
        since: 2025-01-01T00:00:00Z
        until: 2026-01-01T00:00:00Z
    items:
      - item: ascend-910b
        since: 2025-01-01T00:00:00Z
        until: 2026-01-01T00:00:00Z
    chart:
      - classification: 3E001
        country: CA
        licence: false
        since: 2025-01-01T00:00:00Z
        until: 2026-01-01T00:00:00Z
    potential:
      - party: op
        names: [Op]
    cleared:
      - party: op
        names: [Opel]
        source: s
        as_of: 2026-01-06
    editions:
      - source: s
        as_of: 2025-12-01
        countries:
          - country: IR
            since: 2025-01-01T00:00:00Z
            until: 2026-01-01T00:00:00Z
        parties:
          - party: dev
            names: [Old Dev]
    source: s
    as_of: 2026-01-07
"""
UNKNOWN = "is no field of the catalog"
DATE = "an instant is RFC 3339 text"
OVERLAP = "begins before the one before it ends"
FIRST = {
    "developers.dev": "    name: Dev",
    "developers.dev.owners.0": "      - owner: Holding",
    "operators.op": "    name: Op",
    "operators.op.owners.0": "      - owner: Dev",
    "models.m": "    name: M",
    "models.m.restrictions.0": "      - letter: x-1",
    "models.m.access_terms": "      supported: l",
    "weights.w": "    repository: org/m",
    "weights.w.files.0": "      - path: a.safetensors",
    "deployments.m@a": "    mode: self_hosted",
    "deployments.m@a.readers.0": "      - role: support",
    "deployments.m@a.states.0": "      - state: suspended",
    "deployments.m@a.installed": "      weights: w",
    "lists.l": "    name: L",
    "lists.l.names.0": "      - names: [Somebody]",
    "lists.l.parties.0": "        names: [Dev]",
    "lists.l.countries.0": "      - country: CU",
    "lists.l.regions.0": "      - region: UA-43",
    "lists.l.items.0": "      - item: ascend-910b",
    "lists.l.chart.0": "      - classification: 3E001",
    "lists.l.potential.0": "        names: [Op]",
    "lists.l.cleared.0": "        names: [Opel]",
    "lists.l.editions.0": "        as_of: 2025-12-01",
    "lists.l.editions.0.countries.0": "          - country: IR",
    "lists.l.editions.0.parties.0": "            names: [Old Dev]",
}
"""Of each document a line that is there once."""
CHANGED = [
    # of the wrong type or form
    ("    name: Dev", "    name: 5", "developers.dev.name", "input should be"),
    ('    country: "NO"', "    country: Norway", "operators.op.country", "is no country's code: write that of ISO 3166-1"),
    ("      - owner: Holding", "      - owner: [x]", "developers.dev.owners.0.owner", "input should be"),
    ("    developer: dev", "    developer: 5", "models.m.developer", "input should be"),
    ("        persons: foreign", "        persons: 7", "models.m.restrictions.0.persons", "input should be"),
    ("      - path: a.safetensors", "      - path: 1", "weights.w.files.0.path", "input should be"),
    ("    mode: self_hosted", "    mode: cloud", "deployments.m@a.mode", "input should be"),
    ("    processing_countries: [DE]", "    processing_countries: DE", "deployments.m@a.processing_countries", "input should be"),
    ("      - role: support", "      - role: boss", "deployments.m@a.readers.0.role", "input should be"),
    ("      - state: suspended", "      - state: asleep", "deployments.m@a.states.0.state", "input should be"),
    ("    screening: true", "    screening: 1", "lists.l.screening", "input should be"),
    ("      - names: [Somebody]", "      - names: []", "lists.l.names.0.names", "tuple should have at least 1"),
    ("        names: [Dev]", "        names: Dev", "lists.l.parties.0.names", "input should be"),
    ("      - country: CU", "      - country: Cuba", "lists.l.countries.0.country", "is no country's code"),
    ("      - country: CU", "      - country: EU", "lists.l.countries.0.country", "`EU` is no country: name the member states"),
    ("      - region: UA-43", "      - region: Crimea", "lists.l.regions.0.region", "is no subdivision's code"),
    ("      - region: UA-43", "      - region: RU-CR", "lists.l.regions.0.region", "`RU-CR` is no code of ISO 3166-2: write `UA-43`"),
    ("      - item: ascend-910b", "      - item: Ascend 910B", "lists.l.items.0.item", "string should match"),
    ("      - classification: 3E001", "      - classification: EAR99", "lists.l.chart.0.classification", "string should match"),
    ("        licence: false", '        licence: "no"', "lists.l.chart.0.licence", "input should be"),
    ("        names: [Opel]", "        names: 7", "lists.l.cleared.0.names", "input should be"),
    # that leads nowhere
    ("        listed: [l]", "        listed: [ll]", "developers.dev.owners.0.listed.0", "`ll` is not among the lists"),
    ("        party: dev\n        since", "        party: x\n        since", "operators.op.owners.0.party", "`x` is no developer or operator"),
    ("    developer: dev", "    developer: x", "models.m.developer", "`x` is not among the developers"),
    ("      supported: l", "      supported: x", "models.m.access_terms.supported", "`x` is not among the lists"),
    ("    model: m\n    repository", "    model: x\n    repository", "weights.w.model", "`x` is not among the models"),
    ("    model: m\n    mode", "    model: x\n    mode", "deployments.m@a.model", "`x` is not among the models"),
    ("    operator: op", "    operator: x", "deployments.m@a.operator", "`x` is not among the operators"),
    ("      weights: w", "      weights: x", "deployments.m@a.installed.weights", "`x` is not among the weights"),
    ("      - party: dev\n        names: [Dev]", "      - party: x\n        names: [Dev]", "lists.l.parties.0.party", "`x` is no developer or operator"),
    ("      - party: op\n        names: [Op]", "      - party: x\n        names: [Op]", "lists.l.potential.0.party", "`x` is no developer or operator"),
    ("      - party: op\n        names: [Opel]", "      - party: x\n        names: [Opel]", "lists.l.cleared.0.party", "`x` is no developer or operator"),
    ("          - party: dev", "          - party: x", "lists.l.editions.0.parties.0.party", "`x` is no developer or operator"),
    # a date in a wrong form
    ("as_of: 2026-01-01\nop", "as_of: 1 January\nop", "developers.dev.as_of", "write a date as"),
    ("    as_of: 2026-01-05", "    as_of: 20260105", "deployments.m@a.as_of", "input should be a valid date"),
    ("        seen_from: 2026-01-01", "        seen_from: 2026-13-01", "lists.l.names.0.seen_from", ""),
    ("        as_of: 2026-01-06", "        as_of: 2026", "lists.l.cleared.0.as_of", "input should be a valid date"),
    ("        as_of: 2025-12-01", "        as_of: December", "lists.l.editions.0.as_of", "write a date as"),
    ("      since: 2025-02-01T00:00:00Z", "      since: 2025-02-01", "models.m.access_terms.since", DATE),
]  # fmt: skip
"""Old text, new text whose first line that differs is at fault, field, and cause."""
WINDOWS = {
    "developers.dev.owners": "      - owner: Holding",
    "operators.op.owners": "      - owner: Dev\n        party: dev",
    "lists.l.parties": "      - party: dev\n        names: [Dev]",
    "lists.l.countries": "      - country: CU",
    "lists.l.regions": "      - region: UA-43",
    "lists.l.items": "      - item: ascend-910b",
    "lists.l.chart": "      - classification: 3E001\n        country: CA\n        licence: false",
    "lists.l.editions.0.countries": "          - country: IR",
}
"""Members that hold for a time, by the field that has them."""


def refusal(text: str) -> str:
    with pytest.raises(CatalogError) as caught:
        compile_catalog([Source(name="base.yaml", data=text.encode())])
    return str(caught.value)


def line_of(text: str, part: str) -> int:
    assert text.count(part) == 1, part
    return text[: text.index(part)].count("\n") + 1


def test_the_catalog_is_good_without_a_fault() -> None:
    assert (
        compile_catalog([Source(name="base.yaml", data=GOOD.encode())]).version == "1"
    )


@pytest.mark.parametrize("place", FIRST)
def test_a_field_that_no_document_has_is_named(place: str) -> None:
    first = FIRST[place]
    indent = len(first) - len(first.lstrip(" -"))
    text = GOOD.replace(f"{first}\n", f"{first}\n{' ' * indent}colour: red\n")

    said = refusal(text)

    assert said.startswith(
        f"base.yaml:{line_of(text, 'colour: red')}: `{place}.colour`: {UNKNOWN}"
    )


@pytest.mark.parametrize(("old", "new", "place", "cause"), CHANGED)
def test_what_is_wrong_is_named_with_its_line(
    old: str, new: str, place: str, cause: str
) -> None:
    assert GOOD.count(old) == 1
    text = GOOD.replace(old, new)
    line = next(
        number
        for number, (was, now) in enumerate(
            zip(GOOD.splitlines(), text.splitlines(), strict=True), start=1
        )
        if was != now
    )

    said = refusal(text)

    assert said.startswith(f"base.yaml:{line}: `{place}`: {cause}")


@pytest.mark.parametrize("field", WINDOWS)
def test_a_window_that_overlaps_is_named(field: str) -> None:
    member = WINDOWS[field]
    indent = " " * (len(member) - len(member.lstrip(" ")) + 2)
    window = f"{member}\n{indent}since: 2025-06-01T00:00:00Z\n"
    text = GOOD.replace(f"{member}\n", f"{window}{member}\n", 1)

    said = refusal(text)

    assert said.startswith(f"base.yaml:{line_of(text, window.rstrip())}: `{field}.0`: ")
    assert OVERLAP in said


@pytest.mark.parametrize("field", WINDOWS)
def test_a_window_that_ends_before_it_begins_is_named(field: str) -> None:
    member = WINDOWS[field]
    after = GOOD[GOOD.index(f"{member}\n") :]
    turned = after.replace("since: 2025", "since: 2027", 1)
    text = GOOD.replace(after, turned)

    said = refusal(text)

    assert f"`{field}.0`: a window must end after it begins" in said
    assert said.startswith("base.yaml:")
