"""What is in the account before the program runs, as a test wants it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_IMAGES = "/aws/service/deeplearning/ami"
_KINDS = (
    "base-oss-nvidia-driver-gpu-amazon-linux-2023",
    "base-oss-nvidia-driver-gpu-ubuntu-22.04",
    "base-oss-nvidia-driver-gpu-ubuntu-24.04",
    "base-with-single-cuda-amazon-linux-2023",
    "base-with-single-cuda-ubuntu-22.04",
    "base-with-single-cuda-ubuntu-24.04",
)


def _images() -> Mapping[str, str]:
    """The public parameters of the Deep Learning AMIs (dlami/latest/devguide/find-dlami-id.html), with made-up ids."""
    return {
        f"{_IMAGES}/{architecture}/{kind}/latest/ami-id": f"ami-{index:02x}{kinds:02x}0000000000000"
        for index, architecture in enumerate(("x86_64", "arm64"))
        for kinds, kind in enumerate(_KINDS)
    }


@dataclass(frozen=True, kw_only=True)
class ExistingImage:
    """A machine image that the account may start instances from."""

    id: str
    architecture: str = "x86_64"
    root_device: str = "/dev/sda1"
    volume_size: int = 75
    """Of its root, in GB."""
    deprecated: bool = False


@dataclass(frozen=True, kw_only=True)
class ExistingEndpoint:
    """A gateway endpoint that someone else made."""

    id: str
    service: str
    """`dynamodb` or `s3`."""
    route_tables: tuple[str, ...]
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class ExistingVpc:
    """A VPC that someone else made."""

    id: str
    region: str
    cidr: str = "172.31.0.0/16"
    subnets: Mapping[str, str] = field(default_factory=dict[str, str])
    """Availability Zone by subnet id."""
    blocks: Mapping[str, str] = field(default_factory=dict[str, str])
    """Range of addresses by subnet id; a subnet without one has that of the VPC."""
    zone_ids: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of Availability Zones, where it matters which they are."""
    dns_support: bool = True
    main_route_table: str = "rtb-0000000000000000a"
    route_tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Subnets by route table; a subnet in none goes by the main one."""
    internet: bool = True
    """Whether its route tables lead to an internet gateway, and its subnets give public addresses."""
    endpoints: tuple[ExistingEndpoint, ...] = ()


@dataclass(frozen=True, kw_only=True)
class World:
    """An account. What is created in it afterwards is in `Cloud`."""

    account: str = "123456789012"
    caller: str = "arn:aws:iam::123456789012:user/deployer"
    region: str | None = None
    """The region of a provider that names none (`aws:region`, or the environment); `None`: there is no such region."""
    zones: Mapping[str, str] = field(default_factory=lambda: {"example.com": "Z0123456789ABCDEFGHIJ"})
    """Public hosted zones: id by name."""
    other_zones: tuple[tuple[str, str, bool], ...] = ()
    """More of them, of names that are there already too: name, id, whether it is private."""
    parameters: Mapping[str, str] = field(default_factory=_images)
    """Public SSM parameters."""
    images: tuple[ExistingImage, ...] = ()
    vpcs: tuple[ExistingVpc, ...] = ()
    certificates: tuple[str, ...] = ()
    """ARNs of issued certificates."""
    api_gateway_role: bool = False
    """Whether the region's API Gateway account settings have a role for logs already."""

    def existing(self) -> frozenset[str]:
        """Ids and ARNs that resources may name without anyone having made them here."""
        of_vpcs = {
            name
            for vpc in self.vpcs
            for name in (vpc.id, *vpc.subnets, vpc.main_route_table, *vpc.route_tables, default_group(vpc.id))
        }
        return frozenset(self.certificates) | of_vpcs | {one.id for vpc in self.vpcs for one in vpc.endpoints}


def zones_of(region: str) -> tuple[str, ...]:
    """Availability Zones of a region: three, which every region with the GPU types has."""
    return tuple(f"{region}{letter}" for letter in "abc")


def default_group(vpc: str) -> str:
    """The id of an existing VPC's default security group."""
    return f"sg-{vpc.removeprefix('vpc-')}"
