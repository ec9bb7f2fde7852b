"""What an import yields: entries for an overlay, and what the source did not say."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from typing import Final, TypeAlias, cast

import yaml

from policyguard.canonical import Json, parse_json
from policyguard.catalog.catalog import Catalog
from policyguard.catalog.document import SECTIONS
from policyguard.catalog.schema import CatalogFile, Price
from policyguard.errors import CatalogError, FormatError

MAX_SOURCE_BYTES: Final = 256 << 20
"""The Consolidated Screening List is some tens of megabytes."""
_MAX_ID: Final = 128
_TAG_LENGTH: Final = 8
_NOT_ID: Final = re.compile(r"[^a-z0-9._@:/-]+")
_WIDE: Final = 88

Row: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Counts the entries that lack one fact, and says why they do."""

    fact: str
    """The field of the catalog, as `deployments.operator`."""
    count: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Is one entry of the source that is not imported, and why."""

    entry: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Is what one source says, as an overlay."""

    file: CatalogFile = field(repr=False)
    source: str
    """What was read, for a person."""
    sha256: str
    """Digest of the bytes that were read."""
    gaps: tuple[Gap, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Return how many entries of each section there are; empty ones are left out."""
        sizes = {name: len(getattr(self.file, name)) for name in SECTIONS}
        return {name: size for name, size in sizes.items() if size}


class Tally:
    """Collects gaps and skipped entries while a source is read."""

    def __init__(self) -> None:
        self._gaps: Counter[tuple[str, str]] = Counter()
        self._skipped: list[Skipped] = []

    def lacks(self, fact: str, why: str) -> None:
        """Count an entry that lacks a fact."""
        self._gaps[fact, why] += 1

    def skip(self, entry: str, why: str) -> None:
        """Note an entry that is not imported."""
        self._skipped.append(Skipped(entry=entry, why=why))

    def gaps(self) -> tuple[Gap, ...]:
        """Return the gaps, by fact."""
        return tuple(
            Gap(fact=fact, count=count, why=why)
            for (fact, why), count in sorted(self._gaps.items())
        )

    def skipped(self) -> tuple[Skipped, ...]:
        """Return what was skipped, in the order of the source."""
        return tuple(self._skipped)


def overlay_text(imported: Imported) -> str:
    """Return an overlay as YAML that `load_catalog` reads back to the same entries."""
    document = {
        section: {
            key: _plain(entry.model_dump(mode="json", exclude_defaults=True))
            for key, entry in sorted(getattr(imported.file, section).items())
        }
        for section in imported.counts
    }
    body = yaml.safe_dump(
        document, sort_keys=False, allow_unicode=True, width=_WIDE, indent=2
    )
    head = (
        f"# Imported from {_one_line(imported.source)}\n# SHA-256 {imported.sha256}\n"
    )
    return head + body


def parse_source(data: bytes, *, what: str) -> Json:
    """Return the JSON of a source.

    Args:
        data: The bytes as published.
        what: What it is, for messages.

    Raises:
        CatalogError: not JSON, with duplicate keys, or too large.
    """
    try:
        return parse_json(data, max_bytes=MAX_SOURCE_BYTES)
    except FormatError as error:
        raise CatalogError(f"{what}: {error}: fetch it again") from error


def mapping_of(value: object, *, what: str) -> Row:
    """Return a JSON object, or raise CatalogError that names what should be one."""
    if not isinstance(value, dict):
        raise CatalogError(f"{what} is no JSON object: is it the right file?")
    return cast("Row", value)


def text_of(row: Row, key: str) -> str | None:
    """Return a text of a row that is not empty, or `None`."""
    value = row.get(key)
    return value.strip() or None if isinstance(value, str) else None


def id_of(*parts: str) -> str:
    """Return a catalog id made of texts; other texts get other ids.

    Raises:
        CatalogError: nothing is left of them.
    """
    given = "@".join(parts)
    # What is a letter elsewhere becomes a hyphen here; then a digest tells them apart.
    plain = _NOT_ID.sub("-", given.lower()).strip("._@:/-")
    if not plain:
        raise CatalogError(f"no id can be made of `{given}`")
    if plain == given.lower() and len(plain) <= _MAX_ID:
        return plain
    tag = hashlib.sha256(given.lower().encode()).hexdigest()[:_TAG_LENGTH]
    return f"{plain[: _MAX_ID - _TAG_LENGTH - 1]}-{tag}"


def price_of(input_usd: object, output_usd: object, *, tokens: int) -> Price | None:
    """Return a price, or `None` where one of the two is not said.

    Args:
        input_usd: US dollars for some tokens of input.
        output_usd: US dollars for as many tokens of output.
        tokens: For how many; the catalog counts by a million.
    """
    values = [_microusd(value, tokens=tokens) for value in (input_usd, output_usd)]
    if values[0] is None or values[1] is None:
        return None
    return Price(input_microusd=values[0], output_microusd=values[1])


def known_answer(catalog: Catalog, *, host: str, name: str) -> str | None:
    """Return the deployment that a catalog already has for a host and a name."""
    return catalog.index.answers.get((host, name))


def agreed(values: Iterable[object]) -> object:
    """Return what all that said something say; `None` where they differ."""
    said = {value for value in values if value is not None}
    return said.pop() if len(said) == 1 else None


def unique_model(catalog: Catalog, *names: str) -> str | None:
    """Return the one model of a catalog that goes by any of some names, exactly."""
    found: set[str] = set()
    for name in names:
        found.update(catalog.index.named.get(name, ()))
    return found.pop() if len(found) == 1 else None


def _microusd(value: object, *, tokens: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        return None
    # Through the text of the number: 0.1 is a tenth, and what does not divide is
    # rounded up, so that nothing seems cheaper than it is.
    exact = Decimal(repr(value)) * 1_000_000 * 1_000_000 / tokens
    return int(exact.to_integral_value(rounding=ROUND_CEILING))


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _one_line(text: str) -> str:
    return " ".join(text.split())


Reader: TypeAlias = Callable[[bytes], Imported]
