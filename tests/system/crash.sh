#!/usr/bin/env bash
# The crash points of scheduler, agent and worker (common/crash.h): processes die there as by kill -9 and are started
# again, while two clients submit job after job. What a client was told is done must be done, once, with the undisturbed bytes.
#   crash.sh                  each point once
#   crash.sh DEATHS [SEED]    so many deaths at random points and passes, among them some at no point
. "$(dirname "$0")/lib.sh"
. "$here/history.sh"
. "$here/crash_lib.sh"

deaths=${1:-0} # 0: each point once
rest=0.5       # seconds between two jobs that are cancelled
RANDOM=${2:-1}
programs=(gopmill-scheduler gopmill-node gopmill-worker)
# Never reached: a node deletes nothing from a store, what a scheduler publishes is in no folder, and titles are taken down by takedown.sh.
never=" gopmill-node:store.deleted gopmill-scheduler:store.folder_made "
for name in master manifests outputs report; do
  never="${never}gopmill-scheduler:takedown.$name "
done
command -v python3 >/dev/null || never="${never}gopmill-scheduler:webhook.answered " # without a receiver

declare -A todo
for p in "${programs[@]}"; do
  list=""
  for name in $(points "$p"); do
    case $never in *" $p:$name "*) ;; *) list="$list $name" ;; esac
  done
  todo[$p]=$list
  check "$p has crash points" test -n "$list"
done
[ "$failures" = 0 ] || finish

