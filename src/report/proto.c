/* SPDX-License-Identifier: MIT
 *
 * proto: the profile, refined, as a compressed profile.proto again. Values are divided if
 * -divide_by says so; nothing else is made coarser. */
#include "report/report.h"

int report_proto(struct report *r, struct out *out, struct err *e)
{
    struct profile *p = r->p;
    struct buf bytes;
    if (r->o.ratio > 0 && r->o.ratio != 1)
        for (size_t i = 0; i < (size_t)p->sample_count * p->sample_type_count; i++)
            p->values[i] = graph_int64((double)p->values[i] * r->o.ratio);
    buf_init(&bytes, &r->arena);
    int rc = profile_encode_gzip(p, &bytes, e);
    if (!rc)
        out_write(out, bytes.data, bytes.len);
    return rc;
}
