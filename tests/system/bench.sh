#!/usr/bin/env bash
# tests/bench/gpu.sh over the fake drivers, its parts without FFmpeg: that it still runs, and says so where something fails.
# Its figures are worth nothing here.
. "$(dirname "$0")/lib.sh"
has_fakes || skip "no fake drivers in $GOPMILL_FAKE_LIB"
export GOPMILL_BIN=$bin GOPMILL_BENCH=$bin/../tests
over() { fake "$1" -- "$top/tests/bench/gpu.sh" "${@:2}"; } # profile argument...

check "facts and kernels of a GPU" status 0 over h200 3B:00.0 "$work/figures" --quick facts kernels
check "each says how it ended" sh -c "[ \$(grep -cE '^(facts|kernels): took [0-9]+ s, exit 0\$' '$work/out') = 2 ]"
facts=$(sed -n '/^{/,$p' "$work/figures/facts.txt")
check "the facts name the GPU and its proofs" jq -e 'any(.devices[]; .id == "0000:3b:00.0" and (.proofs | length > 0 and all(.passed)))' <<<"$facts" >/dev/null
check "kernels have rates" sh -c "[ \$(grep -cE '^(ladder|chain|score) .* us/picture .* ratio ' '$work/figures/kernels.txt') = 3 ]"
check "the battery is right, twice" sh -c "[ \$(grep -cx 'all equal to the reference' '$work/figures/kernels.txt') = 2 ]"
check "once of the PTX" sh -c "[ \$(grep -c ' image ptx\$' '$work/figures/kernels.txt') -ge 1 ]"
faulty h200 "launch error at=1"
check "kernels that fail" status 1 over "$work/h200-faulty" 3b:00.0 "$work/bad" --quick kernels
check "make the part fail" said "kernels: took"
check "with the words of each program" sh -c "[ \$(grep -cE '^(bench_gpu_kernels|battery): .*LAUNCH_FAILED' '$work/bad/kernels.txt') = 3 ]"
check "a device that is not there" status 2 over h200 0000:77:00.0 "$work/none" --quick kernels
check "those that are there are named" said "0000:3b:00.0"
check "a part that is none" status 2 over h200 3b:00.0 "$work/none" --quick kernel
finish
