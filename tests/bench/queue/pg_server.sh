# A private PostgreSQL 15 that syncs each commit, in a new folder below a named one: sourced, strict mode is the caller's.
#   pg_open FOLDER CONNECTIONS: sets pg_folder (its socket lies there), pg_main (its process)
#   pg_sql STATEMENT; pg_cpu: seconds of the server and of its processes that ended; pg_close: ends it, removes the folder
pg_programs=/usr/lib/postgresql/15/bin
pg_run() { "${pg_as[@]}" env HOME="$pg_folder" "$pg_programs/$1" "${@:2}"; }
pg_open() {
  pg_as=()
  pg_folder=$(mktemp -d "$1/bq-XXXXXX")
  [ "${#pg_folder}" -lt 90 ] || { echo "$pg_folder is too long for a socket" >&2; return 1; }
  if [ "$(id -u)" = 0 ]; then # which initdb refuses
    pg_as=(runuser -u nobody --)
    chown nobody "$pg_folder"
  fi
  (cd "$pg_folder" && pg_run initdb -D "$pg_folder/data" --no-locale -A trust -U bench >/dev/null &&
    pg_run pg_ctl -D "$pg_folder/data" -w -s -l "$pg_folder/log" \
      -o "-k $pg_folder -c listen_addresses= -c fsync=on -c synchronous_commit=on -c max_connections=$2" start) || return 1
  pg_main=$(head -n 1 "$pg_folder/data/postmaster.pid")
}
pg_sql() { psql -X -h "$pg_folder" -U bench -d postgres -qAt -c "$1"; }
pg_cpu() { awk -v hz="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); print ($12 + $13 + $14 + $15) / hz}' "/proc/$pg_main/stat"; }
pg_close() {
  [ -n "${pg_folder:-}" ] || return 0
  (cd "$pg_folder" && pg_run pg_ctl -D "$pg_folder/data" -m immediate -s stop) >/dev/null 2>&1 || true
  rm -rf "$pg_folder"
}
