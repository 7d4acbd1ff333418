/* SPDX-License-Identifier: MIT
 *
 * Whether libstrobe can be loaded into the program in a file. */
#ifndef BASE_IMAGE_H
#define BASE_IMAGE_H

enum image_kind {
    IMAGE_LOADS,      /* it can; or nothing is known of the file (a script, an unreadable one) */
    IMAGE_STATIC,     /* no; but programs that it starts may need our settings */
    IMAGE_FOREIGN,    /* no: another ELF class or machine, whose dynamic linker would complain */
    IMAGE_OTHER_LIBC, /* no: its dynamic linker is not glibc's, and it would not start */
    IMAGE_SANITIZED,  /* no: it has a sanitizer's runtime that wants to be loaded first */
};

/* Looks at the headers of an open file. Raw system calls only: safe after vfork and in a signal
 * handler; the file's offset stays. */
enum image_kind image_of_fd(int fd);

#endif
