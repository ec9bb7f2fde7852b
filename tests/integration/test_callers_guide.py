"""The guide to callers shows what happens; it needs web frameworks to run."""

from __future__ import annotations

from pathlib import Path

from house.repository import DOCS
from house.test_readme import run_page, steady


def test_the_guide_to_callers_shows_what_its_code_prints(tmp_path: Path) -> None:
    shown, printed = run_page(DOCS / "how-to/name-the-caller.md", tmp_path)

    assert set(shown) == {"asgi", "threads"}
    assert {name: steady(text) for name, text in shown.items()} == {
        name: steady(printed[name]) for name in shown
    }
