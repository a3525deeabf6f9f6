"""A real SLURM on this machine alone, for as long as it is needed: munged, slurmctld and slurmd in a folder of their own.

From the distribution's packages (Debian: slurmctld slurmd slurm-client munge); its ports, keys and sockets are its own,
so that nothing of an installed cluster is touched.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "sinfo")
PLACES = ("/usr/sbin", "/usr/local/sbin", "/sbin")
CONFIG = """\
ClusterName=alone
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
MinJobAge=86400
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=1
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def lacking() -> str | None:
    """Returns why no SLURM can be started here; None where one can."""
    missing = [name for name in PROGRAMS if program(name) is None]
    if missing:
        return f"no {', '.join(missing)} (Debian: apt-get install slurmctld slurmd slurm-client munge)"
    if os.getuid():
        return "munged and slurmd want to be started by root"
    return None


def program(name: str) -> str | None:
    """Returns the path of a program of SLURM, also where it is not on the path of an ordinary user."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *PLACES]))


@contextlib.contextmanager
def slurm_cluster(folder: Path, cores: int = 2, seconds: float = 30) -> Iterator[dict[str, str]]:
    """Starts a node and its controller; yields the environment in which sbatch and squeue find them; ends both."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("state", "spool"):
        (folder / name).mkdir(exist_ok=True)
    folder.chmod(0o755)
    host = socket.gethostname().split(".")[0]
    controller, node = _free_ports(2)
    megabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    places = {"folder": folder, "host": host, "controller": controller, "node": node}
    said = CONFIG.format(**places, user=getpass.getuser(), cores=cores, memory=megabytes)
    config = folder / "slurm.conf"
    config.write_text(said, encoding="utf-8")
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    environment = {
        **os.environ,
        "SLURM_CONF": str(config),
        "PATH": f"{folder}/bin:{os.environ.get('PATH', '')}",
    }
    _write_srun(folder / "bin" / "srun", config)
    files = [f"--{what}={folder}/munge.{end}" for what, end in (("key-file", "key"), ("socket", "socket"))]
    files += [
        f"--{what}={folder}/munge.{end}"
        for what, end in (("pid-file", "pid"), ("log-file", "log"), ("seed-file", "seed"))
    ]
    with contextlib.ExitStack() as started:
        _start(started, [str(program("munged")), "--foreground", "--force", *files], environment, folder)
        _until((folder / "munge.socket").exists, folder, seconds)
        _start(started, [str(program("slurmctld")), "-D", "-f", str(config)], environment, folder)
        _start(started, [str(program("slurmd")), "-D", "-f", str(config), "-N", host], environment, folder)
        _until(lambda: "idle" in _nodes(environment), folder, seconds)
        yield environment


def n_completed(environment: dict[str, str]) -> int:
    """Returns how many jobs have ended without an error since the cluster was started."""
    asked = [str(program("squeue")), "--noheader", "--states=COMPLETED", "--format=%i"]
    done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True)
    return len(done.stdout.split())


def _write_srun(path: Path, config: Path) -> None:
    """Snakemake's step within a job forgets every SLURM_… variable; this srun remembers whose node it is on."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\nSLURM_CONF={config} exec {program("srun")} "$@"\n', encoding="utf-8")
    path.chmod(0o755)


def _start(
    started: contextlib.ExitStack, command: list[str], environment: dict[str, str], folder: Path
) -> None:
    name = Path(command[0]).name
    with (folder / f"{name}.out").open("w", encoding="utf-8") as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT)
    started.callback(_end, process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _nodes(environment: dict[str, str]) -> str:
    asked = [str(program("sinfo")), "--noheader", "--format=%t"]
    return subprocess.run(asked, env=environment, capture_output=True, text=True, check=False).stdout


def _until(is_there: Callable[[], bool], folder: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not is_there():
        if time.monotonic() > end:
            said = "\n".join(
                path.read_text(errors="replace")[-1000:] for path in sorted(folder.glob("*.out"))
            )
            raise RuntimeError(f"SLURM did not start within {seconds:g} s:\n{said}")
        time.sleep(0.2)


def _free_ports(n: int) -> list[int]:
    with contextlib.ExitStack() as open_ones:
        taken = [open_ones.enter_context(socket.socket()) for _ in range(n)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]
