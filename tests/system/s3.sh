#!/usr/bin/env bash
# Farms on a real S3 server: sources, intermediate objects and results in any mix with folders, nodes that hold no key, URLs that allow one thing,
# jobs that are cancelled or fail. s3.sh PART: that part alone.
. "$(dirname "$0")/lib.sh"
. "$here/s3_lib.sh"

need_built rogue
need_s3
only=${1:-}
make_clip "$work/a clip.mp4" 12 320x240 24
cat >"$work/s.yaml" <<'YAML'
name: some
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [240, 144] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], codec: h264, preset: ultrafast }
  audio:   { type: audio, needs: [split] }
  images:  { type: thumbnails, needs: [video] }
  mp4:     { type: mp4, needs: [video, audio], heights: [240] }
  hls:     { type: package, needs: [video, audio] }
YAML
for b in source work dest; do s3_bucket $b; done
s3_put "$work/a clip.mp4" source/films/a%20clip.mp4
clip="s3://source/films/a clip.mp4"
s3_keys_file "$work/s3.keys"
on_s3="storage: [\"s3://* endpoint=$s3_endpoint region=$s3_region style=path keys=$work/s3.keys\"]"
node_options="devices: off"

# The node begins with nothing in its environment: what it can do, URLs allow it.
cat >"$work/bare-node" <<E
#!/bin/sh
exec env -i PATH="\$PATH" "$bin/gopmill-node" "\$@"
E
chmod +x "$work/bare-node"
node_program=$work/bare-node
s3_farm() { farm_options="$on_s3" farm "$@"; }

