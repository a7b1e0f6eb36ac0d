#!/usr/bin/env bash
# Uploads on a real S3 server, by curl alone: parts by signed URLs that take one body, a scheduler that starts anew in the middle, completion, a
# file as a whole, deletion, what is idle; and a job that reads an upload while it still arrives. uploads.sh PART: that part alone (api, tenants, job).
. "$(dirname "$0")/lib.sh"
. "$here/s3_lib.sh"

need_s3
only=${1:-}
for b in incoming work; do s3_bucket $b; done
s3_keys_file "$work/s3.keys"
farm_options="storage: [\"s3://* endpoint=$s3_endpoint region=$s3_region style=path keys=$work/s3.keys\"]
uploads: s3://incoming/in
max_uploads: 3
upload_idle_ms: 4000"
farm f

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
is() { jq -e "$1" "$work/answer" >/dev/null 2>&1 || { head -c 400 "$work/answer"; return 1; }; } # filter
hash() { sha256sum "$1" | cut -c1-64; }
named() { # index file...: the parts of a request, with the MD5s that Swift wants
  local list=
  while [ $# -gt 0 ]; do
    list="$list${list:+, }{\"index\": $1, \"sha256\": \"$(hash "$2")\"${md5:+, \"md5\": \"$(openssl dgst -md5 -binary "$2" | base64)\"}}"
    shift 2
  done
  echo "{\"parts\": [$list]}"
}
md5=
[ "$s3_kind" != swift ] || md5=1
listed() { [ "$(api GET /v1/uploads)" = 200 ]; }
put() { # file index: by the grant in the answer; the status
  curl -s --noproxy '*' -m 60 -o /dev/null -w '%{http_code}' -T "$1" \
    -H "$(jq -r ".grants[$2].headers | to_entries[] | \"\(.key): \(.value)\"" "$work/answer")" "$(jq -r ".grants[$2].url" "$work/answer")"
}
until_true "the bucket was listed" listed

part() { [ -z "$only" ] || [ "$only" = "$1" ]; }

