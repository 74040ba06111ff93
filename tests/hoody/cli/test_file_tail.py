"""The end of a file, and what is added to it, over rotations."""

from __future__ import annotations

import io
from contextlib import closing
from itertools import islice
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hoody.cli import file_tail
from hoody.cli.file_tail import added_lines, last_lines


@given(
    st.lists(st.binary(max_size=6).map(lambda line: line.replace(b"\n", b"")), max_size=12),
    st.booleans(),
    st.integers(-1, 14),
)
def test_the_last_lines_are_those_of_the_whole_file(lines: list[bytes], closed: bool, count: int) -> None:
    data = b"\n".join(lines) + (b"\n" if closed and lines else b"")
    whole = list(io.BytesIO(data))
    expected = whole if count < 0 else whole[len(whole) - min(count, len(whole)) :]

    before = file_tail._BLOCK
    file_tail._BLOCK = 5  # type: ignore[misc]  # so small that lines lie across blocks
    try:
        assert list(last_lines(io.BytesIO(data), count)) == expected
    finally:
        file_tail._BLOCK = before  # type: ignore[misc]


def test_lines_are_followed_into_the_file_that_takes_the_place_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "daemon.log"
    path.write_bytes(b"old\n")
    with path.open("rb") as file:
        file.seek(0, io.SEEK_END)
        with path.open("ab") as writer:
            writer.write(b"last\n")
        path.rename(tmp_path / "daemon.log.1")
        path.write_bytes(b"first\nsecond\n")

        with closing(added_lines(file, str(path))) as lines:
            found = list(islice(lines, 3))

        assert found == [b"last\n", b"first\n", b"second\n"]
