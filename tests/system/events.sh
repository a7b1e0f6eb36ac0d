#!/usr/bin/env bash
# Webhooks: a receiver that is killed, hangs and answers all sorts of things, and a scheduler that is killed at random; each
# event of each job arrives at least once, in its order, signed and with one id. events.sh [SEED [JOBS]]
. "$(dirname "$0")/lib.sh"
RANDOM=${1:-7}
jobs=${2:-4}
command -v python3 >/dev/null || skip "python3 is not installed"

secret=whsec_$(head -c 24 /dev/urandom | base64)
(umask 077 && echo "$secret" >"$work/secret")
trace=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
log=$work/log mode=$work/mode port=0
: >"$log"
echo ok >"$mode"
receiver() {
  rm -f "$work/heard" && mkfifo "$work/heard"
  python3 "$here/hook_receiver.py" "$port" "$log" "$secret" "$mode" >"$work/heard" 2>>"$work/receiver.log" 9>&- &
  receiver=$!
  read -r _ port <"$work/heard"
}
deaf() { kill -9 "$receiver"; wait "$receiver" 2>/dev/null; }
receiver

make_clip "$work/clip.mp4" 3 160x90 10
small_pipeline "$work/small.yaml" 90
farm_options="webhooks: [\"all url=http://127.0.0.1:$port/all secret=$work/secret\"]
allow_webhooks: [\"http://127.0.0.1:$port/jobs\", \"https://*\"]
webhook_secret_file: $work/secret
webhook_pauses_s: \"1 1 2\"
webhook_retry_s: ${retry_s:-3600}"
farm events
"$bin/gopmill" events follow --json >"$work/follow" 2>"$work/follow.err" 9>&- &
follower=$!
node one
api() { # method, path, [body]: status on the first line, then the answer
  curl -s --unix-socket "$at/http" -X "$1" -H "traceparent: $trace" -w '%{http_code}\n' "http://x$2" ${3:+-d "$3"} -o "$work/answer"
}
submit() { # out, [webhook]: prints the id
  api POST /v1/jobs "$(jq -n --rawfile y "$work/small.yaml" --arg s "file://$work/clip.mp4" --arg d "file://$work/$1" --arg w "${2:-}" \
    '{pipeline: {yaml: $y, name: "small"}, source: $s, destination: $d} + (if $w == "" then {} else {webhook: $w} end)')" >"$work/status"
  jq -r '.id' "$work/answer"
}
refused() { # webhook, words
  submit refused "$1" >/dev/null
  [ "$(cat "$work/status")" -ge 400 ] && grep -qF "$2" "$work/answer" || { cat "$work/status" "$work/answer"; return 1; }
}
check "what is not allowed is refused" refused "http://169.254.169.254/" allow_webhooks
check "and what is beside it" refused "http://127.0.0.1:$port/jobsandmore" allow_webhooks
check "and a step up" refused "http://127.0.0.1:$port/jobs/../x" webhook
check "and a user" refused "https://me@example.com/" webhook
check "and what is no URL" refused "file:///etc/passwd" webhook

own_secret=$(python3 -c 'import base64, hashlib, hmac, sys
key = base64.b64decode(sys.argv[1][6:])
print("whsec_" + base64.b64encode(hmac.new(key, b"gopmill webhook\0other", hashlib.sha256).digest()).decode())' "$secret")
check "each tenant has a secret of its own" test "$("$bin/gopmill-scheduler" --webhook-secret other --config "$at/scheduler.yaml")" = "$own_secret"

# Both targets, and one that has an address that is not public.
first=$(submit first "http://127.0.0.1:$port/jobs/x")
private=$(submit private "https://127.0.0.1:$port/")
has() { [ "$(grep -c " $1 gopmill.job.done" "$log")" -ge "$2" ]; } # job, times
until_true "the farm's receiver and the job's own are told" has "$first" 2
until_true "the farm's is told of the other" has "$private" 1
waiting() { [ "$(api GET "/v1/events/waiting")" = 200 ] && jq -e "$1" "$work/answer" >/dev/null; }
check "an address that is not public is not asked" until_true "it says so" waiting \
  "[.deliveries[] | select(.job == \"$private\" and ((.error // \"\") | contains(\"public\")))] | length > 0"

# Days like these.
ids=("$first")
end=$((SECONDS + ${storm_s:-20}))
while [ $SECONDS -lt $end ]; do
  case $((RANDOM % 7)) in
    0) deaf; sleep 0.$((RANDOM % 9)); receiver ;;
    1) kill -9 "$(pid scheduler)"; wait "$(pid scheduler)" 2>/dev/null; scheduler ;;
    2) echo 500 >"$mode" ;;
    3) echo hang >"$mode" ;;
    4) echo redirect >"$mode" ;;
    5) echo endless >"$mode" ;;
    6) echo ok >"$mode" ;;
  esac
  if [ "${#ids[@]}" -le "$jobs" ]; then
    id=$(submit "out${#ids[@]}" "http://127.0.0.1:$port/jobs/${#ids[@]}")
    case $id in [0-9a-z]*) [ "$id" = null ] || ids+=("$id") ;; esac
  fi
  sleep 0.$((RANDOM % 10))
