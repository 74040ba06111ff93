"""Give a child limits that differ from the daemon's own.

``setrlimit`` between fork and exec would need ``preexec_fn``, which rules out vfork, is not safe beside threads, and
costs a copy of the daemon's page tables per start. So the limits of the daemon itself are what the child shall have for
the moment in which the child is made. Two are set: the number of descriptors, and the seal (see ``marks.py``).
"""

from __future__ import annotations

import contextlib
import os
import resource
import threading
from collections.abc import Iterator
from typing import Final

from supervisor.descriptors import DescriptorLimits

_SPARE: Final = 64
"""So many low descriptor numbers must be free before the daemon's own limit is lowered for a moment."""


class LimitWindow:
    """Lowers the limits of this process while a child is made. One at a time: limits belong to the whole process."""

    def __init__(self, descriptors: DescriptorLimits) -> None:
        self._descriptors = descriptors
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def open(self, seal: int) -> Iterator[None]:
        """Children made inside this block are born with ``seal`` and, where that is safe, with the inherited limit."""
        with self._lock, _soft_limit(resource.RLIMIT_RTTIME, seal):
            if self._must_lower and self._low_numbers_are_free():
                with _soft_limit(resource.RLIMIT_NOFILE, self._descriptors.inherited):
                    yield
            else:
                yield

    def settle(self, pid: int) -> None:
        """Make sure of the child's descriptor limit: needed only where the low numbers were used up."""
        if not self._must_lower:
            return
        wanted = (self._descriptors.inherited, self._descriptors.hard)
        with contextlib.suppress(PermissionError, ProcessLookupError):
            # A setuid program is not ours to limit, and one that has ended needs none.
            if resource.prlimit(pid, resource.RLIMIT_NOFILE)[0] == self._descriptors.raised:
                resource.prlimit(pid, resource.RLIMIT_NOFILE, wanted)

    @property
    def _must_lower(self) -> bool:
        return self._descriptors.raised > self._descriptors.inherited

    def _low_numbers_are_free(self) -> bool:
        lowest = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        os.close(lowest)
        return lowest + _SPARE <= self._descriptors.inherited


@contextlib.contextmanager
def _soft_limit(which: int, value: int) -> Iterator[None]:
    """Have another soft limit inside the block. A hard limit below ``value`` leaves things as they are."""
    soft, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY and hard < value:
        yield
        return
    resource.setrlimit(which, (value, hard))
    try:
        yield
    finally:
        resource.setrlimit(which, (soft, hard))
