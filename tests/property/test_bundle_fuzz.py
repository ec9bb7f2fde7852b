"""Laws of hostile bundles: refused in one line, or what was signed; never anything else."""

from __future__ import annotations

import contextlib
import random
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest
from bundle_corpus import corpus
from bundles import PUBLIC, shipped_as, signed
from hypothesis import given, settings
from hypothesis import strategies as st

from policyguard.bundle.archive import unpack
from policyguard.canonical import digest
from policyguard.errors import BundleError, BundleRefused
from policyguard.reload.acceptance import Accepted, Trust, accept
from policyguard.reload.offer import Offer

TRUST = Trust(keys=(PUBLIC,))
LONGEST = 600


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpus")


@cache
def seeds(folder: Path) -> Mapping[str, tuple[bytes, str]]:
    return corpus(folder)


@cache
def good(folder: Path) -> bytes:
    return signed(shipped_as("2026.11.7"), folder)


def offered(data: bytes) -> Accepted:
    files, fault = None, ""
    try:
        files = unpack(data, name="`x`")
    except BundleError as error:
        fault = str(error)
    offer = Offer(
        source="http", name="x", digest=digest(data), files=files, fault=fault
    )
    return accept(offer, trust=TRUST, remembered=None)


def refusal(data: bytes) -> str:
    with pytest.raises(BundleRefused) as caught:
        offered(data)
    return str(caught.value)


def test_each_of_the_corpus_is_refused_for_its_own_fault(folder: Path) -> None:
    wrong = {
        name: said
        for name, (data, expected) in seeds(folder).items()
        if expected not in (said := refusal(data))
    }

    assert wrong == {}


def test_each_refusal_is_one_line_of_reasonable_length(folder: Path) -> None:
    for name, (data, _) in seeds(folder).items():
        said = refusal(data)

        assert said.isprintable(), name
        assert len(said) < LONGEST, name


def _flip(data: bytearray, dice: random.Random) -> None:
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def _cut(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data))
    del data[at : at + dice.randrange(1, 600)]


def _repeat(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data))
    data[at:at] = data[at : at + dice.randrange(1, 600)]


def _zero(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data))
    end = min(len(data), at + dice.randrange(1, 600))
    data[at:end] = bytes(end - at)


SPOIL: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip,
    _cut,
    _repeat,
    _zero,
)


@settings(max_examples=300)
@given(
    number=st.integers(0, 2**32),
    inside=st.booleans(),
    rounds=st.integers(1, 4),
    name=st.integers(0, 10_000),
)
def test_a_spoiled_archive_is_refused_or_is_what_was_signed(
    number: int, inside: bool, rounds: int, name: int, folder: Path
) -> None:
    dice = random.Random(number)
    known = [good(folder), *(data for data, _ in seeds(folder).values())]
    start = known[0] if name % 2 else known[name // 2 % len(known)]
    body = bytearray(start)
    if inside:
        try:
            body = bytearray(zlib.decompress(start, 31)[: 1 << 20])
        except zlib.error:
            inside = False
    for _ in range(rounds):
        if body:
            dice.choice(SPOIL)(body, dice)
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    data = packer.compress(body) + packer.flush() if inside else bytes(body)

    with contextlib.suppress(BundleRefused):
        assert offered(data).files == unpack(good(folder))
