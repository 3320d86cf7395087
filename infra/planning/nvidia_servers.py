"""NVIDIA's own model servers, a part of the table in `infra.planning.known_servers`."""

from __future__ import annotations

from infra.planning.server_memory import TENSORRT_LLM_MEMORY
from infra.planning.servers import LOCAL, Server, ServerMetrics

NVIDIA_SERVERS = (
    Server(
        name="NIM",
        images=r"nvcr\.io/nim/.+",
        scripts=("start_server.sh", "start-server.sh", "nvidia_entrypoint.sh"),
        port=8000,
        port_options=(),
        port_variables=("NIM_SERVER_PORT", "NIM_HTTP_API_PORT"),
        host_options=(),
        health="/v1/health/ready",
        metrics=ServerMetrics(
            path="/v1/metrics",
            running="num_requests_running",
            waiting="num_requests_waiting",
            requests="request_success_total",
            tokens="generation_tokens_total",
        ),
        spread="all",
        caches=("/opt/nim/.cache",),
        cache_variables=("NIM_CACHE_PATH",),
        name_variables=("NIM_SERVED_MODEL_NAME",),
        names="own",
    ),
    Server(
        name="Triton",
        images=r"nvcr\.io/nvidia/tritonserver|tritonserver",
        programs=(("tritonserver",),),
        port=8000,
        port_options=("--http-port",),
        host_options=("--http-address",),
        health="/v2/health/ready",
        prefix=None,
        spread="all",
        caches=(),
    ),
    Server(
        name="TensorRT-LLM",
        images=r"nvcr\.io/nvidia/tensorrt-llm/.+",
        programs=(("trtllm-serve", "serve"), ("trtllm-serve",)),
        port=8000,
        host=LOCAL,
        health="/health",
        spread="one",
        parallel=(("--tp-size", "--tensor-parallel-size"), ("--pp-size", "--pipeline-parallel-size")),
        memory=TENSORRT_LLM_MEMORY,
        model_first=True,
        files=("--config", "--extra-llm-api-options"),
    ),
)
