# The login to the image registry. Credentials are in memory, and only while the image is pulled.

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
