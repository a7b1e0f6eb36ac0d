# Shared by the system tests: sourced, not run. Needs bash, jq and the ffmpeg program (as an oracle only).
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
bin=${GOPMILL_BIN:-$top/build/bin}
work=$(mktemp -d "${TMPDIR:-/tmp}/gm-test-XXXXXX")
trap 'jobs -p | xargs -r kill -9 2>/dev/null; rm -rf "$work"' EXIT
checks=0 failures=0
exec 9>&1 # a result is told there, though `check ... >/dev/null` silences its command

fail() { echo "FAILED: $*" >&9; failures=$((failures + 1)); }
check() { # sentence command... : the command must succeed
  local what=$1
  shift
  checks=$((checks + 1))
  "$@" || fail "$what"
}
finish() {
  echo "$checks checks, $failures failed"
  [ "$checks" -gt 0 ] && [ "$failures" = 0 ]
  exit $?
}
skip() { echo "SKIPPED: $*"; exit 77; }
need_media() { # real clips, or skip; set but missing fails
  [ -n "${GOPMILL_TEST_MEDIA:-}" ] || skip "GOPMILL_TEST_MEDIA is unset"
  [ -e "$GOPMILL_TEST_MEDIA/MANIFEST.tsv" ] || { echo "FAILED: $GOPMILL_TEST_MEDIA/MANIFEST.tsv is missing"; exit 1; }
}
has_media() { # real clips; without them a part of a test says so and is left out
  [ -n "${GOPMILL_TEST_MEDIA:-}" ] || { echo "SKIPPED here: real clips (GOPMILL_TEST_MEDIA is unset)"; return 1; }
  need_media
}
need_built() { # programs of the tests, beside those of the build
  local name
  for name in "$@"; do
    [ -e "$bin/../tests/$name" ] || { echo "FAILED: $bin/../tests/$name is not built"; exit 1; }
  done
}
gopmill() { "$bin/gopmill" "$@"; }

make_clip() { # file seconds [size] [rate] [extra encoder options]: pattern and beep, B-frames, long GOPs
  local file=$1 seconds=$2 size=${3:-640x360} rate=${4:-30}
  shift $(($# < 4 ? $# : 4))
  ffmpeg -v error -y -f lavfi -i "testsrc2=s=$size:r=$rate:d=$seconds" \
    -f lavfi -i "sine=f=440:b=4:r=48000:d=$seconds" -c:v libx264 -preset veryfast -bf 3 -g 150 \
    -pix_fmt yuv420p -c:a aac "$@" "$file"
}
small_pipeline() { # file height: H.264 and sound in HLS, one rung, made fast
  cat >"$1" <<YAML
name: small
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [$2] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], codec: h264, preset: ultrafast }
  audio:   { type: audio, needs: [split] }
  hls:     { type: package, needs: [video, audio] }
YAML
}
tree_hash() { # folder: one line a published file, without the report
  (cd "$1" && find . -type f ! -name report.json ! -name .gm-store | sort | xargs sha256sum)
}
plays() { # manifest: ffmpeg reads it all and says nothing
  local said any=()
  case $1 in *.mpd) any=(-allowed_extensions ALL) ;; esac # its DASH demuxer knows no WebVTT by name
  said=$(ffmpeg -nostdin -v error "${any[@]}" -i "$1" -f null - 2>&1)
  [ -z "$said" ] || { echo "$1: $said" | head -n 5; return 1; }
}
frames_of() { # file: decoded video frames
  ffprobe -v error -select_streams v:0 -count_frames -show_entries stream=nb_read_frames -of csv=p=0 "$1" | head -n 1 | tr -d ','
}
join_rendition() { # folder: init and segments in playlist order on stdout
  (cd "$1" && cat init-*.mp4 $(grep -v '^#' media.m3u8))
}
manifest() { # field-number: name and that column for every clip
  tail -n +2 "$GOPMILL_TEST_MEDIA/MANIFEST.tsv" | cut -f"$1"
}

status() { # wanted command...: its exit status; prints into $work/out
  local wanted=$1 got=0
  shift
  "$@" >"$work/out" 2>&1 || got=$?
  [ "$got" = "$wanted" ] || { echo "exit $got: $(cat "$work/out")"; return 1; }
}
said() { grep -qF -- "$1" "$work/out" || { cat "$work/out"; return 1; }; } # words: in what status ran

# The fake drivers of tests/drivers.
export GOPMILL_FAKE_LIB=${GOPMILL_FAKE_LIB:-$bin/../tests/drivers/lib}
has_fakes() { [ -e "$GOPMILL_FAKE_LIB/libcuda.so.1" ] && [ -e "$GOPMILL_FAKE_LIB/libnvidia-encode.so.1" ]; }
fake() { "$top/tests/drivers/with" "$@"; } # profile -- command
faulty() { # profile fault...: a copy of it with faults, in $work/profile-faulty
  rm -f "$work/$1-faulty.state"
  cp "$top/tests/drivers/profiles/$1.txt" "$work/$1-faulty"
  printf 'fault %s\n' "${@:2}" >>"$work/$1-faulty"
}

