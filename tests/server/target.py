# SPDX-License-Identifier: MIT
#
# A target whose profiles a test chooses: serves the files of a folder as /debug/pprof/NAME, 404 for
# those that are not there, and writes down each request with its beginning and end. `seconds=N`
# takes N tenths of a second. Prints its port. A file NAME.status holds another status than 200.
import http.server
import os
import sys
import time
import urllib.parse

folder = sys.argv[1]
log = open(os.path.join(folder, "log"), "a", buffering=1)


class Target(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        name = url.path.removeprefix("/debug/pprof/")
        seconds = int(urllib.parse.parse_qs(url.query).get("seconds", ["0"])[0])
        log.write(f"begin {self.path}\n")
        time.sleep(seconds / 10)
        path = os.path.join(folder, name)
        status, body = 404, b"Unknown profile\n"
        if os.path.exists(path):
            status, body = 200, open(path, "rb").read()
        if os.path.exists(path + ".status"):
            status = int(open(path + ".status").read())
        log.write(f"end {self.path}\n")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
print(server.server_port, flush=True)
server.serve_forever()
