#!/usr/bin/env bash
# Nodes of two builds: what is in the file GM_TEST_BUILD is as if it were installed, which programs built without tests do not read. A job's
# renditions come from one build; when its nodes are gone the other one makes it anew, with the same bytes, as the builds differ in name
# alone; and a node whose libraries are replaced beneath it goes on with the new ones. Nothing here depends on how fast the machine is.
. "$(dirname "$0")/lib.sh"

make_clip "$work/clip.mp4" 30 640x360 24
small_pipeline "$work/small.yaml" 360
sed -i "s/preset: ultrafast/preset: slow/" "$work/small.yaml"
node_options="devices: off"
device_wait_ms=8000 farm main
printf one >"$work/one"
printf two >"$work/two"
GM_TEST_BUILD="$work/one" node a1
GM_TEST_BUILD="$work/one" node a2
GM_TEST_BUILD="$work/two" node b1

submit() { gopmill submit "$work/clip.mp4" --out "$work/$1" --pipeline "$work/small.yaml" "${@:2}"; }
encoders() { jq -r '[.tasks[] | select(.type == "encode" and .outcome == "done") | .node] | unique | join(" ")' "$work/$1/report.json"; }
build_of() { jq -r .encoding.resolved.fingerprint "$work/$1/report.json"; }
builds() { gopmill node list --json | jq -r '[.nodes[] | .id + "=" + (.devices[] | select(.id == "cpu") | .chains[0].fingerprint)] | sort | join(" ")'; }
are() { [ "$(builds)" = "$1" ]; } # words: what all nodes tell
one_build() { # report: a job's parts come from the nodes of the build that it says
  case "$(build_of "$1")" in
  one) ! encoders "$1" | grep -q b ;;
  two) ! encoders "$1" | grep -q a ;;
  *) false ;;
  esac
}
state_is() { [ "$(gopmill job show "$id" --json | jq -r .state)" = "$1" ]; }
workers() { pgrep -P "$(pid "$1")"; } # node

until_true "nodes tell their builds" are "a1=one a2=one b1=two"
check "a job is done" status 0 submit first --watch
check "by nodes of one build: $(build_of first), $(encoders first)" one_build first
check "it was planned once" test "$(jq '[.tasks[] | select(.type == "plan")] | length' "$work/first/report.json")" = 1

# b1 comes back when those of the first build are gone: the job begins on that.
stop b1
id=$(submit second | head -n 1)
encodes() { gopmill job show "$id" --json | jq -e '.progress.chunks.running >= 1' >/dev/null; }
until_true "it encodes" encodes
kill -STOP $(workers a1) $(workers a2)
for n in a1 a2; do
  family="$(pid $n) $(workers $n)"
  kill -KILL $family
  wait "$(pid $n)" 2>/dev/null
done
check "it is not done" state_is running
GM_TEST_BUILD="$work/two" node b1
until_true "it is done" state_is done
check "by the other build: $(encoders second)" grep -q '\bb1\b' <<<"$(encoders second)"
check "which the report says" test "$(build_of second)" = two
check "and what went" jq -e '.encoding.given_up[0] | .chain == "cpu" and (.text | endswith("began with: one"))' "$work/second/report.json" >/dev/null
check "as people are told" grep -q '^gave up      a build of cpu: farm.no_device: ' <(gopmill job show "$id")
tree_hash "$work/first" >"$work/first.sha"
tree_hash "$work/second" >"$work/second.sha"
check "same bytes" cmp -s "$work/first.sha" "$work/second.sha"

# Beneath b1: its workers that die come back as the new build's.
printf three >"$work/two"
kill -KILL $(workers b1)
until_true "a node turns to what was installed beneath it" are "a1=one a2=one b1=three"
check "and works on" status 0 submit third --watch
check "with that" test "$(build_of third)" = three
nothing_left "$work/first" "$work/third" # of the second what went was made anew, and is told twice
finish
