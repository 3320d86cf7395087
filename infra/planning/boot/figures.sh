# Once a minute, while the container runs: what the GPUs, the disks and the server say, as a line of metrics and in the state
# item. What does not answer is left out. Nothing waits for this part, and each of its steps ends by itself.

# METRICS: the path of the server's metrics, then FIGURE=METRIC for each that the plan knows; empty if it knows none.

FIGURES= # the process that writes them

# tell_figures: starts to write, if a minute is over and the last writing has ended.
tell_figures() {
  local now
  now=$(date +%s)
  if ((now < $(cat "$WORK/due" 2>/dev/null || printf 0))) || kill -0 "$FIGURES" 2>/dev/null; then return 0; fi
  printf '%s' "$((now + WATCH_SECONDS))" >"$WORK/due"
  write_figures "$now" 2>"$WORK/unwritten" &
  FIGURES=$!
}

# write_figures TIME
write_figures() {
  local figures name value unit metrics='' status=0
  figures="\"Table\": \"$TABLE\", \"Run\": \"$RUN\", \"instance\": \"$INSTANCE\", \"type\": \"$(cat "$WORK/type" || true)\""
  renice -n 19 "$BASHPID" >/dev/null || true # the server goes first
  while read -r name value; do
    unit=Percent
    case $name in
      counts) printf '%s' "$value" >"$WORK/counts" && continue ;;
      *ing) unit=Count ;;
    esac
    figures+=", \"$name\": $value"
    if [[ $name == [A-Z]* ]]; then metrics+="${metrics:+, }{\"Name\": \"$name\", \"Unit\": \"$unit\"}"; fi
  done < <(measure "$1")
  write_event figures "{\"_aws\": {\"Timestamp\": ${1}000, \"CloudWatchMetrics\": [{\"Namespace\": \"servestack\", \"Dimensions\": [[\"Table\", \"Run\"]], \"Metrics\": [$metrics]}]}, $figures}" || status=$?
  AWS_SECONDS=$REPORT_SECONDS call_aws dynamodb update-item --table-name "$TABLE" --key "pk={S=state#$RUN},sk={S=$INSTANCE}" \
    --update-expression 'SET figures = :figures, figures_at = :at, #ttl = :ttl' --expression-attribute-names '#ttl=ttl' \
    --expression-attribute-values ":figures={S='{$figures}'},:at={N=$1},:ttl={N=$(($1 + STATE_SECONDS))}" >/dev/null || status=$?
  if ((status == 0)) || [[ -e $WORK/warned ]]; then return; fi
  : >"$WORK/warned"
  log "the figures of this replica could not be written: $(last_line "$WORK/unwritten")"
}

# measure TIME: a line for each figure, and one with TIME and the server's counts, from which the next rates follow. A count
# that is lower than before is of a server that started again.
measure() {
  awk -v now="$1" -v before="$(cat "$WORK/counts" || true)" -v names="${METRICS[*]}" '
    function most(name, value) {
      if (!(name in figure) || value > figure[name]) figure[name] = value
    }
    BEGIN {
      for (i = split(names, words, " "); i > 0; i--) {
        split(words[i], pair, "=")
        wanted[pair[2]] = pair[1]
      }
      split(before, words, " ")
      last[words[2]] = words[3]
      last[words[4]] = words[5]
    }
    part == "gpu" && split($0, gpu, ", *") == 5 {
      if (gpu[1] ~ /^[0-9]/) figure["GpuUse"] = (use += gpu[1]) / ++gpus
      if (gpu[3] + 0) most("GpuMemory", 100 * gpu[2] / gpu[3])
      if (gpu[4] + 0) most("gpu_temperature", gpu[4] + 0)
      if (gpu[5] + 0) figure["gpu_power"] += gpu[5]
    }
    part == "disk" && /[0-9]%/ { most("DiskUse", $1 + 0) }
    part == "server" && !/^#|priority="[^"]/ {
      counts = now
      value = $NF
      sub(/[{ ].*/, "")
      if ($0 in wanted && value ~ /^[0-9]/) figure[wanted[$0]] += value
    }
    END {
      for (name in figure) {
        value = figure[name]
        if (name ~ /second/) {
          counts = counts " " name sprintf(" %.0f", value)
          if (before == "" || value < last[name]) continue
          value = (value - last[name]) / (now - words[1])
        }
        print name, value
      }
      if (counts) print "counts", counts
    }' part=gpu <(timeout 10 nvidia-smi --format=csv,noheader,nounits \
    --query-gpu=utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw) \
    part=disk <(timeout 5 df --output=pcent "$ROOT/" "$ROOT/var/lib/docker") \
    part=server <(
      if ((${#METRICS[@]} > 0)); then curl --silent --fail --max-time 5 "http://127.0.0.1:$REPLICA_PORT${METRICS[0]}"; fi
    )
}
