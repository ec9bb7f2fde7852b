"""Trust files: what they say, what is refused, and that a quorum is never skipped."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyguard.errors import ConfigurationError, FormatError
from policyguard.signing.keyring import SignatureType, VerifierKey
from policyguard.signing.trust_file import (
    TrustedLog,
    TrustedWitness,
    TrustFile,
    WitnessGroup,
)


def log_key(number: int) -> VerifierKey:
    return VerifierKey(
        key_name=f"acme.example/{number}", public_key=bytes([number]) * 32
    )


def witness_key(number: int) -> VerifierKey:
    return VerifierKey(
        key_name=f"w{number}.example",
        public_key=bytes([number]) * 32,
        signature_type=SignatureType.ED25519_COSIGNATURE,
    )


LOG, OTHER_LOG = log_key(1).format(), log_key(2).format()
W1, W2 = witness_key(3).format(), witness_key(4).format()


def test_a_file_with_logs_alone_trusts_their_keys() -> None:
    text = (
        f"# our logs\n\n  log\t{LOG} \n\t# the other\nlog {OTHER_LOG} https://x.example"
    )

    file = TrustFile.parse(text.encode())

    assert file == TrustFile(
        logs=(
            TrustedLog(key=log_key(1)),
            TrustedLog(key=log_key(2), url="https://x.example"),
        )
    )
    assert file.log_keys() == (log_key(1), log_key(2))
    assert file.format() == (
        f"log {LOG}\nlog {OTHER_LOG} https://x.example\nquorum none\n"
    )


def test_an_empty_file_trusts_nothing() -> None:
    assert TrustFile.parse("") == TrustFile()
    assert TrustFile().log_keys() == ()


def test_witnesses_groups_and_quorum_are_kept() -> None:
    text = (
        f"log {LOG}\nwitness X1 {W1}\nwitness X2 {W2} https://w2.example\n"
        "group X 1 X1 X2\ngroup all-of-it all X\nquorum all-of-it\n"
    )

    file = TrustFile.parse(text)

    assert file == TrustFile(
        logs=(TrustedLog(key=log_key(1)),),
        witnesses=(
            TrustedWitness(name="X1", key=witness_key(3)),
            TrustedWitness(name="X2", key=witness_key(4), url="https://w2.example"),
        ),
        groups=(
            WitnessGroup(name="X", threshold="1", members=("X1", "X2")),
            WitnessGroup(name="all-of-it", threshold="all", members=("X",)),
        ),
        quorum="all-of-it",
    )
    assert file.format() == text


def test_keys_are_not_handed_out_past_a_quorum_that_nobody_verifies() -> None:
    file = TrustFile.parse(f"log {LOG}\nwitness X1 {W1}\nquorum X1\n")

    with pytest.raises(ConfigurationError, match="demands the quorum `X1`"):
        file.log_keys()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trust me", "line 1: `trust me` is not a line"),
        (f"log {LOG} a b", "line 1: .* is not a line"),
        ("log", "line 1: `log` is not a line"),
        ("\nlog nonsense", "line 2: vkey `nonsense`"),
        (f"log {LOG}\r\n", "control character"),
        (f"log {LOG}\x7f", "control character"),
        (f"log {LOG}\nlog {LOG}", "one public key"),
        (f"log {W1}", "type `ed25519-cosignature`, not `ed25519`"),
        (f"witness a {LOG}\nquorum a", "is a log's key"),
        (f"witness a {W1}\nwitness b {W1}\nquorum a", "one public key"),
        (f"witness a {W1}\nwitness a {W2}\nquorum a", "name `a` is taken"),
        (f"witness none {W1}\nquorum none", "name `none` is taken"),
        (f"witness a {W1}", "names witnesses and no quorum"),
        ("quorum none\nquorum none", "line 2: there is a second quorum"),
        ("quorum a", "line 1: `a` is not defined above"),
        (f"quorum a\nwitness a {W1}", "line 1: `a` is not defined above"),
        ("group g all", "is not a line"),
        ("group g all a", "`a` is not defined above"),
        ("group g all none", "`none` is not defined above"),
        (f"witness a {W1}\ngroup g all a a\nquorum g", "in a group already"),
        (f"witness a {W1}\ngroup g 1 a\ngroup h 1 a\nquorum g", "in a group already"),
        (f"witness a {W1}\ngroup g 0 a\nquorum g", "threshold `0`"),
        (f"witness a {W1}\ngroup g 2 a\nquorum g", "threshold `2`"),
        (f"witness a {W1}\ngroup g 01 a\nquorum g", "threshold `01`"),
        (f"witness a {W1}\ngroup a 1 a\nquorum a", "name `a` is taken"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_cause(
    text: str | bytes, message: str
) -> None:
    with pytest.raises(FormatError, match=message):
        TrustFile.parse(text)


def test_a_value_that_has_no_text_cannot_be_made() -> None:
    for name in ("", "a b", "a\n", "\ud800"):
        with pytest.raises(FormatError):
            TrustFile(witnesses=(TrustedWitness(name=name, key=witness_key(1)),))
    with pytest.raises(FormatError):
        TrustFile(quorum="nobody")


_LINES = st.lists(
    st.sampled_from(
        ["log", "witness", "group", "quorum", "none", "all", "any", "1", "2", "a", "b",
         LOG, OTHER_LOG, W1, W2, "https://x.example", "#", "\n", "\n", "\n", "\t", " "]
    )
    | st.text(st.characters(), max_size=3),
    max_size=40,
).map(" ".join)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(_LINES | st.binary(max_size=60))
def test_any_text_gives_a_file_that_formats_back_or_our_error(
    text: str | bytes,
) -> None:
    with suppress(FormatError):
        file = TrustFile.parse(text)
        assert TrustFile.parse(file.format()) == file
