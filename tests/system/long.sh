#!/usr/bin/env bash
# A large source, on folders and on an S3 server: it is done, and neither scheduler nor agent nor any worker holds more memory than for a small one.
#   long.sh [MB]     1024
. "$(dirname "$0")/lib.sh"
. "$here/s3_lib.sh"
mb=${1:-1024}

# Pictures that are large and cheap to decode: noise, each by itself. The first seconds again and again.
ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=s=640x360:r=30:d=10,noise=alls=60:allf=t+u" -f lavfi -i "sine=f=440:b=4:r=48000:d=10" \
  -c:v mjpeg -q:v 2 -pix_fmt yuvj420p -c:a pcm_s16le "$work/part.mov" || fail "no clip"
loops=$((mb * 1000000 / $(stat -c %s "$work/part.mov")))
ffmpeg -nostdin -v error -y -stream_loop "$loops" -i "$work/part.mov" -map 0 -c copy "$work/long.mov" || fail "no long clip"
size=$(stat -c %s "$work/long.mov")
check "it is large: $size" test "$size" -ge $((mb * 1000000))
cat >"$work/small.yaml" <<'YAML'
name: small
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [144] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], codec: h264, preset: ultrafast }
  audio:   { type: audio, needs: [split] }
  mp4:     { type: mp4, needs: [video, audio], heights: [144] }
  hls:     { type: package, needs: [video, audio] }
YAML

peak() { awk '/VmHWM/ {print int($2 / 1024)}' "/proc/$(pid "$1")/status"; } # program: MiB
below() { # name program MiB limit
  echo "$1: $2: $3 MiB at most"
  check "$1: $2 held $3 MiB of $4" test "$3" -le "$4"
}
run() { # name source out report
  local rc=0
  timeout 1500 "$bin/gopmill" submit "$2" --out "$3" --pipeline "$work/small.yaml" --watch >/dev/null 2>"$work/stderr" || rc=$?
  check "$1: exit 0, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
}
look() { # name report: what each may hold is at least twice what it held (docs/performance.md); none of it follows from the source's size
  check "$1: all pictures are there" test "$(jq '[.tasks[] | select(.task == "video" and .outcome == "done") | .usage.bytes_out] | add > 0' "$2")" = true
  below "$1" scheduler "$(peak scheduler)" 64
  below "$1" agent "$(peak n1)" 64
  below "$1" worker "$(jq '[.tasks[].usage.max_rss_bytes] | max / 1048576 | floor' "$2")" 128
  jq -r '[.tasks[]] | group_by(.task)[] | "  \(.[0].task): \([.[].usage.max_rss_bytes] | max / 1048576 | floor) MiB"' "$2"
}

node_options="devices: off"
farm folders
node n1
run folders "$work/long.mov" "$at/out"
look folders "$at/out/report.json"
frames=$(frames_of "$(find "$at/out" -path '*/mp4/*' -type f | head -n 1)")
check "folders: the MP4 file has all pictures: $frames" test "$frames" = $((300 * (loops + 1)))
stop n1
stop scheduler
rm -rf "$at/out"

s3_kind=${GOPMILL_TEST_S3_KIND:-bluestore} # a memstore is too small
need_s3
for b in source work dest; do s3_bucket $b; done
check "the source is put" test "$(s3_curl source/long.mov -m 900 -o /dev/null -w '%{http_code}' -T "$work/long.mov")" = 200
s3_keys_file "$work/s3.keys"
node_options="devices: off
cache_bytes: 256Mi
source_cache_bytes: 256Mi"
work_store=s3://work/farm farm_options="storage: [\"s3://* endpoint=$s3_endpoint region=$s3_region style=path keys=$work/s3.keys\"]" farm s3
node n1
run s3 s3://source/long.mov s3://dest/out
check "s3: the report is there" s3_curl dest/out/report.json -f -o "$work/report.json"
look s3 "$work/report.json"
kept=$(du -sm "$at/n1.d/cache" | cut -f1)
check "s3: the caches keep to their limits: $kept MB" test "$kept" -le 600
until_true "s3: nothing is left in the work store" s3_is_empty work
stop n1
stop scheduler
finish
