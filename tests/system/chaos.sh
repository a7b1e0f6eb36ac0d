#!/usr/bin/env bash
# A farm of three nodes transcodes real clips all the while that something is done to it every few seconds: scheduler, agents,
# workers and launchers killed or stopped, the link of a node cut, the disk of one full, clocks that jump, a node drained. What was
# acknowledged is done at the end, once, with the undisturbed bytes, and nothing is left over: no file, no process.
#   chaos.sh [MINUTES [SEED]]     what is done, and in which order, follows from the seed; when, from the machine
. "$(dirname "$0")/lib.sh"
. "$here/history.sh"
need_media

minutes=${1:-30} seed=${2:-1}
tools=$bin/../tests
need_built tcp_fault libclock_shim.so
clips=(camera-cups-720p.mp4 elst-edts.mp4 bbb-480p-30s-aac51.mp4 lecture-vfr-2fps.mov)
lease_s=4 # between two heartbeats and the shortest of the stops
RANDOM=$seed

# ---- the farm: n1 has a small disk, n2 wrong clocks, n3 a link that fails; the scheduler has wrong clocks too
# The wall clock's seconds are given; the monotonic clock's, which never go back, are what the file PROGRAM.slept says now.
clock() { printf '%-20s %-20s\n' "$2" "$(cat "$at/$1.slept")" | dd of="$at/$1.clock" bs=64 conv=notrunc status=none; } # program wall
link() { echo "$*" >"$at/fault"; }
with_clock() { preload=("LD_PRELOAD=$tools/libclock_shim.so" "CLOCK_FAULT=$at/$1.clock"); }
revive() { # program
  preload=()
  case $1 in
  scheduler) with_clock scheduler && revive_scheduler ;;
  n2) with_clock n2 && revive_node n2 ;;
  *) revive_node "$1" ;;
  esac
}
crash() { # program
  kill -9 "$(pid "$1")" 2>/dev/null
  revive "$1"
}
request_for() { # clip
  jq -n --rawfile yaml "$work/small.yaml" --arg source "file://$GOPMILL_TEST_MEDIA/$1" \
    '{pipeline: {yaml: $yaml, name: "small"}, source: $source, destination: "file://@OUT@"}'
}
calm_of() { echo "$work/calm-${1##*-}.sha"; } # folder: its last part ends with the clip's number
client() { # name first: as history.sh's, but with another clip each time, and with more patience
  local n=$2 out i state
  while [ ! -e "$at/stop" ]; do
    n=$((n + 1)) out=$at/out/$1-$n-$((n % ${#clips[@]}))
    request=${requests[$((n % ${#clips[@]}))]}
    submit "$out" || { sleep 0.05; continue; }
    for i in $(seq 600); do
      [ -e "$out/report.json" ] || [ $((i % 10)) = 0 ] || { sleep 0.2; continue; }
      state=$(state_of "$job")
      [ "$state" != done ] || judge "$out"
      case $state in done | failed | cancelled | null) break ;; esac
      sleep 0.2
    done
    echo "$out" >>"$at/ended"
  done
}
begin() {
  local i out
  small_pipeline "$work/small.yaml" 240
  at=$work/chaos
  mkdir -p "$at/n1.d" "$at/out"
  small_disk="" # where nobody may mount one, none is full
  mount -t tmpfs -o size=48m tmpfs "$at/n1.d" 2>/dev/null && small_disk=yes
  for i in scheduler n2; do
    echo 0 >"$at/$i.slept"
    clock "$i" 0
  done
  keep=10000
  farm_options="keep_jobs: $keep" lease_ms=$((lease_s * 1000)) farm chaos
  link pass
  touch "$at/acked" "$at/ended" "$at/judged" "$at/due"
  mkfifo "$at/port"
  "$tools/tcp_fault" "${wire##*:}" "$at/fault" >"$at/port" 2>"$at/proxy.log" 9>&- &
  IFS= read -r port <"$at/port"
  node_options="devices: off"
  node n1
  node n2
  wire=tcp://127.0.0.1:$port node n3
  for i in "${!clips[@]}"; do
    requests[i]=$(request_for "${clips[$i]}")
    request=${requests[$i]} out=$at/out/calm-0-$i
    submit "$out" || fail "the first jobs were not taken"
    until_true "undisturbed run of ${clips[$i]}" is_done
    tree_hash "$out" >"$work/calm-$i.sha"
  done
  crash scheduler # from here on with clocks that can be wrong
  crash n2
  exec 8>&2 2>"$work/stderr" # the shell tells of each death
  client a 0 &
  clients=$!
  client b 1 &
  clients="$clients $!"
}
trap 'jobs -p | xargs -r kill -9 2>/dev/null; sleep 0.2; [ -z "${small_disk:-}" ] || umount "$at/n1.d"; rm -rf "$work"' EXIT

# ---- what is done to it
workers_of() { pgrep -P "$(pid "$1")" 2>/dev/null; } # node
later() { # seconds command...: heals while other things go on
  (sleep "$1"; "${@:2}" 2>/dev/null) &
}
a_worker() { # node chance
  local all
  all=($(workers_of "$1"))
  [ ${#all[@]} = 0 ] || echo "${all[$(($2 % ${#all[@]}))]}"
}
kill_launcher() { # node: its next child, before it is a worker
  local p i
  a_worker "$1" 0 | xargs -r kill -9
  for i in $(seq 200); do
    for p in $(workers_of "$1"); do
      case $(cat "/proc/$p/comm" 2>/dev/null) in gopmill-launch*) kill -9 "$p" && return ;; esac
    done
    sleep 0.005
  done
}
disturb() { # action node chance
  local p
  case $1 in
  kill-scheduler) crash scheduler ;;
  kill-agent) crash "$2" ;;
  kill-worker) a_worker "$2" "$3" | xargs -r kill -9 ;;
  kill-launcher) kill_launcher "$2" ;;
  kill-all) for p in scheduler n1 n2 n3; do kill -9 "$(pid $p)"; done; for p in scheduler n1 n2 n3; do revive $p; done ;;
  stop-agent) p=$(pid "$2"); kill -STOP "$p" && later $((lease_s + 2)) kill -CONT "$p" ;;
  stop-worker) p=$(a_worker "$2" "$3"); [ -z "$p" ] || { kill -STOP "$p" && later $((1 + $3 % 13)) kill -CONT "$p"; } ;;
  stop-scheduler) p=$(pid scheduler); kill -STOP "$p"; sleep $((1 + $3 % (lease_s + 2))); kill -CONT "$p" ;;
  link-cut) link "$([ $(($3 % 2)) = 0 ] && echo stall || echo drop)"; later $((1 + $3 % (2 * lease_s))) link pass ;;
  link-bad) link "$([ $(($3 % 2)) = 0 ] && echo delay 150 || echo cut 20000)"; later 3 link pass ;;
  disk-full) [ -z "$small_disk" ] || { head -c 64M /dev/zero >"$at/n1.d/filler"; later 3 rm -f "$at/n1.d/filler"; } ;;
  clock-node) clock n2 "$([ $(($3 % 2)) = 0 ] && echo 86400 || echo -86400)"; later 3 clock n2 0 ;;
  clock-scheduler) clock scheduler "$([ $(($3 % 2)) = 0 ] && echo 3000 || echo -3000)"; later 3 clock scheduler 0 ;;
  slept-node) echo $(($(cat "$at/n2.slept") + lease_s + 3)) >"$at/n2.slept"; clock n2 0 ;;
  drain) gopmill node drain "$2" >/dev/null; later 4 gopmill node resume "$2" >/dev/null ;;
  esac
}
actions=(kill-scheduler kill-scheduler kill-agent kill-agent kill-agent kill-worker kill-worker kill-worker kill-launcher kill-all stop-agent
  stop-agent stop-worker stop-worker stop-scheduler link-cut link-cut link-bad disk-full clock-node clock-scheduler slept-node drain)
