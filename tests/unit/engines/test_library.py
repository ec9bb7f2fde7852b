"""Tests of which shared library is accepted as the engine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import regorus

from policyguard.engines.library import (
    KNOWN_DIGESTS,
    Library,
    identify_library,
    installed_library,
)
from policyguard.errors import ConfigurationError

INSTALLED = Path(regorus.__file__).parent
OURS = "run `pip install --force-reinstall gordon-to-regorus==0.13.0`"


def _distribution(site: Path, name: str, version: str, *, brings: str = "") -> None:
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "ascii"
    )
    (info / "RECORD").write_text(f"{brings}/__init__.py,,\n" if brings else "", "ascii")


def _site(folder: Path, *, version: str = "0.13.0", copy: bool = True) -> Path:
    _distribution(folder, "gordon-to-regorus", version, brings="regorus")
    if copy:
        shutil.copytree(INSTALLED, folder / "regorus")
    return folder


def _refusal(site: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        identify_library([str(site)])
    return str(caught.value)


def test_the_installed_library_is_known() -> None:
    library = installed_library()

    assert (library.distribution, library.version, library.digest in KNOWN_DIGESTS) == (
        "gordon-to-regorus",
        "0.13.0",
        True,
    )


def test_the_library_is_identified_on_any_search_path(tmp_path: Path) -> None:
    site = _site(tmp_path)

    assert identify_library([str(tmp_path / "none"), str(site)]) == installed_library()


def test_the_first_library_on_the_path_is_the_one_that_counts(tmp_path: Path) -> None:
    first, second = _site(tmp_path / "a"), _site(tmp_path / "b")
    _extension(first).write_bytes(b"another library")

    with pytest.raises(ConfigurationError, match="unknown digest"):
        identify_library([str(first), str(second)])


def test_a_changed_library_is_refused(tmp_path: Path) -> None:
    site = _site(tmp_path)
    with _extension(site).open("ab") as stream:
        stream.write(b"\0")

    message = _refusal(site)

    assert ("unknown digest" in message, message.endswith(OURS)) == (True, True)


def test_a_file_that_would_be_loaded_instead_is_refused(tmp_path: Path) -> None:
    site = _site(tmp_path)
    extension = _extension(site)
    (extension.parent / "regorus.py").write_text("", "ascii")
    extension.unlink()

    assert "unknown digest" in _refusal(site)


def test_a_missing_library_is_refused(tmp_path: Path) -> None:
    site = _site(tmp_path)
    _extension(site).unlink()

    assert _refusal(site) == f"the package `regorus` has no extension module: {OURS}"


def test_a_missing_distribution_is_refused(tmp_path: Path) -> None:
    assert _refusal(tmp_path) == f"`gordon-to-regorus` is not installed: {OURS}"


def test_another_version_is_refused(tmp_path: Path) -> None:
    site = _site(tmp_path, version="0.14.1", copy=False)

    assert _refusal(site) == f"`gordon-to-regorus` is `0.14.1`, not `0.13.0`: {OURS}"


@pytest.mark.parametrize("name", ["celine-regorus", "regorus"])
def test_another_distribution_of_the_import_name_is_refused(
    tmp_path: Path, name: str
) -> None:
    site = _site(tmp_path)
    _distribution(site, name, "0.9.1", brings="regorus")

    assert _refusal(site) == (
        f"`{name}` also brings the import name `regorus`: run `pip uninstall {name}`"
        " and then `pip install --force-reinstall gordon-to-regorus==0.13.0`"
    )


def test_an_old_style_distribution_of_the_import_name_is_refused(
    tmp_path: Path,
) -> None:
    site = _site(tmp_path)
    info = site / "Regorus_Fork-1.0.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text(
        "Metadata-Version: 2.1\nName: Regorus_Fork\n", "ascii"
    )
    (info / "top_level.txt").write_text("regorus\n", "ascii")

    assert _refusal(site).startswith("`regorus-fork` also brings the import name")


@pytest.mark.parametrize("name", ["policyguard", "PolicyGuard"])
def test_the_other_project_of_our_name_is_refused(tmp_path: Path, name: str) -> None:
    site = _site(tmp_path)
    _distribution(site, name, "1.0", brings="policyguard")

    assert _refusal(site) == (
        "another project named `policyguard` is installed and hides files of this one:"
        " run `pip uninstall policyguard` and then"
        " `pip install --force-reinstall policyguard-ai`"
    )


def test_our_own_distribution_is_no_namesake(tmp_path: Path) -> None:
    site = _site(tmp_path)
    _distribution(site, "policyguard-ai", "0.1.0", brings="policyguard")

    assert identify_library([str(site)]) == installed_library()


def test_every_platform_of_the_pinned_version_is_known() -> None:
    assert sorted(KNOWN_DIGESTS.values()) == [
        "macosx_10_12_x86_64",
        "macosx_11_0_arm64",
        "manylinux_2_34_aarch64",
        "manylinux_2_34_x86_64",
        "win_amd64",
    ]


def test_a_library_is_a_value() -> None:
    one = Library(distribution="a", version="1", digest="0" * 64)

    assert one == Library(distribution="a", version="1", digest="0" * 64)


def _extension(site: Path) -> Path:
    (file,) = [
        file for file in (site / "regorus").iterdir() if file.suffix in {".so", ".pyd"}
    ]
    return file
