#!/usr/bin/env bash
# gopmill-hwtest: levels 1 and 2 on the processor, over fake drivers of NVIDIA, VA and Quick Sync (which prove nothing about real ones) and
# their faults, its files, a baseline, wrong command lines.
. "$(dirname "$0")/lib.sh"
value() { # filter: true of the report
  jq -e "$1" "$work/j" >/dev/null || { echo "not so: $1"; jq -c '.checks[] | select(.status != "PASS") | [.device, .name, .status, .text]' "$work/j"; return 1; }
}
narrow() { ! grep -qE '.{81}' "$work/out"; }
hwtest() { "$bin/gopmill-hwtest" "$@"; }

check "the processor passes level 2" status 0 hwtest --level 2 --device cpu --json "$work/j" --html "$work/h" --junit "$work/x"
check "the last sentence says so" said "GOOD: all"
check "no line is wider than 80 columns" narrow
check "the report is of version 1" value '.hwtest == 1 and .verdict == "good" and .level == 2 and (.date | test("^20.*Z$")) and (.libraries | test("libavcodec-"))'
check "it names the versions of the libraries" value '["gopmill", "FFmpeg", "libavcodec", "libavutil", "libavfilter", "libswscale", "x264", "x265", "SVT-AV1", "libvpx", "zimg"] - [.versions[] | select(.device == "machine" and .version != "") | .name] == []'
check "nothing but the table is said" sh -c "! grep -q 'libx264 @' '$work/out'"
check "five kernels" value '[.checks[] | select(.name | startswith("kernels."))] | length == 5'
check "8 decoders, 8 encoders, six checks each" value '([.checks[] | select(.name | startswith("decode."))] | length == 8) and ([.checks[] | select(.name | startswith("encode."))] | length == 48)'
check "8 clips with their hashes" value '.clips | length == 8 and all(.sha256 | length == 64)'
check "every encoder repeats its bytes" value '[.checks[] | select(.name | endswith(".repeat")) | .sha256] | length == 8 and (unique | length == 8)'
check "the page needs nothing else" sh -c "grep -q '<svg' '$work/h' && ! grep -qE 'http|src=|href' '$work/h'"
check "the JUnit file counts them" sh -c "[ \$(grep -c '<testcase' '$work/x') = \$(jq '.checks | length' '$work/j') ]"

# A baseline: of itself; with better values; of others; none.
check "no worse than itself" status 0 hwtest --device cpu --baseline "$work/j"
check "and that was compared" said "baseline.compared"
jq '(.checks[] | select(.name == "proof.encode.software.h264.8") | .value) += 5' "$work/j" >"$work/best"
check "much worse is bad" status 1 hwtest --device cpu --baseline "$work/best"
check "a baseline that is not there" status 2 hwtest --baseline "$work/none"
check "is named" said "$work/none"
echo '{"hwtest": 9}' >"$work/other"
check "one of another version" status 2 hwtest --baseline "$work/other"
check "says which" said "version 9, not 1"
echo 'no JSON' >"$work/other"
check "one that is no JSON" status 2 hwtest --baseline "$work/other"

