"""An operating-system process as a unit: how it is started, watched, told its end exactly, and cleared away whole.

``process.py`` is the driver; everything else here is one duty of it. Linux only: it stands on pidfds, ``/proc`` and the
child-subreaper flag (see ``host.py`` for the oldest kernel that has all of them).
"""
