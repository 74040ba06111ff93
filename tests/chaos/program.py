"""The agent of the storm: writes numbered lines, and keeps a record of its own of how many it has written.

``python program.py RECORDS PERIOD LIFE``: a line ``INCARNATION.PID NUMBER`` every PERIOD seconds, and an end with code
1 after LIFE seconds (0: never). After each write, the number of lines goes into ``RECORDS/UNIT/INCARNATION.PID``, so
that what reached the log can be held against what was written, whenever this process was killed.
"""

# Without pathlib: it is started hundreds of times in a run.
# ruff: noqa: PTH118, PTH103
import os
import sys
import time


def main(records: str, period: float, life: float) -> None:
    """Write until the end."""
    unit, incarnation = os.environ["HOODY_UNIT"], os.environ["HOODY_INCARNATION"]
    folder = os.path.join(records, unit)
    os.makedirs(folder, exist_ok=True)
    name = f"{incarnation}.{os.getpid()}"
    record = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    end = time.monotonic() + life if life else float("inf")
    number = 0
    while time.monotonic() < end:
        os.write(1, f"{name} {number}\n".encode())
        number += 1
        os.pwrite(record, b"%012d" % number, 0)
        time.sleep(period)
    sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
