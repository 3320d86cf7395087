"""Read configurations: from text to typed, frozen objects that know their positions, or to problems.

Nothing in this package uses AWS, Pulumi or the network. The types are pydantic v2 models for three reasons. pydantic
reports every problem of a value at once; msgspec, which the gateway uses for speed, stops at the first. pydantic
generates the JSON Schema that editors use. And dstack's own models are pydantic v2 too, so both read numbers and
booleans in the same way.
"""

from infra.configuration.amounts import CountRange, Range, SizeRange
from infra.configuration.container import RegistryAuth, Volume
from infra.configuration.filling import fill_environment, fill_references
from infra.configuration.gateway import Certificate, GatewayConfiguration
from infra.configuration.model import Limits, ModelConfiguration
from infra.configuration.names import check_run_name
from infra.configuration.problem import ConfigurationError, Problem, Source
from infra.configuration.reading import load, loads
from infra.configuration.replica_groups import ReplicaGroup
from infra.configuration.resources import Cpu, Disk, Gpu, Resources
from infra.configuration.secret import Secret
from infra.configuration.service import ServiceConfiguration
from infra.configuration.settings import GatewaySettings, ServiceSettings, StackSettings
from infra.configuration.stack import apply_settings, read_settings
from infra.configuration.traffic import Header, PartitioningKey, Probe, RateLimit, Scaling

__all__ = [
    "Certificate",
    "ConfigurationError",
    "CountRange",
    "Cpu",
    "Disk",
    "GatewayConfiguration",
    "GatewaySettings",
    "Gpu",
    "Header",
    "Limits",
    "ModelConfiguration",
    "PartitioningKey",
    "Probe",
    "Problem",
    "Range",
    "RateLimit",
    "RegistryAuth",
    "ReplicaGroup",
    "Resources",
    "Scaling",
    "Secret",
    "ServiceConfiguration",
    "ServiceSettings",
    "SizeRange",
    "Source",
    "StackSettings",
    "Volume",
    "apply_settings",
    "check_run_name",
    "fill_environment",
    "fill_references",
    "load",
    "loads",
    "read_settings",
]
