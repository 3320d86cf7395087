# The image, from its image registry.

DENIED='denied|unauthorized|authentication required|no basic auth|401 unauthorized|403 forbidden|insufficient_scope|incorrect username|not authorized to perform'
EXPIRED='token .*(has|is) expired|credentials? .*expired|status: 400' # ECR answers 400 to a login with an expired password
LIMITED='toomanyrequests|too many requests|rate limit|rate exceeded'
NOT_FOUND='manifest unknown|manifest for .* not found|name unknown|repository .* not found|: not found|invalid reference'

fetch_image() {
  rm -rf "$WORK/docker" # a start that was killed leaves it
  if docker image inspect "$IMAGE" >/dev/null 2>&1; then return; fi
  local docker=(docker)
  if ((${#PASSWORD_PARAMETERS[@]} > 0)); then
    docker+=(--config "$WORK/docker")
    log_in
  elif [[ -n $ECR_REGION ]]; then
    docker+=(--config "$WORK/docker")
    log_in_by_role
  fi
  report 'pulling image' 0
  if "${docker[@]}" pull "$IMAGE" 2>"$WORK/errors" | follow_pull; then
    rm -rf "$WORK/docker"
    return
  fi
  rm -rf "$WORK/docker"
  explain_pull
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
  if says "$LIMITED"; then try_again_when_unlimited; fi
  if says 'no space left'; then give_up "the disk is too small for the image $IMAGE: request more under resources.disk"; fi
  if says 'httpReadSeeker|failed to copy'; then try_again "the image $IMAGE could not be fetched completely: $why"; fi
  if says 'no matching manifest'; then give_up "the image $IMAGE has no variant for linux/amd64"; fi
  if says "$EXPIRED" && ((${#PASSWORD_PARAMETERS[@]} > 0)); then
    give_up "the password of registry_auth has expired: set a new one: $why"
  fi
  if says "$DENIED"; then
    if ((${#PASSWORD_PARAMETERS[@]} > 0)); then
      give_up "the image $IMAGE was not found, or the user of registry_auth is not allowed to pull it: $why"
    fi
    if [[ -n $ECR_REGION ]]; then refused_by_ecr; fi
    give_up "the image $IMAGE was not found, or it is private and needs registry_auth: $why"
  fi
  if says "$NOT_FOUND"; then give_up "the image $IMAGE was not found: $why"; fi
  try_again "the image $IMAGE could not be pulled: $why"
}

try_again_when_unlimited() {
  try_again "the image registry ${REGISTRY:-Docker Hub} limits how often images are pulled: wait, add registry_auth with an account that has a higher limit, or copy the image to ECR: $(last_line "$WORK/errors")"
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
