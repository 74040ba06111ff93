"""How many descriptors this process may have, and where the long-lived ones go.

A daemon of a thousand agents needs more descriptors than the usual 1,024, so it raises its own limit. Its children must
still start with the limit that the daemon was started with, and a limit cannot be handed to one child alone: it is
lowered while the child is made (``supervisor.agents.window``). That is harmless as long as the low numbers are free,
because a limit only refuses *new* descriptors above it. Hence :func:`lift`.
"""

from __future__ import annotations

import fcntl
import os
import resource
from typing import Final

from attrs import frozen

LIFTED: Final = 1024
"""Long-lived descriptors have numbers from here on: the soft limit that nearly every process starts with."""


@frozen
class DescriptorLimits:
    """What this process was started with, and what it has now."""

    inherited: int
    raised: int
    hard: int


def current_limits() -> DescriptorLimits:
    """Return the limits as they are, with nothing raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return DescriptorLimits(inherited=soft, raised=soft, hard=hard)


def raise_descriptor_limit(wanted: int = 1 << 20) -> DescriptorLimits:
    """Raise the soft limit of this process as far as ``wanted`` and the hard limit allow. Never lowers it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    raised = max(soft, wanted if hard == resource.RLIM_INFINITY else min(wanted, hard))
    if raised > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    return DescriptorLimits(inherited=soft, raised=raised, hard=hard)


def lift(descriptor: int) -> int:
    """Move a long-lived descriptor out of the low numbers and return its new number (close-on-exec).

    Returns the old one where there is no room above; nothing depends on the move but speed and neatness.
    """
    if descriptor >= LIFTED:
        return descriptor
    try:
        lifted = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, LIFTED)
    except OSError:
        # EINVAL or EMFILE: the limit is not above LIFTED, for good or for the moment in which a child is made.
        return descriptor
    os.close(descriptor)
    return lifted