check "an unknown device" status 2 hwtest --device 0000:77:00.0
check "those that are there are named" said "there is no device \`0000:77:00.0\` here: there is cpu"
check "minutes of a level that has none" status 2 hwtest --minutes 3
check "are refused in words" said "are of level 4"
check "what a process makes a second" status 0 hwtest try rate --device cpu --codec h264 --short --text
check "is measured" grep -qE "PASS     encode  .* fps" "$work/out"
check "a level that is none" status 2 hwtest --level x
check "an unknown option" status 2 hwtest --levels 1
check "an argument" status 2 hwtest cpu
check "a table that can't be printed" status 2 sh -c "'$bin/gopmill-hwtest' --device cpu --json '$work/full' --junit '$work/full-x' >/dev/full"
check "takes nothing from the files" sh -c "jq -e '.verdict == \"good\"' '$work/full' && grep -q '</testsuites>' '$work/full-x'"
check "one file for two reports" status 2 hwtest --device cpu --json "$work/same" --html "$work/same"
check "is refused before it is lost" said "is named for two files of the report"
check "also by another name" status 2 hwtest --device cpu --json "$work/same" --html "$work/./same"
check "that is to be made" said "is named for two files of the report"
check "a file that can't be written" status 2 hwtest --level 4 --device cpu --json "$work/none/j"
check "is refused before the work" said "can't be written"
check "capacity, short" status 0 hwtest --level 3 --only --short --device cpu --json "$work/j"
check "which says that its figures are none" said "short: the figures of level 3 say nothing"
check "rates, ladders and storage" value '.short and .only and ([.checks[] | select(.level == 3 and (.name | startswith("watts.") | not))] | length == 34 and all(.value > 0)) and all(.checks[]; .level != 2)'
check "watts of each ladder, or that nothing tells them" value '[.checks[] | select(.name | startswith("watts.")) | .status == "SKIP" or .value > 0] | length == 2 and all'
# A run that is not let to its end.
check "level 2 within a second" status 0 hwtest --level 2 --device cpu --time-limit 1 --json "$work/late"
check "tells what it left out, and why" sh -c "jq -e '[.checks[] | select(.status == \"SKIP\" and (.text == \"the time of --time-limit is over\"))] | length > 0' '$work/late'"
ended_early() { # filter program...: its report, which SIGTERM did not take away
  local pid rc=0 filter=$1
  shift
  "$@" --json "$work/early" >"$work/out" 2>&1 &
  pid=$!
  until_true "it has begun" pgrep -P "$pid" || return
  kill -TERM "$pid"
  wait "$pid" || rc=$?
  jq -e "(.verdict == \"good\") == ($rc == 0) and .verdict == (if any(.checks[]; .status == \"PASS\") then \"good\" else \"bad\" end) and any(.checks[]; .name == \"ended\" and .status == \"WARN\") and any(.checks[]; .status == \"SKIP\" and .text == \"the run was ended early by a signal\"$filter)" "$work/early" >/dev/null ||
    { echo "exit $rc"; cat "$work/out"; return 1; }
}
check "SIGTERM ends it with what was found" ended_early "" "$bin/gopmill-hwtest" --level 2 --device cpu
if has_fakes; then
  faulty l4 "nvml-init hang"
  for device in "" "--device cpu" "--device 0000:3b:00.0"; do
    # shellcheck disable=SC2086 # of none: no words
    check "also while it looks for devices ${device:+(}$device${device:+)}" ended_early ' and .device == "machine" and .name == "detection"' \
      env GOPMILL_FAKE_DRIVERS="$work/l4-faulty" LD_LIBRARY_PATH="$GOPMILL_FAKE_LIB" "$bin/gopmill-hwtest" $device
  done
fi
# A node reads those very checks.
jq '.short = false' "$work/j" >"$work/whole"
farm measured
node_options="measured: $work/whole" node n
check "a node takes their figures" sh -c "'$bin/gopmill' node list --json | jq -e '.nodes[0].devices[0].measured.rates
  | length == 10 and all(.one > 0 and .all > 0 and .streams > 0)' >/dev/null"
stop n
stop scheduler
unset GOPMILL_SCHEDULER
check "a child without a parent" status 2 hwtest try kernels --device cpu 3>&-

