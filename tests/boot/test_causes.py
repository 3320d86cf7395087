"""Why a container ended before it served, by the texts that servers really print. Another try cannot help."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.boot.machine import Machine
from tests.boot.test_outcomes import GIVES_UP, OUTPUT, TRIES_AGAIN, ends, failed_state, wrote

Boots = Callable[..., Machine]

FEW = "the container needs more GPUs than the machine has (1): request more under resources.gpu"
OLD = (
    "the image needs a newer NVIDIA driver than this machine image has: use an image for an older CUDA version, or set "
    "the stack config ami to a newer machine image"
)
ARCHITECTURE = (
    "this version of the server does not support the model's architecture: use a newer image, or another model"
)
CODE = (
    "the model brings its own code, and the server runs it only if you allow it: read the code, then add "
    "--trust-remote-code to the command (TGI: TRUST_REMOTE_CODE=true in env)"
)
UNEVEN = (
    "the model cannot be divided among this number of GPUs: choose a number that divides its attention heads, such as "
    "1, 2, 4 or 8, with --tensor-parallel-size (TGI: --num-shard) or resources.gpu"
)
CONTEXT = (
    "the model's context does not fit into the GPU memory that the weights leave: add --max-model-len{} to the "
    "command, or request more under resources.gpu"
)
PORT = (
    "the server's port is already in use in the container: the command starts two programs that listen on the same port"
)
OFFLINE = (
    "the container is offline (HF_HUB_OFFLINE), and its cache does not have the model: remove HF_HUB_OFFLINE, or build "
    "the model into the image"
)
SHARED = "/dev/shm, the container's shared memory, is full: set a larger resources.shm_size, for example 16GB"
USAGE = "the server refuses its command line or configuration: "

CASES = {
    "TGI, sharded on one GPU": (
        'Error: NotEnoughCUDADevices("`sharded` is true but only found 1 CUDA devices")',
        FEW,
    ),
    "vLLM, more GPUs than there are": (
        "ValueError: World size (4) is larger than the number of available GPUs (1) in this node.",
        FEW,
    ),
    "CUDA, PTX": ("RuntimeError: CUDA error: the provided PTX was compiled with an unsupported toolchain.", OLD),
    "CUDA, PTX by name": ("cudaErrorUnsupportedPtxVersion", OLD),
    "PyTorch, driver": (
        "RuntimeError: The NVIDIA driver on your system is too old (found version 12040). Please update",
        OLD,
    ),
    "CUDA, combination": (
        "Error 803: system has unsupported display driver / cuda driver combination",
        OLD,
    ),
    "NVIDIA's image, whose notice alone explains the end": (
        "ERROR: This container was built for NVIDIA Driver Release 595.45 or later, but",
        OLD,
    ),
    "vLLM and SGLang, architecture": (
        "ValueError: Model architectures ['FooForCausalLM'] are not supported for now. Supported architectures: dict",
        ARCHITECTURE,
    ),
    "vLLM, architecture of the past": (
        "ValueError: Model architecture Phi3SmallForCausalLM was supported in vLLM until v0.9.2, and is not supported",
        ARCHITECTURE,
    ),
    "transformers, architecture": (
        "Value error, The checkpoint you are trying to load has model type `gemma4` but Transformers does not "
        "recognize this architecture. This could be because of an issue with the checkpoint",
        ARCHITECTURE,
    ),
    "vLLM, architecture that transformers does not have either": (
        "ValueError: FooForCausalLM has no vLLM implementation and the Transformers implementation is not compatible "
        "with vLLM.",
        ARCHITECTURE,
    ),
    "TGI, architecture": ("ValueError: Unsupported model type foo", ARCHITECTURE),
    "llama.cpp and Ollama, architecture": (
        "llama_model_load: error loading model: error loading model architecture: unknown model architecture: 'qwen35'",
        ARCHITECTURE,
    ),
    "transformers, own code of a configuration": (
        "ValueError: Loading org/m requires you to execute the configuration file in that repo on your local machine. "
        "Make sure you have read the code there to avoid malicious use, then set the option `trust_remote_code=True` "
        "to remove this error.",
        CODE,
    ),
    "transformers, own code": (
        "ValueError: The repository org/m contains custom code which must be executed to correctly load the model. You "
        "can inspect the repository content at https://hf.co/org/m .",
        CODE,
    ),
    "vLLM, own code": (
        "RuntimeError: Failed to load the model config. If the model is a custom model not yet available in the "
        "HuggingFace transformers library, consider setting `trust_remote_code=True` in LLM or using the "
        "`--trust-remote-code` flag in the CLI.",
        CODE,
    ),
    "vLLM, heads": (
        "ValueError: Total number of attention heads (28) must be divisible by tensor parallel size (3).",
        UNEVEN,
    ),
    "TGI, heads": (
        "ValueError: `num_heads` must be divisible by `num_shards` (got `num_heads`: 28 and `num_shards`: 3",
        UNEVEN,
    ),
    "SGLang, sizes": ("AssertionError: 151936 is not divisible by 3", UNEVEN),
    "vLLM, context": (
        "ValueError: To serve at least one request with the models's max seq len (131072), (4.00 GiB KV cache is "
        "needed, which is larger than the available KV cache memory (0.65 GiB). Based on the available memory, the "
        "estimated maximum model length is 21440. Try increasing `gpu_memory_utilization` or decreasing "
        "`max_model_len` when initializing the engine.",
        CONTEXT.format(" 21440"),
    ),
    "vLLM before 0.9, context": (
        "ValueError: The model's max seq len (131072) is larger than the maximum number of tokens that can be stored "
        "in KV cache (7000). Try increasing `gpu_memory_utilization` or decreasing `max_model_len`",
        CONTEXT.format(""),
    ),
    "Python, port": ("OSError: [Errno 98] Address already in use", PORT),
    "uvicorn, port": (
        "ERROR:    [Errno 98] error while attempting to bind on address ('0.0.0.0', 8000): address already in use",
        PORT,
    ),
    "TGI, port": ("Error: Axum error: Address already in use (os error 98)", PORT),
    "Ollama, port": ("Error: listen tcp 0.0.0.0:11434: bind: address already in use", PORT),
    "llama.cpp, port": ("couldn't bind HTTP server socket, hostname: 0.0.0.0, port: 8080", PORT),
    "huggingface_hub, offline": (
        "huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate cached snapshot folder for the "
        "specified revision on the local disk and outgoing traffic has been disabled.",
        OFFLINE,
    ),
    "huggingface_hub, offline request": (
        "huggingface_hub.errors.OfflineModeIsEnabled: Cannot reach https://huggingface.co/api/models/a/b: offline mode "
        "is enabled. To disable it, please unset the `HF_HUB_OFFLINE` environment variable.",
        OFFLINE,
    ),
    "TGI, offline": (
        "LocalEntryNotFoundError: File model.safetensors of model a/b not found in /data. Please run "
        "`text-generation-server download-weights a/b` first.",
        OFFLINE,
    ),
    "NCCL, shared memory": (
        "Error while creating shared memory segment /dev/shm/nccl-vzIpS6 (size 9637888)",
        SHARED,
    ),
    "NCCL, shared memory in full": (
        "NCCL WARN Error while creating shared memory segment /dev/shm/nccl-x (size 33030528), error: No space left on "
        "device (28)",
        SHARED,
    ),
    "NCCL before 2.18, shared memory": (
        "include/shm.h:28 NCCL WARN Call to posix_fallocate failed : No space left on device",
        SHARED,
    ),
    "Python, shared memory": ("OSError: [Errno 28] No space left on device: '/psm_61b5c9d2'", SHARED),
    "PyTorch, shared memory": (
        "RuntimeError: unable to write to file </torch_71_2954_0>: No space left on device (28)",
        SHARED,
    ),
    "PyTorch's loader, shared memory": (
        "ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient shared memory (shm).",
        SHARED,
    ),
    "Ollama, name": (
        "Error: pull model manifest: file does not exist",
        "Ollama's library has no such model: correct its name in the command",
    ),
    "NIM, profile": (
        "ERROR Could not match a profile in manifest at /opt/nim/etc/default/model_manifest.yaml",
        "the image or the model needs another kind of GPU: name one under resources.gpu",
    ),
    "argparse, unknown option": (
        "vllm: error: unrecognized arguments: --max-model-length 8192",
        f"{USAGE}vllm: error: unrecognized arguments: --max-model-length 8192",
    ),
    "argparse, value": (
        "launch_server.py: error: argument --tp-size: invalid int value: 'two'",
        f"{USAGE}launch_server.py: error: argument --tp-size: invalid int value: 'two'",
    ),
    "argparse, missing option": (
        "launch_server.py: error: the following arguments are required: --model-path/--model",
        f"{USAGE}launch_server.py: error: the following arguments are required: --model-path/--model",
    ),
    "clap": (
        "error: unexpected argument '--max-tokens' found",
        f"{USAGE}error: unexpected argument '--max-tokens' found",
    ),
    "clap, in a terminal": (
        "\x1b[1m\x1b[31merror:\x1b[0m unexpected argument '\x1b[33m--max-tokens\x1b[0m' found\r",
        f"{USAGE}error: unexpected argument '--max-tokens' found",
    ),
    "click": (
        "Error: Invalid value for '--tp-size': 'two' is not a valid integer.",
        f"{USAGE}Error: Invalid value for '--tp-size': 'two' is not a valid integer.",
    ),
    "TGI's own checks": (
        'Error: ArgumentValidation("`max_input_tokens must be < `max_total_tokens`")',
        f'{USAGE}Error: ArgumentValidation("`max_input_tokens must be < `max_total_tokens`")',
    ),
    "vLLM's own checks": (
        "(APIServer pid=1)   Value error, User-specified max_model_len (200000) is greater than the derived "
        "max_model_len (max_position_embeddings=32768",
        f"{USAGE}(APIServer pid=1)   Value error, User-specified max_model_len (200000) is greater than the derived "
        "max_model_len (max_position_embeddings=32768",
    ),
    "cobra": ("Error: unknown flag: --modl", f"{USAGE}Error: unknown flag: --modl"),
    "cobra, command": (
        'Error: unknown command "srve" for "ollama"',
        f'{USAGE}Error: unknown command "srve" for "ollama"',
    ),
    "llama.cpp, option": ("error: invalid argument: --ctxsize", f"{USAGE}error: invalid argument: --ctxsize"),
    "a key in the refused command line": (
        "api_server.py: error: unrecognized arguments: --api-key sk-0123456789abcdef",
        f"{USAGE}api_server.py: error: unrecognized arguments: --api-key ***",
    ),
}


@pytest.mark.parametrize(("line", "cause"), CASES.values(), ids=CASES)
def test_what_a_server_prints_is_named_and_ends_at_once(machine: Boots, line: str, cause: str) -> None:
    boot = machine()
    for key, answer in wrote(line).items():
        boot.answer(key, answer)
    assert boot.run("serve") == GIVES_UP
    assert failed_state(boot) == (f"{cause}; {OUTPUT}", True)


@pytest.mark.parametrize(
    "line",
    [
        "INFO: Port 8000 is already in use, trying port 8001",
        "RuntimeError: The server socket has failed to listen on any local network address. port: 29500, code: -98, "
        "name: EADDRINUSE, message: address already in use",
        "WARNING: sampling parameter x is not supported anymore",
        "args: Namespace(trust_remote_code=False, max_model_len=None, shm=None)",
        "RuntimeError: CUDA error: invalid argument",
        "WARNING: FooForCausalLM has no vLLM implementation, falling back to Transformers implementation. Some "
        "features may not be supported and performance may not be optimal.",
        "TypeError: argument 'tokens': 'NoneType' object cannot be converted to 'PyString'",
        "huggingface_hub: An error happened while trying to locate the file on the Hub and we cannot find the "
        "requested files in the local cache. Please check your connection and try again",
    ],
)
def test_what_may_heal_or_says_nothing_is_tried_again(machine: Boots, line: str) -> None:
    boot = machine()
    for key, answer in wrote(line).items():
        boot.answer(key, answer)
    assert boot.run("serve") == TRIES_AGAIN
    assert failed_state(boot) == (f"the container ended with status 1 before it served; {OUTPUT}", False)


def test_a_notice_of_nvidia_s_images_does_not_hide_the_cause(machine: Boots) -> None:
    boot = machine()
    notice = "ERROR: This container was built for NVIDIA Driver Release 595.45 or later, but"
    for key, answer in wrote(f"{notice}\nOSError: [Errno 28] No space left on device").items():
        boot.answer(key, answer)
    boot.answer("docker-wait", ends(1))
    assert boot.run("serve") == GIVES_UP
    assert failed_state(boot) == (f"the disk is full: request more under resources.disk; {OUTPUT}", True)
