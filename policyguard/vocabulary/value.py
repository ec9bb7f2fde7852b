"""What every noun of the vocabulary is made of: a frozen value and its field types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    WithJsonSchema,
)

from policyguard.vocabulary.countries import country, pattern, subdivision

T = TypeVar("T", bound=BaseModel)

_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_BRANCH: Final = re.compile(r"(?:function-[a-z]+|tuple|literal)\[.*\]")
COUNTRY_PATTERN: Final = f"^{pattern()}$"
"""What a JSON Schema says of a country's code: one of those that there are."""
SUBDIVISION_PATTERN: Final = f"^{pattern()}-[A-Z0-9]{{1,3}}$"
"""What it says of a subdivision's code: of a country that there is."""


class Value(BaseModel):
    """Is a frozen value that refuses fields which it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, ser_json_inf_nan="null"
    )


def built(kind: type[T], fields: dict[str, Any]) -> T:
    """Return a value of which every field was validated, without validating it again.

    Args:
        kind: What it is.
        fields: All of its fields, each as validation would leave it.
    """
    # As `model_construct` does, which looks at each field in turn.
    made = kind.__new__(kind)
    object.__setattr__(made, "__dict__", fields)
    object.__setattr__(made, "__pydantic_fields_set__", set(fields))
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made


def place_of(error: Mapping[str, Any]) -> tuple[int | str, ...]:
    """Return where a fault is, as a person writes it.

    Args:
        error: One of `ValidationError.errors()`; pydantic names in it the branches of a
            union that a value was tried for, too.
    """
    return tuple(part for part in error["loc"] if not _BRANCH.fullmatch(str(part)))


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("an instant needs its offset: write `…Z` for UTC")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(
            "an instant lies between the years 1 and 9999, in UTC"
        ) from error


def _no_number(given: object) -> object:
    # A number, or a text that is one, would be read as seconds since 1970, which
    # nobody means. Parsed here, because strict validation takes no text from a
    # function.
    if isinstance(given, str):
        if _RFC_3339.fullmatch(given) is None:
            raise ValueError("an instant is RFC 3339 text, as `2026-07-10T12:00:00Z`")
        return datetime.fromisoformat(given)
    if isinstance(given, (int, float)):
        raise ValueError("an instant is RFC 3339 text, and no number")  # noqa: TRY004 -- pydantic reads ValueError
    return given


Instant = Annotated[datetime, BeforeValidator(_no_number), AfterValidator(_utc)]
"""An instant in UTC, to the microsecond; text form is RFC 3339 with `Z`."""

Country = Annotated[
    str,
    AfterValidator(country),
    WithJsonSchema({"type": "string", "pattern": COUNTRY_PATTERN}),
]
"""An ISO 3166-1 alpha-2 code that a country has, or `XK`. Hong Kong is `HK`, Macau `MO`,
Taiwan `TW`, the United Kingdom `GB`, Greece `GR`; `EU` is none."""

AnyCountry = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""A country's code in a record, as it was written: a record is read whatever becomes of it."""

Subdivision = Annotated[
    str,
    AfterValidator(subdivision),
    WithJsonSchema({"type": "string", "pattern": SUBDIVISION_PATTERN}),
]
"""An ISO 3166-2 code, as `UA-43`. Of RU, UA and US it is one that there is."""

Id = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._@:/-]{0,127}$", strict=True)
]
"""The identifier of a catalog entry."""

RuleId = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*-[0-9]{2,}$")]
"""A rule's literal id, as `EAR-01`."""

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in 64 lower-case hexadecimal digits."""

ToolName = Annotated[str, StringConstraints(pattern=r"^[ -~]{1,128}$")]
"""The name of a tool that a model may call; the protocols' own rules are narrower."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=512)]
"""A short text that a person wrote."""

DspExemption: TypeAlias = Literal[
    "personal_communications",
    "information",
    "travel",
    "official_business",
    "financial_services",
    "corporate_group",
    "required_by_law",
    "investment_agreement",
    "telecommunications",
    "drug_authorisation",
    "clinical_investigation",
]
"""The exemptions of 28 CFR 202.501 to 202.511, in their order."""

ChinaExemption: TypeAlias = Literal["transit", "contract", "employment", "emergency"]
"""What Articles 4 and 5 of the CAC's Provisions of 2024-03-22 exempt."""

OfacExemption: TypeAlias = Literal["personal_communications", "information", "travel"]
"""What 50 USC 1702(b)(1), (3) and (4) exempt; for Cuba 50 USC 4305(b)(4): information alone."""
