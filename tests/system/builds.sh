#!/usr/bin/env bash
# Nodes of two builds (GM_TEST_BUILD, which programs built without tests do not read): a job's renditions come from one of them, and a job
# whose build goes away is planned again by the other one, with the same bytes, as the builds are the same but for what they say.
. "$(dirname "$0")/lib.sh"

make_clip "$work/clip.mp4" 60 640x360 24
small_pipeline "$work/small.yaml" 360
node_options="devices: off"
device_wait_ms=3000 farm main
GM_TEST_BUILD="one" node a1
GM_TEST_BUILD="one" node a2
GM_TEST_BUILD="two" node b1

submit() { gopmill submit "$work/clip.mp4" --out "$work/$1" --pipeline "$work/small.yaml" "${@:2}"; }
encoders() { jq -r '[.tasks[] | select(.type == "encode" and .outcome == "done") | .node] | unique | join(" ")' "$work/$1/report.json"; }
builds() { gopmill node list --json | jq -r '[.nodes[] | .id + "=" + (.devices[] | select(.id == "cpu") | .chains[0].fingerprint)] | sort | join(" ")'; }
check "what nodes tell: $(builds)" test "$(builds)" = "a1=one a2=one b1=two"
check "a job is done" status 0 submit first --watch
check "by nodes of one build: $(encoders first)" test "$(encoders first)" = "a1 a2"
check "its report says which" test "$(jq -r .encoding.resolved.fingerprint "$work/first/report.json")" = one
check "it was planned once" test "$(jq '[.tasks[] | select(.type == "plan")] | length' "$work/first/report.json")" = 1

id=$(submit second | head -n 1)
encodes() { [ "$(gopmill job show "$id" --json | jq '[.tasks[] | select(.type == "encode") | .done] | add')" -ge 1 ]; }
waits() { gopmill job explain "$id" | grep -q 'waits for a node of the build that the renditions began with (one); others take tasks'; }
is_done() { [ "$(gopmill job show "$id" --json | jq -r .state)" = done ]; }
until_true "it encodes" encodes
stop a1
stop a2
until_true "it waits, and says for what" waits
until_true "it is done" is_done
check "by the other build: $(encoders second)" grep -q '\bb1\b' <<<"$(encoders second)"
check "which the report says" test "$(jq -r .encoding.resolved.fingerprint "$work/second/report.json")" = two
check "and what went" jq -e '.encoding.given_up[0] | .chain == "cpu" and (.text | endswith("began with: one"))' "$work/second/report.json" >/dev/null
tree_hash "$work/first" >"$work/first.sha"
tree_hash "$work/second" >"$work/second.sha"
check "same bytes" cmp -s "$work/first.sha" "$work/second.sha"
finish
