# The container: `docker run` with an argument vector. Only its process has the environment.

UNRUNNABLE='unable to start container process|exec: |unable to find (user|group)|no matching entries in (passwd|group) file|invalid (mount|volume|reference|container|argument)|working directory .* is invalid|argument list too long'

start_container() {
  docker rm --force "$CONTAINER" >/dev/null 2>&1 || true
  local path
  for path in "${INSTANCE_PATHS[@]}"; do
    make_volume "$ROOT$path"
  done
  report 'starting container'
  rm -f "$WORK/reading"
  if (run_container) >/dev/null 2>"$WORK/errors"; then
    : >"$WORK/started"
    return
  fi
  try_again_if_unreadable
  explain_refusal
}

# make_volume FOLDER: a new folder belongs to nobody, so the container can run as any user. An old one stays as it is.
make_volume() {
  if [[ -e $1 ]]; then return; fi
  mkdir -p "$1"
  chmod 0777 "$1"
}

run_container() {
  local path name variable options=()
  read_secrets || exit 1
  for path in "${HUB_MOUNTS[@]}"; do options+=(--mount "type=bind,source=$HUB$path,target=$path"); done
  for variable in "${VARIABLES[@]}"; do options+=(--env "${variable%%=*}"); done
  for name in "${GPU_COUNT_VARIABLES[@]}"; do options+=(--env "$name=$GPUS"); done
  if [[ -n $SHM_SIZE ]] && ((GPUS > 1)); then options+=(--shm-size "$SHM_SIZE"); fi
  become "${VARIABLES[@]}" \
    docker run --detach --name "$CONTAINER" --pull never --gpus all --publish "$REPLICA_PORT:$CONTAINER_PORT" \
    --log-driver awslogs --log-opt "awslogs-region=$REGION" --log-opt "awslogs-group=$LOG_GROUP" \
    --log-opt "awslogs-stream=$INSTANCE/container" --log-opt mode=non-blocking --log-opt max-buffer-size=16m \
    "${options[@]}" "${RUN_OPTIONS[@]}" "$IMAGE" "${ARGUMENTS[@]}"
}

# become NAME=VALUE... PROGRAM ARGUMENT...: this process becomes the program, with these variables. The function has no
# variables of its own, so these can have any name.
become() {
  while [[ $1 == *=* ]]; do
    unset -v "${1%%=*}"
    export "${1%%=*}=${1#*=}"
    shift
  done
  exec "$@"
}

# tell_server: the shell that runs `commands` is interactive, so it ignores the signal of `docker stop`. The programs that
# it has started get the signal here. If the shell has become the server, the server gets it from docker.
tell_server() {
  local process
  if [[ ${ARGUMENTS[0]:-} != -i ]]; then return 0; fi
  process=$(timeout 20 docker inspect --format '{{.State.Pid}}' "$CONTAINER" 2>/dev/null) || return 0
  if [[ $(cat "$ROOT/proc/$process/comm") == *sh ]]; then pkill --parent "$process" || true; fi
}

# explain_refusal: why `docker run` failed. Its status says little: it is also 127 when docker does not answer.
explain_refusal() {
  local why
  why=$(last_line "$WORK/errors")
  if says "$NO_GPU"; then give_up "docker has no GPU for the container: $why"; fi
  if says "$OLD_DRIVER"; then old_driver ": $why"; fi
  if says "$UNRUNNABLE"; then give_up "the container's command cannot be run: $why"; fi
  try_again "docker could not start the container: $why"
}
