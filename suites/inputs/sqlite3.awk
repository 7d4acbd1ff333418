# SPDX-License-Identifier: MIT
#
# Writes a script for sqlite3: `rows` rows of a log of requests, then questions about them. The
# answers are computed here as well, in whole numbers, and written into the file `answers`.

function next_random() { # Park and Miller's minimal generator: exact in double precision
    seed = (seed * 16807) % 2147483647
    return seed
}

BEGIN {
    seed = 20180605
    users = 1000
    print "PRAGMA journal_mode = OFF;"
    print "CREATE TABLE user (id INTEGER PRIMARY KEY, name TEXT NOT NULL, region TEXT NOT NULL);"
    print "CREATE TABLE request (id INTEGER PRIMARY KEY, user INTEGER NOT NULL,"
    print "  size INTEGER NOT NULL, path TEXT NOT NULL);"
    print "BEGIN;"
    for (u = 0; u < users; u++) {
        region_of[u] = u % 7
        printf "INSERT INTO user VALUES (%d, 'user %d', 'region %d');\n", u, u, region_of[u]
    }
    for (i = 1; i <= rows; i++) {
        u = next_random() % users
        size = next_random() % 100000
        if (i % 50 == 1)
            printf "%sINSERT INTO request VALUES\n", (i > 1) ? ";\n" : ""
        else
            printf ",\n"
        printf "(%d, %d, %d, '/item/%d/%d')", i, u, size, size % 977, i
        bytes[region_of[u]] += size
        requests[u]++
        sum += size
        if (size % 10 == 3)
            changed++
    }
    print ";\nCOMMIT;"
    print "CREATE INDEX by_user ON request (user, size);"
    print "UPDATE request SET size = size + 1 WHERE size % 10 = 3;"
    print "SELECT count(*), sum(size) FROM request;"
    print "SELECT region, sum(size) > 0, count(*) FROM request JOIN user ON user.id = request.user"
    print "  GROUP BY region ORDER BY region;"
    print "SELECT max(n) FROM (SELECT user, count(*) AS n FROM request GROUP BY user);"
    print "SELECT count(*) FROM request WHERE path LIKE '%/item/12/%';"
    print "SELECT max(r) FROM (SELECT row_number() OVER (PARTITION BY user ORDER BY size DESC) AS r"
    print "  FROM request);"
    print "PRAGMA integrity_check;"

    seed = 20180605 # once more, for what needs the region of each row
    for (i = 1; i <= rows; i++) {
        u = next_random() % users
        size = next_random() % 100000
        in_region[region_of[u]]++
        if (size % 977 == 12)
            twelve++
        if (requests[u] > most)
            most = requests[u]
    }
    print "off" >answers # what PRAGMA journal_mode answers
    printf "%d|%.0f\n", rows, sum + changed >answers
    for (r = 0; r < 7; r++)
        printf "region %d|1|%d\n", r, in_region[r] >answers
    print most >answers
    printf "%d\n", twelve >answers
    print most >answers
    print "ok" >answers
}
