#!/usr/bin/env bash
# Two nodes of one machine with one content cache, before an S3 server that is counted: what either put or fetched neither fetches again, the limit is
# of both, and a node that is killed leaves nothing locked and nothing torn.
. "$(dirname "$0")/lib.sh"
. "$here/s3_lib.sh"

need_built s3_fault
need_s3
make_clip "$work/both.mp4" 24 320x240 24
small_pipeline "$work/small.yaml" 240
for b in work dest; do s3_bucket $b; done
s3_keys_file "$work/s3.keys"
s3_faults "$work/log" script
lease_ms=3000 work_store=s3://work/farm farm_options="storage: [\"s3://* endpoint=$s3_fault_url region=$s3_region style=path keys=$work/s3.keys\"]" farm shared
cache=$at/cache
with_cache() { # bytes
  node_options="devices: off
cache: $cache
cache_bytes: $1"
}
with_cache 1Gi
node n1
node n2
got() { # title: its files' hashes are in $work/title.sha
  check "$1: the result is there" s3_down dest "$1/" "$work/got"
  tree_hash "$work/got" >"$work/$1.sha"
  rm -rf "$work/got"
}
job() { # clip; out: a title, or it is the clip's name
  local rc=0 out=${out:-$1}
  timeout 250 "$bin/gopmill" submit "$work/$1.mp4" --out "s3://dest/$out" --pipeline "$work/small.yaml" --watch >/dev/null 2>"$work/stderr" || rc=$?
  check "$out: exit 0, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
  got "$out"
}
gets() { awk '$1 == "get" && /farm\/jobs\//' "$work/log" | wc -l; } # of what jobs have in between
entries() { find "$cache" -type f -regex '.*/[0-9a-f]+' -printf '%s %p\n'; }
sum() { entries | awk '{n += $1} END {print n + 0}'; }
noted() { od -An -tu8 -N8 "$cache/.lock" | tr -d ' '; }
whole() { # each entry is what its name says
  entries | while read -r _ path; do [ "$(sha256sum "$path" | cut -d' ' -f1)" = "${path##*/}" ] || { echo "$path"; return 1; }; done
}

job both
check "requests are counted" grep -q '^put .*farm/jobs/' "$work/log"
check "both worked" test "$(s3_curl dest/both/report.json | jq '[.tasks[].node] | unique | length')" = 2
check "what one put neither fetched: $(gets)" test "$(gets)" = 0
check "it lies in the folder of both" test "$(entries | wc -l)" -gt 8
check "not in their own" test -z "$(find "$at/n1.d/cache" "$at/n2.d/cache" -type f)"
check "the sum is right: $(noted), $(sum)" test "$(noted)" = "$(sum)"

entries | sort -n | tail -n 2 | cut -d' ' -f2 >"$work/spoilt"

# one is killed while bodies are put in, earlier and later
for i in 0 1 2; do
  make_clip "$work/killed$i.mp4" 24 320x240 24 -crf $((20 + i)) # of other bytes
  clip=killed$i
  id=$(gopmill submit "$work/$clip.mp4" --out "s3://dest/$clip" --pipeline "$work/small.yaml" 2>"$work/stderr") || fail "submit: $(cat "$work/stderr")"
  before=$(entries | wc -l)
  grew() { [ "$(entries | wc -l)" -gt $((before + 2 * i)) ]; }
  until_true "killed $i: bodies are put in" grew
  kill -KILL "$(pid n1)"
  wait "$(pid n1)" 2>/dev/null
  node n1
  is_done() { gopmill job show "$id" --json | jq -e '.state == "done"' >/dev/null; }
  until_true "killed $i: the job is done" is_done
  got "$clip"
  check "killed $i: nothing is torn: $(whole)" whole >/dev/null
  out=calm$i job "$clip"
  check "killed $i: same bytes" cmp -s "$work/killed$i.sha" "$work/calm$i.sha"
done

# bodies that are wrong: written over, cut
printf x | dd of="$(head -n 1 "$work/spoilt")" conv=notrunc status=none
truncate -s 100 "$(tail -n 1 "$work/spoilt")"
check "they are wrong" test -n "$(whole)"
out=spoilt job both
check "wrong ones: same bytes" cmp -s "$work/both.sha" "$work/spoilt.sha"
check "wrong ones are gone: $(whole)" whole >/dev/null
stop n1
stop n2

# less room than a job takes
with_cache 300k
node n1
node n2
out=small job both
check "same bytes" cmp -s "$work/both.sha" "$work/small.sha"
check "the limit holds: $(sum)" test "$(sum)" -le 300000
check "the sum is not less than there is: $(noted), $(sum)" test "$(noted)" -ge "$(sum)"
check "nothing is torn" whole
stop n1
stop n2
node n1
check "nothing is on its way: $(ls "$cache" | grep tmp)" test -z "$(find "$cache" -name 'tmp-*')"
check "the sum is right: $(noted), $(sum)" test "$(noted)" = "$(sum)"
stop n1
stop scheduler
finish
