# A farm under two clients that keep what they were told: sourced by crash.sh, power.sh and chaos.sh, after lib.sh.
# $preload: variables of the environment in which its programs are started again. $later: folders of jobs that
# are done are named in the file `due` and looked at by the script itself.
# $keep: jobs that ended and are still known; what was forgotten must have been done all the same.
preload=()
later=""
keep=1000

# A pause without a process: nobody writes there.
mkfifo "$work/nap"
exec 6<>"$work/nap"
nap() { read -rt "$1" -u 6 _ || true; } # seconds

# Started again until it serves: it may die at a point of its start, and at one more that waits for it.
revive_scheduler() {
  local i line
  wait "$(pid scheduler)" 2>/dev/null
  for i in 1 2 3 4 5 6; do
    rm -f "$at/ready" && mkfifo "$at/ready"
    env "${preload[@]}" "$bin/gopmill-scheduler" --config "$at/scheduler.yaml" >"$at/ready" 2>>"$at/scheduler.log" 6<&- 9>&- &
    echo $! >"$at/scheduler"
    line=""
    IFS= read -r line <"$at/ready"
    [ -z "$line" ] || return 0
    wait "$(pid scheduler)" 2>/dev/null
  done
  fail "the scheduler does not start: $(tail -n 2 "$at/scheduler.log")"
}
revive_node() { # [name]: it need not be ready: the scheduler may be away too
  local name=${1:-n1}
  wait "$(pid "$name")" 2>/dev/null
  env "${preload[@]}" "$bin/gopmill-node" --config "$at/$name.yaml" >/dev/null 2>>"$at/$name.log" 6<&- 9>&- &
  echo $! >"$at/$name"
}

