# What an answer of the health check says at once, and how the machine reaches a server that listens on 127.0.0.1.

LASTING=120 # seconds of 404 after which a server does not have the path
MISSING_SINCE=
LED=

# judge_answer ANSWER: after an answer that is not good, or none (000).
judge_answer() {
  case $1 in
    000) lead_to_server ;;
    404) judge_missing_path ;;
  esac
  if [[ $1 != 404 ]]; then MISSING_SINCE=; fi
}

judge_missing_path() {
  local now
  now=$(date +%s)
  MISSING_SINCE=${MISSING_SINCE:-$now}
  if [[ $PATH_COMES_LATER == yes ]] || ((now - MISSING_SINCE < LASTING)); then return; fi
  STEP='health check'
  give_up_running "GET $HEALTH_PATH on port $CONTAINER_PORT has answered 404 for $((now - MISSING_SINCE)) s, so the server does not have this path: name one that it has under probes, such as probes: [{type: http, url: /v1/models}]"
}

# lead_to_server: if the server listens only on 127.0.0.1, the container's own network gets a rule that leads there what
# comes from outside. The container gets no rights for it.
lead_to_server() {
  local process addresses
  process=$(docker inspect --format '{{.State.Pid}}' "$CONTAINER" 2>/dev/null) || return 0
  if [[ ! $process =~ ^[1-9][0-9]*$ || $process == "$LED" ]]; then return; fi
  addresses=$(listening_addresses "$process")
  if [[ -z $addresses ]] || grep --quiet --invert-match --extended-regexp '^(.*0000FFFF0000)?[0-9A-F]{6}7F$|^0{24}01000000$' <<<"$addresses"; then return; fi
  LED=$process
  if grep --quiet '7F$' <<<"$addresses" && lead_to_own_address "$process" 2>"$WORK/errors"; then
    log "the server listens on 127.0.0.1 in the container, so the machine forwards port $CONTAINER_PORT there; to need no forwarding, $LISTENING"
    return
  fi
  STEP='port open'
  give_up_running "the server listens on its own address in the container, where nothing else can reach it: $LISTENING"
}

# lead_to_own_address PROCESS
lead_to_own_address() {
  nsenter --net="/proc/$1/ns/net" sysctl --quiet --write net.ipv4.conf.all.route_localnet=1 &&
    nsenter --net="/proc/$1/ns/net" iptables --wait --table nat --append PREROUTING --protocol tcp \
      --dport "$CONTAINER_PORT" --jump DNAT --to-destination 127.0.0.1
}

# listening_addresses PROCESS [other]: where the container listens on its port, in the kernel's hexadecimal form; with
# `other`, the other ports on which it listens for other machines.
listening_addresses() {
  cat "$ROOT/proc/$1/net/tcp" "$ROOT/proc/$1/net/tcp6" 2>/dev/null |
    awk -v port="$(printf '%04X' "$CONTAINER_PORT")" -v other="${2:-}" '
      $4 == "0A" { split($2, at, ":") }
      $4 == "0A" && other == "" && at[2] == port { print at[1] }
      $4 == "0A" && other != "" && at[1] ~ /^0+$/ { print at[2] }' || true
}

# is_listening: whether the container listens on its port, even if it answers nothing.
is_listening() {
  local process
  process=$(docker inspect --format '{{.State.Pid}}' "$CONTAINER" 2>/dev/null) || return 1
  [[ $process =~ ^[1-9][0-9]*$ && -n $(listening_addresses "$process") ]]
}

# listening_elsewhere: `; it listens on 8080`, for the cause of a port that never opened.
listening_elsewhere() {
  local process port ports=()
  process=$(docker inspect --format '{{.State.Pid}}' "$CONTAINER" 2>/dev/null) || return 0
  while read -r port; do ports+=("$((16#$port))"); done < <(listening_addresses "${process:-0}" other | sort --unique | head --lines 5)
  if ((${#ports[@]} > 0)); then printf '; the container listens on %s' "${ports[*]}"; fi
}

# give_up_running CAUSE: gives up while the container still runs.
give_up_running() {
  docker stop -t 10 "$CONTAINER" >/dev/null 2>&1 || true
  give_up "$1"
}
