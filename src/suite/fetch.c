/* SPDX-License-Identifier: MIT
 *
 * HTTP by libcurl's multi interface, which lets one thread wait for an answer, sample /proc and
 * notice Ctrl-C. */
#include "suite/fetch.h"

#include "base/libcurl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_MAX = 4096 };

struct suite_fetch {
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    FILE *file;
    char kept[KEPT_MAX];
    size_t kept_len;
    bool done;
    CURLcode result;
    char problem[CURL_ERROR_SIZE];
    char url[512]; /* for messages */
};

static size_t take(char *data, size_t one, size_t size, void *arg)
{
    struct suite_fetch *f = arg;
    size_t room = sizeof f->kept - 1 - f->kept_len, n = size < room ? size : room;
    (void)one;
    memcpy(f->kept + f->kept_len, data, n);
    f->kept_len += n;
    return f->file ? fwrite(data, 1, size, f->file) : size;
}

static void set_body(struct suite_fetch *f, const struct suite_request *r)
{
    char line[640];
    if (r->body) {
        curl_easy_setopt(f->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(f->easy, CURLOPT_POSTFIELDS, r->body);
        curl_easy_setopt(f->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_size);
        f->headers = curl_slist_append(f->headers, "Expect:");
    }
    if (r->media_type) {
        snprintf(line, sizeof line, "Content-Type: %s", r->media_type);
        f->headers = curl_slist_append(f->headers, line);
    }
    if (r->token) {
        snprintf(line, sizeof line, "Authorization: Bearer %s", r->token);
        f->headers = curl_slist_append(f->headers, line);
    }
    curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->headers);
}

int suite_fetch_start(struct suite_fetch **out, const struct suite_request *r, struct err *e)
{
    int rc = libcurl_load(e);
    if (rc)
        return rc;
    struct suite_fetch *f = calloc(1, sizeof *f);
    if (!f)
        return err_set(e, -ENOMEM, "out of memory");
    snprintf(f->url, sizeof f->url, "%s", r->url);
    if (r->path && !(f->file = fopen(r->path, "we"))) {
        int err = err_set(e, -errno, "cannot write %s: %s", r->path, strerror(errno));
        free(f);
        return err;
    }
    f->multi = curl_multi_init();
    f->easy = curl_easy_init();
    if (!f->multi || !f->easy) {
        suite_fetch_end(f, NULL, 0, NULL);
        return err_set(e, -ENOMEM, "out of memory");
    }
    curl_easy_setopt(f->easy, CURLOPT_URL, r->url);
    curl_easy_setopt(f->easy, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(f->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(f->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(f->easy, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
    curl_easy_setopt(f->easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(f->easy, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(f->easy, CURLOPT_ERRORBUFFER, f->problem);
    set_body(f, r);
    curl_multi_add_handle(f->multi, f->easy);
    *out = f;
    return 0;
}

bool suite_fetch_wait(struct suite_fetch *f, int ms)
{
    int running = 0, left;
    if (f->done)
        return true;
    curl_multi_perform(f->multi, &running);
    if (running)
        curl_multi_poll(f->multi, NULL, 0, ms, NULL);
    curl_multi_perform(f->multi, &running);
    for (CURLMsg *m; (m = curl_multi_info_read(f->multi, &left));) {
        if (m->msg != CURLMSG_DONE)
            continue;
        f->done = true;
        f->result = m->data.result;
    }
    return f->done;
}

int suite_fetch_end(struct suite_fetch *f, char *text, size_t size, struct err *e)
{
    long status = 0;
    if (f->easy)
        curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    int err = (int)status;
    if (!f->done)
        err = err_set(e, -ECANCELED, "%s: given up", f->url);
    else if (f->result == CURLE_COULDNT_CONNECT)
        err = err_set(e, -ECONNREFUSED, "%s: nobody answers there", f->url);
    else if (f->result != CURLE_OK)
        err = err_set(e, -EIO, "%s: %s", f->url,
                      *f->problem ? f->problem : curl_easy_strerror(f->result));
    if (f->file && fclose(f->file) != 0 && err >= 0)
        err =
            err_set(e, -errno, "%s: its answer could not be written: %s", f->url, strerror(errno));
    if (text && size)
        snprintf(text, size, "%.*s", (int)f->kept_len, f->kept);
    if (f->multi && f->easy)
        curl_multi_remove_handle(f->multi, f->easy);
    curl_easy_cleanup(f->easy);
    curl_multi_cleanup(f->multi);
    curl_slist_free_all(f->headers);
    free(f);
    return err;
}