if part api; then
  head -c 3000000 /dev/urandom >"$work/file"
  split -b 1000000 -d -a 1 "$work/file" "$work/part."
  answers "an upload" 201 POST /v1/uploads '{"name": "film.mp4", "size": 3000000, "part_sizes": [1000000, 1000000, 1000000]}'
  check "it is open, of three parts" is '.state == "open" and .parts == 3 and .overlap == true and .there == []'
  u=$(jq -r .id "$work/answer")
  check "its name" is ".source == \"upload:$u\""
  if [ -n "$md5" ]; then
    answers "a grant without an MD5" 200 POST "/v1/uploads/$u/grants" "{\"parts\": [{\"index\": 0, \"sha256\": \"$(hash "$work/part.0")\"}]}"
    check "the store wants one" is '.grants == [{"index": 0, "needs_md5": true}]'
  fi
  answers "grants" 200 POST "/v1/uploads/$u/grants" "$(named 0 "$work/part.0" 2 "$work/part.2")"
  cp "$work/answer" "$work/grants"
  check "another body is refused" test "$(put "$work/part.1" 0)" = 400
  check "a part is taken" test "$(put "$work/part.0" 0)" = 200
  answers "what was not put is not believed" 409 POST "/v1/uploads/$u/parts" "{\"parts\": [{\"index\": 2, \"sha256\": \"$(hash "$work/part.2")\"}]}"
  cp "$work/grants" "$work/answer"
  check "the last part is taken before the middle" test "$(put "$work/part.2" 1)" = 200
  answers "both are there" 200 POST "/v1/uploads/$u/parts" "{\"parts\": [{\"index\": 0, \"sha256\": \"$(hash "$work/part.0")\"}, {\"index\": 2, \"sha256\": \"$(hash "$work/part.2")\"}]}"
  check "two of three" is '.there == 2 and .parts == 3'
  answers "other bytes for it" 409 POST "/v1/uploads/$u/grants" "$(named 0 "$work/part.1")"

  stop scheduler
  scheduler
  until_true "the bucket was listed again" listed
  answers "after a restart" 200 GET "/v1/uploads/$u?parts=1"
  check "the same parts are there" is ".there == [[0, 0], [2, 2]] and .hashes[1] == {\"index\": 2, \"sha256\": \"$(hash "$work/part.2")\"}"
  answers "not complete" 409 POST "/v1/uploads/$u:complete"
  check "it names what is missing" is '.detail | contains("the first ones: 1")'
  answers "what is there needs no grant" 200 POST "/v1/uploads/$u/grants" "$(named 0 "$work/part.0" 1 "$work/part.1")"
  check "it says so" is '.grants[0] == {"index": 0, "there": true}'
  check "the middle" test "$(put "$work/part.1" 1)" = 200
  answers "complete" 200 POST "/v1/uploads/$u:complete"
  check "it is" is '.state == "complete" and .there == [[0, 2]]'
  answers "no open one" 200 GET /v1/uploads
  check "the list is empty" is '.uploads == []'
  s3_curl "incoming/in/$u/manifest.json" >"$work/manifest"
  check "the manifest joins them" test "$(jq -c '[.size, (.parts | length), .parts[1].sha256]' "$work/manifest")" = "[3000000,3,\"$(hash "$work/part.1")\"]"

  answers "a file as a whole" 201 POST /v1/uploads '{"name": "w.mp4", "size": 3000000, "whole": true}'
  check "no overlap, and why" is '.overlap == false and (.why | length) > 20'
  w=$(jq -r .id "$work/answer")
  url=$(jq -r .url "$work/answer")
  check "another length is refused" test "$(curl -s --noproxy '*' -m 60 -o /dev/null -w '%{http_code}' -T "$work/part.0" "$url")" = 403
  check "curl -T" test "$(curl -s --noproxy '*' -m 60 -o /dev/null -w '%{http_code}' -T "$work/file" "$url")" = 200
  answers "complete" 200 POST "/v1/uploads/$w:complete"
  s3_curl "incoming/in/$w/manifest.json" >"$work/manifest"
  check "the manifest knows the object" test "$(jq '.parts[0].etag | length > 2' "$work/manifest")" = true
  answers "a job reads it by its own name alone" 403 POST /v1/jobs "{\"pipeline\": \"vod-h264\", \"source\": \"s3://incoming/in/$w/part-00000\", \"destination\": \"file://$at/out\"}"
  answers "deleted" 200 DELETE "/v1/uploads/$w"
  answers "it is gone" 404 GET "/v1/uploads/$w"
  answers "deleted" 200 DELETE "/v1/uploads/$u"
  check "nothing is left" s3_is_empty incoming

  answers "no member of that name" 400 POST /v1/uploads '{"name": "a", "size": 1, "whole": true, "colour": 1}'
  answers "sizes that do not give the size" 400 POST /v1/uploads '{"name": "a", "size": 3, "part_sizes": [1, 1]}'
  for i in 1 2 3; do answers "open $i" 201 POST /v1/uploads '{"name": "a", "size": 2, "part_size": 1}'; done
  answers "too many" 429 POST /v1/uploads '{"name": "a", "size": 2, "part_size": 1}'
  answers "a job of an upload that does not exist" 404 POST /v1/jobs "{\"pipeline\": \"vod-h264\", \"source\": \"upload:$u\", \"destination\": \"file://$at/out\"}"
  answers "one more is gone" 200 DELETE "/v1/uploads/$(api GET /v1/uploads >/dev/null; jq -r '.uploads[0].id' "$work/answer")"
  answers "of another tenant" 201 POST /v1/uploads '{"name": "a", "size": 2, "part_size": 1, "tenant": "other"}'
  answers "no job of this one reads it" 403 POST /v1/jobs "{\"pipeline\": \"vod-h264\", \"source\": \"upload:$(jq -r .id "$work/answer")\", \"destination\": \"file://$at/out\"}"
  check "it says so" is '.code == "input.denied"'
  api GET /v1/uploads >/dev/null
  for i in $(jq -r '.uploads[].id' "$work/answer"); do answers "deleted" 200 DELETE "/v1/uploads/$i"; done
