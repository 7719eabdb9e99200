"""What a command writes to may be closed or full."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from sharegate.cli.problems import Usage
from sharegate.cli.rosters import written


def said(*arguments: str, home: Path, shell: str) -> tuple[int, str]:
    """Exit code, and what came to the standard error, of a command whose streams `shell` changes."""
    command = [sys.executable, "-m", "sharegate", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHAREGATE_")}
    environment |= {"HOME": str(home), "SHAREGATE_DATA_DIR": str(home / "gate")}
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {shell}', "sh", *command], capture_output=True, text=True, timeout=120, env=environment
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("config", "show", "--json"), ("list",)])
def test_a_full_disk_is_told(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """In one line and by the exit code; also when that cannot be told either."""
    code, error = said(*arguments, home=tmp_path, shell="> /dev/full")
    assert code == 1 and "No space left on device" in error and "Traceback" not in error
    assert said(*arguments, home=tmp_path, shell="> /dev/full 2> /dev/full") == (1, "")


@pytest.mark.parametrize("shell", [">&-", ">&- <&-"])
def test_closed_streams_are_as_nobody_who_reads(tmp_path: Path, shell: str) -> None:
    """Nothing is told, and no file takes their place."""
    assert said("config", "show", "--json", home=tmp_path, shell=shell) == (0, "")
    code, error = said("list", "--more", home=tmp_path, shell=shell)
    assert code == 2 and "Traceback" not in error


def test_settings_without_end_are_refused(tmp_path: Path) -> None:
    """Nothing is read for ever."""
    code, error = said("config", "show", "--config", "/dev/zero", home=tmp_path, shell="")
    assert code == 2 and "too long" in error


def test_a_table_that_finds_no_room_says_what_was_done(tmp_path: Path) -> None:
    """The links are made by then; asked again, nothing is doubled."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with written(tmp_path / "out.csv", force=False) as write:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
        try:
            with pytest.raises(Usage, match="the links are made"):
                write("name,email,link\n" * 100)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
