# The image, from its image registry. Credentials are in memory, and only while the image is pulled.

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
  if says "$LIMITED"; then try_again_when_unlimited; fi
  if says "$EXPIRED"; then
    give_up "the image registry ${REGISTRY:-Docker Hub} refused the login of registry_auth, whose password is wrong or has expired: set a new one: $(last_line "$WORK/errors")"
  fi
  if says "$DENIED"; then
    give_up "the image registry ${REGISTRY:-Docker Hub} refused the login of registry_auth: $(last_line "$WORK/errors")"
  fi
  try_again "docker could not log in to the image registry ${REGISTRY:-Docker Hub}: $(last_line "$WORK/errors")"
}

# A password of ECR is good for 12 hours, so each pull gets a new one, by the role of this instance.
log_in_by_role() {
  report 'logging in to ECR by the role of the instance'
  if (
    password=$(REGION=$ECR_REGION call_aws ecr get-login-password) || exit 1
    printf '%s' "$password" | docker --config "$WORK/docker" login --username AWS --password-stdin "$REGISTRY"
  ) >/dev/null 2>"$WORK/errors"; then return; fi
  rm -rf "$WORK/docker"
  if says 'not authorized to perform'; then refused_by_ecr; fi
  try_again "docker could not log in to ECR, $REGISTRY: $(last_line "$WORK/errors")"
}

# refused_by_ecr: a permission of a new role can need some seconds, so the first refusals do not count.
refused_by_ecr() {
  local cause
  cause="ECR does not let the role of the instance pull $IMAGE: if the repository is in another account, its policy must allow it: $(last_line "$WORK/errors")"
  if (($(count_failures) < 2)); then try_again "$cause"; fi
  give_up "$cause"
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
