"""Whom a program runs as: names become numbers or a refusal in words, and the kernel is given the numbers."""

from __future__ import annotations

import grp
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from supervisor.agents.cgroups import ControlGroups
from supervisor.agents.credentials import Credentials, Refused, credentials
from supervisor.agents.host import Host
from supervisor.agents.permits import AgentPermits
from supervisor.agents.rights import Rights, present_rights
from supervisor.convert import definition_from_document
from supervisor.errors import InvalidInput, SpawnFailed
from supervisor.units.driver import Launch
from supervisor.units.spec import AgentSpec
from tests.supervisor.agents.world import ProcessWorld, process_world
from tests.supervisor.contract import Ends, start

ROOT = Rights(
    uid=0, gid=0, groups=frozenset({0}), switch_user=True, switch_group=True, lowest_nice=-20, raise_limits=True
)
NOBODY = Rights(
    uid=65534,
    gid=65534,
    groups=frozenset({65534}),
    switch_user=False,
    switch_group=False,
    lowest_nice=0,
    raise_limits=False,
)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may run programs as another user")


def spec(**keys: Any) -> AgentSpec:
    return AgentSpec(command="true", **keys)


def refusals(rights: Rights, **keys: Any) -> dict[str, str]:
    with pytest.raises(Refused) as caught:
        credentials(spec(**keys), rights)
    return dict(caught.value.problems)


def test_a_definition_that_says_nothing_changes_nothing() -> None:
    assert credentials(spec(), ROOT) == Credentials()


def test_a_user_brings_its_group_its_other_groups_and_its_home() -> None:
    found = credentials(spec(user="nobody"), ROOT)

    assert (found.uid, found.gid) == (65534, 65534)
    assert found.groups == (65534,)
    assert found.environment() == {"USER": "nobody", "LOGNAME": "nobody", "HOME": "/nonexistent"}
    assert found.home("/root") == "/"


def test_a_user_can_be_named_by_number_and_may_have_no_account() -> None:
    assert credentials(spec(user=65534), ROOT).uid == 65534
    assert credentials(spec(user="65534"), ROOT).account == credentials(spec(user="nobody"), ROOT).account
    assert credentials(spec(user=54321, group=54321), ROOT).environment()["HOME"] == "/"
    assert "is required" in refusals(ROOT, user=54321)["group"]


def test_no_group_of_root_is_ever_kept_by_another_user() -> None:
    assert credentials(spec(user="nobody", groups=()), ROOT).groups == ()
    assert credentials(spec(user=54321, group=54321), ROOT).groups == (54321,)


def test_every_unknown_name_is_told_with_its_place() -> None:
    found = refusals(ROOT, user="no-such-user", group="no-such-group", groups=("root", "no-such-other"))

    assert found == {
        "user": "there is no user 'no-such-user' on this machine",
        "group": "there is no group 'no-such-group' on this machine",
        "groups[1]": "there is no group 'no-such-other' on this machine",
    }


def test_who_is_not_root_may_name_itself_and_nobody_else() -> None:
    assert credentials(spec(user="nobody"), NOBODY) == Credentials(account=credentials(spec(user=65534), ROOT).account)
    assert refusals(NOBODY, user="root") == {
        "user": "only root may run programs as another user; this daemon runs as nobody"
    }
    assert refusals(NOBODY, group="root") == {"group": "only root may run programs in another group"}
    assert refusals(NOBODY, groups=("root",)) == {"groups": "only root may give programs other groups"}


def test_a_place_further_ahead_than_allowed_is_refused_and_one_further_back_is_not() -> None:
    assert refusals(NOBODY, nice=-1) == {"nice": "this daemon may give 0 at the lowest, got -1"}
    assert credentials(spec(nice=19), NOBODY).nice == 19
    assert credentials(spec(nice=-20), ROOT).nice == -20


