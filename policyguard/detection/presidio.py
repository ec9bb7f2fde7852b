"""Finds what Presidio's recognisers with check digits find: numbers of persons, phones.

The extra `presidio`. Of Presidio we take single recognisers and neither its analyser
nor its e-mail recogniser: the first needs a language model, which it fetches when it is
missing, and the second fetches the list of public suffixes. So names, addresses and what
else only a model finds is not found.

INVARIANT: nothing here opens a connection, and no part of the text is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from policyguard.detection.search import Detector
from policyguard.errors import ConfigurationError
from policyguard.vocabulary.found import FoundKind

NUMBERS: Final = (
    "AuMedicareRecognizer",
    "AuTfnRecognizer",
    "DeTaxIdRecognizer",
    "EsNieRecognizer",
    "EsNifRecognizer",
    "FiPersonalIdentityCodeRecognizer",
    "InAadhaarRecognizer",
    "ItFiscalCodeRecognizer",
    "KrRrnRecognizer",
    "NgNinRecognizer",
    "NhsRecognizer",
    "PlPeselRecognizer",
    "SePersonnummerRecognizer",
    "ThTninRecognizer",
    "TrNationalIdRecognizer",
    "ZaIdNumberRecognizer",
)
"""Those whose numbers have check digits, and name a person."""
_CHECKED: Final = 0.99
"""The score of what has right check digits; without them it is a number like others."""


def presidio_detectors() -> Mapping[FoundKind, Detector]:
    """Return what counts national ids and telephone numbers.

    Raises:
        ConfigurationError: Presidio is not installed, or lacks a recogniser.
    """
    try:
        from presidio_analyzer import predefined_recognizers as known
    except ImportError as error:
        raise ConfigurationError(
            "`detection.presidio` needs Presidio: install `policyguard-ai[presidio]`"
        ) from error
    try:
        numbers = tuple(getattr(known, name)() for name in NUMBERS)
        phones = (known.PhoneRecognizer(),)
    except AttributeError as error:
        raise ConfigurationError(
            f"this version of Presidio lacks a recogniser: {error}"
        ) from error
    return {
        "national_id": lambda text: _count(numbers, text, least=_CHECKED),
        "phone": lambda text: _count(phones, text, least=0.0),
    }


def _count(recognizers: Sequence[Any], text: str, *, least: float) -> int:
    """Count the places in a text that some recogniser takes for its own."""
    spans = {
        (found.start, found.end)
        for one in recognizers
        for found in one.analyze(text, one.supported_entities, None)
        if found.score >= least
    }
    return len(spans)
