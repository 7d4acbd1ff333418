/* SPDX-License-Identifier: MIT
 *
 * The suite as a writer of the store. It is opened for each run and closed again, so that a server
 * can start in between. */
#include "suite/push.h"

#include "store/store.h"

static int append_profile(struct store *s, const struct suite_push_run *run,
                          struct store_profile_id *id, struct err *e)
{
    const struct suite_run_name *n = run->name;
    const struct store_label labels[] = {
        {"suite", "strobe"}, {"input", n->input}, {"run", n->batch}};
    struct profile p;
    int err = profile_read_file(&p, run->profile_path, e);
    if (err < 0)
        return err;
    struct store_append append = {.service_name = n->program,
                                  .kind = n->kind,
                                  .labels = labels,
                                  .label_count = sizeof labels / sizeof *labels,
                                  .profile = &p,
                                  .lost_samples = -1};
    err = store_append(s, &append, id, e);
    profile_free(&p);
    return err < 0 ? err : 0;
}

int suite_push_to_store(struct suite_push *p, const struct suite_push_run *run, struct err *e)
{
    struct store_options o;
    struct store *s;
    struct arena a;
    struct store_profile_id id;
    const struct suite_run_name *n = run->name;
    const struct suite_result *r = run->result;
    store_options_default(&o);
    o.holder = "strobe suite";
    arena_init(&a);
    int err = store_open(&s, arena_printf(&a, "sqlite:%s", p->where), &o, e);
    if (err == 0) {
        bool profiled = r && r->profiled;
        if (profiled)
            err = append_profile(s, run, &id, e);
        struct store_run kept = {
            .id = run->id,
            .program = n->program,
            .input = n->input,
            .kind = n->kind,
            .status = r ? r->status : "running",
            .started_ns = run->started_ns,
            .ended_ns = r ? r->ended_ns : 0,
            .metrics = run->json ? arena_strndup(&a, run->json->data, run->json->len) : "{}",
            .profiles = &id,
            .profile_count = profiled};
        if (err == 0)
            err = store_put_run(s, &kept, e);
        store_close(&s);
    }
    arena_free(&a);
    return err;
}