has_fakes || { echo "SKIPPED here: no fake drivers in $GOPMILL_FAKE_LIB"; finish; }
cat >"$work/node.yaml" <<YAML
device_environment: [LD_LIBRARY_PATH, LIBVA_DRIVERS_PATH, GOPMILL_FAKE_DRIVERS]
device_paths: ["$work", "$(realpath "$GOPMILL_FAKE_LIB")"]
YAML
over() { # profile argument...: hwtest over a copy of it, with a node's configuration by which workers find the drivers
  cp "$top/tests/drivers/profiles/$1.txt" "$work/own-$1"
  fake "$work/own-$1" -- "$bin/gopmill-hwtest" --node-config "$work/node.yaml" "${@:2}"
}
check "fake H200, level 1" status 0 over h200 --json "$work/j"
check "the verdict says that it is none" said "(fake devices: nothing of this is hardware)"
check "it has decoders and no encoder" value '(.devices[1] | .fake and (.name | test("fake"))) and ([.checks[] | select(.name | startswith("proof.decode.nvdec"))] | length == 5) and any(.checks[]; .name == "encoder" and .status == "SKIP")'
check "it opens in a worker's sandbox" value '[.checks[] | select(.name == "sandbox") | [.device, .level, .status]] == [["0000:3b:00.0", 1, "PASS"]]'
check "a device whose driver workers do not find is bad" status 1 fake "$work/own-h200" -- "$bin/gopmill-hwtest" --device 3b:00.0 --json "$work/j"
check "in words" sh -c "tr -s '\n ' ' ' <'$work/out' | grep -q \"BAD.* 1 of .*sandbox of 0000:3b:00.0 (it does not open in a worker's sandbox: .*--node-config\""
check "though its proofs passed" value '[.checks[] | select(.name | startswith("proof.decode")) | .status == "PASS"] | length == 5 and all'
check "a configuration of a node that is none" status 2 hwtest --device cpu --node-config "$work/j"
check "is named" said "$work/j"
mkdir "$work/bin"
cp "$bin"/gopmill-{hwtest,probe,prove} "$work/bin"
check "without a launcher" status 0 fake "$work/own-h200" -- "$work/bin/gopmill-hwtest" --device 3b:00.0 --json "$work/j"
check "that is not tried, which is said" value 'any(.checks[]; .name == "sandbox" and .status == "SKIP" and (.text | test("gopmill-launcher is not beside")))'
faulty h200 "decode hang"
check "one whose proofs hang, ended before their time" status 0 fake "$work/h200-faulty" -- "$bin/gopmill-hwtest" --device 3b:00.0 --time-limit 15 --json "$work/j"
check "is opened in no sandbox, for that reason" value '[.checks[] | select(.name == "sandbox") | [.status, .text]] == [["SKIP", "the time of --time-limit is over"]]'
check "an old driver is bad" status 1 fake old-driver -- "$bin/gopmill-hwtest"
check "the verdict says what to do" sh -c "tr '\n' ' ' <'$work/out' | grep -q 'did not let us in): NVENC: the driver is too old for NVENC .*: install version 470 or newer'"
check "a driver that does not start is bad" status 1 fake mismatch -- "$bin/gopmill-hwtest"
check "and so is its verdict" sh -c "tr '\n' ' ' <'$work/out' | grep -q 'BAD.*restart the machine after a driver update'"
cp "$top/tests/drivers/profiles/two-gpus.txt" "$work/two" # the second one encodes here, too
printf '  encoders 1\n  encode h264 8 145x49 4096x4096 3\n' >>"$work/two"
check "endurance of one of two GPUs that encode" status 2 fake "$work/two" -- "$bin/gopmill-hwtest" --level 4 --device 3b:00.0
check "is refused with the other's name" said "its node uses 0000:af:00.0, too"
faulty l4 # with none
sed -i '/^ *fault *$/d; s/decode av1 8,10/decode av1 8/' "$work/l4-faulty"
check "fake L4, level 2" status 0 fake "$work/l4-faulty" -- "$bin/gopmill-hwtest" --node-config "$work/node.yaml" --level 2 --device 00:1e.0 --json "$work/j"
check "kernels and decoders are exact" value '([.checks[] | select((.name | startswith("kernels.")) and .status == "PASS")] | length == 5) and ([.checks[] | select((.name | test("^decode.nvdec.[a-z0-9]*.(8|10)$")) and .status == "PASS")] | length == 6)'
check "so are the farm's decoders" value '[.checks[] | select((.name | test("^decode.nvdec.*[.]farm$")) and .status == "PASS" and .value == 72) | .name[13:-5]] | sort == ["av1.8", "h264.8", "hevc.10", "hevc.8", "vp9.10", "vp9.8"]'
check "and pictures that stay on the GPU, of each codec and depth" value '[.checks[] | select((.name | test("^pictures.cuda.*[0-9]$")) and .status == "PASS" and .value == 72) | .name[14:]] | sort == ["av1.8", "h264.8", "hevc.10", "hevc.8", "vp9.10", "vp9.8"]'
check "how like they are to the clip is counted there" value '[.checks[] | select((.name | test("^pictures.cuda.*psnr$")) and .status == "PASS" and .value > 35 and .unit == "dB" and (.text | test("sums to the bit")))] | length == 6'
check "NVENC keeps frames, grid, rate, likeness and bytes" value '[.checks[] | select((.name | startswith("encode.nvenc")) and .status == "PASS")] | length == 18'
check "it names the versions of the driver" value '[.versions[] | select(.device == "0000:00:1e.0") | [.name, .version]] == [["NVIDIA driver", "550.54.15-fake"], ["CUDA driver", "12.4"], ["NVENC interface", "12.2"]]'
# Fewer codecs do for faults, and for endurance, whose node gives its workers what the configuration says.
few() { sed -i '/decode \(mpeg\|vc1\|mjpeg\|vp\|av1\)/d; /encode hevc/d' "$1"; } # profile
cp "$top/tests/drivers/profiles/l4.txt" "$work/own-l4"
few "$work/own-l4"
check "endurance, short" status 0 fake "$work/own-l4" -- "$bin/gopmill-hwtest" --node-config "$work/node.yaml" --level 4 --only --short --seed 7 --device 00:1e.0 --json "$work/j"
check "has jobs of the device" value 'any(.checks[]; .name == "soak.goldens.devices" and .status == "PASS" and .value >= 1)'
faulty h200 "map wrong at=40" "launch error at=2"
few "$work/h200-faulty"
check "a decoder with one wrong picture, kernels that fail" status 1 fake "$work/h200-faulty" -- "$bin/gopmill-hwtest" --level 2 --device 3b:00.0 --json "$work/j"
check "the decoder fails where it is" value '[.checks[] | select(.name | startswith("decode.")) | .status == "FAIL" and .value == 71] | length == 6 and all'
check "pictures that stay there fail" value '[.checks[] | select((.name | startswith("pictures.cuda")) and .status == "FAIL")] | length == 3'
check "the kernels are one check that says so" value '[.checks[] | select(.name == "kernels" and .status == "FAIL")] | length == 1'
faulty h200 "map wrong at=40"
few "$work/h200-faulty"
check "one wrong picture that stays" status 1 fake "$work/h200-faulty" -- "$bin/gopmill-hwtest" try pictures --device 0000:3b:00.0 --api cuda --codec h264 --depth 8 --text
check "is told with how far off it is" sh -c "tr -s '\n ' ' ' <'$work/out' | grep -q 'first wrong one is 39 (-1: none); 39 is the farthest off, [0-9.]* dB and SSIM 0[.]'"
faulty h200 "map wrong at=40" "launch error at=2"
few "$work/h200-faulty"
check "tried alone, for people, they are a failure" status 1 fake "$work/h200-faulty" -- "$bin/gopmill-hwtest" try kernels --device 0000:3b:00.0 --text
check "and so is the kernel's proof" status 1 fake "$work/h200-faulty" -- "$bin/gopmill-prove" encode --device 0000:3b:00.0 --api cuda --codec cuda-ladder-1 --depth 8 --text
check "which is none of a device that is not there" status 1 fake h200 -- "$bin/gopmill-prove" encode --device 0000:77:00.0 --api cuda --codec cuda-ladder-1 --depth 8 --text
check "and good where it scales rightly" status 0 fake h200 -- "$bin/gopmill-prove" encode --device 0000:3b:00.0 --api cuda --codec cuda-ladder-1 --depth 8 --text
faulty l4 "copied error at=600" # libavcodec's two runs make 576
check "a copy that fails under the farm's decoder alone" status 1 fake "$work/l4-faulty" -- "$bin/gopmill-hwtest" try decode --device 0000:00:1e.0 --api nvdec --codec h264 --depth 8 --text
check "is its row's" sh -c "grep -q '^PASS *decode.nvdec.h264.8 ' '$work/out' && grep -q '^FAIL *decode.nvdec.h264.8.farm' '$work/out'"
faulty l4 "decode crash at=30" "encode wrong at=20"
few "$work/l4-faulty"
check "a decoder that crashes, an encoder with a wrong picture" status 1 fake "$work/l4-faulty" -- "$bin/gopmill-hwtest" --level 2 --device 00:1e.0 --json "$work/j"
check "the encoder fails by its worst picture" value 'any(.checks[]; .name == "encode.nvenc.h264.8.worst" and .status == "FAIL")'
check "the decoder fails its own checks only" value '([.checks[] | select((.name | startswith("decode.")) and .status == "FAIL" and (.text | test("crashed")))] | length == 3) and ([.checks[] | select((.name | startswith("kernels.")) and .status == "PASS")] | length == 5)'

