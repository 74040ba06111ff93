"""The bearer token of the API: made at the first start, kept over restarts, replaced by rotation."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Final

from hoody.daemon.private_file import read_private, write_private
from supervisor.errors import StorageError

PREFIX: Final = "hdy_"
"""So that scanners for leaked secrets can know one."""
_FORM: Final = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")


def new_token() -> str:
    """Return a new token: 256 bits from the system's generator."""
    return PREFIX + secrets.token_urlsafe(32)


class TokenKeeper:
    """Knows the present token by its SHA-256 alone. Used on one thread; the caller holds the lock of the home."""

    def __init__(self, path: str, digest: bytes) -> None:
        self._path = path
        self._digest = digest

    @classmethod
    def load_or_create(cls, path: str) -> TokenKeeper:
        """Take up the token in the file, or make one.

        Raises ``NotAllowed`` for a file that others could have read or written, ``StorageError`` for one that holds no
        token or cannot be written.
        """
        try:
            token = read_private(path).strip()
        except FileNotFoundError:
            token = new_token()
            _write(path, token)
        return cls(path, _digest(_checked(path, token).encode()))

    def verify(self, token: bytes) -> bool:
        """Tell whether ``token`` is the present one, in a time that says nothing about how near it came."""
        return hmac.compare_digest(_digest(token), self._digest)

    def rotate(self) -> str:
        """Make a new token, write it, and honour no other from now on. A ``StorageError`` changes nothing."""
        token = new_token()
        _write(self._path, token)
        self._digest = _digest(token.encode())
        return token

    def reload(self) -> None:
        """Take up what is in the file now; errors as in :meth:`load_or_create`, and then the old one stays."""
        try:
            token = read_private(self._path).strip()
        except FileNotFoundError:
            raise StorageError(
                f"the token file {self._path} is gone", hint="make one with: hoody token rotate"
            ) from None
        self._digest = _digest(_checked(self._path, token).encode())


def _checked(path: str, token: str) -> str:
    if not _FORM.fullmatch(token):
        # What is in the file stays out of the sentence: it may be most of a secret.
        raise StorageError(
            f"the token file {path} holds no token", hint="delete it; a new token is made at the next start"
        )
    return token


def _write(path: str, token: str) -> None:
    try:
        write_private(path, token + "\n")
    except OSError as error:
        raise StorageError(f"the token cannot be written to {path}: {error.strerror or error}") from error


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
