#!/bin/bash
# The machine's `timeout`: the real one, with limits that are a minute longer, because a test machine can be slow. In a
# test in which a limit is over, a program ends it (machine.py: EXPIRES).
options=()
while [[ $1 == -* ]]; do
  if [[ $1 == --signal ]]; then options+=("$1") && shift; fi
  options+=("$1") && shift
done
exec "$(PATH=${PATH#*:} type -P timeout)" "${options[@]}" "$(($1 + 60))" "${@:2}"
