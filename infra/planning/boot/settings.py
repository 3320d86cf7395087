"""The settings of the boot script: the part of a plan that a replica needs, as constants of bash."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from infra.configuration import Secret
from infra.planning.boot.laying import laying_hash, where
from infra.planning.boot.parameters import (
    GIT_TOKEN,
    GROUP_NAME,
    PASSWORD,
    USERNAME,
    parameter_names,
    parameter_prefix,
    parameters,
)
from infra.planning.boot.probes import PARAMETER as PROBE
from infra.planning.boot.probes import REPLICA_PORT
from infra.planning.boot.quoting import array, scalar
from infra.planning.checks import ReplicaProbe
from infra.planning.environment import is_read_on_the_way
from infra.planning.plan import Container, ServicePlan
from infra.planning.private_ecr import pulled_by_role
from infra.planning.servers import ServerMetrics
from infra.planning.shared_memory import SHARED_MEMORY_MB


def settings(
    plan: ServicePlan,
    *,
    region: str,
    table: str,
    log_group: str,
    parameter_versions: Mapping[str, int],
    files_bucket: str | None,
) -> str:
    """Return lines of bash, one constant each.

    Raises:
        ValueError: `parameter_versions` does not name exactly the plan's parameters, or the bucket is missing.
    """
    if plan.lays and not files_bucket:
        raise ValueError("a plan with files or repos needs files_bucket, the bucket that replicas fetch them from")
    _check_versions(plan, parameter_versions)
    container, health = plan.container, plan.health_check
    ecr = pulled_by_role(container)
    lowest, _, highest = health.matcher.partition("-")
    prefix = parameter_prefix(table, plan.run)

    def selectors(key: str) -> list[str]:
        return [f"{prefix}{name}:{parameter_versions[name]}" for name in parameter_names(plan, key)]

    def versions(key: str) -> list[str]:
        return [str(parameter_versions[name]) for name in parameter_names(plan, key)]

    carried = [(name, versions(name)) for name, _ in container.environment]
    plain = _plain(plan)
    exported = [f"{name}={value}" for name, value in plain.items() if not is_read_on_the_way(name)]
    lines = [
        scalar("RUN", plan.run),
        scalar("REGION", region),
        scalar("TABLE", table),
        scalar("LOG_GROUP", log_group),
        scalar("BOOT_TIMEOUT", plan.boot_timeout),
        scalar("IMAGE", container.image),
        scalar("REGISTRY", registry(container.image)),
        scalar("ECR_REGION", "" if ecr is None else ecr.region),
        *([] if container.registry_login is None else [array("USERNAME_PARAMETERS", selectors(USERNAME))]),
        array("PASSWORD_PARAMETERS", selectors(PASSWORD)),
        scalar("REPLICA_PORT", REPLICA_PORT),
        scalar("CONTAINER_PORT", container.port),
        scalar("HEALTH_PATH", health.path),
        scalar("HEALTH_TIMEOUT", health.timeout),
        scalar("HUNG_AFTER", plan.hung_after or 0),
        scalar("LOWEST_GOOD_STATUS", int(lowest)),
        scalar("HIGHEST_GOOD_STATUS", int(highest or lowest)),
        scalar("SHM_SIZE", f"{SHARED_MEMORY_MB}m" if container.shm_size_mb is None else ""),
        scalar("PATH_COMES_LATER", "yes" if health.comes_later else "no"),
        scalar("LISTENING", plan.listening),
        array("PROBES", [_probe(probe, selectors(PROBE.format(number))) for number, probe in enumerate(plan.probes)]),
        array("METRICS", [] if plan.metrics is None else _metrics(plan.metrics)),
        array("INSTANCE_PATHS", [mount.instance_path for mount in container.mounts]),
        array("HUB_CACHE_PATHS", container.hub_cache_paths),
        array("GPU_COUNT_VARIABLES", container.gpu_count_variables),
        array("VARIABLES", exported),
        scalar("PARAMETER_PREFIX", prefix),
        array("SECRETS", [" ".join((name, *numbers)) for name, numbers in carried if numbers]),
        *_laying(plan, files_bucket, selectors(GIT_TOKEN)),
        *_utilization(plan),
        array("RUN_OPTIONS", [*_run_options(container), *_inline(plain)]),
        array("ARGUMENTS", container.arguments),
    ]
    return "\n".join(lines) + "\n"


def registry(image: str) -> str:
    """Return the host of the image registry for `docker login`; empty for Docker Hub. docker reads a name this way."""
    first, slash, _ = image.partition("/")
    is_host = first == "localhost" or "." in first or ":" in first
    return first if slash and is_host else ""


def _check_versions(plan: ServicePlan, parameter_versions: Mapping[str, int]) -> None:
    names = {parameter.name for parameter in parameters(plan)}
    if names != set(parameter_versions):
        missing, unknown = sorted(names - set(parameter_versions)), sorted(set(parameter_versions) - names)
        raise ValueError(
            "parameter_versions must have a version for each name of infra.planning.boot.parameters(plan): missing "
            f"{missing}, unknown {unknown}"
        )


def _plain(plan: ServicePlan) -> dict[str, str]:
    """Return the variables that are in user data itself."""
    return {
        name: value
        for name, value in plan.container.environment
        if not isinstance(value, Secret) and not parameter_names(plan, name)
    }


def _utilization(plan: ServicePlan) -> list[str]:
    if plan.utilization is None:
        return []
    least, window = plan.utilization.least, plan.utilization.window
    return [
        scalar("LEAST_UTILIZATION", least),
        scalar("UTILIZATION_WINDOW", window),
        scalar("GROUP_PARAMETER", GROUP_NAME),
    ]


def _probe(probe: ReplicaProbe, selectors: Sequence[str]) -> str:
    return " ".join((probe.name, str(probe.interval), str(probe.ready_after), *selectors))


def _metrics(metrics: ServerMetrics) -> list[str]:
    """Return the path, then FIGURE=METRIC for each metric. The figures are those of `infra.readiness.figures`."""
    figures = {
        "Running": metrics.running,
        "Waiting": metrics.waiting,
        "requests_per_second": metrics.requests,
        "tokens_per_second": metrics.tokens,
    }
    return [metrics.path, *(f"{figure}={name}" for figure, name in figures.items() if name)]


def _laying(plan: ServicePlan, bucket: str | None, token: Sequence[str]) -> list[str]:
    """Return what `bucket.sh` and `laying.sh` need, but for the constants that come from the bucket."""
    if not plan.lays or bucket is None:
        return []
    return [scalar("LAYING", laying_hash(plan)), scalar("FILES_BUCKET", bucket), array("GIT_TOKEN_PARAMETERS", token)]


def _run_options(container: Container) -> list[str]:
    """Return the options of `docker run` that do not depend on the machine."""
    options: list[str] = []
    if container.shm_size_mb is not None:
        options += ["--shm-size", f"{container.shm_size_mb}m"]
    options += where(container)
    if container.privileged:
        options += ["--privileged"]
    if container.terminal:
        options += ["--tty"]
    for mount in container.mounts:
        options += ["--mount", bind(mount.instance_path, mount.path)]
    if container.entrypoint is not None:
        options += ["--entrypoint", container.entrypoint]
    return options


def bind(source: str, target: str) -> str:
    """Return a bind mount as `--mount` reads it: comma-separated values, so a path can have a colon."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(["type=bind", f"source={source}", f"target={target}"])
    return text.getvalue()


def _inline(plain: Mapping[str, str]) -> list[str]:
    return [word for name, value in plain.items() if is_read_on_the_way(name) for word in ("--env", f"{name}={value}")]
