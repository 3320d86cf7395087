"""The model servers that the program knows, as plain data: how each is recognised, and what it does by default.

The facts are those of each server's own source or documentation, at the versions of November 2026. A new server is a
new row. `infra.planning.model_server` reads a container's image and command line with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

LOCAL, EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104 (what servers listen on)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A model server."""

    name: str
    images: str
    """A regular expression of its images, without tag. It must match the whole name, or what follows a `/`."""
    programs: tuple[tuple[str, ...], ...] = ()
    """Its programs, each with the subcommand that serves."""
    modules: tuple[str, ...] = ()
    """Its Python modules for `python -m`: a package stands for its modules."""
    scripts: tuple[str, ...] = ()
    """Files that are this server only in its own image."""

    port: int
    """The port that it listens on by default."""
    port_options: tuple[str, ...] = ("--port",)
    port_variables: tuple[str, ...] = ()
    host: str = EVERYWHERE
    """The address that it listens on by default."""
    host_options: tuple[str, ...] = ("--host",)
    host_variables: tuple[str, ...] = ()
    """Variables with the address, or with address and port: `0.0.0.0:11434`."""
    image_variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """Variables that its own images set."""

    health: str
    """The path that answers GET with 200 if, and only if, it can serve."""
    model_health: str | None = None
    """The path that answers GET with 200 when one model is there, with `{model}`, and before that with 404."""
    prefix: str | None = "/v1"
    """The path of its OpenAI API; `None`: it has none."""

    spread: Literal["all", "one"]
    """Whether it puts a model onto all GPUs of a machine by default, or onto one."""
    parallel: tuple[tuple[str, ...], ...] = ()
    """Options with a number of GPUs. The numbers of several options are multiplied."""
    parallel_variables: tuple[str, ...] = ()
    sharded: tuple[str, str] | None = None
    """The option and the variable that limit it to one GPU if they are `false`."""
    caches: tuple[str, ...] = ("/root/.cache/huggingface",)
    """The folders of the container in which it keeps weights that it has fetched."""

    model_first: bool = False
    """Whether the first argument without a name is the model."""
    model_options: tuple[str, ...] = ()
    model_variables: tuple[str, ...] = ()
    revision: tuple[str, ...] = ("--revision",)
    revision_variables: tuple[str, ...] = ()
    quantize: tuple[str, ...] = ()
    quantize_variables: tuple[str, ...] = ()
    name_options: tuple[str, ...] = ()
    """Options with the model names that it answers to."""
    names: Literal["own", "any"] = "any"
    """Whether it answers only to its own model names. By default, that is the model as it is written."""
    lists: tuple[str, ...] = ()
    """Options that take several words."""
    files: tuple[str, ...] = ()
    """Options that name a file with more options."""


_VLLM = Server(
    name="vLLM",
    images=r"vllm/vllm-openai|vllm-openai|vllm",
    programs=(("vllm", "serve"),),
    modules=("vllm.entrypoints",),
    port=8000,
    health="/health",
    spread="one",
    parallel=(("--tensor-parallel-size", "-tp"), ("--pipeline-parallel-size", "-pp")),
    model_first=True,
    model_options=("--model",),
    quantize=("--quantization", "-q"),
    name_options=("--served-model-name",),
    names="own",
    lists=("--served-model-name", "--lora-modules", "--middleware", "--api-key"),
    files=("--config",),
)
"""vllm/entrypoints/openai/cli_args.py: `host` is all addresses if it is not given."""

