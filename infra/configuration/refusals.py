"""dstack's keys that are not supported: why, what to do instead, and which of their values ask for nothing."""

from __future__ import annotations

from collections.abc import Mapping

from infra.configuration.section import Refusal

_REMOVE = "remove it"
_OWN_IMAGE = "name an image that has what the service needs: `image: …`"
_NO_FLEETS = "there are no fleets: every replica is a new EC2 instance, of the stack's own Auto Scaling group"
_UNTIL_DESTROYED = "a service runs until its stack is destroyed"

SERVICE: Mapping[str, Refusal] = {
    "https": Refusal("services are always reached by HTTPS", "remove it, or write `https: true`", (None, True, "auto")),
    "strip_prefix": Refusal(
        "the path /services/<run name> is always stripped before a request reaches the service", _REMOVE, (True,)
    ),
    "groups": Refusal("all replicas of a service are alike", "write `replicas: 2`, and a service for each kind"),
    "router": Refusal("the load balancer chooses the replica with the fewest requests", _REMOVE),
    "python": Refusal("servestack has no image of its own, and installs no Python", _OWN_IMAGE),
    "nvcc": Refusal("servestack has no image of its own, and installs no CUDA compiler", _OWN_IMAGE, (None, False)),
    "docker": Refusal("containers do not run docker inside", _OWN_IMAGE, (None, False)),
    "shell": Refusal("commands run in /bin/sh", "call the shell in commands: `bash -c '…'`", (None, "sh", "/bin/sh")),
    "repos": Refusal("no repository is copied into the container", "clone it in commands, or build it in", ([],)),
    "files": Refusal("no files are copied into the container", "build them into the image, or fetch them", ([],)),
    "setup": Refusal("dstack itself ignores it for services since 0.18.31", "move it into commands", ([],)),
    "home_dir": Refusal("dstack itself ignores it since 0.18.31", _REMOVE, ("/root",)),
    "single_branch": Refusal("no repository is copied into the container", _REMOVE),
    "dstack": Refusal("there is no dstack server to reach", _REMOVE, (False,)),
    "priority": Refusal("runs do not queue: each stack has machines of its own", _REMOVE, (None, 0)),
    "backends": Refusal("servestack runs on AWS alone", "remove it, or write `backends: [aws]`", (None, ["aws"])),
    "reservation": Refusal("instances are bought on demand or as spot instances", "use instance_types and spot_policy"),
    "retry": Refusal(
        "replicas that fail are always replaced; the causes that cannot heal end the deployment", _REMOVE, (None, False)
    ),
    "max_duration": Refusal(_UNTIL_DESTROYED, "remove it, and run `pulumi destroy`", (None, "off", False, True)),
    "stop_duration": Refusal("a replica has 15 minutes to end its requests when it is replaced", _REMOVE),
    "creation_policy": Refusal(_NO_FLEETS, _REMOVE, (None, "reuse-or-create")),
    "idle_duration": Refusal(_NO_FLEETS, "remove it; `replicas: 0..1` with scaling ends idle machines"),
    "utilization_policy": Refusal("no replica is ended for its GPU's utilization", "use replicas and scaling"),
    "startup_order": Refusal("a service has no master and no workers", _REMOVE, (None, "any")),
    "stop_criteria": Refusal("a service has no master and no workers", _REMOVE, (None, "all-done")),
    "schedule": Refusal(_UNTIL_DESTROYED, "remove it, and run `pulumi up` and `pulumi destroy` by a scheduler"),
    "fleets": Refusal(_NO_FLEETS, _REMOVE),
    "instances": Refusal(_NO_FLEETS, "remove it; instance_types names EC2 instance types"),
    "backend_options": Refusal("servestack runs on AWS alone, which has no options here", _REMOVE, (None, [])),
}

GATEWAY: Mapping[str, Refusal] = {
    "default": Refusal(
        "a service uses the gateway of the stack named gateway, unless its configuration or stack config names another",
        "remove it",
        (None, False),
    ),
    "instance_type": Refusal("the gateway has no instance: it is a Lambda function behind API Gateway", _REMOVE),
    "public_ip": Refusal("the gateway is reached from the internet", _REMOVE, (True,)),
    "load_balancer": Refusal("API Gateway takes the requests, with a certificate of ACM", _REMOVE),
    "router": Refusal("the load balancer chooses the replica with the fewest requests", _REMOVE),
    "replicas": Refusal("the gateway is a Lambda function, which scales by itself", _REMOVE, (None, 1)),
}

TYPES: Mapping[str, str] = {
    "task": "a task ends, and what servestack deploys serves until its stack is destroyed",
    "dev-environment": "a development environment takes no requests",
    "fleet": "there are no fleets: every replica is a new EC2 instance",
    "volume": "network volumes are not supported",
    "preset": "presets are dstack's own",
}
"""dstack's other types of configuration."""

BACKENDS = (
    *("amddevcloud", "azure", "cloudrift", "crusoe", "cudo", "datacrunch", "daytona", "digitalocean", "dstack", "gcp"),
    *("hotaisle", "jarvislabs", "kubernetes", "lambda", "lium", "local", "nebius", "oci", "remote", "runpod", "seeweb"),
    *("slurm", "ssh", "tensordock", "vastai", "verda", "vultr"),
)
"""dstack's other backends."""
