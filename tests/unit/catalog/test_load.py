"""How files become a catalog, and how each thing that is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from policyguard.canonical import digest_of
from policyguard.catalog.load import Source, compile_catalog, load_catalog
from policyguard.catalog.yaml_text import MAX_BYTES
from policyguard.errors import CatalogError

BASE = """\
version: "1"
developers:
  dev: {name: Dev, source: s, as_of: 2026-01-01}
operators:
  op: {name: Op, country: "NO", source: s, as_of: 2026-01-01}
models:
  m:
    name: M
    family: f
    developer: dev
    names: [M-1]
    source: s
    as_of: 2026-01-01
deployments:
  m@a:
    model: m
    mode: vendor_api
    operator: op
    hosts: [a.example]
    processing_countries: [DE]
    source: s
    as_of: 2026-01-01
"""
ENTRY = "source: s, as_of: 2026-01-01"


def source(text: str, name: str = "base.yaml") -> Source:
    return Source(name=name, data=text.encode())


def refusal(text: str, *more: Source, overlay: str | None = None) -> str:
    overlays = [] if overlay is None else [source(overlay, "own.yaml")]
    with pytest.raises(CatalogError) as caught:
        compile_catalog([source(text), *more], overlays=overlays)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "[DE]",
            "[DE, Germany]",
            (
                "base.yaml:20: `deployments.m@a.processing_countries.1`:"
                " is no country's code: write that of ISO 3166-1 alpha-2, as `DE`"
            ),
        ),
        (
            "[DE]",
            "[DE, UK]",
            (
                "base.yaml:20: `deployments.m@a.processing_countries.1`:"
                " `UK` is no country's code: write `GB`"
            ),
        ),
        ("name: M", "title: M", "base.yaml:7: `models.m.name`: is missing (and 1"),
        (
            "mode: vendor_api",
            "mode: api",
            "base.yaml:17: `deployments.m@a.mode`: input should be 'self_hosted',",
        ),
        ("    name: M", "    name: 5", "base.yaml:8: `models.m.name`: input should be"),
        (
            "  m:\n    name",
            "  M!:\n    name",
            "base.yaml:7: `models.M!`: string should match",
        ),
        ("[M-1]", "[M-1]\n    version: 5", "base.yaml:12: `models.m.version`: input"),
        (
            "[M-1]",
            "[M-1]\n    open_weights: yes",
            "base.yaml:12: `models.m.open_weights",
        ),
        ("developers:", "makers:", "base.yaml:2: `makers`: is no field of the catalog"),
        (
            "developer: dev",
            "developer: nobody",
            (
                "base.yaml:10: `models.m.developer`: `nobody` is not among the developers"
                " of the catalog"
            ),
        ),
        (
            "family: f",
            "family: f\n    base_models: [n]",
            "base.yaml:10: `models.m.base_models.0`: `n` is not among the models",
        ),
        (
            "family: f",
            "family: f\n    base_models: [m]",
            "base.yaml:10: `models.m.base_models`: a model is its own ancestor",
        ),
        (
            "    model: m",
            "    model: n",
            "base.yaml:16: `deployments.m@a.model`: `n` is not among the models",
        ),
        (
            "operator: op",
            "operator: x",
            "base.yaml:18: `deployments.m@a.operator`: `x` is not among the operators",
        ),
        (
            "operator: op",
            "operator: op\n    host_cloud: x",
            "base.yaml:19: `deployments.m@a.host_cloud`: `x` is not among the operators",
        ),
        (
            "operator: op",
            "operator: op\n    installed: {weights: w}",
            (
                "base.yaml:19: `deployments.m@a.installed.weights`: `w` is not among the"
                " weights of the catalog (and 1 more)"
            ),
        ),
        (
            "operator: op",
            "operator: op\n    installed: {}",
            (
                "base.yaml:19: `deployments.m@a.installed`: only a self_hosted deployment"
                " has it, and this is vendor_api"
            ),
        ),
        (
            "[a.example]",
            "[a.example.]",
            (
                "base.yaml:19: `deployments.m@a.hosts.0`: `a.example.` is no host:"
                " write `a.example`"
            ),
        ),
        (
            "[a.example]",
            "[a..example]",
            "base.yaml:19: `deployments.m@a.hosts.0`: `a..example` is no host",
        ),
        (
            "as_of: 2026-01-01\ndep",
            "as_of: 20260101\ndep",
            "base.yaml:13: `models.m.as_of`: input should be a valid date",
        ),
        (
            "as_of: 2026-01-01\ndep",
            'as_of: "20260101"\ndep',
            "base.yaml:13: `models.m.as_of`: write a date as `2026-07-02`",
        ),
        (
            'version: "1"\n',
            "",
            "no file of the catalog states its `version`: add it to",
        ),
    ],
)
def test_what_is_wrong_is_named_with_file_line_and_field(
    old: str, new: str, message: str
) -> None:
    assert BASE.count(old) == 1
    assert refusal(BASE.replace(old, new))[: len(message)] == message


def test_an_id_that_two_files_have_is_refused() -> None:
    twin = source(f"operators:\n  op: {{name: Op, {ENTRY}}}", "twin.yaml")
    assert refusal(BASE, twin) == (
        "twin.yaml:2: `operators.op`: is also in base.yaml: keep one of them"
    )


def test_two_files_that_state_the_version_are_refused() -> None:
    assert refusal(BASE, source("version: '2'", "z.yaml")) == (
        "z.yaml:1: `version`: the catalog is already `1`: one file states the version"
    )


def test_two_deployments_that_answer_to_one_name_at_one_host_are_refused() -> None:
    twin = f"""\
