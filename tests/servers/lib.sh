# Shared by the servers: sourced, not run. A server of a test's own lives in a folder that is empty when it begins, listens on 127.0.0.1 alone, and
# goes with the script that started it, however that ends. None may run as root: for root it runs as nobody, who owns the folder then.
set -euo pipefail

folder=$1
[ -d "$folder" ] && [ -z "$(ls -A "$folder")" ] || { echo "$0: $folder: no empty folder" >&2; exit 2; }
folder=$(cd "$folder" && pwd -P)
owner=()
if [ "$(id -u)" = 0 ]; then
  owner=(--reuid=nobody --regid=nogroup --clear-groups)
  chown nobody:nogroup "$folder"
fi

need() { # program...
  local p
  for p in "$@"; do
    command -v "$p" >/dev/null || { echo "$p is not installed" >&2; exit 77; }
  done
}
as() { # command...: as the server's user, in its folder, with nothing of our environment
  (cd "$folder" && exec env -i PATH="$PATH" HOME="$folder" LC_ALL=C.UTF-8 TMPDIR="$folder" setpriv "${owner[@]}" -- "$@")
}
pids=()
begin() { # name command...: goes on beside us; dies when we do
  local name=$1
  shift
  cd "$folder"
  env -i PATH="$PATH" HOME="$folder" LC_ALL=C.UTF-8 TMPDIR="$folder" setpriv "${owner[@]}" --pdeathsig KILL -- "$@" >"$folder/$name.out" 2>&1 </dev/null &
  pids+=($!)
  cd - >/dev/null
}
end() { # all at once: nothing of it is kept
  [ ${#pids[@]} = 0 ] || kill -KILL "${pids[@]}" 2>/dev/null || true
  wait
}
trap end EXIT
trap 'exit 1' TERM INT HUP
is_taken() { # port
  grep -qi "^ *[0-9]*: [0-9A-F]*:$(printf %04X "$1") [0-9A-F:]* 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null
}
ports() { # count: the first of so many free ones, below those that the kernel gives away
  local first i
  while :; do
    first=$((20000 + RANDOM % 11000))
    for ((i = 0; i < $1; i++)); do
      ! is_taken $((first + i)) || continue 2
    done
    echo "$first"
    return
  done
}
all_live() { # what we began
  local pid
  for pid in "${pids[@]}"; do kill -0 "$pid" 2>/dev/null || return 1; done
}
until_up() { # what command...: within two minutes, as long as all that we began are alive
  local what=$1 end=$((SECONDS + 120))
  shift
  while [ $SECONDS -lt $end ] && all_live; do
    ! "$@" >/dev/null 2>&1 || return 0
    sleep 0.05
  done
  echo "$0: $what does not come up: $(tail -qn 2 "$folder"/*.out 2>/dev/null | tr '\n' ' ')" >&2
  exit 1
}
ready() { # endpoint key secret region: tells it, and waits until one of the processes or we are ended
  echo "$*"
  exec >&- # who reads our answers to their end need not wait for ours
  wait -n "${pids[@]}" || true
  echo "$0: a process ended: $(tail -qn 2 "$folder"/*.out | tr '\n' ' ')" >&2
  exit 1
}
