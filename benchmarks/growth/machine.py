"""What a measurement ran on: figures without it say nothing."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["described", "resident_bytes"]

_PACKAGES = ("numpy", "numkong", "onnxruntime")


def described() -> dict[str, Any]:
    """Return the machine, the versions of what does the work, and how many others want it now."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
        "date": datetime.now(UTC).date().isoformat(),
        "load": round(os.getloadavg()[0], 1),
    }


def resident_bytes() -> tuple[int, int]:
    """Return how much memory this process holds: its own, and that of files it has mapped, which
    the system may take back at any time."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    kib = {name: value.split()[0] for name, _, value in (line.partition(":") for line in lines)
           if name.startswith("Rss")}  # fmt: skip
    return 1024 * int(kib["RssAnon"]), 1024 * int(kib["RssFile"])


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
