"""A machine for the boot script: real bash and coreutils, stubs for every program that changes the system, a clock that
moves when something sleeps, and a file system in a temporary folder."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from infra.planning import ServicePlan
from infra.planning.boot import objects, parameter_prefix, parameters, script
from tests.support.processes import runs, stat_of

STUB = Path(__file__).with_name("stub.sh")
TIMEOUT = Path(__file__).with_name("timeout.sh")
STUBBED = (
    "aws", "curl", "date", "df", "docker", "du", "iptables", "journalctl", "lsblk", "lvcreate", "mkfs.xfs", "mount",
    "mountpoint", "nsenter", "nvidia-smi", "pkill", "sleep", "systemctl", "systemd-run", "vgcreate",
)  # fmt: skip
REGION, TABLE, LOG_GROUP, INSTANCE = "eu-west-1", "registry", "/servestack/run", "i-0123456789abcdef0"
BUCKET = "servestack-gateway-files"
BEGAN = 1_700_000_000
"""What the machine's clock shows first."""
FAR_TOO_LONG = 100
"""Seconds. A test machine can be slow. What hangs in a test hangs for 300."""
NEVER = 9_999_999_999

RUNS = "until [[ -e $STUBS/runs ]]; do /bin/sleep 0.01; done"
"""The process that waits for the end of the container runs beside the rest. After this, it waits."""
EXPIRES = """\
limit=$PPID
until [[ $(<"/proc/$limit/comm") == timeout ]]; do read -r _ _ _ limit _ <"/proc/$limit/stat" || exit 1; done
mapfile -d "" -t words <"/proc/$limit/cmdline"
for word in "${words[@]}"; do if [[ $word =~ ^[0-9]+$ ]]; then break; fi; done
printf "%s\\n" "$((word - 60))" >>"$STUBS/limits"
kill -ALRM "$limit"
exec /bin/sleep 300"""
"""A program that hangs. Its time is over at once: `timeout` takes this signal for the end of its limit."""

ANSWERS = {
    "curl-token": "printf the-token",
    "curl-instance": f"printf {INSTANCE}",
    "curl-type": "printf g6.xlarge",
    # The container runs, or its end is known: a container that ends at once is not asked again.
    "curl-health": 'until [[ -s $STUBS/waiting ]]; do /bin/sleep 0.01; done; waiting=$(<"$STUBS/waiting"); '
    'until [[ -e $STUBS/runs ]] || gone "$waiting"; do /bin/sleep 0.01; done; printf 000; exit 7',
    "date": 'cat "$STUBS/clock"',
    # A replica that serves sleeps 60 s between two checks. Here it really waits, or its hours would run by.
    "sleep": "if [[ $1 == 60 ]]; then exec /bin/sleep 300; fi; "
    'read -r now <"$STUBS/clock"; while read -r stop <"$STUBS/stop" && ((now >= stop)); do /bin/sleep 0.01; done; '
    'printf "%s\\n" "$((now + $1))" >"$STUBS/clock.new"; mv "$STUBS/clock.new" "$STUBS/clock"',
    "df": "printf 'Avail\\n104857600\\n'",
    "du": "printf '0\\t/hub\\n'",
    "lsblk": "printf '/dev/nvme0n1 Amazon Elastic Block Store\\n'",
    "mountpoint": "exit 1",
    "nvidia-smi": "printf 'GPU 0: NVIDIA L4 (UUID: GPU-1)\\n'",
    "docker-image": "exit 1",
    "docker-cp": "exit 1",
    "docker-inspect": 'for file in "$STUBS"/calls/*.call; do IFS= read -r -d "" ran <"$file"; '
    'if [[ $ran == docker-run ]]; then cat "${file%.call}.environment"; fi; done',
    "docker-wait": ': >"$STUBS/runs"; read -r status <"$STUBS/ended"; printf "%s\\n" "$status"',
    "aws-s3api-get-object": 'cp "$STUBS/objects/${words[5]##*/}" "${words[6]}"',
    "aws-ssm-get-parameter": 'name=${words[3]}; cat "$STUBS/parameters/${name//\\//%}" || exit 254; printf "\\n"',
}


@dataclass(frozen=True)
class Call:
    """One start of a stubbed program."""

    key: str
    """Program and subcommand: `docker-run`, `aws-ssm-get-parameter`, `curl-health`, `mount`."""
    arguments: tuple[str, ...]
    environment: dict[str, bytes]
    """Variables and their bytes."""
    input: str


