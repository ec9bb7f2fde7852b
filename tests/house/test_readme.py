"""What the README and the tutorial show is what happens.

A Python block under `<!-- test: NAME -->` is run; the blocks of a page share a
namespace, as a reader's session would. A `text` block under
`<!-- test: NAME-output -->` is what that block prints, and a `toml` or `yaml` block
is written to the file that its first line names, as in `# policyguard.toml`. Blocks
whose name begins with `shell-` are run afterwards, one by one, in the same folder.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from house.repository import DOCS, ROOT, marked_blocks, name_of

RUNNER = Path(__file__).with_name("runner.py")
PAGES = [
    ROOT / "README.md",
    DOCS / "tutorial/first-ten-minutes.md",
    DOCS / "how-to/count-people.md",
    DOCS / "how-to/declare-facts.md",
    DOCS / "how-to/guard-a-function.md",
    DOCS / "how-to/guard-an-openai-client.md",
    DOCS / "how-to/route-by-cost.md",
    DOCS / "how-to/watch-decisions.md",
    DOCS / "how-to/when-a-call-is-denied.md",
    *sorted((DOCS / "how-to/questions").glob("*-*.md")),
]
# What differs from run to run, and how a page may write it.
VOLATILE = {
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}": "ID",
    r"entry \d+ of \S+": "ENTRY",
    r"[0-9a-f]{8}-…": "ID",
}
BORDER = "--- end of a block ---"


def steady(text: str) -> str:
    for pattern, word in VOLATILE.items():
        text = re.sub(pattern, word, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _run(*command: str, folder: Path) -> str:
    """Run a program as a reader would who has installed the package."""
    installed = Path(sys.executable).parent
    done = subprocess.run(
        command,
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{installed}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "tests"),
            "HOME": str(folder),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_page(page: Path, folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Run a page's blocks, and return what each shows and what each printed."""
    blocks = marked_blocks(page)
    shown = {
        name.removesuffix("-output"): text
        for name, text in blocks.items()
        if name.endswith("-output")
    }
    code: dict[str, str] = {}
    shell: dict[str, str] = {}
    for name, text in blocks.items():
        file = re.match(r"# (\S+\.(?:toml|yaml))\n", text)
        if file:
            (folder / file[1]).write_text(text + "\n", "utf-8")
        elif name.startswith("shell-"):
            shell[name] = text
        elif name not in {f"{shown_name}-output" for shown_name in shown}:
            code[name] = text
    script = folder / "page.py"
    script.write_text(f"\nprint({BORDER!r})\n".join(code.values()) + "\n", "utf-8")
    done = _run(sys.executable, str(RUNNER), str(script), folder=folder)
    printed = dict(zip(code, done.split(f"{BORDER}\n"), strict=True))
    for name, text in shell.items():
        printed[name] = _run("sh", "-eu", "-c", text, folder=folder)
    return shown, printed


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_shows_what_its_code_prints(page: Path, tmp_path: Path) -> None:
    shown, printed = run_page(page, tmp_path)

    assert printed, "the page has no block under `<!-- test: NAME -->`"
    assert {name: steady(text) for name, text in shown.items()} == {
        name: steady(printed[name]) for name in shown
    }


def test_the_readme_names_the_two_commands_and_fits_a_screen() -> None:
    text = (ROOT / "README.md").read_text("utf-8")

    assert "make demo" in text
    assert "make test" in text
    assert len(text.splitlines()) <= 120
