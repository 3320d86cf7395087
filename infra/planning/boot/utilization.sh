# `utilization_policy`: the service ends when a GPU was used too little for too long.

SAMPLE_SECONDS=10 # as in dstack

# watch_utilization: in a process of its own beside the container, as long as that runs. A GPU that does not say how much
# it is used counts as used, also while nvidia-smi fails.
watch_utilization() {
  local gpu use now
  local -A used
  while kill -0 "$WAITING" 2>/dev/null; do
    used=()
    while IFS=', ' read -r gpu use; do
      now=$(date +%s)
      if [[ -z ${used[$gpu]:-} || ! $use =~ ^[0-9]+$ ]] || ((use >= LEAST_UTILIZATION)); then
        used[$gpu]=$now
      elif ((now - used[$gpu] >= UTILIZATION_WINDOW)) && end_service "$gpu"; then
        return
      fi
    done < <(nvidia-smi --query-gpu=index,utilization.gpu --format=csv,noheader,nounits --loop="$SAMPLE_SECONDS" 2>/dev/null)
    sleep "$SAMPLE_SECONDS"
  done
}

# end_service GPU: the group gets no replicas. It starts none by itself, and its largest size stays.
end_service() {
  local group cause="GPU $1 was used less than $LEAST_UTILIZATION % for $UTILIZATION_WINDOW s, so utilization_policy ends the service"
  group=$(call_aws ssm get-parameter --name "$PARAMETER_PREFIX$GROUP_PARAMETER" --query Parameter.Value --output text) || return 1
  call_aws autoscaling update-auto-scaling-group --auto-scaling-group-name "$group" --min-size 0 --desired-capacity 0 || return 1
  STEP='being stopped'
  put_state '' "$cause" true
  log "$cause"
}
