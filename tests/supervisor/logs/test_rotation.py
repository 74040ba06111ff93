"""Rotation is renames alone: in whatever state it begins, it keeps the newest files in their order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.logs import places, rotation
from supervisor.logs.index import Header


def lay_out(folder: Path, numbers: list[int], compressed: set[int]) -> None:
    for number in numbers:
        places.backup(folder, "stdout", number, compressed=number in compressed).write_text(f"old {number}")
    places.current(folder, "stdout").write_text("current")


@given(numbers=st.sets(st.integers(1, 12), max_size=8), packed=st.sets(st.integers(1, 12)), keep=st.integers(0, 6))
def test_the_newest_files_are_kept_in_their_order(
    tmp_path_factory: pytest.TempPathFactory, numbers: set[int], packed: set[int], keep: int
) -> None:
    folder = tmp_path_factory.mktemp("web")
    lay_out(folder, sorted(numbers), packed)

    rotation.rotate(folder, "stdout", keep)

    kept = [item.path.read_text() for item in places.backups(folder, "stdout")]
    assert kept == ["current", *(f"old {number}" for number in sorted(numbers))][:keep]
    assert [item.number for item in places.backups(folder, "stdout")] == list(range(1, len(kept) + 1))
    assert not places.current(folder, "stdout").exists()


def index_of(folder: Path, path: Path, base: int) -> Path:
    index = places.index(folder, "stdout", base)
    index.write_bytes(Header(base, path.stat().st_ino, 7).encode())
    return index


def test_the_index_of_a_deleted_file_goes_with_it(tmp_path: Path) -> None:
    lay_out(tmp_path, [1], set())
    old = index_of(tmp_path, places.backup(tmp_path, "stdout", 1), 0)
    new = index_of(tmp_path, places.current(tmp_path, "stdout"), 5)

    rotation.rotate(tmp_path, "stdout", 1)

    assert (old.exists(), new.exists()) == (False, True)


def test_what_a_crash_left_behind_is_tidied_up(tmp_path: Path) -> None:
    lay_out(tmp_path, [1], set())
    packed = places.backup(tmp_path, "stdout", 1, compressed=True)
    packed.write_text("packed")
    taken_over = index_of(tmp_path, places.backup(tmp_path, "stdout", 1), 5)
    orphan = places.index(tmp_path, "stdout", 0)
    orphan.write_bytes(Header(0, 1, 7).encode())
    part = tmp_path / f"stdout.log.gz{places.TEMPORARY}"
    part.write_text("half")
    foreign = tmp_path / "notes.txt"
    foreign.write_text("not ours")

    rotation.tidy(tmp_path, "stdout")

    assert not orphan.exists()
    assert not part.exists()
    assert not places.backup(tmp_path, "stdout", 1).exists()
    assert foreign.exists()
    item = places.read_index(taken_over)
    assert item is not None
    assert item.header.inode == packed.stat().st_ino


def test_the_indexes_of_a_restored_folder_are_left_alone(tmp_path: Path) -> None:
    lay_out(tmp_path, [1], set())
    indexes = [places.index(tmp_path, "stdout", base) for base in (0, 5)]
    for base, path in zip((0, 5), indexes, strict=True):
        path.write_bytes(Header(base, 1, 7).encode())

    rotation.tidy(tmp_path, "stdout")

    assert all(path.exists() for path in indexes)
