#!/usr/bin/env bash
# A job that fails at its last chunk, and is tried again: what it had made stays, only the rest is made, and the
# bytes are those of a job that nothing happened to. With another source all is made again, and the answer says so.
. "$(dirname "$0")/lib.sh"

holds() { local json=$1; shift; jq -e "$@" <<<"$json" >/dev/null; } # json jq-arguments
api() { curl -s --unix-socket "$at/http" "$@"; }
job() { "$bin/gopmill" job show "$1" --json; }
is() { [ "$(job "$1" | jq -r .state)" = "$2" ]; } # job state
made() { job "$id" | jq -e '.progress.chunks.done >= 3' >/dev/null; }
is_empty() { no_files "$at/work"; }
encodes() { "$bin/gopmill" node list --json | jq -e 'any(.nodes[].leases[]; .type == "encode")' >/dev/null; }
dies() { # its worker, as often as it tries the chunk
  ! encodes || kill -SEGV $(pgrep -P "$(pid n1)") 2>/dev/null
  is "$id" failed
}
fails() { # when three chunks of four are made
  until_true "three chunks are made" made
  until_true "it failed" dies
}

small_pipeline "$work/slow.yaml" 240
sed -i 's/preset: ultrafast/preset: veryslow/; /audio:/d; s/, audio//' "$work/slow.yaml"
make_clip "$work/clip.mp4" 24 320x240 12 -g 72 -an
farm_options=$'max_attempts: 2\nretry_ms: 100' keep_failed_ms=600000 farm main
node_slots=1 node n1
"$bin/gopmill" submit "$work/clip.mp4" --out "$work/calm" --pipeline "$work/slow.yaml" --watch --quiet >/dev/null
check "undisturbed run" test -e "$work/calm/master.m3u8"

id=$("$bin/gopmill" submit "$work/clip.mp4" --out "$work/out" --pipeline "$work/slow.yaml" 2>/dev/null)
fails
check "its worker died: $(job "$id" | jq -c .error.code)" test "$(job "$id" | jq -r .error.code)" = node.worker_died
check "what it made is kept" test -n "$(find "$work/out" -name 'seg-*.m4s' | head -n 1)"
kill -9 "$(pid scheduler)"; wait "$(pid scheduler)" 2>/dev/null # it is known from rows
scheduler
before=$("$bin/gopmill" job attempts "$id" --json | jq '[.attempts[].number] | max')
done_chunks=$(job "$id" | jq .progress.chunks.done)
answer=$(api -X POST -d '{}' -w '\n%{http_code}' "http://x/v1/jobs/$id:retry")
check "it goes on: $(tail -n 1 <<<"$answer")" test "$(tail -n 1 <<<"$answer")" = 202
check "as itself" holds "$(head -n 1 <<<"$answer")" --arg i "$id" '.id == $i and .again == {made: "failed", why: null} and .retries == 1 and .error == null'
"$bin/gopmill" watch "$id" --quiet >/dev/null
check "it is done" is "$id" done
after=$("$bin/gopmill" job attempts "$id" --json)
check "only what failed was tried: $(jq -c --argjson b "$before" '[.attempts[] | select(.number > $b) | [.task, .first_chunk, .chunks]]' <<<"$after")" \
  holds "$after" --argjson b "$before" --argjson d "$done_chunks" '[.attempts[] | select(.number > $b)]
    | all(.type | IN("inspect", "plan", "split") | not) and ([.[] | select(.type == "encode")] | length == 1 and .[0].first_chunk == $d)'
tree_hash "$work/calm" >"$work/calm.sha"
tree_hash "$work/out" >"$work/out.sha"
check "same bytes" cmp "$work/calm.sha" "$work/out.sha"
until_true "the work store is empty" is_empty

id=$("$bin/gopmill" submit "$work/clip.mp4" --out "$work/anew" --pipeline "$work/slow.yaml" 2>/dev/null)
fails
touch "$work/clip.mp4"
answer=$(api -X POST -w '\n%{http_code}' "http://x/v1/jobs/$id:retry")
check "another source: a new job" holds "$(head -n 1 <<<"$answer")" --arg i "$id" '.retry_of == $i and .again == {made: "all", why: "the source is not what it was"}'
again=$(head -n 1 <<<"$answer" | jq -r .id)
"$bin/gopmill" watch "$again" --quiet >/dev/null
check "it is done" is "$again" done
tree_hash "$work/anew" >"$work/anew.sha"
until_true "the work store is empty" is_empty
check "nothing of the first is left: $(diff "$work/calm.sha" "$work/anew.sha" | head -n 3)" cmp -s <(cut -c67- "$work/calm.sha" | wc -l) <(cut -c67- "$work/anew.sha" | wc -l)
finish
