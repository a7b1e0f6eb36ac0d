#!/usr/bin/env bash
# A job's result at a second place: the same bytes, and what happens when that place is away: to the job nothing, and the backup is made when the
# place is back, by another scheduler too, or is given up. Folders, and a bucket behind a link that fails where there is an S3 server.
# backup.sh PART: that part alone.
. "$(dirname "$0")/lib.sh"
. "$here/s3_lib.sh"

need_built tcp_fault
only=${1:-}
part() { [ -z "$only" ] || [ "$only" = "$1" ]; }
make_clip "$work/film.mp4" 4 320x240 24
make_clip "$work/other.mp4" 4 320x240 25
small_pipeline "$work/small.yaml" 144
node_options="devices: off"

submit() { # source out backup [options...]: its id in $job; the job is done
  job=$(timeout 60 "$bin/gopmill" submit --no-upload "$1" --out "$2" --backup "$3" --pipeline "$work/small.yaml" "${@:4}" 2>"$work/stderr") ||
    { fail "submit: $(cat "$work/stderr")"; return 1; }
}
watch() { timeout 200 "$bin/gopmill" watch "$job" >/dev/null 2>"$work/stderr" || fail "$job: $(tail -n 2 "$work/stderr")"; }
shows() { gopmill job show "$job" --json >"$work/shown.json" 2>/dev/null && jq -e "$1" "$work/shown.json" >/dev/null; } # filter: true of the job
said_of() { jq -c .backup "$work/shown.json" 2>/dev/null; }
refused() { # status sentence out backup
  check "$2" status "$1" timeout 60 "$bin/gopmill" submit --no-upload "$work/film.mp4" --out "$3" --backup "$4" --pipeline "$work/small.yaml"
  check "$2: said" said "$2"
}
told() { jq -e '.backup.state == "done"' "$1/report.json" >/dev/null; } # folder
same() { # what from to: the trees, with report and manifests
  until_true "$1: the report of the destination says it" told "$2"
  until_true "$1: that of the backup, too" told "$3"
  tree_hash "$2" >"$work/one.sha"
  tree_hash "$3" >"$work/two.sha"
  check "$1: there is a result" grep -q 'master.m3u8' "$work/one.sha"
  check "$1: the same bytes: $(diff "$work/one.sha" "$work/two.sha" | head -n 3)" cmp -s "$work/one.sha" "$work/two.sha"
  check "$1: the same report" cmp -s "$2/report.json" "$3/report.json"
}
restart() { # [backup_retry_s]
  stop scheduler
  [ $# = 0 ] || echo "backup_retry_s: $1" >>"$at/scheduler.yaml"
  scheduler
}

if part folders; then
  farm folders
  node n1
  refused 2 "lies in the destination" "$at/out" "$at/out"
  refused 2 "lies in the destination" "$at/out" "$at/out/below"
  refused 2 "lies in the destination" "$at/out/below" "$at/out"
  refused 1 "storage.not_configured" "$at/out" "s3://nowhere/at"
  check "a farm that ends with the job takes none" status 2 env -u GOPMILL_SCHEDULER "$bin/gopmill" transcode "$work/film.mp4" --out "$at/out" --backup "$at/second"
  check "and says so" said "--backup"

  submit "$work/film.mp4" "$at/out" "$at/second" && watch
  until_true "the backup is made" shows '.backup.state == "done" and .backup.lacking == 0 and .backup.error == null'
  same "folders" "$at/out" "$at/second"
  check "no warning" shows '.warnings | all(.code != "backup.failed")'

  # Another title in both places: the older one is noted at both.
  submit "$work/other.mp4" "$at/out" "$at/second" --replace && watch
  until_true "the second backup is made" shows '.backup.state == "done"'
  check "the older one is noted at the backup" test "$(ls "$at/second/replaced")" = "$(ls "$at/out/replaced")"

  cp "$at/second/report.json" "$at/report.before"

  # The place is away when the job is done, and while another scheduler begins; then it is back.
  rm -rf "$at/out"
  submit "$work/film.mp4" "$at/out" "$at/away" && mv "$at/away" "$at/kept" && watch
  check "the job is done" shows '.state == "done"'
  until_true "the backup failed" shows '.backup.state == "waiting" and .backup.failures > 0 and .backup.error.code == "storage.failed" and .backup.lacking > 0'
  check "that is warned of: $(said_of)" shows '.warnings | any(.code == "backup.failed")'
  restart
  until_true "it is tried again at the start: $(said_of)" shows '.backup.failures > 1 and .backup.state == "waiting"'
  mv "$at/kept" "$at/away"
  until_true "it is made when the place is back" shows '.backup.state == "done"'
  same "away" "$at/out" "$at/away"

  # What stands at the backup already stays, and so does what another job put in this one's place at the destination.
  submit "$work/film.mp4" "$at/out3" "$at/second" && watch
  until_true "another title is there" shows '.backup.state == "failed" and .backup.error.code == "storage.title_exists"'
  check "it stays" cmp -s "$at/second/report.json" "$at/report.before"
  submit "$work/film.mp4" "$at/out4" "$at/late" && mv "$at/late" "$at/kept" && watch
  until_true "the backup failed" shows '.backup.failures > 0'
  gone=$job
  publication=$(jq -r .publication "$work/shown.json")
  mkdir -p "$at/kept/v/$publication" && echo left >"$at/kept/v/$publication/left"
  timeout 200 "$bin/gopmill" submit --no-upload "$work/other.mp4" --out "$at/out4" --replace --watch --pipeline "$work/small.yaml" >/dev/null 2>"$work/stderr" ||
    fail "in its place: $(tail -n 2 "$work/stderr")"
  mv "$at/kept" "$at/late"
  job=$gone
  echo "publish_grace_s: 1" >>"$at/scheduler.yaml"
  restart
  until_true "its place was taken: $(said_of)" shows '.backup.state == "failed" and .backup.error.code == "api.conflict"'
  until_true "what was copied goes" no_files "$at/late"

  # It never is: given up, and the job is done all the same.
  restart 3
  submit "$work/film.mp4" "$at/out2" "$at/never" && mv "$at/never" "$at/kept" && watch
  until_true "it is given up" shows '.state == "done" and .backup.state == "failed" and .backup.error.code == "storage.failed"'
  check "nothing came to be there" test ! -e "$at/never"
  nothing_left "$at/out2"
  stop n1
  stop scheduler
fi

if part s3 && s3_server ceph; then
  for b in first second; do s3_bucket $b; done
  s3_keys_file "$work/s3.keys"
  echo drop >"$work/link"
  rm -f "$work/link.port" && mkfifo "$work/link.port"
  "$bin/../tests/tcp_fault" "${s3_endpoint##*:}" "$work/link" >"$work/link.port" 2>"$work/link.log" 9>&- &
  IFS= read -r link <"$work/link.port" || fail "tcp_fault: $(cat "$work/link.log")"
  farm_options="storage: [\"s3://second endpoint=http://127.0.0.1:$link region=$s3_region style=path keys=$work/s3.keys\", \"s3://* endpoint=$s3_endpoint region=$s3_region style=path keys=$work/s3.keys\"]" farm s3
  node n1
  submit "$work/film.mp4" s3://first/out s3://second/copy && watch
  until_true "s3: the backup failed" shows '.state == "done" and .backup.state == "waiting" and .backup.failures > 0 and .backup.error != null'
  check "s3: nothing is there" s3_is_empty second
  restart
  echo pass >"$work/link"
  until_true "s3: it is made when the link is back" shows '.backup.state == "done"'
  check "s3: the first" s3_down first out/ "$work/first"
  check "s3: the second" s3_down second copy/ "$work/second"
  same "s3" "$work/first" "$work/second"
  check "s3: no upload is open" s3_no_upload second
  stop n1
  stop scheduler
elif part s3; then
  echo "SKIPPED here: no S3 server"
fi
finish
