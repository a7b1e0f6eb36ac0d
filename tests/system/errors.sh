#!/usr/bin/env bash
# Every input code of the catalogue is met by a user: a file that brings it, exit 3, the same words in the job, its
# report, the API's problem and docs/errors.md. A code without a case fails the test. Beside them what a chunk ends with that
# no node gets through, and a buffer that is too small.
. "$(dirname "$0")/lib.sh"

catalogue=$top/common/catalogue.def
driven=
row() { # code: the catalogue's row as lines: retry, blame, status, meaning, remedy
  sed -nE "s/^GM_CODE\([0-9]+, [A-Z0-9_]+, \"$1\", ([A-Z_]+), ([A-Z]+), ([0-9]+), \"(.*)\", \"(.*)\"\)\$/\1\n\2\n\3\n\4\n\5/p" "$catalogue"
}
holds() { # json jq-arguments...
  jq -e "${@:2}" <<<"$1" >/dev/null
}
same_words() { # code json: blame, retry, remedy as in the catalogue
  local retry blame status meaning remedy
  { read -r retry; read -r blame; read -r status; read -r meaning; read -r remedy; } < <(row "$1")
  check "$1: blame, retry and remedy as in the catalogue: $2" holds "$2" --arg r "${retry,,}" --arg b "${blame,,}" \
    --arg m "$remedy" '(.retry | sub("-"; "_")) == $r and .blame == $b and .remedy == $m'
  check "$1: a row in docs/errors.md" grep -qF "| \`$1\` | $meaning |" "$top/docs/errors.md"
  check "$1: with its remedy" grep -qF "| $status | $remedy |" "$top/docs/errors.md"
}
at_once() { # code input: refused when it is submitted
  local rc=0 body status
  driven="$driven $1"
  "$bin/gopmill" submit "$2" --out "$work/o" >/dev/null 2>"$work/stderr" || rc=$?
  check "$1: submit ends with 3, got $rc: $(cat "$work/stderr")" test "$rc" = 3
  check "$1: is named: $(cat "$work/stderr")" grep -qF "$1" "$work/stderr"
  body=$(jq -n --arg s "file://$2" --arg d "file://$work/o" '{pipeline: "vod-h264", source: $s, destination: $d}' |
    curl -s -w '\n%{http_code}' --unix-socket "$at/http" -d @- http://x/v1/jobs)
  status=${body##*$'\n'} body=${body%$'\n'*}
  check "$1: the problem names it: $body" holds "$body" --arg c "$1" --argjson s "$status" \
    '.code == $c and .status == $s and .type == "urn:gopmill:error:" + $c and .detail != ""'
  check "$1: its HTTP status, got $status" test "$status" = "$(row "$1" | sed -n 3p)"
  same_words "$1" "$body"
  check "$1: no folder was made" test ! -e "$work/o"
}
jobs=()
later() { # code input [pipeline]: refused by a worker; looked at by `refused`
  local id out
  out=$work/out-${#jobs[@]}
  id=$("$bin/gopmill" submit "$2" --out "$out" --pipeline "${3:-vod-h264}" 2>"$work/stderr") ||
    fail "$1: submit: $(cat "$work/stderr")"
  jobs+=("$1 $id $out")
}
refused() { # code id folder
  local rc=0 error
  driven="$driven $1"
  timeout 180 "$bin/gopmill" watch "$2" >/dev/null 2>"$work/stderr" || rc=$?
  check "$1: exit 3, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 3
  error=$("$bin/gopmill" job show "$2" --json | jq -c .error)
  check "$1: the job says so: $error" holds "$error" --arg c "$1" '.code == $c and .text != ""'
  same_words "$1" "$error"
  check "$1: tried once" test "$("$bin/gopmill" job show "$2" --json | jq '[.tasks[] | .failures] | add')" = 1
  until_true "$1: nothing but the report is left" only_report "$3"
  check "$1: and the report says so" holds "$(cat "$3/report.json")" --arg c "$1" 'any(.errors[]; .code == $c)'
}

make_clip "$work/clip.mp4" 3 320x240 25 -movflags +faststart
farm farm
sed -E 's/(\{ *type: split.*)needs/\1damage: fail, needs/; t; s/^( *)type: split$/\1type: split\n\1damage: fail/' \
  "$top/config/pipelines/vod-h264.yaml" >"$work/whole.yaml"
check "the pipeline wants whole sources" grep -q 'damage: fail' "$work/whole.yaml"

at_once input.missing "$work/none.mp4"
at_once input.not_a_file "$work/farm"
printf '' >"$work/empty.mp4"
at_once input.empty "$work/empty.mp4"

cp "$work/clip.mp4" "$work/changes.mp4"
later input.changed "$work/changes.mp4" # no node yet: the file changes before it is read
printf x >>"$work/changes.mp4"
node n1

printf '<html><body>404 not found</body></html>' >"$work/page.mp4"
later input.not_media "$work/page.mp4"
ffmpeg -v error -i "$work/clip.mp4" -c copy "$work/tail.mp4"
head -c 20000 "$work/tail.mp4" >"$work/cut.mp4"
later input.no_index "$work/cut.mp4"
ffmpeg -v error -f lavfi -i sine=d=1 -c:a aac "$work/sound.m4a"
later input.no_video "$work/sound.m4a"
sed 's/avc1/qqq1/g' "$work/clip.mp4" >"$work/codec.mp4"
later input.unknown_codec "$work/codec.mp4"
ffmpeg -v error -i "$work/tail.mp4" -c copy -encryption_scheme cenc-aes-ctr \
  -encryption_key 00112233445566778899aabbccddeeff -encryption_kid 00112233445566778899aabbccddeeff "$work/locked.mp4"
later input.encrypted "$work/locked.mp4"
ffmpeg -v error -f lavfi -i testsrc=s=12x12:d=1 -pix_fmt yuv444p -c:v libx264 "$work/tiny.mp4"
later input.too_small "$work/tiny.mp4"
ffmpeg -v error -f lavfi -i color=s=8192x8192:r=1:d=1 -c:v mjpeg -pix_fmt yuvj420p "$work/huge.mov"
later input.too_large "$work/huge.mov"
printf '#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n/etc/passwd\n#EXT-X-ENDLIST\n' >"$work/list.mp4"
later input.format_refused "$work/list.mp4"
# The sound and picture bytes of an MP4 file are zeros: its index is sound, nothing decodes.
at_mdat=$(grep -abo mdat "$work/clip.mp4" | tail -n 1 | cut -d: -f1)
{ head -c $((at_mdat + 4)) "$work/clip.mp4" && tail -c +$((at_mdat + 5)) "$work/clip.mp4" | tr '\0-\377' '\0'; } >"$work/zeros.mp4"
later input.damaged "$work/zeros.mp4"
head -c $(($(stat -c %s "$work/clip.mp4") * 6 / 10)) "$work/clip.mp4" >"$work/short.mp4"
later input.truncated "$work/short.mp4" "$work/whole.yaml"
# The boxes pasp and btrt, 36 bytes side by side, become one of Dolby Vision profile 5.
ffmpeg -v error -f lavfi -i testsrc2=s=160x120:r=10:d=1,format=yuv420p10le,setsar=1 -c:v libx265 -x265-params log-level=none \
  -preset ultrafast -tag:v hvc1 "$work/dolby.mp4"
box=$(($(grep -abo pasp "$work/dolby.mp4" | head -n 1 | cut -d: -f1) - 4))
check "pasp and btrt lie side by side" test "$(tail -c +$((box + 21)) "$work/dolby.mp4" | head -c 4)" = btrt
{ printf '\0\0\0\44dvcC\1\0\12\15'; head -c 24 /dev/zero; } | dd of="$work/dolby.mp4" bs=1 seek=$box conv=notrunc status=none
later input.dolby_vision_only "$work/dolby.mp4"
ffmpeg -v error -i "$work/clip.mp4" -an -c copy "$work/silent.mp4"
later input.no_audio "$work/silent.mp4" audio-only
for job in "${jobs[@]}"; do
  # shellcheck disable=SC2086
  refused $job
done

# A file that may not be read: the superuser may, unless that right is taken from it.
driven="$driven input.denied"
cp "$work/clip.mp4" "$work/denied.mp4"
chmod 0 "$work/denied.mp4"
humble=()
[ "$(id -u)" != 0 ] || humble=(setpriv --inh-caps=-all --bounding-set=-dac_override,-dac_read_search)
rc=0
timeout 180 env -u GOPMILL_SCHEDULER "${humble[@]}" "$bin/gopmill" transcode "$work/denied.mp4" --out "$work/denied" --json >"$work/stdout" 2>"$work/stderr" || rc=$?
check "input.denied: exit 3, got $rc: $(tail -n 2 "$work/stderr")" test "$rc" = 3
error=$(jq -c 'select(.error != null) | .error' "$work/stdout" | tail -n 1)
check "input.denied: is named: $error" holds "$error" '.code == "input.denied"'
same_words input.denied "$error"

# Others than of the input, with exit 1.
ends() { # code id folder outcomes: of the last task's attempts
  local rc=0 error
  timeout 180 "$bin/gopmill" watch "$2" >/dev/null 2>"$work/stderr" || rc=$?
  check "$1: exit 1, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 1
  error=$("$bin/gopmill" job show "$2" --json | jq -c .error)
  check "$1: the job says so: $error" holds "$error" --arg c "$1" '.code == $c and .text != ""'
  same_words "$1" "$error"
  until_true "$1: nothing but the report is left" only_report "$3"
  check "$1: its attempts: $(jq -c '[.tasks[] | select(.outcome != "done") | [.node, .error.code]]' "$3/report.json")" \
    holds "$(cat "$3/report.json")" --argjson w "$4" '[.tasks[] | select(.outcome != "done") | [.node, .error.code]] == $w'
}
small_pipeline "$work/slow.yaml" 240
sed -i 's/preset: ultrafast/preset: veryslow/; /audio:/d; s/, audio//' "$work/slow.yaml"
make_clip "$work/long.mp4" 6 640x360 25 -an # one chunk
# The worker dies of the chunk wherever it is encoded.
node n2
node n3
id=$("$bin/gopmill" submit "$work/long.mp4" --out "$work/poison" --pipeline "$work/slow.yaml" 2>/dev/null)
encodes() { "$bin/gopmill" job show "$id" --json | jq -e "any(.tasks[]; .type == \"encode\" and .state != \"failed\" and .state != \"done\" ${1:-})" >/dev/null; }
runs_on() { # the node of its running attempt, whose workers alone are killed: idle ones that die thrice are a slot less
  "$bin/gopmill" node list --json | jq -r --arg id "$id" 'first(.nodes[] | select(any(.leases[]; .job == $id and .type == "encode")) | .id) // empty'
}
until_true "it is encoded" encodes "and .attempts > 0"
end=$((SECONDS + 180))
while [ $SECONDS -lt $end ] && encodes; do
  on=$(runs_on)
  [ -z "$on" ] || kill -SEGV $(pgrep -P "$(pid "$on")") 2>/dev/null
  sleep 0.2
done
ends media.poison_chunk "$id" "$work/poison" '[["n1","node.worker_died"],["n2","node.worker_died"],["n3","node.worker_died"]]'
stop n2
stop n3
# Noise that no quantiser makes small enough.
ffmpeg -v error -f lavfi -i "nullsrc=s=640x360:r=25:d=1,geq='random(1)*255':128:128" -c:v libx264 -preset ultrafast "$work/noise.mp4"
sed 's/preset: veryslow/preset: ultrafast, maxrate: 16k, buffer_s: 0.5/; s/240/360/' "$work/slow.yaml" >"$work/tight.yaml"
id=$("$bin/gopmill" submit "$work/noise.mp4" --out "$work/tight" --pipeline "$work/tight.yaml" 2>/dev/null)
ends media.buffer "$id" "$work/tight" '[["n1","media.buffer"]]'

for code in $(grep -oE '"input\.[a-z0-9_]+"' "$catalogue" | tr -d '"'); do
  [ "$code" != input.upload_ended ] || continue # needs a bucket: uploads.sh has it
  check "$code has a case here" test "${driven#*"$code"}" != "$driven"
done
check "the farm still works" gopmill submit "$work/clip.mp4" --out "$work/last" --pipeline vod-h264 --watch --quiet
finish
