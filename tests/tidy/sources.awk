# SPDX-License-Identifier: MIT
#
# The house rules that can be read off the text of a file. Reads layers.txt, exceptions.txt and then
# every source file (mode=… before each on the command line), prints "FILE:LINE: rule: sentence" for
# each offence, and ends with 1 if there was one. The C is formatted by clang-format, so a function
# begins with "{" and ends with "}" in the first column.

function offend(rule, line, text, name,    key) {
    key = rule " " file (name == "" ? "" : ":" name)
    if (key in excused) {
        used[key] = 1
        return
    }
    printf "%s:%d: %s: %s\n", file, line, rule, text
    bad = 1
}

# ---- tables --------------------------------------------------------------------------------------

mode == "layers" {
    sub(/#.*/, "")
    if (split($0, part, ":") == 2) {
        known[part[1]] = 1
        n = split(part[2], allowed, " ")
        for (i = 1; i <= n; i++)
            may[part[1], allowed[i]] = 1
    }
    next
}

mode == "exceptions" {
    if ($0 !~ /^#/ && NF) {
        if (NF < 5) {
            print FILENAME ":" FNR ": exceptions: an exception needs its reason, in words"
            bad = 1
        }
        excused[$1 " " $2] = FNR
        exceptions_file = FILENAME
    }
    next
}

# ---- one file ------------------------------------------------------------------------------------

FNR == 1 {
    if (file != "")
        end_of_file()
    file = FILENAME
    sub(/^\.\//, "", file)
    is_c = file ~ /\.[ch]$/
    lines = 0
    opening = is_c
    opening_text = ""
    layer = ""
    if (split(file, part, "/") > 2 && part[1] == "src") {
        layer = part[2]
        if (!(layer in known))
            offend("layers", 1, "src/" layer " has no line in tests/tidy/layers.txt")
    }
    licensed = 0
    signature = ""
    body_from = 0
}

{
    lines = FNR
    if (FNR <= 4 && /SPDX-License-Identifier: MIT/)
        licensed = 1
    measured = $0
    gsub(/[\200-\277]/, "", measured) # bytes that continue a character of UTF-8
    if (length(measured) > 100)
        offend("columns", FNR, "more than 100 columns")
    if (/[ \t]$/)
        offend("space", FNR, "space at the end of the line")
    if (/TO[D]O|FIX[M]E|(^|[^X])XX[X]([^X]|$)/)
        offend("unfinished", FNR, "what is left to do belongs into an issue")
    # Fixed text that binds a tree to the place where it was written or built.
    if (/registry\.npm[j]s|[d]eb\.debian\.org|[p]roxy\.golang\.org|"resolve[d]": "/)
        offend("address", FNR, "the address of a registry")
    if (/(^|["'=( \t:])\/(hom[e]|roo[t]|wor[k]|User[s])\/[A-Za-z]/)
        offend("address", FNR, "a path of one machine")
}

is_c && /\t/ {
    offend("space", FNR, "a tab; indentation is four spaces")
}

opening {
    text = $0
    gsub(/SPDX-License-Identifier: MIT|[\/* ]/, "", text)
    opening_text = opening_text text
    if (/\*\//)
        opening = 0
}

layer != "" && /^#include "/ {
    split($0, part, "\"")
    target = part[2]
    folder = target
    if (!sub(/\/.*/, "", folder))
        offend("layers", FNR, "\"" target "\" names no folder; write \"" layer "/" target "\"")
    else if (folder != layer && folder != "strobe" && !((layer, folder) in may) &&
             !((layer, target) in may))
        offend("layers", FNR, "src/" layer " may not include \"" target "\"")
}

# ---- functions -----------------------------------------------------------------------------------

is_c && body_from {
    if (/^}/) {
        length_of = FNR - signature_from + 1
        if (length_of > 70)
            offend("function", signature_from, name " has " length_of " lines; 70 are the limit",
                   name)
        body_from = 0
        signature = ""
    }
    next
}

is_c && /^{/ {
    if (signature ~ /\)[ ]*$/) {
        body_from = FNR
        name = name_of(signature)
        count = parameters(signature)
        if (count > 5)
            offend("parameters", signature_from, name " has " count " parameters; 5 are the limit",
                   name)
    }
    next
}

is_c {
    # Only what can still be the head of a function is kept.
    if (/^#|^$|^ \*|^\/\*|;[ ]*$|^}|\*\/$/)
        signature = ""
    else {
        if (signature == "")
            signature_from = FNR
        signature = signature " " $0
    }
}

# The text of a head without its attributes.
function bare(text) {
    while (match(text, /__attribute__\(\([^()]*(\([^()]*\)[^()]*)*\)\)/))
        text = substr(text, 1, RSTART - 1) substr(text, RSTART + RLENGTH)
    return text
}

function name_of(text) {
    text = bare(text)
    sub(/\(.*/, "", text)
    sub(/[ ]*$/, "", text)
    sub(/.*[ *]/, "", text)
    return text
}

# Parameters of a head: the commas that are inside its first parenthesis and in no other.
function parameters(text,    i, c, depth, commas, some) {
    text = bare(text)
    depth = commas = some = 0
    for (i = index(text, "("); i && i <= length(text); i++) {
        c = substr(text, i, 1)
        if (c == "(")
            depth++
        else if (c == ")" && --depth == 0)
            break
        else if (c == "," && depth == 1)
            commas++
        else if (c != " ")
            some = 1
    }
    return some ? commas + 1 : 0
}

# ---- ends ----------------------------------------------------------------------------------------

function end_of_file() {
    if (lines > 800)
        offend("lines", lines, lines " lines; 800 are the limit")
    if (!licensed && file !~ /\.(txt|md|json|build)$/)
        offend("licence", 1, "no line SPDX-License-Identifier: MIT at the top")
    if (file ~ /\.c$/ && length(opening_text) < 40)
        offend("opening", 1, "the file does not say what it owns, why, and what it may not do")
}

END {
    if (file == "") {
        print "sources.awk: there was no file to check"
        exit 1
    }
    end_of_file()
    for (key in excused)
        if (!(key in used)) {
            printf "%s:%d: exceptions: \"%s\" excuses nothing any more\n", exceptions_file,
                excused[key], key
            bad = 1
        }
    exit bad
}
