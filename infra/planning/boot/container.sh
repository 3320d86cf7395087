# The container: `docker run` with an argument vector, and the environment in its process alone.

start_container() {
  docker rm --force "$CONTAINER" >/dev/null 2>&1 || true
  local path
  for path in "${INSTANCE_PATHS[@]}"; do
    if [[ ! -e $ROOT$path ]]; then mkdir -p "$ROOT$path"; fi
  done
  report 'starting container'
  rm -f "$WORK/reading"
  local status=0
  (run_container) >/dev/null 2>"$WORK/errors" || status=$?
  if ((status == 0)); then return; fi
  try_again_if_unreadable
  explain_refusal "$status"
}

run_container() {
  local name index options=()
  for path in "${HUB_CACHE_PATHS[@]}"; do options+=(--mount "type=bind,source=$HUB,target=$path"); done
  for name in "${EXPORTED_NAMES[@]}"; do options+=(--env "$name"); done
  for name in "${SECRETS[@]}"; do options+=(--env "${name%% *}"); done
  for name in "${GPU_COUNT_VARIABLES[@]}"; do options+=(--env "$name=$GPUS"); done
  export_secrets || exit 1
  for index in "${!EXPORTED_NAMES[@]}"; do
    export "${EXPORTED_NAMES[index]}=${EXPORTED_VALUES[index]}" || exit 1
  done
  exec docker run --detach --name "$CONTAINER" --pull never --gpus all --publish "$REPLICA_PORT:$CONTAINER_PORT" \
    --log-driver awslogs --log-opt "awslogs-region=$REGION" --log-opt "awslogs-group=$LOG_GROUP" \
    --log-opt "awslogs-stream=$INSTANCE/container" --log-opt mode=non-blocking --log-opt max-buffer-size=16m \
    "${options[@]}" "${RUN_OPTIONS[@]}" "$IMAGE" "${ARGUMENTS[@]}"
}

# explain_refusal STATUS: of `docker run`: 126 and 127 are the command's, anything else docker's own.
explain_refusal() {
  local why
  why=$(last_line "$WORK/errors")
  if says "$NO_GPU"; then give_up "no GPU for the container: $why"; fi
  if says "$OLD_DRIVER"; then give_up "the image needs a newer NVIDIA driver than this machine image has: $why"; fi
  if (($1 == 126 || $1 == 127)); then give_up "the container's command cannot be run: $why"; fi
  try_again "docker could not start the container: $why"
}
