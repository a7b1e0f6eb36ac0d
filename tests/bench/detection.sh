#!/usr/bin/env bash
# How long detection takes on this machine: `gopmill devices` as people and nodes' starts run it, N times (11), no proofs.
#   tests/bench/detection.sh [N]
# The first is apart: where nvidia-persistenced does not run, and where libraries come from the disk, it is the slow one.
# GOPMILL_BIN names the folder of the programs.
set -uo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
bin=${GOPMILL_BIN:-$top/build/bin}
n=${1:-11}
[[ $n =~ ^[1-9][0-9]{0,3}$ ]] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
export TIMEFORMAT=%R
times=()
for ((i = 0; i < n; i++)); do
  took=$({ time "$bin/gopmill" devices --json >/dev/null 2>&1; } 2>&1) || { echo "detection.sh: gopmill devices failed" >&2; exit 1; }
  times+=("$took")
done
date -u +%FT%TZ
uname -srm
echo "CPUs: $(nproc)"
"$bin/gopmill" devices
echo "first: ${times[0]} s"
printf '%s\n' "${times[@]}" | sort -n | awk '{ t[NR] = $1 } END { printf "of %d: least %s s, middle %s s, most %s s\n", NR, t[1], t[int((NR + 1) / 2)], t[NR] }'
