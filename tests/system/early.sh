#!/usr/bin/env bash
# `publish: early`: playlists grow while the job works. Each version only grows and names only what is in place; the result is that
# of the ordinary job, also where the scheduler dies in the middle; a job that comes to nothing leaves nothing.
. "$(dirname "$0")/lib.sh"

make_clip "$work/clip.mp4" 48 640x360 24
cat >"$work/end.yaml" <<'YAML'
name: grows
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [360, 180] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], codec: h264, preset: slow }
  audio:   { type: audio, needs: [split] }
  images:  { type: thumbnails, needs: [video] }
  package: { type: package, needs: [video, audio, images] }
YAML
{ cat "$work/end.yaml"; echo "publish: early"; } >"$work/early.yaml"
farm_options="early_s: 1" lease_ms=60000 stall_ms=60000 farm main
node_slots=1
node_options="devices: off"
node n1

submit() { # name pipeline [option...]: id in $id, output in $out
  out=$at/out-$1
  id=$(gopmill submit "$work/clip.mp4" --out "$out" --pipeline "$2" "${@:3}" 2>"$work/stderr") || fail "submit: $(cat "$work/stderr")"
}
state() { gopmill job show "$id" --json 2>/dev/null | jq -r ".job.state // .state"; }
ended() { case $(state) in done | failed | cancelled) ;; *) false ;; esac; }

