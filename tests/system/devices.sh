#!/usr/bin/env bash
# gopmill devices: on this machine, over the files of machines nobody has here, and over the fake
# drivers of tests/drivers, which prove nothing about real ones.
. "$(dirname "$0")/lib.sh"
value() { # filter: true of the last command's JSON
  jq -e "$1" "$work/out" >/dev/null || { echo "not so: $1"; jq -c '.devices[] | del(.decode, .encode)' "$work/out"; return 1; }
}

# This machine, whatever is in it.
check "devices are listed" status 0 gopmill devices
check "the processor is one" said "CPU "
check "as JSON too" status 0 gopmill devices --json
check "the cpu comes first and encodes" value '.version == 1 and .devices[0].id == "cpu" and .devices[0].cpus >= 1 and ([.devices[0].encode[].codec] | unique == ["av1","h264","hevc","vp9"])'
check "--prove and --sysfs-root go not together" status 2 gopmill devices --prove --sysfs-root "$work"
check "--state without --prove is refused" status 2 gopmill devices --state "$work"
check "a folder that is none is refused" status 2 gopmill devices --sysfs-root "$work/none"
check "an option of others is refused" status 2 gopmill devices --nodes 2

# Files of another machine.
gpu() { # PCI vendor driver
  mkdir -p "$work/rack/sys/bus/pci/devices/$1"
  (cd "$work/rack/sys/bus/pci/devices/$1" && echo 0x030200 >class && echo "$2" >vendor && echo 0x2335 >device && ln -s "../../drivers/$3" driver)
}
for bus in 1b 29 45 4e 9b aa c8 d1; do gpu "0000:$bus:00.0" 0x10de nvidia; done
mkdir -p "$work/rack/proc/driver/nvidia/gpus/0000:e0:00.0"
printf 'Model: \t\t NVIDIA H200\n' >"$work/rack/proc/driver/nvidia/gpus/0000:e0:00.0/information"
check "a rack's files are looked at" status 0 gopmill devices --json --sysfs-root "$work/rack"
check "8 GPUs, and one that is gone" value '[.devices[] | select(.kind == "nvidia")] | length == 9 and (.[8].notes[0].text | test("gone from the bus"))'
check "also where SIGCHLD is ignored" status 0 env --ignore-signal=CHLD "$bin/gopmill" devices --json
check "nothing hangs" value 'all(.notes[], .devices[].notes[]; .text | test("hangs") | not)'

# Proofs of the processor's encoders, kept.
mkdir "$work/state"
check "every software encoder is proven" status 0 gopmill devices --prove --json --state "$work/state"
check "8 proofs passed" value '.devices[0].proofs | length == 8 and all(.passed and .psnr > 30)'
cp "$work/out" "$work/first"
check "asked again" status 0 gopmill devices --prove --json --state "$work/state"
check "the proofs are those of before" sh -c "[ \"\$(jq -c .devices[0].proofs '$work/first')\" = \"\$(jq -c .devices[0].proofs '$work/out')\" ]"
check "the folder of a node that runs is left alone" status 1 flock "$work/state/lock" "$bin/gopmill" devices --prove --state "$work/state"
check "and that is said" said "another gopmill-node is using the state folder"

mkdir "$work/alone"
cp "$bin/gopmill-node" "$work/alone/"
check "nothing is proven where the prover is missing" status 1 "$work/alone/gopmill-node" devices --prove
check "it is said" said '`gopmill-prove` is not beside this program'

