#!/usr/bin/env bash
# A farm whose card gives 3 encoder sessions, which nobody tells it: over the fake drivers, as gpu.sh. Jobs share them, and one
# that takes more at once goes on in software.
. "$(dirname "$0")/lib.sh"
. "$here/gpu_lib.sh"
node_starts
make_clip "$work/clip.mp4" 12 640x360 15
make_clip "$work/long.mp4" 30
gpu=0000:01:00.0
profile geforce
farm cards
retry_s=600 gpu_node card LD_LIBRARY_PATH # what was found out stays to the end
until_true "the card is offered" gpu_is '.capacity.slots == 2 and .capacity.sessions == 0'
rungs() { # name ladder
  small_pipeline "$work/$1.yaml" "$2"
  sed -i 's/preset: ultrafast/preset: ultrafast, devices: [nvenc]/' "$work/$1.yaml"
}
rungs two "360, 240"
rungs one "240"
rungs four "360, 240, 180, 144"

# The first one finds it out.
check "a job of more renditions is done" transcode four "$work/clip.mp4" "$work/four.yaml"
check "in software" report "$(on cpu)"
check "its report says why" report '.encoding.given_up == [{chain: "nvenc", code: "farm.no_device", text: "4 renditions need 4 encoder sessions; GPU 0000:01:00.0 gives 3"}]'
check "its runs were refused there" report 'any(.tasks[]; .error.code? == "device.busy") and all(.tasks[] | select(.outcome == "failed"); .error.code == "device.busy")'
check "without a charged attempt" uncharged
check "the limit is known" gpu_is '.capacity.slots == 2 and .capacity.sessions == 3'
check "the list says so to people" sh -c "'$bin/gopmill' node list | grep -q 'note: it refused an encoder session: 3 at once'"

# Then jobs share what there is, and one of 4 is not tried there in vain.
transcode two-a "$work/long.mp4" "$work/two.yaml" & a=$!
transcode two-b "$work/long.mp4" "$work/two.yaml" & b=$!
transcode one "$work/clip.mp4" "$work/one.yaml" & c=$!
for job in "$a" "$b" "$c"; do
  check "jobs are done side by side" wait "$job"
done
for out in "$work/two-a" "$work/two-b" "$work/one"; do
  check "all on the card" report "$(on $gpu)"
  check "nothing was refused or given up" report '.encoding.given_up == [] and all(.tasks[]; .outcome == "done")'
done
check "another one of more renditions is done" transcode again "$work/clip.mp4" "$work/four.yaml"
check "in software" report "$(on cpu)"
check "planned once, and the report says why" report '.encoding | .given_up == [] and .reason == "nvenc: 4 renditions need 4 encoder sessions; GPU 0000:01:00.0 gives 3"'
check "nothing of it was refused" report '[.tasks[] | select(.type == "plan")] as $p | ($p | length == 1) and all(.tasks[]; .outcome == "done")'
# The source decides how many there are: of a small one the same ladder has three.
ffmpeg -nostdin -v error -y -i "$work/clip.mp4" -vf scale=426:240 -c:v libx264 -preset ultrafast -c:a copy -t 3 "$work/low.mp4"
check "the same ladder of a lower source is done" transcode low "$work/low.mp4" "$work/four.yaml"
check "on the card" report "$(on $gpu)"

# What no node offers is passed over, with its name; what must not is the job's end.
sed 's/devices: \[nvenc\]/devices: [vaapi, cpu]/' "$work/one.yaml" >"$work/other.yaml"
check "a job that wants another device is done" transcode other "$work/clip.mp4" "$work/other.yaml"
check "in software" report "$(on cpu)"
check "its report says why" report '.encoding | .reason == "vaapi: no node offers it" and .given_up == [] and (.actual.devices | map(.device)) == ["cpu"]'
check "people are told, too" sh -c "'$bin/gopmill' job show $(jq -r .job.id "$out/report.json") | grep -q '^because      vaapi: no node offers it'"
check "the list tells the card's address, name and chain" sh -c "'$bin/gopmill' node list | grep -A1 'device: GPU 0000:01:00.0 .*fake.*GeForce' | grep -q 'chain: nvenc (.*h264.*): .*fake GPU GeForce'"
sed 's/devices: \[nvenc\]/devices: [nvenc], fallback: fail/' "$work/four.yaml" >"$work/fail.yaml"
check "a job that must not leave the card fails" status 1 gopmill transcode "$work/clip.mp4" --out "$work/fail" --quiet --pipeline "$work/fail.yaml"
check "and says what it lacks" said "4 renditions need 4 encoder sessions; GPU 0000:01:00.0 gives 3"
stop card
finish
