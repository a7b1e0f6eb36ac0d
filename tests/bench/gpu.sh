#!/usr/bin/env bash
# Figures of a GPU, each beside its alternative in the same run; docs/hardware/README.md says what is asked of them.
#   tests/bench/gpu.sh DEVICE OUTDIR [--input FILE] [--quick] [PART...]
#   PART: facts kernels sanitizer decode chain jobs slots hwtest2 hwtest3 (all of them, in this order)
# DEVICE: PCI address or UUID. FILE: H.264, 1080p, two minutes at least; generated if not given. Raw output goes to OUTDIR/PART.txt.
# GOPMILL_BIN and GOPMILL_BENCH name the folders of the programs and of bench_gpu_kernels, FFMPEG the ffmpeg program.
# --quick: seconds instead of minutes: shows that it runs; its figures are worth nothing. A part that can't run says why.
set -uo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
bin=${GOPMILL_BIN:-$top/build/bin}
bench=${GOPMILL_BENCH:-$bin/../tests}
ff=${FFMPEG:-ffmpeg}
usage() { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -ge 2 ] || usage
device=$1 out=$2 input="" quick=""
shift 2
while [[ ${1:-} == --* ]]; do
  case $1 in
  --input) [ $# -ge 2 ] || usage; input=$(realpath -e "$2") || exit 2; shift 2 ;;
  --quick) quick=1; shift ;;
  *) usage ;;
  esac
done
parts=("$@")
[ $# -gt 0 ] || parts=(facts kernels sanitizer decode chain jobs slots hwtest2 hwtest3)
mkdir -p "$out" || exit 2
out=$(realpath "$out")
work=$(mktemp -d "${TMPDIR:-/tmp}/gm-bench-XXXXXX")
trap 'rm -rf "$work"' EXIT
export TIMEFORMAT='%R s elapsed, %U s user, %S s system'

input=${input:-$work/in.mp4}
need_input() {
  [ ! -e "$input" ] || return 0
  local size=1920x1080 seconds=120
  [ -z "$quick" ] || size=640x360 seconds=4
  "$ff" -nostdin -v error -f lavfi -i "testsrc2=s=$size:r=30:d=$seconds,noise=alls=8:allf=t" -f lavfi -i "sine=f=440:r=48000:d=$seconds" \
    -c:v libx264 -preset veryfast -crf 20 -g 60 -pix_fmt yuv420p -c:a aac "$input"
}
heights=(1080 720 480 360)
[ -z "$quick" ] || heights=(180 120 90 60)
cat >"$work/ladder.yaml" <<YAML
name: bench-gpu
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [$(IFS=,; echo "${heights[*]}")] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], codec: h264, preset: veryfast, crf: 23 }
  audio:   { type: audio, needs: [split] }
  hls:     { type: package, needs: [video, audio] }
YAML
width_of() { echo $((($1 * 16 / 9 + 1) / 2 * 2)); }

timed() { # name command... : its time, its exit status (also in $timed_rc), and its last words if it failed
  local name=$1 rc=0 took
  shift
  took=$({ time "$@" >"$work/said" 2>&1; } 2>&1) || rc=$?
  timed_rc=$rc
  echo "$name: $took, exit $rc"
  [ "$rc" = 0 ] || tail -n 5 "$work/said"
}
ours() { rm -rf "$work/ours"; "$bin/gopmill" transcode "$input" --out "$work/ours" --pipeline "$work/ladder.yaml" --quiet "$@"; }
h264() { # software ffmpeg's encoders of all rungs, from the graph's [r0] to [r3]
  local i
  for i in 0 1 2 3; do
    printf '%s\n' -map "[r$i]" -c:v libx264 -preset veryfast -crf 23 -g 60 -f mp4 "$work/theirs-$i.mp4"
  done
}
by_filters() { # scaler: a graph of one decoder and four rungs by it
  local i graph="[0:v]split=4[a][b][c][d]" names=(a b c d)
  for i in 0 1 2 3; do graph="$graph;[${names[i]}]${1//W:H/$(width_of "${heights[i]}"):${heights[i]}}[r$i]"; done
  echo "$graph"
}

