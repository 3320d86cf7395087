"""The figures that a replica writes once a minute: the whole line, and the whole change of its state item.

`metrics/` has what model servers answer on the path of their metrics. `llama.cpp.txt` is recorded from the llama.cpp of
`make local` (xllamacpp 2026.10.11549), during six requests at four slots. The others have the form of the servers' own
documentation and source, and leave out most of what nothing here reads:

- TGI: huggingface.co/docs/text-generation-inference/reference/metrics
- vLLM, two engines, a model name with spaces: docs.vllm.ai/en/latest/design/metrics
- SGLang, with priorities; the line without one is the sum: python/sglang/srt/observability/metrics_collector.py
- TEI: core/src/queue.rs
- NIM: docs.nvidia.com/nim/large-language-models/latest/observability.html
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.planning.known_servers import SERVERS
from infra.readiness.figures import Figures, read_figures
from tests.boot.machine import BEGAN, EXPIRES, FAR_TOO_LONG, INSTANCE, Machine
from tests.boot.test_outcomes import GIVES_UP, TRIES_AGAIN, ends, last_line, lines_of, steps
from tests.boot.test_serving import AWS, serves

Boots = Callable[..., Machine]

NOW = BEGAN
STREAM = ("--log-group-name", "/servestack/run", "--log-stream-name", f"{INSTANCE}/figures")
RECORDED = Path(__file__).with_name("metrics")
MACHINE: Mapping[str, object] = {"Table": "registry", "Run": "run", "instance": INSTANCE, "type": "g6.xlarge"}
L4 = "87, 20123, 23034, 61, 71.52\n"
EIGHT = "".join(f"{use}, {used}, 81559, {heat}, {watt}\n" for use, used, heat, watt in (
    (100, 70000, 60, 650.11), (90, 70001, 61, 640.5), (80, 70002, 62, 630), (70, 79999, 71, 620.25),
    (60, 70003, 63, 610), (50, 70004, 64, 600), (40, 70005, 65, 590), (30, 1, 66, 580),
))  # fmt: skip
DISK = {"DiskUse": 43}
OF_L4 = {"GpuUse": 87, "GpuMemory": 87.3622, "gpu_temperature": 61, "gpu_power": 71.52}


def test_the_line_and_the_state_item_have_all_figures(machine: Boots) -> None:
    boot = of_server(machine, "vLLM")
    boot.answer("figures-nvidia-smi", f"printf '{L4}'")
    write(boot, NOW)
    write(boot, NOW + 60, more("vLLM", {"4.500001e+06": "4.500025e+06", "9.87654321e+08": "9.87703071e+08"}))
    first, second = lines(boot)
    assert first == line(NOW, {**MACHINE, **OF_L4, **DISK, "Running": 12, "Waiting": 2})
    figures = {
        **MACHINE, **OF_L4, **DISK, "Running": 12, "Waiting": 2, "requests_per_second": 0.4, "tokens_per_second": 812.5,
    }  # fmt: skip
    assert second == line(NOW + 60, figures)
    assert second["_aws"] == {
        "Timestamp": 1_700_000_060_000,
        "CloudWatchMetrics": [
            {
                "Namespace": "servestack",
                "Dimensions": [["Table", "Run"]],
                "Metrics": [
                    {"Name": "DiskUse", "Unit": "Percent"},
                    {"Name": "GpuMemory", "Unit": "Percent"},
                    {"Name": "GpuUse", "Unit": "Percent"},
                    {"Name": "Running", "Unit": "Count"},
                    {"Name": "Waiting", "Unit": "Count"},
                ],
            }
        ],
    }
    assert items(boot) == [
        (NOW, {name: value for name, value in first.items() if name != "_aws"}),
        (NOW + 60, figures),
    ]


def test_what_is_written_is_what_is_read(machine: Boots) -> None:
    boot = of_server(machine, "SGLang")
    boot.answer("figures-nvidia-smi", f"printf '{EIGHT}'")
    write(boot, NOW)
    write(boot, NOW + 60, more("SGLang", {" 60000.0": " 114750.0", " 30.0": " 90.0"}))
    at, figures = items(boot)[-1]
    assert read_figures({"figures": {"S": json.dumps(figures)}, "figures_at": {"N": str(at)}}) == Figures(
        at=NOW + 60,
        type="g6.xlarge",
        gpu_use=65,
        gpu_memory=98.0873,
        gpu_temperature=71,
        gpu_power=4920.86,
        disk_use=43,
        running=14,
        waiting=3,
        requests_per_second=1,
        tokens_per_second=912.5,
    )


def test_aws_is_called_with_whole_arguments_and_the_machine_is_asked_with_limits(machine: Boots) -> None:
    boot = of_server(machine, "TGI")
    boot.answer("figures-nvidia-smi", "exit 9")
    boot.answer("figures-aws-logs-put-log-events", "exit 254", call=1)
    write(boot, NOW)
    (first, second), (update,), (made,) = (
        [call.arguments for call in boot.calls(f"figures-aws-{key}")]
        for key in ("logs-put-log-events", "dynamodb-update-item", "logs-create-log-stream")
    )
    assert first == second == (*AWS, "logs", "put-log-events", *STREAM, "--log-events", first[-1])
    assert made == (*AWS, "logs", "create-log-stream", *STREAM)
    assert update[:-1] == (
        *AWS, "dynamodb", "update-item", "--table-name", "registry",
        "--key", f"pk={{S=state#run}},sk={{S={INSTANCE}}}",
        "--update-expression", "SET figures = :figures, figures_at = :at, #ttl = :ttl",
        "--expression-attribute-names", "#ttl=ttl", "--expression-attribute-values",
    )  # fmt: skip
    assert items(boot) == [(NOW, {**MACHINE, **DISK, "Waiting": 4, "Running": 15})]
    asked = {call.key: call.arguments for call in boot.calls("figures-nvidia-smi", "figures-df", "figures-curl")}
    root = boot.file_system
    assert asked == {
        "figures-nvidia-smi": (
            "--format=csv,noheader,nounits",
            "--query-gpu=utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw",
        ),
        "figures-df": ("--output=pcent", f"{root}/", f"{root}/var/lib/docker"),
        "figures-curl": ("--silent", "--fail", "--max-time", "5", "http://127.0.0.1:8000/metrics"),
    }


@pytest.mark.parametrize(
    ("server", "gauges", "changes", "rates"),
    [
        (
            "TGI",
            {"Running": 15, "Waiting": 4},
            {"success 1020\n": "success 1026\n", "sum 206430": "sum 207630"},
            (0.1, 20),
        ),
        ("SGLang", {"Running": 14, "Waiting": 3}, {" 300.0": " 306.0", " 6000.0": " 6060.0"}, (0.1, 1)),
        ("TEI", {"Waiting": 17}, {" 500\n": " 530\n", " 88\n": " 118\n"}, (1, None)),
        ("NIM", {"Running": 6, "Waiting": 1}, {" 456.0": " 486.0", " 90000.0": " 93000.0"}, (0.5, 50)),
        ("llama.cpp", {"Running": 4, "Waiting": 2}, {"predicted_total 20\n": "predicted_total 620\n"}, (None, 10)),
    ],
)
def test_a_server_s_own_metrics_are_read(
    machine: Boots, server: str, gauges: dict[str, object], changes: dict[str, str], rates: tuple[object, object]
) -> None:
    boot = of_server(machine, server)
    write(boot, NOW)
    write(boot, NOW + 60, more(server, changes))
    expected = {**MACHINE, **DISK, **gauges}
    both = zip(("requests_per_second", "tokens_per_second"), rates, strict=True)
    later = {**expected, **{name: rate for name, rate in both if rate is not None}}
    assert lines(boot) == [line(NOW, expected), line(NOW + 60, later)]
    path = "/v1/metrics" if server == "NIM" else "/metrics"
    assert {call.arguments[-1] for call in boot.calls("figures-curl")} == {f"http://127.0.0.1:8000{path}"}


def test_every_server_with_metrics_has_a_text_here() -> None:
    assert {file.stem for file in RECORDED.iterdir()} == {one.name for one in SERVERS if one.metrics is not None}


def test_a_server_that_is_not_known_is_not_asked(machine: Boots) -> None:
    boot = machine(service="type: service\nimage: library/nginx:1\nport: 80\nresources: {gpu: 24GB}\n")
    boot.answer("figures-df", "printf 'Use%%\\n 43%%\\n'")
    write(boot, NOW)
    assert lines(boot) == [line(NOW, {**MACHINE, **DISK})]
    assert not boot.calls("figures-curl")


def test_the_rates_of_the_minute_of_a_restart_are_left_out(machine: Boots) -> None:
    boot = of_server(machine, "NIM")
    for index, (count, tokens) in enumerate([(456, 90000), (3, 100), (9, 700)]):
        changes = {" 456.0": f" {count}.0", " 90000.0": f" {tokens}.0"}
        write(boot, NOW + 60 * index, more("NIM", changes))
    found = [{name: value for name, value in one.items() if name.endswith("second")} for one in lines(boot)]
    assert found == [{}, {}, {"requests_per_second": 0.1, "tokens_per_second": 10}]


def test_a_count_that_appears_began_at_zero_and_a_minute_without_an_answer_is_made_up_for(machine: Boots) -> None:
    boot = of_server(machine, "TGI")
    write(boot, NOW, "# TGI has no line for what did not happen yet\ntgi_queue_size 0\n")
    write(boot, NOW + 60, "", server="exit 28")
    write(boot, NOW + 120, "tgi_request_success 12\ntgi_request_generated_tokens_sum 2400\n")
    assert lines(boot) == [
        line(NOW, {**MACHINE, **DISK, "Waiting": 0}),
        line(NOW + 60, {**MACHINE, **DISK}),
        line(NOW + 120, {**MACHINE, **DISK, "requests_per_second": 0.1, "tokens_per_second": 20}),
    ]


@pytest.mark.parametrize(
    ("says", "figures"),
    [
        (f"printf '{L4}'", OF_L4),
        (f"printf '{EIGHT}'", {"GpuUse": 65, "GpuMemory": 98.0873, "gpu_temperature": 71, "gpu_power": 4920.86}),
        ("printf '0, 0, 23034, 25, 8.4\\n'", {"GpuUse": 0, "GpuMemory": 0, "gpu_temperature": 25, "gpu_power": 8.4}),
        ("printf '[N/A], 20123, 23034, 61, [N/A]\\n'", {"GpuMemory": 87.3622, "gpu_temperature": 61}),
        ("printf '5, [N/A], [N/A], 61, [Not Supported]\\n'", {"GpuUse": 5, "gpu_temperature": 61}),
        (f"printf '[N/A], [N/A], [N/A], [N/A], [N/A]\\n{L4}'", OF_L4),
        ("printf '[GPU requires reset], [GPU requires reset], 1, 2, 3\\n'",
         {"GpuMemory": 0, "gpu_temperature": 2, "gpu_power": 3}),
        ("printf 'No devices were found\\n'; exit 6", {}),
        ("printf 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.\\n'; exit 9", {}),
        ("exit 127", {}),
    ],
)  # fmt: skip
def test_what_the_driver_does_not_say_is_left_out(machine: Boots, says: str, figures: dict[str, object]) -> None:
    boot = of_server(machine, "TGI")
    boot.answer("figures-nvidia-smi", says)
    boot.answer("figures-curl", "exit 7")
    write(boot, NOW)
    assert lines(boot) == [line(NOW, {**MACHINE, **DISK, **figures})]


@pytest.mark.parametrize(
    ("says", "figures"),
    [
        ("printf 'Use%%\\n 12%%\\n 97%%\\n'", {"DiskUse": 97}),
        ("printf 'Use%%\\n 97%%\\n 12%%\\n'", {"DiskUse": 97}),
        ("printf 'Use%%\\n 12%%\\n'; exit 1", {"DiskUse": 12}),
        ("printf 'Use%%\\n   -\\n'", {}),
        ("exit 1", {}),
    ],
)
def test_the_fullest_disk_counts(machine: Boots, says: str, figures: dict[str, object]) -> None:
    boot = of_server(machine, "TGI")
    boot.answer("figures-df", says)
    boot.answer("figures-curl", "exit 7")
    write(boot, NOW)
    assert lines(boot) == [line(NOW, {**MACHINE, **figures})]


def test_figures_are_written_while_the_server_starts_and_once_a_minute_while_it_serves(machine: Boots) -> None:
    """A minute is over when its figures are written, so that the clock does not run ahead of them."""
    boot = of_server(machine, "TGI")
    written = '[[ -e "$STUBS/counts/figures-aws-dynamodb-update-item" ]]'
    boot.answer("curl-health", f"until {written}; do /bin/sleep 0.01; done; printf 200")
    boot.answer("sleep", f"{WRITTEN}\n{PASSES}")
    boot.start("serve")
    boot.wait_until(lambda: len(boot.calls("figures-aws-dynamodb-update-item")) == 4)
    assert [at for at, _ in items(boot)] == [NOW, NOW + 60, NOW + 120, NOW + 180]
    order = [call.key for call in boot.calls("docker-run", "figures-nvidia-smi")]
    assert order == ["docker-run", *["figures-nvidia-smi"] * 4], "there is nothing to say before"
    assert lines_of(boot)[-1] == "serving"


def test_a_driver_that_never_answers_is_not_asked_again_and_again(machine: Boots) -> None:
    boot = of_server(machine, "TGI")
    boot.answer("figures-nvidia-smi", "exec /bin/sleep 300")
    asked = '[[ -e "$STUBS/counts/figures-nvidia-smi" ]]'
    boot.answer("curl-health", f"until {asked}; do /bin/sleep 0.01; done; printf 200")
    boot.answer("sleep", PASSES)
    process = boot.start("serve")
    boot.wait_until(lambda: len(boot.calls("sleep")) == 4 and len(boot.calls("figures-nvidia-smi")) >= 2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=FAR_TOO_LONG) == 0
    assert len(boot.calls("figures-nvidia-smi")) == 2, "by what starts the container, then by what watches it"


def test_nothing_is_written_before_the_container_starts(machine: Boots) -> None:
    boot = of_server(machine, "TGI")
    boot.answer("docker-run", "printf 'exec: \"nothing\": not found\\n' >&2; exit 127")
    assert boot.run("serve") == GIVES_UP
    assert not [call for call in boot.calls(*KEYS) if call.key.startswith("figures-")]


@pytest.mark.parametrize("hanging", ["nvidia-smi", "df", "curl", "aws-logs-put-log-events", "aws-dynamodb-update-item"])
def test_what_hangs_holds_up_neither_the_start_nor_a_stop(machine: Boots, hanging: str) -> None:
    boot = of_server(machine, "TGI")
    boot.answer(f"figures-{hanging}", "exec /bin/sleep 300")
    boot.answer(
        "curl-health", f'until [[ -e "$STUBS/counts/figures-{hanging}" ]]; do /bin/sleep 0.01; done; printf 200'
    )
    process = boot.start("serve")
    boot.wait_until(lambda: "serving" in steps(boot))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=FAR_TOO_LONG) == 0
    assert last_line(boot) == "stopped"


def test_what_hangs_is_ended_and_the_rest_is_written(machine: Boots) -> None:
    boot = of_server(machine, "TGI")
    boot.answer("figures-nvidia-smi", EXPIRES)
    boot.answer("figures-df", EXPIRES)
    write(boot, NOW)
    assert sorted(boot.limits) == [5, 10]
    assert lines(boot) == [line(NOW, {**MACHINE, "Running": 15, "Waiting": 4})]


def test_figures_that_aws_does_not_take_are_one_warning_and_no_end(machine: Boots) -> None:
    boot = of_server(machine, "TGI")
    denied = "An error occurred (AccessDeniedException) when calling the UpdateItem operation: not authorized"
    boot.answer("figures-aws-dynamodb-update-item", f"printf '\\n{denied}\\n' >&2; exit 254")
    for minute in range(3):
        write(boot, NOW + 60 * minute)
    assert len(lines(boot)) == len(boot.calls("figures-aws-dynamodb-update-item")) == 3
    assert lines_of(boot) == [f"the figures of this replica could not be written: {denied}"]


def test_the_end_of_the_container_is_told_although_figures_still_hang(machine: Boots) -> None:
    boot = of_server(machine, "TGI")
    boot.answer("figures-nvidia-smi", "exec /bin/sleep 300")
    boot.answer("docker-wait", ends(1))
    assert boot.run("serve") == TRIES_AGAIN
    assert "the container ended with status 1 before it served" in last_line(boot)


def test_the_figures_have_no_secret_of_the_container(machine: Boots) -> None:
    boot = machine("env: [HF_TOKEN]\nregistry_auth: {username: u, password: s3cret-word}\n", HF_TOKEN="hf_hidden")
    boot.answer("figures-df", "printf 'Use%%\\n 43%%\\n'")
    serves(boot)
    boot.wait_until(lambda: boot.calls("figures-aws-dynamodb-update-item"))
    told = str([(call.arguments, call.environment) for call in boot.calls(*KEYS) if call.key.startswith("figures-")])
    assert "hf_hidden" not in told
    assert "s3cret-word" not in told


WRITTEN = """\
writes() {
  local stat name parent
  for stat in /proc/[0-9]*/stat; do
    read -r _ name _ parent _ <"$stat" || continue
    if [[ $name == "(bash)" && $parent == "$PPID" ]]; then return 0; fi
  done 2>/dev/null
  return 1
}
while writes; do /bin/sleep 0.01; done"""
"""A sleep that begins when the process that writes figures has ended."""
PASSES = """\
read -r now <"$STUBS/clock"
if ((now == 1700000180)); then exec /bin/sleep 300; fi
printf '%s\\n' "$((now + $1))" >"$STUBS/clock"
"""
"""A sleep that only moves the clock, for three minutes."""
KEYS = tuple(
    f"figures-{key}"
    for key in (
        "nvidia-smi", "df", "curl", "aws-logs-put-log-events", "aws-logs-create-log-stream", "aws-dynamodb-update-item",
    )
)  # fmt: skip
IMAGES = {
    "TGI": "ghcr.io/huggingface/text-generation-inference:3.3.5",
    "vLLM": "vllm/vllm-openai:v0.12.0",
    "SGLang": "lmsysorg/sglang:v0.5.9",
    "TEI": "ghcr.io/huggingface/text-embeddings-inference:1.9",
    "NIM": "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8",
    "llama.cpp": "ghcr.io/ggml-org/llama.cpp:server-cuda",
}


def of_server(machine: Boots, server: str) -> Machine:
    """A machine whose container is that server. It has no GPU that answers, and a disk that is 43 % full."""
    boot = machine(service=f"type: service\nimage: {IMAGES[server]}\nport: 80\nresources: {{gpu: 24GB}}\n")
    boot.answer("figures-nvidia-smi", "exit 9")
    boot.answer("figures-df", "printf 'Use%%\\n 43%%\\n  5%%\\n'")
    boot.answer("figures-curl", f"cat {RECORDED / server}.txt")
    return boot


def more(server: str, changes: Mapping[str, str]) -> str:
    """What the server answers later: some numbers are higher."""
    text = (RECORDED / f"{server}.txt").read_text()
    for old, new in changes.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


def write(boot: Machine, at: int, metrics: str | None = None, *, server: str = "") -> None:
    """Let the machine write its figures at that second, as `tell_figures` does.

    `metrics`: what the server answers; `server`: bash, in place of that.
    """
    if metrics is not None:
        (boot.root / "metrics").write_text(metrics)
        boot.answer("figures-curl", server or f"cat {boot.root / 'metrics'}")
    work = boot.file_system / "run/servestack"
    work.mkdir(parents=True, exist_ok=True)
    (work / "type").write_text("g6.xlarge")
    main = '\nmain "$@"\n'
    assert boot.script.count(main) == 1
    script = boot.script.replace(main, f'\nINSTANCE={INSTANCE}\nwrite_figures "$1"\n')
    (boot.root / "boot.sh").write_text(script)
    (boot.root / "clock").write_text(f"{at}\n")
    redirected = work / "unwritten"
    process = boot.start(str(at), errors=redirected)
    assert process.wait(timeout=FAR_TOO_LONG) == 0, redirected.read_text()


def lines(boot: Machine) -> list[dict[str, Any]]:
    """The lines in the stream, with the metrics in the order of their names."""
    found: list[dict[str, Any]] = []
    for call in boot.calls("figures-aws-logs-put-log-events"):
        (event,) = json.loads(call.arguments[-1])
        message = json.loads(event["message"])
        assert event["timestamp"] == message["_aws"]["Timestamp"]
        (directive,) = message["_aws"]["CloudWatchMetrics"]
        directive["Metrics"] = sorted(directive["Metrics"], key=_name)
        found.append(message)
    return found


def line(at: int, figures: Mapping[str, object]) -> dict[str, Any]:
    """The line with these figures: those with a capital are metrics, and the dimensions."""
    named = sorted(name for name in figures if name[0].isupper() and name not in ("Table", "Run"))
    metrics = [{"Name": name, "Unit": "Count" if name in ("Running", "Waiting") else "Percent"} for name in named]
    directive = {"Namespace": "servestack", "Dimensions": [["Table", "Run"]], "Metrics": metrics}
    return {"_aws": {"Timestamp": at * 1000, "CloudWatchMetrics": [directive]}, **figures}


def items(boot: Machine) -> list[tuple[int, dict[str, Any]]]:
    """`figures_at` and `figures` of each change of the state item."""
    found: list[tuple[int, dict[str, Any]]] = []
    for call in boot.calls("figures-aws-dynamodb-update-item"):
        values = re.fullmatch(r":figures=\{S='(.+)'\},:at=\{N=(\d+)\},:ttl=\{N=(\d+)\}", call.arguments[-1])
        assert values is not None
        assert int(values[3]) == int(values[2]) + 7200
        found.append((int(values[2]), json.loads(values[1])))
    return found


def _name(metric: Mapping[str, str]) -> str:
    return metric["Name"]
