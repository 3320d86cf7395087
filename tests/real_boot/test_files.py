"""`files` in a container that real docker starts, out of a bucket that the real AWS CLI reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real_boot.replica import Replica

pytestmark = [pytest.mark.boot, pytest.mark.timeout(900)]


def test_files_are_in_the_container_and_as_new_after_a_restart(replica: Callable[..., Replica], tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "words").write_text("from a file")
    lines = (
        f"files: ['{tmp_path}/app:~/code', '{tmp_path}/app/words:/data/words', '{tmp_path}/app/words:a b']\n"
        "working_dir: /data/work\nentrypoint: [bash, -c]\n"
        "commands: ['cat ~/code/words \"a b\" > /tmp/read; ls -A ~/code >> /tmp/read; touch ~/code/new; exec serve']\n"
    )
    boot = replica(lines)
    boot.wait_for_step("serving")
    assert boot.get("/file?path=/tmp/read") == b"from a filefrom a filewords\n"
    assert boot.get("/file?path=/data/words") == b"from a file"
    boot.machine.shut_down()
    boot.machine.wait()
    boot.machine.start()
    boot.wait_for_log("serving", count=2)
    assert boot.get("/file?path=/tmp/read") == b"from a filefrom a filewords\n"
