"""A stand-in for AWS's image of the runtime python3.13, made of this machine's own Python. It is not Amazon Linux.

It holds CPython 3.13 under /var/lang, the runtime client and boto3 in /var/runtime, a shell, and the libraries that all
of these are linked with.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable
from pathlib import Path

from tests.e2e.project import base_python
from tests.e2e.runtime import RUNTIME

# The one that sam local looks for, for this runtime and architecture.
TAG = "public.ecr.aws/lambda/python:3.13-x86_64"
ENTRYPOINT = "/lambda-entrypoint.sh"
VARIABLES = {"PATH": "/var/lang/bin:/bin", "LD_LIBRARY_PATH": "/var/lang/lib", "LANG": "en_US.UTF-8", "TZ": ":/UTC"}

_LEFT_OUT = shutil.ignore_patterns(
    "test", "idlelib", "tkinter", "turtledemo", "ensurepip", "site-packages", "dist-packages", "config-*", "__pycache__"
)
_BOOTSTRAP = """#!/bin/sh
export PYTHONHOME=/var/lang PYTHONPATH=/var/task:/opt/python:/var/runtime
exec /var/lang/bin/python3.13 -S -m awslambdaric "$_HANDLER"
"""
_ENTRYPOINT = """#!/bin/sh
if [ -n "$1" ]; then export _HANDLER="$1"; fi
if [ -z "$AWS_LAMBDA_RUNTIME_API" ]; then exec /var/rapid/aws-lambda-rie /var/runtime/bootstrap; fi
exec /var/runtime/bootstrap
"""


def make(folder: Path, linked: Iterable[Path]) -> Path:
    """Makes the image's archive in `folder`; `linked` are further modules whose libraries it must have."""
    root = folder / "root"
    language, runtime = root / "var" / "lang", root / "var" / "runtime"
    stdlib = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix, "base": sys.base_prefix}))
    shutil.copytree(stdlib, language / "lib" / "python3.13", ignore=_LEFT_OUT)
    shutil.copytree(RUNTIME, runtime, ignore=shutil.ignore_patterns("__pycache__", "bin"))
    _copy(Path(base_python()), language / "bin" / "python3.13")
    tools = [Path(shutil.which(name) or name) for name in ("sh", "chmod", "cp", "mv", "rm")]
    for tool in tools:
        _copy(tool, root / "bin" / tool.name)
    modules = [*language.rglob("*.so"), *runtime.rglob("*.so"), *linked]
    for library in _libraries([Path(base_python()), *tools, *modules]):
        inside = library.is_relative_to(sys.base_prefix) and sys.base_prefix != "/usr"
        _copy(library, language / "lib" / library.name if inside else root / str(library).lstrip("/"))
    _script(runtime / "bootstrap", _BOOTSTRAP)
    _script(root / ENTRYPOINT.lstrip("/"), _ENTRYPOINT)
    for name in ("tmp", "var/task", "opt", "etc"):
        (root / name).mkdir(parents=True, exist_ok=True)
    archive = folder / "image.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(root, arcname=".")
    shutil.rmtree(root)
    return archive


def _libraries(binaries: Iterable[Path]) -> set[Path]:
    found = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True).stdout
    return {Path(path) for path in re.findall(r"(?:=> |\t)(/\S+) \(0x", found)}


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
