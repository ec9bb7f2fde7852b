"""The law of the settings file: any bytes give settings, or one clear refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyguard.errors import ConfigurationError
from policyguard.settings import Settings, load_settings

SECTIONS = ["bundle", "catalog", "trail", "engine", "tenant", "tenant.contracts", "x"]
KEYS = ["path", "digest", "directory", "name", "id", "profile", "establishment", "y"]
VALUES = [
    "1",
    '"x"',
    "true",
    "[]",
    "[1]",
    "{}",
    "2026-01-01",
    '"\\u0000"',
    "nan",
    '"DE"',
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings") / "policyguard.toml"


def answer(file: Path) -> str | Settings:
    """Return the settings, or why there are none."""
    try:
        return load_settings(file)
    except ConfigurationError as error:
        return str(error)


def is_settings_or_one_line(file: Path) -> bool:
    given_back = answer(file)
    return isinstance(given_back, Settings) or (
        str(file) in given_back and "\n" not in given_back
    )


@settings(max_examples=200)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_settings_or_refused_in_one_line(data: bytes, file: Path) -> None:
    file.write_bytes(data)

    assert is_settings_or_one_line(file)
    assert file.read_bytes() == data


lines = st.one_of(
    st.sampled_from(SECTIONS).map(lambda name: f"[{name}]"),
    st.sampled_from(SECTIONS).map(lambda name: f"[[{name}]]"),
    st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)).map(" = ".join),
)


@settings(max_examples=300)
@given(given_lines=st.lists(lines, max_size=8))
def test_any_toml_is_settings_or_refused_in_one_line(
    given_lines: list[Any], file: Path
) -> None:
    file.write_text("\n".join(given_lines), "utf-8")

    assert is_settings_or_one_line(file)
    assert file.is_file()
