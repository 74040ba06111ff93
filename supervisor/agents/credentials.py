"""Whom a program runs as: from the names in a definition to the numbers that the kernel takes, or a refusal in words.

The same look is taken twice: when the definition is made, so that a person learns at once what will not work, and at
each start, since accounts come and go.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from supervisor.agents.rights import Rights
from supervisor.errors import Problem
from supervisor.units.spec import AgentSpec


@frozen(kw_only=True)
class Account:
    """What is known of a user."""

    name: str | None
    """None for a bare number without an account."""
    uid: int
    gid: int | None
    home: str | None


@frozen(kw_only=True)
class Credentials:
    """What a child is given. None leaves that as it is for this process."""

    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None
    umask: int | None = None
    nice: int | None = None
    account: Account | None = None

    def environment(self) -> dict[str, str]:
        """Return the variables by which a program finds its user."""
        account = self.account
        if account is None:
            return {}
        name = account.name or str(account.uid)
        return {"USER": name, "LOGNAME": name, "HOME": account.home or "/"}

    def home(self, otherwise: str) -> str:
        """Return the folder that paths count from; one that does not exist is the root, as for a service's account."""
        if self.account is None:
            return otherwise
        home = self.account.home
        return home if home is not None and Path(home).is_dir() else "/"


class Refused(Exception):
    """It cannot be done; carries every reason. Inside this package: callers make the error of their own of it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(problem.message for problem in problems))


def needs_look(spec: AgentSpec) -> bool:
    """Tell whether a definition says anything of whom it runs as."""
    return any(each is not None for each in (spec.user, spec.group, spec.groups, spec.umask, spec.nice))


def credentials(spec: AgentSpec, rights: Rights) -> Credentials:
    """Return what the child is to be given. May block: accounts may be kept by a server. Raises ``Refused``."""
    if not needs_look(spec):
        return Credentials()
    faults: list[Problem] = []
    account = _account(spec.user, faults)
    gid = _group("group", spec.group, faults)
    if gid is None and account is not None:
        gid = account.gid
    listed = spec.groups
    groups = None if listed is None else tuple(_groups(listed, faults))
    if groups is None and account is not None and account.uid != rights.uid:
        groups = _usual_groups(account, gid)
    faults += _not_permitted(spec, rights, account, gid, groups)
    if faults:
        raise Refused(tuple(faults))
    return Credentials(
        uid=account.uid if account is not None and account.uid != rights.uid else None,
        gid=gid if gid != rights.gid else None,
        groups=groups if groups is not None and frozenset(groups) != frozenset(rights.groups) else None,
        umask=None if spec.umask is None else int(spec.umask, 8),
        nice=spec.nice,
        account=account,
    )


def home_for(spec: AgentSpec, otherwise: str) -> str:
    """Return the folder that the paths of a definition count from."""
    return otherwise if spec.user is None else Credentials(account=_account(spec.user, [])).home(otherwise)


def _account(user: str | int | None, faults: list[Problem]) -> Account | None:
    if user is None:
        return None
    number = _number(user)
    try:
        found = pwd.getpwuid(number) if number is not None else pwd.getpwnam(str(user))
    except KeyError:
        if number is not None:
            return Account(name=None, uid=number, gid=None, home=None)
        faults.append(Problem("user", f"there is no user {user!r} on this machine"))
        return None
    return Account(name=found.pw_name, uid=found.pw_uid, gid=found.pw_gid, home=found.pw_dir or None)


def _group(path: str, group: str | int | None, faults: list[Problem]) -> int | None:
    if group is None:
        return None
    number = _number(group)
    if number is not None:
        return number
    try:
        return grp.getgrnam(str(group)).gr_gid
    except KeyError:
        faults.append(Problem(path, f"there is no group {group!r} on this machine"))
        return None


def _groups(groups: tuple[str | int, ...], faults: list[Problem]) -> Iterator[int]:
    for index, group in enumerate(groups):
        found = _group(f"groups[{index}]", group, faults)
        if found is not None:
            yield found


def _number(word: str | int) -> int | None:
    if isinstance(word, int):
        return word
    return int(word) if word.isascii() and word.isdecimal() else None


def _usual_groups(account: Account, gid: int | None) -> tuple[int, ...]:
    """Return the groups that a login of this user has; never none, since those of this process must not be kept."""
    first = gid if gid is not None else account.uid
    if account.name is None:
        return (first,)
    return tuple(os.getgrouplist(account.name, first))


def _not_permitted(
    spec: AgentSpec, rights: Rights, account: Account | None, gid: int | None, groups: tuple[int, ...] | None
) -> Iterator[Problem]:
    if account is not None and account.uid != rights.uid and not rights.switch_user:
        yield Problem("user", f"only root may run programs as another user; this daemon runs as {_own_name(rights)}")
    elif account is not None and account.gid is None and gid is None:
        yield Problem("group", f"is required, since there is no account with the number {account.uid}")
    elif gid is not None and gid != rights.gid and not rights.switch_group:
        yield Problem("group", "only root may run programs in another group")
    elif groups is not None and frozenset(groups) != frozenset(rights.groups) and not rights.switch_group:
        yield Problem("groups", "only root may give programs other groups")
    if spec.nice is not None and spec.nice < rights.lowest_nice:
        yield Problem("nice", f"this daemon may give {rights.lowest_nice} at the lowest, got {spec.nice}")


def _own_name(rights: Rights) -> str:
    try:
        return pwd.getpwuid(rights.uid).pw_name
    except KeyError:
        return f"the user with the number {rights.uid}"