fi

# With tokens, over TCP: a token of one tenant is blind for what the others upload.
if part tenants; then
  stop scheduler
  cp "$at/scheduler.yaml" "$at/socket.yaml"
  for t in news sport; do (umask 077 && gopmill token new "$t" --role submit --tenant "$t" --file "$at/tokens" --quiet >"$at/$t.token"); done
  sed -i 's|^http:.*|http: "127.0.0.1:0"|' "$at/scheduler.yaml"
  echo "http_tokens: $at/tokens" >>"$at/scheduler.yaml"
  scheduler
  url=${ready#*http=}
  as() { # tenant status method path [json]
    local got data=()
    [ $# -lt 5 ] || data=(-d "$5")
    got=$(curl -s -m 60 --noproxy '*' -o "$work/answer" -w '%{http_code}' -H "Authorization: Bearer $(cat "$at/$1.token")" -X "$3" "${data[@]}" "${url%% *}$4")
    [ "$got" = "$2" ] || { echo "$got: $(cat "$work/answer")"; return 1; }
  }
  until_true "the bucket was listed" as news 200 GET /v1/uploads >/dev/null
  check "an upload is of the token's tenant" as news 201 POST /v1/uploads '{"name": "n", "size": 10, "part_size": 10}'
  check "and says so" is '.tenant == "news"'
  u=$(jq -r .id "$work/answer")
  check "of no other" as news 403 POST /v1/uploads '{"name": "n", "size": 10, "part_size": 10, "tenant": "sport"}'
  for call in "GET " "DELETE " "POST :complete" "POST /grants" "POST /parts"; do
    check "another's is not there: $call" as sport 404 "${call%% *}" "/v1/uploads/$u${call#* }" '{"parts": []}'
  done
  check "nor listed" as sport 200 GET /v1/uploads
  check "at all" is '.uploads | map(select(.id == "'"$u"'")) == []'
  check "nor read by a job" as sport 404 POST /v1/jobs '{"pipeline": "vod-h264", "source": "upload:'"$u"'", "destination": "file://'"$at"'/none"}'
  check "its own is" as news 200 GET "/v1/uploads/$u"
  check "and goes" as news 200 DELETE "/v1/uploads/$u"
  stop scheduler
  cp "$at/socket.yaml" "$at/scheduler.yaml"
  scheduler
  until_true "the bucket was listed once more" listed
fi

part job || { stop scheduler; finish; }
node_options="devices: off" node n1
small_pipeline "$work/s.yaml" 240
submit() { # source destination: the job's id in $j
  answers "a job of $1" 201 POST /v1/jobs "$(jq -n --rawfile y "$work/s.yaml" --arg s "$1" --arg d "file://$2" '{pipeline: {yaml: $y, name: "s.yaml"}, source: $s, destination: $d}')"
  j=$(jq -r .id "$work/answer")
}
ends_as() { [ "$(api GET "/v1/jobs/$j")" = 200 ] && is "$1" >/dev/null; } # filter

# Nothing comes.
answers "an upload of nothing" 201 POST /v1/uploads '{"name": "a", "size": 2, "part_size": 1}'
a=$(jq -r .id "$work/answer")
submit "upload:$a" "$at/none"
until_true "the job fails" ends_as '.error.code == "input.upload_ended"'
answers "the upload" 200 GET "/v1/uploads/$a"
check "it is idle" is '.state == "idle"'

# What follows waits for a machine that may be busy.
stop scheduler
sed -i 's/^upload_idle_ms: .*/upload_idle_ms: 100000/' "$at/scheduler.yaml"
scheduler
until_true "the bucket was listed once more" listed

# What a job waits for is deleted. It holds no slot meanwhile.
waits() { [ "$(api GET "/v1/jobs/$j:explain")" = 200 ] && is '[.tasks[].why | select(contains("begin and end of its source"))] | length == 1' >/dev/null; }
answers "an upload of nothing, again" 201 POST /v1/uploads '{"name": "a", "size": 2, "part_size": 1}'
a=$(jq -r .id "$work/answer")
submit "upload:$a" "$at/deleted"
until_true "its job waits" waits
answers "deleted" 200 DELETE "/v1/uploads/$a"
until_true "its job fails" ends_as '.error.code == "input.upload_ended"'

# A job while its source arrives: head and end first, the middle when the job has begun. All of so small a file is read by inspect, so
# that it waits for it (arriving.sh has larger ones).
make_clip "$work/clip.mp4" 6 320x240 24 -movflags +faststart
size=$(stat -c %s "$work/clip.mp4")
each=$((size / 8 + 1))
rm -f "$work"/part.*
split -b $each -d -a 1 "$work/clip.mp4" "$work/part."
answers "an upload of a clip" 201 POST /v1/uploads "{\"name\": \"clip.mp4\", \"size\": $size, \"part_size\": $each}"
c=$(jq -r .id "$work/answer")
send() { # index...: put and said
  local i
  for i; do
    answers "grant $i" 200 POST "/v1/uploads/$c/grants" "$(named $i "$work/part.$i")"
    check "put $i" test "$(put "$work/part.$i" 0)" = 200
    answers "said $i" 200 POST "/v1/uploads/$c/parts" "{\"parts\": [{\"index\": $i, \"sha256\": \"$(hash "$work/part.$i")\"}]}"
  done
}
send 0 7
submit "upload:$c" "$at/out"
until_true "it waits while the middle is missing" waits
send 1 2 3 4 5 6
answers "complete" 200 POST "/v1/uploads/$c:complete"
until_true "the job ends" ends_as '.state == "done" or .state == "failed"'
check "it is done" is '.state == "done"'
submit "file://$work/clip.mp4" "$at/path"
until_true "a job of the path ends" ends_as '.state == "done" or .state == "failed"'
check "same bytes as from a path" test "$(tree_hash "$at/out")" = "$(tree_hash "$at/path")"
# The URL of a file as a whole takes other bytes of its size, too: no job reads them for the first ones.
answers "the clip as a whole" 201 POST /v1/uploads "{\"name\": \"w.mp4\", \"size\": $size, \"whole\": true}"
w=$(jq -r .id "$work/answer")
url=$(jq -r .url "$work/answer")
check "curl -T" test "$(curl -s --noproxy '*' -m 60 -o /dev/null -w '%{http_code}' -T "$work/clip.mp4" "$url")" = 200
answers "complete" 200 POST "/v1/uploads/$w:complete"
head -c "$size" /dev/urandom >"$work/other"
check "curl -T of another file" test "$(curl -s --noproxy '*' -m 60 -o /dev/null -w '%{http_code}' -T "$work/other" "$url")" = 200
submit "upload:$w" "$at/changed"
until_true "the job fails" ends_as '.error.code == "input.changed"'
# The same file once more is the same title; another file is none.
answers "the same file again" 201 POST /v1/uploads "{\"name\": \"clip.mp4\", \"size\": $size, \"part_size\": $each}"
submit "upload:$(jq -r .id "$work/answer")" "$at/out"
answers "it is cancelled" 202 POST "/v1/jobs/$j:cancel"
until_true "it ends" ends_as '.state == "cancelled"'
answers "another file" 201 POST /v1/uploads "{\"name\": \"other.mp4\", \"size\": $size, \"part_size\": $each}"
o=$(jq -r .id "$work/answer")
answers "it is refused there" 409 POST /v1/jobs "$(jq -n --rawfile y "$work/s.yaml" --arg s "upload:$o" --arg d "file://$at/out" '{pipeline: {yaml: $y, name: "s.yaml"}, source: $s, destination: $d}')"
check "as another title" is '.code == "storage.title_exists"'
check "no URL with a signature is in a log" sh -c "! grep -qsE 'X-Amz-Signature' '$at'/*.log"
stop n1
stop scheduler
finish
