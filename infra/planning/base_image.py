"""dstack's own images, for a service without `image`: which one runs, and what it does before the user's commands.

The images and the start are those of dstack 0.22.5 (`server/services/jobs/configurators/base.py`, `version.py`). They
are public on Docker Hub, for linux/amd64 only. The base image has uv, Python, git, the CUDA runtime and NCCL.
"""

from __future__ import annotations

from infra.configuration import Problem, ServiceConfiguration, ServiceSettings

BASE_IMAGE = "dstackai/base:0.16"
"""Name and version. `stack config base_image` names another one."""
DOCKER_IMAGE = "dstackai/dind"
"""dstack names no version of it."""
DEFAULT_PYTHON = "3.11"
"""dstack takes the version that its server runs on, and the image of its server has 3.11."""
_UBUNTU = "ubuntu24.04"
_PREINSTALLED = "/opt/uv/python"
"""The versions of Python that are in the image. uv downloads any other."""
_VENV = "/dstack/venv"


def image_of(configuration: ServiceConfiguration, settings: ServiceSettings) -> str:
    """Return the image that runs: the service's own, or the one of dstack that its keys ask for."""
    if configuration.image is not None:
        return configuration.image
    if configuration.docker:
        return DOCKER_IMAGE
    return f"{settings.base_image or BASE_IMAGE}-{'devel' if configuration.nvcc else 'base'}-{_UBUNTU}"


def start_commands(configuration: ServiceConfiguration) -> tuple[str, ...]:
    """Return the commands that run before those of the user, in the same shell.

    In the base image they make a virtual environment and activate it, so that `python`, `pip` and `uv pip install` use
    it. It belongs to the user of the container, who can be another than root and then has sudo.
    """
    if configuration.docker:
        return ("start-dockerd",)
    if configuration.image is not None:
        return ()
    venv = f"uv venv --quiet --seed --prompt dstack --python {configuration.python or DEFAULT_PYTHON} $DSTACK_VENV_DIR"
    found = f"UV_PYTHON_INSTALL_DIR={_PREINSTALLED} {venv} --no-python-downloads 2>/dev/null"
    return (
        f"export DSTACK_VENV_DIR={_VENV}",
        "sudo install --directory --owner $(id -u) --group $(id -g) $DSTACK_VENV_DIR",
        f"{{ {found} || {venv}; }}",
        ". $DSTACK_VENV_DIR/bin/activate",
    )


def check_base_image(configuration: ServiceConfiguration, settings: ServiceSettings, problems: list[Problem]) -> None:
    """Add a `base_image` that has no effect to `problems`."""
    if settings.base_image is None or (configuration.image is None and not configuration.docker):
        return
    rule = "base_image is for services that run in dstack's base image, and this one runs in another image"
    problems.append(
        Problem(where="stack config base_image", found=settings.base_image, rule=rule, remedy="remove base_image")
    )


def base_image_notes(configuration: ServiceConfiguration, image: str) -> list[str]:
    """Return what a user should know about an image that the configuration does not name."""
    if configuration.image is not None:
        return []
    what = (
        "docker is true: the container is privileged and has a docker of its own"
        if configuration.docker
        else f"No image is set: dstack's base image runs, with Python {configuration.python or DEFAULT_PYTHON}"
    )
    notes = [f"{what} ({image})."]
    if configuration.registry_auth is None and image.partition("/")[0] == "dstackai":
        notes.append(
            "The image is on Docker Hub, which limits how many images an address can pull without a login. If that "
            "stops a replica, add registry_auth with an account of Docker Hub."
        )
    return notes
