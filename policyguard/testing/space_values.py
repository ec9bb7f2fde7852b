"""Says which values each fact of a call may have over one policy and catalog.

The facts are those of the vocabulary's schema, so that a fact that is added to it is in
the space from then on. Countries are told apart as far as rules and catalog do: one
stands for all that no text names and of which the catalog says the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from policyguard.canonical import Json
from policyguard.engines.protocol import PolicySet
from policyguard.engines.tree import Path
from policyguard.testing.instants import WINDOW, instant, instants_in, items_of
from policyguard.testing.space_texts import texts_compared
from policyguard.vocabulary.countries import COUNTRIES
from policyguard.vocabulary.value import COUNTRY_PATTERN, SUBDIVISION_PATTERN

_COUNTRY: Final = re.compile(r'"([A-Z]{2})"')
_REGION: Final = re.compile(r'"([A-Z]{2}-[A-Z0-9]{1,3})"')
_EAR_CLASS: Final = re.compile(r'"([0-9][A-E][0-9]{3}(?:\.[a-z0-9.]+)?)"')
_COMMENT: Final = re.compile(r"(?m)^\s*#.*$")
_NUMBER: Final = re.compile(r'(?<![\w".-])([0-9]{2,})(?![\w".-])')
_ENTRIES: Final = ("deployments", "developers", "models", "operators")
_DAY: Final = 86_400
ELSEWHERE: Final = "AQ"
"""The country that stands for all that nothing names: Antarctica, unless something does."""
LEFT_OUT: Final = frozenset({("approvals",), ("tenant", "id"), ("tenant", "assumed"), ("data", "people"), ("caller", "id")})  # fmt: skip
"""Facts with one value: no approval, one tenant, nothing assumed, nobody's id."""
_EMPTY_FIRST: Final = frozenset({("tenant", "licences")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """Holds what policy and catalog name."""

    at: tuple[int, ...]
    """Each instant at which rulebook or catalog say something else, and the second before."""
    countries: tuple[str, ...]
    regions: tuple[str, ...]
    ear_classes: tuple[str, ...]
    numbers: tuple[int, ...]
    names: Mapping[str, tuple[str, ...]] = field(repr=False)
    """Ids of the catalog by what they are ids of."""
    texts: Mapping[str, tuple[str, ...]] = field(repr=False)
    """Texts of the catalog by the name of their list."""
    entries: Mapping[str, Json] = field(repr=False)
    """What the catalog says, which rules may compare a text with."""
    recipients: Mapping[str, str] = field(repr=False)
    rules: str = field(repr=False)
    """The text of all rules, without comments."""

    @classmethod
    def of(cls, policy: PolicySet) -> Values:
        """Read them of a policy."""
        catalog: Any = policy.data["catalog"]
        rules = "\n".join(_COMMENT.sub("", text) for text in policy.modules.values())
        instants = set(instants_in(policy.data))
        return cls(
            at=tuple(sorted({second + step for second in instants for step in (-1, 0)}))
            or (1_767_225_600,),
            countries=_countries(catalog, rules),
            regions=tuple(
                sorted(
                    {*_REGION.findall(rules), *catalog["views"]["regions"], "FR-IDF"}
                )
            ),
            ear_classes=tuple(
                sorted({*_EAR_CLASS.findall(rules), "3E001", "3E991", "4E001"})
            ),
            numbers=tuple(
                sorted(
                    {int(n) for n in _NUMBER.findall(rules)}
                    | set(numbers_in(catalog["models"]))
                )
            ),
            names={
                "model": tuple(catalog["models"]),
                "deployment": tuple(catalog["deployments"]),
                "list": tuple(catalog["lists"]),
            },
            texts={"annexes": tuple(sorted(set(_under(catalog["models"], "annexes"))))},
            entries={name: catalog[name] for name in _ENTRIES if name in catalog},
            recipients={
                name: entry["intervals"][-1]["recipient"] or "nobody"
                for name, entry in catalog["views"]["deployments"].items()
            },
            rules=rules,
        )

    def of_fact(self, path: Path, form: str, detail: Any) -> list[Any]:
        """Return the values of one fact; none if it is no dimension.

        Args:
            path: Its path.
            form: What it is, as `schema_facts` says.
            detail: Its part of the schema.
        """
        if any(path[: len(out)] == out for out in LEFT_OUT):
            return []
        named = self._named(path)
        if named is not None:
            return named
        nullable = [None] if detail["nullable"] else []
        found: list[Any] = getattr(self, f"_{form}")(path, detail)
        return [*nullable, *found]

    def _named(self, path: Path) -> list[Any] | None:
        """Return the values of what the catalog or the route decides."""
        names = self.names
        by_path: dict[Path, list[Any]] = {
            ("at",): [instant(seconds) for seconds in self.at],
            ("model",): [None, *names["model"]],
            ("route",): [[None], *([name] for name in names["deployment"])],
            ("asked", "model"): [None, "x"],
        }
        by_last: dict[str, list[Any]] = {
            "weights_evidence": [None, "0" * 64],
            "listed": [None, [], *([name] for name in names["list"])],
            "operators": [[], ["@operator"], ["nobody"]],
            "models": [[], ["@model"], ["nothing"]],
            "counterparty": [],
        }
        if path[-2:] == ("*", "operator"):
            return []
        return by_path.get(path, by_last.get(path[-1]))

    def _country(self, path: Path, detail: Any) -> list[Any]:
        del path, detail
        return list(self.countries)

    def _countries(self, path: Path, detail: Any) -> list[Any]:
        anywhere: list[Any] = ["anywhere"] if detail.get("anywhere") else []
        del path
        return [*anywhere, [], *([country] for country in self.countries)]

    def _subdivision(self, path: Path, detail: Any) -> list[Any]:
        del path
        return [*(["none"] if detail.get("none") else []), *self.regions]

    def _classification(self, path: Path, detail: Any) -> list[Any]:
        del path, detail
        return ["not_technology", "published", "EAR99", *self.ear_classes]

    def _classifications(self, path: Path, detail: Any) -> list[Any]:
        del path, detail
        return [[], ["EAR99"], *([name] for name in self.ear_classes)]

    def _enum(self, path: Path, detail: Any) -> list[Any]:
        del path
        return list(detail["enum"])

    def _enums(self, path: Path, detail: Any) -> list[Any]:
        values = detail["enum"]
        pairs = [
            [one, other]
            for index, one in enumerate(values)
            for other in values[index + 1 :]
        ]
        return [
            *([] if path == ("data", "classes") else [[]]),
            *([value] for value in values),
            *(pairs if path == ("data", "classes") else []),
        ]

    def _boolean(self, path: Path, detail: Any) -> list[Any]:
        del path, detail
        return [False, True]

    def _number(self, path: Path, detail: Any) -> list[Any]:
        low, high = detail.get("minimum", 0), detail.get("maximum", 10**12)
        near = {n + step for n in self.numbers for step in (-1, 0, 1)} | {0, 1}
        del path
        return [number for number in sorted(near) if low <= number <= high]

    def _instant(self, path: Path, detail: Any) -> list[Any]:
        del path, detail
        last = self.at[-1]
        return [
            instant(last - 800 * _DAY),
            instant(last - _DAY),
            "2199-01-01T00:00:00Z",
        ]

    def _text(self, path: Path, detail: Any) -> list[Any]:
        del detail
        return ["x", *self._compared(path)]

    def _texts(self, path: Path, detail: Any) -> list[Any]:
        del detail
        named = {**dict.fromkeys(self.texts.get(path[-1], ())), **self._compared(path)}
        return [[], *([text] for text in ("x", *named))]

    def _compared(self, path: Path) -> dict[str, None]:
        return dict.fromkeys(texts_compared(path, self.rules, self.entries))

    def _object(self, path: Path, detail: Any) -> list[Any]:
        del path
        return [detail["template"]]

    def _objects(self, path: Path, detail: Any) -> list[Any]:
        del path
        return [[], [detail["template"]]]


def schema_facts(schema: Mapping[str, Any]) -> Iterator[tuple[Path, str, Any]]:
    """Yield each fact of a schema: path, form and detail.

    Objects that are always there are no fact; those that may be unknown, and lists of
    objects, are one, and what is in them follows.
    """
    yield from _facts(schema, (), schema["$defs"])


def _facts(
    schema: Mapping[str, Any], path: Path, known: Mapping[str, Any]
) -> Iterator[tuple[Path, str, Any]]:
    for name, inner in schema["properties"].items():
        below = (*path, name)
        options, nullable = _options(inner, known)
        form, detail = _form(options, known)
        detail |= {"nullable": nullable}
        if form in {"object", "objects"}:
            content = detail.pop("schema")
            if form == "objects" or nullable:
                yield below, form, {**detail, "template": _template(content, known)}
            if below[-1] not in {"approvals", "us_twelve_months"}:
                more = (*below, "*") if form == "objects" else below
                yield from _facts(content, more, known)
        else:
            yield below, form, detail


def _options(
    schema: Mapping[str, Any], known: Mapping[str, Any]
) -> tuple[list[Mapping[str, Any]], bool]:
    found = [schema]
    while any("anyOf" in item or "$ref" in item for item in found):
        found = [
            option
            for item in found
            for option in (
                item["anyOf"]
                if "anyOf" in item
                else [known[item["$ref"].rpartition("/")[2]]]
                if "$ref" in item
                else [item]
            )
        ]
    rest = [item for item in found if item.get("type") != "null"]
    return rest, len(rest) < len(found)


def _form(
    options: list[Mapping[str, Any]], known: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    const = {item["const"]: True for item in options if "const" in item}
    main = next(item for item in options if "const" not in item)
    kind = main["type"]
    if kind == "array":
        inner, _ = _options(main["items"], known)
        form, detail = _form(inner, known)
        plural = {
            "country": "countries", "enum": "enums", "text": "texts",
            "object": "objects", "classification": "classifications",
        }[form]  # fmt: skip
        return plural, {**detail, **const}
    if kind == "object":
        return "object", {"schema": main}
    if "enum" in main:
        return "enum", {"enum": main["enum"]}
    if kind in {"boolean", "integer"}:
        return ("number" if kind == "integer" else kind), dict(main)
    if main.get("format") == "date-time":
        return "instant", {}
    return _text_form(main.get("pattern", "")), const


def _text_form(pattern: str) -> str:
    if pattern == COUNTRY_PATTERN:
        return "country"
    if pattern == SUBDIVISION_PATTERN:
        return "subdivision"
    return "classification" if "EAR99" in pattern else "text"


def _template(schema: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Json]:
    """Return an object of which nothing is known but what must be."""
    found: dict[str, Any] = {}
    for name, inner in schema["properties"].items():
        options, nullable = _options(inner, known)
        if nullable:
            found[name] = None
            continue
        form, detail = _form(options, known)
        if form == "object":
            found[name] = _template(detail["schema"], known)
        elif form.endswith("s"):
            found[name] = []
        elif form == "enum":
            found[name] = detail["enum"][0]
        else:
            found[name] = {
                "boolean": False,
                "number": 0,
                "instant": "2199-01-01T00:00:00Z",
            }.get(form, "x")
    found.pop("people", None)
    return found


def elsewhere(named: AbstractSet[str]) -> list[str]:
    """Return the country that stands for those of which nothing is said: one at most.

    Args:
        named: Those of which rules or catalog say something.
    """
    return [code for code in (ELSEWHERE, *sorted(COUNTRIES)) if code not in named][:1]


def _countries(catalog: Any, rules: str) -> tuple[str, ...]:
    rows: Mapping[str, Any] = catalog["views"]["countries"]
    entries = [catalog[name] for name in ("deployments", "developers", "operators")]
    named = set(_COUNTRY.findall(rules))
    named |= set(_COUNTRY.findall(orjson.dumps(entries).decode("utf-8")))
    named |= {region[:2] for region in catalog["views"]["regions"]}
    found: dict[str, str] = {}
    for country in (*sorted(named), *sorted(rows), *elsewhere({*named, *rows})):
        row = rows.get(country, catalog["views"]["elsewhere"])
        key = orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode("utf-8")
        found.setdefault(country if country in named else key, country)
    return tuple(found.values())


def numbers_in(value: Any) -> Iterator[int]:
    """Yield each number of a document that is no instant."""
    if type(value) is int:
        yield value
    for key, item in items_of(value):
        if key != "boundaries" and key not in WINDOW:
            yield from numbers_in(item)


def _under(value: Any, name: str) -> Iterator[str]:
    for key, item in items_of(value):
        if key is not None and name in key and isinstance(item, list):
            yield from (text for text in item if isinstance(text, str))
        yield from _under(item, name)
