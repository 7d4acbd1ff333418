# SPDX-License-Identifier: MIT
#
# Reports of a stored profile are those of the command line; the call graph is drawn by dot, and
# where that fails or is not there the answer is a sentence.
. "$(dirname "$0")/lib.sh"

# stored FILE NAME: pushes it, its id.
stored()
{
    post "profiles?service_name=$2" "$1" >/dev/null
    sed 's/.*"id":"\([^"]*\)".*/\1/' "$tmp/body"
}

serve
for f in kern_cpu orders_block orders_labels; do
    id=$(stored "$golden/$f.pb.gz" "$f")
    get "profile?id=$id" >"$tmp/p.pb.gz"
    "$strobe" top "$tmp/p.pb.gz" >"$tmp/want" 2>/dev/null
    get "profile?id=$id&format=text" >"$tmp/got"
    same "$f: text is strobe top's" same "$(cmp "$tmp/want" "$tmp/got" && echo same)"
    has "$f: dot is a graph" "$(get "profile?id=$id&format=dot")" '^digraph "'
    if command -v dot >/dev/null; then
        same "$f: and is drawn" 200 "$(status "profile?id=$id&format=svg")"
        has "$f: as SVG" "$(cat "$tmp/body")" '^<svg '
    fi
done
"$strobe" top -focus=mul -nodecount=2 "$tmp/p.pb.gz" >"$tmp/want" 2>/dev/null
get "profile?id=$id&format=text&f=mul&n=2" >"$tmp/got"
same "refined as with flags" same "$(cmp "$tmp/want" "$tmp/got" && echo same)"
has "another sample type" "$(get "profile?id=$id&format=text&si=samples")" '^Type: samples'
same "an expression that is none" 400 "$(status "profile?id=$id&format=text&f=(")"
has "is quoted" "$(cat "$tmp/body")" 'parsing focus regexp: '
same "a number that is none" 400 "$(status "profile?id=$id&format=svg&n=many")"
same "a type that is none" 404 "$(status "profile?id=$id&format=svg&si=bytes")"
has "what it is" "$(curl -sS -g -D - -o /dev/null "$api/profile?id=$id&format=text")" \
    'Content-Type: text/plain'
end "$server"

# ---- dot is odd ----
mkdir "$tmp/bin"
for program in sh cat sleep; do
    ln -s "$(command -v $program)" "$tmp/bin/$program"
done
usual=$PATH
PATH=$tmp/bin
serve_odd()
{
    : >"$tmp/serve.log"
    "$strobe" serve --listen 127.0.0.1:0 2>"$tmp/serve.log" &
    server=$!
    PATH=$usual
    wait_for 10 link_is_there || { bad "the server starts: $(cat "$tmp/serve.log")"; finish; }
    url=$(sed -n 's,.*open \(.*\)/#.*,\1,p' "$tmp/serve.log")
    api=$url/api/v1
}
serve_odd
same "no dot" 501 "$(status "profile?id=$id&format=svg")"
has "names the package" "$(cat "$tmp/body")" 'apt-get install graphviz'
same "text needs none" 200 "$(status "profile?id=$id&format=text")"
printf '#!/bin/sh\necho "no ink" >&2; exit 3\n' >"$tmp/bin/dot"
chmod +x "$tmp/bin/dot"
same "a dot that fails" 500 "$(status "profile?id=$id&format=svg")"
has "is quoted" "$(cat "$tmp/body")" 'dot could not draw the call graph: no ink'
printf '#!/bin/sh\nwhile :; do cat /dev/zero; done\n' >"$tmp/bin/dot"
same "one without end" 500 "$(status "profile?id=$id&format=svg")"
has "is stopped" "$(cat "$tmp/body")" 'dot wrote more than 32 MB'
printf '#!/bin/sh\nexec 0<&-; sleep 0.2; echo "<svg />"\n' >"$tmp/bin/dot"
same "one that does not read" 200 "$(status "profile?id=$id&format=svg")"
finish
