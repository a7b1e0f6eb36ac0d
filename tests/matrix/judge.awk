# Judges what clips gave: awk -f judge.awk -v used=FILE -v counts=FILE exceptions.tsv RESULTS...
# Prints the table's rows, fields apart by "|", and FAILED lines on stderr. used: the exceptions that were needed; counts: "checks failures".
#
# A file of results is of one clip; fields are apart by tabs:
#   clip NAME
#   media VERSION                             of what made the bytes
#   check PIPELINE KEY 0|1 VALUE SENTENCE     0: it failed; VALUE: what an exception's ceiling holds, "-" where nothing was measured
#   row PIPELINE ok|refused COLUMNS... NOTES
function is_number(v) { return v ~ /^[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)(e[-+]?[0-9]+)?$/ }
function lifts(ceiling, value) { return value == "-" ? ceiling == "-" : is_number(value) && is_number(ceiling) && value + 0 <= ceiling + 0 }
BEGIN {FS = "\t"; OFS = "|"}
FNR == NR { # the exceptions
  if ($0 != "" && $0 !~ /^#/) {ceiling[$1, $2, $3] = $4; reason[$1, $2, $3] = $5}
  next
}
$1 == "clip" {clip = $2; split("", verdict); split("", said)}
$1 == "check" {
  checks++
  if ($4 == 1) next
  p = $2
  if ((clip, p, $3) in ceiling && lifts(ceiling[clip, p, $3], $5)) {
    note = $3 (ceiling[clip, p, $3] == "-" ? "" : " at most " ceiling[clip, p, $3]) ": " reason[clip, p, $3]
    if (verdict[p] == "") verdict[p] = "except"
    needed[clip FS p FS $3] = 1
  } else {
    note = "FAILED " $3
    verdict[p] = "FAILED"
    failures++
    print "FAILED: " clip " " p ": " $6 > "/dev/stderr"
  }
  if (index(said[p], note) == 0) said[p] = said[p] (said[p] == "" ? "" : "; ") note
}
$1 == "row" {
  p = $2
  line = clip OFS p OFS (verdict[p] == "" ? $3 : verdict[p])
  for (i = 4; i < NF; i++) line = line OFS $i
  print line OFS $NF ($NF != "" && said[p] != "" ? "; " : "") said[p]
}
END {
  for (n in needed) print n >used
  printf "%d %d\n", checks, failures >counts
}
