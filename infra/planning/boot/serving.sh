# From a machine that has started to a replica that serves, until the container ends.

POLL_SECONDS=5
WAITING=

serve() {
  mkdir -p "$WORK"
  chmod 0700 "$WORK"
  trap stop TERM INT
  trap 'end $?' EXIT
  local failures
  if [[ ! -e $WORK/began ]]; then date +%s >"$WORK/began"; fi
  failures=$(count_failures)
  if ((failures > 0)); then
    sleep "$(pause_after "$failures")" &
    wait $! # unlike a program in the foreground, a wait ends at a signal
  fi
  if ! identify; then
    printf '%s' "$((failures + 1))" >"$WORK/failures"
    printf 'servestack: the instance metadata service does not answer\n' >&2
    exit 75
  fi
  open_log
  report 'machine ready'
  prepare_disk
  count_gpus
  fetch_image
  start_container
  docker wait "$CONTAINER" >"$WORK/status" &
  WAITING=$!
  local served=no status
  if await_good_health; then
    served=yes
    rm -f "$WORK/failures" "$WORK/began"
    report 'serving'
    wait "$WAITING" || true
  fi
  status=$(cat "$WORK/status")
  explain_end "${status:-unknown}" "$served"
}

# await_good_health: fails when the container has ended. A port that stays closed is reported, and the wait continues: a
# container that listens late still serves, and the group replaces a replica whose container never listens.
await_good_health() {
  local began answer patience opened=no said=no step next=0
  began=$(date +%s)
  patience=$(((BOOT_TIMEOUT - began + $(cat "$WORK/began")) * 3 / 4)) # of the time that is left: then the group replaces the replica
  if ((patience < 30)); then patience=30; fi
  while kill -0 "$WAITING" 2>/dev/null; do
    answer=$(curl --silent --globoff --path-as-is --output /dev/null --max-time "$HEALTH_TIMEOUT" --write-out '%{http_code}' \
      "http://127.0.0.1:$REPLICA_PORT$HEALTH_PATH") || answer=000
    if ((10#$answer >= LOWEST_GOOD_STATUS && 10#$answer <= HIGHEST_GOOD_STATUS)); then return 0; fi
    if [[ $answer != 000 ]]; then opened=yes; fi
    local waited=$(($(date +%s) - began))
    if [[ $said == no ]] && ((waited >= patience)); then
      said=yes
      say_unhealthy "$opened" "$answer" "$waited"
    elif [[ $said == no ]] && ((waited >= next)); then
      next=$((waited + 30))
      step=$(waiting_for "$opened" "$answer")
      if [[ $step != "$STEP" ]]; then report "$step"; fi
    fi
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
  if ((${megabytes:-0} > 0)); then printf ', %s.%s GB of weights on disk' "$((megabytes / 1024))" "$((megabytes % 1024 * 10 / 1024))"; fi
}

# say_unhealthy OPENED ANSWER WAITED
say_unhealthy() {
  local cause="GET $HEALTH_PATH on port $CONTAINER_PORT answered $2 after $3 s"
  if [[ $1 == no ]]; then
    cause="port $CONTAINER_PORT never opened: nothing in the container listens on it after $3 s; make the command listen on this port, on 0.0.0.0"
  fi
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

stop() {
  trap '' TERM INT
  log 'stopping'
  tell_server
  docker stop -t 60 "$CONTAINER" >/dev/null 2>&1 || true
  exit 0
}
