#!/usr/bin/env bash
# ptxas takes the PTX that lies in the program, for the chips that kernels.md names: the driver compiles it by the same rules.
#   ptxas.sh PTX
# PTXAS names the program, where it is neither in PATH nor in CUDA's folder. Without it: exit 77.
set -u
ptx=$1
ptxas=${PTXAS:-$(PATH=$PATH:/usr/local/cuda/bin command -v ptxas)}
[ -n "$ptxas" ] || { echo "SKIPPED: ptxas is not here (CUDA's toolkit has it): nothing is shown of the PTX"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/gopmill-ptxas-XXXXXX")
trap 'rm -rf "$work"' EXIT
"$ptxas" --help >"$work/help" || { echo "FAILED: $ptxas does not start"; exit 1; }
bad=0 done=0
for chip in sm_75 sm_90 sm_120; do
  grep -q "'$chip'" "$work/help" || { echo "SKIPPED here: this ptxas does not know $chip"; continue; }
  done=$((done + 1))
  if "$ptxas" --gpu-name "$chip" --output-file "$work/$chip" "$ptx" >"$work/said" 2>&1 && [ -s "$work/$chip" ]; then
    echo "ok: $chip, $(wc -c <"$work/$chip") bytes"
  else
    echo "FAILED: $chip"
    head -n 20 "$work/said"
    bad=1
  fi
done
[ "$done" -gt 0 ] || { echo "SKIPPED: this ptxas knows none of these chips"; exit 77; }
exit $bad
