# An S3 server of the test's own: sourced behind lib.sh. Its folder is nobody's where we are root, so it is none of $work's.
s3_dir=$(mktemp -d /tmp/gm-s3-XXXXXX)
s3_pid=
s3_end() { # its folder is quiet when it is gone
  local i
  [ -n "$s3_pid" ] || return 0
  kill -TERM "$s3_pid" 2>/dev/null
  for ((i = 0; i < 100; i++)); do ! is_gone "$s3_pid" || break; sleep 0.05; done
  kill -KILL "$s3_pid" 2>/dev/null
  wait "$s3_pid" 2>/dev/null
  s3_pid=
}
trap 'exec 2>/dev/null; s3_end; jobs -p | xargs -r kill -9 2>/dev/null; rm -rf "$work" "$s3_dir"' EXIT
s3_server() { # program of tests/servers [args...]: starts it; endpoint, key, secret and region in s3_*, all of them in GOPMILL_TEST_S3
  rm -rf "$s3_dir" "$work/s3.ready"
  mkdir "$s3_dir" && mkfifo "$work/s3.ready"
  "$top/tests/servers/$1" "$s3_dir" "${@:2}" >"$work/s3.ready" 2>"$work/s3.log" 9>&- &
  s3_pid=$!
  if ! IFS= read -r GOPMILL_TEST_S3 <"$work/s3.ready"; then
    wait "$s3_pid"
    local rc=$?
    s3_pid=
    [ "$rc" != 77 ] || return 77
    fail "$1: $(tail -n 2 "$work/s3.log" | tr '\n' ' ')"
    finish
  fi
  export GOPMILL_TEST_S3
  read -r s3_endpoint s3_key s3_secret s3_region <<<"$GOPMILL_TEST_S3"
}
s3_kind=${GOPMILL_TEST_S3_KIND:-memstore} # memstore or bluestore of Ceph's object gateway, swift
need_s3() { # such a server, or the test is skipped
  local args
  case $s3_kind in
    swift) args=(swift) ;;
    memstore | bluestore) args=(ceph "$s3_kind") ;;
    *) fail "GOPMILL_TEST_S3_KIND: $s3_kind is none"; finish ;;
  esac
  s3_server "${args[@]}" || skip "no S3 server: $(tail -n 1 "$work/s3.log")"
}

# A client that is none of ours: curl and its signatures. Queries are to be in order, with '=' behind each name.
s3_ca= # PEM of who signed the server's certificate
s3_at= # another port than the server's: a proxy's
s3_curl() { # bucket/key[?query] [curl's arguments...]: signed by s3_key
  local at=${s3_at:-$s3_endpoint} who=("--user" "$s3_key:$s3_secret")
  case $s3_key in *:*) at=${at/:\/\//:\/\/"${s3_key//:/%3A}:$s3_secret@"} who=() ;; esac # Swift's: --user would end it there
  curl -s --noproxy '*' -m 60 --path-as-is ${s3_ca:+--cacert "$s3_ca"} --aws-sigv4 "aws:amz:$s3_region:s3" "${who[@]}" -H "x-amz-content-sha256: ${s3_hash:-UNSIGNED-PAYLOAD}" "$at/$1" "${@:2}"
}
s3_status() { s3_curl "$1" -o /dev/null -w '%{http_code}' "${@:2}"; } # bucket/key...: of HTTP
s3_bucket() { check "bucket $1" test "$(s3_status "$1" -X PUT)" = 200; }
s3_put() { check "put $2" test "$(s3_status "$2" -T "$1")" = 200; } # file bucket/key
s3_keys() { # bucket [prefix]: one a line; fails where the list is none, or longer than a page
  local prefix=${2:-}
  s3_curl "$1?list-type=2&prefix=${prefix//\//%2F}" >"$work/s3.list" || return 1
  grep -q '<ListBucketResult' "$work/s3.list" && grep -q '<IsTruncated>false' "$work/s3.list" || { head -c 300 "$work/s3.list" >&2; return 1; }
  grep -o '<Key>[^<]*' "$work/s3.list" | sed 's/<Key>//'
  return 0
}
s3_uploads() { # bucket: keys of multipart uploads that are open; fails where the list is none
  s3_curl "$1?uploads=" >"$work/s3.list" || return 1
  grep -q '<ListMultipartUploadsResult' "$work/s3.list" || { head -c 300 "$work/s3.list" >&2; return 1; }
  grep -o '<Key>[^<]*' "$work/s3.list" | sed 's/<Key>//'
  return 0
}
s3_down() { # bucket prefix/ folder: all below it
  local key keys
  keys=$(s3_keys "$1" "$2") || return 1
  mkdir -p "$3"
  for key in $keys; do
    s3_curl "$1/$key" -f --create-dirs -o "$3/${key#"$2"}" || return 1
  done
}
s3_is_empty() { # bucket...: no object and no upload that is open
  local b keys uploads
  for b in "$@"; do
    keys=$(s3_keys "$b") && uploads=$(s3_uploads "$b") || return 1
    [ -z "$keys$uploads" ] || return 1
  done
}
# What can't be listed is not empty: where the server does not answer, these are false.
s3_no_upload() { # bucket...: none is open
  local b uploads
  for b in "$@"; do
    uploads=$(s3_uploads "$b") && [ -z "$uploads" ] || return 1
  done
}
s3_has_only() { # bucket prefix pattern: no key without the pattern
  local keys
  keys=$(s3_keys "$1" "$2") && [ -z "$(grep -v "$3" <<<"$keys" | grep .)" ]
}
s3_keys_file() { # file [secret]: what a scheduler reads
  (umask 077 && printf 'id=%s\nsecret=%s\n' "$s3_key" "${2:-$s3_secret}" >"$1")
}
s3_faults() { # LOG seed SEED RATE | LOG script RULE...: a proxy that fails before the server; where it is in s3_fault_url, its pid in s3_fault_pid
  rm -f "$work/s3.port" && mkfifo "$work/s3.port"
  "$bin/../tests/s3_fault" "${s3_endpoint##*:}" "$@" >"$work/s3.port" 2>"$work/s3_fault.log" 9>&- &
  s3_fault_pid=$!
  IFS= read -r s3_fault_url <"$work/s3.port" || fail "s3_fault: $(cat "$work/s3_fault.log")"
  s3_fault_url=http://127.0.0.1:$s3_fault_url
}
