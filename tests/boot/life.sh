# The life of the containers of a machine, by the machine's clock: what docker, curl and sleep answer. Nothing here waits
# for real time: a sleep moves the clock, gives the answers and ends that are due, and waits until the script has them.
#
# $STUBS/lives has a line for each container, and the last line is also for all later ones: LOADS HANGS ENDS STATUS DELAY.
# LOADS, HANGS, ENDS: seconds from its start until it answers, answers no more, and ends with STATUS; `-`: never.
# DELAY: seconds until an answer.

time_now() { read -r now <"$STUBS/clock"; }

container() {
  local number lines
  read -r number began <"$STUBS/container"
  lines=$(wc --lines <"$STUBS/lives")
  read -r loads hangs ends status delay < <(sed --quiet "$((number < lines ? number : lines))p" "$STUBS/lives")
}

# has_come SECONDS: whether the container is that old.
has_come() { [[ $1 != - ]] && ((now - began >= $1)); }

# begin: docker run.
begin() {
  local number=0
  if [[ -e $STUBS/container ]]; then read -r number _ <"$STUBS/container"; fi
  time_now
  rm -rf "$STUBS"/{has-ended,checks,asked,slept}
  printf '%s %s\n' "$((number + 1))" "$now" >"$STUBS/container"
}

# wait_for_end: docker wait.
wait_for_end() {
  read -r status <"$STUBS/ended"
  printf '%s\n' "$status"
}

# check: the check before it serves is answered at once.
check() {
  time_now
  container
  if has_come "$loads" && ! has_come "$hangs"; then printf 200; else printf 000 && exit 7; fi
}

# check_life ARGUMENTS OF CURL: a later check is answered when it is due.
check_life() {
  time_now
  container
  local longest good=yes due=$((now + delay)) # curl ... --max-time LONGEST URL
  longest=${*: -2:1}
  if has_come "$hangs" || ((delay > longest)); then good=no due=$((now + longest)); fi
  mkdir -p "$STUBS/checks"
  mkfifo "$STUBS/checks/$$.fifo"
  printf '%s %s\n' "$due" "$PPID" >"$STUBS/checks/$$"
  printf '.\n' >>"$STUBS/asked"
  read -r _ <"$STUBS/checks/$$.fifo"
  [[ $good == yes ]] || exit 28
}

# await_end PID
await_end() { until gone "$1"; do /bin/sleep 0.005; done; }

answer_checks() {
  local file due asker
  for file in "$STUBS"/checks/*.fifo; do
    if [[ ! -e $file ]]; then continue; fi
    read -r due asker <"${file%.fifo}"
    if ((due > now)); then continue; fi
    printf '\n' >"$file"
    rm -f "$file" "${file%.fifo}"
    await_end "$asker"
  done
}

end_container() {
  container
  if [[ -e $STUBS/has-ended ]] || ! has_come "$ends"; then return; fi
  touch "$STUBS/has-ended"
  until [[ -s $STUBS/waiting ]]; do /bin/sleep 0.005; done
  printf '%s\n' "$status" >"$STUBS/ended"
  await_end "$(<"$STUBS/waiting")"
}

# pass SECONDS: sleep.
pass() {
  local slept
  time_now
  if (($1 == 60)); then # a check was begun just before
    printf '.\n' >>"$STUBS/slept"
    slept=$(wc --lines <"$STUBS/slept")
    until [[ -e $STUBS/asked ]] && (($(wc --lines <"$STUBS/asked") >= slept)); do /bin/sleep 0.005; done
    answer_checks
  fi
  now=$((now + $1))
  printf '%s\n' "$now" >"$STUBS/clock"
  if [[ -e $STUBS/container ]]; then
    answer_checks
    end_container
  fi
  if ((now >= $(<"$STUBS/until"))); then
    touch "$STUBS/over"
    exec /bin/sleep 300
  fi
}
