"""The boot script of a replica, and the values that it reads. It is the project's only shell script on a replica.

`user_data` assembles the script from `settings` (the plan as constants, quoted by `quoting`) and the `.sh` files of
this folder, which contain no templates. cloud-init runs the script first: it copies itself to `/opt/servestack/boot`
and starts a systemd unit that runs `boot serve`. On every start, the unit prepares the machine, reads its parameters
from SSM, starts the container and reports how far it is.

State items: `pk` = `state#<run>`, `sk` = instance id, `step` (S), `percent` (N, how much of it is done; optional),
`cause` (S, only if something failed), `output` (S, the last lines that the container wrote, without secrets; only while
it does not serve), `final` (BOOL: another try cannot help, and the unit is stopped), `at` and `ttl` (N, seconds since
1970). `step` is `serving` once the container's health check is good, and `being replaced` when the machine has asked
for another instance. While the container runs, the item also gets `figures` once a minute (S, the members of
`infra.readiness.figures` as JSON), with `figures_at` (N) and a later `ttl`. A new step replaces the whole item, so
figures are never of an earlier step.

The script needs these IAM permissions:

- `ssm:GetParameter` on `parameter/servestack/<table>/<run>/*`; with AWS's own key for SSM, no permission of KMS
- `logs:CreateLogStream` and `logs:PutLogEvents` on the streams of its log group; docker's awslogs driver uses them too
- `dynamodb:PutItem` and `dynamodb:UpdateItem` on the table for the leading key `state#<run>`
- `autoscaling:SetInstanceHealth` on its own group. Without it, a machine that must be replaced powers off
- if the plan has `files` or `repos`: `s3:GetObject` on `runs/<run>/*` of the gateway's bucket
- with a `utilization_policy`: `autoscaling:UpdateAutoScalingGroup` on its own group
- if the image is in ECR and has no login: `ecr:GetAuthorizationToken`, and `ecr:BatchGetImage` and
  `ecr:GetDownloadUrlForLayer` on its repository
"""

from infra.planning.boot.laying import object_key, objects
from infra.planning.boot.parameters import GROUP_NAME, Parameter, parameter_prefix, parameters
from infra.planning.boot.settings import REPLICA_PORT
from infra.planning.boot.user_data import LARGEST_USER_DATA, UserDataTooLarge, bytes_at_most, script, user_data

AMI_PARAMETER = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id"
"""The machine image. It has NVIDIA's driver and container toolkit, docker, the SSM agent and AWS's CLI v2, which Amazon
Linux 2023 includes and the Ubuntu images do not document. Its release notes name every instance family of the catalog.
The script also runs on an Ubuntu image that has the CLI, if `ami` pins one."""
ROOT_DEVICE = "/dev/xvda"
"""The root device of that image; Ubuntu images have `/dev/sda1`. A volume is not smaller than its 75 GB snapshot."""

__all__ = [
    "AMI_PARAMETER",
    "GROUP_NAME",
    "LARGEST_USER_DATA",
    "REPLICA_PORT",
    "ROOT_DEVICE",
    "Parameter",
    "UserDataTooLarge",
    "bytes_at_most",
    "object_key",
    "objects",
    "parameter_prefix",
    "parameters",
    "script",
    "user_data",
]