@pytest.mark.parametrize(
    ("keys", "path", "sentence"),
    [
        ({"umask": "9"}, "umask", "three octal digits"),
        ({"umask": 22}, "umask", "expected text"),
        ({"nice": 20}, "nice", "between -20 (first) and 19 (last)"),
        ({"user": ""}, "user", "cannot be the name of an account"),
        ({"user": -1}, "user", "the number must be between 0"),
        ({"groups": ["a:b"]}, "groups", "cannot be the name of an account"),
        ({"groups": "adm"}, "groups", "expected a list"),
    ],
)
def test_what_can_be_no_account_is_refused_from_the_words_alone(keys: dict[str, Any], path: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        definition_from_document({"name": "web", "command": "true", **keys})

    (problem,) = caught.value.problems
    assert (problem.path, sentence in problem.message) == (path, True)


def test_the_rights_are_those_that_the_kernel_grants() -> None:
    found = present_rights()

    assert (found.uid, found.gid) == (os.geteuid(), os.getegid())
    assert found.groups == frozenset(os.getgroups())
    assert -20 <= found.lowest_nice <= 0


@as_root
def test_a_daemon_without_rights_knows_that_it_has_none() -> None:
    program = """
import os
from supervisor.agents.rights import present_rights
from supervisor.agents.credentials import Refused, credentials
from supervisor.units.spec import AgentSpec
os.setgroups([]); os.setgid(65534); os.setuid(65534)
found = present_rights()
assert (found.uid, found.switch_user, found.switch_group, found.raise_limits) == (65534, False, False, False), found
assert found.lowest_nice >= 0, found
try:
    credentials(AgentSpec(command="true", user="root", nice=-5), found)
except Refused as error:
    print(*[path for path, _ in error.problems])
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)

    assert result.stdout.split() == ["user", "nice"]


@as_root
async def test_a_program_runs_as_its_user_with_its_groups_and_its_environment(world: ProcessWorld) -> None:
    world.folder.chmod(0o777)

    told = await world.told(
        'id -u >&3; id -g >&3; id -G >&3; echo "$USER $LOGNAME $HOME" >&3', user="nobody", groups=("adm",)
    )

    adm = str(grp.getgrnam("adm").gr_gid)
    assert told.split("\n")[:4] == ["65534", "65534", f"65534 {adm}", "nobody nobody /nonexistent"]


@as_root
async def test_a_program_of_another_user_keeps_none_of_our_groups(world: ProcessWorld) -> None:
    world.folder.chmod(0o777)

    assert (await world.told("id -G >&3", user="nobody", groups=())).split() == ["65534"]


@as_root
async def test_what_the_definition_says_of_the_environment_wins_over_the_user(world: ProcessWorld) -> None:
    world.folder.chmod(0o777)

    told = await world.told('echo "$HOME" >&3', user="nobody", environment={"HOME": "/elsewhere"})

    assert told == "/elsewhere\n"


async def test_the_umask_and_the_niceness_are_those_of_the_definition(world: ProcessWorld) -> None:
    told = await world.told("umask >&3", umask="027")
    incarnation = await start(world, world.shell("$READY; exec sleep 1000", nice=7), Ends())

    assert int(told, 8) == 0o027
    assert os.getpriority(os.PRIO_PROCESS, incarnation.identity.pid) == 7
    assert os.getpriority(os.PRIO_PROCESS, 0) != 7


class Fifos:
    """An output into FIFOs, as the log store has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, _unit: str, stream: str, _incarnation: int) -> int:
        path = self.folder / stream
        if not path.exists():
            os.mkfifo(path, 0o600)
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def begun(self, _unit: str) -> None:
        """Do nothing."""


@as_root
async def test_a_program_may_open_its_own_output_anew_whoever_it_runs_as(tmp_path: Path, subreaper: Host) -> None:
    async with process_world(tmp_path, host=subreaper, output=Fifos(tmp_path)) as world:
        world.folder.chmod(0o777)
        await world.told("echo again >/dev/stdout; echo done >&3", user="nobody")
        owner = (tmp_path / "stdout").stat().st_uid
        await world.told("echo again >/dev/stdout; echo done >&3")

    assert owner == 65534
    assert (tmp_path / "stdout").stat().st_uid == os.geteuid()


async def test_a_user_that_is_gone_by_the_time_of_the_start_is_told_in_words(world: ProcessWorld) -> None:
    with pytest.raises(SpawnFailed, match="web could not be started: there is no user 'no-such-user'"):
        await world.driver.spawn(
            Launch(unit="web", incarnation=1, spec=evolve(world.steady(), user="no-such-user")), Ends()
        )


@as_root
async def test_a_program_that_its_user_may_not_run_is_told_as_that(world: ProcessWorld) -> None:
    script = world.folder / "secret"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o700)

    with pytest.raises(SpawnFailed, match="may not be run by the user nobody"):
        await world.driver.spawn(
            Launch(unit="web", incarnation=1, spec=AgentSpec(command=(str(script),), user="nobody")), Ends()
        )


async def test_only_what_could_be_refused_is_looked_into() -> None:
    permits = AgentPermits(ControlGroups("test"))

    assert not permits.concerns(spec())
    assert permits.concerns(spec(user="nobody"))
    assert [problem.path for problem in await permits.problems(spec(user="no-such-user"))] == ["user"]
    assert not await permits.problems(spec(user=os.geteuid()))
