"""A machine image without the AWS CLI: the cause reaches the state item by curl."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.boot.machine import INSTANCE, Machine
from tests.boot.test_outcomes import GIVES_UP

Boots = Callable[..., Machine]

CREDENTIALS = """{
  "Code" : "Success",
  "Type" : "AWS-HMAC",
  "AccessKeyId" : "ASIAEXAMPLE",
  "SecretAccessKey" : "ab/cd+ef",
  "Token" : "IQoJb3=="
}"""
CAUSE = "the machine image has no AWS CLI: remove ami from stack config, or set it to an image that has the AWS CLI"


def without_cli(boot: Machine) -> None:
    """Let the script find no AWS CLI, whatever this machine has in /usr/bin."""
    (boot.root / "boot.sh").write_text(boot.script.replace("type -P aws ", "type -P aws-cli-of-no-machine "))
    boot.answer("aws-logs-put-log-events", "exit 127")
    boot.answer("aws-autoscaling-set-instance-health", "exit 127")


def test_a_machine_without_the_aws_cli_says_so_and_is_replaced_when_its_time_is_over(machine: Boots) -> None:
    boot = machine()
    without_cli(boot)
    boot.answer("curl-role", "printf the-role")
    boot.answer("curl-credentials", f"cat <<'END'\n{CREDENTIALS}\nEND")
    boot.answer("curl-domain", "printf amazonaws.com")
    assert boot.run("serve") == GIVES_UP
    asked = boot.call("curl-dynamodb")
    *options, data, url = asked.arguments
    assert (options, url) == (
        ["--silent", "--fail", "--max-time", "10", "--output", "/dev/null", "--config", "-",
         "--aws-sigv4", "aws:amz:eu-west-1:dynamodb", "--header", "X-Amz-Target: DynamoDB_20120810.PutItem",
         "--header", "Content-Type: application/x-amz-json-1.0", "--data"],
        "https://dynamodb.eu-west-1.amazonaws.com/",
    )  # fmt: skip
    assert json.loads(data) == {
        "TableName": "registry",
        "Item": {
            "pk": {"S": "state#run"},
            "sk": {"S": INSTANCE},
            "step": {"S": "machine ready"},
            "at": {"N": "1700000000"},
            "ttl": {"N": "1700007200"},
            "final": {"BOOL": True},
            "cause": {"S": CAUSE},
        },
    }
    assert asked.input == 'user = "ASIAEXAMPLE:ab/cd+ef"\nheader = "X-Amz-Security-Token: IQoJb3=="\n'
    assert "ab/cd+ef" not in str([call.arguments for call in boot.calls()])
    assert boot.call("systemd-run").arguments[-2:] == ("replace", CAUSE)
    assert f"stopped, because another try cannot help: {CAUSE}" in boot.output


def test_without_the_aws_cli_a_machine_that_is_to_be_replaced_powers_off(machine: Boots) -> None:
    boot = machine()
    without_cli(boot)
    boot.answer("systemctl", "[[ $1 != is-active ]]")
    (boot.file_system / "run/servestack").mkdir(parents=True)
    (boot.file_system / "run/servestack/instance").write_text(INSTANCE)
    assert boot.run("replace", CAUSE) == GIVES_UP
    assert boot.calls("systemctl")[-1].arguments == ("--no-block", "poweroff")
