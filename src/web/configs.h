/* SPDX-License-Identifier: MIT
 *
 * Named settings, which pprof calls configs: $XDG_CONFIG_HOME/pprof/settings.json, one file for
 * pprof and strobe, in pprof's format (google/pprof internal/driver/settings.go):
 *
 *   {"configs": [{"name": NAME, SETTING: VALUE…}]}
 *
 * with the names of report/settings.h; false, 0 and "" are left out. What is wrong with the file is
 * said with pprof's words. */
#ifndef WEB_CONFIGS_H
#define WEB_CONFIGS_H

#include "web/ask.h"

/* The file's path, in `a`: under $XDG_CONFIG_HOME, else $HOME/.config. -ENOENT if neither is set.
 */
int configs_find(const char **path, struct arena *a, struct err *e);

/* Saves what the query asks for under the name in `config`; deletes it. */
int configs_save(struct http_exchange *x, const struct ask *from, const char *path, struct err *e);
int configs_delete(struct http_exchange *x, const char *path, struct err *e);

/* Answers with [{"name", "query", "current", "user"}]: pprof's defaults first, then those of the
 * file. `query` is that of the request with the settings put in. */
void configs_serve(struct http_exchange *x, const char *path);

#endif
