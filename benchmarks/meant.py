"""Names the exceptions of the shipped rules' proofs that are meant, each with its reason.

A refusal that falls silent when a fact is forgotten is open unless it is one of these: the
rule, the fact, and what has to hold of the call, so that another silence of the same rule
is not taken for this one. Where an exception can be left out of the space, the rest of the
calls is proved for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from policyguard.canonical import Json
from policyguard.testing.claims import REACHABLE, Claim, Counterexample

_TECHNOLOGY: Final = ("source_code", "technical", "confidential")
_CLASSES: Final[Sequence[Json]] = (
    None,
    ["source_code"],
    ["technical"],
    ["confidential"],
    ["pii", "technical"],
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """Is one exception that an author of the rule means."""

    rule: str
    changed: str
    """The fact that is forgotten."""
    why: str
    holds: Callable[[Any], bool] = field(default=lambda _: True, repr=False)
    """Whether a call is one of those that are meant."""
    rest: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    """Values of dimensions that leave the exception out: `prove` asks the rest alone."""
    of: str = ""
    """What the rest is, as a clause."""


def _holds_no_technology(call: Any) -> bool:
    classes = call["data"]["classes"]
    return classes is not None and not set(classes) & set(_TECHNOLOGY)


def _is_foreign(call: Any) -> bool:
    establishment = call["exporter"]["establishment"]
    return (
        call["data"]["ear"]["us_origin"] is False
        and establishment is not None
        and establishment != "US"
    )


def _answers_for_the_itar(call: Any) -> bool:
    classification = call["data"]["ear"]["classification"]
    item = classification not in {None, "published", "not_technology"}
    return item or _is_foreign(call) or _holds_no_technology(call)


def _says_two_places(call: Any) -> bool:
    caller = call["caller"] or {}
    region = caller.get("subdivision")
    return region is not None and not region.startswith(f"{caller.get('location')}-")


def _is_reached_from_afar(call: Any) -> bool:
    contracts = call["tenant"]["contracts"] or ()
    return any(item["remote_access_countries"] for item in contracts)


def _names_another(call: Any) -> bool:
    named = (call["caller"] or {}).get("organisation")
    return named is not None and call["tenant"]["organisation"] is not None


MEANT: Final = (
    Meant(
        rule="EAR-01",
        changed="data.ear.classification",
        why="that nobody classified what holds no technology is an answer, as for EAR-04."
        " Who classified it all the same is asked for the origin of the item",
        holds=_holds_no_technology,
        rest={"data__classes": _CLASSES},
        of="classes of data may hold technology, or are unknown",
    ),
    Meant(
        rule="EAR-04",
        changed="data.ear.classification",
        why="the classes of data say that no technology is sent. Beside them a"
        " classification counts; without one the call is the ordinary call of prose, and no"
        " rule can ask in the one without asking in the other",
        holds=_holds_no_technology,
        rest={"data__classes": _CLASSES},
        of="classes of data may hold technology, or are unknown",
    ),
    *(
        Meant(
            rule=rule,
            changed="data.ear.classification",
            why="that nobody classified what holds no technology is an answer, as for EAR-04",
            holds=_holds_no_technology,
            rest={"data__classes": _CLASSES},
            of="classes of data may hold technology, or are unknown",
        )
        for rule in ("EAR-02", "EAR-10")
    ),
    *(
        Meant(
            rule="EAR-03",
            changed=changed,
            why="what a contract says of access from afar adds to the places that the catalog"
            " knows; where none says anything, those are the answer",
            holds=_is_reached_from_afar,
        )
        for changed in ("tenant.contracts", "tenant.contracts.remote_access_countries")
    ),
    Meant(
        rule="ITAR-01",
        changed="data.itar",
        why="it is said in another way that the ITAR does not hold: by classes that hold no"
        " technology, by a classification of the EAR, or by foreign origin and an exporter"
        " elsewhere. Who says that it holds is believed all the same",
        holds=_answers_for_the_itar,
        rest={
            "data__classes": _CLASSES,
            "data__ear__us_origin": (None, True),
            "data__ear__classification": (None, "published", "not_technology"),
        },
        of="none of the three is said",
    ),
    Meant(
        rule="OFAC-01",
        changed="caller.location",
        why="a country and a region that is not in it are said. Either may be right (a region"
        " of Ukraine is often taken for Russia), so the embargoed one counts; forget that,"
        " and the other is a whole answer",
        holds=_says_two_places,
        rest={"caller__subdivision": (None,), "caller__organisation": (None,)},
        of="no region is said, and the caller acts for the tenant",
    ),
    Meant(
        rule="OFAC-01",
        changed="caller.subdivision",
        why="as for the country: of two places that contradict one another the embargoed one"
        " counts; forget the region, and the country is a whole answer",
        holds=_says_two_places,
    ),
    *(
        Meant(
            rule=rule,
            changed="caller.organisation",
            why="a caller that names no organisation acts for the tenant, whose own settings"
            " then answer: whom it acts for is what the application declares, or leaves to"
            " them",
            holds=_names_another,
        )
        for rule in ("EAR-07", "FACT-07", "LIC-03", "OFAC-01")
    ),
    Meant(
        rule="BLK-01",
        changed="exporter.establishment",
        why="the rule adds a person's look to a refusal by an establishment in China. Who is"
        " not known to be there is refused by the rules on exports, or not at all",
    ),
    Meant(
        rule="GDPR-04",
        changed="exporter.article_3",
        why="whether the GDPR reaches beyond the EEA is asked for where the establishment or"
        " the people point at it. Elsewhere a reach that nobody declares counts as none:"
        " else every call in the world would have to deny the reach of all laws",
        rest={"exporter__article_3": (None,)},
        of="nobody declares the reach",
    ),
    *(
        Meant(
            rule=rule,
            changed="exporter.article_3",
            why="the reach of the GDPR, as for GDPR-04",
        )
        for rule in ("GDPR-01", "GDPR-02", "GDPR-03")
    ),
    *(
        Meant(
            rule=rule,
            changed=changed,
            why="a contract that says something else goes before what the operator says of"
            " everybody; where it says nothing, that is the answer",
        )
        for rule, changed in (
            ("GDPR-04", "tenant.contracts.training"),
            ("GDPR-04", "tenant.contracts.retention_days"),
            ("RES-02", "tenant.contracts.retention_days"),
            ("RES-02", "tenant.contracts"),
        )
    ),
    *(
        Meant(
            rule=rule,
            changed="tenant.retention_max_days",
            why="the limit is the tenant's own demand, and no fact of the call: who sets none"
            " demands none",
        )
        for rule in ("GDPR-04", "RES-02")
    ),
    Meant(
        rule="UK-01",
        changed="exporter.uk_article_3",
        why="the reach of the UK GDPR, as that of the GDPR",
        rest={"exporter__uk_article_3": (None,)},
        of="nobody declares the reach",
    ),
    Meant(
        rule="CH-01",
        changed="exporter.swiss_effect",
        why="the effect in Switzerland, as the reach of the GDPR",
        rest={"exporter__swiss_effect": (None,)},
        of="nobody declares the effect",
    ),
)
UNREACHED: Final[Mapping[str, str]] = {
    "EAR-06": "no gateway of the catalog carries ciphertext; the rule's tests have one",
    "EAR-11": "no operator or cloud of the catalog is on one of the three lists; the rule's"
    " tests have them",
    "IN-01": "India restricts transfers to no country yet: the list is empty",
    "LIC-05": "the terms of no model of the catalog exclude the Union",
    "OPEN-01": "a supposition, silent unless a tenant assumes it, and the space has none",
    "PROC-02": "no deployment of the catalog is of a party on the 1260H list",
    "PROC-06": "no deployment of the catalog is of a party on the 1260H list",
}
"""Rules that no call of the shipped catalog makes find anything, and why."""


def why_meant(claim: Claim) -> str | None:
    """Return why a violation is meant; nothing: some call that breaks it is open.

    Args:
        claim: A claim that is violated.
    """
    found = [why for _, why in reasons(claim)]
    return None if None in found else "; ".join(dict.fromkeys(map(str, found)))


def reasons(claim: Claim) -> list[tuple[Counterexample | None, str | None]]:
    """Return each call that shows a violation, and why it is meant; nothing: it is open.

    Args:
        claim: A claim that is violated.
    """
    if claim.property == REACHABLE:
        return [(None, UNREACHED.get(claim.rule))]
    if claim.property != "fail_closed" or claim.counterexample is None:
        return [(claim.counterexample, None)]
    return [(found, _why(claim.rule, found)) for found in claim.counterexamples()]


def _why(rule: str, shown: Counterexample) -> str | None:
    for item in MEANT:
        if (item.rule, item.changed) == (rule, shown.changed) and item.holds(
            shown.call
        ):
            return item.why
    return None
