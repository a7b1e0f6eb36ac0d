#!/usr/bin/env bash
# `publish: early` into a bucket of a real S3 server: what is named is there, caches may not keep what grows, a job that is cancelled
# leaves nothing but the report.
. "$(dirname "$0")/lib.sh"
. "$here/s3_lib.sh"

need_s3
make_clip "$work/clip.mp4" 40 640x360 24
small_pipeline "$work/small.yaml" 360
sed -i 's/ultrafast/slow/' "$work/small.yaml"
{ cat "$work/small.yaml"; echo "publish: early"; } >"$work/early.yaml"
for b in source work dest; do s3_bucket $b; done
s3_keys_file "$work/s3.keys"
farm_options="storage: [\"s3://* endpoint=$s3_endpoint region=$s3_region style=path keys=$work/s3.keys\"]
early_s: 1" farm main
node_slots=1
node_options="devices: off"
node n1

submit() { # name pipeline: id in $id
  id=$(gopmill submit "$work/clip.mp4" --out "s3://dest/$1" --pipeline "$2" 2>"$work/stderr") || fail "submit: $(cat "$work/stderr")"
}
ended() { case $(gopmill job show "$id" --json 2>/dev/null | jq -r '.state') in done | failed | cancelled) ;; *) false ;; esac; }
there() { [ "$(s3_status "dest/$1/master.m3u8")" = 200 ]; } # name

submit calm "$work/small.yaml"
until_true "the ordinary job ends" ended
s3_down dest calm/ "$work/calm"

submit early "$work/early.yaml"
until_true "a playlist stands" there early
check "while the job works" sh -c "! '$bin/gopmill' job show $id --json | jq -e '.state == \"done\"' >/dev/null"
list=early/$(s3_curl dest/early/master.m3u8 | grep '^v/.*video')
s3_curl "dest/$list" >"$work/list"
check "it grows" grep -qx '#EXT-X-PLAYLIST-TYPE:EVENT' "$work/list"
for name in $(grep -v '^#' "$work/list") $(sed -n 's/.*URI="\(.*\)"/\1/p' "$work/list"); do
  check "$name is there" test "$(s3_status "dest/$(dirname "$list")/$name" -I)" = 200
done
check "no cache keeps it" grep -qi '^cache-control: no-cache' <(s3_curl "dest/$list" -D - -o /dev/null)
until_true "it ends" ended
s3_down dest early/ "$work/early"
check "same bytes" test "$(tree_hash "$work/early")" = "$(tree_hash "$work/calm")"

submit cancelled "$work/early.yaml"
until_true "a playlist stands" there cancelled
gopmill job cancel "$id" >/dev/null 2>&1
until_true "only the report is left" s3_has_only dest cancelled/ 'report.json$' || s3_keys dest cancelled/ | head -n 5
finish
