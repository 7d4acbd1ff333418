# SPDX-License-Identifier: MIT
#
# Reads what `strobe raw` printed and says how many of its samples' stacks reach a root: prints
# "samples N rooted M" and the stacks that do not. What is a root is read from the binaries by
# readelf, not from the profiler: a function whose unwind table says that it has no caller (_start,
# clone), or the place where the kernel enters a module. Names in brackets ([exit]) are no stacks.

function hex(text,    value, i) {
    sub(/^0x/, "", text)
    for (i = 1; i <= length(text); i++)
        value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
    return value
}

/^Samples:$/ { part = "samples"; next }
/^Locations$/ { part = "locations"; next }
/^Mappings$/ { part = "mappings"; next }

part == "samples" && /^ *[0-9]+ +[0-9]+: / {
    stacks++
    weight[stacks] = $1
    n = split($0, side, ": ")
    stack[stacks] = side[2]
    n = split(side[2], id, " ")
    root[stacks] = id[n]
}

part == "locations" && /^ +[0-9]+: 0x/ {
    id_now = $1 + 0
    address[id_now] = hex($2)
    mapping[id_now] = 0
    text[id_now] = $0
    for (i = 3; i <= NF; i++)
        if ($i ~ /^M=/)
            mapping[id_now] = substr($i, 3) + 0
    if (/ \[[a-z]/)
        bracketed[id_now] = 1
}

part == "mappings" && /^[0-9]+: 0x/ {
    split($2, span, "/")
    m = $1 + 0
    start[m] = hex(span[1])
    limit[m] = hex(span[2])
    offset[m] = hex(span[3])
    file[m] = $3
}

# The pieces of a module: where its segments lie, and which functions have no caller.
function read_module(path,    line, field, cie, none, span, command) {
    known[path] = 1
    command = "readelf -hlW " path " 2>/dev/null"
    while ((command | getline line) > 0) {
        split(line, field, " ")
        if (line ~ /Entry point address/) {
            spans[path]++
            from[path, spans[path]] = hex(field[4])
            to[path, spans[path]] = hex(field[4]) + 128
        }
        if (field[1] == "LOAD") {
            segments[path]++
            seg_offset[path, segments[path]] = hex(field[2])
            seg_address[path, segments[path]] = hex(field[3])
            seg_size[path, segments[path]] = hex(field[5])
        }
    }
    close(command)
    command = "readelf --debug-dump=frames " path " 2>/dev/null"
    cie = "-"
    while ((command | getline line) > 0) {
        if (line ~ / CIE/) {
            split(line, field, " ")
            cie = field[1]
            span = ""
        } else if (line ~ / FDE cie=/) {
            match(line, /cie=[0-9a-f]+/)
            cie = substr(line, RSTART + 4, RLENGTH - 4)
            match(line, /pc=.*/)
            span = substr(line, RSTART + 3)
            if (cie in none)
                add_span(path, span)
        } else if (line ~ /DW_CFA_undefined: r16/) {
            if (span == "")
                none[cie] = 1
            else
                add_span(path, span)
        }
    }
    close(command)
}

function add_span(path, span,    ends) {
    split(span, ends, /\.\./)
    spans[path]++
    from[path, spans[path]] = hex(ends[1])
    to[path, spans[path]] = hex(ends[2])
}

function is_root(id,    m, path, at, i, virtual) {
    if (id in bracketed)
        return 1
    m = mapping[id]
    path = file[m]
    if (!m || path !~ /^\//)
        return 0
    if (!(path in known))
        read_module(path)
    at = address[id] - start[m] + offset[m]
    for (i = 1; i <= segments[path]; i++)
        if (at >= seg_offset[path, i] && at < seg_offset[path, i] + seg_size[path, i])
            virtual = at - seg_offset[path, i] + seg_address[path, i]
    for (i = 1; i <= spans[path]; i++)
        if (virtual >= from[path, i] && virtual < to[path, i])
            return 1
    return 0
}

END {
    for (s = 1; s <= stacks; s++) {
        all += weight[s]
        if (!(root[s] in verdict))
            verdict[root[s]] = is_root(root[s])
        if (verdict[root[s]])
            good += weight[s]
        else if (shown++ < 5)
            print "no root: " stack[s] " ends at " text[root[s]]
    }
    printf "samples %d rooted %d\n", all, good
}
