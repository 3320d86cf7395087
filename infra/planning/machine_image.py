"""The machine image of replicas: AWS's Deep Learning Base image with NVIDIA's open driver, for Amazon Linux 2023."""

from __future__ import annotations

PARAMETER = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id"
"""The public SSM parameter with the newest image's id (dlami/latest/devguide/find-dlami-id.html). It has docker, the
NVIDIA container toolkit and the AWS CLI."""
ROOT_DEVICE = "/dev/xvda"
"""The root volume's device, which a pinned image must have too. Ubuntu images have /dev/sda1."""
