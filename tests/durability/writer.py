"""A writer below which files can fail: for each line on stdin, a process of its own does a
scenario, and a line on stdout says how that process ended.

It runs with `faults.c` preloaded. What is imported here is there for all of them, so that hundreds
of faults take seconds.
"""

import ctypes
import json
import os
import sys
from pathlib import Path

import filelock  # noqa: F401  # else each process would import it with its first lock

from durability.steps import finish
from visionquery.errors import StoreError

FAULTS = ctypes.CDLL(None)
SETTINGS = ("FAULTS_FOLDER", "FAULTS_ACK", "FAULTS_MODE", "FAULTS_AT", "FAULTS_LOG")


def main() -> None:
    """Do jobs, `{"scenario": …, "folder": …, "goes_on": …}` with values of SETTINGS, until there
    are no more."""
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                do(job)
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())


def do(job: dict[str, str]) -> None:
    """Do one scenario. Lines of the file FAULTS_ACK tell what was acknowledged, what went wrong,
    and how many operations on files there were. With `goes_on`, the fault is over once it was
    noticed, and the same process goes on with what is open."""
    said = os.open(job["FAULTS_ACK"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def say(kind: str, value: object) -> None:
        os.write(said, f"{json.dumps([kind, value])}\n".encode())

    def on_error(error: StoreError) -> None:
        say("error", str(error))
        if not job["goes_on"]:
            raise error
        begin(job | {"FAULTS_MODE": "none"})

    begin(job)
    try:
        finish(
            job["scenario"],
            Path(job["folder"]),
            acknowledge=lambda number: say("done", number),
            on_error=on_error,
        )
    except StoreError as error:
        say("stopped", str(error))
    except Exception as error:
        say("foreign", repr(error))
        raise
    say("operations", FAULTS.faults_count())


def begin(job: dict[str, str]) -> None:
    """Have the layer below take up its settings."""
    os.environ.update({name: job[name] for name in SETTINGS})
    FAULTS.faults_begin()


if __name__ == "__main__":
    main()