deployments:
  m@b:
    model: m
    mode: gateway
    hosts: [b.example, a.example]
    names: [x, M-1]
    {ENTRY.replace(", ", chr(10) + "    ")}
"""
    assert refusal(BASE, source(twin, "twin.yaml")) == (
        "twin.yaml:6: `deployments.m@b.names`: `M-1` at `a.example` is already `m@a`:"
        " give each deployment its own name or host"
    )


def test_weights_of_another_model_are_refused() -> None:
    more = f"""\
models:
  n: {{name: N, family: f, {ENTRY}}}
weights:
  w: {{model: n, repository: r, {ENTRY}}}
deployments:
  m@self:
    {{model: m, mode: self_hosted, installed: {{weights: w}}, {ENTRY}}}
"""
    assert refusal(BASE, source(more, "more.yaml")) == (
        "more.yaml:7: `deployments.m@self.installed.weights`: these are weights of"
        " `n`, not of `m`"
    )


@pytest.mark.parametrize(
    ("first", "second", "fault"),
    [
        ("{}", "{}", "a window of"),
        ("until: 2026-02-01T00:00:00Z", "since: 2026-01-31T23:59:59Z", "a window of"),
        ("since: 2026-03-01T00:00:00Z", "since: 2026-02-01T00:00:00Z", "a window of"),
        ("until: 2026-02-01T00:00:00Z", "since: 2026-02-01T00:00:00Z", None),
    ],
)
def test_windows_of_one_member_must_not_overlap(
    first: str, second: str, fault: str | None
) -> None:
    windows = [item if item != "{}" else "verified: true" for item in (first, second)]
    parties = ", ".join(f"{{party: dev, names: [D], {item}}}" for item in windows)
    countries = ", ".join(f"{{country: 'NO', {item}}}" for item in windows)
    for field, entries in (("parties", parties), ("countries", countries)):
        text = f"lists:\n  l: {{name: L, {field}: [{entries}], {ENTRY}}}"
        sources = [source(BASE), source(text, "lists.yaml")]
        if fault is None:
            assert compile_catalog(sources).list_of("l").name == "L"
        else:
            with pytest.raises(
                CatalogError, match=rf"^lists\.yaml:2: `lists\.l\.{field}"
            ):
                compile_catalog(sources)


def test_a_listed_party_must_be_known() -> None:
    text = "lists:\n  l:\n    name: L\n    source: s\n    as_of: 2026-01-01\n"
    text += "    parties:\n      - {party: op, names: [O]}\n      - {party: x, names: [X]}\n"
    assert refusal(BASE, source(text, "lists.yaml")) == (
        "lists.yaml:8: `lists.l.parties.1.party`: `x` is no developer or operator of"
        " the catalog"
    )


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (
            "operators: {a: {name: A, parent: x, ENTRY}}",
            "`operators.a.parent`: `x` is no developer or operator of the catalog",
        ),
        (
            "developers: {a: {name: A, owners: [{owner: X, party: x}], ENTRY}}",
            (
                "`developers.a.owners.0.party`: `x` is no developer or operator of the"
                " catalog"
            ),
        ),
        (
            "models: {n: {name: N, family: n, access_terms: {supported: x}, ENTRY}}",
            (
                "`models.n.access_terms.supported`: `x` is not among the lists of the"
                " catalog"
            ),
        ),
    ],
)
def test_an_owner_a_parent_and_the_lists_of_terms_must_be_known(
    entry: str, fault: str
) -> None:
    own = source(entry.replace("ENTRY", ENTRY) + "\n", "own.yaml")

    assert refusal(BASE, own) == f"own.yaml:1: {fault}"


def test_two_shares_of_one_owner_at_one_time_are_refused() -> None:
    shares = "[{owner: Op, party: op}, {owner: Op, party: op, share_bp: 1}]"
    own = f"operators:\n  a: {{name: A, owners: {shares}, {ENTRY}}}\n"

    assert refusal(BASE, source(own, "own.yaml")) == (
        "own.yaml:2: `operators.a.owners.1`: a window of `op` begins before the one"
        " before it ends"
    )


def test_an_instant_that_is_no_whole_second_is_refused() -> None:
    text = f"""\
