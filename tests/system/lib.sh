# Shared by the system tests: sourced, not run. Needs bash, jq and the ffmpeg program (as an oracle only).
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
bin=${GOPMILL_BIN:-$top/build/bin}
work=$(mktemp -d "${TMPDIR:-/tmp}/gm-test-XXXXXX")
trap 'jobs -p | xargs -r kill -9 2>/dev/null; rm -rf "$work"' EXIT
checks=0 failures=0

fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
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
gopmill() { "$bin/gopmill" "$@"; }

make_clip() { # file seconds [size] [rate] [extra encoder options]: pattern and beep, B-frames, long GOPs
  local file=$1 seconds=$2 size=${3:-640x360} rate=${4:-30}
  shift $(($# < 4 ? $# : 4))
  ffmpeg -v error -y -f lavfi -i "testsrc2=s=$size:r=$rate:d=$seconds" \
    -f lavfi -i "sine=f=440:b=4:r=48000:d=$seconds" -c:v libx264 -preset veryfast -bf 3 -g 150 \
    -pix_fmt yuv420p -c:a aac "$@" "$file"
}
tree_hash() { # folder: one line a published file, without the report
  (cd "$1" && find . -type f ! -name report.json | sort | xargs sha256sum)
}
plays() { # manifest: ffmpeg reads it all and says nothing
  local said
  said=$(ffmpeg -nostdin -v error -i "$1" -f null - 2>&1)
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
