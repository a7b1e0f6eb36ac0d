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
finish
