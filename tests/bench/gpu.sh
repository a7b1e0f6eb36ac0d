#!/usr/bin/env bash
# Figures of a GPU, each beside its alternative in the same run; docs/hardware/README.md says what is asked of them.
#   tests/bench/gpu.sh DEVICE OUTDIR [--input FILE] [--slots "N..."] [--seconds N] [--limit S] [--quick] [PART...]
#   PART: facts kernels sanitizer decode chain aliasing jobs slots hwtest2 hwtest3 hwtest3-cpu (all of them, in this order)
# DEVICE: PCI address or UUID, as gopmill or nvidia-smi writes it. Raw output goes to OUTDIR/PART.txt.
# --input FILE: H.264, 1080p, two minutes; generated there where it is missing, and kept (else generated each time).
# --slots: how many processors `slots` takes in turn (1 2 4 8 16). --seconds: of its input (15 for each processor).
# --limit: seconds after which a single command is ended (280), and the --time-limit of hwtest2, hwtest3 and hwtest3-cpu (540).
# GOPMILL_BIN and GOPMILL_BENCH name the folders of the programs and of bench_gpu_kernels and kernels_battery, FFMPEG the ffmpeg program.
# --quick: seconds instead of minutes: shows that it runs; its figures are worth nothing. A part that can't run says why.
set -uo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
bin=${GOPMILL_BIN:-$top/build/bin}
bench=${GOPMILL_BENCH:-$bin/../tests}
ff=${FFMPEG:-ffmpeg}
usage() { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -ge 2 ] || usage
device=$1 out=$2 input="" quick="" slots="1 2 4 8 16" seconds="" limit=""
shift 2
is_count() { [[ $1 =~ ^[1-9][0-9]{0,5}$ ]]; }
while [[ ${1:-} == --* ]]; do
  [ "$1" = --quick ] || [ $# -ge 2 ] || usage
  case $1 in
  --input) input=$(realpath "$2") || exit 2; shift 2 ;;
  --slots) slots=$2; for n in $slots; do is_count "$n" || usage; done; shift 2 ;;
  --seconds) is_count "$2" || usage; seconds=$2; shift 2 ;;
  --limit) is_count "$2" || usage; limit=$2; shift 2 ;;
  --quick) quick=1; shift ;;
  *) usage ;;
  esac
