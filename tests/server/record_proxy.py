# SPDX-License-Identifier: MIT
#
# Stands before a real target and keeps what passes: record_proxy.py FOLDER UPSTREAM-PORT serves
# /debug/pprof/… of 127.0.0.1:UPSTREAM-PORT, and writes each body that was answered with 200 to
# FOLDER/NUMBER.KIND, and begin and end of each request to FOLDER/log. Prints its port. Where the
# target does not answer, neither does it.
import http.client
import http.server
import itertools
import os
import sys
import urllib.parse

folder, upstream = sys.argv[1], int(sys.argv[2])
numbers = itertools.count(1)
log = open(os.path.join(folder, "log"), "a", buffering=1)


class Proxy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        kind = os.path.basename(urllib.parse.urlsplit(self.path).path)
        log.write(f"begin {kind}\n")
        try:
            up = http.client.HTTPConnection("127.0.0.1", upstream, timeout=60)
            up.request("GET", self.path)
            answer = up.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return
        finally:
            log.write(f"end {kind}\n")
        if answer.status == 200:
            path = os.path.join(folder, f"{next(numbers):06}.{kind}")
            with open(path + ".part", "wb") as f:
                f.write(body)
            os.rename(path + ".part", path)
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
print(server.server_port, flush=True)
server.serve_forever()
