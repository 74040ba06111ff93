"""The command line. It talks to the daemon over HTTP only, through :mod:`hoody.client`.

Start-up time is a promise, so a command imports what it needs inside its function, the groups load a command's module
when it is called for, and the whole runs without an event loop: asyncclick's coroutines never suspend here and are
driven by hand. The few commands that need trio run it themselves.
"""
