#!/usr/bin/env bash
# docs/openapi.yaml against a farm with tokens, a node and, where there is an S3 server, uploads: everything in it is called.
. "$(dirname "$0")/lib.sh"
. "$here/s3_lib.sh"

python=
for p in python3 /usr/bin/python3; do # Debian's packages are for Debian's, which need not be the first one
  ! "$p" -c 'import yaml, jsonschema; jsonschema.Draft202012Validator' 2>/dev/null || { python=$p; break; }
done
[ -n "$python" ] || skip "python3-jsonschema and python3-yaml are not installed"
need_built print_routes
uploads=false s3_lines=
if s3_server ceph memstore; then
  for b in incoming results; do s3_bucket $b; done
  s3_keys_file "$work/s3.keys"
  uploads=true s3_lines="storage: [\"s3://* endpoint=$s3_endpoint region=$s3_region style=path keys=$work/s3.keys\"]
uploads: s3://incoming/in
max_uploads: 3"
else
  echo "SKIPPED here: uploads (no S3 server)"
fi
make_clip "$work/clip.mp4" 4 320x180 25
: >"$work/empty.mp4"
small_pipeline "$work/small.yaml" 180
tokens='{}'
new() { # name id options...
  local token
  token=$(umask 077 && gopmill token new "$2" --file "${file:-$work/tokens}" --quiet "${@:3}")
  tokens=$(jq -c --arg n "$1" --arg t "$token" '.[$n] = $t' <<<"$tokens")
}
new op op --role operate
new news news --role submit --tenant news
new sport sport --role submit --tenant sport
new fast fast --role submit --tenant fast
file=$work/others new wrong op --role admin
farm_options="http_tokens: $work/tokens
allow_sources: [\"$work\"]
allow_destinations: [\"$work\"${s3_lines:+, \"s3://results\"}]
tenants: [\"fast max_submits_per_s=2\"]
$s3_lines" farm f
stop scheduler
sed -i 's|^http:.*|http: "127.0.0.1:0"|' "$at/scheduler.yaml"
scheduler
url=${ready#*http=}
node one
"$bin/../tests/print_routes" >"$work/routes" || fail "no routes"
jq -n --arg url "${url%% *}" --arg work "$work" --rawfile pipeline "$work/small.yaml" --argjson tokens "$tokens" --argjson uploads $uploads \
  '{$url, $work, $pipeline, $tokens, $uploads}' >"$work/setting.json"
check "the server is as the document says" "$python" "$here/openapi.py" "$top/docs/openapi.yaml" "$work/routes" "$work/setting.json"
check "no token is in the log" test -z "$(grep -o 'gopmill_[A-Za-z0-9_-]\{24,\}' "$at/scheduler.log")"
stop scheduler
finish
