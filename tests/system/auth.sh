#!/usr/bin/env bash
# Tokens, roles, tenants, TLS and the rate of submits of the HTTP API. No node is needed: jobs wait.
. "$(dirname "$0")/lib.sh"

head -c 1000 /dev/urandom >"$work/clip.mp4"
tokens=$work/tokens
new() { # file id options...: the token into a file of that name
  (umask 077 && gopmill token new "$1" --file "$tokens" --quiet "${@:2}" >"$work/$1.token")
}
check "a token is made" new news --role submit --tenant news
check "of another tenant" new sport --role submit --tenant sport --expires 90d
check "an operator's" new op --role operate
check "an id is taken once" status 2 gopmill token new op --role admin --file "$tokens"
check "a role must be one" status 2 gopmill token new x --role root --file "$tokens"
check "operators are of all tenants" status 2 gopmill token new x --role operate --tenant news --file "$tokens"
check "the file has no token" test -z "$(grep gopmill_ "$tokens")"
check "and is its owner's alone" test "$(stat -c %a "$tokens")" = 600
check "the list shows them" status 0 gopmill token list --file "$tokens" --json
check "with their ends" jq -e '.tokens | map([.id, .role, .tenant]) == [["news", "submit", "news"], ["sport", "submit", "sport"], ["op", "operate", "*"]]
  and .[0].until == "-" and (.[1].until | test("^20.*Z$"))' "$work/out" >/dev/null

