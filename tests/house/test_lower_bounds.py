"""A lower bound is a promise: `make oldest` and `make sdks` install exactly it."""

from __future__ import annotations

import re
import tomllib
from itertools import chain

from house.repository import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version


def bounds() -> dict[str, Version]:
    """Return the oldest version of each dependency that is allowed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = map(Requirement, [*project["dependencies"], *chain.from_iterable(extras)])
    return {
        canonicalize_name(item.name): Version(part.version)
        for item in wanted
        for part in item.specifier
        if part.operator == ">="
    }


def tried() -> dict[str, Version]:
    """Return the versions that the lock files of old packages have."""
    texts = [
        (ROOT / "requirements" / name).read_text("utf-8")
        for name in ("oldest.lock", "lowest.lock")
    ]
    return {
        canonicalize_name(name): Version(version)
        for text in texts
        for name, version in re.findall(r"^([\w.-]+)==([^ ;]+)", text, re.MULTILINE)
    }


def test_each_lower_bound_is_the_version_that_the_tests_run_with() -> None:
    known = tried()
    assert {
        name: (bound, known.get(name))
        for name, bound in bounds().items()
        if known.get(name) != bound
    } == {}