kill_hard() { # program: at no point
  local workers
  case $1 in
  gopmill-scheduler) kill -9 "$(pid scheduler)" ;;
  gopmill-node) kill -9 "$(pid n1)" ;;
  gopmill-worker)
    workers=($(pgrep -P "$(pid n1)"))
    [ ${#workers[@]} != 0 ] && kill -9 "${workers[$((RANDOM % ${#workers[@]}))]}" ;;
  esac
}

# A third client: two minutes of sound alone, of which the task has the first pieces while split makes the others.
calm_of() { case $1 in */sound-*) echo "$work/calm-sound.sha" ;; *) echo "$work/calm.sha" ;; esac; } # folder
is_heard() { # it is older than what ends meanwhile, and so forgotten soon
  case $(state_of "$job") in
  done) ;;
  null) [ "$(jq -r .job.state "$at/out/sound-0/report.json")" = done ] ;;
  *) false ;;
  esac
}
begin_sound() {
  local request
  ffmpeg -nostdin -v error -y -f lavfi -i "sine=f=440:b=4:r=48000:d=120" -c:a aac "$work/sound.m4a"
  sed '/video/d' "$work/small.yaml" >"$work/sound.yaml"
  printf '  hls:     { type: package, needs: [audio] }\n' >>"$work/sound.yaml"
  request=$(jq -n --rawfile yaml "$work/sound.yaml" --arg source "file://$work/sound.m4a" \
    '{pipeline: {yaml: $yaml, name: "sound"}, source: $source, destination: "file://@OUT@"}')
  submit "$at/out/sound-0" || fail "the first job of sound was not taken"
  until_true "undisturbed run of sound" is_heard
  tree_hash "$at/out/sound-0" >"$work/calm-sound.sha"
  client sound &
  clients="$clients $!"
}
# A job that fails and is forgotten must not pass for one of other bytes.
is_failed() { [ "$(state_of "$job")" = failed ]; }
look_at_failure() {
  local request=${request//clip.mp4/zeros.mp4} reply out=$at/gone/zeros job
  head -c 5000 /dev/zero >"$work/zeros.mp4"
  reply=$(curl -s -m 10 --unix-socket "$at/http" -d "${request//@OUT@/$out}" http://x/v1/jobs)
  job=$(jq -r .id <<<"$reply")
  until_true "zeros fail" is_failed
  check "the history tells of what a job failed: $(look "$out")" test "$(look "$out" | cut -d. -f1)" = "failed: input"
}
# A fourth, who cancels what runs, and closes the node for a moment. What is cancelled leaves nothing but its report.
call() { curl -s -m 10 --unix-socket "$at/http" -o /dev/null -w '%{http_code}' -d '' "http://x/v1/$1"; } # path
begin_cancels() {
  canceller &
  clients="$clients $!"
}
is_over() { [ -e "$at/stop" ] && is_gone "$(pid scheduler)"; } # it could not be started again: nobody answers any more
canceller() {
  local n=0 out reply
  while [ ! -e "$at/stop" ]; do
    n=$((n + 1)) out=$at/gone/$n
    reply=$(curl -s -m 10 --unix-socket "$at/http" -d "${request//@OUT@/$out}" http://x/v1/jobs)
    [[ $reply =~ \"id\":\ *\"([0-9a-z]+)\" ]] || { nap 0.1; continue; }
    job=${BASH_REMATCH[1]}
    nap "0.$((RANDOM % 10))"
    until [ "$(call "jobs/$job:cancel")" != 000 ] || is_over; do nap 0.1; done
    call nodes/n1:drain >/dev/null
    nap 0.1
    until [ "$(call nodes/n1:resume)" = 202 ] || is_over; do nap 0.1; done
    nap "$rest"
  done
}

# Each point once: what ended is soon forgotten, over deaths too. Many deaths: nothing is, so that all can be asked for.
keep=4
[ "$deaths" = 0 ] || keep=10000
# Who is told of each job's end.
farm_options="keep_jobs: $keep"
if command -v python3 >/dev/null; then
  (umask 077 && echo "whsec_$(head -c 24 /dev/urandom | base64)" >"$work/secret")
  echo ok >"$work/mode"
  mkfifo "$work/heard"
  python3 "$here/hook_receiver.py" 0 "$work/told" "$(cat "$work/secret")" "$work/mode" >"$work/heard" 2>>"$work/receiver.log" 9>&- &
  receiver=$!
  read -r _ port <"$work/heard"
  farm_options="$farm_options
webhooks: [\"all url=http://127.0.0.1:$port/all secret=$work/secret events=done,failed,cancelled\"]
webhook_pauses_s: \"1\""
fi
# No job may fail of being killed too often, or wait for long since it was: of as many deaths as here that is all there would be to see.
farm_options="$farm_options
max_attempts: 1000
retry_ms: 50"
node_slots=4 # a task that is still fed takes no last one
begin_farm crash
mkdir "$at/gone"
look_at_failure
begin_sound
begin_cancels

# Several points wait for each program at a time, each in a slot: a rare one does not hold up the others.
slots=(gopmill-scheduler gopmill-node gopmill-worker gopmill-scheduler gopmill-node gopmill-worker gopmill-scheduler gopmill-node)
armed=() since=() hits=0 began=$SECONDS
# No more than this between the ends of two jobs, or none would ever end.
declare -A most=([gopmill-scheduler]=6 [gopmill-node]=4 [gopmill-worker]=6) spent=()
seen=-1
may_die() { # program
  [ "${#all[@]}" = "$seen" ] || seen=${#all[@]} spent=()
  [ "${spent[$1]:-0}" -lt "${most[$1]}" ]
}
is_of_start() { case $1 in state.* | start.* | migrate.*) ;; *) false ;; esac; } # point: reached by a start alone
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
to_schema_1() { # slot: and dies on the way
  wait "$(pid scheduler)" 2>/dev/null
  arm "$1" gopmill-scheduler "$point" 1
  "$bin/gopmill-scheduler" --config "$at/scheduler.yaml" --migrate-store 1 >>"$at/migrate.log" 2>&1
  is_hit "$1" || fail "--migrate-store 1 never came to $point"
  "$bin/gopmill-scheduler" --config "$at/scheduler.yaml" --migrate-store 1 >>"$at/migrate.log" 2>&1 || fail "--migrate-store 1 after $point"
}
begin_death() { # slot program
  local pass=1
  choose "$2"
  [ -n "$point" ] || return
  armed[$1]=$point since[$1]=$SECONDS
  if [ "$point" = - ]; then
    kill_hard "$2" || armed[$1]="" # nobody was there
  elif is_of_start "$point"; then
    kill -9 "$(pid scheduler)"
    case $point in migrate.*) to_schema_1 "$1" ;; esac
    arm "$1" "$2" "$point" 1
    revive_scheduler
  else
    [ "$deaths" = 0 ] || pass=$((1 + RANDOM % 4))
    arm "$1" "$2" "$point" "$pass"
  fi
}
look_at() { # slot program: false when there is nothing more for it to die of
  local point=${armed[$1]:-} # and of a new one
  if [ -z "$point" ]; then
    may_die "$2" || return 0
    begin_death "$1" "$2"
    [ -n "$point" ]
  elif [ "$point" = - ] || [ -n "${hit[$1]:-}" ]; then
    hits=$((hits + 1)) spent[$2]=$((${spent[$2]:-0} + 1)) armed[$1]=""
    echo "$2 $point" >>"$at/deaths"
  elif [ $((SECONDS - since[$1])) -gt 180 ]; then # of a busy machine
    [ "$deaths" != 0 ] || fail "$2 never came to $point"
    armed[$1]=""
  fi
}
revive_dead() { # the shell has waited for who is dead by itself
  read -r p <"$at/scheduler"
  [ -e "/proc/$p" ] || revive_scheduler
  read -r p <"$at/n1"
  [ -e "/proc/$p" ] || revive_node
}
busy=1
while [ "$busy" = 1 ] && [ "$failures" = 0 ]; do
  busy=0
  look_at_slots
  mapfile -t all <"$at/ended"
  for slot in "${!slots[@]}"; do
    look_at "$slot" "${slots[$slot]}" && busy=1
  done
  revive_dead
  nap 0.02
done
seconds=$((SECONDS - began))
for slot in "${!slots[@]}"; do
  put_slot "$slot" "$text_bytes" '\0\0\0\0'
done
sleep 0.1 # a death that was on its way
! is_gone "$(pid scheduler)" || revive_scheduler
! is_gone "$(pid n1)" || revive_node
end_farm
# Each job that is still known ended once, was told once or oftener with the same identity, and as what it is.
untold() {
  jq -r '.[0] + " " + .[1]' "$work/all" | awk 'NR == FNR { kind[$2] = kind[$2] " " $3; if ($2 in name && name[$2] != $1 || NF > 3) print "wrong: " $0; name[$2] = $1; next }
    { if (index(kind[$1], " gopmill.job." $2) != 1) print $1 ": " $2 ", told:" kind[$1] }' "$work/told" -
}
is_told() { [ -z "$(untold)" ]; }
[ -z "${receiver:-}" ] || until_true "who waits for the ends of jobs has been told: $(untold | head -n 3)" is_told
for folder in "$at/gone"/*; do # or it was done before it was cancelled
  check "a cancelled job leaves its report alone in $folder" test "$(only_report "$folder" && echo ok || look "$folder")" = ok
done
echo "$hits deaths in $seconds s, $(wc -l <"$at/acked") jobs acknowledged, $(ls "$at/gone" | wc -l) more cancelled"
check "something died" test "$hits" -gt 0
finish
