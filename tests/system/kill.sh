#!/usr/bin/env bash
# Kills workers, agents and the scheduler at random moments; the job must end with the undisturbed bytes.
#   kill.sh SEEDS
. "$(dirname "$0")/lib.sh"

seeds=${1:-20}
clip=$work/clip.mp4
make_clip "$clip" 16 320x240 24
gopmill transcode "$clip" --out "$work/calm" --nodes 2 --quiet >/dev/null 2>"$work/stderr" || { cat "$work/stderr"; fail "undisturbed run"; finish; }
tree_hash "$work/calm" >"$work/calm.sha"
kills=0
for seed in $(seq 1 "$seeds"); do
  RANDOM=$seed
  out=$work/out
  rm -rf "$out" "$work/state"
  mkdir "$work/state"
  "$bin/gopmill" transcode "$clip" --out "$out" --nodes 2 --state "$work/state" >/dev/null 2>"$work/stderr" &
  pid=$!
  hits=$((1 + RANDOM % 4)) n=0
  while kill -0 $pid 2>/dev/null && [ $n -lt $hits ]; do
    sleep "0.$(printf '%03d' $((RANDOM % 700)))" # the random moment
    case $((RANDOM % 3)) in
    0) victim=$(cat "$work/state/scheduler.pid" 2>/dev/null) ;;
    1) victim=$(cat "$work/state/node-$((1 + RANDOM % 2)).pid" 2>/dev/null) ;;
    2) agent=$(cat "$work/state/node-$((1 + RANDOM % 2)).pid" 2>/dev/null)
      workers=()
      [ -z "$agent" ] || workers=($(pgrep -P "$agent" 2>/dev/null))
      victim=${workers[$((RANDOM % (${#workers[@]} + 1)))]:-} ;;
    esac
    # a stale pid file names nobody of ours
    case $(cat "/proc/${victim:-0}/comm" 2>/dev/null) in gopmill*) ;; *) victim="" ;; esac
    [ -n "$victim" ] && kill -9 "$victim" 2>/dev/null && kills=$((kills + 1))
    n=$((n + 1))
  done
  rc=0
  wait $pid || rc=$?
  check "seed $seed: exit 0, got $rc: $(tail -n 3 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
  [ -d "$out" ] && tree_hash "$out" >"$work/out.sha" || : >"$work/out.sha"
  check "seed $seed: same bytes" cmp -s "$work/calm.sha" "$work/out.sha"
  [ "$failures" = 0 ] || { cp -r "$work/state" "/tmp/gm-kill-failed-$seed" 2>/dev/null; diff "$work/calm.sha" "$work/out.sha" | head -n 10; break; }
done
echo "$kills kills in $seeds runs"
check "something was killed" test "$kills" -gt 0
finish
