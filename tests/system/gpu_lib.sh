# Shared by the tests of farms with a GPU: sourced after lib.sh. $gpu is the device; its driver is one of tests/drivers, which
# does what the profile in $fakes says at that moment: a folder, another one for a node with a GPU of its own.
has_fakes || skip "no fake drivers in $GOPMILL_FAKE_LIB"
GOPMILL_FAKE_LIB=$(realpath "$GOPMILL_FAKE_LIB")
fakes=$work/fake
mkdir -p "$work/fakebin" "$fakes"
device_wait_ms=1500 # no node is started anew here while a job waits for its GPU
profile() { # name line...: the drivers from now on
  cp "$top/tests/drivers/profiles/$1.txt" "$fakes/next"
  printf '%s\n' "${@:2}" >>"$fakes/next"
  mv "$fakes/next" "$fakes/profile"
}
node_starts() { # [command...]: what gpu_node starts: a node over the profile, by that command
  printf '#!/bin/sh\nexec "%s/tests/drivers/with" "%s/profile" -- %s "%s/gopmill-node" "$@"\n' \
    "$top" "$fakes" "$*" "$bin" >"$work/fakebin/gopmill-node"
  chmod +x "$work/fakebin/gopmill-node"
}
gpu_node() { # name variable [devices]: its workers get the variable and see the fake drivers' files
  local node_program=$work/fakebin/gopmill-node node_options="device_environment: [$2, GOPMILL_FAKE_DRIVERS]
device_paths: [\"$fakes\", \"$GOPMILL_FAKE_LIB\"]
device_retry_s: ${retry_s:-1}
va_decode_slots: ${va_decode_slots:-0}
devices: ${3:-prove}"
  node "$1"
}
gpu_is() { # filter: true of the GPU in the node list
  gopmill node list --json >"$work/nodes" &&
    jq -e --arg gpu "$gpu" "[.nodes[].devices[] | select(.id == \$gpu)] | any($1)" "$work/nodes" >/dev/null
}
its_chains='[.nodes[].devices[] | .chains[]]'
is_offered() { gpu_is '.capacity.slots == 2' && chains=$(jq -c "$its_chains" "$work/nodes"); } # at first: with these chains
is_back() { gpu_is '.capacity.slots == 2' && [ "$(jq -c "$its_chains" "$work/nodes")" = "$chains" ]; } # with all that it had
report() { # filter: true of the last job's report
  jq -e "$1" "$out/report.json" >/dev/null || { echo "not so: $1"; jq -c '.encoding, (.tasks[] | [.task, .device, .outcome, .error])' "$out/report.json"; return 1; }
}
transcode() { # name clip [pipeline]: into $work/name
  out=$work/$1
  gopmill transcode "$2" --out "$out" --quiet ${3:+--pipeline "$3"} >"$work/said" 2>&1 || { cat "$work/said"; return 1; }
}
uncharged() { # no attempt of the last job was charged
  gopmill job show "$(jq -r .job.id "$out/report.json")" --json >"$work/shown" &&
    jq -e '[.tasks[].failures] | add == 0' "$work/shown" >/dev/null
}
on() { echo "[.tasks[] | select(.type == \"encode\" and .outcome == \"done\") | .device] | unique == [\"$1\"]"; } # device
# What is the same of each kind of GPU; the first job went to $work/first, by the node box.
is_used() { # chain frames: by the last job, as it should
  check "encoded on the GPU" report "$(on $gpu)"
  check "its report names the chain" report ".encoding.resolved.chain == \"$1\""
  check "it plays" plays "$out/master.m3u8"
  check "every frame is there" test "$(frames_of "$out/master.m3u8")" = "$2"
}
is_lost_and_back() { # chain profile frames: in the middle of a chunk: quarantine, software, and back
  profile "$2" "fault encode lost gpu=$gpu at=20"
  check "a job is done whose GPU is lost" transcode lost "$work/clip.mp4"
  check "in software" report "$(on cpu)"
  check "its report says that" report ".encoding | .resolved.chain == \"cpu\" and .given_up[0].chain == \"$1\""
  check "and why" report 'any(.tasks[]; .error.code? == "device.lost")'
  check "every frame is there" test "$(frames_of "$work/lost/master.m3u8")" = "$3"
  check "its images are those that were made with the GPU" test "$(tree_hash "$work"/lost/v/*/images)" = "$(tree_hash "$work"/first/v/*/images)"
  check "the GPU is in quarantine" gpu_is '.capacity.slots == 0 and .chains == [] and any(.notes[]; .text | test("quarantined until its proof passes"))'
  check "the list says so to people" sh -c "'$bin/gopmill' node list | grep -q 'note: quarantined'"
  check "its proofs are forgotten" sh -c "! grep -q 'encode $1' '$at/box.d/proofs'"
  profile "$2" "back $gpu 1"
  until_true "the GPU is back" is_back
  check "a job is done after it" transcode again "$work/clip.mp4"
  check "on the GPU again" report "$(on $gpu)"
  check "with the same bytes as at first" test "$(tree_hash "$work/first")" = "$(tree_hash "$work/again")"
}
make_hdr() { # file transfer [x265's options]: 75 frames of 426x240
  ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=s=426x240:r=25:d=3,format=yuv420p10le -c:v libx265 -preset ultrafast -x265-params \
    "log-level=none:range=limited:colorprim=bt2020:colormatrix=bt2020nc:transfer=$2${3:+:$3}" "$1"
}
make_hdr10() { # file: with HDR10's messages
  make_hdr "$1" smpte2084 "hdr10=1:max-cll=900,300:master-display=G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,1)"
}
keeps() { # transfer range: the last job's rendition 240p, made of it, says them
  join_rendition "$(echo "$out"/v/*/video/240p)" >"$work/240.mp4"
  colours=$(ffprobe -v error -select_streams v -show_entries stream=profile,pix_fmt,color_range,color_space,color_transfer,color_primaries -of default=nw=1:nk=1 "$work/240.mp4" | tr "\n" " ")
  check "in ten bits, with its colours: $colours" test "$colours" = "Main 10 yuv420p10le tv bt2020nc $1 bt2020 "
  check "HLS says so" grep -q "RESOLUTION=426x240.*VIDEO-RANGE=$2" "$out/master.m3u8"
}
is_hdr10() {
  keeps smpte2084 PQ
  ffprobe -v error -show_frames -read_intervals '%+#1' "$work/240.mp4" >"$work/frame"
  check "its light level and mastering display are there" sh -c "grep -q max_content=900 '$work/frame' && grep -q max_luminance=10000000/10000 '$work/frame'"
}
keeps_hlg() { # chain: a job of HLG by it; after the one with HDR10, whose pipeline it takes
  make_hdr "$work/hlg.mp4" arib-std-b67
  check "a job with HLG is done" transcode hlg "$work/hlg.mp4" "$work/hdr.yaml"
  is_used "$1" 75
  keeps arib-std-b67 HLG
}