# Over the fake drivers.
has_fakes || { echo "SKIPPED here: no fake drivers in $GOPMILL_FAKE_LIB"; finish; }
check "fake H200" status 0 fake h200 -- "$bin/gopmill" devices --json
check "7 engines, no AV1, CUDA" value '.devices[1] | .id == "0000:3b:00.0" and (.name | test("fake")) and ([.decode[].engines] | max == 7) and ([.decode[].codec] | index("av1") == null) and (.features | index("cuda-9.0") != null)'
check "no encoder in this chip" value '.devices[1] | .encode_state == "absent" and .encode == []'
fake l4 -- "$bin/gopmill" devices --prove --json >"$work/out" # exit 1 where the fakes lack a decoder
check "its encoders pass" value '[.devices[1].proofs[] | select(.encode and .api != "cuda")] | length >= 3 and all(.passed and .psnr > 30)'
check "and what scales beside them" value '[.devices[1].proofs[] | select(.api == "cuda")] | length == 2 and all(.passed and .encode and .codec == "cuda-ladder-1" and .psnr == 0)'
check "an old driver" status 0 fake old-driver -- "$bin/gopmill" devices
check "is told to be one" said "the driver is too old for NVENC"
faulty l4 "encode-open oom"
check "no session is free" status 0 fake "$work/l4-faulty" -- "$bin/gopmill" devices --json
check "that is refusal, not absence" value '.devices[1] | .encode_state == "refused" and any(.notes[]; .text | test("no session is to be had"))'
faulty l4 "encode-open busy"
check "nor for a newer driver" status 0 fake "$work/l4-faulty" -- "$bin/gopmill" devices --json
check "which says so in its own way" value '.devices[1] | .encode_state == "refused" and any(.notes[]; .text | test("no session is to be had.*end other encoders"))'
faulty l4 "decode-caps invalid at=5" "decode-caps unsupported at=6"
check "a driver that does not know a combination" status 0 fake "$work/l4-faulty" -- "$bin/gopmill" devices --json
check "decodes the others" value '.devices[1] | .decode_state == "present" and ([.decode[].codec] | index("h264") != null and index("vp9") != null)'
faulty l4 "decode-caps unsupported"
check "one that knows none" status 0 fake "$work/l4-faulty" -- "$bin/gopmill" devices --json
check "does not tell what it decodes" value '.devices[1] | .decode_state == "refused" and any(.notes[]; .text | test("does not tell what it decodes"))'
check "two fake GPUs" status 0 fake two-gpus -- "$bin/gopmill" devices --json
check "in the order of their addresses" value '[.devices[].id] == ["cpu","0000:3b:00.0","0000:af:00.0"]'
rack='"0000:1b:00.0","0000:29:00.0","0000:45:00.0","0000:4e:00.0","0000:9b:00.0","0000:aa:00.0","0000:c8:00.0","0000:d1:00.0"'
check "eight fake GPUs" status 0 fake eight-gpus -- "$bin/gopmill" devices --json
check "all of them, in the order of their addresses" value "[.devices[].id] == [\"cpu\",$rack]"
check "each asked for its decoder and its encoder" value 'all(.devices[1:][]; .decode_state == "present" and .encode_state == "absent" and ([.decode[].engines] | max == 7))'
check "and nothing failed" value '[.notes[], .devices[].notes[] | select(.severity == "error")] == []'
check "for people too" status 0 fake eight-gpus -- "$bin/gopmill" devices
check "with a sentence for each" sh -c "[ \$(grep -c '^GPU 0000:[0-9a-f]*:00.0 NVIDIA gopmill fake GPU H200' '$work/out') = 8 ]"
check "no video capability" status 0 fake no-video -- "$bin/gopmill" devices
check "the remedy is said" said 'NVENC: libnvidia-encode.so.1 is missing in this container: start it with the `video` driver capability'
check "versions that do not match" status 0 fake mismatch -- "$bin/gopmill" devices
check "ask for a restart" said "restart the machine after a driver update"
faulty none "cuda-init unsupported"
check "the toolkit's stub of CUDA" status 0 fake "$work/none-faulty" -- "$bin/gopmill" devices --json
check "is no driver, so nothing is broken" value '(.devices | length == 1) and ([.notes[], .devices[].notes[] | select(.severity == "error")] == []) and all(.notes[]; .severity != "warn" or (.text | test("LD_LIBRARY_PATH")))'
faulty h200 "decode-caps crash" "nvml-init hang"
check "drivers that crash and hang" status 0 fake "$work/h200-faulty" -- "$bin/gopmill" devices --json
check "cost their own answer only" value '(.devices[1] | .id == "0000:3b:00.0" and .decode_state == "refused" and any(.notes[]; .text | test("nvdec.*crashed \\(signal 9\\)"))) and any(.notes[]; .text | test("nvml.*did not end within 4000 ms and was killed"))'
check "and name the service that keeps them started" value 'any(.notes[]; .text | test("did not start within 4 s.*nvidia-persistenced"))'
faulty none "nvml-init hang"
check "one that hangs where there is no GPU" status 0 fake "$work/none-faulty" -- "$bin/gopmill" devices --json
check "names no service of NVIDIA's" value 'any(.notes[]; .text | test("nvml.*was killed")) and all(.notes[]; .text | test("persistenced") | not)'

# A node over them tells the scheduler; tasks run on the processors.
cat >"$work/fake-node" <<SH
#!/bin/sh
exec "$top/tests/drivers/with" "$work/node-profile" -- "$bin/gopmill-node" "\$@"
SH
chmod +x "$work/fake-node"
cp "$top/tests/drivers/profiles/h200.txt" "$work/node-profile"
farm devices
node_program=$work/fake-node node box
check "the node list answers" status 0 gopmill node list --json
check "it has the GPU, which takes no tasks" sh -c "jq -e '.nodes[0].devices | length == 2 and .[0].id == \"cpu\" and (.[1] | .kind == \"nvidia\" and .capacity.slots == 0 and (.name | test(\"fake\")) and any(.notes[]; .text | test(\"listed only\")))' '$work/out' >/dev/null"
check "for people too" status 0 gopmill node list
check "with the GPU's sentence" said "device: GPU 0000:3b:00.0 NVIDIA gopmill fake GPU H200"
# Its workers' sandbox knows nothing of the fakes' files: proofs, which are made outside, would pass.
kept_out() {
  gopmill node list --json >"$work/nodes" &&
    jq -e '[.nodes[].devices[1].proofs[]] | length > 3 and all(.passed | not) and any(.text | test("does not open in a worker.s sandbox: "))' "$work/nodes" >/dev/null
}
check "a driver that the sandbox keeps out has proved nothing" until_true "it is said" kept_out
stop box
finish
