"""Parses the `.manifest` of a bundle.

Specification: OPA bundles, `.manifest`, of which a policy bundle of ours has
`revision`, `roots` and `rego_version` and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from policyguard.bundle.files import MANIFEST
from policyguard.canonical import Json, parse_json
from policyguard.errors import BundleError, FormatError

MAX_BYTES: Final = 64 * 1024

_Root = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(/[A-Za-z_]\w*)*$")]
_PACKAGE: Final = re.compile(
    r"(?:\s|#[^\n]*\n)*package[ \t]+([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)[ \t]*(?:#|\r?\n|$)",
    re.ASCII,
)


class _Form(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, hide_input_in_errors=True
    )

    revision: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$")
    ]
    roots: Annotated[list[_Root], Field(min_length=1, max_length=64)]
    rego_version: Literal[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Is what a bundle says of itself."""

    revision: str
    roots: tuple[str, ...]
    """Paths below `data` that the bundle owns, as `policyguard/rules`."""

    def require_owned(self, *, path: str, text: str) -> None:
        """Check that a module's package lies in a root.

        Args:
            path: The module's path inside the bundle, for the message.
            text: The module.

        Raises:
            BundleError: it has no package that can be read, or one outside the roots.
        """
        package = package_of(path=path, text=text)
        place = package.replace(".", "/")
        if not any(_within(place, root) for root in self.roots):
            raise BundleError(
                f"{path}: package `{package}` is outside the bundle's roots"
                f" `{', '.join(self.roots)}`"
            )

    def require_owned_data(self, *, path: str, document: Mapping[str, Json]) -> None:
        """Check that every value of a document lies in a root.

        Args:
            path: The document's path inside the bundle, for the message.
            document: The document, from the top of `data`.

        Raises:
            BundleError: a value lies outside the roots.
        """
        for place in _leaves(document):
            if not any(_within(place, root) for root in self.roots):
                raise BundleError(
                    f"{path}: data at `{place}` is outside the bundle's roots"
                    f" `{', '.join(self.roots)}`"
                )


def package_of(*, path: str, text: str) -> str:
    """Return the package of a module, as `policyguard.rules`.

    Args:
        path: The module's path inside the bundle, for the message.
        text: The module.

    Raises:
        BundleError: it has no package that can be read.
    """
    match = _PACKAGE.match(text)
    if match is None:
        raise BundleError(f"{path}: begins with no `package` of plain names")
    return match[1]


def parse_manifest(data: bytes) -> Manifest:
    """Parse the bytes of a `.manifest`.

    Raises:
        BundleError: not JSON, a field that is missing, unknown or wrong, or roots
            that overlap.
    """
    try:
        form = _Form.model_validate(parse_json(data, max_bytes=MAX_BYTES))
    except FormatError as error:
        raise BundleError(f"{MANIFEST}: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the top"
        raise BundleError(f"{MANIFEST}: `{place}`: {first['msg'].lower()}") from error
    for index, root in enumerate(form.roots):
        for other in form.roots[index + 1 :]:
            if _within(root, other) or _within(other, root):
                raise BundleError(
                    f"{MANIFEST}: roots `{root}` and `{other}` overlap: keep the wider"
                )
    return Manifest(revision=form.revision, roots=tuple(form.roots))


def _leaves(document: Mapping[str, Json], above: str = "") -> Iterator[str]:
    for key, value in document.items():
        place = f"{above}/{key}" if above else key
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, place)
        else:
            yield place


def _within(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")