# A farm of separate programs; $at is the folder of the one that was started last.
farm() { # folder: a scheduler with short times in $work/folder, its API in GOPMILL_SCHEDULER; state_url: not its folder s; farm_options: more lines of its configuration; work_store: not a folder
  at=$work/$1
  mkdir -p "$at/s"
  head -c 32 /dev/urandom | od -v -An -tx1 | tr -d ' \n' >"$at/grant.key"
  cat >"$at/scheduler.yaml" <<YAML
state: ${state_url:-$at/s}
listen: ["tcp://127.0.0.1:*"]
http: "unix:$at/http"
pipelines: ["$top/config/pipelines"]
work_store: "${work_store:-file://$at/work}"
grant_key_file: $at/grant.key
keep_failed_ms: ${keep_failed_ms:-0}
lease_ms: ${lease_ms:-6000}
heartbeat_ms: 200
stall_ms: ${stall_ms:-10000}
device_wait_ms: ${device_wait_ms:-10000}
${farm_options:-}
YAML
  mkdir "$at/work"
  export GOPMILL_SCHEDULER=unix:$at/http
  scheduler
}
program() { # name or path, pid-file, args...: starts it and waits for READY, which is left in $ready
  local name=$1 pid=$2 path=$1
  shift 2
  case $path in */*) ;; *) path=$bin/$path ;; esac
  rm -f "$at/ready" && mkfifo "$at/ready"
  "$path" "$@" >"$at/ready" 2>>"$pid.log" 9>&- &
  echo $! >"$pid"
  IFS= read -r ready <"$at/ready" || fail "$name: $(tail -n 2 "$pid.log")"
}
scheduler() {
  program gopmill-scheduler "$at/scheduler" --config "$at/scheduler.yaml"
  wire=${ready#*listen=}
  sed -i "s|^listen:.*|listen: [\"$wire\"]|" "$at/scheduler.yaml" # the same again after a restart
}
node() { # name [key]; node_options: more lines of its configuration; node_program: another way to start it
  mkdir -p "$at/$1.d"
  cat >"$at/$1.yaml" <<YAML
node_id: $1
scheduler: ["$wire"]
state: $at/$1.d
slots: ${node_slots:-2}
grant_key_file: ${2:-$at/grant.key}
${node_options:-}
YAML
  program "${node_program:-gopmill-node}" "$at/$1" --config "$at/$1.yaml"
}
# A process whose parent is dead may stay a zombie: not every container's first process reaps.
is_gone() { ! grep -q '^State:[[:space:]]*[A-WYa-z]' "/proc/$1/status" 2>/dev/null; } # pid
pid() { cat "$at/$1"; }
stop() { kill -TERM "$(pid "$1")" && wait "$(pid "$1")" 2>/dev/null; }
until_true() { # what command...: within two minutes, as jobs of a busy machine are waited for
  local what=$1 end=$((SECONDS + 120))
  shift
  while [ $SECONDS -lt $end ]; do
    "$@" && return
    sleep 0.05
  done
  fail "never: $what"
  return 1
}
only_report() { [ -z "$(find "$1" -type f ! -name report.json ! -name .gm-store 2>/dev/null)" ]; } # folder

# No orphan, no double: what is looked at when the jobs of a farm have ended, before its scheduler does.
no_files() { [ -z "$(find "$@" -type f ! -name .gm-store 2>/dev/null | head -n 1)" ]; } # folder...
# Of a report: parts that were done twice, and numbers that two attempts have.
doubles_query='([.tasks[] | select(.outcome == "done") | [.task, .instance, .chunks.first]] | group_by(.) | map(select(length > 1)[0])[] | "done twice: \(.)"),
    ([.tasks[].attempt] | group_by(.) | map(select(length > 1)[0])[] | "attempts with one number: \(.)")'
doubles() { jq -r "$doubles_query" "$1"; } # report
nothing_left() { # results...: of the farm in $at
  local out wrong
  until_true "the work store is empty" no_files "$at/work" || find "$at/work" -type f | head -n 5
  for out in "$at"/*.d; do # of nodes that run: what was killed cleans up at its next start
    [ ! -d "$out/scratch" ] || is_gone "$(pid "$(basename "$out" .d)")" ||
      until_true "scratch of $(basename "$out" .d) is empty" no_files "$out/scratch" || find "$out/scratch" -type f | head -n 5
  done
  for out; do
    wrong=$(doubles "$out/report.json" 2>&1)
    check "nothing is double in ${out##*/}: $wrong" test -z "$wrong"
  done
}
