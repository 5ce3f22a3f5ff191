"""The programs that the demo needs and pip cannot install."""

import os
import shutil
from dataclasses import dataclass

# Debian has HAProxy where only root looks for programs.
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])


class PackagesMissing(Exception):
    """The message says which packages to install, and how, in one line."""


@dataclass(frozen=True)
class Programs:
    """Paths of the programs."""

    haproxy: str
    wrk: str


def find_programs(path: str = _PATH) -> Programs:
    """The programs on this machine. Raises PackagesMissing."""
    found = {name: shutil.which(name, path=path) for name in ("haproxy", "wrk")}
    missing = " ".join(name for name, program in found.items() if not program)
    if missing:
        raise PackagesMissing(
            f"demo-app needs {missing.replace(' ', ' and ')}: install with "
            f"`apt-get install {missing}` (Debian, Ubuntu) or `brew install {missing}` (macOS)"
        )
    return Programs(**{name: program for name, program in found.items() if program})
