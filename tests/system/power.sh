#!/usr/bin/env bash
# The power of a farm's only machine is cut again and again: every process dies, and of the scheduler's state, the work store and
# the destinations there is only what was synced, and what chance adds of the rest (power_shim.c, power_loss.c).
#   power.sh [CYCLES [SEED]]
. "$(dirname "$0")/lib.sh"
. "$here/history.sh"

cycles=${1:-4}
RANDOM=${2:-1}
tools=$bin/../tests
need_built libpower_shim.so power_loss
later=yes
begin_farm power
log=$at/changes
mkdir "$log.d"
folders=("$at/s" "$at/work" "$at/out")
preload=("LD_PRELOAD=$tools/libpower_shim.so" "POWER_LOG=$log" "POWER_FOLDERS=$(IFS=:; echo "${folders[*]}")")

judged=0
judge_due() { # what clients were told is done must be on the disk
  local out
  while IFS= read -r out; do
    judge "$out"
    judged=$((judged + 1))
  done < <(tail -n +$((judged + 1)) "$at/due")
}
have_ended() { [ "$(ended)" -gt "$1" ]; }
cut_power() {
  local workers p how
  workers=$(pgrep -P "$(pid n1)")
  kill -9 "$(pid scheduler)" "$(pid n1)"
  wait "$(pid scheduler)" "$(pid n1)"
  for p in $workers; do
    until_true "worker $p is gone" is_gone "$p"
  done
  [ -e "$log" ] || return 0 # the first time: nothing was written down
  how=some
  [ $((RANDOM % 3)) != 0 ] || how=all
  check "the power is cut" "$tools/power_loss" "$log" "$RANDOM" "$how" "${folders[@]}" >>"$at/losses"
}
for cycle in $(seq 0 "$cycles"); do
  cut_power
  judge_due
  revive_scheduler
  revive_node
  before=$(ended)
  sleep "$((RANDOM % 2)).$(printf %03d $((RANDOM % 1000)))" # the moment
  [ $((cycle % 4)) != 3 ] || until_true "a job ends" have_ended "$before"
  [ "$failures" = 0 ] || break
done
end_farm
taken=$(awk '{n += $3} END {print n + 0}' "$at/losses")
echo "$cycles cycles, $(wc -l <"$at/acked") jobs acknowledged of $(wc -l <"$work/jobs"), $taken changes taken back"
check "something was taken back" test "$taken" -gt 0
finish
