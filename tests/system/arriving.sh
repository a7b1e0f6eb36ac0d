#!/usr/bin/env bash
# Jobs of uploads that still arrive, in each container that allows it: planned when 8 MiB of the begin and of the end are there, chunks encoded
# before the last part, what waits for parts gives its slot back, and the segments of a job of the same file. arriving.sh CONTAINER...: those alone (first, last, fragmented, ts, mkv).
. "$(dirname "$0")/lib.sh"
. "$here/s3_lib.sh"

need_s3
for b in incoming work; do s3_bucket $b; done
s3_keys_file "$work/s3.keys"
farm_options="storage: [\"s3://* endpoint=$s3_endpoint region=$s3_region style=path keys=$work/s3.keys\"]
uploads: s3://incoming/in
part_wait_ms: 1000"
farm f
node_options="devices: off" node n1
small_pipeline "$work/s.yaml" 240

api() { # method path [json]: the status; the answer in $work/answer
  local data=()
  [ $# -lt 3 ] || data=(-d "$3")
  curl -s -m 60 -o "$work/answer" -w '%{http_code}' --unix-socket "$at/http" -X "$1" "${data[@]}" "http://x$2"
}
answers() { # what status method path [json]
  local got
  got=$(api "${@:3}")
  check "$1: $2, got $got: $(head -c 300 "$work/answer")" test "$got" = "$2"
}
submit() { # source destination: the job's id in $j
  answers "a job of $1" 201 POST /v1/jobs "$(jq -n --rawfile y "$work/s.yaml" --arg s "$1" --arg d "file://$2" '{pipeline: {yaml: $y, name: "s.yaml"}, source: $s, destination: $d}')"
  j=$(jq -r .id "$work/answer")
}
says() { [ "$(api GET "/v1/jobs/$j")" = 200 ] && jq -e "$1" "$work/answer" >/dev/null; } # filter
explains() { [ "$(api GET "/v1/jobs/$j:explain")" = 200 ] && grep -q "$1" "$work/answer"; } # words
send() { # index...: puts them, and says so
  local i sum
  for i; do
    sum=$(sha256sum "$work/parts/$i" | cut -c1-64)
    answers "grant $i" 200 POST "/v1/uploads/$u/grants" "{\"parts\": [{\"index\": $i, \"sha256\": \"$sum\"}]}"
    check "put $i" test "$(curl -s --noproxy '*' -m 60 -o /dev/null -w '%{http_code}' -T "$work/parts/$i" -H "x-amz-content-sha256: $sum" "$(jq -r '.grants[0].url' "$work/answer")")" = 200
    answers "said $i" 200 POST "/v1/uploads/$u/parts" "{\"parts\": [{\"index\": $i, \"sha256\": \"$sum\"}]}"
  done
}
segments() { # folder: what is published of pictures and sound, whatever its name
  (cd "$1" && find . -name '*.m4s' -exec sha256sum {} + | cut -d' ' -f1 | sort)
}

listed() { [ "$(api GET /v1/uploads)" = 200 ]; }
until_true "the bucket was listed" listed
ffmpeg -v error -y -f lavfi -i "testsrc2=s=640x360:r=24:d=24,noise=alls=60:allf=t" -f lavfi -i "sine=f=440:b=4:r=48000:d=24" -c:v libx264 \
  -preset ultrafast -b:v 13M -maxrate 13M -bufsize 4M -g 24 -pix_fmt yuv420p -c:a aac "$work/last.mp4"
for c in ${*:-first last fragmented ts mkv}; do
  file=$work/$c.mp4
  case $c in
    first) ffmpeg -v error -y -i "$work/last.mp4" -c copy -movflags +faststart "$file" ;;
    fragmented) ffmpeg -v error -y -i "$work/last.mp4" -c copy -movflags frag_keyframe+empty_moov "$file" ;;
    ts | mkv) file=$work/clip.$c && ffmpeg -v error -y -i "$work/last.mp4" -c copy "$file" ;;
  esac
  size=$(stat -c %s "$file") each=2097152
  check "$c: something lies between its ends" test "$size" -gt $((16 * each))
  rm -rf "$work/parts" && mkdir "$work/parts"
  n=$(((size + each - 1) / each))
  for ((i = 0; i < n; i++)); do dd if="$file" of="$work/parts/$i" bs=$each skip=$i count=1 status=none; done
  answers "an upload" 201 POST /v1/uploads "{\"name\": \"$c\", \"size\": $size, \"part_size\": $each}"
  u=$(jq -r .id "$work/answer")
  send 0 1 2 3 $((n - 1)) $((n - 2)) $((n - 3)) $((n - 4)) $((n - 5))
  submit "upload:$u" "$at/$c"
  planned='[.tasks[] | select(.name == "plan")][0].state == "done"'
  [ $c = ts ] || until_true "$c: planned by its ends" says "$planned" # of MPEG-TS the first 20 MB say which streams there are
  send $(seq 4 10)
  until_true "$c: planned while the middle is missing" says "$planned"
  until_true "$c: chunks are done while the middle is missing" says '[.tasks[] | select(.name == "video")][0].done > 0'
  until_true "$c: the split gives its slot back" explains "were uploaded"
  if [ $c = fragmented ]; then # who waits asks the next scheduler
    kill -9 "$(pid scheduler)" && wait "$(pid scheduler)" 2>/dev/null
    scheduler
    until_true "the bucket was listed again" listed
  fi
  send $(seq 11 $((n - 6)))
  answers "$c: complete" 200 POST "/v1/uploads/$u:complete"
  until_true "$c: the job ends" says '.state == "done" or .state == "failed"'
  check "$c: it is done" says '.state == "done"'
  submit "file://$file" "$at/path-$c"
  until_true "$c: a job of the path ends" says '.state == "done" or .state == "failed"'
  check "$c: the segments are those of the path" test "$(segments "$at/$c")" = "$(segments "$at/path-$c")"
done
stop n1
stop scheduler
finish
