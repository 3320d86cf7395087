# Probes that the load balancer cannot send, if the plan has some. Until they have succeeded, the machine refuses its
# connections.

# Each entry of PROBES: the probe's name, INTERVAL, READY_AFTER, and the parameters that hold its request for curl.

# door OPERATION: a rule for connections from outside. Those of the machine itself do not pass this chain.
door() {
  iptables --wait "$1" DOCKER-USER --protocol tcp --match conntrack --ctdir ORIGINAL --ctorigdstport "$REPLICA_PORT" \
    --jump REJECT --reject-with tcp-reset
}

close_door() {
  if door --check 2>/dev/null; then return; fi
  door --insert 2>"$WORK/errors" || try_again "the port could not be closed for the probes: $(last_line "$WORK/errors")"
}

# await_probes: fails when the container has ended.
await_probes() {
  local entry words
  CAUSE= # what the health check said before it was good
  for entry in "${PROBES[@]}"; do
    read -r -a words <<<"$entry"
    rm -f "$WORK/reading"
    read_value "${words[@]:3}" 2>"$WORK/errors" || try_again_if_unreadable
    await_probe "${words[@]:0:3}" || return 1
  done
  VALUE=
  door --delete 2>"$WORK/errors" || try_again "the port could not be opened after the probes: $(last_line "$WORK/errors")"
}

# await_probe NAME INTERVAL READY_AFTER: its request is in VALUE.
await_probe() {
  local good=0 answer step
  while kill -0 "$WAITING" 2>/dev/null; do
    tell_figures
    answer=$(printf '%s' "$VALUE" |
      curl --silent --globoff --path-as-is --output /dev/null --write-out '%{http_code}' --config -) || answer=000
    if [[ $answer == 2?? ]]; then good=$((good + 1)); else good=0; fi
    if ((good >= $3)); then return 0; fi
    step="waiting for $1, which answers $answer"
    if [[ $step != "$STEP" ]]; then
      report "$step"
      if ((good == 0)); then
        CAUSE="$1 answers $answer, and must answer 200 to 299 before the replica takes requests"
        put_state '' "$CAUSE" false
      fi
    fi
    if is_late; then replace_late "$CAUSE"; fi
    sleep "$2"
  done
  return 1
}
