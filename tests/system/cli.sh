#!/usr/bin/env bash
# The command line over a farm: what each noun and verb answers, and the course of a job for a trace viewer.
. "$(dirname "$0")/lib.sh"

make_clip "$work/clip.mp4" 4 320x240 25
small_pipeline "$work/small.yaml" 240
farm_options='allow_sources: ["/"]
allow_destinations: ["/"]' farm f
node n1
one() { "$bin/gopmill" "$@" --json | jq -es 'length == 1' >/dev/null; } # one JSON document
finds() { "$bin/gopmill" "${@:2}" >"$work/out" 2>&1 && grep -q -- "$1" "$work/out" || { cat "$work/out"; return 1; }; } # pattern, command

id=$(gopmill submit "$work/clip.mp4" --out "$work/o" --pipeline "$work/small.yaml" --external-id film-7) || fail "submit"
check "the job is done" gopmill watch "$id" --quiet >"$work/out"
for words in "job list" "job show $id" "job explain $id" "job tasks $id" "job attempts $id" "job logs $id" "job report $id" \
  "job trace $id" "asset list" "asset show $id" "farm" "node list" "node show n1" "pipeline list" "pipeline show small" "version"; do
  [ "$words" = "pipeline show small" ] && words="pipeline show mp4-720p"
  check "$words --json is one document" one $words
  check "$words for people" sh -c "'$bin/gopmill' $words >/dev/null"
done
check "job list by external id" finds "$id" job list --external-id film-7
check "job list by another one finds none" sh -c "! '$bin/gopmill' job list --external-id film-8 | grep -q '$id'"
check "job list by part of a name" finds "$id" job list --query clip --pipeline small --tenant default
check "job tasks" finds 'video .*done' job tasks "$id"
check "job attempts" finds 'inspect .*n1 .*cpu .*done' job attempts "$id"
check "job logs" finds 'The job is done' job logs "$id"
check "asset show" finds 'master.m3u8' asset show "$id"
check "asset show of none" status 2 gopmill asset show nobody
check "farm" finds '1 connected' farm
check "a job that ended takes no priority" status 2 gopmill job priority "$id" 80
check "nor is it tried again" status 2 gopmill job retry "$id"
check "nor cancelled" status 2 gopmill job cancel "$id"
check "uploads say that there are none here" status 1 gopmill uploads list
check "it says what to set" said uploads.not_configured

sed 's/^name: small/name: ours/' "$work/small.yaml" >"$work/ours.yaml"
check "pipeline store" finds '^ours is stored$' pipeline store "$work/ours.yaml"
check "it is in the list" finds '^ours .*(stored)$' pipeline list
check "and shown" sh -c "'$bin/gopmill' pipeline show ours | cmp -s - '$work/ours.yaml'"
check "one of a folder stays" status 2 gopmill pipeline store "$top/config/pipelines/vod-h264.yaml"
stored=$(gopmill submit "$work/clip.mp4" --out "$work/stored" --pipeline ours) || fail "submit with a stored pipeline"
check "a job by its name is done" gopmill watch "$stored" --quiet >"$work/out"
check "pipeline delete" finds '^ours is deleted$' pipeline delete ours
check "it is deleted" status 2 gopmill pipeline delete ours

gopmill node drain n1 >/dev/null
id2=$(gopmill submit "$work/clip.mp4" --out "$work/p" --pipeline "$work/small.yaml") || fail "submit"
check "job priority" finds 'priority 80, class high' job priority "$id2" 80
check "job cancel" gopmill job cancel "$id2" >"$work/out"
is_cancelled() { gopmill job show "$id2" --json | jq -e '.state == "cancelled"' >/dev/null; }
until_true "it is cancelled" is_cancelled
again=$(gopmill job retry "$id2") || fail "job retry"
check "job retry prints a new id" test "${#again}" = 26 -a "$again" != "$id2"
gopmill node resume n1 >/dev/null
check "it is done" gopmill watch "$again" --quiet >"$work/out"

mine=01arz3ndektsv4rrffq69g5fav
check "submit takes an id" test "$(gopmill submit "$work/clip.mp4" --out "$work/own" --pipeline "$work/small.yaml" --id $mine)" = $mine
check "once" status 2 gopmill submit "$work/clip.mp4" --out "$work/own" --pipeline "$work/small.yaml" --id $mine
check "and no other" status 2 gopmill submit "$work/clip.mp4" --out "$work/own" --id mine
check "a webhook that is not allowed is refused" status 1 gopmill submit "$work/clip.mp4" --out "$work/hook" --webhook https://example.com/
check "and why" said allow_webhooks

check "job trace writes a file" gopmill job trace "$id" --out "$work/trace.json" --quiet
check "its events are as a viewer wants them" jq -e '
  (.traceEvents | length > 5)
  and all(.traceEvents[]; (.pid | type == "number") and (.tid | type == "number") and (.ph | IN("M", "X", "i")))
  and all(.traceEvents[] | select(.ph == "X"); .ts >= 0 and .dur >= 0)
  and ([.traceEvents[] | select(.ph == "M" and .name == "process_name").args.name] | index("node n1") != null)
  and ([.traceEvents[] | select(.cat == "attempt,done")] | length) == ([.traceEvents[] | select(.ph == "X" and .args.number)] | length)
  ' "$work/trace.json" >/dev/null
