"""Is a file ever written under its final name? The kernel is asked (inotify, Linux) while a build is at work.

A kill meets the millisecond of a small write once in hundreds; who watches every write need not be lucky. Whatever appears
under a final name must come by a rename. Names that begin with a dot are temporary, or Snakemake's; logs grow as they should.
"""

from __future__ import annotations

import ctypes
import os
import select
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

MODIFIED, RENAMED_TO, CREATED, OVERFLOWED, IS_FOLDER = 0x2, 0x80, 0x100, 0x4000, 0x40000000
EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows
FOLDER_OF_A_RULE = ".snakemake_timestamp"  # Snakemake puts it into each folder that is a rule's output


def can_watch() -> bool:
    """Whether this system has inotify."""
    return hasattr(ctypes.CDLL(None), "inotify_init1")


@contextmanager
def watched(root: Path) -> Iterator[list[str]]:
    """Yields a list that, after the block, names each file and folder below `root` that was written in place."""
    root.mkdir(parents=True, exist_ok=True)
    watch, in_place = _Watch(root), list[str]()
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(watch.listen)
        try:
            yield in_place
        finally:
            os.write(watch.stop, b".")
        heard.result()
    in_place += watch.in_place()


class _Watch:
    def __init__(self, root: Path) -> None:
        self.root = root
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._events = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stopped, self.stop = os.pipe()
        self._folders: dict[int, Path] = {}
        self._written: set[Path] = set()
        self._add(root)

    def listen(self) -> None:
        """Hears what happens until `stop` is written to, and what had happened by then."""
        goes_on = True
        while goes_on:
            goes_on = self._stopped not in select.select([self._events, self._stopped], [], [])[0]
            while heard := self._read():
                self._judge(heard)
        for handle in (self._events, self._stopped, self.stop):
            os.close(handle)

    def in_place(self) -> list[str]:
        """Files that were written, and rules' folders that were made, under their final names."""
        found = [path for path in self._written if not path.is_dir() or (path / FOLDER_OF_A_RULE).exists()]
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    def _add(self, folder: Path) -> None:
        for path, _, _ in os.walk(folder):  # a folder that is gone again has nothing to tell
            watch = self._libc.inotify_add_watch(
                self._events, os.fsencode(path), MODIFIED | RENAMED_TO | CREATED
            )
            self._folders[watch] = Path(path)

    def _read(self) -> bytes:
        try:
            return os.read(self._events, 1 << 16)
        except BlockingIOError:
            return b""

    def _judge(self, heard: bytes) -> None:
        while heard:
            watch, mask, _, length = EVENT.unpack_from(heard)
            name = os.fsdecode(heard[EVENT.size : EVENT.size + length].rstrip(b"\0"))
            heard = heard[EVENT.size + length :]
            if mask & OVERFLOWED:
                raise RuntimeError("more was written than inotify could tell")
            if not name or name.startswith(".") or name.endswith(".log"):
                continue
            path = self._folders[watch] / name
            if mask & IS_FOLDER:
                self._add(path)
            if mask & (CREATED | MODIFIED):
                self._written.add(path)
