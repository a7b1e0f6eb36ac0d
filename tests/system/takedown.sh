#!/usr/bin/env bash
# A title is taken down that lies on an S3 server, with its backup, by schedulers that die in its midst: all of it goes, nothing else does, and it is in no
# list. The state is in PostgreSQL, as it is where several schedulers share it.
. "$(dirname "$0")/lib.sh"
. "$here/crash_lib.sh"
. "$here/pg_lib.sh"
. "$here/s3_lib.sh"
trap 'exec 2>/dev/null; s3_end; jobs -p | xargs -r kill -9 2>/dev/null; pg_kill; rm -rf "$work" "$pg" "$s3_dir"' EXIT

points gopmill-scheduler | grep -qx takedown.report || skip "the scheduler has no crash points"
need_s3
make_clip "$work/film.mp4" 3 320x240 24
make_clip "$work/other.mp4" 2 320x240 24
small_pipeline "$work/small.yaml" 240
for b in work dest second; do s3_bucket $b; done
s3_keys_file "$work/s3.keys"
node_options="devices: off"
state_url="postgresql://farm@/postgres?host=$pg" work_store=s3://work/farm \
  farm_options="storage: [\"s3://* endpoint=$s3_endpoint region=$s3_region style=path keys=$work/s3.keys\"]" farm gone
node n1
submit() { # name: its id
  timeout 200 "$bin/gopmill" submit --no-upload "$work/$1.mp4" --out "s3://dest/$1" --backup "s3://second/$1" --pipeline "$work/small.yaml" 2>"$work/stderr" ||
    fail "$1: $(cat "$work/stderr")"
}
has_backup() { gopmill job show "$1" --json 2>/dev/null | jq -e '.backup.state == "done"' >/dev/null; }
film=$(submit film)
other=$(submit other)
for id in "$film" "$other"; do until_true "$id: it has its backup" has_backup "$id"; done
rows() { psql "SELECT count(*) FROM gopmill_row WHERE name = 'asset/$1'"; }
status_of() { curl -s --unix-socket "$at/http" -o /dev/null -w '%{http_code}' "http://x$1"; }
check "it has a row: $(rows "$film")" test "$(rows "$film")" = 1
check "both are titles" test "$(gopmill asset list --json | jq '.assets | length')" = 2
check "the film is served" test "$(status_of "/v1/jobs/$film/files/master.m3u8")" = 200
for b in dest second; do check "it lies in $b" test "$(s3_keys $b film/ | wc -l)" -gt 5; done
s3_keys dest other/ >"$work/dest.keys"
s3_keys second other/ >"$work/second.keys"

# Each scheduler dies at a point further on; the first one of them was asked.
died() { is_gone "$(pid scheduler)"; }
disown "$(pid scheduler)" # bash says nothing of its death
arm 0 gopmill-scheduler takedown.master 1
asked=$(curl -s --unix-socket "$at/http" -X DELETE -o "$work/answer" -w '%{http_code}' "http://x/v1/assets/$film")
check "it is asked to go: $asked $(head -c 200 "$work/answer")" test "$asked" = 202 -o "$asked" = 000 # it may die before it answers
for point in manifests outputs report; do
  until_true "the scheduler dies before $point" died
  arm 0 gopmill-scheduler takedown.$point 1
  program gopmill-scheduler "$at/scheduler" --config "$at/scheduler.yaml"
  disown "$(pid scheduler)"
done
until_true "the scheduler dies at the last point" died
check "the backup is still there" test -n "$(s3_keys second film/)"
program gopmill-scheduler "$at/scheduler" --config "$at/scheduler.yaml"
is_no_title() { [ "$(status_of "/v1/assets/$film")" = 404 ]; }
until_true "it is no title any more" is_no_title
check "its row is gone" test "$(rows "$film")" = 0
for b in dest second; do
  check "nothing of it is left in $b: $(s3_keys $b film/ | head -n 3)" test -z "$(s3_keys $b film/)"
  s3_keys $b other/ >"$work/keys"
  check "all of the other one is in $b" cmp -s "$work/keys" "$work/$b.keys"
  check "no upload is open in $b" s3_no_upload $b
done
check "it is not served" test "$(status_of "/v1/jobs/$film/files/master.m3u8")" = 404
check "the other one is" test "$(status_of "/v1/jobs/$other/files/master.m3u8")" = 200
check "the other one alone is listed" test "$(gopmill asset list --json | jq -r '.assets[].job')" = "$other"
check "the work store is empty" s3_is_empty work
again=$(submit film)
until_true "its place is free again" has_backup "$again"
stop scheduler
program gopmill-scheduler "$at/scheduler" --config "$at/scheduler.yaml"
check "it does not come back with a start" is_no_title
stop n1
stop scheduler
finish
