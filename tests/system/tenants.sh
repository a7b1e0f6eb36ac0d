#!/usr/bin/env bash
# Tenants and classes in a whole farm of one node with two slots: limits, turns, a deadline, over a restart of the scheduler.
. "$(dirname "$0")/lib.sh"

make_clip "$work/film.mp4" 300 640x360 25
make_clip "$work/clip.mp4" 20 320x180 25
small_pipeline "$work/small.yaml" 180
farm tenants
stop scheduler
printf 'tenants: ["few weight=2 max_running=1 max_queued=2", "* max_queued=4"]\n' >>"$at/scheduler.yaml"
scheduler
node one
send() { # out, clip, options...: prints the job's id
  local out=$1 clip=$2
  shift 2
  gopmill submit "$work/$clip.mp4" --out "$work/$out" --pipeline "$work/small.yaml" "$@"
}
shows() { gopmill job show "$1" --json | jq -e "$2" >/dev/null; } # job filter
is() { shows "$1" ".state == \"$2\""; }

# A film holds the farm; of another tenant come clips, which may have one slot.
film=$(send film film)
until_true "the film is encoded" shows "$film" '.progress.chunks.running > 0'
clip=$(send clip clip --tenant few --priority 60)
other=$(send other clip --tenant few --priority 10 --deadline 10s)
check "a third one is too much" status 1 send third clip --tenant few
check "and is told so" said "2 jobs of tenant few are waiting or running already"
check "its name is checked" status 2 send none clip --tenant 'a b'
check "and its deadline" status 2 send none clip --deadline soon
check "the job says whose it is" shows "$clip" '.tenant == "few" and .class == "normal" and .deadline == null'
check "a deadline that is near makes a job high" until_true "the job is high" shows "$other" '.class == "high" and .priority == 10'
waits() { gopmill job explain "$clip" | grep -q 'tenant few has all of the 1 slots' || gopmill job explain "$other" | grep -q 'tenant few has all of the 1 slots'; }
until_true "one of them waits for its tenant's slot" waits
until_true "the clips are done" is "$clip" done
until_true "both" is "$other" done
check "while the film goes on" is "$film" running

# What jobs were sent with is there after a kill.
last=$(send last clip --tenant few --deadline 3d)
kill -9 "$(pid scheduler)"
wait "$(pid scheduler)" 2>/dev/null
scheduler
check "tenant and deadline are kept" shows "$last" '.tenant == "few" and .deadline != null'
check "and those of done jobs" shows "$other" '.tenant == "few" and .state == "done"'
until_true "all is done" is "$film" done
until_true "the last one, too" is "$last" done
check "the film plays" plays "$work/film/master.m3u8"
stop one
stop scheduler
finish