# Everything that a version names is read before anything else may come.
version=0
names() { # playlist: what it names, one a line
  grep -v '^#' "$1"
  sed -nE 's/.*URI="([^"]*)".*/\1/p' "$1"
}
look() { # keeps what stands now in $seen, if it is another version than the last one
  local list name missing="" kept=$seen/$((version + 1))
  [ -e "$out/master.m3u8" ] && [ -e "$out/manifest.mpd" ] || return 0
  mkdir -p "$kept"
  cp "$out/master.m3u8" "$kept/master.m3u8"
  cp "$out/manifest.mpd" "$kept/manifest.mpd"
  for list in $(names "$kept/master.m3u8"); do
    [ -e "$out/$list" ] || { missing="$missing $list"; continue; }
    cp "$out/$list" "$kept/$(tr / . <<<"${list#v/*/}")"
    for name in $(names "$kept/$(tr / . <<<"${list#v/*/}")"); do
      [ -s "$(dirname "$out/$list")/$name" ] || missing="$missing $list:$name"
    done
  done
  [ -z "$missing" ] || fail "named, and not there:$missing"
  if [ $version -gt 0 ] && diff -rq "$seen/$version" "$kept" >/dev/null; then
    rm -r "$kept"
  else
    version=$((version + 1))
  fi
}
only_grows() { # older newer: media playlists that were and are of EVENT
  local list name
  for list in "$1"/*.media.m3u8; do
    name=$(basename "$list")
    grep -q 'PLAYLIST-TYPE:EVENT' "$2/$name" || continue
    cmp -s -n "$(stat -c %s "$list")" "$list" "$2/$name" || { echo "$2/$name is no longer $1/$name"; return 1; }
  done
}
events() { grep -l 'PLAYLIST-TYPE:EVENT' "$seen"/*/video.360p.media.m3u8 2>/dev/null | wc -l; }
watch_it() { # name least: until the job ended; so many versions at the least come before that
  seen=$work/seen-$1 version=0
  mkdir -p "$seen"
  while ! ended; do
    look
    sleep 0.1
  done
  look
  local i
  for ((i = 2; i <= version; i++)); do
    check "$1: version $i grows" only_grows "$seen/$((i - 1))" "$seen/$i"
  done
  check "$1: versions before the end: $(events)" test "$(events)" -ge "$2"
}
is_whole() { # name: the result of the ordinary job
  check "$1: done, not $(state)" test "$(state)" = done
  tree_hash "$out" >"$work/out.sha"
  check "$1: same bytes: $(diff "$work/calm.sha" "$work/out.sha" | head -n 3)" cmp -s "$work/calm.sha" "$work/out.sha"
  check "$1: it plays" plays "$out/master.m3u8"
}

submit calm "$work/end.yaml"
until_true "the ordinary job ends" ended
tree_hash "$out" >"$work/calm.sha"
check "the ordinary job is done" grep -q master.m3u8 "$work/calm.sha"

submit early "$work/early.yaml"
watch_it early 2
is_whole early
first=$(grep -l 'PLAYLIST-TYPE:EVENT' "$seen"/*/video.360p.media.m3u8 | head -n 1)
check "no end is said before the end" sh -c "! grep -q ENDLIST '$first'"
check "the numbers begin at 1" grep -qx '#EXT-X-MEDIA-SEQUENCE:1' "$first"
check "the target duration is the last one's" test "$(grep TARGETDURATION "$first")" = "$(grep TARGETDURATION "$out"/v/*/video/360p/media.m3u8)"
check "a version has less than the end" test "$(grep -c EXTINF "$first")" -lt "$(grep -c EXTINF "$out"/v/*/video/360p/media.m3u8)"
check "the manifest was dynamic" grep -q 'type="dynamic"' "$(dirname "$first")/manifest.mpd"
check "the manifest is static" grep -q 'type="static"' "$out/manifest.mpd"
cp "$(dirname "$first")/manifest.mpd" "$out/then.mpd"
check "what was named decodes" timeout 60 ffmpeg -nostdin -v error -xerror -t 5 -i "$out/then.mpd" -f null -
rm "$out/then.mpd"

# A version that a server writes late does not stay.
cp "$(dirname "$first")/video.360p.media.m3u8" "$out"/v/*/video/360p/media.m3u8
until_true "what stays is written again" grep -q ENDLIST "$out"/v/*/video/360p/media.m3u8
is_whole "after a late write"

# Once more to the same place: what plays as a whole there stays.
cp "$out/master.m3u8" "$work/master.before"
submit early "$work/early.yaml"
while ! ended; do
  cmp -s "$out/master.m3u8" "$work/master.before" || { fail "a whole result was replaced by a beginning"; break; }
  sleep 0.1
done
until_true "it ends" ended
is_whole "once more"

# The scheduler dies in the middle.
submit killed "$work/early.yaml"
seen=$work/seen-killed
there() { [ -e "$out/master.m3u8" ] && grep -q 'seg-00002' "$out"/v/*/video/360p/media.m3u8; }
until_true "two segments are published" there
kill -9 "$(pid scheduler)" && wait "$(pid scheduler)" 2>/dev/null
check "its playlist stands" grep -q 'PLAYLIST-TYPE:EVENT' "$out"/v/*/video/360p/media.m3u8
cp "$out"/v/*/video/360p/media.m3u8 "$work/then.m3u8"
scheduler
watch_it killed 1
check "it went on from there" cmp -n "$(stat -c %s "$work/then.m3u8")" "$work/then.m3u8" "$(grep -l EVENT "$seen"/*/video.360p.media.m3u8 | head -n 1)"
is_whole killed

# A job that is cancelled: nothing is left but the report.
submit cancelled "$work/early.yaml"
until_true "two segments are published" there
growing=$id
submit cancelled "$work/early.yaml" # the same once more, which is let in
gopmill job cancel "$id" >/dev/null 2>&1
until_true "the other one ends" ended
check "what grows is the first one's" grep -q "job $growing still works" "$out/master.m3u8"
id=$growing
gopmill job cancel "$id" >/dev/null 2>&1
until_true "it ends" ended
check "cancelled, not $(state)" test "$(state)" = cancelled
until_true "only the report is left" only_report "$out" || find "$out" -type f | head -n 5
check "the report says so" jq -e '.job.state == "cancelled"' "$out/report.json" >/dev/null

# What a release left that knows nothing of it goes at the next start.
echo "#gopmill: job $growing still works" >"$out/master.m3u8"
kill -9 "$(pid scheduler)" && wait "$(pid scheduler)" 2>/dev/null
scheduler
until_true "what was left is gone" only_report "$out"

# Over another title: it plays until there is something of the new one.
make_clip "$work/other.mp4" 8 320x180 24
small_pipeline "$work/small.yaml" 180
check "another title" gopmill submit "$work/other.mp4" --out "$at/out-over" --pipeline "$work/small.yaml" --watch >/dev/null 2>&1
cp "$at/out-over/master.m3u8" "$work/master.before"
submit over "$work/early.yaml" --replace
until_true "the new one begins" sh -c "! cmp -s '$out/master.m3u8' '$work/master.before'"
check "it is the job's" grep -q "job $id still works" "$out/master.m3u8"
check "the older one's segments stay" test "$(find "$out/v" -maxdepth 1 -mindepth 1 -type d | wc -l)" = 2
gopmill job cancel "$id" >/dev/null 2>&1
until_true "it ends" ended
until_true "its playlist is gone" test ! -e "$out/master.m3u8"
check "nothing stands there, and the report says so" jq -e --arg id "$id" '.job.id == $id and .job.state == "cancelled"' "$out/report.json" >/dev/null

# Refused with the reason.
sed 's/needs: \[split\], codec/needs: [split, whole], bitrate: 1M, codec/; s/^tasks:/&\n  whole:   { type: analyze, needs: [split] }/' "$work/early.yaml" >"$work/barrier.yaml"
check "a barrier is refused" status 2 gopmill pipeline check "$work/barrier.yaml"
check "with the reason" said 'which looks at the whole programme before encode begins'
nothing_left "$at/out-early" "$at/out-killed"
finish
