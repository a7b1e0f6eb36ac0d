#!/usr/bin/env bash
# The crash points of scheduler, agent and worker (common/crash.h): processes die there as by kill -9 and are started
# again, while two clients submit job after job. What a client was told is done must be done, once, with the undisturbed bytes.
#   crash.sh                  each point once
#   crash.sh DEATHS [SEED]    so many deaths at random points and passes, among them some at no point
. "$(dirname "$0")/lib.sh"

deaths=${1:-0} # 0: each point once
RANDOM=${2:-1}
programs=(gopmill-scheduler gopmill-node gopmill-worker)
# Never reached: a node deletes nothing from a store, what a scheduler publishes is in no folder, and
# splitting the clip is over before anybody waits for more of it.
never=" gopmill-node:store.deleted gopmill-scheduler:store.folder_made gopmill-node:agent.fed "
slot_bytes=64 text_bytes=56

points() { # program: those that it was built with
  objcopy -O binary --only-section=gm_crash "$bin/$1" "$work/points" 2>/dev/null && tr '\0' '\n' <"$work/points" | grep . | sort -u
}
declare -A todo armed since
for p in "${programs[@]}"; do
  list=""
  for name in $(points "$p"); do
    case $never in *" $p:$name "*) ;; *) list="$list $name" ;; esac
  done
  todo[$p]=$list
  check "$p has crash points" test -n "$list"
done
[ "$failures" = 0 ] || finish
all_worker=${todo[gopmill-worker]}
todo[gopmill-worker]="worker.ready ${all_worker/ worker.ready/}" # while nodes begin anew

put_slot() { # slot offset bytes-as-printf-format
  printf "$3" | dd of="$control" bs=1 seek=$(($1 * slot_bytes + $2)) conv=notrunc status=none
}
arm() { # slot program point pass
  local text="$2 $3"
  put_slot "$1" "$text_bytes" '\0\0\0\0\0\0\0\0'
  put_slot "$1" 0 "$text$(printf '\\0%.0s' $(seq $((text_bytes - ${#text}))))"
  put_slot "$1" "$text_bytes" "\\x$(printf %x "$4")"
}
is_hit() { [ "$(od -An -tu4 -j$(($1 * slot_bytes + text_bytes + 4)) -N4 "$control")" -gt 0 ]; } # slot

