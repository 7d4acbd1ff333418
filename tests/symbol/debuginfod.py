# SPDX-License-Identifier: MIT
#
# debuginfod.py FOLDER: a server of debug files as debuginfod.sh needs it. /buildid/ID/KIND is
# FOLDER/ID.KIND; the ways in which servers fail are the first part of the path: /slow/ never sends
# more than the head, /broken/ cuts the file short, /busy/ answers 503. Prints its port, then what it
# was asked for.
import http.server
import os
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        print("GET", self.path, flush=True)
        way, _, rest = self.path[1:].partition("buildid/")
        parts = rest.split("/")
        path = os.path.join(sys.argv[1], ".".join(parts))
        if way == "busy/":
            self.send_error(503)
        elif len(parts) != 2 or not os.path.exists(path):
            self.send_error(404)
        else:
            data = open(path, "rb").read()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if way == "slow/":
                self.wfile.flush()
                time.sleep(60)
            self.wfile.write(data[:100] if way == "broken/" else data)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