job() { # name source out: exit 0
  local rc=0
  timeout 280 "$bin/gopmill" submit "$2" --out "$3" --pipeline "${pipeline:-$work/s.yaml}" --watch >/dev/null 2>"$work/stderr" || rc=$?
  check "$1: exit 0, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
}
same() { # name: what is in $work/got is what folders got
  tree_hash "$work/got" >"$work/got.sha"
  check "$1: same bytes: $(diff "$work/calm.sha" "$work/got.sha" | head -n 3)" cmp -s "$work/calm.sha" "$work/got.sha"
  rm -rf "$work/got"
}
got() { rm -rf "$work/got"; check "$1: the result is there" s3_down dest "$2" "$work/got"; } # name prefix/
left_nothing() { until_true "$1: nothing is left in the work store, no upload is open" s3_is_empty work || { s3_keys work; s3_uploads work; } | head -n 5; } # name
no_url_is_said() { ! grep -qsE 'X-Amz-Signature|X-Amz-Credential' "$at"/*.log "$work/stderr"; }
no_secret_is_said() { ! grep -rqsF "$s3_secret" "$at"/*.log "$at/s" "$work/stderr"; }
part() { [ -z "$only" ] || [ "$only" = "$1" ]; }

farm plain
node n1
job "folders" "$work/a clip.mp4" "$at/out"
tree_hash "$at/out" >"$work/calm.sha"
check "folders: all is there" grep -q 'mp4/' "$work/calm.sha"
stop n1
stop scheduler

if part all; then
  work_store=s3://work/farm s3_farm all
  node n1
  node n2
  job "all on S3" "$clip" s3://dest/all/out
  got "all on S3" all/out/
  check "a report is with it" jq -e '.job.state == "done"' "$work/got/report.json" >/dev/null
  same "all on S3"
  left_nothing "all on S3"
  check "nothing else is in the destination" s3_has_only dest "" '^all/out/'
  header() { s3_curl "dest/all/out/$1" -I | tr -d '\r' | sed -n "s/^$2: //Ip"; }
  segment=$(s3_keys dest all/out/v/ | grep -m 1 'm4s$')
  check "the playlist's type: $(header master.m3u8 content-type)" test "$(header master.m3u8 content-type)" = application/vnd.apple.mpegurl
  check "the manifest's: $(header manifest.mpd content-type)" test "$(header manifest.mpd content-type)" = application/dash+xml
  check "a segment's: $(header "${segment#all/out/}" content-type)" test "$(header "${segment#all/out/}" content-type)" = "$(case $segment in */audio/*) echo audio/mp4 ;; *) echo video/iso.segment ;; esac)"
  check "a segment is kept: $(header "${segment#all/out/}" cache-control)" grep -q immutable <<<"$(header "${segment#all/out/}" cache-control)"
  check "the playlist is not: $(header master.m3u8 cache-control)" grep -qE 'no-cache|max-age=[0-9]{1,2}$' <<<"$(header master.m3u8 cache-control)"

  for n in n1 n2; do
    check "$n has no key in its environment" sh -c "! tr '\\0' '\\n' <'/proc/$(pid $n)/environ' | grep -qiE 'aws|$s3_key|secret'"
    check "$n has no key in its files" sh -c "! grep -rqF '$s3_secret' '$at/$n.yaml' '$at/$n.d'"
  done
  check "no URL with a signature is in a log" no_url_is_said
  check "no secret is in a log or in the rows" no_secret_is_said

  # the same again, into the same place, and from and to folders
  job "again" "$clip" s3://dest/all/out
  got "again" all/out/
  rm -rf "$work/got/v.old"
  check "again: it plays" plays "$work/got/master.m3u8"
  job "from a folder" "$work/a clip.mp4" s3://dest/from/out
  got "from a folder" from/out/
  same "from a folder"
  job "to a folder" "$clip" "$work/got"
  same "to a folder"
  left_nothing "mixes"
  stop n1
  stop n2
  stop scheduler
  s3_farm mixed
  node n1
  job "work in a folder" "$clip" s3://dest/mixed
  got "work in a folder" mixed/
  same "work in a folder"
  check "its folder is empty" test -z "$(find "$at/work" -type f ! -name .gm-store)"
  stop n1
  stop scheduler
fi

if part large; then # a result of more than 64 MiB goes in parts
  ffmpeg -v error -y -f lavfi -i "nullsrc=s=960x540:r=25:d=4,geq=lum='random(1)*255':cb=128:cr=128" -c:v libx264 -preset ultrafast -qp 12 -pix_fmt yuv420p "$work/noise.mp4"
  sed 's/ultrafast }/ultrafast, qp: 8 }/; s/\[240, 144\]/[540]/; s/\[240\]/[540]/; /images:/d; s/, audio\]/]/; /audio:/d' "$work/s.yaml" >"$work/large.yaml"
  work_store=s3://work/large s3_farm large
  node n1
  pipeline=$work/large.yaml job "large: a folder" "$work/noise.mp4" "$at/out"
  pipeline=$work/large.yaml job "large" "$work/noise.mp4" s3://dest/large
  check "large: there is an object of more than 64 MiB" test -n "$(find "$at/out" -size +64M)"
  got "large" large/
  check "large: same bytes" test "$(tree_hash "$work/got")" = "$(tree_hash "$at/out")"
  check "large: no upload is open" s3_no_upload dest work
  left_nothing "large"
  stop n1
  stop scheduler
fi

if part sweep; then # what crashes left, and what another title took the place of
  work_store=s3://work/sweep s3_farm sweep
  node n1
  job "sweep: first" "$clip" s3://dest/title
  old=$(s3_keys dest title/v/ | sed -n '1s|^title/v/\([^/]*\)/.*|\1|p')
  sed 's/\[240, 144\]/[144]/; /mp4:/d' "$work/s.yaml" >"$work/other.yaml"
  check "another title is refused" status 1 gopmill submit "$clip" --out s3://dest/title --pipeline "$work/other.yaml"
  check "and why is said" said storage.title_exists
  check "with --replace it is taken" status 0 gopmill submit "$clip" --out s3://dest/title --pipeline "$work/other.yaml" --replace --watch
  check "the older one is noted" test "$(s3_keys dest title/replaced/)" = "title/replaced/$old"
  check "and is there" s3_curl "dest/$(s3_keys dest "title/v/$old/" | head -n 1)" -f -o "$work/there"
  stop scheduler
  echo '{"until_unix_ms": 1}' >"$work/over"
  s3_put "$work/over" "dest/title/replaced/$old"
  scheduler
  is_gone_there() { s3_keys dest title/ >"$work/keys" && ! grep -qE "/(replaced|$old)/" "$work/keys"; }
  until_true "its time over it is deleted" is_gone_there
  got "sweep" title/
  check "sweep: it plays" plays "$work/got/master.m3u8"
  left=work/sweep/jobs/00000000000000000000000000
  s3_put "$work/over" $left/chunks/1
  check "an upload is open" test "$(s3_status "$left/large?uploads=" -X POST)" = 200
  check "a sweep shows what it would delete" status 0 gopmill storage sweep --dry-run
  check "the upload, too: $(cat "$work/out")" grep -qE '^jobs/0+/ +1 +1 +[0-9]+ B .*unknown' "$work/out"
  check "and deletes nothing" test "$(s3_status $left/chunks/1 -I)" = 200
  check "then it does" status 0 gopmill storage sweep
  check "nothing is left then" s3_is_empty work
  check "nothing is found then" test "$(gopmill storage sweep)" = "nothing is left over"
  if [ "$s3_kind" != swift ]; then # what docs/operations.md says of players in browsers, for a client of XML
    echo '<CORSConfiguration><CORSRule><AllowedOrigin>https://player.example.org</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod><AllowedHeader>Range</AllowedHeader></CORSRule></CORSConfiguration>' >"$work/cors"
    check "CORS is set" test "$(s3_status "dest?cors=" -X PUT --data-binary "@$work/cors")" = 200
    check "a player of that origin may fetch" grep -qi '^access-control-allow-origin: https://player.example.org' <(s3_curl dest/title/master.m3u8 -D - -o /dev/null -H 'Origin: https://player.example.org')
    check "one of another may not" sh -c "! grep -qi access-control-allow-origin" <<<"$(s3_curl dest/title/master.m3u8 -D - -o /dev/null -H 'Origin: https://other.example.org')"
  fi
  stop n1
  stop scheduler
fi

if part grants; then # what a node hears, tried by who has nothing else
  work_store=s3://work/heard s3_farm heard
  rm -f "$at/port" && mkfifo "$at/port"
  "$bin/../tests/rogue" "$wire" - overhear "$work/overheard" >"$at/port" 2>/dev/null 9>&- &
  heard=$!
  IFS= read -r port <"$at/port"
  wire=tcp://127.0.0.1:$port node n1
  job "overheard" "$clip" s3://dest/heard
  s3_put "$work/a clip.mp4" work/other.bin # another job's
  grep -aoE "$s3_endpoint/[ -~]*X-Amz-Signature=[0-9a-f]{64}" "$work/overheard" | sort -u >"$work/urls"
  check "URLs were heard" test -s "$work/urls"
  check "no key was" sh -c "! grep -qaF '$s3_secret' '$work/overheard'"
  bare() { curl -s --noproxy '*' -m 60 --path-as-is -o "$work/answer" -w '%{http_code}' "$@"; } # the status
  refused() { case $1 in 400 | 403 | 405 | 501) ;; *) echo "$1: $(head -c 300 "$work/answer")"; return 1 ;; esac; }
  put=$(grep -m 1 -iE 'SignedHeaders=[^&]*(x-amz-content-sha256|content-md5)' "$work/urls")
  get=$(grep -m 1 '/source/' "$work/urls")
  check "one of them reads the source" test -n "$get"
  check "one of them writes a body" test -n "$put"
  query=${get#*\?}
  check "a GET's reads" test "$(bare "$get")" = 200
  check "that object" cmp -s "$work/answer" "$work/a clip.mp4"
  for what in "work/other.bin" "work" "work/" "source" "dest" ""; do
    check "a GET's URL reads nothing else: /$what" refused "$(bare "$s3_endpoint/$what?$query")"
  done
  check "nor lists" refused "$(bare "$s3_endpoint/source?list-type=2&$query")"
  for method in PUT DELETE POST; do
    check "nor takes $method" refused "$(bare -X $method -d x "$get")"
  done
  path=${put%%\?*} query=${put#*\?}
  key=${path#"$s3_endpoint/"}
  there() { s3_curl "$key" -f -o "$work/there" 2>/dev/null; }
  echo "other bytes" >"$work/other"
  sum=$(sha256sum "$work/other" | cut -d' ' -f1)
  name=x-amz-content-sha256 hashes=("$sum" UNSIGNED-PAYLOAD "")
  ! grep -qi content-md5 <<<"$query" || name=Content-MD5 hashes=("$(openssl dgst -md5 -binary "$work/other" | base64)" "")
  for hash in "${hashes[@]}"; do
    check "a PUT's takes no other bytes, called ${hash:-nothing}" refused "$(bare -T "$work/other" ${hash:+-H "$name: $hash"} "$put")"
    check "nor under another name" refused "$(bare -T "$work/other" ${hash:+-H "$name: $hash"} "$s3_endpoint/work/mine?$query")"
  done
  check "a PUT's URL reads nothing" refused "$(bare "$put")"
  check "nor deletes" refused "$(bare -X DELETE "$put")"
  check "nor lists" refused "$(bare "$s3_endpoint/${key%%/*}?list-type=2&$query")"
  while read -r url; do
    path=${url%%\?*}
    case ${path#"$s3_endpoint"} in /source/films/* | /work/heard/* | /dest/heard/*) ;; *) fail "a URL for $path" ;; esac
  done <"$work/urls"
  check "no object changed: the other job's" test "$(s3_curl work/other.bin | sha256sum | cut -d' ' -f1)" = "$(sha256sum "$work/a clip.mp4" | cut -d' ' -f1)"
  check "none is new" test "$(s3_status work/mine -I)" = 404
  got "overheard" heard/
  same "overheard"
  s3_curl work/other.bin -X DELETE
  left_nothing "overheard"
  stop n1
  kill $heard 2>/dev/null
  stop scheduler
fi

if part cancel; then
  make_clip "$work/long.mp4" 60 640x360 30
  s3_put "$work/long.mp4" source/long.mp4
  work_store=s3://work/cancel s3_farm cancel
  node n1
  id=$(gopmill submit s3://source/long.mp4 --out s3://dest/cancel --pipeline "$work/s.yaml" 2>"$work/stderr") || fail "submit: $(cat "$work/stderr")"
  begun() { s3_keys dest cancel/ | grep -q 'm4s$'; }
  until_true "cancel: a segment is published" begun
  gopmill job cancel "$id" >/dev/null 2>&1
  is_cancelled() { gopmill job show "$id" --json | jq -e '.state == "cancelled"' >/dev/null; }
  until_true "cancel: the job is cancelled" is_cancelled
  only_the_report() { s3_has_only dest cancel/ '/report.json$' && s3_no_upload dest work; }
  until_true "cancel: nothing is left in the destination" only_the_report
  left_nothing "cancel"
  stop n1
  stop scheduler
fi

if part errors; then
  work_store=s3://work/errors s3_farm errors
  node n1
  refuses() { # name code source out words
    local rc=0
    timeout 120 "$bin/gopmill" submit "$3" --out "$4" --pipeline "$work/s.yaml" --watch >/dev/null 2>"$work/stderr" || rc=$?
    check "$1: fails" test "$rc" != 0
    check "$1: $2: $(head -n 2 "$work/stderr" | tr '\n' ' ')" grep -q "error: $2" "$work/stderr"
    check "$1: says $5: $(head -n 2 "$work/stderr" | tr '\n' ' ')" grep -qF -- "$5" "$work/stderr"
    check "$1: says no signature" no_url_is_said
  }
  refuses "no such key" input.missing s3://source/none.mp4 s3://dest/errors "no such object"
  refuses "no such bucket to read" storage.failed s3://nosuchbucket/a.mp4 s3://dest/errors nosuchbucket
  refuses "no such bucket to write" storage.failed "$clip" s3://nosuchbucket/out nosuchbucket
  refuses "no bucket" usage.invalid s3:// s3://dest/errors "no name of a bucket"
  stop scheduler
  sed -i "s|^storage:.*|storage: [\"s3://source endpoint=$s3_endpoint region=$s3_region keys=$work/s3.keys\", \"s3://work endpoint=$s3_endpoint region=$s3_region keys=$work/s3.keys\", \"s3://dest endpoint=$s3_endpoint region=$s3_region keys=$work/wrong.keys\"]|" "$at/scheduler.yaml"
  s3_keys_file "$work/wrong.keys" another-secret
  scheduler
  refuses "wrong keys" storage.denied "$clip" s3://dest/errors dest
  refuses "a bucket of which nothing is configured" storage.not_configured s3://elsewhere/a.mp4 s3://dest/errors elsewhere
  chmod 0644 "$work/wrong.keys"
  stop scheduler
  check "keys that others may read are refused" sh -c "! timeout 20 '$bin/gopmill-scheduler' --config '$at/scheduler.yaml' >/dev/null 2>'$work/stderr'"
  check "and it says which: $(tail -n 1 "$work/stderr")" grep -q wrong.keys "$work/stderr"
  stop n1
  left_nothing "errors"
fi

if part tls && [ "$s3_kind" != swift ]; then # the same over HTTPS, with a certificate that only we know
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=store -addext subjectAltName=IP:127.0.0.1 \
    -keyout "$work/tls.key" -out "$work/ca.pem" 2>/dev/null
  cat "$work/ca.pem" "$work/tls.key" >"$work/tls.pem"
  s3_end
  GOPMILL_TEST_TLS=$work/tls.pem need_s3
  s3_ca=$work/ca.pem
  for b in source work dest; do s3_bucket $b; done
  s3_put "$work/a clip.mp4" source/films/a%20clip.mp4
  on_s3="storage: [\"s3://* endpoint=$s3_endpoint keys=$work/s3.keys ca=$work/ca.pem\"]"
  work_store=s3://work/tls s3_farm tls
  node n1
  id=$(gopmill submit "$clip" --out s3://dest/none --pipeline "$work/s.yaml" 2>"$work/stderr") || fail "TLS: submit: $(cat "$work/stderr")"
  trusts_nobody() { gopmill job show "$id" --json | grep -q certificate || grep -q certificate "$at/n1.log"; }
  until_true "TLS: a node that does not know who signed the certificate says so" trusts_nobody
  gopmill job cancel "$id" >/dev/null 2>&1
  stop n1
  node_options="$node_options
storage_ca: $work/ca.pem"
  node n1
  job "TLS" "$clip" s3://dest/tls
  got "TLS" tls/
  same "TLS"
  left_nothing "TLS"
  stop n1
  stop scheduler
fi
finish
