# Why a container ended, by its last output. The patterns match messages of docker, NVIDIA's driver, huggingface_hub,
# transformers, TGI, vLLM, SGLang, NIM, Ollama, llama.cpp and PyTorch.

NO_GPU='could not select device driver|unresolvable CDI devices|nvidia-container-cli: (initialization|detection|device) error|no cuda-capable device|no cuda gpus are available|found no nvidia driver|libcuda\.so\.1: cannot open'
FEW_GPUS='not ?enough ?cuda ?devices|invalid device ordinal|larger than the number of available gpus'
UNEVEN='attention heads .*must be divisible|num_heads.? must be divisible|[0-9]+ is not divisible by [0-9a-z_]'
OTHER_GPU='no kernel image is available|compute capability of at least|could not match a profile in manifest'
OLD_DRIVER='unsatisfied condition: (cuda|driver)|driver version is insufficient|nvidia driver on your system is too old|PTX was compiled with an unsupported toolchain|unsupported_?ptx_?version|unsupported display driver / cuda driver combination|forward compatibility was attempted on non supported'
OLD_DRIVER_NOTICE='was built for nvidia driver release' # NVIDIA's images print it and go on
GATED='gated repo|GatedRepoError|is restricted\. you must|not in the authorized list|awaiting a review from the repo authors'
UNKNOWN_MODEL='(Repository|Revision)NotFoundError|repository not found for url|is not a valid model identifier|invalid user token|invalid credentials in authorization header'
NOT_IN_OLLAMA='pull model manifest: file does not exist'
OFFLINE='outgoing traffic has been disabled|offline mode is enabled|OfflineModeIsEnabled|please run .text-generation-server download-weights'
OWN_CODE='trust_remote_code=True.? to (remove this error|allow custom code)|requires you to execute the .* file in that|contains custom code which must be executed|using the .?--trust-remote-code.? flag'
UNKNOWN_ARCHITECTURE='architectures .* are not supported for now|does not recognize this architecture|has no (vllm|sglang) implementation and|unsupported model type|unknown model architecture|model architecture .* (was supported in|is not supported)'
LONG_CONTEXT='larger than the (maximum number of tokens that can be stored in|available) kv cache'
GPU_MEMORY='cuda out of memory|torch\.(cuda\.)?OutOfMemoryError|cuda error: out of memory|CUDA_ERROR_OUT_OF_MEMORY|CUBLAS_STATUS_ALLOC_FAILED|cudaMalloc failed: out of memory|not enough memory to handle|not enough memory\. please try to increase|no available memory for the cache|less than desired gpu memory utilization'
SHARED_MEMORY='creating shared memory segment|posix_fallocate failed|insufficient shared memory|out of shared memory|unable to (write to|allocate shared memory.* for) file </torch_|no space left on device.*/(dev/shm|psm_|torch_|nccl-)|/dev/shm/.*no space left on device'
PORT_IN_USE='errno 98|os error 98|bind: address already in use|could.?n.t bind http server socket'
USAGE='(^|[^a-z])error: (unrecognized arguments|argument [^ ]+: |the following (required )?arguments|ambiguous option|unexpected argument|found argument|invalid (value .?for|argument:)|a value is required|unknown argument|unrecognized subcommand)|error while handling argument|error: unknown (shorthand )?(flag|command)|ArgumentValidation\(|  Value error, '

