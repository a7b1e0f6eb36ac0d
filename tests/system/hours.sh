#!/usr/bin/env bash
# A film of four hours in a source of 100 GB: 864,000 pictures and sound, inspected, planned, split, encoded and packaged as any other, in bounded memory.
# Its pictures are tiny and alike, and what lies between its fragments, a second each, are holes.
. "$(dirname "$0")/lib.sh"

bytes=100000000000
ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=s=256x144:r=60:d=10" -f lavfi -i "sine=f=440:b=4:r=8000:d=10" -vf "select='eq(n\,0)',fps=60" -t 10 \
  -c:v libx264 -preset ultrafast -crf 40 -bf 0 -g 60 -keyint_min 60 -sc_threshold 0 -pix_fmt yuv420p -c:a aac -b:a 16k -ac 1 "$work/part.mp4" || fail "no clip"
ffmpeg -nostdin -v error -y -stream_loop 1439 -i "$work/part.mp4" -map 0 -c copy -movflags frag_keyframe+empty_moov+default_base_moof+skip_trailer \
  "$work/packed.mp4" || fail "no film"
command -v python3 >/dev/null || skip "python3 is not installed"
# Behind each fragment a box that nobody reads, of nothing.
python3 - "$work/packed.mp4" "$work/film.mp4" "$bytes" <<'P' || fail "no holes"
import os, struct, sys
def boxes(f, size):
    at = 0
    while at < size:
        f.seek(at)
        n, kind = struct.unpack(">I4s", f.read(8))
        assert 8 <= n <= size - at
        yield at, n, kind
        at += n
source, target, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
size = os.path.getsize(source)
with open(source, "rb") as f, open(target, "wb") as out:
    gap = (wanted - size) // sum(kind == b"mdat" for _, _, kind in boxes(f, size)) + 8
    for at, n, kind in boxes(f, size):
        f.seek(at)
        out.write(f.read(n))
        if kind == b"mdat":
            out.write(struct.pack(">I4s", gap, b"free"))
            out.seek(gap - 8, os.SEEK_CUR)
    out.truncate()
P
rm -f "$work/packed.mp4"
check "it is large: $(stat -c %s "$work/film.mp4")" test "$(stat -c %s "$work/film.mp4")" -ge "$bytes"
check "and takes little: $(du -sm "$work/film.mp4")" test "$(du -sm "$work/film.mp4" | cut -f1)" -le 1000
cat >"$work/one.yaml" <<'YAML'
name: one
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [144] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], codec: h264, preset: ultrafast }
  audio:   { type: audio, needs: [split] }
  hls:     { type: package, needs: [video, audio] }
YAML

node_options="devices: off"
farm hours
node n1
rc=0
timeout 3000 "$bin/gopmill" submit "$work/film.mp4" --out "$at/out" --pipeline "$work/one.yaml" --watch >/dev/null 2>"$work/stderr" || rc=$?
check "exit 0, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
report=$at/out/report.json
check "all of it is known: $(jq -c '.source | [.bytes, .duration_s, .video.frames]' "$report")" \
  jq -e ".source | .bytes >= $bytes and .duration_s >= 14400 and .video.frames == 864000 and (.truncated | not)" "$report" >/dev/null
check "its playlist is as long" awk -F '[:,]' '/^#EXTINF/ {s += $2} END {exit !(s >= 14400)}' "$(find "$at/out/v" -path '*144*' -name '*.m3u8' | head -n 1)"
check "and complete" grep -rqs '^#EXT-X-ENDLIST' "$at/out/v"

below() { # what bytes limit
  echo "$1: $2 bytes at most"
  check "$1 held $2 bytes of $3" test "$2" -le "$3"
}
for task in inspect plan split video audio hls; do
  below "$task" "$(jq "[.tasks[] | select(.task == \"$task\") | .usage.max_rss_bytes] | max" "$report")" 268435456
done
below scheduler "$(awk '/VmHWM/ {print $2 * 1024}' "/proc/$(pid scheduler)/status")" 134217728
below agent "$(awk '/VmHWM/ {print $2 * 1024}' "/proc/$(pid n1)/status")" 67108864
stop n1
stop scheduler
finish
