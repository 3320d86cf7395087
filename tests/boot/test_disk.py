"""Images and the Hub's cache are on the NVMe disk if the machine has one with more room, else on the root volume."""

from __future__ import annotations

from collections.abc import Callable

from tests.boot.machine import Machine
from tests.boot.test_serving import serves

Boots = Callable[..., Machine]

INSTANCE_STORE = "printf '/dev/nvme0n1 Amazon Elastic Block Store\\n/dev/nvme1n1 Amazon EC2 NVMe Instance Storage\\n'"
MOUNTED_BY_THE_IMAGE = "[[ $2 == */opt/dlami/nvme ]] || [[ -e $STUBS/mounted ]]"
ROOM = 'if [[ $2 == */opt/dlami/nvme ]]; then printf "Avail\\n230000000\\n"; else printf "Avail\\n50000000\\n"; fi'


def disk_calls(boot: Machine) -> list[tuple[str, ...]]:
    """Return the calls about disks and docker, with paths below the machine's own root."""
    called = boot.calls("mountpoint", "lsblk", "mount", "mkfs.xfs", "systemctl", "df")
    return [
        (call.key, *(argument.replace(str(boot.file_system), "") for argument in call.arguments))
        for call in called
        if call.key not in ("lsblk", "mountpoint", "df")
    ]


def hub_cache(boot: Machine) -> set[str]:
    mounts = [argument for argument in boot.call("docker-run").arguments if argument.startswith("type=bind")]
    return {mount.replace(str(boot.file_system), "") for mount in mounts}


def on(folder: str) -> set[str]:
    return {f"type=bind,source={folder}{path},target={path}" for path in ("/data", "/root/.cache/huggingface")}


MOVED = [
    ("systemctl", "stop", "docker.socket", "docker.service", "containerd.service"),
    ("systemctl", "is-active", "--quiet", "docker.service"),
    ("mount", "--bind", "/opt/dlami/nvme/docker", "/var/lib/docker"),
    ("mount", "--bind", "/opt/dlami/nvme/containerd", "/var/lib/containerd"),
    ("systemctl", "start", "docker.service"),
]
STOPPED = "[[ $1 != is-active ]]"


def test_an_nvme_that_the_machine_image_mounted_is_under_docker_before_it_starts(machine: Boots) -> None:
    boot = machine()
    boot.answer("mountpoint", MOUNTED_BY_THE_IMAGE)
    boot.answer("df", ROOM)
    boot.answer("systemctl", STOPPED)
    serves(boot)
    assert disk_calls(boot) == MOVED
    assert hub_cache(boot) == on("/opt/dlami/nvme/servestack/hub")
    assert (boot.file_system / "opt/dlami/nvme/servestack/hub").stat().st_mode & 0o7777 == 0o1777


def test_an_instance_store_that_nothing_mounted_is_formatted_and_mounted(machine: Boots) -> None:
    boot = machine()
    boot.answer("lsblk", INSTANCE_STORE)
    boot.answer("mount", "exit 32", call=1)
    boot.answer("df", ROOM)
    boot.answer("systemctl", STOPPED)
    serves(boot)
    assert disk_calls(boot) == [
        ("mount", "/dev/nvme1n1", "/opt/dlami/nvme"),
        ("mkfs.xfs", "-q", "-K", "/dev/nvme1n1"),
        ("mount", "/dev/nvme1n1", "/opt/dlami/nvme"),
        *MOVED,
    ]


SEVERAL = INSTANCE_STORE[:-1] + "/dev/nvme2n1 Amazon EC2 NVMe Instance Storage\\n'"


def test_several_disks_that_nothing_mounted_are_one_volume(machine: Boots) -> None:
    boot = machine()
    boot.answer("lsblk", SEVERAL)
    boot.answer("mount", "exit 32", call=1)
    boot.answer("df", ROOM)
    boot.answer("systemctl", STOPPED)
    serves(boot)
    assert [(call.key, call.arguments) for call in boot.calls("vgcreate", "lvcreate")] == [
        ("vgcreate", ("servestack", "/dev/nvme1n1", "/dev/nvme2n1")),
        ("lvcreate", ("--yes", "--stripes", "2", "--extents", "100%FREE", "--name", "nvme", "servestack")),
    ]
    assert disk_calls(boot) == [
        ("mount", "/dev/servestack/nvme", "/opt/dlami/nvme"),
        ("mkfs.xfs", "-q", "-K", "/dev/servestack/nvme"),
        ("mount", "/dev/servestack/nvme", "/opt/dlami/nvme"),
        *MOVED,
    ]


def test_a_volume_over_several_disks_is_made_once(machine: Boots) -> None:
    boot = machine()
    boot.answer("lsblk", SEVERAL)
    boot.answer("df", ROOM)
    boot.answer("systemctl", STOPPED)
    (boot.file_system / "dev/servestack").mkdir(parents=True)
    (boot.file_system / "dev/servestack/nvme").touch()
    serves(boot)
    assert boot.calls("vgcreate", "lvcreate") == []
    assert disk_calls(boot) == [("mount", "/dev/servestack/nvme", "/opt/dlami/nvme"), *MOVED]


