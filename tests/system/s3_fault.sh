#!/usr/bin/env bash
# A farm whose S3 server fails: s3_fault.c stands before a real one, and what it does follows from a seed. s3_fault.sh [SEEDS [FIRST]]. For each seed it
# says "result seed= end= seconds= requests= faults= left= doubled=": how the job ended, each fault as KIND/FAULT:TIMES, objects and uploads that nobody
# needs, objects with two bodies. s3_fault.sh table LOG...: what such runs printed as a table a fault.
if [ "${1:-}" = table ]; then
  shift
  exec awk '$1 == "result" && NF == 8 {
      split("", of)
      for (i = 2; i <= NF; i++) { at = index($i, "="); of[substr($i, 1, at - 1)] = substr($i, at + 1) }
      if (of["seed"] in seen) next
      seen[of["seed"]] = 1; jobs++; ends[of["end"]]++; requests += of["requests"]; left += of["left"]; doubled += of["doubled"]
      n = split(of["faults"], list, ",")
      split("", mine)
      for (i = 1; i <= n; i++) if (split(list[i], part, /[\/:]/) == 3) {
        times[part[2]] += part[3]; of_kind[part[2], part[1]] += part[3]; kinds[part[1]] = 1; mine[part[2]] = 1; all += part[3]
      }
      for (f in mine) { in_jobs[f]++; failed[f] += of["end"] != "done" }
    }
    END {
      printf "%d jobs, %d requests, %d faults; left: %d; doubled: %d; ended:", jobs, requests, all, left, doubled
      for (e in ends) printf " %s %d", e, ends[e]
      print "\n\n| fault | times | at | jobs that met it | of these failed |\n| --- | --- | --- | --- | --- |"
      fflush()
      for (f in times) {
        where = ""
        for (k in kinds) if ((f, k) in of_kind) where = where (where == "" ? "" : ", ") k " " of_kind[f, k]
        printf "| %s | %d | %s | %d | %d |\n", f, times[f], where, in_jobs[f], failed[f] | "sort"
      }
    }' "$@"
fi
. "$(dirname "$0")/lib.sh"
. "$here/s3_lib.sh"

need_built s3_fault
need_s3

# What the faults are worth: each is seen by a client that is not ours, and does to the server what it says.
head -c 300000 /dev/urandom >"$work/a"
s3_bucket try
s3_hash=$(sha256sum "$work/a" | cut -d' ' -f1) s3_put "$work/a" try/x
s3_faults "$work/log" script get:1:flip get:2:short get:3:less get:4:503 get:5:reset get:6:hold get:7:403 \
  put:1:lost put:2:flip-up put:3:cut-up put:4:500 put:5:done-500 put:6:late head:1:reset list:1:short
is_whole() { s3_at=$s3_fault_url s3_curl try/x -o "$work/b" -f && cmp -s "$work/a" "$work/b"; }
up() { s3_at=$s3_fault_url s3_hash=$(sha256sum "$work/a" | cut -d' ' -f1) s3_status "try/$1" -T "$work/a"; }
is_there() { [ "$(s3_status "try/$1" -I)" = 200 ]; }
is_not_there() { [ "$(s3_status "try/$1" -I)" = 404 ]; }
for fault in flip short less 503 reset; do
  rm -f "$work/b"
  check "a get meets $fault" test "$(is_whole && echo whole)" = ""
done
check "one that is late is whole" is_whole
check "403 is of signed URLs alone" is_whole
check "a put's answer is lost: $(up p1)" is_there p1
check "a put with another bit is refused" test "$(up p2)" = 400
check "and leaves nothing" is_not_there p2
check "a put is cut: $(up p3)" is_not_there p3
check "a put is not done" test "$(up p4)" = 500
check "and leaves nothing" is_not_there p4
check "a put is done, and said not to be" test "$(up p5)" = 500
check "and is" is_there p5
check "a put is late" test "$(up p6)" = 200
check "a head gets no answer" test "$(s3_at=$s3_fault_url s3_status try/x -I)" = 000
check "a list is cut" test "$(s3_at=$s3_fault_url s3_keys try 2>/dev/null >&2 && echo whole)" = ""
check "the log has each with its fault: $(grep -vc ' - ' "$work/log")" test "$(grep -vc ' - ' "$work/log")" = 14
check "and no query" sh -c "! grep -q '[?]' '$work/log'"
kill "$s3_fault_pid"

