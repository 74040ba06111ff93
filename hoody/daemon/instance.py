"""The id of a home: made once, carried by every process that belongs to it."""

from __future__ import annotations

import uuid

from hoody.daemon.private_file import read_private, write_private
from supervisor.errors import StorageError


def load_or_create_instance(path: str) -> str:
    """Return the id in the file at ``path``; make one where there is none.

    A file that holds no id is refused: with another id, the processes that still run would not be known as ours, and
    would be started a second time.
    """
    try:
        text = read_private(path).strip()
    except FileNotFoundError:
        text = str(uuid.uuid4())
        try:
            write_private(path, text + "\n")
        except OSError as error:
            raise StorageError(f"the id of this home cannot be written to {path}: {error.strerror or error}") from error
        return text
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise StorageError(
            f"{path} does not hold the id of this home",
            hint="put it back if you have a copy; or stop what runs of this home by hand, then delete the file",
        ) from None