def test_the_first_disk_is_used_when_several_cannot_be_combined(machine: Boots) -> None:
    boot = machine()
    boot.answer("lsblk", SEVERAL)
    boot.answer("vgcreate", "exit 5")
    boot.answer("df", ROOM)
    boot.answer("systemctl", STOPPED)
    serves(boot)
    assert disk_calls(boot) == [("mount", "/dev/nvme1n1", "/opt/dlami/nvme"), *MOVED]
    assert "the 2 NVMe disks could not be used together, so only /dev/nvme1n1 is used" in boot.output


def test_an_instance_store_with_a_file_system_keeps_it(machine: Boots) -> None:
    boot = machine()
    boot.answer("lsblk", INSTANCE_STORE)
    boot.answer("df", ROOM)
    boot.answer("systemctl", STOPPED)
    serves(boot)
    assert disk_calls(boot) == [("mount", "/dev/nvme1n1", "/opt/dlami/nvme"), *MOVED]


def test_an_instance_store_that_cannot_be_used_is_said_and_left(machine: Boots) -> None:
    boot = machine()
    boot.answer("lsblk", INSTANCE_STORE)
    boot.answer("mount", "exit 32")
    boot.answer("mkfs.xfs", "exit 1")
    serves(boot)
    assert disk_calls(boot)[-1] == ("systemctl", "start", "docker.service")
    assert "the NVMe disk /dev/nvme1n1 could not be mounted, so the root volume is used" in boot.output
    assert hub_cache(boot) == on("/var/lib/servestack/hub")


def test_without_nvme_everything_is_on_the_root_volume(machine: Boots) -> None:
    boot = machine()
    serves(boot)
    assert disk_calls(boot) == [("systemctl", "start", "docker.service")]
    assert hub_cache(boot) == on("/var/lib/servestack/hub")


def test_an_nvme_with_less_room_than_the_root_volume_is_not_used(machine: Boots) -> None:
    boot = machine()
    boot.answer("mountpoint", MOUNTED_BY_THE_IMAGE)
    boot.answer("df", ROOM.replace("50000000", "450000000"))
    serves(boot)
    assert disk_calls(boot) == [("systemctl", "start", "docker.service")]
    assert "the NVMe disk has 219 GiB free and the root volume 429 GiB, so the root volume is used" in boot.output


def test_a_root_volume_once_chosen_is_kept_when_it_has_filled(machine: Boots) -> None:
    boot = machine()
    boot.answer("docker-wait", "printf '1\\n'")
    boot.answer("mountpoint", MOUNTED_BY_THE_IMAGE)
    boot.answer("df", ROOM.replace("50000000", "450000000"))
    assert boot.run("serve") == 75
    boot.answer("df", ROOM)
    assert boot.run("serve") == 75
    assert disk_calls(boot) == [("systemctl", "start", "docker.service")] * 2


def test_an_nvme_once_chosen_is_kept_when_it_has_filled(machine: Boots) -> None:
    boot = machine()
    boot.answer("docker-wait", "printf '1\\n'")
    boot.answer("mountpoint", MOUNTED_BY_THE_IMAGE)
    boot.answer("df", ROOM)
    boot.answer("systemctl", STOPPED)
    assert boot.run("serve") == 75
    boot.answer("df", ROOM.replace("230000000", "10000000"))
    assert boot.run("serve") == 75
    assert disk_calls(boot) == MOVED * 2, "as after a reboot, which undoes the mounts"


def test_a_start_after_the_first_leaves_docker_running(machine: Boots) -> None:
    boot = machine()
    boot.answer("mountpoint", "exit 0")
    serves(boot)
    assert disk_calls(boot) == [("systemctl", "start", "docker.service")]
    assert hub_cache(boot) == on("/opt/dlami/nvme/servestack/hub")


def test_nothing_is_mounted_under_a_docker_that_did_not_stop(machine: Boots) -> None:
    boot = machine()
    boot.answer("mountpoint", MOUNTED_BY_THE_IMAGE)
    boot.answer("df", ROOM)
    boot.answer("systemctl", "[[ $1 != stop ]]")
    assert boot.run("serve") == 75
    assert not boot.calls("mount")
    assert "docker could not be stopped" in boot.output


def test_a_mount_that_fails_is_tried_again(machine: Boots) -> None:
    boot = machine()
    boot.answer("mountpoint", MOUNTED_BY_THE_IMAGE)
    boot.answer("df", ROOM)
    boot.answer("systemctl", STOPPED)
    boot.answer("mount", "exit 32")
    assert boot.run("serve") == 75
    assert "the NVMe disk could not be mounted over /var/lib/docker" in boot.output
