"""A replica's boot: the only shell there is, and what it reads.

`user_data` puts the script together: `settings` (the plan as constants, quoted in `quoting`) and the `.sh` files beside
it, which have no templating in them. On its first run, by cloud-init, the script copies itself to
`/opt/servestack/boot` and starts a systemd unit that runs `boot serve`; on every start the unit prepares the machine,
reads its parameters from SSM, starts the container and says how far it is.

State items: `pk` = `state#<run>`, `sk` = instance id, `step` (S), `percent` (N, of the step, where there is one),
`cause` (S, only where something failed), `final` (BOOL: trying again cannot help, the unit is stopped), `at` and `ttl`
(N, seconds since 1970). `step` is `serving` once the container's health check is good.

What it needs of IAM: `ssm:GetParameter` on `parameter/servestack/<table>/<run>/*` (with AWS's own key for SSM, nothing
of KMS), `logs:CreateLogStream` and `logs:PutLogEvents` on the streams of its log group, which docker's awslogs driver
uses too, and `dynamodb:PutItem` on the table for the leading key `state#<run>`.
"""

from infra.planning.boot.parameters import Parameter, parameter_prefix, parameters
from infra.planning.boot.settings import REPLICA_PORT
from infra.planning.boot.user_data import LARGEST_USER_DATA, UserDataTooLarge, bytes_at_most, script, user_data

AMI_PARAMETER = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id"
"""The machine image: NVIDIA's driver and container toolkit, docker, the SSM agent and AWS's CLI v2, which is part of
Amazon Linux 2023 and not documented for the Ubuntu images; its release notes name every family of the catalog. The
script runs on the Ubuntu images just as well where `ami` pins one that has the CLI."""
ROOT_DEVICE = "/dev/xvda"
"""Root device of that image; Ubuntu's have `/dev/sda1`. Its snapshot has 75 GB, and a volume is no smaller."""

__all__ = [
    "AMI_PARAMETER",
    "LARGEST_USER_DATA",
    "REPLICA_PORT",
    "ROOT_DEVICE",
    "Parameter",
    "UserDataTooLarge",
    "bytes_at_most",
    "parameter_prefix",
    "parameters",
    "script",
    "user_data",
]
