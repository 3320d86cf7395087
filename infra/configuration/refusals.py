"""The keys of dstack that are not supported: the reason, the remedy, and the values that ask for nothing."""

from __future__ import annotations

from collections.abc import Mapping

from infra.configuration.section import Refusal

_REMOVE = "remove it"
_OWN_IMAGE = "use an image that contains what the service needs: `image: …`"
_NO_FLEETS = "each replica is a new EC2 instance in the stack's own Auto Scaling group"
_NO_NODES = "a service has no master node and no worker nodes"
_ROUTED = "the load balancer sends each request to the replica with the fewest open requests"

SERVICE: Mapping[str, Refusal] = {
    "https": Refusal("a service always uses HTTPS", "remove it, or write `https: true`", (None, True, "auto")),
    "router": Refusal(_ROUTED, _REMOVE),
    "setup": Refusal("dstack ignores it for services since 0.18.31", "move its lines to commands", ([],)),
    "home_dir": Refusal("dstack ignores it since 0.18.31", _REMOVE, ("/root",)),
    "single_branch": Refusal("the whole repository is cloned", _REMOVE, (None, False)),
    "dstack": Refusal("there is no dstack server to connect to", _REMOVE, (False,)),
    "priority": Refusal("runs do not wait in a queue, because each stack has its own instances", _REMOVE, (None, 0)),
    "creation_policy": Refusal(_NO_FLEETS, _REMOVE, (None, "reuse-or-create")),
    "idle_duration": Refusal(_NO_FLEETS, "remove it; `replicas: 0..1` with `scaling` terminates idle instances"),
    "startup_order": Refusal(_NO_NODES, _REMOVE, (None, "any")),
    "stop_criteria": Refusal(_NO_NODES, _REMOVE, (None, "all-done")),
    "fleets": Refusal(_NO_FLEETS, _REMOVE),
    "instances": Refusal(_NO_FLEETS, "remove it; to choose EC2 instance types, use instance_types"),
    "backend_options": Refusal("servestack runs only on AWS and has no options for it", _REMOVE, (None, [])),
}

GATEWAY: Mapping[str, Refusal] = {
    "default": Refusal(
        "a service uses the gateway of the stack named gateway, unless its configuration or stack config names another",
        _REMOVE,
        (None, False),
    ),
    "public_ip": Refusal("the gateway is always reachable from the internet", _REMOVE, (True,)),
    "load_balancer": Refusal("API Gateway receives the requests, with a certificate from ACM", _REMOVE),
    "router": Refusal(_ROUTED, _REMOVE),
}

TYPES: Mapping[str, str] = {
    "task": "a task ends by itself, and servestack deploys only services, which run until you destroy their stack",
    "dev-environment": "a development environment accepts no requests, and servestack deploys only services",
    "fleet": "each replica is a new EC2 instance",
    "volume": "each replica is a new instance in any availability zone",
    "preset": "only dstack has presets",
}
"""The other types of configuration in dstack."""

BACKENDS = (
    *("amddevcloud", "azure", "cloudrift", "crusoe", "cudo", "datacrunch", "daytona", "digitalocean", "dstack", "gcp"),
    *("hotaisle", "jarvislabs", "kubernetes", "lambda", "lium", "local", "nebius", "oci", "remote", "runpod", "seeweb"),
    *("slurm", "ssh", "tensordock", "vastai", "verda", "vultr"),
)
"""The other backends of dstack."""
