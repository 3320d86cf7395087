"""Keys of a gateway that come and go, and a secret of a service that changes."""

from __future__ import annotations

from tests.cloud.whole.conftest import CHANGING, VLLM
from tests.cloud.whole.running_cloud import DOMAIN, RunningCloud
from tests.support.processes import wait_until

Services = tuple[str, ...]


def test_a_second_key_works_beside_the_first_until_the_first_is_removed(
    cloud: RunningCloud, gateway: str, services: Services
) -> None:
    first = cloud.key()
    with cloud.http() as http:

        def status(key: str) -> int:
            return http.get(f"https://{VLLM}.{DOMAIN}/health", headers={"Authorization": f"Bearer {key}"}).status_code

        cloud.deploy(gateway, "examples/gateway.dstack.yml", "keys default,default@2")
        keys = cloud.outputs(gateway)["api_keys"]
        assert (list(keys), keys["default"]) == (["default", "default@2"], first)
        assert [status(key) for key in (*keys.values(), "ss-wrong")] == [200, 200, 401]

        cloud.deploy(gateway, "examples/gateway.dstack.yml", "keys default@2")
        assert cloud.outputs(gateway)["api_keys"] == {"default@2": keys["default@2"]}
        assert status(keys["default@2"]) == 200
        wait_until(lambda: status(first) == 401, within=90, what="a registry without the first key")

        cloud.deploy(gateway, "examples/gateway.dstack.yml", "keys default")


def test_a_secret_that_changes_reaches_the_container_by_a_roll(cloud: RunningCloud, services: Services) -> None:
    before, replicas = cloud.outputs(CHANGING), cloud.machines(_group(cloud))

    def token() -> str:
        with cloud.http(headers={"Authorization": f"Bearer {cloud.key()}"}) as http:
            answer = http.get(f"https://{CHANGING}.{DOMAIN}/environment")
        return bytes.fromhex(answer.raise_for_status().json()["TOKEN"]).decode()

    assert token() == "pear_'x'_$HOME"
    printed = cloud.run(
        "pulumi", "config", "set", "--stack", CHANGING, "--secret", "--path", "env.TOKEN", 'plum "x"'
    ) + cloud.up(CHANGING)
    assert not [line for line in printed.splitlines() if "pear" in line or "plum" in line]
    wait_until(
        lambda: len(cloud.machines(_group(cloud))) == 1 and not replicas.keys() & cloud.machines(_group(cloud)).keys(),
        within=300,
        what="the new replica alone",
    )
    assert (token(), cloud.outputs(CHANGING)) == ('plum "x"', before)


def _group(cloud: RunningCloud) -> str:
    groups = cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    names = [one["AutoScalingGroupName"] for one in groups]
    return next(name for name in names if name.startswith(f"{CHANGING}-replicas-"))