lists:
  l: {{name: L, countries: [{{country: DE, since: 2026-01-01T00:00:00.5Z}}], {ENTRY}}}
"""
    assert refusal(BASE, source(text, "lists.yaml")) == (
        "lists.yaml:2: `lists.l.countries.0.since`: an instant of the catalog is a"
        " whole second"
    )


def test_an_instant_beyond_the_calendar_is_refused() -> None:
    since = "0001-01-01T00:00:00+14:00"
    countries = f"[{{country: DE, since: {since}}}]"
    text = f"lists:\n  l: {{name: L, {ENTRY}, countries: {countries}}}"
    assert refusal(BASE, source(text, "lists.yaml")) == (
        "lists.yaml:2: `lists.l.countries.0.since`: an instant lies between the years 1"
        " and 9999, in UTC"
    )


def test_an_overlay_adds_entries_and_its_version() -> None:
    own = f"version: acme.1\noperators:\n  acme: {{name: Acme, {ENTRY}}}\n"
    catalog = compile_catalog([source(BASE)], overlays=[source(own, "own.yaml")])
    assert (catalog.version, catalog.replaced) == ("1+acme.1", ())
    assert sorted(catalog.entries.operators) == ["acme", "op"]


def test_an_overlay_replaces_only_what_it_says_it_replaces() -> None:
    own = f"operators:\n  op: {{name: Ours, {ENTRY}}}\n"
    assert refusal(BASE, overlay=own) == (
        "own.yaml:2: `operators.op`: is shipped in base.yaml: choose another id, or"
        " say `replaces: true` and cite your source"
    )
    said = source(own.replace("name:", "replaces: true, name:"), "own.yaml")
    catalog = compile_catalog([source(BASE)], overlays=[said])
    assert (catalog.operator("op").name, catalog.replaced) == ("Ours", ("op",))
    assert catalog.document["replaced"] == ["op"]


def test_there_must_be_something_to_replace() -> None:
    own = "operators:\n  x:\n    replaces: true\n    name: X\n    source: s\n"
    assert refusal(BASE, overlay=own + "    as_of: 2026-01-01\n") == (
        "own.yaml:3: `operators.x.replaces`: there is no shipped entry of this id to"
        " replace"
    )


def test_a_shipped_entry_replaces_nothing() -> None:
    text = BASE.replace("name: Op,", "name: Op, replaces: true,")
    assert refusal(text) == (
        "base.yaml:5: `operators.op.replaces`: only an entry of an overlay replaces"
        " another"
    )


def test_the_document_is_what_rules_read() -> None:
    text = """\
