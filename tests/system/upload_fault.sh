#!/usr/bin/env bash
# A file sent to a store that fails: s3_fault.c stands between client, scheduler and a real server. Each part that meets a fault is sent again, by
# itself; what is there in the end is the file.
. "$(dirname "$0")/lib.sh"
. "$here/s3_lib.sh"

need_built s3_fault
need_s3 ceph
export XDG_STATE_HOME=$work/state no_proxy="127.0.0.1,localhost"
s3_bucket sent
s3_keys_file "$work/s3.keys"
# The first upload, of one part, meets nothing: it has the puts by which the scheduler tries the store. Of the second one parts meet one fault each.
faults=(500 503 reset lost done-500 cut-up flip-up 403 late)
rules=(head:9:503 head:12:reset list:3:503)
for ((i = 0; i < ${#faults[@]}; i++)); do rules+=("put:$((11 + 2 * i)):${faults[i]}"); done
s3_faults "$work/log" script "${rules[@]}"
farm_options="storage: [\"s3://* endpoint=$s3_fault_url region=$s3_region style=path keys=$work/s3.keys\"]
uploads: s3://sent/here"
farm up
ready() { curl -sf --unix-socket "$at/http" http://x/v1/uploads -o /dev/null; }
until_true "the bucket was listed" ready
upload() { timeout 200 "$bin/gopmill" upload "$@" 2>"$work/stderr"; }

echo one >"$work/one"
upload "$work/one" >/dev/null || fail "a small one: $(cat "$work/stderr")"
check "it met no fault: $(cat "$work/log")" test "$(awk '$3 != "-"' "$work/log" | wc -l)" = 0
head -c $((24 << 20)) /dev/urandom >"$work/file"
up=$(upload "$work/file" --json) || fail "behind faults: $(tail -n 3 "$work/stderr")"
check "it is complete" jq -e '.state == "complete"' <<<"$up"
id=$(jq -r .id <<<"$up")
s3_at='' # past the proxy
for key in $(s3_keys sent "here/$id/part-"); do s3_curl "sent/$key"; done >"$work/joined"
check "they are the file" cmp -s "$work/joined" "$work/file"
for fault in "${faults[@]}"; do
  check "a part met $fault: $(awk '$3 != "-" {print $1 ":" $2 ":" $3}' "$work/log" | tr '\n' ' ')" grep -q "^put [0-9]* $fault .*/part-" "$work/log"
done
check "those that met none were sent once: $(cut -d' ' -f1-6 "$work/log" | tail -n 60)" awk '
  $1 == "put" && $5 ~ /part-/ { n[$5]++; if ($3 != "-") bad[$5] = 1 }
  END { for (k in n) if (n[k] > 1 && !bad[k]) wrong = 1; exit wrong }' "$work/log"
check "no signature is in a log" sh -c "! grep -qsE 'X-Amz-Signature' '$at'/*.log '$work/stderr'"
stop scheduler
finish
