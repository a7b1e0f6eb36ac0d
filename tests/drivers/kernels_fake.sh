#!/usr/bin/env bash
# The kernels' host side over the fake driver: the battery, both images, and each fault's error code.
#   kernels_fake.sh BATTERY LIB-FOLDER
set -u
here=$(cd "$(dirname "$0")" && pwd)
battery=$1
export GOPMILL_FAKE_LIB=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/gopmill-kernels-XXXXXX")
trap 'rm -rf "$work"' EXIT
bad=0

expect() { # exit-status text profile id image...
  local want=$1 text=$2 profile=$3 out rc=0
  shift 3
  out=$("$here/with" "$profile" -- "$battery" "$@" 2>&1) || rc=$?
  if [ "$rc" != "$want" ] || [[ $out != *"$text"* ]]; then
    echo "FAILED: $profile $*: exit $rc, wanted $want and '$text': $out"
    bad=1
  else
    echo "ok: $profile $*"
  fi
}

fault() { # code line...
  local code=$1 own
  shift
  own=$(mktemp -d "$work/XXXXXX")/profile.txt # its state lies beside it
  cp "$here/profiles/l4.txt" "$own"
  printf '%s\n' "$@" >>"$own"
  expect 2 "$code" "$own" 0000:00:1e.0
  [ $bad = 0 ] || tail -n 1 "$own"
}

expect 0 "all equal" l4 0000:00:1e.0
expect 0 "image ptx" l4 00:1E.0 ptx
expect 0 "image ptx" old-driver 0000:00:1e.0 # takes no fatbin
expect 2 device.absent none 0000:00:1e.0
expect 2 device.absent l4 0000:77:00.0
expect 2 device.driver mismatch 0000:00:1e.0
fault device.absent 'fault cuda-init no-device'
fault device.driver 'fault cuda-init mismatch'
fault device.memory 'fault alloc oom at=4'
fault device.lost 'fault launch lost at=2'
fault device.lost 'fault copy lost at=3'
fault device.lost 'fault launch error at=1'
exit $bad
