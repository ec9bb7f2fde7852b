"""Reads what an author demands of a policy's tests: `[tool.policyguard]`.

    [tool.policyguard]
    policy = "policies"          # where modules and tests lie; default: the test's bundle
    min_coverage = 100           # per cent of lines that tests must reach
    min_rule_coverage = 100      # per cent of rules that they must reach in every line
    min_mutation_score = 95      # per cent of non-equivalent mutants that they must kill
    against = "origin/main"      # no rule may open what it closed in this revision of git
    mutable = ["deployment"]     # facts that `policy whatif` may change

    [tool.policyguard.golden."verdicts.csv"]   # a table of verdicts that may not change
    rows = ["data.classes"]                    # as `policyguard policy matrix` takes them
    columns = ["purpose.kind"]
    set = ["caller.location=US"]

Options of the command line go before it. A key that nobody knows is refused, so that a
gate with a typing error does not stand open.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from policyguard.errors import ConfigurationError

PROJECT: Final = "pyproject.toml"

_Percent = Annotated[float, Field(ge=0, le=100)]


class GoldenTable(BaseModel):
    """Is a table of verdicts that is kept in git: which facts it is about."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    rows: Annotated[tuple[str, ...], Field(min_length=1)]
    columns: tuple[str, ...] = ()
    set: tuple[str, ...] = ()
    """What a fact is in every cell."""


class Gates(BaseModel):
    """Is what must hold; what is not demanded is none."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    policy: str | None = None
    """Directory of modules and tests, relative to the file."""
    min_coverage: _Percent | None = None
    min_rule_coverage: _Percent | None = None
    min_mutation_score: _Percent | None = None
    against: Annotated[str, Field(min_length=1)] | None = None
    """A revision of git to which nothing may be opened."""
    golden: Mapping[str, GoldenTable] = {}
    """Tables of verdicts that may not change, by their file, relative to this one."""
    mutable: tuple[str, ...] | None = None
    """Facts that a counterfactual may change; `*` stands for any rest of a name."""


def read_gates(root: Path) -> Gates:
    """Return the gates of a project; none where it demands nothing.

    Args:
        root: The directory with `pyproject.toml`.

    Raises:
        ConfigurationError: the table is not what it should be; names the key.
    """
    file = root / PROJECT
    try:
        table = tomllib.loads(file.read_text("utf-8")).get("tool", {})
    except FileNotFoundError:
        return Gates()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"`{file}` cannot be read: {error}") from error
    try:
        return Gates.model_validate(table.get("policyguard", {}))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "the table"
        raise ConfigurationError(
            f"{PROJECT}: `[tool.policyguard]`: `{key}`: {first['msg'].lower()}: known are"
            f" {', '.join(Gates.model_fields)}"
        ) from error
