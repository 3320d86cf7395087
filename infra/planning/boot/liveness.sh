# What ends a container that served, and when the instance is replaced. The load balancer's check does neither.
#
# The files `began`, `served` and `restarts` are in memory, so a restart of the machine is a new beginning.

WATCH_SECONDS=60   # from one check to the next
STEADY_SECONDS=600 # a replica that has served this long is well again: its restarts are forgotten
RESTARTS=3
CAUSE=

# watch_container: returns when the container has ended, and does not return when the server hangs. Checks overlap: an answer that
# takes minutes is slow, and only the silence of all checks counts.
watch_container() {
  local since now alive
  since=$(date +%s)
  printf '%s' "$since" >"$WORK/answered"
  while kill -0 "$WAITING" 2>/dev/null; do
    if ((HUNG_AFTER > 0)); then ask_server & fi
    tell_figures
    sleep "$WATCH_SECONDS" &
    wait -n "$WAITING" $! || true # unlike a program in the foreground, a wait ends at a signal
    now=$(date +%s)
    alive=$now
    if ((HUNG_AFTER > 0)); then alive=$(cat "$WORK/answered"); fi
    alive=${alive:-$now} # the file is empty while an answer is being written
    if ((alive - since >= STEADY_SECONDS)); then rm -f "$WORK/restarts"; fi
    if ((HUNG_AFTER > 0 && now - alive >= HUNG_AFTER)); then
      STEP='server hung'
      try_again "the server served and then answered no check of GET $HEALTH_PATH for $HUNG_AFTER s; the container's output is in the log stream $INSTANCE/container"
    fi
  done
}

# ask_server: every answer is a sign of life, whatever its status.
ask_server() {
  curl --silent --globoff --path-as-is --output /dev/null --max-time "$HUNG_AFTER" \
    "http://127.0.0.1:$REPLICA_PORT$HEALTH_PATH" >/dev/null && date +%s >"$WORK/answered"
}

# replace_if_in_vain CAUSE PAUSE: called for each failure, with the seconds until the next try. A replica that served gets
# three restarts. One that has not served since it (re)started has boot_timeout, because its machine keeps the image and
# the weights that it has fetched.
replace_if_in_vain() {
  local restarts
  if [[ -e $WORK/served ]]; then
    restarts=$(cat "$WORK/restarts" 2>/dev/null) || restarts=0
    if ((restarts >= RESTARTS)); then replace "$1; $restarts restarts did not help, so the instance is replaced"; fi
    printf '%s' "$((restarts + 1))" >"$WORK/restarts"
  fi
  if is_late "$2"; then replace_late "$1"; fi
  printf '%s' "$1" >"$WORK/cause"
}

# is_late [SECONDS]: whether boot_timeout is over by then.
is_late() {
  [[ -s $WORK/began ]] && (($(date +%s) + ${1:-0} - $(cat "$WORK/began") >= BOOT_TIMEOUT))
}

# replace_late [CAUSE]: without one, the cause is what failed last.
replace_late() {
  local cause=${1:-$(cat "$WORK/cause" 2>/dev/null)}
  replace "${cause:-the server is still $STEP}; the replica did not serve within $BOOT_TIMEOUT s, so the instance is replaced"
}

# replace CAUSE: Auto Scaling ends the instance and starts another one. It also does so when a machine is off.
replace() {
  STEP='being replaced'
  put_state '' "$1" false
  log "$1"
  if ! call_aws autoscaling set-instance-health --instance-id "$INSTANCE" --health-status Unhealthy \
    --no-should-respect-grace-period; then
    log 'the Auto Scaling group cannot be told, so the machine powers off, which has the same effect'
    systemctl --no-block poweroff
  fi
  exit 78
}

# replace_later CAUSE: the unit has stopped for good. A replica that never served has the rest of boot_timeout, so that a
# fault of the configuration starts no more than one instance in that time.
replace_later() {
  local left=1
  if [[ ! -e $WORK/served ]]; then left=$((BOOT_TIMEOUT - $(date +%s) + $(cat "$WORK/began"))); fi
  systemd-run --quiet --unit servestack-replace --on-active "$((left > 0 ? left : 1))" "$INSTALLED" replace "$1" || true
}

# replace_stopped CAUSE: what the timer runs. Somebody may have started the unit again.
replace_stopped() {
  if systemctl is-active --quiet servestack.service; then return; fi
  INSTANCE=$(cat "$WORK/instance")
  replace "$1; another try on this machine cannot help, so the instance is replaced"
}
