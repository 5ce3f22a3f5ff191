"""What is missing is said in one line, with the command that installs it."""

from pathlib import Path

import pytest

from demo.app.packages import PackagesMissing, Programs, find_programs


def _install(folder: Path, name: str) -> str:
    program = folder / name
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return str(program)


def test_programs_are_found_where_they_are_installed(tmp_path: Path) -> None:
    haproxy, wrk = _install(tmp_path, "haproxy"), _install(tmp_path, "wrk")
    assert find_programs(str(tmp_path)) == Programs(haproxy, wrk)


@pytest.mark.parametrize(("installed", "named"), [([], "haproxy wrk"), (["wrk"], "haproxy"), (["haproxy"], "wrk")])
def test_only_what_is_missing_is_named(tmp_path: Path, installed: list[str], named: str) -> None:
    for name in installed:
        _install(tmp_path, name)
    with pytest.raises(PackagesMissing) as raised:
        find_programs(str(tmp_path))
    message = str(raised.value)
    assert f"apt-get install {named}`" in message
    assert "\n" not in message