done
deaf # what hangs
echo ok >"$mode"
receiver
for id in "${ids[@]}"; do
  until_true "both are told that $id is done" has "$id" 2
done
until_true "nothing waits but what can't be told" waiting "[.deliveries[] | select(.job != \"$private\")] | length == 0"
check "all that came was signed and whole" test -z "$(grep -vE '^[0-9a-z]+-[0-9]+ [0-9a-z]+ gopmill\.job\.[a-z]+$' "$log")"
order() { # job: the first of each id, in the order of their numbers; two targets tell each id
  grep " $1 " "$log" | awk '!seen[$1]++ { sub(/.*\./, "", $3); printf "%s ", $3 }'
}
for id in "${ids[@]}"; do
  check "events of $id are whole and in order: $(order "$id")" test "$(order "$id")" = "accepted inspected playable done "
done

# A receiver that wants no more: dead letters, which are sent again.
echo 410 >"$mode"
last=$(submit last)
dead() { [ "$(api GET "/v1/events/dead?limit=1000")" = 200 ] && jq -e "$1" "$work/answer" >/dev/null; }
until_true "its events are dead letters" dead "[.deliveries[] | select(.job == \"$last\")] | length == 4"
counted() { [ "$(api GET /metrics)" = 200 ] && grep -q "^gopmill_webhook_$1\$" "$work/answer" || { grep "^gopmill_webhook" "$work/answer"; return 1; }; }
check "their ends are counted" counted 'deliveries_total{result="dead"} [1-9].*'
check "which say why" dead "[.deliveries[] | select(.job == \"$last\" and .status == 410)] | length > 0"
kill -9 "$(pid scheduler)"; wait "$(pid scheduler)" 2>/dev/null
scheduler
until_true "they outlive a scheduler" dead "[.deliveries[] | select(.job == \"$last\")] | length == 4"
check "dead letters are counted" counted "dead_letters [1-9].*" # more where a scheduler died before it wrote what was taken
check "the command lists them" status 0 gopmill events list
check "with the receiver's answer" said "HTTP 410"
check "both lists at once are none" status 2 gopmill events list --dead --waiting
echo ok >"$mode"
check "they are sent again" status 0 gopmill events redeliver "$last"
check "and counted" said "4 dead letters sent again"
until_true "and arrive" has "$last" 1
check "none is left" test "$(gopmill events list --json | jq "[.deliveries[] | select(.job == \"$last\")] | length")" = 0
check "none of such a name is there for the command" status 2 gopmill events redeliver 7/none
check "all that are left may be none" status 0 gopmill events redeliver --all
check "none is counted any more" counted "dead_letters 0"

# Who follows heard each end once, over schedulers that were killed, or was told that it may have missed some.
heard() { jq -se "[.[] | select(.event == \"job.done\" and .data.id == \"$1\")] | length == 1" "$work/follow" >/dev/null; }
until_true "who follows heard of the last one" heard "$last"
gap() { jq -se 'any(.event == "reset")' "$work/follow" >/dev/null; }
for id in "${ids[@]}"; do
  check "and of $id, or of a gap" eval "heard $id || gap"
done
check "events have numbers that grow" jq -se '[.[].id | tonumber] | . == sort' "$work/follow" >/dev/null
"$bin/gopmill" events follow --after 0 >"$work/again" 2>&1 9>&- &
again=$!
until_true "what is too long ago is told to be missing" grep -q "reset " "$work/again"
kill -INT "$again"
kill -INT "$follower"
code=0 && wait "$follower" || code=$?
check "an interrupt ends it" test "$code" = 130
check "what was taken is" counted 'deliveries_total{result="taken"} [1-9].*'
check "none of such a name is" test "$(api POST /v1/events:redeliver '{"id": "none"}')" = 404
check "the scheduler goes on" test "$(api GET /v1/farm)" = 200
stop one
stop scheduler
check "the state is sound" "$bin/gopmill-scheduler" --check-store --config "$at/scheduler.yaml"
finish
