"""Laws of bundles: what any bytes do to their parsers, and what a rulebook means."""

from __future__ import annotations

from bisect import bisect_right

from hypothesis import example, given
from hypothesis import strategies as st

from policyguard.bundle.golden import parse_golden
from policyguard.bundle.manifest import parse_manifest
from policyguard.bundle.metadata import parse_metadata
from policyguard.bundle.rulebook import read_rules, rulebook_document
from policyguard.bundle.shipped import parse_digests
from policyguard.errors import BundleError

JSON_LIKE = st.text(
    alphabet='{}[]",:0123456789.eE- \\urevisonptlgackm_\ufeff\0', max_size=80
).map(lambda text: text.encode("utf-8", "surrogatepass"))
LINES = st.lists(
    st.sampled_from(
        [
            "# METADATA",
            "#",
            "# title: a",
            "# title: [a",
            "# custom:",
            "#   id: EAR-01",
            "#   as_of: 2026-01-01",
            "#   severity: high",
            "#   effective:",
            "#   - {from: null, to: null, status: in_force, verified: true}",
            "#   - &a {from: 2026-01-01, to: 0001-01-01T00:00:00+14:00}",
            "# ? [a]",
            "# related_resources: [x, {ref: y}, *a]",
            "# ---",
            "# %YAML 1.1",
            "# !!python/object:os.system {}",
            "# <<: {a: 1}",
            "# 2026-99-99: .inf",
            "\t# - 1",
            "package t",
            "x := 1",
            "",
        ]
    )
    | st.text(max_size=12).map(lambda text: f"#{text}"),
    max_size=14,
).map("\n".join)


def _read(parse: object, value: object) -> str:
    try:
        parse(value)  # type: ignore[operator]
    except BundleError:
        return "refused"
    return "read"


@given(data=st.binary(max_size=200) | JSON_LIKE)
def test_any_bytes_are_a_manifest_or_refused(data: bytes) -> None:
    assert _read(parse_manifest, data) in {"read", "refused"}


@given(data=st.binary(max_size=200) | JSON_LIKE)
def test_any_bytes_are_golden_vectors_or_refused(data: bytes) -> None:
    assert _read(parse_golden, data) in {"read", "refused"}


@given(text=st.text(max_size=200))
def test_any_text_is_the_shipped_digests_or_refused(text: str) -> None:
    assert _read(parse_digests, text) == "refused"


@given(text=LINES)
@example(text="# METADATA\n# a: " + "- " * 8_000 + "\nx := 1")
@example(text="# METADATA\n# 0001-01-01T00:00:00+14:00: 1\nx := 1")
@example(
    text="# METADATA\n# custom: {effective: [{from: 0001-01-01T00:00:00+14:00}]}\nx"
)
def test_any_comments_are_metadata_or_refused(text: str) -> None:
    outcome = _read(lambda module: read_rules([("a/b.rego", module)]), text)

    assert outcome in {"read", "refused"}


@given(text=st.text(max_size=200))
def test_text_without_metadata_has_none(text: str) -> None:
    module = text.replace("METADATA", "metadata")

    assert parse_metadata(file="a.rego", text=module) == ()


@given(
    edges=st.lists(st.integers(0, 40), min_size=2, max_size=8, unique=True).map(sorted),
    statuses=st.lists(
        st.sampled_from(["in_force", "suspended", "proposed"]), min_size=8, max_size=8
    ),
    at=st.integers(-1, 41),
)
def test_the_interval_of_an_instant_has_the_status_of_its_window(
    edges: list[int], statuses: list[str], at: int
) -> None:
    windows = list(zip(edges[::2], edges[1::2], statuses, strict=False))
    text = "# METADATA\n# title: a\n# custom:\n#   id: EAR-01\n#   citation: b\n"
    text += "#   severity: low\n#   as_of: 2026-01-01\n#   effective:\n"
    for since, until, status in windows:
        text += f"#   - {{from: 1970-01-01T00:00:{since:02}Z, to: 1970-01-01T00:00:{until:02}Z,"
        text += f" status: {status}, verified: true}}\n"
    rules = read_rules([("a/b.rego", f"{text}x := 1\n")])
    document = rulebook_document(revision="1", rules=rules)

    expected = [status for since, until, status in windows if since <= at < until]
    interval = document["intervals"][bisect_right(document["boundaries"], at)]
    assert [entry["status"] for entry in interval.values()] == expected
