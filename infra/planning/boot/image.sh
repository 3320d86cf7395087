# The image, from its image registry. Credentials are in memory, and only while the image is pulled.

DENIED='denied|unauthorized|authentication required|no basic auth|401 unauthorized|403 forbidden|insufficient_scope|incorrect username'
NOT_FOUND='manifest unknown|manifest for .* not found|name unknown|repository .* not found|: not found|invalid reference'

fetch_image() {
  rm -rf "$WORK/docker" # a start that was killed leaves it
  if docker image inspect "$IMAGE" >/dev/null 2>&1; then return; fi
  local docker=(docker)
  if ((${#PASSWORD_PARAMETERS[@]} > 0)); then
    docker+=(--config "$WORK/docker")
    log_in
  fi
  report 'pulling image' 0
  if "${docker[@]}" pull "$IMAGE" 2>"$WORK/errors" | follow_pull; then
    rm -rf "$WORK/docker"
    return
  fi
  rm -rf "$WORK/docker"
  explain_pull
}

# In a subshell, so that this process never has the password.
log_in() {
  report 'logging in to the image registry'
  local to=()
  if [[ -n $REGISTRY ]]; then to=("$REGISTRY"); fi
  rm -f "$WORK/reading"
  if (
    read_value "${USERNAME_PARAMETERS[@]}" || exit 1
    username=$VALUE
    read_value "${PASSWORD_PARAMETERS[@]}" || exit 1
    printf '%s' "$VALUE" | docker --config "$WORK/docker" login --username "$username" --password-stdin "${to[@]}"
  ) >/dev/null 2>"$WORK/errors"; then return; fi
  rm -rf "$WORK/docker"
  try_again_if_unreadable
  if says "$DENIED"; then
    give_up "the image registry ${REGISTRY:-Docker Hub} refused the login of registry_auth: $(last_line "$WORK/errors")"
  fi
  try_again "docker could not log in to the image registry ${REGISTRY:-Docker Hub}: $(last_line "$WORK/errors")"
}

# follow_pull: turns docker's lines, one for each layer, into a percentage. Fetching counts as half of a layer, unpacking
# as the other half. With containerd's store, docker fetches manifests too, and can print a line twice.
follow_pull() {
  local line id percent shown=0
  local -A layers=() halves=()
  while IFS= read -r line; do
    id=${line%%: *}
    case $line in
      *': Pulling fs layer') layers[$id]=1 && continue ;;
      *': Download complete' | *': Already exists') line="$id fetched" ;;
      *': Pull complete') line="$id unpacked" ;;
      *) continue ;;
    esac
    if [[ -z ${layers[$id]:-} ]]; then continue; fi
    halves[$line]=1
    percent=$((50 * ${#halves[@]} / ${#layers[@]}))
    if ((percent >= shown + 10)); then
      shown=$percent
      report 'pulling image' "$percent"
    fi
  done
}

explain_pull() {
  local why
  why=$(last_line "$WORK/errors")
  if says 'toomanyrequests|rate limit'; then try_again "the image registry limits how often images are pulled: $why"; fi
  if says 'no space left'; then give_up "the disk is too small for the image $IMAGE: request more under resources.disk"; fi
  if says 'httpReadSeeker|failed to copy'; then try_again "the image $IMAGE could not be fetched completely: $why"; fi
  if says 'no matching manifest'; then give_up "the image $IMAGE has no variant for linux/amd64"; fi
  if says "$DENIED"; then
    if ((${#PASSWORD_PARAMETERS[@]} > 0)); then
      give_up "the image $IMAGE was not found, or the user of registry_auth is not allowed to pull it: $why"
    fi
    give_up "the image $IMAGE was not found, or it is private and needs registry_auth: $why"
  fi
  if says "$NOT_FOUND"; then give_up "the image $IMAGE was not found: $why"; fi
  try_again "the image $IMAGE could not be pulled: $why"
}

# says PATTERN: whether the errors of the last command match it.
says() {
  grep --quiet --text --extended-regexp --ignore-case -e "$1" "$WORK/errors"
}

try_again_if_unreadable() {
  if [[ -s $WORK/reading ]]; then
    try_again "the parameter $(cat "$WORK/reading") could not be read from SSM: $(last_line "$WORK/errors")"
  fi
}
