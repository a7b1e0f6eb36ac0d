#!/usr/bin/env bash
# The power of a farm's only machine is cut again and again: every process dies, and of the scheduler's state, the work store and
# the destinations there is only what was synced, and what chance adds of the rest (power_shim.c, power_loss.c). Before each third
# cut the disk fails: no sync succeeds for a while.
#   power.sh [CYCLES [SEED]]
. "$(dirname "$0")/lib.sh"
. "$here/history.sh"

cycles=${1:-4}
RANDOM=${2:-1}
tools=$bin/../tests
need_built libpower_shim.so power_loss
later=yes
keep=10000
farm_options="keep_jobs: $keep"
begin_farm power
log=$at/changes
mkdir "$log.d"
folders=("$at/s" "$at/work" "$at/out")
preload=("LD_PRELOAD=$tools/libpower_shim.so" "POWER_LOG=$log" "POWER_FOLDERS=$(IFS=:; echo "${folders[*]}")" "POWER_FAIL=$at/fails")

judged=0
judge_due() { # what clients were told is done must be on the disk
  local out
  while IFS= read -r out; do
    judge "$out"
    judged=$((judged + 1))
  done < <(tail -n +$((judged + 1)) "$at/due")
}
have_ended() { # as many jobs
  ! is_gone "$(pid scheduler)" || revive_scheduler # of a sync that failed
  [ "$(ended)" -gt "$1" ]
}
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
is_told() { [ "$(cat "$at"/*.log | grep -ciE 'Input/output error|disk I/O error')" -gt "$1" ]; }
fail_syncs() { # the scheduler ends where it can't store, what nodes can't store is tried again
  local told
  told=$(cat "$at"/*.log | grep -ciE 'Input/output error|disk I/O error')
  touch "$at/fails"
  until_true "a sync that fails is told" is_told "$told"
  sleep "0.$(printf %03d $((RANDOM % 1000)))"
  rm "$at/fails"
  failed_syncs=$((failed_syncs + 1))
  ! is_gone "$(pid scheduler)" || revive_scheduler
}
failed_syncs=0
for cycle in $(seq 0 "$cycles"); do
  cut_power
  judge_due
  revive_scheduler
  revive_node
  before=$(ended)
  sleep "$((RANDOM % 2)).$(printf %03d $((RANDOM % 1000)))" # the moment
  [ $((cycle % 3)) != 1 ] || fail_syncs
  [ $((cycle % 4)) != 3 ] || until_true "a job ends" have_ended "$before"
  [ "$failures" = 0 ] || break
done
end_farm
taken=$(awk '{n += $3} END {print n + 0}' "$at/losses")
echo "$cycles cycles, $(wc -l <"$at/acked") jobs acknowledged, $taken changes taken back, syncs failed $failed_syncs times"
check "no call went by the shim" test -z "$(grep -h 'power_shim:' "$at"/*.log)"
check "syncs failed" test "$failed_syncs" -gt 0
check "something was taken back" test "$taken" -gt 0
finish
