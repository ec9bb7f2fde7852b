"""Parses a bundle's golden vectors: inputs, and what the bundle promises for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    JsonValue,
    StringConstraints,
    ValidationError,
)

from policyguard.bundle.files import GOLDEN, MAX_FILE_BYTES
from policyguard.canonical import Json, parse_json
from policyguard.errors import BundleError, FormatError

Verdict: TypeAlias = Literal["allow", "deny", "require_approval", "unavailable"]


class _Form(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, hide_input_in_errors=True
    )


class _Vector(_Form):
    name: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    input: dict[str, JsonValue]
    verdict: Verdict
    rules: list[str]


class _File(_Form):
    catalog: dict[str, JsonValue]
    vectors: list[_Vector]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenVector:
    """Is one input and the answer that is promised for it."""

    name: str
    input: dict[str, Json]
    verdict: Verdict
    rules: tuple[str, ...]
    """The ids of all findings, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenSet:
    """Is every golden vector of a bundle, and the catalog that they refer to."""

    catalog: dict[str, Json]
    vectors: tuple[GoldenVector, ...]


def parse_golden(data: bytes) -> GoldenSet:
    """Parse the bytes of `golden/vectors.json`.

    Raises:
        BundleError: not JSON, a field that is missing, unknown or wrong, or a name
            that is given twice.
    """
    try:
        return golden_of(parse_json(data, max_bytes=MAX_FILE_BYTES))
    except FormatError as error:
        raise BundleError(f"{GOLDEN}: {error}") from error


def golden_of(document: Json) -> GoldenSet:
    """Read golden vectors from a parsed document.

    Raises:
        BundleError: a field that is missing, unknown or wrong, or a name that is
            given twice.
    """
    try:
        form = _File.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the top"
        raise BundleError(f"{GOLDEN}: `{place}`: {first['msg'].lower()}") from error
    names = [vector.name for vector in form.vectors]
    for name in names:
        if names.count(name) > 1:
            raise BundleError(f"{GOLDEN}: the name `{name}` is given twice: rename one")
    return GoldenSet(
        catalog=cast("dict[str, Json]", form.catalog),
        vectors=tuple(
            GoldenVector(
                name=vector.name,
                input=cast("dict[str, Json]", vector.input),
                verdict=vector.verdict,
                rules=tuple(sorted(vector.rules)),
            )
            for vector in form.vectors
        ),
    )
