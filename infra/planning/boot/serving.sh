# From a machine that has started to a replica that serves, until the container ends.

POLL_SECONDS=5
STUCK_SECONDS=60 # after boot_timeout, before the process that starts the container is killed
KILLED=137
WAITING=
STARTING=

# serve: what systemd runs. Every step that can take long or hang is in another process, `boot start`, or in a `wait`,
# so that a signal is handled at once, and so that a driver, docker or a disk that hangs does not last for ever.
serve() {
  mkdir -p "$WORK"
  chmod 0700 "$WORK"
  trap stop TERM INT
  trap 'end $?' EXIT
  local left status=0
  if [[ ! -e $WORK/began ]]; then date +%s >"$WORK/began"; fi
  wait_out_failures
  left=$((BOOT_TIMEOUT - $(date +%s) + $(cat "$WORK/began")))
  timeout --signal KILL "$(((left > 0 ? left : 0) + STUCK_SECONDS))" "$BASH" "${BASH_SOURCE[0]}" start &
  STARTING=$!
  wait "$STARTING" || status=$?
  STARTING=
  INSTANCE=$(cat "$WORK/instance" 2>/dev/null) || INSTANCE=
  STEP=$(cat "$WORK/step" 2>/dev/null) || STEP=start
  if ((status == KILLED)) && is_late; then replace_late "the boot script is stuck at the step: $STEP"; fi
  if ((status != 0)); then exit "$status"; fi
  docker wait "$CONTAINER" >"$WORK/status" &
  WAITING=$!
  printf yes >"$WORK/served"
  rm -f "$WORK/failures" "$WORK/began"
  report 'serving'
  if [[ -n ${UTILIZATION_WINDOW:-} ]]; then watch_utilization & fi
  watch_container
  explain_end "$(container_status)" yes
}

wait_out_failures() {
  local failures
  failures=$(count_failures)
  if ((failures == 0)); then return; fi
  sleep "$(pause_after "$failures")" &
  wait $! # unlike a program in the foreground, a wait ends at a signal
}

# start: from a machine that has started to a container whose health check is good.
start() {
  trap 'end $?' EXIT
  rm -f "$WORK/started" # what another container wrote explains nothing
  if ! identify; then
    printf 'servestack: the instance metadata service does not answer\n' >&2
    if is_late; then replace_late 'the instance metadata service does not answer'; fi
    printf '%s' "$(($(count_failures) + 1))" >"$WORK/failures"
    exit 75
  fi
  check_cli
  open_log boot
  report 'machine ready'
  prepare_disk
  count_gpus
  fetch_image
  prepare_hub_cache
  if [[ -n ${LAYING:-} ]]; then lay_files; fi
  if ((${#PROBES[@]} > 0)); then close_door; fi
  start_container
  docker wait "$CONTAINER" >"$WORK/status" &
  WAITING=$!
  if ! { await_good_health && { ((${#PROBES[@]} == 0)) || await_probes; }; }; then explain_end "$(container_status)" no; fi
  kill "$WAITING" 2>/dev/null || true # the unit waits from now on
  wait "$WAITING" || true
}

container_status() {
  local status
  status=$(cat "$WORK/status")
  printf '%s' "${status:-unknown}"
}

# await_good_health: fails when the container has ended. A port that stays closed is reported, and the wait continues: a
# container that listens late still serves, and a replica that does not serve within boot_timeout is replaced.
await_good_health() {
  local began answer patience opened=no said=no step next=0
  began=$(date +%s)
  patience=$(((BOOT_TIMEOUT - began + $(cat "$WORK/began")) * 3 / 4)) # of the time that is left: then the instance is replaced
  if ((patience < 30)); then patience=30; fi
  while kill -0 "$WAITING" 2>/dev/null; do
    tell_figures
    answer=$(curl --silent --globoff --path-as-is --output /dev/null --max-time "$HEALTH_TIMEOUT" --write-out '%{http_code}' \
      "http://127.0.0.1:$REPLICA_PORT$HEALTH_PATH") || answer=000
    if ((10#$answer >= LOWEST_GOOD_STATUS && 10#$answer <= HIGHEST_GOOD_STATUS)); then return 0; fi
    if [[ $answer != 000 ]]; then opened=yes; fi
    judge_answer "$answer"
    local waited=$(($(date +%s) - began))
    if [[ $said == no ]] && ((waited >= patience)); then
      said=yes
      say_unhealthy "$opened" "$answer" "$waited"
    elif [[ $said == no ]] && ((waited >= next)); then
      next=$((waited + 30))
      step=$(waiting_for "$opened" "$answer")
      if [[ $step != "$STEP" ]]; then report "$step"; fi
    fi
    if is_late; then replace_late "$CAUSE"; fi
    sleep "$POLL_SECONDS"
  done
  return 1
}

# waiting_for OPENED ANSWER
waiting_for() {
  local megabytes
  if [[ $1 == yes ]]; then
    printf 'waiting for GET %s, which answers %s' "$HEALTH_PATH" "$2"
    return
  fi
  megabytes=$({ du --summarize --block-size=1M "$HUB" 2>/dev/null || true; } | cut --fields 1) # files can vanish meanwhile
  printf 'waiting for port %s' "$CONTAINER_PORT"
  if ((${megabytes:-0} > 102)); then printf ', %s.%s GB of weights on disk' "$((megabytes / 1024))" "$((megabytes % 1024 * 10 / 1024))"; fi
}

# say_unhealthy OPENED ANSWER WAITED
say_unhealthy() {
  local cause="GET $HEALTH_PATH on port $CONTAINER_PORT answered $2 after $3 s"
  if [[ $1 == no ]] && is_listening; then
    cause="port $CONTAINER_PORT is open, but GET $HEALTH_PATH got no answer within $HEALTH_TIMEOUT s, for $3 s: the server hangs, or does not speak HTTP without TLS there"
  elif [[ $1 == no ]]; then
    cause="port $CONTAINER_PORT never opened: nothing in the container listens on it after $3 s$(listening_elsewhere); make the command listen on this port, on 0.0.0.0"
  fi
  CAUSE=$cause
  put_state '' "$cause" false
  log "still waiting: $cause"
}

# end STATUS: an unexpected status is reported and tried again, as any other failure.
end() {
  case $1 in
    0 | 75 | 78) return 0 ;;
  esac
  try_again "the boot script ended with status $1 at the step: $STEP"
}

# stop: first the container, whose streams get their time, then AWS, which may not answer. systemd allows 120 s.
stop() {
  trap '' TERM INT
  if [[ -n $STARTING ]]; then kill -KILL -- "-$STARTING" 2>/dev/null || kill -KILL "$STARTING" || true; fi
  rm -rf "$WORK/docker" # the login, if it was just being used
  tell_server
  timeout 75 docker stop -t 60 "$CONTAINER" >/dev/null 2>&1 || true
  export AWS_MAX_ATTEMPTS=1 AWS_METADATA_SERVICE_NUM_ATTEMPTS=1
  REPORT_SECONDS=5
  INSTANCE=$(cat "$WORK/instance" 2>/dev/null) && log 'stopped'
  exit 0
}
