#!/usr/bin/env bash
# A farm whose S3 server fails: s3_fault.c stands before a real one, and what it does follows from a seed. s3_fault.sh [SEEDS [FIRST]].
. "$(dirname "$0")/lib.sh"
. "$here/s3_lib.sh"

need_s3 ceph

# What the faults are worth: each is seen by a client that is not ours, and does to the server what it says.
head -c 300000 /dev/urandom >"$work/a"
s3_bucket try
s3_hash=$(sha256sum "$work/a" | cut -d' ' -f1) s3_put "$work/a" try/x
s3_faults "$work/log" script get:1:flip get:2:short get:3:less get:4:503 get:5:reset get:6:hold get:7:403 \
  put:1:lost put:2:flip-up put:3:cut-up put:4:500 put:5:done-500 put:6:late head:1:reset list:1:short
is_whole() { s3_at=$s3_fault_url s3_curl try/x -o "$work/b" -f && cmp -s "$work/a" "$work/b"; }
up() { s3_at=$s3_fault_url s3_hash=$(sha256sum "$work/a" | cut -d' ' -f1) s3_status "try/$1" -T "$work/a"; }
is_there() { [ "$(s3_status "try/$1" -I)" = 200 ]; }
is_not_there() { [ "$(s3_status "try/$1" -I)" = 404 ]; }
for fault in flip short less 503 reset; do
  rm -f "$work/b"
  check "a get meets $fault" test "$(is_whole && echo whole)" = ""
done
check "one that is late is whole" is_whole
check "403 is of signed URLs alone" is_whole
check "a put's answer is lost: $(up p1)" is_there p1
check "a put with another bit is refused" test "$(up p2)" = 400
check "and leaves nothing" is_not_there p2
check "a put is cut: $(up p3)" is_not_there p3
check "a put is not done" test "$(up p4)" = 500
check "and leaves nothing" is_not_there p4
check "a put is done, and said not to be" test "$(up p5)" = 500
check "and is" is_there p5
check "a put is late" test "$(up p6)" = 200
check "a head gets no answer" test "$(s3_at=$s3_fault_url s3_status try/x -I)" = 000
check "a list is cut" test "$(s3_at=$s3_fault_url s3_keys try 2>/dev/null >&2 && echo whole)" = ""
check "the log has each with its fault: $(grep -vc ' - ' "$work/log")" test "$(grep -vc ' - ' "$work/log")" = 14
check "and no query" sh -c "! grep -q '[?]' '$work/log'"
kill "$s3_fault_pid"
finish
