/* SPDX-License-Identifier: MIT
 *
 * SQLite, which is loaded when a store is opened (base/late.h). Include this and not <sqlite3.h>,
 * and call libsqlite3_load before anything else. */
#ifndef STORE_LIBSQLITE3_H
#define STORE_LIBSQLITE3_H

#include "base/err.h"

#include <sqlite3.h>

/* 0, or a sentence that names the package. */
int libsqlite3_load(struct err *e);

#define LIBSQLITE3_FUNCTIONS(F)                                                                    \
    F(sqlite3_bind_blob64)                                                                         \
    F(sqlite3_bind_int64)                                                                          \
    F(sqlite3_bind_text)                                                                           \
    F(sqlite3_busy_timeout)                                                                        \
    F(sqlite3_changes)                                                                             \
    F(sqlite3_clear_bindings)                                                                      \
    F(sqlite3_close)                                                                               \
    F(sqlite3_column_blob)                                                                         \
    F(sqlite3_column_bytes)                                                                        \
    F(sqlite3_column_count)                                                                        \
    F(sqlite3_column_int)                                                                          \
    F(sqlite3_column_int64)                                                                        \
    F(sqlite3_column_text)                                                                         \
    F(sqlite3_column_type)                                                                         \
    F(sqlite3_db_config)                                                                           \
    F(sqlite3_errmsg)                                                                              \
    F(sqlite3_errstr)                                                                              \
    F(sqlite3_exec)                                                                                \
    F(sqlite3_extended_result_codes)                                                               \
    F(sqlite3_finalize)                                                                            \
    F(sqlite3_get_autocommit)                                                                      \
    F(sqlite3_last_insert_rowid)                                                                   \
    F(sqlite3_open_v2)                                                                             \
    F(sqlite3_prepare_v2)                                                                          \
    F(sqlite3_prepare_v3)                                                                          \
    F(sqlite3_reset)                                                                               \
    F(sqlite3_step)

struct libsqlite3 {
#define LIBSQLITE3_FIELD(name) __typeof__(name) *name;
    LIBSQLITE3_FUNCTIONS(LIBSQLITE3_FIELD)
#undef LIBSQLITE3_FIELD
};
extern struct libsqlite3 libsqlite3;

#define sqlite3_bind_blob64           libsqlite3.sqlite3_bind_blob64
#define sqlite3_bind_int64            libsqlite3.sqlite3_bind_int64
#define sqlite3_bind_text             libsqlite3.sqlite3_bind_text
#define sqlite3_busy_timeout          libsqlite3.sqlite3_busy_timeout
#define sqlite3_changes               libsqlite3.sqlite3_changes
#define sqlite3_clear_bindings        libsqlite3.sqlite3_clear_bindings
#define sqlite3_close                 libsqlite3.sqlite3_close
#define sqlite3_column_blob           libsqlite3.sqlite3_column_blob
#define sqlite3_column_bytes          libsqlite3.sqlite3_column_bytes
#define sqlite3_column_count          libsqlite3.sqlite3_column_count
#define sqlite3_column_int            libsqlite3.sqlite3_column_int
#define sqlite3_column_int64          libsqlite3.sqlite3_column_int64
#define sqlite3_column_text           libsqlite3.sqlite3_column_text
#define sqlite3_column_type           libsqlite3.sqlite3_column_type
#define sqlite3_db_config             libsqlite3.sqlite3_db_config
#define sqlite3_errmsg                libsqlite3.sqlite3_errmsg
#define sqlite3_errstr                libsqlite3.sqlite3_errstr
#define sqlite3_exec                  libsqlite3.sqlite3_exec
#define sqlite3_extended_result_codes libsqlite3.sqlite3_extended_result_codes
#define sqlite3_finalize              libsqlite3.sqlite3_finalize
#define sqlite3_get_autocommit        libsqlite3.sqlite3_get_autocommit
#define sqlite3_last_insert_rowid     libsqlite3.sqlite3_last_insert_rowid
#define sqlite3_open_v2               libsqlite3.sqlite3_open_v2
#define sqlite3_prepare_v2            libsqlite3.sqlite3_prepare_v2
#define sqlite3_prepare_v3            libsqlite3.sqlite3_prepare_v3
#define sqlite3_reset                 libsqlite3.sqlite3_reset
#define sqlite3_step                  libsqlite3.sqlite3_step

#endif