lists:
  l:
    name: L
    max_age_days: 7
    source: s
    as_of: 2026-01-01
    parties:
      - {party: dev, names: [B], since: 2026-01-02T00:00:00Z}
      - {party: dev, names: [A], until: 2026-01-02T01:00:00+01:00, source: t}
    countries: [{country: "NO", condition: c, verified: false}]
"""
    catalog = compile_catalog([source(BASE), source(text, "lists.yaml")])
    document = catalog.document
    assert document["lists"] == {
        "l": {
            "name": "L",
            "source": "s",
            "as_of": "2026-01-01",
            "max_age_days": 7,
            "parties": {
                "dev": [
                    {
                        "names": ["A"],
                        "scope": None,
                        "policy": None,
                        "covers": None,
                        "verified": False,
                        "source": "t",
                        "since": None,
                        "until": 1767312000,
                    },
                    {
                        "names": ["B"],
                        "scope": None,
                        "policy": None,
                        "covers": None,
                        "verified": False,
                        "source": None,
                        "since": 1767312000,
                        "until": None,
                    },
                ]
            },
            "countries": {
                "NO": [
                    {
                        "condition": "c",
                        "verified": False,
                        "source": None,
                        "since": None,
                        "until": None,
                    }
                ]
            },
            "regions": {},
            "items": {},
            "potential": {},
            "chart": {},
        }
    }
    assert document["operators"] == {
        "op": {
            "name": "Op",
            "legal_name": None,
            "country": "NO",
            "control_country": None,
            "parent": None,
            "owners": None,
            "source": "s",
            "as_of": "2026-01-01",
        }
    }
    assert catalog.digest == digest_of(document)


def test_changing_a_copy_of_the_document_changes_no_catalog() -> None:
    catalog = compile_catalog([source(BASE)])
    catalog.document["models"] = {}
    assert sorted(catalog.document["models"]) == ["m"]  # type: ignore[arg-type]


def test_what_the_catalog_does_not_have_is_said() -> None:
    catalog = compile_catalog([source(BASE)])
    for find, kind in (
        (catalog.developer, "developer"),
        (catalog.model, "model"),
        (catalog.weights, "set of weights"),
        (catalog.operator, "operator"),
        (catalog.deployment, "deployment"),
        (catalog.list_of, "list"),
        (catalog.deployments_of, "model"),
    ):
        with pytest.raises(CatalogError, match=f"^the catalog has no {kind} `x`$"):
            find("x")


def test_files_and_directories_are_read(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    by_directory = load_catalog([tmp_path])
    assert by_directory == load_catalog([str(tmp_path / "base.yaml")])
    assert by_directory == compile_catalog([source(BASE)])


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    missing = tmp_path / "no.yaml"
    for path, message in (
        (missing, f"cannot read `{missing}`: no such file or directory"),
        (tmp_path, f"`{tmp_path}` holds no `*.yaml`: name the catalog's directory"),
    ):
        with pytest.raises(CatalogError) as caught:
            load_catalog([path])
        assert str(caught.value) == message


def test_a_path_that_no_system_has_is_refused() -> None:
    with pytest.raises(CatalogError, match=r"^cannot read `a\x00b`: "):
        load_catalog(["a\0b"])


def test_too_many_bytes_are_refused() -> None:
    huge = Source(name="f.yaml", data=b"#" * (MAX_BYTES + 1))
    with pytest.raises(CatalogError, match=r"^f\.yaml: larger than 8388608 bytes"):
        compile_catalog([huge])


def test_bytes_that_are_no_text_are_refused_with_their_line() -> None:
    with pytest.raises(CatalogError, match=r"^f\.yaml:2: not UTF-8: save it so$"):
        compile_catalog([Source(name="f.yaml", data=b"a: 1\nb: \xff")])
