/* SPDX-License-Identifier: MIT
 *
 * Times and durations as people write them in URLs and configurations. */
#ifndef SERVER_WHEN_H
#define SERVER_WHEN_H

#include "base/err.h"

#include <stdint.h>

/* "15s", "1h30m", "500ms", "7d": whole numbers with units ms s m h d w y, each at most once, the
 * larger first; "0" alone is fine (Prometheus' model.ParseDuration). 0 or -EINVAL. */
int when_duration(const char *text, int64_t *ns, struct err *e);

/* A moment in nanoseconds since 1970: RFC 3339, a number (seconds with a fraction; milliseconds,
 * microseconds or nanoseconds from 12, 15 or 18 digits on), "now", "now-6h", "-6h", "now+1m".
 * 0 or -EINVAL. */
int when_parse(const char *text, int64_t now_ns, int64_t *ns, struct err *e);

int64_t when_now(void);

#endif