@dataclass
class Machine:
    """The machine that a boot script runs on."""

    root: Path
    plan: ServicePlan
    recorded: str | None = None
    """The script that the machine has; `None`: the one of `plan`."""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("bin", "calls", "answers", "counts", "parameters", "objects", "root/var/lib", "root/tmp"):
            (self.root / name).mkdir(parents=True)
        for name in STUBBED:
            (self.root / "bin" / name).symlink_to(STUB)
        (self.root / "bin" / "timeout").symlink_to(TIMEOUT)
        os.mkfifo(self.root / "ended")
        (self.root / "clock").write_text(f"{BEGAN}\n")
        self.clock_goes_on()
        for key, answer in ANSWERS.items():
            self.answer(key, answer)
        for parameter in parameters(self.plan):
            name = parameter_prefix(TABLE, self.plan.run) + parameter.name
            selector = f"{name}:{self.versions[parameter.name]}"
            (self.root / "parameters" / selector.replace("/", "%")).write_bytes(parameter.value.reveal().encode())
        for name, content in objects(self.plan).items():
            (self.root / "objects" / name).write_bytes(content)
        (self.root / "boot.sh").write_text(self.script, encoding="ascii")

    @property
    def versions(self) -> dict[str, int]:
        return {parameter.name: index for index, parameter in enumerate(parameters(self.plan), start=3)}

    @property
    def script(self) -> str:
        if self.recorded is not None:
            return self.recorded
        return script(
            self.plan,
            region=REGION,
            table=TABLE,
            log_group=LOG_GROUP,
            parameter_versions=self.versions,
            files_bucket=BUCKET,
        )

    @property
    def file_system(self) -> Path:
        return self.root / "root"

    def answer(self, key: str, bash: str, *, call: int | None = None) -> None:
        """Set what the stub does: every time, or at its `call`-th call."""
        _replace(self.root / "answers" / (key if call is None else f"{key}.{call}"), f"{bash}\n")

    def clock_stops(self, *, after: int) -> None:
        """Let no sleep end that begins so many seconds after the start, or later, until `clock_goes_on`."""
        _replace(self.root / "stop", f"{BEGAN + after}\n")

    def clock_goes_on(self) -> None:
        _replace(self.root / "stop", f"{NEVER}\n")

    def start(self, *arguments: str, errors: Path | None = None) -> subprocess.Popen[bytes]:
        """Start the script. `errors`: the file for what it writes to standard error, in place of `output`."""
        with (self.root / "output").open("ab") as output, (errors or self.root / "output").open("ab") as written:
            process = subprocess.Popen(
                ["/bin/bash", str(self.root / "boot.sh"), *arguments],
                env={
                    "PATH": f"{self.root / 'bin'}:/usr/local/bin:/usr/bin:/bin",
                    "SERVESTACK_ROOT": str(self.file_system),
                    "STUBS": str(self.root),
                    "GIT_CONFIG_GLOBAL": str(self.root / "gitconfig"),
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=written,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def run(self, *arguments: str) -> int:
        """Run the script and return its exit status."""
        return self.start(*arguments).wait(timeout=FAR_TOO_LONG)

    def container_ends(self, status: int) -> None:
        """End the container, which runs until then."""
        self.wait_until(lambda: self.calls("docker-wait"))
        with (self.root / "ended").open("w") as ended:
            ended.write(f"{status}\n")
        waiting = int((self.root / "waiting").read_text())
        self.wait_until(lambda: not runs(waiting))

    def wait_until(self, condition: Callable[[], object], *, seconds: float = FAR_TOO_LONG) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.output
            time.sleep(0.01)

    @property
    def limits(self) -> list[int]:
        """The limits, in seconds, of the programs that answered with `EXPIRES`, in order."""
        return [int(line) for line in (self.root / "limits").read_text().splitlines()]

    @property
    def output(self) -> str:
        return (self.root / "output").read_text(errors="replace")

    def calls(self, *keys: str) -> list[Call]:
        """Return the calls, in order: those with one of `keys`; else all but those that run beside the rest."""
        found: list[Call] = []
        for written in sorted((self.root / "calls").glob("*.environment")):
            file = written.with_suffix(".call")
            key, *arguments = file.read_bytes().decode().split("\0")[:-1]
            if key in keys if keys else not key.startswith(("figures-", "life-")):
                entries = written.read_bytes().split(b"\0")[:-1]
                pairs = (entry.partition(b"=") for entry in entries)
                environment = {name.decode(): value for name, _, value in pairs}
                found.append(Call(key, tuple(arguments), environment, _bytes(file.with_suffix(".input")).decode()))
        return found

    def call(self, key: str) -> Call:
        (call,) = self.calls(key)
        return call

    def end(self) -> None:
        """End every process of the machine, and those that they start meanwhile."""
        for process in self.processes:
            while members := _session(process.pid):
                for member in members:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(member, signal.SIGKILL)
                time.sleep(0.002)
            process.wait()


def _session(leader: int) -> list[int]:
    """Return the processes of a session, with those that `timeout` put into groups of their own."""
    pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if stat_of(pid)[3:4] == [str(leader)] and runs(pid)]


def _replace(file: Path, text: str) -> None:
    """Write a file that programs read meanwhile: they find the old text or the new one."""
    new = file.with_name(".new")
    new.write_text(text)
    new.replace(file)


def _bytes(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b""
