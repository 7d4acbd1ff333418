/* SPDX-License-Identifier: MIT
 *
 * A program that allocates by every form of operator new, and says how much: function, objects and
 * bytes allocated, objects and bytes in use. Compiled by heap.sh, for each allocator. */
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#define KNOWN __attribute__((noinline, noclone, used))

static std::vector<void *> kept;

struct plain {
    char x[48];
};

struct wide {
    alignas(64) char x[128];
};

KNOWN static void one_by_one()
{
    for (int i = 0; i < 1000; i++) {
        plain *p = new plain;
        if (i % 2)
            delete p;
        else
            kept.push_back(p);
    }
}

KNOWN static void array()
{
    for (int i = 0; i < 300; i++) {
        char *p = new char[777];
        if (i % 3)
            delete[] p;
        else
            kept.push_back(p);
    }
}

KNOWN static void aligned()
{
    for (int i = 0; i < 100; i++) {
        wide *p = new wide;
        if (i % 2)
            delete p;
        else
            kept.push_back(p);
    }
}

KNOWN static void without_throw()
{
    for (int i = 0; i < 100; i++) {
        char *p = new (std::nothrow) char[100];
        operator delete[](p, std::nothrow);
    }
}

/* libstdc++ itself allocates these: as 1001 bytes, the string's and its end. */
KNOWN static void strings()
{
    for (int i = 0; i < 50; i++) {
        std::string s(1000, 'x');
        __asm__ volatile("" : : "r"(s.data()) : "memory");
    }
}

KNOWN static void by_malloc()
{
    for (int i = 0; i < 100; i++) {
        void *volatile p = malloc(33);
        free(p);
    }
}

/* An exception passes as it does without a profiler. */
KNOWN static bool too_much()
{
    try {
        volatile size_t n = ~0ul >> 2;
        kept.push_back(new char[n]);
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

int main()
{
    kept.reserve(5000);
    one_by_one();
    array();
    aligned();
    without_throw();
    strings();
    by_malloc();
    puts("one_by_one 1000 48000 500 24000\narray 300 233100 100 77700\naligned 100 12800 50 6400\n"
         "without_throw 100 10000 0 0\nstrings 50 50050 0 0\nby_malloc 100 3300 0 0");
    return !too_much();
}
