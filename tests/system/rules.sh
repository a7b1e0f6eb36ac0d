#!/usr/bin/env bash
# Rules and alerts of config/prometheus by promtool, where it is: they load, and say what they should of made-up series.
. "$(dirname "$0")/lib.sh"

command -v promtool >/dev/null || skip "promtool (Debian's prometheus) is not installed"
check "rules and alerts load" status 0 promtool check rules "$top/config/prometheus/rules.yaml" "$top/config/prometheus/alerts.yaml"
check "all of them" said "6 rules found"
sed "s|CONFIG|$top/config/prometheus|g" "$here/rules.yaml" >"$work/rules.yaml"
check "they say what they should" status 0 promtool test rules "$work/rules.yaml"
for alert in $(sed -n 's/^ *- alert: //p' "$top/config/prometheus/alerts.yaml"); do
  check "$alert is tried" grep -q "alertname=\"$alert\"" "$here/rules.yaml"
done
finish
