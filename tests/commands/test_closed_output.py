"""A command whose reader has gone ends without a complaint of Python."""

from __future__ import annotations

import subprocess
import sys

from tests.support.processes import ROOT

COMMAND = """\
import sys
from commands.closed_output import discard_output
try:
    while True:
        print("a line " * 1000)
except BrokenPipeError:
    discard_output()
    print("and more")
    sys.exit(3)
"""


def test_what_nobody_reads_is_discarded_and_the_status_stays() -> None:
    line = ["bash", "-c", '"$0" -c "$1" | head -c 6; echo " ${PIPESTATUS[0]}"', sys.executable, COMMAND]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert (done.stdout, done.stderr) == ("a line 3\n", "")