# Started again until it serves: it may die at a point of its start.
revive_scheduler() {
  local i line
  wait "$(pid scheduler)" 2>/dev/null
  for i in 1 2 3; do
    rm -f "$at/ready" && mkfifo "$at/ready"
    "$bin/gopmill-scheduler" --config "$at/scheduler.yaml" >"$at/ready" 2>>"$at/scheduler.log" 9>&- &
    echo $! >"$at/scheduler"
    line=""
    IFS= read -r line <"$at/ready"
    [ -z "$line" ] || return 0
    wait "$(pid scheduler)" 2>/dev/null
  done
  fail "the scheduler does not start: $(tail -n 2 "$at/scheduler.log")"
}
revive_node() { # it need not be ready: the scheduler may be away too
  wait "$(pid n1)" 2>/dev/null
  "$bin/gopmill-node" --config "$at/n1.yaml" >/dev/null 2>>"$at/n1.log" 9>&- &
  echo $! >"$at/n1"
}
revive() { # program
  case $1 in
  gopmill-scheduler) revive_scheduler ;;
  gopmill-node) revive_node ;;
  esac
}
kill_hard() { # program: at no point
  local workers
  case $1 in
  gopmill-scheduler) kill -9 "$(pid scheduler)" ;;
  gopmill-node) kill -9 "$(pid n1)" ;;
  gopmill-worker)
    workers=($(pgrep -P "$(pid n1)"))
    [ ${#workers[@]} = 0 ] || kill -9 "${workers[$((RANDOM % ${#workers[@]}))]}" ;;
  esac
}

# One folder a submission. acked: "ID FOLDER", what the scheduler said it has.
submit() { # folder
  local reply
  reply=$(curl -s -m 10 --unix-socket "$at/http" -d "${request//@OUT@/$1}" http://x/v1/jobs)
  [[ $reply =~ \"id\":\ *\"([0-9a-z]+)\" ]] || return 1
  job=${BASH_REMATCH[1]}
  echo "$job $1" >>"$at/acked"
}
state_of() { curl -s -m 10 --unix-socket "$at/http" "http://x/v1/jobs/$1" | jq -r .state; } # job
look() { # folder of a job that is done: what is wrong with it, or "ok"
  local twice
  tree_hash "$1" >"$1.sha"
  cmp -s "$work/calm.sha" "$1.sha" || { echo "other bytes"; return; }
  twice=$(jq -c '[.tasks[] | select(.outcome == "done") | [.task, .instance, .chunks.first]] | group_by(.) | map(select(length > 1)[0])' "$1/report.json")
  [ "$twice" = "[]" ] || { echo "done twice: $twice"; return; }
  twice=$(jq '[.tasks[].attempt] | (length - (unique | length))' "$1/report.json")
  [ "$twice" = 0 ] || { echo "$twice attempts with the number of another"; return; }
  echo ok
}
judge() { # folder: looked at once, then it makes room
  echo "$1 $(look "$1")" >>"$at/judged"
  rm -rf "$1" "$1.sha"
}
client() { # name
  local n=0 out i state
  while [ ! -e "$at/stop" ]; do
    n=$((n + 1)) out=$at/out/$1-$n
    submit "$out" || { sleep 0.02; continue; }
    for i in $(seq 300); do
      [ -e "$out/master.m3u8" ] || [ $((i % 20)) = 0 ] || { sleep 0.1; continue; }
      state=$(state_of "$job")
      [ "$state" != done ] || judge "$out"
      case $state in done | failed | cancelled) break ;; esac
      sleep 0.1
    done
    echo "$out" >>"$at/ended"
  done
}
ended() { wc -l <"$at/ended"; }

make_clip "$work/clip.mp4" 12 160x90 10 -g 20
small_pipeline "$work/small.yaml" 90
request=$(jq -n --rawfile yaml "$work/small.yaml" --arg source "file://$work/clip.mp4" \
  '{pipeline: {yaml: $yaml, name: "small"}, source: $source, destination: "file://@OUT@"}')
control=$work/control
head -c $((8 * slot_bytes)) /dev/zero >"$control"
export GM_CRASH=$control
farm crash
mkdir "$at/out"
touch "$at/acked" "$at/ended" "$at/judged"
node_options="devices: off"
node n1
submit "$at/out/calm" || fail "the first job was not taken"
until_true "undisturbed run" test -e "$at/out/calm/master.m3u8"
tree_hash "$at/out/calm" >"$work/calm.sha"
exec 8>&2 2>"$work/stderr" # the shell tells of each death
client a &
clients=$!
client b &
clients="$clients $!"

hits=0 began=$SECONDS
declare -A budget # deaths of a program until another job has ended: a job is no longer whole after many
may_die() { # program
  local most=6
  [ "$1" != gopmill-worker ] || most=2
  set -- "$1" "$(ended)"
  [ "${budget[$1.ended]:-}" = "$2" ] || budget[$1.ended]=$2 budget[$1]=0
  [ "${budget[$1]}" -lt "$most" ]
}
choose() { # program: its next point in $point, "" for none, - for a kill
  local list
  point=""
  if [ "$deaths" = 0 ]; then
    set -- "$1" ${todo[$1]}
    point=${2:-}
    todo[$1]="${*:3}"
  elif [ "$hits" -lt "$deaths" ]; then
    list=(- ${todo[$1]})
    point=${list[$((RANDOM % ${#list[@]}))]}
  fi
}
begin_death() { # slot program
  local pass=1
  choose "$2"
  [ -n "$point" ] || return
  [ "$deaths" = 0 ] || pass=$((1 + RANDOM % 4))
  armed[$2]=$point since[$2]=$SECONDS
  if [ "$point" = - ]; then
    kill_hard "$2"
    return
  fi
  arm "$1" "$2" "$point" "$pass"
  case $point in state.* | start.*) # reached by a start
    kill -9 "$(pid scheduler)"
    revive_scheduler ;;
  esac
}
look_at() { # slot program: false when there is nothing more for it to die of
  local p=$2
  if [ -z "${armed[$p]:-}" ]; then
    may_die "$p" || return 0
    begin_death "$1" "$p"
    [ -n "${armed[$p]:-}" ]
    return
  fi
  if [ "${armed[$p]}" = - ] || is_hit "$1"; then
    hits=$((hits + 1)) budget[$p]=$((budget[$p] + 1))
    echo "$p ${armed[$p]}" >>"$at/deaths"
    case ${armed[$p]} in state.* | start.*) ;; *) revive "$p" ;; esac
    armed[$p]=""
  elif [ $((SECONDS - since[$p])) -gt 20 ]; then
    [ "$deaths" != 0 ] || fail "$p never came to ${armed[$p]}"
    armed[$p]=""
  fi
}
busy=1
while [ "$busy" = 1 ] && [ "$failures" = 0 ]; do
  busy=0
  for slot in 0 1 2; do
    look_at "$slot" "${programs[$slot]}" && busy=1
  done
  sleep 0.03
done
seconds=$((SECONDS - began))
for slot in 0 1 2; do
  put_slot "$slot" "$text_bytes" '\0\0\0\0'
done
sleep 0.1 # a death that was on its way
! is_gone "$(pid scheduler)" || revive_scheduler
! is_gone "$(pid n1)" || revive_node
touch "$at/stop"
wait $clients

# The history: what was acknowledged is there and done; what was not may be there, and is done then.
jobs_json() { # all pages, one line a job
  local cursor="" page # an empty cursor is one
  while :; do
    page=$(curl -s -m 10 --unix-socket "$at/http" "http://x/v1/jobs?limit=500${cursor:+&cursor=$cursor}") || return 1
    jq -c '.jobs[] | [.id, .state, .destination]' <<<"$page" || return 1
    cursor=$(jq -r '.next // empty' <<<"$page")
    [ -n "$cursor" ] || return 0
  done
}
settled() { jobs_json >"$work/jobs" && ! grep -qvE '"(done|failed|cancelled)"' "$work/jobs"; }
until_true "all jobs have ended" settled
check "no job failed: $(grep -v '"done"' "$work/jobs" | head -n 3)" test -z "$(grep -v '"done"' "$work/jobs")"
while read -r id out; do
  check "job $id was acknowledged and is there once" test "$(grep -cF "[\"$id\",\"done\",\"file://$out\"]" "$work/jobs")" = 1
done <"$at/acked"
jq -r '.[2] | ltrimstr("file://")' "$work/jobs" >"$work/folders"
while read -r out; do # of jobs that no client knows of
  grep -qF "$out " "$at/judged" || judge "$out"
done <"$work/folders"
wrong=$(grep -v ' ok$' "$at/judged")
check "each job is as the undisturbed one: $wrong" test -z "$wrong"
check "each job was looked at" test "$(wc -l <"$at/judged")" = "$(wc -l <"$work/jobs")"
no_files() { [ -z "$(find "$1" -type f 2>/dev/null | head -n 1)" ]; } # folder
until_true "the work store is empty" no_files "$at/work"
until_true "the node's scratch is empty" no_files "$at/n1.d/scratch"
for folder in "$at/out"/*; do # of submissions that nobody has
  check "nothing is in $folder, of which no job is" no_files "$folder"
done
echo "$hits deaths in $seconds s, $(wc -l <"$at/acked") jobs acknowledged of $(wc -l <"$work/jobs")"
check "something died" test "$hits" -gt 0
exec 2>/dev/null
finish
