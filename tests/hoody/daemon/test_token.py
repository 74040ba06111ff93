"""The bearer token: made once, private, compared in constant time, replaced in one step."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from hoody.daemon.token import TokenKeeper, new_token
from supervisor.errors import NotAllowed, StorageError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "token"


def test_the_first_start_makes_a_token_for_its_owner_alone(path: Path) -> None:
    keeper = TokenKeeper.load_or_create(str(path))
    token = path.read_text().strip()

    assert re.fullmatch(r"hdy_[A-Za-z0-9_-]{43}", token)
    assert path.stat().st_mode & 0o7777 == 0o600
    assert keeper.verify(token.encode())


def test_later_starts_keep_it(path: Path) -> None:
    TokenKeeper.load_or_create(str(path))
    before = path.read_bytes()

    keeper = TokenKeeper.load_or_create(str(path))

    assert path.read_bytes() == before
    assert keeper.verify(before.strip())


@pytest.mark.parametrize("wrong", [b"", b"hdy_", b"\xff\x00", b"x" * 100_000])
def test_anything_else_is_refused(path: Path, wrong: bytes) -> None:
    keeper = TokenKeeper.load_or_create(str(path))

    assert not keeper.verify(wrong)
    assert not keeper.verify(path.read_bytes())  # with its newline
    assert not keeper.verify(path.read_bytes().strip()[:-1])


def test_tokens_do_not_repeat() -> None:
    assert len({new_token() for _ in range(1000)}) == 1000


def test_rotation_replaces_the_token_in_file_and_memory(path: Path) -> None:
    keeper = TokenKeeper.load_or_create(str(path))
    old = path.read_bytes().strip()

    new = keeper.rotate()

    assert path.read_text().strip() == new
    assert keeper.verify(new.encode())
    assert not keeper.verify(old)
    assert path.stat().st_mode & 0o7777 == 0o600


def test_a_rotation_that_cannot_be_written_changes_nothing(path: Path) -> None:
    keeper = TokenKeeper.load_or_create(str(path))
    old = path.read_bytes().strip()
    path.unlink()
    path.mkdir()

    with pytest.raises(StorageError, match="the token cannot be written"):
        keeper.rotate()

    assert keeper.verify(old)


def test_memory_holds_no_token(path: Path) -> None:
    keeper = TokenKeeper.load_or_create(str(path))

    assert path.read_text().strip() not in repr(vars(keeper))


def test_a_file_that_others_could_read_is_refused_in_words(path: Path) -> None:
    TokenKeeper.load_or_create(str(path))
    path.chmod(0o644)

    with pytest.raises(NotAllowed, match=r"open to other users \(mode 0644\)"):
        TokenKeeper.load_or_create(str(path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused_in_words(path: Path) -> None:
    TokenKeeper.load_or_create(str(path))
    os.chown(path, 12345, 12345)

    with pytest.raises(NotAllowed, match="belongs to another user"):
        TokenKeeper.load_or_create(str(path))


@pytest.mark.parametrize("content", ["", "hdy_short", "something else entirely"])
def test_a_file_without_a_token_is_refused_without_telling_what_is_in_it(path: Path, content: str) -> None:
    path.write_text(content)
    path.chmod(0o600)

    with pytest.raises(StorageError, match="holds no token") as caught:
        TokenKeeper.load_or_create(str(path))

    assert not content or content not in str(caught.value)


def test_a_token_changed_in_the_file_is_taken_up_on_demand(path: Path) -> None:
    keeper = TokenKeeper.load_or_create(str(path))
    other = new_token()
    path.write_text(other)

    assert not keeper.verify(other.encode())
    keeper.reload()

    assert keeper.verify(other.encode())


def test_a_broken_file_found_on_reload_leaves_the_old_token(path: Path) -> None:
    keeper = TokenKeeper.load_or_create(str(path))
    old = path.read_bytes().strip()
    path.write_text("rubbish")

    with pytest.raises(StorageError):
        keeper.reload()
    path.unlink()
    with pytest.raises(StorageError, match="is gone"):
        keeper.reload()

    assert keeper.verify(old)
