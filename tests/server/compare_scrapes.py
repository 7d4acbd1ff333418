# SPDX-License-Identifier: MIT
#
# compare_scrapes.py API SERVICE FOLDER RESTART-NS: every profile that was scraped of a service,
# against pprof on the bodies that record_proxy.py kept. Cumulative types have to be those of
# `pprof -base EARLIER LATER`, levels those of the later one alone, and nothing may reach over the
# restart. Prints a line a kind and type, and what is wrong; exits 1 if anything is.
import concurrent.futures
import glob
import gzip
import json
import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request

api, service, folder, restart_ns = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
KINDS = {
    "cpu": ("profile", [("samples", "count", False), ("cpu", "ns", False)]),
    "heap": ("heap", [("alloc_objects", "count", True), ("alloc_space", "B", True),
                      ("inuse_objects", "count", False), ("inuse_space", "B", False)]),
    "block": ("block", [("contentions", "count", True), ("delay", "ns", True)]),
    "mutex": ("mutex", [("contentions", "count", True), ("delay", "ns", True)]),
    "goroutine": ("goroutine", [("goroutine", "count", False)]),
    "threadcreate": ("threadcreate", [("threadcreate", "count", False)]),
}
bad = 0


def complain(text):
    global bad
    bad += 1
    print("BAD:", text)


def get(path, **parameters):
    with urllib.request.urlopen(f"{api}/{path}?{urllib.parse.urlencode(parameters)}") as answer:
        return answer.read()


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def time_nanos(path):
    """Field 9 of a profile.proto."""
    data = open(path, "rb").read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    at, found = 0, 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
            if key >> 3 == 9:
                found = value
        elif key & 7 == 2:
            size, at = varint(data, at)
            at += size
        else:
            at += 8 if key & 7 == 1 else 4
    return found


def table(path, kind, unit, base=None):
    """Flat, cum and name of every function, as pprof has them."""
    command = ["pprof", "-top", "-symbolize=none", "-nodecount=1000000", "-nodefraction=0",
               "-edgefraction=0", f"-unit={unit}", f"-sample_index={kind}"]
    out = subprocess.run(command + (["-base", base] if base else []) + [path],
                         capture_output=True, text=True)
    lines, seen = [], False
    for line in out.stdout.splitlines():
        words = line.split()
        if seen and (re.match(r"-?0\D*$", words[0]) is None or
                     re.match(r"-?0\D*$", words[3]) is None):
            lines.append(" ".join([words[0], words[3]] + words[5:]))
        seen |= "flat%" in line
    return sorted(lines)


def compare(job):
    kind, type_, unit, base, want_path, got_path = job
    want = table(want_path, type_, unit, base) if want_path else []
    got = table(got_path, type_, unit)
    if want == got:
        return len(want), None
    other = sorted(set(want) ^ set(got))
    return len(want), f"{kind}/{type_} of {got_path}: {len(other)} lines differ: {other[:4]}"


def stored(kind):
    """Time and id, by time."""
    query = f'{kind}{{service_name="{service}"}}'
    listed = json.loads(get("profiles", query=query, limit=100000))["profiles"]
    return sorted((int(p["id"].split("-")[1], 16), p["id"]) for p in listed)


def pairs(kind, types, raws):
    """(time, its raw, the raw before it in the same life or None) of what has to be stored."""
    for i, (time, path) in enumerate(raws):
        before = raws[i - 1] if i and (raws[i - 1][0] < restart_ns) == (time < restart_ns) else None
        if not any(cumulative for _, _, cumulative in types):
            yield time, path, None
        elif before or not all(cumulative for _, _, cumulative in types):
            yield time, path, before[1] if before else None


def jobs_of(kind, types, raws, there):
    wanted = list(pairs(kind, types, raws))
    if [w[0] for w in wanted] != sorted(there):
        complain(f"{service} {kind}: {len(there)} are stored, {len(wanted)} should be: "
                 f"{sorted(set(there) ^ {w[0] for w in wanted})[:4]}")
    for time, path, before in wanted:
        if time not in there:
            continue
        got = os.path.join(folder, f"got.{kind}.{time}")
        open(got, "wb").write(get("profile", id=there[time]))
        for type_, unit, cumulative in types:
            if not cumulative:
                yield kind, type_, unit, None, path, got
            elif before:
                yield kind, type_, unit, before, path, got
            else: # the first of a life: what it did before is not known
                yield kind, type_, unit, None, None, got


def whole_lives(kind, types, raws):
    """A life's differences, merged, are the last less the first."""
    for number, life in enumerate(([r for r in raws if r[0] < restart_ns],
                                   [r for r in raws if r[0] >= restart_ns])):
        if len(life) < 2:
            continue
        got = os.path.join(folder, f"got.{kind}.life{number}")
        for type_, unit, cumulative in types:
            if cumulative:
                open(got, "wb").write(get(
                    "profile", query=f'{kind}/{type_}{{service_name="{service}"}}',
                    **{"from": life[0][0] + 1, "until": life[-1][0] + 1}))
                yield kind, type_, unit, life[0][1], life[-1][1], got


def main():
    for kind, (name, types) in KINDS.items():
        raws = sorted((time_nanos(p), p) for p in glob.glob(os.path.join(folder, f"*.{name}")))
        there = dict(stored(kind))
        if not raws:
            complain(f"{service} {kind}: nothing was scraped")
        # A kind that a program has never turned on is empty, and so are its differences.
        jobs = list(jobs_of(kind, types, raws, there))
        whole = list(whole_lives(kind, types, raws))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            results = list(pool.map(compare, jobs + whole))
        for _, problem in results:
            if problem:
                complain(f"{service} {problem}")
        lines = sum(n for n, _ in results)
        print(f"{service} {kind}: {len(raws)} scraped, {len(there)} stored, {len(jobs)} tables "
              f"and {len(whole)} of whole lives, {lines} lines compared with pprof's")
    sys.exit(1 if bad else 0)


main()
