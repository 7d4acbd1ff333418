# SPDX-License-Identifier: MIT
#
# Turns meson's testlog.json (one JSON object a line, one line a test) into lines "PASS name",
# "FAIL name: result" or "SKIP name: reason". A failed one is followed by lines "WHY text": what it
# said was bad, or else its last lines. Strings in the log hold their quotes escaped, so that the
# patterns below match only the object's own keys.
function field(key,    start, rest) {
    start = index($0, "\"" key "\": \"")
    if (!start)
        return ""
    rest = substr($0, start + length(key) + 5)
    if (!match(rest, /^([^"\\]|\\.)*/))
        return ""
    return substr(rest, 1, RLENGTH)
}

# The last line a skipped test wrote says why.
function reason(text,    n, lines) {
    gsub(/\\u001b\[[0-9;]*m/, "", text)
    gsub(/\\"/, "\"", text)
    n = split(text, lines, /\\n/)
    while (n > 1 && lines[n] == "")
        n--
    return lines[n] == "" ? "no reason was given" : lines[n]
}

# What somebody wants to know first who sees only the end of a log.
function print_why(text,    n, lines, i, said) {
    gsub(/\\u001b\[[0-9;]*m/, "", text)
    gsub(/\\"/, "\"", text)
    n = split(text, lines, /\\n/)
    for (i = 1; i <= n && said < 20; i++)
        if (lines[i] ~ /^ *(BAD|Error|not ok)|\[  FAILED|ERROR|runtime error|error:|^ *[0-9]+\) /) {
            print "WHY " substr(lines[i], 1, 300)
            said++
        }
    for (i = n > 8 ? n - 8 : 1; i <= n && !said; i++)
        if (lines[i] != "")
            print "WHY " substr(lines[i], 1, 300)
}

{
    name = field("name")
    result = field("result")
    if (result == "OK" || result == "EXPECTEDFAIL")
        print "PASS " build " " name
    else if (result == "SKIP")
        print "SKIP " build " " name ": " reason(field("stdout") field("stderr"))
    else {
        print "FAIL " build " " name ": " result
        print_why(field("stdout") "\\n" field("stderr"))
    }
}
