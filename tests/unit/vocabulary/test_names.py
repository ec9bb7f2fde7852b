"""Names are compared by the words that tell somebody apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.names import KEY, add_name_keys, keys_of, name_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Beijing Zhipu Huazhang Technology Co., Ltd.", "BEIJING ZHIPU HUAZHANG"),
        ("Société Générale S.A.", "Societe Generale SA"),
        ("Huawei Technologies Co., Ltd., and any successor, sub-unit", "Huawei"),
        ("Group Holdings", "Holdings, Group"),
        ("Müller & Söhne GmbH", "MUELLER UND SOEHNE GESELLSCHAFT M.B.H."),
        ("Straßenbau AG", "STRASSENBAU A.G."),
        ("Ørsted A/S", "ORSTED AS"),
        ("Telespazio S.p.A.", "telespazio spa"),
        ("Łódź Sp. z o.o.", "LODZ SP Z OO"),
        ("OOO Gazprom Neft", "Gazprom Neft, L.L.C."),
        ("北京智谱华章科技股份有限公司", "北京智谱华章科技有限公司"),
        ("\uff21\uff23\uff2d\uff25", "acme"),
        ("Doe, John", "JOHN DOE"),
        ("Acme a.k.a. Something Else", "Acme"),
        ("Hua\u200bwei", "Huawei"),
        ("Hua\u00adwei", "Huawei"),
        ("Hu\u034fawei", "Huawei"),
        ("H\u202euawei", "Huawei"),
        ("Hu\u0430wei", "Huawei"),
        ("\u0397uawei", "Huawei"),
        ("\u041d\u0443awei", "Hyawei"),
    ],
)
def test_names_of_one_party_have_one_key(one: str, other: str) -> None:
    assert name_key(one) == name_key(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Zhipu", "Moonshot"),
        ("Inspur", "Inspur Cloud"),
        ("Acme One", "Acme Two"),
        ("北京智谱", "北京月之暗面"),
        ("The Group Ltd", "Ltd"),
        # A name that is all Cyrillic is no Latin one.
        ("\u0420\u043e\u0441", "Poc"),
    ],
)
def test_other_names_have_other_keys(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


def test_a_name_without_a_letter_has_no_key_and_finds_nobody() -> None:
    assert name_key("…") == ""
    assert keys_of({"a": ["…"]}) == {}


@given(name=st.text(max_size=40), words=st.permutations(["alpha", "beta", "gamma"]))
def test_a_key_is_its_own_key_and_the_order_of_words_is_none(
    name: str, words: list[str]
) -> None:
    assert name_key(name_key(name)) == name_key(name) or not name_key(name).isascii()
    assert name_key(" ".join(words)) == "alpha beta gamma"


def test_each_name_of_a_question_has_its_key_beside_it() -> None:
    call = ModelCall.model_validate(
        {
            "at": "2026-07-10T12:00:00Z",
            "caller": {
                "id": "a",
                "organisation": {"name": "Acme GmbH", "owners": [{"name": "B, Co."}]},
            },
            "tenant": {"id": "t", "organisation": {"name": "Tenant Ltd"}},
        }
    )
    question: dict[str, dict[str, dict[str, object]]] = call.engine_input()  # type: ignore[assignment]

    theirs, ours = (question[name]["organisation"] for name in ("caller", "tenant"))
    assert (theirs[KEY], ours[KEY]) == ("acme", "tenant")
    assert theirs["owners"][0][KEY] == "b"  # type: ignore[index]


def test_nobody_has_no_key() -> None:
    add_name_keys(None)
    group: dict[str, object] = {"organisation": None}
    add_name_keys(group)
    assert group == {"organisation": None}
