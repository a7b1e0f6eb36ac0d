# What the tests of the fakes over ffmpeg share; to be sourced. Sets here, work (a folder that goes at the
# end) and bad.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${GOPMILL_FAKE_LIB:?the folder of the built fake drivers}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
fail() { printf 'FAIL %s\n' "$*" >&2; bad=1; }
quiet=(ffmpeg -nostdin -hide_banner -v error -y)
over() { # profile, ffmpeg arguments...
  local profile=$1
  shift
  timeout 300 "$here/with" "$profile" -- "${quiet[@]}" "$@"
}
