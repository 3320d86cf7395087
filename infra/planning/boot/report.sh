# The reports of this machine: lines in its log, and one state item in the registry's table.
#
# No constant in this part or the others is readonly: a variable of the container can have any name (container.sh).

ROOT=${SERVESTACK_ROOT:-} # the root of the file system
WORK=$ROOT/run/servestack # in memory; only root can read it
METADATA=http://169.254.169.254/latest
CONTAINER=servestack
STATE_SECONDS=7200
export LC_ALL=C.UTF-8 AWS_PAGER='' AWS_METADATA_SERVICE_NUM_ATTEMPTS=10 AWS_METADATA_SERVICE_TIMEOUT=5
INSTANCE=
TOKEN=
STEP='machine ready'
AWS_SECONDS=60    # for one call with its retries
TIMED_OUT=124     # the status of timeout
REPORT_SECONDS=10 # for a call that only tells how far the replica is: it must not hold up what it tells

call_aws() {
  timeout --foreground "$AWS_SECONDS" \
    aws --region "$REGION" --cli-connect-timeout 5 --cli-read-timeout 20 "$@" </dev/null
}

identify() {
  TOKEN=$(curl --silent --show-error --fail --retry 10 --retry-connrefused --max-time 10 --request PUT \
    --header 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$METADATA/api/token") || return 1
  INSTANCE=$(metadata instance-id) || return 1
  printf '%s' "$INSTANCE" >"$WORK/instance"
  metadata instance-type >"$WORK/type" || true
}

# metadata PATH
metadata() {
  curl --silent --show-error --fail --retry 10 --max-time 10 --header "X-aws-ec2-metadata-token: $TOKEN" "$METADATA/meta-data/$1"
}

# open_log STREAM
open_log() {
  AWS_SECONDS=$REPORT_SECONDS call_aws logs create-log-stream --log-group-name "$LOG_GROUP" --log-stream-name "$INSTANCE/$1" 2>/dev/null || true
}

# log TEXT
log() {
  printf 'servestack: %s\n' "$1"
  write_event boot "$1" || printf 'servestack: this line could not be written to CloudWatch\n' >&2
}

# write_event STREAM MESSAGE
write_event() {
  local event status=0
  event="[{\"timestamp\": $(date +%s)000, \"message\": $(json_text "$2")}]"
  put_event "$1" "$event" || status=$?
  if ((status == 0 || status == TIMED_OUT)); then return "$status"; fi # `return` alone would give the status before a trap
  open_log "$1" # the stream can be missing: a new role has no permissions for some seconds
  put_event "$1" "$event"
}

# put_event STREAM EVENTS
put_event() {
  AWS_SECONDS=$REPORT_SECONDS \
    call_aws logs put-log-events --log-group-name "$LOG_GROUP" --log-stream-name "$INSTANCE/$1" --log-events "$2" >/dev/null
}

# report STEP [PERCENT]
report() {
  STEP=$1
  printf '%s' "$STEP" >"$WORK/step"
  log "$1${2:+ $2 %}"
  put_state "${2:-}" '' false
}

# put_state PERCENT CAUSE FINAL
put_state() {
  local now item
  now=$(date +%s)
  item="\"pk\": {\"S\": \"state#$RUN\"}, \"sk\": {\"S\": \"$INSTANCE\"}, \"step\": {\"S\": $(json_text "$STEP")}"
  item+=", \"at\": {\"N\": \"$now\"}, \"ttl\": {\"N\": \"$((now + STATE_SECONDS))\"}, \"final\": {\"BOOL\": $3}"
  if [[ -n $1 ]]; then item+=", \"percent\": {\"N\": \"$1\"}"; fi
  if [[ -n $2 ]]; then item+=", \"cause\": {\"S\": $(json_text "$2")}"; fi
  item+=$(output_attribute "$2")
  if type -P aws >/dev/null; then
    AWS_SECONDS=$REPORT_SECONDS call_aws dynamodb put-item --table-name "$TABLE" --item "{$item}" && return 0
  else
    put_item_without_cli "$item" && return 0
  fi
  printf 'servestack: the state item could not be written\n' >&2
}

# give_up CAUSE: another try cannot help, so the unit stays stopped.
give_up() {
  put_state '' "$1" true
  log "stopped, because another try cannot help: $1"
  replace_later "$1"
  exit 78
}

# try_again CAUSE: systemd starts the unit again, and the unit pauses first, longer after each failure. After too many of
# them, the instance is replaced.
try_again() {
  local failures pause
  failures=$(($(count_failures) + 1))
  pause=$(pause_after "$failures")
  replace_if_in_vain "$1" "$pause"
  printf '%s' "$failures" >"$WORK/failures"
  put_state '' "$1" false
  log "failed, trying again in $pause s: $1"
  exit 75
}

count_failures() {
  if [[ -s $WORK/failures ]]; then cat "$WORK/failures"; else printf 0; fi
}

# pause_after FAILURES: 10 s, 20 s, 40 s ... 300 s.
pause_after() {
  local pause=$((10 * (1 << ($1 < 6 ? $1 - 1 : 5))))
  printf '%s' "$((pause < 300 ? pause : 300))"
}

# last_line FILE: the last line, without `Run 'docker run --help' for more information`, which ends every error of docker.
last_line() {
  local text
  text=$(grep --text . "$1" | grep --text --invert-match --extended-regexp "^(Run|See) 'docker .*--help'" | tail --lines 1) ||
    text='no message'
  printf '%s' "${text:0:400}"
}

json_text() {
  local LC_ALL=C text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  printf '"%s"' "${text//[^ -~]/?}"
}
