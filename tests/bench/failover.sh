#!/usr/bin/env bash
# How long a farm is without a leader, with the times that are set by default: from when the scheduler that leads is gone to the first task that the
# next one gives out. `kill`: its process dies, and its connections break; `dead`: it stands still, as a machine that lost its power: connections
# stand, nobody is told. `busy`: the nodes work and more waits; `idle`: they have nothing, and a job comes. On an idle machine.
#   tests/bench/failover.sh [ROUNDS]     (5)
. "$(dirname "$0")/../system/lib.sh"
. "$here/pg_lib.sh"
rounds=${1:-5}

command -v python3 >/dev/null || skip "python3, for ports that are free"
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
make_clip "$work/clip.mp4" 40 320x240 25
small_pipeline "$work/small.yaml" 240
at=$work/f
mkdir -p "$at/work"
head -c 32 /dev/urandom | od -v -An -tx1 | tr -d ' \n' >"$at/grant.key"
wires="\"tcp://127.0.0.1:$(free_port)\", \"tcp://127.0.0.1:$(free_port)\""
for s in a b; do
  if [ $s = a ]; then own=${wires%%,*}; else own=${wires##*, }; fi
  cat >"$at/$s.yaml" <<YAML
state: "postgresql://farm@/postgres?host=$pg"
listen: [$own]
http: "unix:$at/$s.http"
pipelines: ["$top/config/pipelines"]
work_store: "file://$at/work"
grant_key_file: $at/grant.key
YAML
done
launch() {
  "$bin/gopmill-scheduler" --config "$at/$1.yaml" >>"$at/$1.out" 2>>"$at/$1.log" 9>&- &
  echo $! >"$at/$1"
  disown $!
}
leads() { [ "$(curl -s -m 5 --unix-socket "$at/$1.http" http://x/readyz | jq -r .ready 2>/dev/null)" = true ]; }
stands_by() { curl -s -m 5 --unix-socket "$at/$1.http" http://x/readyz | grep -q not_leader; }
launch a
until_true "the first leads" leads a
launch b
until_true "the second stands by" stands_by b
for n in one two; do
  mkdir -p "$at/$n.d"
  printf '%s\n' "node_id: $n" "scheduler: [$wires]" "state: $at/$n.d" "slots: 1" "devices: off" "grant_key_file: $at/grant.key" >"$at/$n.yaml"
  program gopmill-node "$at/$n" --config "$at/$n.yaml"
  disown "$(pid $n)"
done
submit() { # scheduler name
  GOPMILL_SCHEDULER=unix:$at/$1.http gopmill submit --quiet "$work/clip.mp4" --out "$at/$2" --pipeline "$work/small.yaml" 2>/dev/null
}
done_all() { GOPMILL_SCHEDULER=unix:$at/$1.http gopmill job list --json | jq -e '[.jobs[] | select(.state != "done")] | length == 0' >/dev/null; }
assigned() { # scheduler: when it gave out its first task, ms
  local since first
  since=$(sed -n 's/^ts=\([^ ]*\) .* event=ready .*/\1/p' "$at/$1.log" | tail -n 1)
  first=$(sed -n 's/^ts=\([^ ]*\) .* event=assigned .*/\1/p' "$at/one.log" "$at/two.log" | sort | awk -v since="$since" '$1 >= since' | head -n 1)
  [ -n "$since" ] && [ "$(date -d "$since" +%s%3N)" -ge "$began" ] && [ -n "$first" ] && at_ms=$(date -d "$first" +%s%3N)
}
leader=a other=b n=0
echo "gone work ms-to-first-assignment..."
for way in kill dead; do
  for load in busy idle; do
    times=()
    for ((i = 0; i < rounds; i++)); do
      n=$((n + 1))
      if [ $load = busy ]; then
        submit $leader "x$n" >/dev/null && submit $leader "y$n" >/dev/null || fail "submit"
        sleep 1
      else
        sleep 3 # nodes beat at different times
      fi
      began=$(date +%s%3N)
      if [ $way = kill ]; then kill -KILL "$(cat "$at/$leader")"; else kill -STOP "$(cat "$at/$leader")"; fi
      if [ $load = idle ]; then # `gopmill submit` by itself asks a standby again after pauses that grow
        until leads $other; do sleep 0.02; done
        submit $other "x$n" >/dev/null || fail "submit"
      fi
      until_true "work is given out" assigned $other
      times+=($((at_ms - began)))
      [ $way = dead ] || launch $leader
      [ $way = kill ] || kill -CONT "$(cat "$at/$leader")"
      until_true "jobs end" done_all $other
      check "all jobs are done" done_all $other
      until_true "the other stands by" stands_by $leader
      swap=$leader leader=$other other=$swap
    done
    echo "$way $load ${times[*]} median $(printf '%s\n' "${times[@]}" | sort -n | sed -n "$(((rounds + 1) / 2))p")"
  done
done
finish
