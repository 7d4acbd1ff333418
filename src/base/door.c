/* SPDX-License-Identifier: MIT
 *
 * The door to the shared segment: datagrams, because they need no state of the recorder's for each
 * that asks, so that nobody can make it wait. Names of the abstract namespace are no secret
 * (/proc/net/unix shows them): the token is. The answer counts only if it comes from the name that
 * was asked, which nobody else can have while the recorder runs. */
#include "base/door.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { WAIT_S = 2, KNOCK = '!' }; /* KNOCK follows the token of one that wants no answer */

static socklen_t address_of(const struct door *d, struct sockaddr_un *to)
{
    static const char prefix[] = "strobe-";
    memset(to, 0, sizeof *to);
    to->sun_family = AF_UNIX;
    memcpy(to->sun_path + 1, prefix, sizeof prefix - 1);
    memcpy(to->sun_path + sizeof prefix, d->name, DOOR_KEY);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof prefix + DOOR_KEY);
}

static int pick(char *to)
{
    unsigned char random[DOOR_KEY / 2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return -EAGAIN;
    for (size_t i = 0; i < sizeof random; i++) {
        to[2 * i] = "0123456789abcdef"[random[i] >> 4];
        to[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
    }
    to[DOOR_KEY] = 0;
    return 0;
}

int door_open(struct door *d)
{
    struct sockaddr_un at;
    if (pick(d->name) < 0 || pick(d->token) < 0)
        return -EAGAIN;
    int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s < 0)
        return -errno;
    if (bind(s, (struct sockaddr *)&at, address_of(d, &at)) == 0)
        return s;
    int error = errno;
    close(s);
    return -error;
}

/* Room for one descriptor beside a message. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

bool door_answer(const struct door *d, int socket, int segment)
{
    char token[DOOR_KEY + 2];
    struct sockaddr_un from;
    bool knocked = false;
    for (int i = 0; i < 1000; i++) { /* the others next time */
        socklen_t size = sizeof from;
        ssize_t n = recvfrom(socket, token, sizeof token, 0, (struct sockaddr *)&from, &size);
        if (n < 0)
            break;
        if (n < DOOR_KEY || memcmp(token, d->token, DOOR_KEY) != 0)
            continue;
        if (n == DOOR_KEY + 1 && token[DOOR_KEY] == KNOCK)
            knocked = true;
        if (n != DOOR_KEY)
            continue;
        union control control;
        char byte = 0;
        struct iovec text = {&byte, 1};
        struct msghdr answer = {.msg_name = &from,
                                .msg_namelen = size,
                                .msg_iov = &text,
                                .msg_iovlen = 1,
                                .msg_control = control.bytes,
                                .msg_controllen = sizeof control.bytes};
        memset(&control, 0, sizeof control);
        control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof segment),
                                          .cmsg_level = SOL_SOCKET,
                                          .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &segment, sizeof segment);
        if (sendmsg(socket, &answer, MSG_NOSIGNAL) < 0)
            continue; /* it has gone */
    }
    return knocked;
}

/* The descriptor in an answer from `at`, or -1. */
static int receive(int s, const struct sockaddr_un *at, socklen_t at_size)
{
    union control control;
    char byte;
    struct sockaddr_un from;
    struct iovec text = {&byte, 1};
    struct msghdr answer = {.msg_name = &from,
                            .msg_namelen = sizeof from,
                            .msg_iov = &text,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    int fd = -1;
    if (recvmsg(s, &answer, MSG_CMSG_CLOEXEC) < 0)
        return -1;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&answer);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    if (fd >= 0 && (answer.msg_namelen != at_size || memcmp(&from, at, at_size) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int door_ask(const struct door *d)
{
    struct sockaddr_un at, mine = {.sun_family = AF_UNIX};
    struct timeval patience = {WAIT_S, 0};
    socklen_t size = address_of(d, &at);
    int fd = -1, s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s < 0)
        return -errno;
    /* A name that the kernel picks, to be answered at. */
    if (bind(s, (struct sockaddr *)&mine, sizeof mine.sun_family) == 0 &&
        setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
        sendto(s, d->token, DOOR_KEY, MSG_NOSIGNAL, (struct sockaddr *)&at, size) == DOOR_KEY)
        fd = receive(s, &at, size);
    close(s);
    return fd < 0 ? -ENOENT : fd;
}

void door_knock(const struct door *d)
{
    struct sockaddr_un at;
    char words[DOOR_KEY + 1];
    socklen_t size = address_of(d, &at);
    int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s < 0)
        return;
    memcpy(words, d->token, DOOR_KEY);
    words[DOOR_KEY] = KNOCK;
    sendto(s, words, sizeof words, MSG_NOSIGNAL, (struct sockaddr *)&at, size);
    close(s);
}

int door_parse(struct door *d, char *text)
{
    char *name = strchr(text, ' '), *token = name ? strchr(name + 1, ' ') : NULL;
    if (name)
        *name = 0;
    if (!token || token - name - 1 != DOOR_KEY || strlen(token + 1) != DOOR_KEY)
        return -EINVAL;
    memcpy(d->name, name + 1, DOOR_KEY);
    memcpy(d->token, token + 1, DOOR_KEY + 1);
    d->name[DOOR_KEY] = 0;
    return 0;
}
