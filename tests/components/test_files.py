"""Where `files` and `repos` of a service are kept, who can read them, and when replicas are replaced."""

from __future__ import annotations

import base64
import gzip
import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from commands.program_monitor import Registration
from commands.property_values import FileValue
from tests.aws.recording import Recording
from tests.components.conftest import GATEWAY
from tests.components.deploying import Account, plain
from tests.components.test_iam import policies

WEB = "type: service\nimage: nginx\nport: 80\nresources: {gpu: 24GB}\n"
BUCKET, OBJECT = "aws:s3/bucket:Bucket", "aws:s3/bucketObjectv2:BucketObjectv2"
HIDDEN = "the-content-of-a-file"


@pytest.fixture
def behind(account: Account, tmp_path: Path) -> Account:
    """An account with a gateway, and with a folder `app` beside the configurations."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text(f"print('{HIDDEN}')\n")
    return account.with_gateway(f"{GATEWAY}domain: example.com\n")


def deployed(account: Account, lines: str = "files: [app:/srv/app]\n", **config: Any) -> Recording:
    path = account.written("serve.yml", f"{WEB}{lines}")
    return account.up("run", {"configuration": path}, **config)


def script_of(made: Recording) -> str:
    template = made.one("aws:ec2/launchTemplate:LaunchTemplate").inputs
    return gzip.decompress(base64.b64decode(plain(template["userData"]))).decode()


def source(stored: Registration) -> Path:
    file = stored.inputs["source"]
    assert isinstance(file, FileValue)
    return Path(str(file.path))


def test_the_gateway_has_a_private_bucket_that_goes_with_it(gateway: Recording) -> None:
    bucket = gateway.one(BUCKET)
    assert bucket.inputs == {
        "bucketPrefix": "servestack-gateway-files-",
        "forceDestroy": True,
        "tags": {"Name": "gateway-files"},
    }
    assert bucket.retain_on_delete is not True
    name = gateway.made(bucket).id
    closed = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    private = gateway.one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock").inputs
    assert private == {"bucket": name, **dict.fromkeys(closed, True)}
    policy = json.loads(str(gateway.one("aws:s3/bucketPolicy:BucketPolicy").inputs["policy"]))
    assert [(one["Effect"], one["Sid"]) for one in policy["Statement"]] == [("Deny", "NobodyWithoutTls")]


def test_the_files_of_a_service_are_objects_named_after_their_content(behind: Account) -> None:
    made = deployed(behind)
    bucket = str(behind.outputs["organization/servestack/gateway"]["connection"]["files_bucket"])  # type: ignore[index]
    objects = made.of(OBJECT)
    assert len(objects) == 2, "the archive, and the script that lays it"
    for one in objects:
        content = source(one).read_bytes()
        assert {key: value for key, value in one.inputs.items() if key != "source"} == {
            "bucket": bucket,
            "key": f"runs/run/{sha256(content).hexdigest()}",
        }
    hashes = [str(one.inputs["key"]).rpartition("/")[2] for one in objects]
    (laying,) = [name for name in hashes if f"LAYING=$'{name}'" in script_of(made)]
    (archive,) = set(hashes) - {laying}
    script = next(one for one in objects if str(one.inputs["key"]).endswith(laying))
    assert f"FILES=($'{archive} /srv/app')" in source(script).read_text()
    assert f"FILES_BUCKET=$'{bucket}'" in script_of(made)


def test_only_this_run_s_role_gets_a_permission_and_only_for_its_own_files(behind: Account) -> None:
    made = deployed(behind)
    bucket = behind.outputs["organization/servestack/gateway"]["connection"]["files_bucket"]  # type: ignore[index]
    read = [one for one in policies(made)["run-replica"]["Statement"] if "s3:GetObject" in one["Action"]]
    expected = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": f"arn:aws:s3:::{bucket}/runs/run/*"}
    assert read == [expected]
    other = behind.up("other", {"configuration": behind.written("other.yml", f"{WEB}name: other\n")})
    assert "s3:" not in json.dumps(policies(other)), "a service without files reads nothing there"


def test_no_content_and_no_token_is_in_the_state(behind: Account) -> None:
    made = deployed(behind, "files: [app]\nrepos: ['https://git.example.com/org/app']\n", secrets={"git_token": HIDDEN})
    assert [where for where, text in made.texts() if HIDDEN in text] == []
    (parameter,) = made.of("aws:ssm/parameter:Parameter")
    assert str(parameter.inputs["name"]).endswith("/run/git-token")


def test_replicas_start_when_their_files_are_there(behind: Account) -> None:
    made = deployed(behind)
    waited = made.waits_for(made.one("aws:autoscaling/group:Group"))
    assert {one.urn for one in made.of(OBJECT)} <= waited


def test_a_changed_file_replaces_the_replicas_and_a_touched_one_does_nothing(behind: Account, tmp_path: Path) -> None:
    deployed(behind)
    file = tmp_path / "app" / "main.py"
    os.utime(file, (1, 1))
    file.chmod(0o600)
    assert deployed(behind).changes() == {}
    file.write_text("print('new')\n")
    changes = deployed(behind).changes()
    assert changes.pop("LaunchTemplate run-replica") == "update"  # type: ignore[attr-defined]
    by_kind: dict[str, int] = {}
    for name, step in changes.items():
        by_kind[f"{step} {name.partition(' ')[0]}"] = by_kind.get(f"{step} {name.partition(' ')[0]}", 0) + 1
    assert by_kind == {"create BucketObjectv2": 2, "delete BucketObjectv2": 2, "update Group": 1, "update Resource": 1}


def test_a_gateway_from_before_there_was_a_bucket_is_deployed_again_first(behind: Account) -> None:
    connection: Any = behind.outputs["organization/servestack/gateway"]["connection"]
    behind.outputs["organization/servestack/gateway"]["connection"] = {
        name: value for name, value in connection.items() if name != "files_bucket"
    }
    path = behind.written("serve.yml", f"{WEB}files: [app]\n")
    said = "\n".join(behind.attempt("run", {"configuration": path}).errors)
    assert (
        "files\n  rule:   files and repos need a bucket of the gateway, "
        "and this gateway was deployed before there was one\n"
        "  remedy: run pulumi up in the gateway's stack first: it makes the bucket"
    ) in said
    behind.up("run", {"configuration": behind.written("serve.yml", WEB)})


@pytest.mark.parametrize("name", ["a-gateway-whose-name-has-forty-one-letters"[:41], "xn--gateway", "g--1"])
def test_the_bucket_has_a_name_that_s3_takes(account: Account, name: str) -> None:
    path = account.written("gateway.yml", f"{GATEWAY}name: {name}\n")
    assert account.up("gateway", {"configuration": path}).one(BUCKET).inputs["bucketPrefix"]
