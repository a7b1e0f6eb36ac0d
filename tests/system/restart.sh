#!/usr/bin/env bash
# Nodes started anew one after the other in the middle of a job (`gopmill node restart`), by what supervises them: each is
# another process afterwards, all attempts are done, the bytes are the undisturbed ones. And a node that is told to end by
# SIGTERM with time to end what it has.
. "$(dirname "$0")/lib.sh"
trap 'jobs -p | xargs -r kill -9 2>/dev/null; cat "$work"/main/n?.agent 2>/dev/null | xargs -r kill -9 2>/dev/null; rm -rf "$work"' EXIT

clip=$work/clip.mp4
make_clip "$clip" 40 640x360 24
small_pipeline "$work/small.yaml" 360
sed -i 's/ultrafast/slow/' "$work/small.yaml" # chunks that take a while
lease_ms=15000 stall_ms=60000 farm main
node_options="devices: off
drain_s: 240"
# What systemd does with Restart=on-failure: status 75 starts it again, 0 does not.
cat >"$work/supervise" <<'SH'
#!/usr/bin/env bash
while :; do
  "$GM_NODE" "$@" &
  node=$!
  echo "$node" >"${2%.yaml}.agent"
  trap 'kill -TERM $node' TERM
  wait "$node"
  rc=$?
  while kill -0 "$node" 2>/dev/null; do wait "$node"; rc=$?; done
  echo "$rc" >>"${2%.yaml}.status"
  [ "$rc" = 75 ] || exit "$rc"
done
SH
chmod +x "$work/supervise"
export GM_NODE=$bin/gopmill-node
node_program=$work/supervise
for n in n1 n2 n3; do node $n; done
agents() { cat "$at"/n?.agent; }
submit() { # name input: id in $id, output in $out
  out=$at/out-$1
  id=$(gopmill submit "$2" --out "$out" --pipeline "$work/small.yaml" 2>"$work/stderr") || fail "submit: $(cat "$work/stderr")"
}
ends() { # name
  local rc=0
  timeout 240 "$bin/gopmill" watch "$id" >/dev/null 2>"$work/stderr" || rc=$?
  check "$1: exit 0, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
  tree_hash "$out" >"$work/out.sha"
  check "$1: same bytes" cmp -s "$work/calm.sha" "$work/out.sha"
}
# A run at the end of a job may be copied, and the slower of both is cancelled then: nothing else ends otherwise than done.
outcomes() { jq -r '[.tasks[] | select(.outcome != "cancelled") | if .outcome == "done" then "done" else "\(.outcome) \(.task) \(.error.code)" end] | unique | join(", ")' "$out/report.json"; }
attempts() { jq '[.tasks[] | select(.outcome == "done")] | length' "$out/report.json"; }
dropped() { grep -h "event=task-dropped job=$id" "$at"/n?.log | grep -v 'the scheduler cancelled it'; }
encoding() { cat "$at"/n?.log | grep -c 'event=assigned .*task=video'; }
busy() { [ "$(encoding)" -ge "$1" ]; }
state_of() { gopmill node list --json | jq -r ".nodes[] | select(.id == \"$1\") | .state"; }

submit calm "$clip"
timeout 240 "$bin/gopmill" watch "$id" >/dev/null 2>&1
tree_hash "$out" >"$work/calm.sha"
check "undisturbed run" test -e "$out/master.m3u8"
calm=$(attempts)

agents >"$work/agents"
seen=$(encoding)
submit rolling "$clip"
until_true "chunks are being encoded" busy $((seen + 2))
check "exit 0" status 0 timeout 240 "$bin/gopmill" node restart --all --timeout 200
check "each is told: $(cat "$work/out")" test "$(grep -c ' restarted$' "$work/out")" = 3
ends "one after the other"
check "all attempts are done, got $(outcomes)" test "$(outcomes)" = "done"
check "none is made twice: as many as undisturbed, $calm: $(attempts)" test "$(attempts)" = "$calm"
check "no node dropped one: $(dropped)" test -z "$(dropped)"
agents >"$work/agents.now"
check "each node is another process" test -z "$(comm -12 <(sort "$work/agents") <(sort "$work/agents.now"))"
check "each ended once, with status 75: $(cat "$at"/n?.status)" test "$(cat "$at"/n?.status | tr '\n' ' ')" = "75 75 75 "
check "all take tasks" test "$(for n in n1 n2 n3; do state_of $n; done | sort -u)" = connected

# The command dies as soon as it has asked, and so does the scheduler: the node comes back all the same.
seen=$(encoding)
submit killed "$clip"
until_true "chunks are being encoded" busy $((seen + 2))
gopmill node restart n2 --json >"$work/restart.out" 2>&1 &
asker=$!
is_restarting() { [ "$(state_of n2)" = restarting ]; }
until_true "the node is restarting" is_restarting
kill -KILL $asker
keyed() { # the status, and the id of a job that only plans
  curl -s -w '%{http_code} ' -o "$work/keyed.json" --unix-socket "$at/http" -H 'Idempotency-Key: over-a-kill' \
    -d "{\"pipeline\": \"vod-h264\", \"source\": \"file://$clip\", \"plan_only\": true}" http://x/v1/jobs
  jq -er .id "$work/keyed.json"
}
first=$(keyed)
kill -KILL "$(pid scheduler)" && wait "$(pid scheduler)" 2>/dev/null
scheduler
second=$(keyed)
check "a key makes one job over the kill: $first, $second" test "$first|200" = "201 ${second#* }|${second% *}"
ends "command and scheduler killed"
comes_back() { [ "$(state_of n2)" = connected ] && [ "$(wc -l <"$at/n2.status")" = 2 ]; }
until_true "the node has started anew, and takes tasks" comes_back
check "all attempts are done, got $(outcomes)" test "$(outcomes)" = "done"

# SIGTERM, as of a service manager: what runs ends first.
seen=$(encoding)
submit term "$clip"
until_true "chunks are being encoded" busy $((seen + 2))
for n in n1 n2; do
  kill -TERM "$(pid $n)" && wait "$(pid $n)"
  check "$n: ended with 0" test "$(tail -n 1 "$at/$n.status")" = 0
done
ends "SIGTERM with drain_s"
check "SIGTERM: no node dropped one: $(dropped)" test -z "$(dropped)"

# What would stand still is refused, and what is not there.
seen=$(encoding)
submit last "$clip"
until_true "the last node encodes" busy $((seen + 1))
check "the last node is refused" status 2 gopmill node restart n3
check "the last node: $(cat "$work/out")" said "no other node takes tasks now"
check "a node that is gone is refused" status 2 gopmill node restart n1
check "a node that is gone: $(cat "$work/out")" said "node n1 is gone"
check "no node is named" status 2 gopmill node restart
check "no node named" said "NODE (or --all) is missing"
check "exit 0" status 0 timeout 240 "$bin/gopmill" node restart n3 --force --json
check "forced: $(cat "$work/out")" said '"restarted": ["n3"]'
ends "the last node, by force"
nothing_left "$at"/out-*
finish
