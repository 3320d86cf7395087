#!/bin/bash
# Stands in for a program: records its arguments and environment, and the input of docker login; then runs its answer.
# STUBS: calls/ gets a record of each call, answers/ has the answers (by key and number of the call, else by key), counts/.
set -u

# gone PID: whether a process has ended.
gone() { [[ ! -e /proc/$1 ]] || grep --quiet --no-messages '^State:.Z' "/proc/$1/status"; }

name=${0##*/}
key=$name
case $name in
  aws)
    words=("$@")
    while [[ ${words[0]} == --* ]]; do words=("${words[@]:2}"); done
    key=aws-${words[0]}-${words[1]}
    ;;
  docker)
    if [[ $1 == --config ]]; then key=docker-$3; else key=docker-$1; fi
    ;;
  curl)
    case ${*: -1} in
      */api/token) key=curl-token ;;
      */meta-data/instance-id) key=curl-instance ;;
      */meta-data/instance-type) key=curl-type ;;
      -) key=curl-probe ;;
      */meta-data/iam/security-credentials/) key=curl-role ;;
      */meta-data/iam/security-credentials/*) key=curl-credentials ;;
      */meta-data/services/domain) key=curl-domain ;;
      https://dynamodb.*) key=curl-dynamodb ;;
      *) key=curl-health ;;
    esac
    ;;
esac
# What figures.sh and the checks of life start runs beside everything else, so its calls have keys of their own.
case "$key $*" in
  nvidia-smi*--query-gpu=* | df*--output=pcent* | aws-logs-*/figures* | aws-dynamodb-update-item*) key=figures-$key ;;
  curl-health*/metrics) key=figures-curl ;;
  curl-health*--write-out*) ;;
  curl-health*) key=life-curl ;;
esac
call=$STUBS/calls/${EPOCHREALTIME/./}-$BASHPID
count=1
if [[ -s $STUBS/counts/$key ]]; then read -r count <"$STUBS/counts/$key"; count=$((count + 1)); fi
printf '%s\n' "$count" >"$STUBS/counts/$key"
printf '%s\0' "$key" "$@" >"$call.call"
if [[ $key == docker-login || $key == curl-dynamodb || $key == curl-probe ]]; then cat >"$call.input"; fi
cat /proc/$$/environ >"$call.environment" # last: a call whose environment is there is complete
case $key in
  docker-run) rm -f "$STUBS/runs" "$STUBS/waiting" ;;
  docker-wait) printf '%s\n' "$$" >"$STUBS/waiting" ;; # who waits for the end of the container
esac
answer=$STUBS/answers/$key
if [[ -e $answer.$count ]]; then answer=$answer.$count; fi
if [[ -e $answer ]]; then source "$answer"; fi
