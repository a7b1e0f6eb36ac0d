#!/usr/bin/env bash
# The crash points of scheduler, agent and worker (common/crash.h): processes die there as by kill -9 and are started
# again, while two clients submit job after job. What a client was told is done must be done, once, with the undisturbed bytes.
#   crash.sh                  each point once
#   crash.sh DEATHS [SEED]    so many deaths at random points and passes, among them some at no point
. "$(dirname "$0")/lib.sh"
. "$here/history.sh"

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

control=$work/control
head -c $((8 * slot_bytes)) /dev/zero >"$control"
export GM_CRASH=$control
begin_farm crash

hits=0 began=$SECONDS
declare -A budget # deaths of a program until another job has ended: those of node and worker together are less than a task's 8 attempts
may_die() { # program
  local most=5
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
  case $point in state.* | start.* | migrate.*) # reached by a start
    kill -9 "$(pid scheduler)" ;;
  esac
  case $point in migrate.*) # back to schema 1, which dies first
    wait "$(pid scheduler)" 2>/dev/null
    arm "$1" "$2" "$point" 1
    "$bin/gopmill-scheduler" --config "$at/scheduler.yaml" --migrate-store 1 >>"$at/migrate.log" 2>&1
    is_hit "$1" || fail "--migrate-store 1 never came to $point"
    "$bin/gopmill-scheduler" --config "$at/scheduler.yaml" --migrate-store 1 >>"$at/migrate.log" 2>&1 || fail "--migrate-store 1 after $point" ;;
  esac
  arm "$1" "$2" "$point" "$pass"
  case $point in state.* | start.* | migrate.*) revive_scheduler ;; esac
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
    case ${armed[$p]} in state.* | start.* | migrate.*) ;; *) revive "$p" ;; esac
    armed[$p]=""
  elif [ $((SECONDS - since[$p])) -gt 60 ]; then # of a busy machine
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
end_farm
echo "$hits deaths in $seconds s, $(wc -l <"$at/acked") jobs acknowledged of $(wc -l <"$work/jobs")"
check "something died" test "$hits" -gt 0
finish
