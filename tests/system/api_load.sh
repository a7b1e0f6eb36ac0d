#!/usr/bin/env bash
# Submits and listeners on one scheduler: no event is lost, none comes twice. api_load.sh [RATE SECONDS LISTENERS SLOW]; figures
# are taken by tests/bench/api/run.
. "$(dirname "$0")/lib.sh"

need_built bench_api
head -c 1000 /dev/urandom >"$work/clip.mp4"
farm_options="max_jobs: 100000" farm load
stop scheduler
sed -i 's|^http:.*|http: "127.0.0.1:0"|' "$at/scheduler.yaml"
scheduler
url=${ready#*http=http://}
check "each listener hears of each job once" "$bin/../tests/bench_api" "${url%% *}" --source "file://$work/clip.mp4" \
  --rate "${1:-20}" --seconds "${2:-5}" --listeners "${3:-20}" --slow "${4:-3}"
check "the scheduler lives" curl -sf -o /dev/null "http://${url%% *}/livez"
stop scheduler
finish