charged=" kill-agent kill-worker kill-launcher kill-all stop-agent stop-worker link-cut slept-node disk-full clock-node "
# A task has 8 attempts while it makes no progress: of what costs one no more than 5 between the ends of two jobs.
seen=0 charges=0
may_charge() {
  local now
  now=$(ended)
  [ "$now" = "$seen" ] || seen=$now charges=0
  [ "$charges" -lt 5 ]
}
# The last breath of all that later() heals, and the rest by hand.
heal() {
  local p
  sleep $((2 * lease_s + 6))
  link pass
  clock scheduler 0
  clock n2 0
  rm -f "$at/n1.d/filler"
  for p in scheduler n1 n2 n3; do ! is_gone "$(pid $p)" || revive $p; done
  until_true "the scheduler answers" jobs_json >/dev/null
  for p in n1 n2 n3; do gopmill node resume $p >/dev/null; done
}
ours() { # processes that run in the farm's folders
  local p
  for p in /proc/[0-9]*; do
    case $(readlink "$p/cwd" 2>/dev/null) in "$at"/*) echo "${p#/proc/}" ;; esac
  done
}
no_process() { [ -z "$(ours)" ]; }

begin
began=$SECONDS count=0
declare -A times
while [ $((SECONDS - began)) -lt $((minutes * 60)) ] && [ "$failures" = 0 ]; do
  action=${actions[$((RANDOM % ${#actions[@]}))]} victim=n$((1 + RANDOM % 3)) chance=$RANDOM pause=$((1 + RANDOM % 3)).$((RANDOM % 10))
  case $charged in *" $action "*)
    until_true "a job ends" may_charge
    charges=$((charges + 1)) ;;
  esac
  echo "$((SECONDS - began)) $action $victim $chance" >>"$at/done"
  disturb "$action" "$victim" "$chance"
  count=$((count + 1)) times[$action]=$((${times[$action]:-0} + 1))
  sleep "$pause"
done
heal
end_farm
for p in n1 n2 n3; do kill -TERM "$(pid $p)"; wait "$(pid $p)" 2>/dev/null; done
until_true "no worker is left: $(ours | tr '\n' ' ')" no_process
echo "$count disturbances in $minutes minutes, seed $seed; $(wc -l <"$at/acked") jobs acknowledged"
for action in "${!times[@]}"; do printf '%s %s, ' "$action" "${times[$action]}"; done | sed 's/, $/\n/'
if [ "$failures" != 0 ]; then
  echo "what was done:" && cat "$at/done"
  grep -hE 'level=(warn|error)' "$at"/*.log | tail -n 40
fi
check "something was done" test "$count" -gt 0
finish