# A GPU of a VA driver, with a Quick Sync runtime and without.
fake arc -- true 2>/dev/null || { echo "SKIPPED here: no render node can be made (mount namespaces)"; finish; }
mkdir "$work/dri"
ln -s "$(realpath "$GOPMILL_FAKE_LIB")/fake_drv_video.so" "$work/dri/iHD_drv_video.so"
over_va() { # as over: by the name that Intel's driver has, which the sandbox lets in
  cp "$top/tests/drivers/profiles/$1.txt" "$work/own-$1"
  with_va "$work/own-$1" --node-config "$work/node.yaml" "${@:2}"
}
with_va() { fake "$1" -- env -u LIBVA_DRIVER_NAME LIBVA_DRIVERS_PATH="$work/dri" "$bin/gopmill-hwtest" "${@:2}"; } # profile argument...
proofs() { value "[.checks[] | select(.name | startswith(\"proof.$1.\")) | [.name[$((7 + ${#1}))":"], .status == \"PASS\"]] == $2"; } # direction.api works
check "fake Arc, level 1" status 0 over_va arc --device 03:00.0 --json "$work/j"
check "the verdict says that it is none" said "(fake devices: nothing of this is hardware)"
check "its encoders are proved" proofs encode.vaapi '[["h264.8", true], ["hevc.8", true], ["hevc.10", true]]'
check "and its decoders" value '[.checks[] | select(.name | startswith("proof.decode.vaapi.")) | .status == "PASS" and .value >= 30] | length == 7 and all'
check "it opens in a worker's sandbox" value '[.checks[] | select(.name == "sandbox") | .status] == ["PASS"]'
check "it names the versions of the driver" value '[.versions[] | select(.device == "0000:03:00.0") | .name] | contains(["VA driver", "VA-API"])'
check "one whose driver workers do not find is bad" status 1 with_va "$work/own-arc" --device 03:00.0 --json "$work/j"
check "in words" value 'any(.checks[]; .name == "sandbox" and .status == "FAIL" and (.text | startswith("it does not open in a worker")))'
check "fake Quick Sync runtime, level 1" status 0 over_va arc-qsv --device 03:00.0 --json "$work/j"
check "its encoders are proved" proofs encode.qsv '[["h264.8", true], ["hevc.8", true], ["hevc.10", true]]'
check "it opens in a worker's sandbox" value '[.checks[] | select(.name == "sandbox") | .status] == ["PASS"]'
check "the file of the runtime is told" value 'any(.versions[]; .device == "0000:03:00.0" and .name == "Quick Sync runtime")'
sed '/encode hevc/d' "$top/tests/drivers/profiles/arc-qsv.txt" >"$work/qsv-encodes"
check "level 2 of both chains" status 1 with_va "$work/qsv-encodes" --node-config "$work/node.yaml" --level 2 --device 03:00.0 --json "$work/j"
check "Quick Sync keeps frames, grid, rate, likeness and bytes" value '[.checks[] | select((.name | startswith("encode.qsv.h264.8.")) and .status == "PASS")] | length == 6'
check "VAAPI frames, grid and bytes" value '[.checks[] | select((.name | test("^encode.vaapi.h264.8.(frames|idr|repeat)$")) and .status == "PASS")] | length == 3'
check "that fake encodes too poorly, which is seen" value '[.checks[] | select(.status == "FAIL") | .name] - ["encode.vaapi.h264.8.ssim", "encode.vaapi.h264.8.worst"] == [] and any(.checks[]; .name == "encode.vaapi.h264.8.ssim" and .status == "FAIL")'
sed '/encode /d' "$top/tests/drivers/profiles/arc.txt" >"$work/arc-decodes"
check "fake Arc that decodes, level 2" status 0 with_va "$work/arc-decodes" --node-config "$work/node.yaml" --level 2 --device 03:00.0 --json "$work/j"
check "its decoders are exact, libavcodec's and the farm's" value '[.checks[] | select((.name | startswith("decode.vaapi.")) and .status == "PASS" and .value == 72) | .name[13:]] | sort == (["av1.8", "av1.10", "h264.8", "hevc.8", "hevc.10", "vp9.8", "vp9.10"] | map(., . + ".farm") | sort)'
rm -f "$work/arc-decodes.state"
sed -i '/decode \(hevc\|vp9\|av1\)/d' "$work/arc-decodes"
echo 'fault decode wrong at=40' >>"$work/arc-decodes"
check "with a wrong picture" status 1 with_va "$work/arc-decodes" --level 2 --device 03:00.0 --json "$work/j"
check "it fails both ways" value '[.checks[] | select(.name | startswith("decode.vaapi.h264.8")) | .status == "FAIL" and .value == 71] | length == 2 and all'
finish
