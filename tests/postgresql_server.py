"""A real PostgreSQL server for tests: made in a temporary folder, on a port of its own, gone with the session."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

PASSWORD = "se%cret/@pass"
USERS = ("postgres", "nobody")  # initdb refuses root


class Server(NamedTuple):
    """Where it listens. `address` holds no password."""

    port: int

    @property
    def address(self) -> str:
        return f"postgresql://reader@127.0.0.1:{self.port}/postgres"


def programs() -> Path | None:
    """The folder that holds initdb and pg_ctl; None where PostgreSQL's server is not installed."""
    on_path = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = [folder for folder in folders if (folder / "initdb").exists()]
    return found[0] if found else Path(on_path).parent if on_path else None


@contextmanager
def running() -> Iterator[Server]:
    """Starts a server with one user, `reader`, who has PASSWORD; stops it and removes its files."""
    bin_folder = programs()
    assert bin_folder is not None, "ask programs() first"
    as_user = _unprivileged()
    with tempfile.TemporaryDirectory(prefix="d2tra_pg_") as name:
        folder = Path(name)
        secret = folder / "secret"
        secret.write_text(PASSWORD)
        data = folder / "data"
        data.mkdir(mode=0o700)
        if as_user:
            for path in (folder, data, secret):
                os.chown(path, as_user["user"], as_user["group"])
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]

        def run(program: str, *options: str) -> None:
            command = [str(bin_folder / program), "-D", str(data), *options]
            subprocess.run(command, check=True, capture_output=True, cwd=folder, **as_user)  # type: ignore[call-overload]

        run(
            "initdb",
            "-U",
            "reader",
            f"--pwfile={secret}",
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        )
        listen = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c fsync=off -c timezone=Europe/London"
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", listen, "start")
        try:
            yield Server(port)
        finally:
            run("pg_ctl", "-m", "immediate", "stop")


def _unprivileged() -> dict[str, object]:
    """What makes subprocess run as somebody else where this is root."""
    if os.getuid() != 0:
        return {}
    import pwd

    for name in USERS:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise LookupError("no user that may run PostgreSQL")
