"""Ids, prices and the YAML of what was imported."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyguard.catalog.importers.overlay import (
    Imported,
    agreed,
    id_of,
    overlay_text,
    parse_source,
    price_of,
)
from policyguard.catalog.load import Source, compile_catalog
from policyguard.catalog.schema import CatalogFile, Model, Price
from policyguard.errors import CatalogError

BASE = 'version: "1"\n'
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40
).filter(lambda text: text.strip())


@pytest.mark.parametrize(
    ("given_usd", "tokens", "microusd"),
    [
        (0.1, 1_000_000, 100_000),
        (3, 1_000_000, 3_000_000),
        (4.29e-07, 1, 429_000),
        # Nothing seems cheaper than it is.
        (0.0000001, 1_000_000, 1),
        (0, 1, 0),
    ],
)
def test_a_price_is_in_whole_microdollars_and_rounded_up(
    given_usd: float, tokens: int, microusd: int
) -> None:
    assert price_of(given_usd, given_usd, tokens=tokens) == Price(
        input_microusd=microusd, output_microusd=microusd
    )


@pytest.mark.parametrize("bad", [None, True, "1", -1])
def test_a_price_that_is_not_said_in_full_is_unknown(bad: object) -> None:
    assert price_of(1, bad, tokens=1) is None
    assert price_of(bad, 1, tokens=1) is None


@given(TEXTS, TEXTS)
def test_two_names_never_share_an_id_by_accident(one: str, other: str) -> None:
    try:
        ids = {id_of(one), id_of(other)}
    except CatalogError:
        return
    assert (len(ids) == 1) == (one.lower() == other.lower())


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=8))
def test_an_overlay_is_read_back_as_what_was_imported(
    models: list[tuple[str, str]],
) -> None:
    file = CatalogFile(
        models={
            f"m{i}": Model(
                name=name, names=(other,), source=other, as_of=date(2026, 7, 2)
            )
            for i, (name, other) in enumerate(models)
        }
    )
    text = overlay_text(Imported(file=file, source="a\nb", sha256="0" * 64))

    read = compile_catalog(
        [Source(name="base.yaml", data=BASE.encode())],
        overlays=[Source(name="own.yaml", data=text.encode())],
    )
    assert read.entries == file


def test_words_that_yaml_could_misread_stay_words(tmp_path: Path) -> None:
    names = ("NO", "null", "5", "1e3", "true", "2026-07-02", "~", "a: b", "# c", "é")
    file = CatalogFile(
        models={"m": Model(name="NO", names=names, source="s", as_of=date(2026, 7, 2))}
    )
    text = overlay_text(Imported(file=file, source="s", sha256="0" * 64))

    read = compile_catalog(
        [Source(name="base.yaml", data=BASE.encode())],
        overlays=[Source(name="own.yaml", data=text.encode())],
    )
    assert read.entries.models["m"].names == names


def test_what_sources_contradict_is_unknown() -> None:
    assert agreed([True, None, True]) is True
    assert agreed([True, False]) is None
    assert agreed([]) is None


@pytest.mark.parametrize("data", [b"", b"{", b'{"a": 1, "a": 2}', b"\xff"])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(CatalogError, match=r"the thing: .*fetch it again"):
        parse_source(data, what="the thing")
