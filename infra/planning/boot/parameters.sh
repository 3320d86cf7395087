# Secrets, from SSM. They are in variables of this process and in the environment of what it starts, and nowhere else.

VALUE=

# read_value PARAMETER...: the value that they hold together, in VALUE, byte for byte.
read_value() {
  local parameter text value=
  for parameter in "$@"; do
    printf '%s' "$parameter" >"$WORK/reading" # named where it cannot be read
    text=$(call_aws ssm get-parameter --name "$parameter" --with-decryption --query Parameter.Value --output text &&
      printf .) || return 1
    text=${text%.}
    value+=${text%$'\n'}
  done
  if [[ $value == base64:* ]]; then
    value=$(printf '%s' "${value#base64:}" | base64 --decode && printf .) || return 1
    value=${value%.}
  fi
  rm -f "$WORK/reading"
  VALUE=$value
}

# read_secrets: VARIABLES has every NAME=VALUE then, these and the ones that are no secret.
read_secrets() {
  local entry words
  for entry in "${SECRETS[@]}"; do
    read -r -a words <<<"$entry"
    read_value "${words[@]:1}" || return 1
    VARIABLES+=("${words[0]}=$VALUE")
  done
}
