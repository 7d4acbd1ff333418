/* SPDX-License-Identifier: MIT
 *
 * Programs that go to the background, as daemons do. `daemons HOW FILE`: once, fork and setsid;
 * twice, a second fork, all files closed; libc, by daemon(3); exec, as twice and then another
 * program; child, no daemon: a child becomes another program, and is waited for. What is left
 * writes its pid to FILE, keeps 100 objects of 50,000 bytes, and sleeps for good. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile kept;

__attribute__((noinline)) static void keep_known(void)
{
    for (int i = 0; i < 100; i++)
        kept = malloc(50000);
}

__attribute__((noinline)) static void serve(const char *file)
{
    char text[32];
    keep_known();
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, text, (size_t)n) != n)
        _exit(2);
    close(fd);
    for (;;)
        pause();
}

static void go_to_background(const char *how)
{
    if (fork())
        _exit(0);
    setsid();
    if (!strcmp(how, "once"))
        return;
    if (fork())
        exit(0);
    closefrom(3);
    close(0);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    const char *how = argv[1], *file = argv[2];
    if (!strcmp(how, "libc") && daemon(1, 1) != 0)
        return 1;
    if (!strcmp(how, "child") && fork()) {
        wait(NULL);
        return 0;
    }
    if (!strcmp(how, "once") || !strcmp(how, "twice") || !strcmp(how, "exec"))
        go_to_background(how);
    if (!strcmp(how, "exec") || !strcmp(how, "child"))
        execl(argv[0], argv[0], "serve", file, (char *)NULL);
    serve(file);
}
