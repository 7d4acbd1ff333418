# SPDX-License-Identifier: MIT
#
# Writes a round of requests to etcd's gateway, as a configuration of curl: `keys` keys put, ten in
# a transaction, and after each transaction some of them read. Keys and values are base64 on the
# wire; twelve letters and digits are the base64 of nine bytes, so none has to be encoded.

function request(path, body) {
    if (requests++)
        print "next\nsilent\nshow-error\nfail"
    printf "url = \"%s/%s\"\noutput = \"/dev/null\"\n", url, path
    gsub(/"/, "\\\"", body)
    printf "data = \"%s\"\n", body
}

BEGIN {
    for (i = 0; i < keys; i += 10) {
        puts = ""
        for (k = i; k < i + 10 && k < keys; k++) {
            value = sprintf("%012d", k * 7919)
            puts = puts (k > i ? "," : "") sprintf("{\"requestPut\":{\"key\":\"key%09d\"," \
                "\"value\":\"%s\"}}", k, value value value value)
        }
        request("txn", "{\"success\":[" puts "]}")
        request("range", sprintf("{\"key\":\"key%09d\"}", int(i / 2)))
        if (i % 100 == 0)
            request("range", "{\"key\":\"AA==\",\"range_end\":\"AA==\",\"limit\":\"100\"}")
    }
}
