"""What systemd does with a unit: starts it, starts it again, stops it, and runs a command later.

It reads the unit files of the machine, and knows the settings that the boot script's unit has (systemd.service(5),
systemd.kill(5)). Other units, such as docker.service, are always active here.
"""

from __future__ import annotations

import configparser
import contextlib
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cloud.machines.calls import Call

_CLEAN_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)
"""`Restart=on-failure` does not count these as failures."""
_DEFAULT_STOP = 90
_KNOWN = {
    "Type", "ExecStart", "Restart", "RestartPreventExitStatus", "RestartSec", "KillMode", "TimeoutStopSec",
    "StandardOutput", "StandardError",
}  # fmt: skip


class Unit:
    """A service of the machine."""

    def __init__(self, file: Path, environment: Mapping[str, str], output: Path) -> None:
        """Read the unit file.

        Raises:
            ValueError: it has a setting that is not known here.
        """
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.optionxform = str  # pyright: ignore[reportAttributeAccessIssue]
        parser.read(file)
        settings = dict(parser["Service"])
        if unknown := sorted(set(settings) - _KNOWN):
            raise ValueError(f"{file.name}: the machines of this cloud do not know {', '.join(unknown)}")
        self.name = file.name
        self._command = shlex.split(settings["ExecStart"])
        self._restarts = settings.get("Restart") == "on-failure"
        self._final = {int(status) for status in settings.get("RestartPreventExitStatus", "").split()}
        self._pause = float(settings.get("RestartSec", "0.1"))
        self._stop_seconds = float(settings.get("TimeoutStopSec", _DEFAULT_STOP))
        self._environment, self._output = environment, output
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.result = "inactive"

    @property
    def active(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start it, if it does not run."""
        if not self.active:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop it: SIGTERM to its first process, then SIGKILL to what is left when that has ended, or is late."""
        self._stopping.set()
        process = self._process
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self._stop_seconds)
            _kill_session(process.pid)
        if self._thread is not None:
            self._thread.join()

    def kill(self) -> None:
        """Kill it, and do not start it again."""
        self._stopping.set()
        if self._process is not None:
            _kill_session(self._process.pid)

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._output.open("ab") as output:
                self._process = subprocess.Popen(
                    self._command,
                    env=dict(self._environment),
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            status = self._process.wait()
            _kill_session(self._process.pid)
            failed = status != 0 and -status not in _CLEAN_SIGNALS
            self.result = "failed" if failed else "inactive"
            if not (failed and self._restarts) or status in self._final:
                return
            self._stopping.wait(self._pause)


class Systemd:
    """The service manager of one machine."""

    def __init__(self, root: Path, environment: Mapping[str, str], power_off: Callable[[], None]) -> None:
        self._root, self._environment, self._power_off = root, environment, power_off
        self._units: dict[str, Unit] = {}
        self._timers: list[threading.Timer] = []
        self._commands: list[subprocess.Popen[bytes]] = []
        self._off = False

    def start_enabled(self) -> None:
        """Start the units that were enabled, as a machine does when it is switched on."""
        for link in sorted((self._root / "etc/systemd/system/multi-user.target.wants").glob("*.service")):
            self._unit(link.name).start()

    def stop_all(self) -> None:
        """Stop everything, as a machine does that powers off."""
        self._end(Unit.stop)

    def kill_all(self) -> None:
        """Kill everything, as a cut of the power does."""
        self._end(Unit.kill)

    def systemctl(self, call: Call) -> int:
        """Answer a call of `systemctl`."""
        switches = [word for word in call.arguments if word.startswith("-")]
        verb, *names = [word for word in call.arguments if not word.startswith("-")]
        if verb in ("poweroff", "daemon-reload"):
            if verb == "poweroff":
                threading.Thread(target=self._power_off).start()
            return 0
        ours = [name for name in names if (self._root / "etc/systemd/system" / name).exists()]
        if verb == "is-active":
            active = all(name not in ours or self._unit(name).active for name in names)
            if "--quiet" not in switches:
                call.say("active\n" if active else "inactive\n")
            return 0 if active else 3
        if verb not in ("enable", "start", "stop", "restart"):
            return call.fail(f"Unknown command verb '{verb}'.")
        for name in ours if not self._off else ():
            if verb == "enable":
                wants = self._root / "etc/systemd/system/multi-user.target.wants" / name
                wants.parent.mkdir(parents=True, exist_ok=True)
                if not wants.is_symlink():
                    wants.symlink_to(f"../{name}")
            if verb in ("stop", "restart"):
                self._unit(name).stop()
            if verb in ("start", "restart") or "--now" in switches:
                self._unit(name).start()
        return 0

    def systemd_run(self, call: Call) -> int:
        """Answer `systemd-run --quiet --unit NAME --on-active SECONDS COMMAND…`."""
        words = list(call.arguments)
        delay = 0.0
        while words and words[0].startswith("--"):
            option = words.pop(0)
            if option in ("--unit", "--on-active"):
                value = words.pop(0)
                delay = float(value) if option == "--on-active" else delay
            elif option != "--quiet":
                return call.fail(f"systemd-run: unrecognized option '{option}'")
        timer = threading.Timer(delay, self._run, (words,))
        timer.daemon = True
        self._timers.append(timer)
        timer.start()
        return 0

    def _end(self, end: Callable[[Unit], None]) -> None:
        self._off = True
        for timer in self._timers:
            timer.cancel()
        for unit in self._units.values():
            end(unit)
        for command in self._commands:
            _kill_session(command.pid)

    def _run(self, words: Sequence[str]) -> None:
        if self._off:
            return
        with (self._root / "var/log/journal").open("ab") as output:
            command = subprocess.Popen(
                words,
                env=dict(self._environment),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._commands.append(command)
        command.wait()

    def _unit(self, name: str) -> Unit:
        if name not in self._units:
            file = self._root / "etc/systemd/system" / name
            self._units[name] = Unit(file, self._environment, self._root / "var/log/journal")
        return self._units[name]


def _kill_session(leader: int) -> None:
    """Kill what a unit has started: every process of its session, as `timeout` and `systemd-run` make groups of it."""
    for _ in range(50):  # a process can start another one meanwhile
        members = _session(leader)
        if not members:
            return
        for member in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        time.sleep(0.02)


def _session(leader: int) -> list[int]:
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            state, *rest = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(rest[2]) == leader and state not in "ZX":
                found.append(int(folder.name))
    return found