farm_options="http_tokens: $tokens
tenants: [\"fast max_submits_per_s=2\"]" farm auth
unix=$GOPMILL_SCHEDULER
check "a socket asks for none" status 0 gopmill node list
check "what is set for nothing is said" grep -q tokens_unused "$at/scheduler.log"
stop scheduler

sed -i 's|^http:.*|http: "127.0.0.1:0"|' "$at/scheduler.yaml"
scheduler
web() { # after a start: where the API is
  url=${ready#*http=}
  url=${url%% *}
  export GOPMILL_SCHEDULER=$url
}
web
ask() { # token-name or "", method, path, curl options...: the status; the answer in $work/out, its headers in $work/head
  local who=$1 method=$2 path=$3
  shift 3
  curl -s -o "$work/out" -D "$work/head" -w '%{http_code}' -X "$method" ${ca:+--cacert "$ca"} ${who:+-H "Authorization: Bearer $(cat "$work/$who.token")"} "$@" "$url$path"
}
answers() { # status code args of ask...
  local wanted=$1 code=$2 got
  shift 2
  got=$(ask "$@")
  [ "$got" = "$wanted" ] && { [ -z "$code" ] || [ "$(jq -r .code "$work/out")" = "$code" ]; } || { echo "$got: $(cat "$work/out")"; return 1; }
}
check "life needs none" answers 200 "" "" GET /livez
check "nor readiness" answers 200 "" "" GET /readyz
check "nor the page" answers 200 "" "" GET /
check "all else does" answers 401 auth.missing "" GET /v1/jobs
check "and says how" grep -qi '^www-authenticate: Bearer' "$work/head"
check "also what is no route" answers 401 auth.missing "" GET /v2
check "and event streams" answers 401 auth.missing "" GET /v1/jobs/x/events
check "and uploads" answers 401 auth.missing "" POST /v1/uploads -d '{}'
gopmill token new none --role admin --file "$work/others" --quiet >"$work/wrong.token"
check "another file's is none" answers 401 auth.refused wrong GET /v1/jobs
check "no other scheme" answers 401 auth.refused "" GET /v1/jobs -u op:x
check "nor two tokens" answers 401 auth.refused op GET /v1/jobs -H "Authorization: Bearer $(cat "$work/op.token")"
check "a large body is not waited for" answers 401 auth.missing "" POST /v1/jobs -H 'Expect: 100-continue' --data-binary "@$work/clip.mp4"
check "the operator sees nodes" answers 200 "" op GET /v1/nodes
check "who submits does not" answers 403 auth.denied news GET /v1/nodes
check "nor sweeps" answers 403 auth.denied news POST /v1/storage:sweep
check "but pipelines" answers 200 "" news GET /v1/pipelines

job() { printf '{"pipeline": "vod-h264", "source": "file://%s/clip.mp4", "destination": "file://%s/%s"%s}' "$work" "$work" "$1" "${2:-}"; }
check "a job is of the token's tenant" answers 201 "" news POST /v1/jobs -d "$(job a)"
id=$(jq -r .id "$work/out")
check "and says so" test "$(jq -r .tenant "$work/out")" = news
for who in news sport op; do # their streams
  curl -sN --max-time 20 -H "Authorization: Bearer $(cat "$work/$who.token")" "$url/v1/events" >"$work/of-$who" &
  until_true "$who follows" grep -q "^id: " "$work/of-$who"
done
check "a job that all might see" answers 201 "" news POST /v1/jobs -d "$(job s)"
seen=$(jq -r .id "$work/out")
until_true "the operator sees it" grep -q "\"$seen\"" "$work/of-op"
until_true "so does its tenant" grep -q "\"$seen\"" "$work/of-news"
check "the other does not" test -z "$(grep -e "$seen" -e '^event:' "$work/of-sport")"
check "nor its tenant the farm" test -z "$(grep '^event: \(farm\|node\)' "$work/of-news")"
last=$(sed -n 's/^id: //p' "$work/of-news" | head -n 1)
missed() { curl -sN --max-time 2 -H "Authorization: Bearer $(cat "$work/$1.token")" -H "Last-Event-ID: $last" "$url/v1/events"; }
check "what it missed comes again" grep -q "\"$seen\"" <(missed news)
check "not to the other" test -z "$(missed sport | grep "$seen")"
check "it may be named" answers 201 "" news POST /v1/jobs -d "$(job b ', "tenant": "news"')"
check "no other" answers 403 auth.denied news POST /v1/jobs -d "$(job c ', "tenant": "sport"')"
for path in "" :explain /report /events; do
  check "another's job is not there: $path" answers 404 api.not_found sport GET "/v1/jobs/$id$path"
done
check "nor cancelled" answers 404 api.not_found sport POST "/v1/jobs/$id:cancel"
check "as one that there never was" test "$(jq -r .detail "$work/out")" = "no job is called $id"
check "nor listed" answers 200 "" sport GET /v1/jobs
check "at all" jq -e '.jobs == []' "$work/out" >/dev/null
check "its own are" answers 200 "" news GET /v1/jobs
check "all three" jq -e '.jobs | length == 3' "$work/out" >/dev/null
check "the operator sees it" answers 200 "" op GET "/v1/jobs/$id"

export GOPMILL_TOKEN_FILE=$work/news.token
check "the command sends the token" status 0 gopmill job show "$id"
check "and cancels" status 0 gopmill job cancel "$id"
check "and watches" status 5 timeout 60 "$bin/gopmill" watch "$id"
check "and is told what it may not" status 2 gopmill node list
check "by code" said auth.denied
unset GOPMILL_TOKEN_FILE
check "without one it is told how" status 2 gopmill job list
check "to send one" said --token-file
chmod 644 "$work/op.token"
check "a token that others may read is not sent" status 2 gopmill node list --token-file "$work/op.token"
chmod 600 "$work/op.token"

(umask 077 && gopmill token new fast --role submit --tenant fast --file "$tokens" --quiet >"$work/fast.token")
until_true "a new token is taken" answers 200 "" fast GET /v1/jobs >/dev/null
seq 12 | xargs -P 4 -I{} curl -s -o "$work/r{}" -D "$work/h{}" -H "Authorization: Bearer $(cat "$work/fast.token")" -d '{}' "$url/v1/jobs"
check "a tenant submits no faster than it may" grep -q "tenant fast may submit 2 jobs a second" "$work"/r*
check "and is told when to come again" grep -qi '^retry-after: 1' "$work"/h*

# The file changes: a revoked token ends, and its event stream with it; what does not read changes nothing.
new gone --role submit --tenant news
until_true "one that will go" answers 200 "" gone GET /v1/jobs >/dev/null
check "a job to follow" answers 201 "" news POST /v1/jobs -d "$(job d)"
follow=$(jq -r .id "$work/out")
: >"$work/stream"
curl -sN -H "Authorization: Bearer $(cat "$work/gone.token")" "$url/v1/jobs/$follow/events" >>"$work/stream" &
stream=$!
until_true "it is followed" grep -q '^event: job' "$work/stream"
check "a token is revoked" status 0 gopmill token revoke gone --file "$tokens"
check "only once" status 2 gopmill token revoke gone --file "$tokens"
until_true "it is refused" answers 401 auth.refused gone GET /v1/jobs >/dev/null
until_true "its stream ends" is_gone "$stream"
cp -p "$tokens" "$work/good"
echo "a line too much" >>"$tokens"
faulty_said() { ask "" GET /readyz >/dev/null && jq -e 'any(.reasons[]; startswith("http_tokens: "))' "$work/out" >/dev/null; }
until_true "a broken file is said" faulty_said
check "in the log" grep -q 'event=tokens_not_read.*tokens:' "$at/scheduler.log"
check "and changes nothing" answers 200 "" op GET /v1/nodes
check "it is ready all the same" jq -e .ready <(curl -s "$url/readyz") >/dev/null
cp -p "$work/good" "$tokens"
mended() { ask "" GET /readyz >/dev/null && jq -e 'any(.reasons[]; startswith("http_tokens: ")) | not' "$work/out" >/dev/null; }
until_true "until it is mended" mended
# A tenant's streams take no others' place. What is behind # is not sent.
curl -sN --parallel --parallel-immediate --parallel-max 128 -H "Authorization: Bearer $(cat "$work/news.token")" -o /dev/null \
  "$url/v1/jobs/$follow/events#[1-128]" 2>/dev/null &
streams=$!
until_true "a tenant has so many streams" answers 429 api.busy news GET "/v1/jobs/$follow/events" --max-time 1 >/dev/null
check "and is told" test "$(jq -r .detail "$work/out")" = "tenant news has 128 event streams open"
check "the operator has more" answers 200 "" op GET "/v1/jobs/$follow/events" --max-time 1
kill "$streams"
check "no token is in the log" test -z "$(grep gopmill_ "$at/scheduler.log")"
stop scheduler

# TLS.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=farm -addext subjectAltName=IP:127.0.0.1 \
  -keyout "$work/tls.key" -out "$work/tls.pem" 2>"$work/openssl.log" || fail "no certificate: $(cat "$work/openssl.log")"
printf 'http_tls_cert: %s\nhttp_tls_key: %s\n' "$work/tls.pem" "$work/tls.key" >>"$at/scheduler.yaml"
chmod 644 "$work/tls.key"
check "a key that others may read is refused" status 2 "$bin/gopmill-scheduler" --check --config "$at/scheduler.yaml"
chmod 600 "$work/tls.key"
check "with mode 0600 it is taken" status 0 "$bin/gopmill-scheduler" --check --config "$at/scheduler.yaml"
scheduler
web
ca=$work/tls.pem
check "it says https" test "${url%%:*}" = https
check "it answers" answers 200 "" op GET /v1/nodes
check "not without encryption" test "$(curl -s -o /dev/null -w '%{http_code}' "http${url#https}/livez")" = 000
check "nor by old TLS" test "$(curl -s -o /dev/null -w '%{http_code}' --tls-max 1.1 --cacert "$ca" "$url/livez")" = 000
export GOPMILL_TOKEN_FILE=$work/op.token
check "a certificate of nobody is not trusted" status 4 gopmill job list
check "and says what to do" said --ca
check "with its signer it is" status 0 gopmill job list --ca "$ca"
export GOPMILL_CA=$ca
check "also from the environment" status 0 gopmill node list
check "a job is submitted" status 0 gopmill submit "$work/clip.mp4" --no-upload --out "$work/e" --tenant news --quiet
id=$(cat "$work/out")
gopmill watch "$id" >"$work/watched" 2>&1 &
check "and cancelled" status 0 gopmill job cancel "$id"
wait $!
check "who watches sees it" test $? = 5
head -c 9000000 /dev/zero | tr "\0" x >"$work/large"
check "large bodies come through" answers 400 usage.invalid op POST /v1/pipelines:check --data-binary "@$work/large"
stop scheduler
finish
