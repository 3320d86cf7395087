# Why a container ended, by its last output. The patterns match messages of docker, huggingface_hub, TGI, vLLM, SGLang,
# llama.cpp and PyTorch.

NO_GPU='could not select device driver|unresolvable CDI devices|nvidia-container-cli: (initialization|detection|device) error|no cuda-capable device|no cuda gpus are available|found no nvidia driver|libcuda\.so\.1: cannot open'
FEW_GPUS='not enough cuda devices|invalid device ordinal|larger than the number of available gpus'
OTHER_GPU='no kernel image is available|compute capability of at least'
OLD_DRIVER='unsatisfied condition: (cuda|driver)|driver version is insufficient|nvidia driver on your system is too old'
GATED='gated repo|GatedRepoError|is restricted\. you must|not in the authorized list|awaiting a review from the repo authors'
UNKNOWN_MODEL='(Repository|Revision)NotFoundError|repository not found for url|is not a valid model identifier|invalid user token|invalid credentials in authorization header'
GPU_MEMORY='cuda out of memory|torch\.(cuda\.)?OutOfMemoryError|cuda error: out of memory|CUDA_ERROR_OUT_OF_MEMORY|CUBLAS_STATUS_ALLOC_FAILED|cudaMalloc failed: out of memory|not enough memory to handle|not enough memory\. please try to increase|no available memory for the cache|larger than the (maximum number of tokens that can be stored in|available) kv cache|less than desired gpu memory utilization'

# explain_end STATUS SERVED: if the container has served before, its output is not a reason to stop for good.
explain_end() {
  local output="the container's output is in the log stream $INSTANCE/container"
  STEP='container ended'
  if [[ $2 == yes ]]; then try_again "the container ended with status $1 after it had served; $output"; fi
  docker logs --tail 2000 "$CONTAINER" >"$WORK/errors" 2>&1 || true
  if says "$GATED"; then
    give_up "the model is gated: accept its conditions on the Hub, and give the service a token of the same account; $output"
  fi
  if says "$GPU_MEMORY"; then
    give_up "out of GPU memory: request more under resources.gpu, or use a smaller or quantized model; $output"
  fi
  if says "$NO_GPU"; then give_up "the container sees no GPU; $output"; fi
  if says "$FEW_GPUS"; then give_up "the container needs more GPUs than the machine has ($GPUS): request more under resources.gpu; $output"; fi
  if says "$OTHER_GPU"; then give_up "the image or the model needs another kind of GPU: name one under resources.gpu; $output"; fi
  if says "$OLD_DRIVER"; then give_up "the image needs a newer NVIDIA driver than this machine image has; $output"; fi
  if says "$UNKNOWN_MODEL"; then
    give_up "the Hub has no such model, or the model is private and the service's token cannot read it; $output"
  fi
  if says 'no space left on device'; then give_up "the disk is full: request more under resources.disk; $output"; fi
  if says 'exec format error'; then give_up "the image $IMAGE is not for linux/amd64; $output"; fi
  if says 'signaled to shutdown with signal 9'; then no_memory "a part of the container was killed"; fi # TGI's shards
  case $1 in
    126 | 127) give_up "a program of the container's command was not found or cannot be run (status $1); $output" ;;
    137) no_memory 'the container was killed (status 137)' ;;
    *) try_again "the container ended with status $1 before it served; $output" ;;
  esac
}

# no_memory WHAT
no_memory() {
  try_again "$1, most likely because memory ran out: request more under resources.memory; the container's output is in the log stream $INSTANCE/container"
}
