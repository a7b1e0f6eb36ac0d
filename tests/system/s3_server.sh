#!/usr/bin/env bash
# What talks to S3, against real servers: each test program that is called live, as one check. s3_server.sh KIND...: memstore and bluestore are Ceph's
# object gateway, swift is OpenStack's with its S3 interface.
. "$(dirname "$0")/lib.sh"
. "$here/s3_lib.sh"

ran=0
for kind in "${@:-memstore}"; do
  case $kind in swift) args=(swift) ;; *) args=(ceph "$kind") ;; esac
  s3_server "${args[@]}" || { echo "SKIPPED here: $kind: $(tail -n 1 "$work/s3.log")"; continue; }
  ran=1
  for program in "$bin"/../tests/storage_*_live; do
    rc=0
    timeout 300 "$program" >"$work/out" 2>&1 || rc=$?
    check "$kind: ${program##*/}: exit 0, got $rc: $(grep -E 'FAILED|error|rror:' "$work/out" | head -n 5 | tr '\n' ' ')" test "$rc" = 0
    check "$kind: ${program##*/}: nothing is skipped" test "$(grep -cE 'SKIPPED' "$work/out")" = 0
    check "$kind: ${program##*/}: something is tested" grep -q '\[ *OK *\]' "$work/out"
  done
  s3_end
done
[ "$ran" = 1 ] || skip "no S3 server"
finish
