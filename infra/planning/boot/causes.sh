# Why a container ended, by what it wrote last. Patterns are of docker, huggingface_hub, TGI, vLLM and PyTorch.

readonly NO_GPU='could not select device driver|nvidia-container-cli: (initialization|detection|device) error|no cuda-capable device|libcuda\.so\.1: cannot open'
readonly OLD_DRIVER='unsatisfied condition: (cuda|driver)|driver version is insufficient'
readonly GATED='gated repo|GatedRepoError|is restricted\. you must|not in the authorized list|awaiting a review from the repo authors'
readonly UNKNOWN_MODEL='RepositoryNotFoundError|repository not found for url|is not a valid model identifier|invalid user token|invalid credentials in authorization header'
readonly GPU_MEMORY='cuda out of memory|torch\.(cuda\.)?OutOfMemoryError|cuda error: out of memory|CUBLAS_STATUS_ALLOC_FAILED|cudaMalloc failed: out of memory|not enough memory to handle|no available memory for the cache|larger than the maximum number of tokens that can be stored in kv cache|less than desired gpu memory utilization'

# explain_end STATUS SERVED: where it has served before, what it wrote is no reason to stop for good.
explain_end() {
  local output="its output is the log stream $INSTANCE/container"
  STEP='container ended'
  if [[ $2 == yes ]]; then try_again "the container ended with status $1 after it had served; $output"; fi
  docker logs --tail 2000 "$CONTAINER" >"$WORK/errors" 2>&1 || true
  if says "$GATED"; then
    give_up "the model is gated: accept its conditions on the Hub, and give the service a token of the account that did; $output"
  fi
  if says "$GPU_MEMORY"; then
    give_up "out of GPU memory: ask for more under resources.gpu, or for a smaller or quantized model; $output"
  fi
  if says "$NO_GPU"; then give_up "no GPU in the container; $output"; fi
  if says "$OLD_DRIVER"; then give_up "the image needs a newer NVIDIA driver than this machine image has; $output"; fi
  if says "$UNKNOWN_MODEL"; then
    give_up "the Hub has no such model, or it is private and the service's token cannot read it; $output"
  fi
  if says 'no space left on device'; then give_up "the disk is full: ask for more under resources.disk; $output"; fi
  case $1 in
    126 | 127) give_up "a program of the container's command was not found or cannot be run (status $1); $output" ;;
    137) try_again "the container was killed (status 137), most likely for want of memory: ask for more under resources.memory; $output" ;;
    *) try_again "the container ended with status $1 before it served; $output" ;;
  esac
}
