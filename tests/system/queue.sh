#!/usr/bin/env bash
# tests/bench/queue over the real scheduler: that it still runs, counts each task once, and refuses where figures would be
# worth nothing. The figures here are.
. "$(dirname "$0")/lib.sh"
tools=$bin/../tests
mkdir "$work/d"
queue() { "$tools/bench_queue" --scheduler "$bin/gopmill-scheduler" --dir "$work/d" --patience 60 "$@"; }
figure() { jq -e "$1" "$work/out" >/dev/null || { cat "$work/out"; return 1; }; } # expression: true of what was printed
memory() { [ "$(stat -f -c %T /dev/shm)" = tmpfs ]; }

if "$tools/bench_disk" "$work/d" >/dev/null 2>"$work/said"; then
  check "tasks end" status 0 queue --nodes 8 --slots 2 --tasks 400 life
  check "each in a run, none lost" figure '.tasks == 400 and .runs <= 400 and .stale == 0 and .lost == 0 and .cpu_us > 0'
  check "tasks at a rate" status 0 queue --nodes 4 --slots 4 --tasks 200 --rate 400 rate
  check "with times" figure '.dispatch_p99_us >= .dispatch_p50_us and .dispatch_p50_us > 0 and .seconds >= 0.4'
  check "a queue, and a restart with it" status 0 queue --nodes 4 --slots 1 --tasks 2000 depth
  check "with sizes" figure '.bytes_a_task > 0 and .restart_first_run_s >= .restart_ready_s'
  check "idle nodes" status 0 queue --nodes 50 --seconds 1 idle
  check "with memory" figure '.bytes_a_node > 1000'
  check "the bare prototype" status 0 "$tools/bench_bare_load" --dir "$work/d" --nodes 4 --slots 2 --tasks 500 life
  check "counts the same" figure '.tasks == 500 and .tasks_s > 0'
  check "nothing is left" test -z "$(ls "$work/d")"
  check "a scheduler that is none" status 1 queue --scheduler /bin/false life
  check "is told" said "did not start"
else
  echo "SKIPPED here: $(cat "$work/said")"
fi
if memory; then
  check "memory is no disk" status 1 "$tools/bench_disk" /dev/shm
  check "and is named" said "tmpfs, which keeps nothing"
fi
finish
