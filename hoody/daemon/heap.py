"""Keep what the daemon has imported out of the way of its garbage collector."""

from __future__ import annotations

import gc
import linecache


def settle() -> None:
    """Take everything that exists now for permanent. To be called once, when the imports are through.

    The modules are some 150,000 objects, and the collector would walk over all of them each time that the number of
    other objects has grown by a quarter: a pause of 100 ms and more in the middle of the start of a thousand agents.
    """
    # attrs has left the source of each method that it generated here: 1 MB, of use to tracebacks alone.
    linecache.clearcache()
    gc.collect()
    gc.freeze()
