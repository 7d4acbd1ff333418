# SPDX-License-Identifier: MIT
"""http_go.py OURS THEIRS: asks both the same, and prints what differs: status, headers, and the
texts of refusals."""
import http.client
import re
import sys

HEADERS = ["Content-Type", "Content-Disposition", "X-Content-Type-Options", "X-Go-Pprof", "Allow",
           "Location"]
PROFILES = ["allocs", "block", "goroutine", "heap", "mutex", "threadcreate"]
QUERIES = ["", "?debug=0", "?debug=1", "?debug=2", "?debug=x", "?debug=+1", "?debug=-1", "?debug=01",
           "?gc=1", "?gc=x&debug=1", "?seconds=0", "?seconds=-1", "?seconds=x", "?seconds=1x",
           "?seconds=", "?seconds=1&debug=1", "?seconds=99999999999999999999", "?seconds=%31&debug=1",
           "?%73econds=0", "?seconds=%zz", "?seconds=%zz&seconds=0", "?seconds;debug=1", "?debug",
           "?seconds=1.5", "?debug=1&debug=0", "?a&&b=c&debug=1", "?seconds=+1"]

requests = []
for name in PROFILES:
    requests += [("GET", f"/debug/pprof/{name}{q}") for q in QUERIES]
    requests += [("HEAD", f"/debug/pprof/{name}"), ("POST", f"/debug/pprof/{name}"),
                 ("PUT", f"/debug/pprof/{name}"), ("GET", f"/debug/pprof/{name}?seconds=1")]
for path in ["", "/", "/cmdline", "/cmdline?debug=1", "/symbol", "/symbol?0", "/symbol?0x1+x+0x2",
             "/nosuch", "/nosuch?seconds=1", "/nosuch/more", "/profile?seconds=1",
             "/profile?seconds=1&debug=1"]:
    for method in ["GET", "HEAD", "DELETE"]:
        if method == "GET" or "seconds=1" not in path:
            requests.append((method, "/debug/pprof" + path))
requests += [("GET", "/"), ("GET", "/debug"), ("GET", "/debug/vars"), ("HEAD", "/debug/vars"),
             ("POST", "/debug/pprof/"), ("POST", "/debug/pprof/cmdline"), ("GET", "/debug/pprofx"),
             ("OPTIONS", "/debug/pprof/heap"), ("GET", "/debug/vars?x=1"), ("POST", "/other")]

# Not asked: POST /debug/pprof/symbol. Go's mux has answered 405 since 1.22, although its handler
# reads the body; pprof posts there, so libstrobe answers.


def ask(address, method, target):
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request(method, target)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    head = {name: answer.getheader(name) for name in HEADERS}
    return answer.status, head, body if answer.status >= 300 else None, answer, body


def main():
    ours, theirs = sys.argv[1:3]
    differ = 0
    for method, target in requests:
        a = ask(ours, method, target)
        b = ask(theirs, method, target)
        # On purpose: POST is allowed at symbol, and nothing of ours is to be sniffed.
        if "/symbol" in target and a[1]["Allow"] == "GET, HEAD, POST":
            a[1]["Allow"] = "GET, HEAD"
        if not b[1]["X-Content-Type-Options"]:
            a[1]["X-Content-Type-Options"] = None
        if a[:3] != b[:3]:
            differ += 1
            print(f"{method} {target}:\n  ours   {a[:3]}\n  theirs {b[:3]}")
    # The page, but for the numbers, the profiles that only one has, Go's words for threads, and how
    # many processes answer.
    rows = []
    for at in (ours, theirs):
        page = re.sub(rb"<td>\d+</td>", b"<td>N</td>", ask(at, "GET", "/debug/pprof/")[4])
        page = page.replace(b"goroutine stack dump", b"thread stack dump")
        page = re.sub(rb"of \d+ processes, and \d+ that have ended\n<br>\n", b"", page)
        rows.append([line for line in page.split(b"\n") if b"class=profile-name" not in line and
                     not re.search(rb"'(custom|wall)[?]", line)])
    if rows[0] != rows[1]:
        differ += 1
        print("index:", [r for r in rows[0] if r not in rows[1]],
              [r for r in rows[1] if r not in rows[0]])
    print(f"{len(requests)} requests, {differ} differ")
    sys.exit(differ != 0)


main()
