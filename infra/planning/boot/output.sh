# The last lines that the container wrote, for the state item. Secrets are replaced by ***.

HIDE=() # texts to replace; only in subshells
SHORTEST_HIDDEN=4 # a shorter value, such as 1 or on, is in too many words

# container_lines: the last 20 lines, in printable ASCII. Nothing if the secrets of the container are not known.
container_lines() {
  (
    know_secrets 2>/dev/null || exit 0
    timeout 20 docker logs --tail 200 "$CONTAINER" >"$WORK/lines" 2>&1 || exit 0
    readable <"$WORK/lines" | masked | tail --lines 20 | cut --characters 1-400
  ) || true
  rm -f "$WORK/lines"
}

# readable: what a terminal would show: the last text of a progress bar, no colours, no empty lines.
readable() {
  LC_ALL=C sed --regexp-extended -e 's/\r+$//; s/.*\r//; s/\x1b\[[0-9;?]*[A-Za-z]//g; s/\t/ /g; s/[^ -~]+/?/g' -e '/^ *$/d'
}

# masked: replaces the values of HIDE, and texts that look like a password or token of any service.
masked() {
  local line value
  while IFS= read -r line || [[ -n $line ]]; do
    for value in "${HIDE[@]}"; do line=${line//"$value"/'***'}; done
    printf '%s\n' "$line"
  done | sed --regexp-extended \
    -e 's/\b(hf_|nvapi-|sk-|gh[opsu]_|github_pat_|glpat-|AKIA|ASIA)[A-Za-z0-9_-]{12,}/***/g' \
    -e 's/(bearer|basic) +[A-Za-z0-9._~+\/=-]{8,}/\1 ***/Ig' \
    -e 's#://[^/@ ]+@#://***@#g' -e 's/([?&](x-amz-)?signature=)[^& ]+/\1***/Ig' \
    -e 's/((api|access|auth|hub|hf|secret|session)[_-]?(key|token)|passwor[dt]|secret)(["'\'']?[=: ]+\[?["'\'']?)[^]"'\'' ,})]{4,}/\1\4***/Ig'
}

# know_secrets: adds each line of each secret to HIDE, the longest first. Call it in a subshell. docker knows the values;
# it prints them with NUL between them, so they are in no file and no argument.
know_secrets() {
  shopt -s extglob
  local LC_ALL=C entry name value known=' ' line
  for entry in "${SECRETS[@]}"; do known+="${entry%% *} "; done
  if [[ $known == ' ' ]]; then return 0; fi
  local found=0
  while IFS= read -r -d '' entry; do
    name=${entry%%=*}
    if [[ $known != *" $name "* ]]; then continue; fi
    found=$((found + 1))
    value=${entry#*=}$'\n'
    while [[ -n $value ]]; do
      line=${value%%$'\n'*}
      value=${value#*$'\n'}
      line=${line//$'\t'/ }
      line=${line//+([^ -~])/?} # as `readable` shows it
      if ((${#line} >= SHORTEST_HIDDEN)); then insert_by_length "$line"; fi
    done
  done < <(timeout 20 docker inspect --format '{{range .Config.Env}}{{.}}{{printf "%c" 0}}{{end}}' "$CONTAINER")
  ((found == ${#SECRETS[@]}))
}

insert_by_length() {
  local at=0
  while ((at < ${#HIDE[@]} && ${#HIDE[at]} >= ${#1})); do at=$((at + 1)); done
  HIDE=("${HIDE[@]:0:at}" "$1" "${HIDE[@]:at}")
}

# output_attribute CAUSE: the attribute of the state item; empty while there is nothing to explain.
output_attribute() {
  if [[ ! -e $WORK/started || (-z $1 && $STEP != waiting*) ]]; then return 0; fi
  local text
  text=$(container_lines)
  if [[ -z $text ]]; then return 0; fi
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  printf ', "output": {"S": "%s"}' "${text//$'\n'/\\n}"
}
