#!/usr/bin/env bash
# A farm whose nodes have keys: made, copied, replaced and taken back by `gopmill keys` while it works. Who has none, another's, one of
# another role, or one whose time is over gets nothing.
. "$(dirname "$0")/lib.sh"

keys=$work/keys
keys() { "$bin/gopmill" keys "$@" --keys "$keys" 2>"$work/stderr"; }
reload() { kill -HUP "$(pid scheduler)"; }
make_clip "$work/clip.mp4" 6 320x240 24
small_pipeline "$work/small.yaml" 240
check "a key for n1" keys make n1 --role node >/dev/null
check "a key for ann" keys make ann --role admin >/dev/null
farm_options="security: curve
key_file: $keys/server.key
allow_file: $keys/allow"
lease_ms=5000 farm main

keyed() { # name key-file: a node's options
  node_options="devices: off
security: curve
key_file: $2"
}
unready() { # name: a node that is not expected to get ready, its options in node_options
  mkdir -p "$at/$1.d"
  cat >"$at/$1.yaml" <<YAML
node_id: $1
scheduler: ["$wire"]
state: $at/$1.d
slots: 1
grant_key_file: $at/grant.key
$node_options
YAML
  "$bin/gopmill-node" --config "$at/$1.yaml" >/dev/null 2>"$at/$1.log" 9>&- &
  echo $! >"$at/$1"
}
nodes() { gopmill node list --json | jq -r '[.nodes[].id] | join(" ")'; }
gone() { [ "$(gopmill node list --json | jq -r ".nodes[] | select(.id == \"$1\") | .connected")" = false ]; }
refused() { [ "$(grep -c 'event=key-refused' "$at/n1.log")" -ge "$1" ]; } # times that n1 said so
transcodes() { # name
  local rc=0
  timeout 120 "$bin/gopmill" submit "$work/clip.mp4" --out "$at/out-$1" --pipeline "$work/small.yaml" --watch >/dev/null 2>"$work/stderr" || rc=$?
  check "$1: exit 0, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
  tree_hash "$at/out-$1" >"$work/out.sha"
  [ -e "$work/first.sha" ] || cp "$work/out.sha" "$work/first.sha"
  check "$1: same bytes" cmp -s "$work/first.sha" "$work/out.sha"
}

# Who gets nothing. These begin before the node that does.
node_options="devices: off"
unready plain
"$bin/gopmill" keys make rogue --role node --keys "$work/other" >/dev/null 2>&1
sed -i "s/^server .*/$(grep '^server' "$keys/n1.key" | sed 's/[&/\]/\\&/g')/" "$work/other/rogue.key"
keyed rogue "$work/other/rogue.key"
unready rogue
sed 's/^role admin/role node/' "$keys/ann.key" >"$work/ann.key" && chmod 600 "$work/ann.key" # says what it is not
keyed ann "$work/ann.key"
unready ann
keyed n9 "$keys/n1.key"
unready n9

cp -p "$keys/n1.key" "$work/n1.key" # as it would be on its own machine
keyed n1 "$work/n1.key"
node n1
check "only the listed node is there: $(nodes)" test "$(nodes)" = n1
check "its key is shown" sh -c "'$bin/gopmill' node show n1 | grep -qxF \"key          \$(awk '\$2 == \"n1\" {print \$3}' '$keys/allow')\""
transcodes first
until_true "a key that is not listed is told in the log" grep -q 'event=key_refused.*key=' "$at/scheduler.log"
until_true "an admin is no node" grep -q 'code=node.not_allowed' "$at/ann.log"
until_true "n9 does not begin with the key of n1" grep -q 'the key of the node n1, and this node is n9' "$at/n9.log"
until_true "the node says that its key is not taken" grep -q 'event=key-refused' "$at/rogue.log"
check "only the listed node is there still: $(nodes)" test "$(nodes)" = n1
check "no secret in any log" sh -c "! grep -hF -e \"\$(sed -n 's/^secret //p' '$keys/n1.key')\" -e \"\$(sed -n 's/^secret //p' '$keys/server.key')\" '$at'/*.log"
for n in plain rogue ann n9; do kill -9 "$(pid "$n")" && wait "$(pid "$n")" 2>/dev/null; done

# Replaced while it works: the old one is good for a while, and is cut when that is over.
check "rotate" keys rotate n1 --hours 1 >/dev/null
reload
transcodes "the old key beside the new one"
check "two keys" test "$(keys list --json | jq '.keys | map(select(.name == "n1")) | length')" = 2
sed -i "s/20[0-9-]*T[0-9:]*Z/2001-01-01T00:00:00Z/" "$keys/allow" # the hour is over
reload
until_true "the old key's connection is cut" grep -q 'event=connection_cut.*not on the list' "$at/scheduler.log"
until_true "the old key makes no other one" refused 1
cp -p "$keys/n1.key" "$work/n1.key" # the new one, which the node finds when it tries again
transcodes "the new key"

# The scheduler's own.
check "the first turn" keys rotate server >/dev/null
cp -p "$keys/n1.key" "$work/n1.key"
check "the second turn" keys rotate server >/dev/null
stop scheduler
scheduler
transcodes "another key of the scheduler"

# A list that does not read changes nothing.
cp -p "$keys/allow" "$work/allow"
echo "what is this" >>"$keys/allow"
reload
until_true "it says so" grep -q 'event=keys_not_read' "$at/scheduler.log"
transcodes "after a bad list"
cp -p "$work/allow" "$keys/allow"

before=$(grep -c 'event=key-refused' "$at/n1.log")
check "revoke" keys revoke n1
reload
until_true "a node whose key was revoked is gone" gone n1
until_true "and says why" refused $((before + 1))

# Without keys only this machine is served.
sed -e '/^security\|^key_file\|^allow_file/d' -e 's|^listen:.*|listen: ["tcp://0.0.0.0:*"]|' "$at/scheduler.yaml" >"$work/open.yaml"
check "an open endpoint without keys is refused" status 2 "$bin/gopmill-scheduler" --config "$work/open.yaml" --check
check "in a sentence" said 'is reached by other machines: set `security: curve`'
echo 'security: none' >>"$work/open.yaml"
check "unless none are wanted" status 0 "$bin/gopmill-scheduler" --config "$work/open.yaml" --check
chmod 644 "$keys/server.key"
stop scheduler
check "a key that others may read is refused" status 2 "$bin/gopmill-scheduler" --config "$at/scheduler.yaml"
check "in a sentence" said 'chmod 0600'
finish