check "attempts are all in it" test "$(jq '[.traceEvents[] | select(.args.number)] | length' "$work/trace.json")" = \
  "$(gopmill job attempts "$id" --json | jq '.attempts | length')"

# W3C Trace Context: kept over a restart, and in the logs of both; a malformed header is none.
trace=4bf92f3577b34da6a3ce929d0e0e4736
body=$(jq -n --arg s "file://$work/clip.mp4" --arg d "file://$work/t" '{pipeline: "mp4-720p", source: $s, destination: $d, plan_only: true}')
ask() { curl -s --unix-socket "$at/http" -H "traceparent: $1" -d "$body" http://x/v1/jobs; }
check "a malformed traceparent is passed over" test "$(ask "00-$trace-00f067aa0ba902b7-01-x" | jq -r .traceparent)" = null
traced=$(ask "cc-$trace-00f067aa0ba902b7-01-x" | jq -r .id)
check "the traced job is done" gopmill watch "$traced" --quiet >"$work/out"
kill -9 "$(pid scheduler)" && wait "$(pid scheduler)" 2>/dev/null
scheduler
check "its traceparent is kept" test "$(gopmill job show "$traced" --json | jq -r .traceparent)" = "00-$trace-00f067aa0ba902b7-01"
check "the scheduler's log has the trace" grep -q "event=job.done job=$traced trace_id=$trace" "$at/scheduler.log"
check "the node's log has it" grep -q "event=assigned job=$traced .*attempt=1 .*trace_id=$trace node=n1" "$at/n1.log"
connected() { gopmill farm --json | jq -e '.nodes.connected == 1' >/dev/null; }
until_true "the node is back" connected

# Tab asks the farm of the line; one that does not answer completes nothing, in a second.
check "job ids are completed" test "$(gopmill completion words -- job show "${id:0:25}" | sort | tr '\n' ' ')" != ""
check "also by --scheduler" sh -c "unset GOPMILL_SCHEDULER; '$bin/gopmill' completion words -- --scheduler 'unix:$at/http' node show n | grep -qx n1"
check "nobody there: nothing" test -z "$(gopmill completion words -- --scheduler unix:/nowhere/x job show 0 2>&1)"

# A container's clock and room are as they are: what is said of the farm counts.
gopmill doctor --state "$work" --json >"$work/doctor" 2>"$work/doctor.err"
check "doctor says what is well" jq -e '[.findings[] | select(.verdict == "ok").text] | (any(test("^1 of 1 nodes"))) and (any(test("keeps what is written"))) and (any(test("takes jobs")))' "$work/doctor" >/dev/null
check "each finding that is not has a remedy or says it" jq -e 'all(.findings[]; .verdict | IN("ok", "warn", "bad"))' "$work/doctor" >/dev/null
gopmill doctor --state "$work" --config "$at/scheduler.yaml" >"$work/doctor"
check "doctor finds the scheduler where its configuration has it" grep -q "^ok .*unix:$at/http: a scheduler listens" "$work/doctor"
check "and the mark of its work store" grep -q "^ok .*$at/work has the mark $(cat "$at/work/.gm-store")" "$work/doctor"
check "and says what role one has who needs no token" grep -q '^ok .*role operate or admin' "$work/doctor"
gopmill node quarantine n1 --reason "fans are loud" >/dev/null
gopmill doctor >"$work/doctor"
check "doctor tells of quarantine" grep -q 'warn.*n1.*fans are loud' "$work/doctor"
gopmill node resume n1 >/dev/null
check "a folder that takes no files is bad" status 1 gopmill doctor --state /proc
check "it says so" said "takes no files"

check "top prints a frame" finds 'nodes   1 connected' top --once
check "top without a terminal says so" status 2 gopmill top
check "it says how" said --once
if command -v python3 >/dev/null; then
  # in a terminal of its own: drawn, quits at q, and the terminal is as before
  cat >"$work/terminal.py" <<'PY'
import fcntl, os, pty, select, signal, subprocess, sys, termios, time
how = sys.argv[1]
fd, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, bytes([24, 0, 80, 0, 0, 0, 0, 0]))
before, out, told, end, code = termios.tcgetattr(slave), b"", False, time.time() + 60, None
p = subprocess.Popen(sys.argv[2:], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                     preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
while time.time() < end:
    if select.select([fd], [], [], 0.2)[0]:
        out += os.read(fd, 65536)
    if b"q quits" in out and not told:
        told = True
        os.write(fd, b"q") if how == "q" else p.send_signal(signal.SIGTERM)
    code = p.poll()
    if code is not None and b"\x1b[?1049l" in out:
        break
good = code == 0 and b"\x1b[?1049h" in out and b"nodes   1 connected" in out and termios.tcgetattr(slave) == before
print(out if not good else "")
sys.exit(0 if good else 1)
PY
  check "top quits at q and restores the terminal" python3 "$work/terminal.py" q "$bin/gopmill" top
  check "so it does at a signal" python3 "$work/terminal.py" term "$bin/gopmill" top
fi
finish