SERVERS = (
    Server(
        name="TGI",
        images=r"huggingface/text-generation-inference|text-generation-inference",
        programs=(("text-generation-launcher",),),
        port=3000,
        port_options=("--port", "-p"),
        port_variables=("PORT",),
        host_options=("--hostname",),
        image_variables={"PORT": "80", "HF_HOME": "/data"},
        health="/health",
        spread="all",
        parallel=(("--num-shard",),),
        parallel_variables=("NUM_SHARD",),
        sharded=("--sharded", "SHARDED"),
        caches=("/data",),
        model_options=("--model-id",),
        model_variables=("MODEL_ID",),
        revision_variables=("REVISION",),
        quantize=("--quantize",),
        quantize_variables=("QUANTIZE",),
    ),
    _VLLM,
    Server(
        name="SGLang",
        images=r"lmsysorg/sglang|sglang",
        programs=(("sglang", "serve"),),
        modules=("sglang.launch_server",),
        port=30000,
        host=LOCAL,
        health="/health",
        spread="one",
        parallel=(
            ("--tp-size", "--tp", "--tensor-parallel-size"),
            ("--pp-size", "--pp", "--pipeline-parallel-size"),
        ),
        model_options=("--model-path", "--model"),
        quantize=("--quantization",),
        name_options=("--served-model-name",),
        files=("--config",),
    ),
    Server(
        name="TEI",
        images=r"huggingface/text-embeddings-inference|text-embeddings-inference",
        programs=(("text-embeddings-router",),),
        port=3000,
        port_options=("--port", "-p"),
        port_variables=("PORT",),
        host_options=("--hostname",),
        image_variables={"PORT": "80", "HUGGINGFACE_HUB_CACHE": "/data"},
        health="/health",
        spread="one",
        caches=("/data",),
        model_options=("--model-id",),
        model_variables=("MODEL_ID",),
        revision_variables=("REVISION",),
        name_options=("--served-model-name",),
    ),
    Server(
        name="Ollama",
        images=r"ollama/ollama|ollama",
        programs=(("ollama", "serve"), ("ollama", "start")),
        port=11434,
        port_options=(),
        host=LOCAL,
        host_options=(),
        host_variables=("OLLAMA_HOST",),
        image_variables={"OLLAMA_HOST": "0.0.0.0:11434"},
        health="/",
        model_health="/v1/models/{model}",
        spread="all",
        caches=("/root/.ollama",),
        names="own",
    ),
    Server(
        name="llama.cpp",
        images=r"ggml-org/llama\.cpp|ggerganov/llama\.cpp|llama\.cpp",
        programs=(("llama-server",),),
        port=8080,
        port_variables=("LLAMA_ARG_PORT",),
        host=LOCAL,
        host_variables=("LLAMA_ARG_HOST",),
        image_variables={"LLAMA_ARG_HOST": EVERYWHERE},
        health="/health",
        spread="all",
        caches=("/root/.cache/llama.cpp", "/root/.cache/huggingface"),
        model_options=("--hf-repo", "-hf", "-hfr", "--model", "-m"),
        model_variables=("LLAMA_ARG_HF_REPO", "LLAMA_ARG_MODEL"),
        name_options=("--alias", "-a"),
    ),
    Server(
        name="llama-cpp-python",
        images=r"abetlen/llama-cpp-python|llama-cpp-python",
        modules=("llama_cpp.server",),
        port=8000,
        port_variables=("PORT",),
        host=LOCAL,
        host_variables=("HOST",),
        image_variables={"HOST": EVERYWHERE, "PORT": "8000"},
        health="/v1/models",
        spread="all",
        model_options=("--hf-model-repo-id", "--model"),
    ),
    Server(
        name="LMDeploy",
        images=r"openmmlab/lmdeploy|lmdeploy",
        programs=(("lmdeploy", "serve", "api_server"),),
        port=23333,
        port_options=("--server-port",),
        host_options=("--server-name",),
        health="/health",
        spread="one",
        parallel=(("--tp",),),
        model_first=True,
        model_options=(),
        name_options=("--model-name",),
        names="own",
        lists=("--server-name-list", "--api-keys", "--allow-origins"),
    ),
    Server(
        name="NIM",
        images=r"nvcr\.io/nim/.+",
        scripts=("start_server.sh", "start-server.sh", "nvidia_entrypoint.sh"),
        port=8000,
        port_options=(),
        port_variables=("NIM_SERVER_PORT", "NIM_HTTP_API_PORT"),
        host_options=(),
        health="/v1/health/ready",
        spread="all",
        caches=("/opt/nim/.cache",),
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
        model_first=True,
        files=("--config", "--extra-llm-api-options"),
    ),
    Server(
        name="FastChat",
        images=r"fastchat",
        modules=("fastchat.serve.openai_api_server",),
        port=8000,
        host=LOCAL,
        health="/v1/models",
        spread="one",
    ),
    Server(
        name="TabbyAPI",
        images=r"theroyallab/tabbyapi|tabbyapi",
        scripts=("main.py", "start.py", "start.sh"),
        port=5000,
        host=LOCAL,
        health="/health",
        spread="all",
        caches=("/app/models",),
        files=("--config",),
    ),
)
"""The known servers. A command line decides before the image does."""
