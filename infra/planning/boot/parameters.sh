# Secrets, from SSM. They are only in variables of this process and in the environment of the programs that it starts.

VALUE=

# read_value PARAMETER...: sets VALUE to the value that these parameters hold together, byte for byte.
read_value() {
  local parameter text value=
  for parameter in "$@"; do
    printf '%s' "$parameter" >"$WORK/reading" # so that an error can name it
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

# read_secrets: adds the NAME=VALUE of each secret to VARIABLES, which already has the other variables. An entry of SECRETS
# has the name and the version of each parameter: NAME, NAME.1, NAME.2.
read_secrets() {
  local entry words part parameters
  for entry in "${SECRETS[@]}"; do
    read -r -a words <<<"$entry"
    parameters=("$PARAMETER_PREFIX${words[0]}:${words[1]}")
    for ((part = 1; part < ${#words[@]} - 1; part++)); do
      parameters+=("$PARAMETER_PREFIX${words[0]}.$part:${words[part + 1]}")
    done
    read_value "${parameters[@]}" || return 1
    VARIABLES+=("${words[0]}=$VALUE")
  done
}
