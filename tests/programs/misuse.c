/* SPDX-License-Identifier: MIT
 *
 * misuse HOW: does one wrong thing to an object, in functions whose names say which. "survived" is
 * printed if nothing came of it. `churn` does nothing wrong: it allocates and frees for a while, in
 * as many threads as it is told, so that there is something to trace; `idle` waits. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define APART __attribute__((noipa))

static volatile char sink;

APART static char *make(size_t n)
{
    char *p = malloc(n);
    memset(p, 1, n);
    return p;
}

APART static void drop(char *p)
{
    free(p);
    sink = 0; /* else the call is a jump, and nobody sees this frame */
}

APART static void read_it(char *p, size_t at)
{
    sink = p[at];
}

APART static void write_it(char *p, size_t at)
{
    ((volatile char *)p)[at] = 7;
}

struct node {
    struct node *next;
    long value;
};

APART static long follow(struct node *n)
{
    return n->next->value;
}

APART static void follow_freed(void)
{
    struct node *n = (struct node *)(void *)make(sizeof *n);
    n->next = n;
    drop((char *)n);
    printf("%ld\n", follow(n));
}

static void *churn(void *rounds)
{
    static __thread char *kept[256];
    unsigned x = 1;
    for (long i = 0; i < *(long *)rounds; i++) {
        x = x * 1103515245 + 12345;
        char **at = &kept[x >> 8 & 255];
        free(*at);
        *at = x & 1 << 20 ? malloc(16 + (x >> 21)) : realloc(calloc(1, 8), 16 + (x >> 21));
        if (i % 1000 == 0)
            usleep(1000);
    }
    for (int i = 0; i < 256; i++)
        free(kept[i]);
    return NULL;
}

static void churn_in(long rounds, int threads)
{
    pthread_t ids[64];
    for (int i = 0; i < threads; i++)
        pthread_create(&ids[i], NULL, churn, &rounds);
    churn(&rounds);
    for (int i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
}

/* More objects live at once than there can be mappings. */
static void live(long count)
{
    char **all = malloc((size_t)count * sizeof *all);
    for (long i = 0; i < count; i++)
        (all[i] = make(24))[0] = 2;
    for (long i = 0; i < count; i++)
        drop(all[i]);
    free(all);
}

static void fork_often(long times)
{
    for (long i = 0; i < times; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            drop(make(100));
            _exit(0);
        }
        waitpid(pid, NULL, 0);
    }
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    long n = argc > 2 ? atol(argv[2]) : 0;
    char *p = make(33), on_stack[64], *stack = on_stack + 16;
    static char data[64];
    if (!strcmp(how, "read-freed"))
        drop(p), read_it(p, 5);
    else if (!strcmp(how, "write-freed"))
        drop(p), write_it(p, 5);
    else if (!strcmp(how, "overflow"))
        write_it(p, 48), drop(p);
    else if (!strcmp(how, "read-behind"))
        read_it(p, 48), drop(p);
    else if (!strcmp(how, "by-one"))
        write_it(p, 33), drop(p);
    else if (!strcmp(how, "follow"))
        follow_freed();
    else if (!strcmp(how, "twice"))
        drop(p), drop(p);
    else if (!strcmp(how, "inside"))
        drop(p + 16);
    else if (!strcmp(how, "stack"))
        drop(stack);
    else if (!strcmp(how, "data"))
        drop(data);
    else if (!strcmp(how, "churn"))
        churn_in(n, argc > 3 ? atoi(argv[3]) : 0);
    else if (!strcmp(how, "live"))
        live(n);
    else if (!strcmp(how, "fork"))
        fork_often(n);
    else if (!strcmp(how, "idle"))
        usleep((useconds_t)n * 1000);
    puts("survived");
    return 0;
}
