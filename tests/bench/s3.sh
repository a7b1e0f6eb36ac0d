#!/usr/bin/env bash
# One large object between a file and an S3 server on this machine, by our client (bench_s3, hashed and not) and by aws, rclone and s3cmd.
#   tests/bench/s3.sh [MB [ROUNDS]]      500 MB and five rounds, each tool once a round, each round in another order
# For each, medians over the rounds: MB/s, CPU seconds of the client a GB, and both as a ratio to our hashed client's of the same round. What came down is compared, what
# went up is read back. The server (tests/servers/ceph, bluestore) has the same processors: figures of an idle machine alone are worth anything.
. "$(dirname "$0")/../system/lib.sh"
. "$top/tests/system/s3_lib.sh"

mb=${1:-500} rounds=${2:-5}
for p in aws rclone s3cmd; do # pyenv's and the like are none of Debian's
  [ -x "/usr/bin/$p" ] || echo "$p is not installed and left out (apt-get install $p$([ $p != aws ] || echo cli))"
done
s3_server ceph bluestore || skip "no S3 server: $(tail -n 1 "$work/s3.log")"
s3_bucket bench
memory=$(mktemp -d /dev/shm/gm-bench-XXXXXX)
trap 's3_end; jobs -p | xargs -r kill -9 2>/dev/null; rm -rf "$work" "$s3_dir" "$memory"' EXIT
head -c "${mb}000000" /dev/urandom >"$memory/up"

export AWS_ACCESS_KEY_ID=$s3_key AWS_SECRET_ACCESS_KEY=$s3_secret AWS_DEFAULT_REGION=$s3_region AWS_EC2_METADATA_DISABLED=true
unset AWS_CA_BUNDLE http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY
export RCLONE_CONFIG=$work/none RCLONE_S3_PROVIDER=Ceph RCLONE_S3_ENV_AUTH=true RCLONE_S3_ENDPOINT=$s3_endpoint RCLONE_S3_REGION=$s3_region
: >"$work/none"
host=${s3_endpoint#*://}
s3cmd=(/usr/bin/s3cmd -q --config="$work/none" --access_key="$s3_key" --secret_key="$s3_secret" --host="$host" --host-bucket="$host" --no-ssl --region="$s3_region" --no-progress --force)
ours() { "$bin/../tests/bench_s3" "$1" "$2" bench object 4 ${3:-}; }
tool() { # name get|put file
  case $1 in
  hashed) ours "$2" "$3" hash ;;
  unhashed) ours "$2" "$3" ;;
  aws) if [ "$2" = get ]; then /usr/bin/aws --endpoint-url "$s3_endpoint" s3 cp --only-show-errors s3://bench/object "$3"; else /usr/bin/aws --endpoint-url "$s3_endpoint" s3 cp --only-show-errors "$3" s3://bench/object; fi ;;
  rclone) if [ "$2" = get ]; then /usr/bin/rclone copyto :s3:bench/object "$3"; else /usr/bin/rclone copyto --s3-no-check-bucket --ignore-times "$3" :s3:bench/object; fi ;;
  s3cmd) if [ "$2" = get ]; then "${s3cmd[@]}" get s3://bench/object "$3"; else "${s3cmd[@]}" put "$3" s3://bench/object; fi ;;
  esac >"$work/tool.out" 2>&1
}
tools=(hashed unhashed)
for p in aws rclone s3cmd; do [ ! -x "/usr/bin/$p" ] || tools+=("$p"); done
whole() { cmp -s "$memory/up" "$1"; }
TIMEFORMAT='%R %U %S'
one() { # round name get|put: a line into $work/times
  local file=$memory/down rc=0
  rm -f "$memory/down"
  [ "$3" = get ] || file=$memory/up
  { time tool "$2" "$3" "$file" || rc=$?; } 2>"$work/time"
  check "$2 $3: exit 0, got $rc: $(tail -n 1 "$work/tool.out")" test "$rc" = 0
  [ "$3" = put ] && tool unhashed get "$memory/down"
  check "$2 $3: the same bytes" whole "$memory/down"
  echo "$1 $2 $3 $(cat "$work/time")" >>"$work/times"
}
tool hashed put "$memory/up" # what is there first
for ((round = 0; round < rounds; round++)); do
  for ((i = 0; i < ${#tools[@]}; i++)); do
    for way in get put; do
      one "$round" "${tools[(i + round) % ${#tools[@]}]}" $way
    done
  done
done
echo "tool way | MB/s | client CPU s/GB | MB/s to ours | CPU to ours"
awk -v mb="$mb" '
  function median(list, n,   i, j, t) {
    for (i = 2; i <= n; i++) for (j = i; j > 1 && list[j - 1] > list[j]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
  }
  { k = $2 " " $3; if (!(k in seen)) { seen[k] = 1; order[++count] = k } rate[k, $1] = mb / $4; cpu[k, $1] = ($5 + $6) / mb * 1000; if ($1 + 1 > rounds) rounds = $1 + 1 }
  END {
    for (i = 1; i <= count; i++) {
      k = order[i]; split(k, w, " "); o = "hashed " w[2]
      for (r = 0; r < rounds; r++) { a[r + 1] = rate[k, r]; b[r + 1] = cpu[k, r]; c[r + 1] = rate[k, r] / rate[o, r]; d[r + 1] = cpu[k, r] / cpu[o, r] }
      printf "%-12s | %.0f | %.2f | %.2f | %.2f\n", k, median(a, rounds), median(b, rounds), median(c, rounds), median(d, rounds)
    }
  }' "$work/times"
finish