part_facts() {
  date -u +%FT%TZ
  uname -srm
  nproc
  grep -m1 'model name' /proc/cpuinfo
  command -v nvidia-smi >/dev/null && nvidia-smi
  "$bin/gopmill" devices --prove --json
}
part_kernels() { "$bench/bench_gpu_kernels" "$device" ${quick:+--quick}; }
part_sanitizer() { # all kernels under CUDA's compute-sanitizer: what `ladder` is proved with, and the whole battery; 1: one is not clean
  command -v compute-sanitizer >/dev/null || { echo "compute-sanitizer is not here (CUDA's toolkit has it): not run, nothing is shown"; return; }
  local tool bad=0 command
  compute-sanitizer --version
  for tool in memcheck racecheck initcheck synccheck; do
    command=(compute-sanitizer --error-exitcode 9 --tool "$tool")
    timed "$tool, the proof of ladder" "${command[@]}" "$bin/gopmill-prove" encode --device "$device" --api cuda --codec cuda-ladder-1 --depth 8 --text
    [ "$timed_rc" = 0 ] || bad=1
    [ -z "$quick" ] || continue
    timed "$tool, the battery" "${command[@]}" "$bin/gopmill-hwtest" try kernels --device "$device" --text
    [ "$timed_rc" = 0 ] || bad=1
  done
  return $bad
}
part_decode() { # one title by 1, 2, 4, 7, 14 processes, each its share of the seconds, against one process
  local n i length
  need_input || return
  length=$("$ff" -nostdin -hide_banner -i "$input" 2>&1 | sed -n 's/.*Duration: \([0-9:]*\).*/\1/p' | awk -F: '{print $1 * 3600 + $2 * 60 + $3}')
  timed "ffmpeg, all of it by software, one thread" "$ff" -nostdin -v error -threads 1 -i "$input" -an -f null -
  timed "ffmpeg, all of it by NVDEC" "$ff" -nostdin -v error -hwaccel cuda -hwaccel_output_format cuda -i "$input" -an -f null -
  for n in 1 2 4 7 14; do
    timed "$n processes by NVDEC, ${length} s in shares" bash -c 'n=$1 len=$2 rc=0; shift 2
      for ((i = 0; i < n; i++)); do "$1" -nostdin -v error -hwaccel cuda -hwaccel_output_format cuda -ss $((len * i / n)) -t $((len * (i + 1) / n - len * i / n)) -i "$2" -an -f null - & done
      for p in $(jobs -p); do wait "$p" || rc=1; done; exit $rc' share "$n" "$length" "$ff" "$input"
  done
}
part_chain() { # what the kernel ladder does, by FFmpeg's own CUDA filters: 16 decoded pictures, again and again
  local i pictures=8016 names=(a b c d) graph
  need_input || return
  [ -z "$quick" ] || pictures=32
  graph="[0:v]loop=loop=$((pictures / 16 - 1)):size=16,split=4[a][b][c][d];color=gray:s=64x64:r=30,format=nv12,hwupload_cuda,split=4[w0][w1][w2][w3]"
  for i in 0 1 2 3; do
    graph="$graph;[${names[i]}]scale_cuda=$(width_of "${heights[i]}"):${heights[i]}[s$i];[s$i][w$i]overlay_cuda=x=8:y=8:shortest=1[r$i]"
  done
  timed "ffmpeg: $pictures pictures, split, four scale_cuda, four overlay_cuda, thumbnail_cuda" "$ff" -nostdin -v error -init_hw_device cuda=gpu -filter_hw_device gpu \
    -hwaccel cuda -hwaccel_device gpu -hwaccel_output_format cuda -i "$input" -filter_complex "$graph;[r0]thumbnail_cuda=n=100[t]" -frames:v "$pictures" \
    -map '[t]' -f null - -map '[r1]' -f null - -map '[r2]' -f null - -map '[r3]' -f null -
}
part_jobs() { # whole jobs, three alternating runs
  local run args
  need_input || return
  mapfile -t args < <(h264)
  for run in 1 2 3; do
    timed "run $run: gopmill, processors alone" ours
    timed "run $run: gopmill, with devices" ours --devices
    sed -n 's/.*"\(resolved\|by\|scaler\)": *\("[^"]*"\).*/  report: \1 \2/p' "$work/ours/report.json" 2>/dev/null | sort | uniq -c
    timed "run $run: ffmpeg, processors alone" "$ff" -nostdin -v error -y -i "$input" -filter_complex "$(by_filters 'scale=W:H:flags=lanczos')" "${args[@]}"
    timed "run $run: ffmpeg, NVDEC and scale_cuda, then libx264" "$ff" -nostdin -v error -y -hwaccel cuda -hwaccel_output_format cuda -i "$input" \
      -filter_complex "$(by_filters 'scale_cuda=W:H:interp_algo=lanczos,hwdownload,format=nv12,format=yuv420p')" "${args[@]}"
  done
}
part_slots() { # processors alone, on 1, 2, 4, 8, 16 of them
  local n cpus args
  need_input || return
  cpus=$(nproc)
  mapfile -t args < <(h264)
  for n in 1 2 4 8 16; do
    [ "$n" -le "$cpus" ] || { echo "$n: this machine has $cpus"; continue; }
    timed "gopmill on $n" taskset -c "0-$((n - 1))" "$bin/gopmill" transcode "$input" --out "$work/ours-$n" --pipeline "$work/ladder.yaml" --quiet
    timed "ffmpeg on $n" taskset -c "0-$((n - 1))" "$ff" -nostdin -v error -y -i "$input" -filter_complex "$(by_filters 'scale=W:H:flags=lanczos')" "${args[@]}"
  done
}
part_hwtest2() { "$bin/gopmill-hwtest" --level 2 --device "$device" --json "$out/hwtest2.json"; }
part_hwtest3() { "$bin/gopmill-hwtest" --level 3 --device "$device" ${quick:+--short} --json "$out/hwtest3.json" --html "$out/hwtest3.html"; }

bad=0
for part in "${parts[@]}"; do declare -F "part_$part" >/dev/null || usage; done
for part in "${parts[@]}"; do
  echo "== $part"
  "part_$part" 2>&1 | tee "$out/$part.txt"
  rc=${PIPESTATUS[0]}
  [ "$rc" = 0 ] || { echo "$part: exit $rc"; bad=1; }
done
exit $bad
