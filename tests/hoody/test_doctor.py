"""The doctor: what is well is called well, and what is not is told with what to do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from hoody import doctor
from hoody.daemon.installing import describe_service
from hoody.doctor import Finding, Verdict, examine
from hoody.home import find_home, prepare_home


def environ(folder: Path) -> dict[str, str]:
    return {"HOODY_HOME": str(folder / "home"), "HOME": str(folder), "PATH": os.defpath}


def found(variables: Mapping[str, str]) -> dict[str, Finding]:
    return {each.subject: each for each in examine(variables)}


def test_a_fresh_machine_has_nothing_to_mend(tmp_path: Path) -> None:
    findings = found(environ(tmp_path))

    assert [each for each in findings.values() if each.verdict is Verdict.BROKEN] == []
    assert findings["daemon"].detail == "does not run; start it with: hoody up"
    assert not (tmp_path / "home").exists(), "looking changes nothing"


@pytest.mark.parametrize(
    ("subject", "name", "content"),
    [
        ("configuration", "hoody.toml", "[daemon]\nprot = 1\n"),
        ("configuration", "hoody.toml", "not toml"),
        ("database", "state/hoody.db", "this is no database, however long it is" * 50),
        ("token", "state/token", "open to all"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, subject: str, name: str, content: str) -> None:
    variables = environ(tmp_path)
    home = find_home(variables)
    prepare_home(home)
    place = {"configuration": home.config_file, "database": home.database, "token": home.token_file}[subject]
    Path(place).write_text(content)
    Path(place).chmod(0o644)

    finding = found(variables)[subject]

    assert finding.verdict is Verdict.BROKEN
    assert place in finding.detail


def test_a_folder_that_others_may_write_to_is_told_with_the_way_out(tmp_path: Path) -> None:
    variables = environ(tmp_path)
    home = find_home(variables)
    prepare_home(home)
    Path(home.state).chmod(0o777)

    finding = found(variables)["state"]

    assert (finding.verdict, finding.hint) == (
        Verdict.BROKEN,
        f"look at what is in it, then: chmod 700 '{home.state}'",
    )


def test_a_service_of_another_python_is_told(tmp_path: Path) -> None:
    variables = environ(tmp_path)
    path = Path(describe_service(variables).path)
    path.parent.mkdir(parents=True)
    path.write_text("ExecStart=/usr/bin/other-python")

    assert found(variables)["service"].verdict is Verdict.WARNING

    path.write_text(describe_service(variables).text)

    assert found(variables)["service"].verdict is Verdict.OK


@pytest.mark.parametrize(
    ("release", "verdict"),
    [
        ("6.15.0-1-generic", Verdict.OK),
        ("7.0", Verdict.OK),
        ("6.8.0", Verdict.WARNING),
        ("5.15.0-microsoft", Verdict.WARNING),
    ],
)
def test_an_older_kernel_is_told(release: str, verdict: Verdict) -> None:
    assert doctor._kernel(release).verdict is verdict


@pytest.mark.parametrize(("hard", "verdict"), [(-1, Verdict.OK), (524288, Verdict.OK), (1024, Verdict.WARNING)])
def test_few_descriptors_are_told(hard: int, verdict: Verdict) -> None:
    assert doctor._descriptors(hard).verdict is verdict


def test_a_system_without_splice_is_told() -> None:
    assert doctor._capture(can_splice=False).verdict is Verdict.WARNING
