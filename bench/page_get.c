/* SPDX-License-Identifier: MIT
 *
 * HTTP/1.0: the server ends the answer by closing, so that nothing of it needs to be understood. */
#include "page_get.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_socket(uint16_t port, struct sockaddr_in *address)
{
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

uint16_t page_free_port(void)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = open_socket(0, &address);
    bool bound = bind(fd, (struct sockaddr *)&address, size) == 0 &&
                 getsockname(fd, (struct sockaddr *)&address, &size) == 0;
    close(fd);
    return bound ? ntohs(address.sin_port) : 0;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address;
    int fd = open_socket(port, &address);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

bool page_wait(uint16_t port)
{
    for (int i = 0; i < 60000; i++) {
        int fd = connect_to(port);
        close(fd);
        if (fd >= 0)
            return true;
        usleep(10000);
    }
    return false;
}

uint64_t page_get(uint16_t port, const char *path)
{
    static char bytes[1 << 16];
    uint64_t size = 0;
    int fd = connect_to(port);
    int n = snprintf(bytes, sizeof bytes,
                     "GET %s HTTP/1.0\r\nHost: localhost:%u\r\nAccept-Encoding: gzip\r\n\r\n", path,
                     port);
    bool good = fd >= 0 && write(fd, bytes, (size_t)n) == n;
    for (ssize_t got; good && (got = read(fd, bytes, sizeof bytes)) > 0; size += (uint64_t)got)
        if (!size)
            good = got > 12 && !memcmp(bytes, "HTTP/1.", 7) && !memcmp(bytes + 8, " 200", 4);
    close(fd);
    return good ? size : 0;
}
