"""`policyguard policy matrix`: tables that fit, documents, pictures, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from integration.program import CALL, refused, run, written

ASKED = (
    "--rows", "deployment=glm-5.2@api.scaleway.ai,glm-5.2@open.bigmodel.cn",
    "--columns", "data.classes=none,pii", "--columns", "data.subjects=DE,US",
)  # fmt: skip


def matrix(*words: object) -> tuple[str, ...]:
    return ("policy", "matrix", *(str(word) for word in words))


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_table_fits_the_terminal_and_says_what_marks_mean(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))

    done = run(*matrix(*ASKED, "--columns", "caller.location"))

    assert done.exit_code == 0
    assert max(map(len, done.stdout.splitlines())) <= width
    for said in (
        "✗  denied",
        "✓  allowed",
        "unknown in every cell",
        " whole evaluations of bundle ",
    ):
        assert said in done.stdout


def test_the_document_and_the_lines_say_the_same(tmp_path: Path) -> None:
    words = matrix(*ASKED, "--call", written(tmp_path, CALL))

    document = json.loads(run(*words, "--json").stdout)
    lines = run(*words, "--csv").stdout.splitlines()

    assert document["counts"] == {"allow": 6, "deny": 2}
    assert len(lines) == 1 + len(document["cells"])
    assert lines[0] == "deployment,data.classes,data.subjects,verdict,rules,obligations"


def test_facts_are_listed_with_their_values() -> None:
    listed = json.loads(run(*matrix("--facts", "--json")).stdout)

    assert "pii+health" in listed["data.classes"]
    assert "glm-5.2@api.scaleway.ai" in listed["deployment"]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_picture_has_a_legend_and_digests_and_is_the_same_each_time(
    kind: str, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="the extra `pictures` is not installed")
    paths = [tmp_path / f"{number}.{kind}" for number in range(2)]

    digests = {
        json.loads(run(*matrix(*ASKED, "--picture", path, "--json")).stdout)["digest"]
        for path in paths
    }

    assert len(digests) == 1
    assert paths[0].read_bytes() == paths[1].read_bytes()
    if kind == "svg":
        text = " ".join(ET.parse(paths[0]).getroot().itertext())
        assert "x denied (2)" in text
        assert digests.pop()[:12] in text


def test_a_cell_at_which_no_rule_looked_is_marked_in_each_form(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra `pictures` is not installed")
    picture = tmp_path / "a.svg"
    asked = (
        "--rows", "caller.location=DE,IR", "--columns", "data.classes=none,pii",
        "--picture", picture,
    )  # fmt: skip

    table = run(*matrix(*asked)).stdout
    cells = json.loads(run(*matrix(*asked, "--json")).stdout)["cells"]

    assert [cell for cell in cells if "unlooked" in cell] == [
        {"row": "DE", "column": "none", "verdict": "allow", "objecting": [],
         "obligations": [], "unlooked": True}
    ]  # fmt: skip
    assert [line.split()[:2] for line in table.splitlines() if "∅" in line] == [
        ["DE", "∅"],
        ["∅", "allowed,"],
    ]
    drawn = " ".join(ET.parse(picture).getroot().itertext())
    assert "∅ allowed, and no rule looked (1)" in drawn


def test_what_cannot_be_asked_is_one_line_and_exits_2(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{", encoding="utf-8")
    for words, says in (
        (("--rows", "nope"), "there is no fact `nope`"),
        (("--rows", "at", "--columns", "data.subjects", "--cells", 9), " cells"),
        (("--picture", tmp_path / "a.gif"), "write *.png or *.svg"),
        (("--picture", tmp_path / "no" / "a.png"), "is no directory"),
        (("--call", broken), "broken.json"),
        (("--csv", "--json"), "not both"),
    ):
        done = run(*matrix(*words))
        refused(done, says=says)
        assert done.exit_code == 2
