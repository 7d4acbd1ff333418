# SPDX-License-Identifier: MIT
#
# Turns meson's testlog.json (one JSON object a line, one line a test) into lines "PASS name",
# "FAIL name" or "SKIP name: reason". Strings in it hold their quotes escaped, so that the patterns
# below match only the object's own keys.
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

{
    name = field("name")
    result = field("result")
    if (result == "OK" || result == "EXPECTEDFAIL")
        print "PASS " build " " name
    else if (result == "SKIP")
        print "SKIP " build " " name ": " reason(field("stdout") field("stderr"))
    else
        print "FAIL " build " " name ": " result
}
