"""What this process may do for its children: asked of the kernel, not of the user id, which says less."""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Collection
from typing import Final

from attrs import frozen

_EFFECTIVE: Final = re.compile(rb"^CapEff:\s*([0-9a-f]+)$", re.MULTILINE)
_SETGID, _SETUID, _SYS_NICE, _SYS_RESOURCE = 6, 7, 23, 24


@frozen(kw_only=True)
class Rights:
    """The identity of this process, and how far it may hand on another one."""

    uid: int
    gid: int
    groups: Collection[int]
    switch_user: bool
    switch_group: bool
    lowest_nice: int
    """The first place in the queue that it may give."""
    raise_limits: bool
    """Whether hard limits of its own bind it."""


def present_rights() -> Rights:
    """Ask the kernel. Cheap."""
    with open("/proc/self/status", "rb") as status:  # noqa: PTH123 - no path is built here
        found = _EFFECTIVE.search(status.read())
    effective = int(found[1], 16) if found else 0

    def may(capability: int) -> bool:
        return bool(effective >> capability & 1)

    # The kernel keeps the floor of the niceness as 20 minus it, so that it grows with the right.
    allowed, _ = resource.getrlimit(resource.RLIMIT_NICE)
    present = os.getpriority(os.PRIO_PROCESS, 0)
    floor = -20 if allowed == resource.RLIM_INFINITY else min(present, 20 - allowed)
    return Rights(
        uid=os.geteuid(),
        gid=os.getegid(),
        groups=frozenset(os.getgroups()),
        switch_user=may(_SETUID),
        switch_group=may(_SETGID),
        lowest_nice=-20 if may(_SYS_NICE) else floor,
        raise_limits=may(_SYS_RESOURCE),
    )
