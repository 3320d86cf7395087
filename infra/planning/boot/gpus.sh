# The number of the machine's GPUs, as the driver counts them.

GPUS=0

count_gpus() {
  local attempt
  for attempt in 1 2 3 4 5 6; do # the driver can still be loading
    if nvidia-smi --list-gpus >"$WORK/gpus" 2>&1; then
      GPUS=$(grep --count '^GPU ' "$WORK/gpus") || GPUS=0
      if ((GPUS > 0)); then
        report "GPUs found: $GPUS"
        return
      fi
    fi
    if ((attempt < 6)); then sleep 5; fi
  done
  give_up "the machine has no working GPU: nvidia-smi says: $(last_line "$WORK/gpus")"
}