# One folder a submission. acked: "ID FOLDER", what the scheduler said it has.
submit() { # folder
  local reply
  reply=$(curl -s -m 10 --unix-socket "$at/http" -d "${request//@OUT@/$1}" http://x/v1/jobs)
  [[ $reply =~ \"id\":\ *\"([0-9a-z]+)\" ]] || return 1
  job=${BASH_REMATCH[1]}
  echo "$job $1" >>"$at/acked"
}
state_of() { # job: null where it is not known, nothing where nobody answers
  local reply
  reply=$(curl -s -m 10 --unix-socket "$at/http" "http://x/v1/jobs/$1")
  if [[ $reply =~ \"state\":\ *\"([a-z]+)\" ]]; then echo "${BASH_REMATCH[1]}"; else echo "${reply:+null}"; fi
}
is_done() { [ "$(state_of "$job")" = done ]; }
calm_of() { echo "$work/calm.sha"; } # folder of a job: what it should be
# What its report says of a job that came to nothing, which may be forgotten by now, or of what was done twice: of one that is well, nothing.
faults_of() { # folder
  jq -r 'if .job.state != "done" then "\(.job.state): \(.errors[0] // {} | "\(.code) \(.text)"); attempts not done: " +
      ([.tasks[] | select(.outcome != "done") | "\(.task) \(.error.code // .outcome)"] | group_by(.) | map("\(length) of \(.[0])") | join(", "))
    else '"$doubles_query"' end' "$1/report.json" 2>&1
}
look() { # folder of a job that has ended: what is wrong with it, or "ok"
  local wrong
  wrong=$(faults_of "$1")
  [ -z "$wrong" ] || { echo "${wrong//$'\n'/ }"; return; }
  tree_hash "$1" >"$1.sha"
  cmp -s "$(calm_of "$1")" "$1.sha" || { echo "other bytes: $(diff "$(calm_of "$1")" "$1.sha" | grep '^[<>]' | cut -c 1-12,68- | head -n 6 | tr '\n' ' ')"; return; }
  echo ok
}
# By the nodes' logs: the scheduler may have died before it stored the end of a run that it acknowledged. No job's run is done
# twice, one's that was cancelled neither.
done_twice() { sed -nE 's/.* event=task-ended (job=[^ ]* .* first=[0-9]+) .* outcome=done.*/\1/p' "$at"/n?.log | sort | uniq -d; }
judge() { # folder: looked at once, then it makes room
  echo "$1 $(look "$1")" >>"$at/judged"
  rm -rf "$1" "$1.sha"
}
client() { # name
  local n=0 out i state
  while [ ! -e "$at/stop" ]; do
    n=$((n + 1)) out=$at/out/$1-$n
    submit "$out" || { nap 0.02; continue; }
    for i in $(seq 300); do
      [ -e "$out/master.m3u8" ] || [ $((i % 20)) = 0 ] || { nap 0.1; continue; }
      state=$(state_of "$job")
      [ "$state" != done ] || if [ -n "$later" ]; then echo "$out" >>"$at/due"; else judge "$out"; fi
      case $state in done | failed | cancelled | null) break ;; esac # null: it is not known any more
      nap 0.1
    done
    echo "$out" >>"$at/ended"
  done
}
ended() { wc -l <"$at/ended"; }

begin_farm() { # folder: with an undisturbed job in $work/calm.sha
  make_clip "$work/clip.mp4" 12 160x90 10 -g 20
  small_pipeline "$work/small.yaml" 90
  request=$(jq -n --rawfile yaml "$work/small.yaml" --arg source "file://$work/clip.mp4" \
    '{pipeline: {yaml: $yaml, name: "small"}, source: $source, destination: "file://@OUT@"}')
  farm "$1"
  mkdir "$at/out"
  touch "$at/acked" "$at/ended" "$at/judged" "$at/due"
  node_options="devices: off"
  node n1
  submit "$at/out/calm" || fail "the first job was not taken"
  until_true "undisturbed run" is_done
  tree_hash "$at/out/calm" >"$work/calm.sha"
  exec 8>&2 2>"$work/stderr" # the shell tells of each death
  client a &
  clients=$!
  client b &
  clients="$clients $!"
}

# The history: what was acknowledged is there and done; what was not may be there, and is done then.
jobs_json() { # all pages, one line a job
  local cursor="" page # an empty cursor is one
  while :; do
    page=$(curl -s -m 10 --unix-socket "$at/http" "http://x/v1/jobs?limit=500${cursor:+&cursor=$cursor}") || return 1
    jq -c '.jobs[] | [.id, .state, .destination]' <<<"$page" || return 1
    cursor=$(jq -r '.next // empty' <<<"$page")
    [ -n "$cursor" ] || return 0
  done
}
settled() { # jobs: but those that somebody cancels, which are in the folder `gone`
  jobs_json >"$work/all" && ! grep -qvE '"(done|failed|cancelled)"' "$work/all" || return
  grep -vF "\"file://$at/gone/" "$work/all" >"$work/jobs"
  true
}
# Of what was acknowledged: "forgotten" or what is wrong, a line each. Forgotten may be what is not known where `keep` are.
reckon() {
  awk -v full="$([ "$keep" -le "$(wc -l <"$work/all")" ] && echo 1 || echo 0)" 'NR == FNR { gsub(/[][",]+/, " "); times[$1]++; line[$1] = $1 " " $2 " " $3; next }
    times[$1] == 0 && full { print "forgotten"; next }
    times[$1] != 1 || line[$1] != $1 " done file://" $2 { print "job " $1 " of " $2 ": there " times[$1] + 0 " times: " line[$1] }' "$work/jobs" "$at/acked"
}
was_judged() { grep -qF "$1 " "$at/judged"; } # folder
end_farm() { # clients end their jobs, then all is looked at
  local out wrong forgotten
  touch "$at/stop"
  wait $clients
  exec 2>&8 8>&-
  until_true "all jobs have ended" settled
  check "no job failed: $(grep -v '"done"' "$work/jobs" | head -n 3)" test -z "$(grep -v '"done"' "$work/jobs")"
  jq -r '.[2] | ltrimstr("file://")' "$work/jobs" >"$work/folders"
  cut -d ' ' -f 2- "$at/acked" >>"$work/folders"
  for out in $(sort -u "$work/folders"); do # what no client has looked at: given up, or known to none
    was_judged "$out" || judge "$out"
  done
  wrong=$(reckon) # the result of what is forgotten was looked at
  forgotten=$(grep -c '^forgotten$' <<<"$wrong")
  checks=$((checks + $(wc -l <"$at/acked")))
  wrong=$(grep -v '^forgotten$' <<<"$wrong" | head -n 5)
  check "what was acknowledged is there once, done: $wrong" test -z "$wrong"
  wrong=$(done_twice | head -n 5)
  check "nothing was done twice, by the nodes: $wrong" test -z "$wrong"
  if [ "$(wc -l <"$work/all")" -ge "$keep" ]; then # of jobs that no client knows, which may be forgotten too
    for out in "$at/out"/*; do
      no_files "$out" || judge "$out"
    done
  fi
  wrong=$(grep -v ' ok$' "$at/judged")
  check "each job is as the undisturbed one: $wrong" test -z "$wrong"
  check "no more is forgotten than may be" test "$forgotten" -le $(($(wc -l <"$at/judged") - $(wc -l <"$work/jobs")))
  echo "$(wc -l <"$at/judged") results looked at; $forgotten acknowledged jobs forgotten since, $(wc -l <"$work/jobs") known"
  nothing_left
  wrong=$(find "$at/out" -type f ! -name .gm-store | head -n 5)
  check "nothing is there of which no job is: $wrong" test -z "$wrong"
  exec 2>/dev/null # of those that the end kills
}
