"""Which process is meant: a number alone is given to another process once the first has ended."""

from __future__ import annotations

from pathlib import Path


def born(pid: int) -> str:
    """What tells this process from any other of the same number, on this machine.

    On Linux the ticks of the clock since the machine started, and that start's identifier: the time of day of a
    process's birth, which psutil gives, moves whenever the machine's clock is set.

    Raises
    ------
    ProcessLookupError
        There is no such process.
    """
    try:
        # The name of the program, in parentheses, may hold spaces and parentheses itself.
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}:{ticks}"
    except FileNotFoundError:
        pass
    import psutil

    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except psutil.NoSuchProcess:
        raise ProcessLookupError(f"there is no process {pid}") from None


def lives(pid: int, birth: str) -> bool:
    """Whether the process of that birth is there and has not ended; one whose end nobody noted (a zombie) has."""
    import psutil

    try:
        return born(pid) == birth and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ProcessLookupError):
        return False
