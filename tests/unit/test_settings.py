from __future__ import annotations

from pathlib import Path

import pytest

from policyguard.errors import ConfigurationError
from policyguard.settings import Settings, default_trail, load_settings
from policyguard.vocabulary.call import Contract, Tenant

WHOLE = """
[bundle]
path = "policies"
digest = "0000000000000000000000000000000000000000000000000000000000000000"

[catalog]
overlays = ["own.yaml"]

[trail]
directory = "trail"
name = "acme.example/policyguard"

[tenant]
id = "acme"
profile = "strict"
establishment = "DE"
residency_allowed = ["DE", "FR"]

[[tenant.contracts]]
operator = "scaleway"
dpa = true
transfer_tool = "none"
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "policyguard.toml"
    file.write_text(text, "utf-8")
    return file


def test_without_a_file_there_are_defaults() -> None:
    assert load_settings() == Settings()


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, WHOLE))

    assert settings.bundle.path == tmp_path / "policies"
    assert settings.catalog.overlays == (tmp_path / "own.yaml",)
    assert settings.trail.directory == tmp_path / "trail"
    assert settings.tenant.tenant() == Tenant(
        id="acme",
        profile="strict",
        residency_allowed=("DE", "FR"),
        contracts=(Contract(operator="scaleway", dpa=True, transfer_tool="none"),),
    )


def test_the_variable_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLICYGUARD_CONFIG", str(write(tmp_path, WHOLE)))

    assert load_settings().tenant.id == "acme"


def test_the_working_directory_is_never_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, WHOLE)
    monkeypatch.chdir(tmp_path)

    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[tenant]\nid = 'acme'\nprofil = 'strict'\n", r"line 3, key `tenant.profil`"),
        ("[tenant]\n\nprofile = 'lax'\n", r"line 3, key `tenant.profile`"),
        ("[[tenant.contracts]]\noperator = 7\n", r"line 2, key `tenant.contracts.0.op"),
        ("[tenants]\nid = 'a'\n", r"line 1, key `tenants`: there is no such key"),
        ("[tenant\n", "is not TOML"),
        ("[trail]\nname = 'UPPER'\n", "line 2, key `trail.name`"),
        (
            "[tenant]\nid = 'a'\nestablishment = 'UK'\n",
            r"line 3, key `tenant.establishment`: `UK` is no .*: write `GB`$",
        ),
        (
            "[tenant]\nresidency_allowed = ['DE', 'EU']\n",
            r"line 2, key `tenant.residency_allowed.1`: `EU` is no country: name ",
        ),
        ("[tenant]\nresidency_allowed = []\n", "line 2, key `tenant.residency_allowed"),
    ],
)
def test_a_wrong_file_is_refused_by_line_and_key(
    tmp_path: Path, text: str, why: str
) -> None:
    with pytest.raises(ConfigurationError, match=why):
        load_settings(write(tmp_path, text))


def test_a_missing_file_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"give the path of a policyguard\.toml"
    ):
        load_settings(tmp_path / "absent.toml")


def test_the_variable_sets_where_the_trail_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLICYGUARD_TRAIL", str(tmp_path / "elsewhere"))

    assert default_trail() == tmp_path / "elsewhere"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('[signing]\nuri = "hv:{slot}/1"\n', "belong together"),
        ('[signing]\npublic_key = "a"\n', "belong together"),
        (
            '[signing]\nuri = "hv:one/1"\npublic_key = "a"\n',
            "a key of its own",
        ),
        ("[[outside.sinks]]\n", "one of command, directory and url"),
        (
            '[[outside.sinks]]\ndirectory = "a"\nurl = "https://b.example"\n',
            "one of command, directory and url",
        ),
        ("[outside]\nmax_age_hours = 0\n", "greater than or equal to 1"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(
    tmp_path: Path, text: str, found: str
) -> None:
    with pytest.raises(ConfigurationError, match=found):
        load_settings(write(tmp_path, text))


def test_paths_of_keys_and_of_others_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load_settings(
        write(
            tmp_path,
            """
            [signing]
            passphrase_file = "secret"
            [outside]
            witnesses = "witnesses"
            timestamp_roots = "tsa.pem"
            [[outside.sinks]]
            directory = "sink"
            [[outside.sinks]]
            command = ["publish", "--now"]
            """,
        )
    )

    assert settings.signing.passphrase() == tmp_path / "secret"
    assert settings.outside.witnesses == tmp_path / "witnesses"
    assert settings.outside.timestamp_roots == tmp_path / "tsa.pem"
    assert [sink.directory for sink in settings.outside.sinks] == [
        tmp_path / "sink",
        None,
    ]


def test_the_variable_names_a_passphrase_file_where_the_settings_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Settings().signing.passphrase() is None
    monkeypatch.setenv("POLICYGUARD_PASSPHRASE_FILE", str(tmp_path / "secret"))

    named = load_settings(write(tmp_path, '[signing]\npassphrase_file = "own"\n'))

    assert Settings().signing.passphrase() == tmp_path / "secret"
    assert named.signing.passphrase() == tmp_path / "own"
