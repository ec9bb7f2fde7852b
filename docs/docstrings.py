"""Turns docstrings of the house's form into Markdown."""

from __future__ import annotations

import inspect
import re
from typing import Final

_SECTION: Final = re.compile(r"^(Args|Raises|Returns|Yields):$")
_ENTRY: Final = re.compile(r"^ {4}([A-Za-z_*]+): (.*)$")


def first_line(thing: object) -> str:
    """Return the first sentence of a docstring."""
    return (inspect.getdoc(thing) or "").partition("\n\n")[0].replace("\n", " ")


def as_markdown(thing: object) -> str:
    """Return a docstring as Markdown; its sections become lists."""
    lines: list[str] = []
    inside = code = False
    for line in (inspect.getdoc(thing) or "").splitlines():
        section, entry = _SECTION.match(line), _ENTRY.match(line)
        if section:
            inside = True
            lines += [f"**{section[1]}**", ""]
        elif inside and entry:
            lines.append(f"- `{entry[1]}`: {entry[2]}")
        elif inside:
            lines.append(f"  {line.strip()}" if line.strip() else "")
        else:
            starts_code = line.startswith("    ")
            if line.strip() and starts_code != code:
                lines = [*_ended(lines), "```", ""] if code else [*lines, "```python"]
                code = starts_code
            lines.append(line.removeprefix("    ") if code else line)
    if code:
        lines = [*_ended(lines), "```"]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _ended(lines: list[str]) -> list[str]:
    """Return lines of code without the blank ones at their end."""
    while lines and not lines[-1]:
        lines = lines[:-1]
    return lines