done
parts=("$@")
[ $# -gt 0 ] || parts=(facts kernels sanitizer decode chain aliasing jobs slots hwtest2 hwtest3 hwtest3-cpu)
mkdir -p "$out" || exit 2
out=$(realpath "$out")
work=$(mktemp -d "${TMPDIR:-/tmp}/gm-bench-XXXXXX")
trap 'rm -rf "$work"' EXIT
export TIMEFORMAT='%R s elapsed, %U s user, %S s system'

# The address by which all programs know it: gopmill takes "0000:3b:00.0", nvidia-smi writes "00000000:3B:00.0".
known=$("$bin/gopmill" devices --json | sed -n 's/^{"id": "\([^"]*\)".*"uuid": "\([^"]*\)", "vendor".*/\1 \2/p')
address=$(awk -v id="$device" 'BEGIN { id = tolower(id); short = id; sub(/^0000/, "", short); whole = "0000:" id }
  $1 == id || $1 == short || $1 == whole || ($2 != "" && tolower($2) == id) { print $1; exit }' <<<"$known")
if [ -z "$address" ] && [ "${parts[*]}" != facts ]; then
  echo "gpu.sh: there is no device $device here; there is:" $known >&2
  exit 2
fi
device=${address:-$device}

input=${input:-$work/in.mp4}
need_input() { # of sources of libavfilter alone: a packed ffmpeg may lack the device lavfi
  [ ! -e "$input" ] || return 0
  local size=1920x1080 seconds=120
  [ -z "$quick" ] || size=640x360 seconds=4
  "$ff" -hide_banner -nostdin -v error -y -filter_complex "testsrc2=s=$size:r=30:d=$seconds,noise=alls=4:allf=t[v];sine=f=440:r=48000:d=$seconds[a]" -map '[v]' -map '[a]' \
    -c:v libx264 -preset veryfast -crf 22 -g 60 -pix_fmt yuv420p -c:a aac "$input.part.mp4" && mv "$input.part.mp4" "$input"
}
need_long() { # seconds: $long is so much of the input, again and again, not encoded anew
  long=$work/long-$1.mp4
  need_input || return
  [ -e "$long" ] || "$ff" -hide_banner -nostdin -v error -stream_loop -1 -i "$input" -map 0:v:0 -map '0:a:0?' -t "$1" -c copy "$long"
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

timed() { # name program... : its time, also in $elapsed, its exit status (also in $timed_rc), and its last words if it failed
  local name=$1 rc=0 took
  shift
  took=$({ time timeout -k 10 "${limit:-280}" "$@" >"$work/said" 2>&1; } 2>&1) || rc=$?
  took=${took##*$'\n'}
  timed_rc=$rc
  elapsed=${took%% *}
  echo "$name: $took, exit $rc$([ "$rc" != 124 ] || echo ": ended at its limit")"
  [ "$rc" = 0 ] || tail -n 5 "$work/said"
}
rate() { awk -v n="$1" -v s="$2" 'BEGIN { if (s > 0) printf "%.1f", n / s; else printf "-" }'; } # pictures seconds
ours() { # name arguments...: a whole job by gopmill
  rm -rf "$work/ours"
  timed "$1" "$bin/gopmill" transcode "$input" --out "$work/ours" --pipeline "$work/ladder.yaml" --quiet "${@:2}"
}
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
nvdec=(-hwaccel cuda -hwaccel_output_format cuda)
need_nvdec() { # file: ffmpeg turns to software without a word of failure; then the picture is none that can be taken down
  timed "ffmpeg decodes a picture by NVDEC, to see that it does" "$ff" -hide_banner -nostdin -v error "${nvdec[@]}" -i "$1" -an -frames:v 1 -vf hwdownload,format=nv12 -f null -
  [ "$timed_rc" = 0 ] || { echo "it does not: nothing of this part is shown"; return 1; }
}

part_facts() {
  date -u +%FT%TZ
  uname -srm
  nproc
  grep -m1 'model name' /proc/cpuinfo
  command -v nvidia-smi >/dev/null && nvidia-smi
  "$bin/gopmill" devices --prove --json
}
part_kernels() { # rates, then the battery of all kernels: of the image that tasks take, and of the PTX, which they take where there is no fatbin
  local image bad=0
  "$bench/bench_gpu_kernels" "$device" ${quick:+--quick} || bad=1
  for image in "" ptx; do
    timeout -k 10 "${limit:-280}" "$bench/kernels_battery" "$device" ${image:+"$image"} || bad=1
  done
  return $bad
}
part_sanitizer() { # all kernels under CUDA's compute-sanitizer: what `ladder` is proved with, and the whole battery; 1: one is not clean
  command -v compute-sanitizer >/dev/null || { echo "compute-sanitizer is not here (CUDA's toolkit has it): not run, nothing is shown"; return; }
  local tool bad=0
  compute-sanitizer --version
  clean() { # name program...: what it printed; bad unless the program ended well and the tool counted nothing
    timed "$1" compute-sanitizer --error-exitcode 9 --tool "$tool" "${@:2}"
    head -n 400 "$work/said"
    [ "$timed_rc" = 0 ] && grep -q 'SUMMARY: 0 ' "$work/said" && return
    echo "NOT CLEAN: $1"
    bad=1
  }
  for tool in memcheck racecheck initcheck synccheck; do
    clean "$tool, the proof of ladder" "$bin/gopmill-prove" encode --device "$device" --api cuda --codec cuda-ladder-1 --depth 8 --text
    [ -n "$quick" ] || clean "$tool, the battery" "$bin/gopmill-hwtest" try kernels --device "$device" --text
  done
  return $bad
}
part_decode() { # one title by 1, 2, 4, 7, 14 processes, each its share of the seconds, against one process
  local n length=1200 short=60 start pictures bad=0
  [ -z "$quick" ] || length=14 short=2
  need_long "$length" || return
  timed "ffmpeg, the first $short s by software, one thread" "$ff" -hide_banner -nostdin -v error -threads 1 -t "$short" -i "$long" -an -f null -
  need_nvdec "$long" || return
  shares='n=$1 len=$2 dir=$3 ff=$4 in=$5 rc=0 pids=(); shift 5
    for ((i = 0; i < n; i++)); do
      where=(); [ "$n" = 1 ] || where=(-ss $((len * i / n)) -t $((len * (i + 1) / n - len * i / n)))
      "$ff" -hide_banner -nostdin -v error -progress "$dir/progress-$i" -stats_period 5 -hwaccel cuda -hwaccel_output_format cuda "${where[@]}" -i "$in" -an "$@" -f null - & pids+=($!)
    done
    for p in "${pids[@]}"; do wait "$p" || rc=1; done; exit $rc'
  for n in 1 2 4 7 14; do
    rm -f "$work"/progress-*
    timed "$n processes, the first picture of each share: their start, context and way to it" bash -c "$shares" share "$n" "$length" "$work" "$ff" "$long" -frames:v 1
    start=$elapsed
    [ "$timed_rc" = 0 ] || { bad=1; continue; }
    rm -f "$work"/progress-*
    timed "$n processes by NVDEC, ${length} s in shares" bash -c "$shares" share "$n" "$length" "$work" "$ff" "$long"
    [ "$timed_rc" = 0 ] || { bad=1; continue; }
    pictures=$(for f in "$work"/progress-*; do sed -n 's/^frame=//p' "$f" | tail -n 1; done | awk '{ n += $1 } END { print n + 0 }')
    echo "  $pictures pictures; a second: $(rate "$pictures" "$elapsed") of all, $(rate "$pictures" "$(awk "BEGIN { print $elapsed - $start }")") without that start"
  done
  return $bad
}
part_chain() { # what bench_gpu_kernels' row `chain` does, by FFmpeg's own CUDA filters: 16 decoded pictures, again and again
  local i pictures=8016 names=(a b c d) graph again base
  local theirs=("$ff" -hide_banner -nostdin -v error -init_hw_device cuda=gpu -filter_hw_device gpu "${nvdec[@]}" -hwaccel_device gpu -threads 1 -extra_hw_frames 24 -i "$input" -filter_complex)
  need_input || return
  [ -z "$quick" ] || pictures=32
  need_nvdec "$input" || return
  again="[0:v]trim=end_frame=16,loop=loop=$((pictures / 16 - 1)):size=16"
  graph="$again,split=4[a][b][c][d];color=gray:s=64x64:r=30,format=nv12,hwupload_cuda,split=4[w0][w1][w2][w3]"
  for i in 0 1 2 3; do
    graph="$graph;[${names[i]}]scale_cuda=$(width_of "${heights[i]}"):${heights[i]}[s$i];[s$i][w$i]overlay_cuda=x=8:y=8:shortest=1[r$i]"
  done
  timed "ffmpeg: $pictures pictures, decoded once, split, not touched: start, decoding and its outputs" "${theirs[@]}" "$again,split=3[r1][r2][r3]" \
    -map '[r1]' -f null - -map '[r2]' -f null - -map '[r3]' -f null -
  base=$elapsed
  [ "$timed_rc" = 0 ] || return 1
  timed "ffmpeg: the same with four scale_cuda, four overlay_cuda, thumbnail_cuda" "${theirs[@]}" "$graph;[r0]thumbnail_cuda=n=100[t]" \
    -map '[t]' -f null - -map '[r1]' -f null - -map '[r2]' -f null - -map '[r3]' -f null -
  [ "$timed_rc" = 0 ] || return 1
  echo "  microseconds a picture: $(awk "BEGIN { printf \"%.1f of all, %.1f without what the first took\", $elapsed * 1e6 / $pictures, ($elapsed - $base) * 1e6 / $pictures }")"
}
above() { # width height: rms, in code values, of what lies above 1.25 times the limit of that rung of 960x540; luma on its input
  head -c $(($1 * $2)) | od -An -v -tu1 -w"$1" | awk -v w="$1" -v h="$2" '{
      high = (NR - 0.5) / h * 540 / h > 1.25
      for (x = 1; x <= w; x++) if (high || (x - 0.5) / w * 960 / w > 1.25) { sum += ($x - 128) ^ 2; n++ }
    } END { if (NR == h && n > 0) printf "%.1f\n", sqrt(sum / n); else print "no picture" }'
}
part_aliasing() { # a zone plate, the one of kernels.md's figures of the kernel ladder
  local way size bad=0 hw plate="color=black:s=960x540:d=1,format=yuv420p,geq=lum='128.5+120*cos(PI*(X*X/1920+Y*Y/1080))':cb=128:cr=128,format=nv12"
  echo "rms above 1.25 times the limit of 640x360, 480x270, 320x180; of all of it 84.9"
  for way in scale=W:H:flags={neighbor,lanczos} hwupload_cuda,scale_cuda=W:H{,:interp_algo=bilinear,:interp_algo=lanczos},hwdownload; do
    hw=()
    [[ $way != *cuda* ]] || hw=(-init_hw_device cuda=gpu -filter_hw_device gpu)
    for size in 640:360 480:270 320:180; do
      rm -f "$work/plate"
      timed "${way/W:H/$size}" "$ff" -hide_banner -nostdin -v error -y "${hw[@]}" -filter_complex "$plate,${way/W:H/$size},format=nv12[v]" \
        -map '[v]' -frames:v 1 -f rawvideo "$work/plate"
      [ "$timed_rc" = 0 ] && echo "  rms $(above "${size%:*}" "${size#*:}" <"$work/plate")" || bad=1
    done
  done
  return $bad
}
part_jobs() { # whole jobs, three alternating runs
  local run args
  need_input || return
  mapfile -t args < <(h264)
  ours "not counted: gopmill, with devices, which detects and proves them" --devices --state "$work/state"
  for run in 1 2 3; do
    ours "run $run: gopmill, processors alone"
    ours "run $run: gopmill, with devices, proved before" --devices --state "$work/state"
    echo "  decoded: $(sed -n '/"decoded": \[/,/\]/p' "$work/ours/report.json" 2>/dev/null | tr -d ' \n')"
    timed "run $run: ffmpeg, processors alone" "$ff" -hide_banner -nostdin -v error -y -i "$input" -filter_complex "$(by_filters 'scale=W:H:flags=lanczos')" "${args[@]}"
    timed "run $run: ffmpeg, NVDEC and scale_cuda, then libx264" "$ff" -hide_banner -nostdin -v error -y "${nvdec[@]}" -i "$input" \
      -filter_complex "$(by_filters 'scale_cuda=W:H:interp_algo=lanczos,hwdownload,format=nv12,format=yuv420p')" "${args[@]}"
  done
}
part_slots() { # processors alone, on some of them
  local n cpus args pictures of some bad=0
  cpus=$(nproc)
  mapfile -t args < <(h264)
  for n in $slots; do
    [ "$n" -le "$cpus" ] || { echo "$n: this machine has $cpus"; continue; }
    of=${seconds:-$((15 * n))}
    [ -z "$quick" ] || of=4
    need_long "$of" || return
    pictures=$("$ff" -hide_banner -nostdin -v error -progress - -i "$long" -map 0:v -c copy -f null - | sed -n 's/^frame=//p' | tail -n 1)
    some=(taskset -c "0-$((n - 1))")
    rm -rf "$work/ours"
    timed "gopmill on $n, $of s" "${some[@]}" "$bin/gopmill" transcode "$long" --out "$work/ours" --pipeline "$work/ladder.yaml" --quiet
    [ "$timed_rc" = 0 ] && echo "  $pictures pictures, $(rate "$pictures" "$elapsed") a second" || bad=1
    timed "ffmpeg on $n, $of s" "${some[@]}" "$ff" -hide_banner -nostdin -v error -y -i "$long" -filter_complex "$(by_filters 'scale=W:H:flags=lanczos')" "${args[@]}"
    [ "$timed_rc" = 0 ] && echo "  $pictures pictures, $(rate "$pictures" "$elapsed") a second" || bad=1
  done
  return $bad
}
part_hwtest2() { "$bin/gopmill-hwtest" --level 2 --device "$device" --time-limit "${limit:-540}" --json "$out/hwtest2.json"; }
level3() { # name device
  "$bin/gopmill-hwtest" --level 3 --only --device "$2" --time-limit "${limit:-540}" ${quick:+--short} --json "$out/$1.json" --html "$out/$1.html"
}
part_hwtest3() { level3 hwtest3 "$device"; }
part_hwtest3-cpu() { level3 hwtest3-cpu cpu; }

bad=0
for part in "${parts[@]}"; do declare -F "part_$part" >/dev/null || usage; done
for part in "${parts[@]}"; do
  echo "== $part"
  SECONDS=0
  "part_$part" 2>&1 | tee "$out/$part.txt"
  rc=${PIPESTATUS[0]}
  echo "$part: took $SECONDS s, exit $rc"
  [ "$rc" = 0 ] || bad=1
done
exit $bad
