"""Who counts as a caller: what proves it, and what only says so."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm
from tokens import AUDIENCE, ISSUER, Issuer

from policyguard.errors import CallerRefused, ConfigurationError
from policyguard.integrations.callers import ProxyCallers
from policyguard.integrations.jwt import OLDEST_SECONDS, REFRESH_SECONDS, JwtCallers
from policyguard.vocabulary.call import Caller

ISSUED = Issuer()


def callers(**more: Any) -> JwtCallers:
    known: dict[str, Any] = {
        "keys": ISSUED.keys,
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "algorithms": ("EdDSA", "ES256"),
    }
    return JwtCallers(**{**known, **more})


def bearer(token: str) -> list[tuple[str, str]]:
    return [("host", "a"), ("authorization", f"Bearer {token}")]


def refusal(source: Any, headers: Any, peer: str | None = None) -> tuple[int, str]:
    with pytest.raises(CallerRefused) as caught:
        source.caller_of(headers, peer=peer)
    return caught.value.status, caught.value.reason


def part(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(header: dict[str, Any], *, secret: bytes | None = None) -> str:
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "mallory",
        "exp": int(time.time()) + 36_000,  # made when tests are collected
    }
    signed = f"{part(header)}.{part(claims)}"
    if secret is None:
        return f"{signed}."
    mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{part(mac)}"


@pytest.mark.parametrize("kid", ["ed", "ec"])
def test_a_token_of_the_issuer_names_the_caller(kid: str) -> None:
    known = callers(claims={"id": "sub", "residence": "country"})

    caller = known.caller_of(bearer(ISSUED.token(kid=kid, country="DE")), peer=None)

    assert caller == Caller(id="alice@acme.example", residence="DE")


def test_a_claim_that_is_not_there_is_unknown() -> None:
    known = callers(claims={"id": "sub", "citizenships": "nationalities"})

    one = known.caller_of(bearer(ISSUED.token()), peer=None)
    two = known.caller_of(bearer(ISSUED.token(nationalities=["FR"])), peer=None)

    assert (one, two) == (
        Caller(id="alice@acme.example"),
        Caller(id="alice@acme.example", citizenships=("FR",)),
    )


def test_a_claim_of_what_is_no_country_is_refused_and_says_what_to_write() -> None:
    known = callers(claims={"id": "sub", "residence": "country"})

    with pytest.raises(CallerRefused) as caught:
        known.caller_of(bearer(ISSUED.token(country="UK")), peer=None)

    assert (caught.value.status, str(caught.value)) == (
        403,
        "`caller.residence`: `UK` is no country's code: write `GB`",
    )


def test_no_token_is_nobody() -> None:
    assert callers().caller_of([("cookie", "a=b")], peer="127.0.0.1") is None


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (ISSUED.token(exp=int(time.time()) - 31), "expired"),
        (ISSUED.token(without=("exp",)), "invalid_token"),
        (ISSUED.token(without=("aud",)), "invalid_token"),
        (ISSUED.token(without=("iss",)), "invalid_token"),
        (ISSUED.token(without=("sub",)), "invalid_token"),
        (ISSUED.token(aud="another-application"), "wrong_audience"),
        (ISSUED.token(aud=["other", "more"]), "wrong_audience"),
        (ISSUED.token(iss="https://login.evil.example"), "wrong_audience"),
        (ISSUED.token(iss=f"{ISSUER}/"), "wrong_audience"),
        (ISSUED.token(nbf=int(time.time()) + 36_000), "invalid_token"),
        (ISSUED.token(headers={"kid": "unknown"}), "unknown_key"),
        (ISSUED.token(headers={"crit": ["b64"]}), "invalid_token"),
        (ISSUED.token(headers={"kid": "ec"}), "wrong_algorithm"),
        (Issuer().token(), "invalid_token"),
        (ISSUED.token()[:-4] + "AAAA", "invalid_token"),
        ("x" * (17 << 10), "invalid_token"),
        ("", "invalid_token"),
        ("a.b.c", "invalid_token"),
        ("\N{SNOWMAN}.\N{SNOWMAN}.", "invalid_token"),
    ],
    # What a token ends with is another in each process.
    ids=lambda text: text[:24],
)
def test_a_token_that_is_not_valid_names_nobody(token: str, reason: str) -> None:
    assert refusal(callers(), bearer(token)) == (401, reason)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
def test_an_unsigned_token_names_nobody(algorithm: str) -> None:
    token = forged({"alg": algorithm, "typ": "JWT", "kid": "ed"})

    assert refusal(callers(), bearer(token)) == (401, "wrong_algorithm")


def test_a_public_key_is_no_shared_secret() -> None:
    token = forged({"alg": "HS256", "kid": "ed"}, secret=ISSUED.pem)

    assert refusal(callers(), bearer(token)) == (401, "wrong_algorithm")


def test_a_key_that_the_token_brings_along_counts_for_nothing() -> None:
    own = Issuer()
    brought = {**own.keys["keys"][0], "kid": "ed"}
    token = own.token(headers={"jwk": brought, "jku": "https://evil.example/keys"})

    assert refusal(callers(), bearer(token)) == (401, "invalid_token")


def test_an_algorithm_that_is_not_listed_is_refused_even_of_a_known_key() -> None:
    known = callers(algorithms=("EdDSA",))

    assert refusal(known, bearer(ISSUED.token(kid="ec"))) == (401, "wrong_algorithm")


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", "Basic YTpi")],
        [("authorization", "Bearer")],
        [*bearer(ISSUED.token()), ("authorization", "Bearer x")],
    ],
)
def test_anything_but_one_bearer_token_is_refused(headers: Any) -> None:
    assert refusal(callers(), headers) == (401, "invalid_token")


@pytest.mark.parametrize("subject", ["", 7, "x" * 300, ["alice"]])
def test_a_subject_that_is_no_id_is_refused(subject: Any) -> None:
    try:
        token = ISSUED.token(sub=subject)
    except TypeError:
        pytest.skip("PyJWT does not even sign it")

    status, _ = refusal(callers(), bearer(token))

    assert status in {401, 403}


def test_a_claim_with_a_wrong_value_is_refused_and_not_repeated() -> None:
    known = callers(claims={"id": "sub", "residence": "country"})

    with pytest.raises(CallerRefused, match=r"`caller\.residence`") as caught:
        known.caller_of(bearer(ISSUED.token(country="canary")), peer=None)

    assert (caught.value.status, "canary" in str(caught.value)) == (403, False)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80))
def test_no_text_is_a_token_by_chance(text: str) -> None:
    assert refusal(callers(), [("authorization", f"Bearer {text}")])[0] == 401


def test_new_keys_are_asked_for_once_a_minute_and_no_more() -> None:
    newer, now, asked = Issuer(), [0.0], []

    def keys() -> dict[str, Any]:
        asked.append(now[0])
        return ISSUED.keys if len(asked) == 1 else {"keys": [newest]}

    newest = {**newer.keys["keys"][0], "kid": "new"}
    known = callers(keys=keys, clock=lambda: now[0])
    token = newer.token(headers={"kid": "new"})

    assert refusal(known, bearer(token)) == (401, "unknown_key")
    now[0] = REFRESH_SECONDS
    assert known.caller_of(bearer(token), peer=None) == Caller(id="alice@acme.example")
    for _ in range(3):
        assert refusal(known, bearer(ISSUED.token(kid="ec"))) == (401, "unknown_key")
    assert asked == [0.0, REFRESH_SECONDS]


def test_keys_that_cannot_be_had_leave_the_known_ones() -> None:
    now, answers = [0.0], [ISSUED.keys]
    known = callers(keys=answers.pop, clock=lambda: now[0])
    now[0] = REFRESH_SECONDS

    unknown = refusal(known, bearer(ISSUED.token(headers={"kid": "new"})))

    assert unknown == (401, "unknown_key")
    assert known.caller_of(bearer(ISSUED.token()), peer=None) is not None


def test_a_key_that_the_issuer_withdrew_is_not_accepted_after_an_hour() -> None:
    now, other = [0.0], Issuer()
    answers = [{"keys": [{**other.keys["keys"][0], "kid": "new"}]}, ISSUED.keys]
    known = callers(keys=answers.pop, clock=lambda: now[0])

    now[0] = OLDEST_SECONDS - 1
    assert known.caller_of(bearer(ISSUED.token()), peer=None) is not None
    now[0] = OLDEST_SECONDS

    assert refusal(known, bearer(ISSUED.token())) == (401, "unknown_key")


def test_keys_that_are_too_old_are_not_used_while_newer_ones_cannot_be_had() -> None:
    now, answers = [0.0], [ISSUED.keys]
    known = callers(keys=answers.pop, clock=lambda: now[0])
    now[0] = OLDEST_SECONDS

    for _ in range(2):
        assert refusal(known, bearer(ISSUED.token())) == (401, "unknown_key")


def small_rsa() -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)
    return {**json.loads(RSAAlgorithm.to_jwk(key.public_key())), "kid": "small"}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"issuer": ""}, "issuer"),
        ({"audience": ""}, "audience"),
        ({"algorithms": ()}, "not accepted"),
        ({"algorithms": "ES256"}, "not accepted"),
        ({"algorithms": ("none",)}, "`none` is not accepted"),
        ({"algorithms": ("HS256",)}, "`HS256` is not accepted"),
        ({"leeway_seconds": 301}, "leeway_seconds"),
        ({"claims": {"residence": "country"}}, "`id`"),
        ({"claims": {"id": "sub", "organisation": "org"}}, "`organisation`"),
        ({"keys": {}}, "JWK set"),
        ({"keys": {"keys": []}}, "JWK set"),
        ({"keys": {"keys": [{"kty": "oct", "k": "AAAA", "kid": "a"}]}}, "secret"),
        ({"keys": {"keys": [{**ISSUED.keys["keys"][0], "d": "AA"}]}}, "secret"),
        ({"keys": {"keys": [{"kty": "OKP", "crv": "X", "kid": "a"}]}}, "`a`"),
        ({"keys": {"keys": ISSUED.keys["keys"][:1] * 2}}, "two keys"),
        ({"keys": {"keys": ISSUED.keys["keys"][2:]}}, "no key for signatures"),
        ({"keys": {"keys": [{"kty": "OKP", "crv": "Ed25519"}]}}, "no `kid`"),
        ({"keys": {"keys": [small_rsa()]}}, "shorter than 2048"),
    ],
)
def test_a_source_that_would_accept_too_much_is_not_made(wrong: Any, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        callers(**wrong)


def test_without_pyjwt_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jwt", None)

    with pytest.raises(ConfigurationError, match=r"policyguard-ai\[jwt\]"):
        callers()


PROXY = ProxyCallers(
    peers=("10.0.0.7", "10.1.0.0/16", "fd00::/8"),
    fields={
        "id": "x-caller-id",
        "citizenships": "x-caller-citizenships",
        "person_status": "x-caller-status",
    },
)


@pytest.mark.parametrize(
    "peer", ["10.0.0.7", "10.1.255.1", "fd00::1", "fd00::1%eth0", "::ffff:10.0.0.7"]
)
def test_a_known_proxy_names_the_caller(peer: str) -> None:
    headers = [
        ("x-caller-id", "alice"),
        ("x-caller-citizenships", "FR DE"),
        ("x-caller-status", "foreign"),
    ]

    assert PROXY.caller_of(headers, peer=peer) == Caller(
        id="alice", citizenships=("FR", "DE"), person_status="foreign"
    )


@pytest.mark.parametrize(
    "peer",
    [None, "", "10.0.0.8", "10.2.0.1", "127.0.0.1", "unix:", "10.0.0.7, 1.1.1.1"],
)
def test_headers_of_anybody_else_are_refused(peer: str | None) -> None:
    assert refusal(PROXY, [("x-caller-id", "alice")], peer) == (401, "unknown_proxy")


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([("x-caller-id", "alice"), ("x-caller-id", "bob")], (401, "wrong_header")),
        ([("x-caller-id", "alice,bob")], (401, "wrong_header")),
        ([("x-caller-id", "al\x00ice")], (401, "wrong_header")),
        ([("x-caller-id", "al\xedce")], (401, "wrong_header")),
        ([("x-caller-id", "a" * 257)], (401, "wrong_header")),
        ([("x-caller-id", " ")], (403, "no_id")),
        ([("x-caller-citizenships", "FR")], (403, "no_id")),
        ([("x-caller-id", "a"), ("x-caller-status", "king")], (403, "wrong_claims")),
        (
            [("x-caller-id", "a"), ("x-caller-citizenships", "UK")],
            (403, "wrong_claims"),
        ),
    ],
)
def test_a_known_proxy_is_not_believed_everything(
    headers: Any, reason: tuple[int, str]
) -> None:
    assert refusal(PROXY, headers, "10.0.0.7") == reason


def test_no_header_is_nobody_wherever_it_comes_from() -> None:
    assert PROXY.caller_of([("x-other", "a")], peer="10.0.0.7") is None
    assert PROXY.caller_of([("x-other", "a")], peer="1.1.1.1") is None


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"peers": ()}, "addresses of your proxies"),
        ({"peers": "10.0.0.7"}, "no list"),
        ({"peers": ("proxy.example",)}, "no address"),
        ({"peers": ("0.0.0.0/0",)}, "everybody"),
        ({"peers": ("::/0",)}, "everybody"),
        ({"fields": {}}, "`id`"),
        ({"fields": {"id": "X-Caller"}}, "lower case"),
        ({"fields": {"id": "x_caller"}}, "lower case"),
        ({"fields": {"id": "x-a", "residence": "x-a"}}, "two fields"),
        ({"fields": {"id": "x-a", "owner": "x-b"}}, "`owner`"),
    ],
)
def test_a_proxy_source_that_would_trust_too_much_is_not_made(
    wrong: Any, why: str
) -> None:
    known: dict[str, Any] = {"peers": ("10.0.0.7",), "fields": {"id": "x-caller-id"}}

    with pytest.raises(ConfigurationError, match=why):
        ProxyCallers(**{**known, **wrong})
