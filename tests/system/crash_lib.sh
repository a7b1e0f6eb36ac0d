# The control file of crash points (common/crash.h) in $GM_CRASH: sourced after lib.sh, before a program is started.
slot_bytes=64 text_bytes=56
control=$work/control
head -c $((8 * slot_bytes)) /dev/zero >"$control"
export GM_CRASH=$control

points() { # program: those that it was built with
  objcopy -O binary --only-section=gm_crash "$bin/$1" "$work/points" 2>/dev/null && tr '\0' '\n' <"$work/points" | grep . | sort -u
}
put_slot() { # slot offset bytes-as-printf-format
  printf "$3" | dd of="$control" bs=1 seek=$(($1 * slot_bytes + $2)) conv=notrunc status=none
}
arm() { # slot program point pass: "POINT stop": it is stopped there, not killed
  local text="$2 $3" zeros
  printf -v zeros '%*s' $((slot_bytes - ${#text})) ''
  put_slot "$1" "$text_bytes" '\0\0\0\0\0\0\0\0'
  put_slot "$1" 0 "$text${zeros// /\\0}"
  put_slot "$1" "$text_bytes" "\\x$(printf %x "$4")"
}
is_hit() { [ "$(od -An -tu4 -j$(($1 * slot_bytes + text_bytes + 4)) -N4 "$control")" -gt 0 ]; } # slot
look_at_slots() { # all at once, without a process: hit[SLOT] is 1 where it is; bash ends each part of the file at a NUL
  local LC_ALL=C parts part place=0
  hit=()
  mapfile -d '' -t parts <"$control"
  for part in "${parts[@]}"; do
    [ -z "$part" ] || [ $((place % slot_bytes)) != $((text_bytes + 4)) ] || hit[place / slot_bytes]=1
    place=$((place + ${#part} + 1))
  done
}
