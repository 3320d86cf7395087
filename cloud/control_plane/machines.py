"""Instances as EC2 shows them while a machine boots and stops: moto makes and ends them at once.

The states move only when the machines say so (`became`), and each instance has a loopback address of its own.
"""

# pyright: basic
# What moto says of its types is partial.

from __future__ import annotations

import errno
import functools
import itertools
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import Instance
from moto.iam.models import iam_backends

from cloud.control_plane.changes import CHANGES
from cloud.control_plane.environment import ACCOUNT

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
"""EC2's own (API reference, InstanceState)."""
_DIED = ("Client.InstanceInitiatedShutdown: Instance initiated shutdown", "Client.InstanceInitiatedShutdown")
_INTERRUPTED = ("Server.SpotInstanceTermination: Spot instance termination", "Server.SpotInstanceTermination")
_BLOCKS = range(64, 128)
"""127.64.0.0/10: Linux answers on all of 127.0.0.0/8 without set-up. Each cloud has one 127.<block>.0.0/16."""
_CLAIM = 4566
"""The UDP port of a block's first address, which the cloud that has the block holds. The kernel lets go of it."""
_numbers = itertools.count(1)
_ended: dict[str, Callable[[], Any]] = {}
"""What is left to do once the machine has ended, by instance."""


def install(*, by_themselves: bool = False) -> None:
    """Patch moto's instances.

    `by_themselves`: nobody runs machines, so instances boot and end at once, as in moto.
    """
    made, start, stop, terminate = Instance.__init__, Instance.start, Instance.stop, Instance.terminate

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        self.address = _address(next(_numbers))
        _state(self, "pending")
        if by_themselves:
            _state(self, "running")

    def started(self: Any) -> Any:
        previous = start(self)
        if not by_themselves:
            _state(self, "pending")
        return previous

    def stopped(self: Any) -> Any:
        previous = stop(self)
        if not by_themselves:
            _state(self, "stopping" if previous.name != "stopped" else "stopped")
        return previous

    def ended(self: Any) -> Any:
        """moto keeps network interfaces that were made with the instance, unless the launch says that they go."""
        interfaces, previous = list(self.nics.values()), terminate(self)
        for interface in interfaces:
            if interface.id in self.ec2_backend.enis and interface.instance is self:
                interface.delete()
        return previous

    def terminated(self: Any) -> Any:
        if by_themselves or self.state in ("terminated", "stopped"):
            return ended(self)
        previous = type(self._state)(self.state, self.state_code)
        _ended[self.id] = lambda: ended(self)  # network interfaces and volumes live until the machine is gone
        _state(self, "shutting-down")
        return previous

    for name, patch in {"__init__": init, "start": started, "stop": stopped, "terminate": terminated}.items():
        setattr(Instance, name, patch)


def listed() -> list[Mapping[str, Any]]:
    """Every instance as `/cloud/instances` shows it."""
    return [_shown(instance) for instance in instances()]


def instances() -> Iterator[Any]:
    """moto's instances in all regions."""
    backends: Any = ec2_backends
    for _, _, backend in backends.iter_backends():
        yield from list(backend.all_instances())


def became(id: str, state: str) -> Mapping[str, Any]:
    """A machine is now `running`, `stopped` or `terminated`. Returns the instance as it is shown.

    Raises ValueError for a state that does not follow from the one it has, and KeyError if there is no such instance.
    """
    instance = next((one for one in instances() if one.id == id), None)
    if instance is None:
        raise KeyError(id)
    before = {
        "running": ("pending", "running"),
        "stopped": ("pending", "running", "stopping", "stopped"),
        "terminated": tuple(CODES),
    }.get(state)
    if before is None or instance.state not in before:
        raise ValueError(f"{id} is {instance.state} and cannot become {state}")
    if state == "terminated" and instance.state != "terminated":
        died, before = instance.state != "shutting-down", instance.state_reason
        _ended.pop(id, instance.terminate)()
        _ended.pop(id, lambda: None)()
        if died:
            _reason(instance, *_DIED)
        elif before is not None and before.code == _INTERRUPTED[1]:
            _reason(instance, *_INTERRUPTED)
    if state == "stopped" and instance.state in ("pending", "running"):
        _reason(instance, *_DIED)
    _state(instance, state)
    CHANGES.made()
    return _shown(instance)


def interrupt(instance: Any) -> None:
    """End a spot instance, as EC2 does when it needs the capacity."""
    instance.ec2_backend.terminate_instances([instance.id])
    _reason(instance, *_INTERRUPTED)
    CHANGES.made()


def _shown(instance: Any) -> Mapping[str, Any]:
    tags = {tag["key"]: tag["value"] for tag in instance.get_tags()}
    return {
        "id": instance.id,
        "region": instance.region_name,
        "type": instance.instance_type,
        "state": instance.state,
        "address": instance.address,
        "user_data": str(instance.user_data or ""),
        "group": tags.get("aws:autoscaling:groupName"),
        "zone": instance.availability_zone,
        "image": instance.image_id,
        "role": _role(instance, tags),
        "lifecycle": instance.lifecycle or "on-demand",
        "shutdown_behavior": _template(instance, tags).get("InstanceInitiatedShutdownBehavior")
        or instance.instance_initiated_shutdown_behavior,
        "tags": tags,
    }


def _role(instance: Any, tags: Mapping[str, str]) -> str | None:
    """The name of the role in the instance's profile, which moto keeps in the template only."""
    profile = instance.iam_instance_profile or _template(instance, tags).get("IamInstanceProfile") or {}
    given = profile if isinstance(profile, str) else profile.get("Arn") or profile.get("Name") or ""
    for known in iam_backends[ACCOUNT]["global"].instance_profiles.values():
        if given in (known.arn, known.name) and known.roles:
            return str(known.roles[0].name)
    return None


def _template(instance: Any, tags: Mapping[str, str]) -> Mapping[str, Any]:
    template = instance.ec2_backend.launch_templates.get(tags.get("aws:ec2launchtemplate:id"))
    if template is None:
        return {}
    return template.get_version(int(tags["aws:ec2launchtemplate:version"])).data


def _state(instance: Any, name: str) -> None:
    instance._state.name, instance._state.code = name, CODES[name]


def _reason(instance: Any, message: str, code: str) -> None:
    instance.state_reason.message, instance.state_reason.code = message, code


def _address(number: int) -> str:
    if number >= 1 << 16:
        raise RuntimeError("this cloud has started more than 65,000 instances: start it again")
    return f"127.{_block()[0]}.{number >> 8}.{number & 255}"


@functools.cache
def _block() -> tuple[int, socket.socket]:
    """A block that no other cloud of this machine has, and the socket that keeps it."""
    for block in _BLOCKS:
        claim = socket.socket(type=socket.SOCK_DGRAM)
        try:
            claim.bind((f"127.{block}.0.0", _CLAIM))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                claim.close()
                continue
        return block, claim
    raise RuntimeError(f"{len(_BLOCKS)} clouds run on this machine already: end one of them")