# A farm whose source, work store and destination are all behind it: each job ends done with the same bytes, or failed with a code, and leaves nothing.
seeds=${1:-0} first=${2:-1}
[ "$seeds" -gt 0 ] || finish
make_clip "$work/clip.mp4" 6 320x240 24
small_pipeline "$work/small.yaml" 240
for b in source work dest; do s3_bucket $b; done
s3_put "$work/clip.mp4" source/clip.mp4
gopmill transcode "$work/clip.mp4" --out "$work/calm" --pipeline "$work/small.yaml" --quiet >/dev/null 2>"$work/stderr" || fail "folders: $(cat "$work/stderr")"
tree_hash "$work/calm" >"$work/calm.sha"
: >"$work/log"
echo 0 >"$work/seed"
s3_faults "$work/log" seeds "$work/seed" 7
s3_keys_file "$work/s3.keys"
lease_ms=15000 work_store=s3://work/farm farm_options="storage: [\"s3://* endpoint=$s3_fault_url region=$s3_region style=path keys=$work/s3.keys\"]" farm faults
node_options="devices: off"
node n1
node_options="$node_options
cache_bytes: 0" node n2 # it reads all from the store
put_seed() { echo "$1" >"$work/seed.new" && mv "$work/seed.new" "$work/seed"; }
dropped() { s3_is_empty work && s3_no_upload dest; }
left() { # of a work store, of uploads, and below the destination of a job that failed: how many; "?" where that can't be told
  local all
  all=$(s3_keys work && s3_uploads work && s3_uploads dest && { [ "$2" = 0 ] || s3_keys dest "s$1/" | sed '/\/report.json$/d'; }) || { echo "?"; return; }
  grep -c . <<<"$all"
}
only_the_report() { s3_has_only dest "s$1/" '/report.json$'; }
doubled() { # what two puts of one name left different, or a body that was spoilt and taken
  awk '($1 == "put" || $1 == "part") && $6 ~ /^2/ {
    if ($3 == "flip-up") print "taken though spoilt: " $5
    if ($1 == "put" && $5 !~ /[.](json|m3u8|mpd)$|[.]gm-try$/ && $5 in sum && sum[$5] != $8) print "twice: " $5
    sum[$5] = $8 }' "$work/log"
}
ended=0
for ((seed = first; seed < first + seeds; seed++)); do
  : >"$work/log"
  put_seed "$seed"
  rc=0 began=$SECONDS
  timeout 240 "$bin/gopmill" submit s3://source/clip.mp4 --out "s3://dest/s$seed" --pipeline "$work/small.yaml" --watch >/dev/null 2>"$work/stderr" || rc=$?
  for ((i = 0; i < 30; i++)); do # what deletes and lists after a job meets faults too
    ! s3_is_empty work || break
    sleep 0.1
  done
  put_seed 0
  took=$((SECONDS - began))
  requests=$(wc -l <"$work/log")
  faults=$(awk '$3 != "-" {print $1 "/" $3}' "$work/log" | sort | uniq -c | awk '{printf "%s%s:%s", (NR > 1 ? "," : ""), $2, $1}')
  why=$(grep -m 1 -oE 'error: [a-z]+[.][a-z_]+' "$work/stderr" | cut -d' ' -f2)
  if [ "$rc" = 0 ]; then
    ended=$((ended + 1))
    rm -rf "$work/got"
    check "seed $seed: the result is there" s3_down dest "s$seed/" "$work/got"
    tree_hash "$work/got" >"$work/got.sha"
    check "seed $seed: same bytes: $(diff "$work/calm.sha" "$work/got.sha" | head -n 3)" cmp -s "$work/calm.sha" "$work/got.sha"
  else
    echo "seed $seed: $(grep -m 1 'error: ' "$work/stderr" | head -c 400)"
    check "seed $seed: a code, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test -n "$why" -a "$why" != gopmill.bug
    until_true "seed $seed: nothing but a report is left" only_the_report "$seed"
  fi
  until_true "seed $seed: nothing is left in the work store, no upload is open" dropped || s3_keys work | head -n 3
  twice=$(doubled)
  check "seed $seed: nothing is doubled: $twice" test -z "$twice"
  [ "$rc" = 0 ] && end=done || end=${why:-unknown}
  echo "result seed=$seed end=$end seconds=$took requests=$requests faults=$faults left=$(left "$seed" "$rc") doubled=$(grep -c . <<<"$twice")"
done
check "most jobs get through: $ended of $seeds" test "$ended" -ge $((seeds / 2))
check "no signature is in a log" sh -c "! grep -qE 'X-Amz-(Signature|Credential)' '$at'/*.log"
finish
