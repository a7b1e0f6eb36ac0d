# A PostgreSQL of the test's own: sourced behind lib.sh. It syncs to the disk, as a real one does.
# PostgreSQL refuses to run as root, so for root it runs as nobody; its socket's path must be short.
pg_bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$pg_bin" ] || skip "PostgreSQL's server is not installed"
pg=$(mktemp -d /tmp/gm-pg-XXXXXX)
trap 'jobs -p | xargs -r kill -9 2>/dev/null; pg_kill; rm -rf "$work" "$pg"' EXIT
pg_as() { # command...: as the user that the server runs as
  if [ "$(id -u)" = 0 ]; then setpriv --reuid=nobody --regid=nogroup --clear-groups -- "$@"; else "$@"; fi
}
pg_ready() { "$pg_bin/pg_isready" -q -h "$pg" -t 1; }
pg_serve() { # it dies when we do, even of SIGKILL; its own processes see that it is gone
  local owner=()
  if [ "$(id -u)" = 0 ]; then owner=(--reuid=nobody --regid=nogroup --clear-groups); fi
  cd / && exec setpriv "${owner[@]}" --pdeathsig KILL -- "$pg_bin/postgres" -D "$pg/data" -c listen_addresses= \
    -c unix_socket_directories="$pg" -c max_connections=50 -c shared_buffers=32MB >>"$pg/log" 2>&1 </dev/null 9>&-
}
pg_start() { # again, for what is left of one that was killed may not be gone yet
  local try pid end
  for try in {1..40}; do
    pg_serve &
    pid=$!
    disown "$pid" # whoever waits for all jobs does not wait for it
    end=$((SECONDS + 60))
    while [ $SECONDS -lt $end ] && ! is_gone "$pid"; do
      ! pg_ready || return 0
      sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null
    sleep 0.25
  done
  return 1
}
pg_pid() { head -n 1 "$pg/data/postmaster.pid" 2>/dev/null; }
pg_kill() { # as a machine that dies: the server and all its processes; what they leave may look like one that runs
  local pid all
  pid=$(pg_pid) && [ -n "$pid" ] || return 0
  all=$(pgrep -P "$pid" | tr '\n' ' ')
  # shellcheck disable=SC2086
  kill -KILL "$pid" $all 2>/dev/null
  for pid in "$pid" $all; do
    until is_gone "$pid"; do sleep 0.05; done
  done
  rm -f "$pg/data/postmaster.pid" "$pg"/.s.PGSQL.*
}
psql() { "$pg_bin/psql" -X -A -t -h "$pg" -U farm -d postgres -c "$1"; }
if [ "$(id -u)" = 0 ]; then chown nobody:nogroup "$pg"; fi
pg_as "$pg_bin/initdb" -D "$pg/data" -U farm -A trust -E UTF8 --no-locale >"$work/initdb.log" 2>&1 ||
  fail "initdb: $(tail -n 2 "$work/initdb.log")"
pg_start || fail "PostgreSQL does not start: $(tail -n 2 "$pg/log")"
