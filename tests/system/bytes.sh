#!/usr/bin/env bash
# The same bytes from one node, from three, and without the CPU's vector extensions.
. "$(dirname "$0")/lib.sh"

clip=$work/clip.mp4
make_clip "$clip" 20 640x360 24
run() { # name args...
  local name=$1
  shift
  gopmill transcode "$clip" --out "$work/$name" --quiet "$@" >/dev/null 2>"$work/stderr" || fail "$name: $(cat "$work/stderr")"
  tree_hash "$work/$name" >"$work/$name.sha"
  check "$name made segments" grep -q 'seg-00004-' "$work/$name.sha"
}
run one --nodes 1
run three --nodes 3
check "three nodes, same bytes" cmp "$work/one.sha" "$work/three.sha"
GOPMILL_CPU_FLAGS=none run plain --nodes 1
check "plain C, same bytes" cmp "$work/one.sha" "$work/plain.sha"
finish