# explain_end STATUS SERVED: if the container has served before, its output is not a reason to stop for good.
explain_end() {
  local output="the container's output is in the log stream $INSTANCE/container"
  STEP='container ended'
  if [[ $2 == yes ]]; then try_again "the container ended with status $1 after it had served; $output"; fi
  # With a terminal, programs write colours, also in the middle of a message.
  docker logs --tail 2000 "$CONTAINER" 2>&1 | readable >"$WORK/errors" || true
  explain_model
  explain_gpus
  explain_command
  if says 'no space left on device'; then give_up "the disk is full: request more under resources.disk; $output"; fi
  if says 'exec format error'; then give_up "the image $IMAGE is not for linux/amd64; $output"; fi
  if says "$OLD_DRIVER_NOTICE"; then old_driver "; $output"; fi
  if says 'signaled to shutdown with signal 9'; then no_memory "a part of the container was killed"; fi # TGI's shards
  case $1 in
    126 | 127) give_up "a program of the container's command was not found or cannot be run (status $1); $output" ;;
    137) no_memory 'the container was killed (status 137)' ;;
    *) try_again "the container ended with status $1 before it served; $output" ;;
  esac
}

explain_model() {
  ends_by "$GATED" 'the model is gated: accept its conditions on the Hub, and give the service a token of the same account'
  ends_by "$OFFLINE" 'the container is offline (HF_HUB_OFFLINE), and its cache does not have the model: remove HF_HUB_OFFLINE, or build the model into the image'
  ends_by "$UNKNOWN_MODEL" "the Hub has no such model, or the model is private and the service's token cannot read it"
  ends_by "$NOT_IN_OLLAMA" "Ollama's library has no such model: correct its name in the command"
  ends_by "$OWN_CODE" 'the model brings its own code, and the server runs it only if you allow it: read the code, then add --trust-remote-code to the command (TGI: TRUST_REMOTE_CODE=true in env)'
  ends_by "$UNKNOWN_ARCHITECTURE" "this version of the server does not support the model's architecture: use a newer image, or another model"
}

explain_gpus() {
  local most
  if says "$LONG_CONTEXT"; then
    most=$(grep --text --only-matching --extended-regexp 'estimated maximum model length is [0-9]+' "$WORK/errors" |
      tail --lines 1) || most=
    give_up "the model's context does not fit into the GPU memory that the weights leave: add --max-model-len${most:+ ${most##* }} to the command, or request more under resources.gpu; $output"
  fi
  ends_by "$SHARED_MEMORY" "/dev/shm, the container's shared memory, is full: set a larger resources.shm_size, for example 16GB"
  ends_by "$GPU_MEMORY" 'out of GPU memory: request more under resources.gpu, or use a smaller or quantized model'
  ends_by "$NO_GPU" 'the container sees no GPU'
  ends_by "$FEW_GPUS" "the container needs more GPUs than the machine has ($GPUS): request more under resources.gpu"
  ends_by "$UNEVEN" 'the model cannot be divided among this number of GPUs: choose a number that divides its attention heads, such as 1, 2, 4 or 8, with --tensor-parallel-size (TGI: --num-shard) or resources.gpu'
  ends_by "$OTHER_GPU" 'the image or the model needs another kind of GPU: name one under resources.gpu'
  if says "$OLD_DRIVER"; then old_driver "; $output"; fi
}

explain_command() {
  ends_by "$PORT_IN_USE" "the server's port is already in use in the container: the command starts two programs that listen on the same port"
  if says "$USAGE"; then
    give_up "the server refuses its command line or configuration: $(line_that_says "$USAGE"); $output"
  fi
}

# ends_by PATTERN CAUSE
ends_by() {
  if says "$1"; then give_up "$2; $output"; fi
}

# line_that_says PATTERN: the last line of the container's output that matches, without secrets.
line_that_says() {
  (
    know_secrets 2>/dev/null || exit 0
    grep --text --extended-regexp --ignore-case -e "$1" "$WORK/errors" | tail --lines 1 | readable | masked
  ) | sed 's/^ *//' | cut --characters 1-400
}

# old_driver DETAIL
old_driver() {
  give_up "the image needs a newer NVIDIA driver than this machine image has: use an image for an older CUDA version, or set the stack config ami to a newer machine image$1"
}

# no_memory WHAT
no_memory() {
  try_again "$1, most likely because memory ran out: request more under resources.memory; the container's output is in the log stream $INSTANCE/container"
}
