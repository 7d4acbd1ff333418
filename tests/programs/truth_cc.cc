/* SPDX-License-Identifier: MIT
 *
 * truth.c's idea in C++: methods, templates, virtual calls, a callback in std::sort and exceptions
 * thrown through the frames that are sampled, so that mangled names and landing pads are there. */
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <time.h>
#include <vector>

namespace truth
{

static int64_t clock_ns(clockid_t id)
{
    timespec t;
    clock_gettime(id, &t);
    return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

struct Burner {
    int64_t ns = 0;
    virtual ~Burner() = default;
    virtual const char *name() const = 0;
    virtual uint64_t burn() = 0;
};

template <typename T> struct Mixer : Burner {
    const char *name() const override { return "burn_mixer"; }
    __attribute__((noinline)) uint64_t burn_mixer()
    {
        T x = 1;
        for (int i = 0; i < 200000; i++)
            x = (x ^ (x >> 29)) * T(0x9e3779b97f4a7c15) + 1;
        return x;
    }
    uint64_t burn() override { return burn_mixer() + 1; }
};

struct Sorter : Burner {
    std::vector<uint32_t> numbers = std::vector<uint32_t>(20000);
    const char *name() const override { return "burn_sorter"; }
    __attribute__((noinline)) uint64_t burn_sorter()
    {
        uint32_t seed = 7;
        for (auto &n : numbers)
            n = seed = seed * 1664525 + 1013904223;
        std::sort(numbers.begin(), numbers.end(), [](uint32_t a, uint32_t b) { return a > b; });
        return numbers[numbers.size() / 2];
    }
    uint64_t burn() override { return burn_sorter() + 1; }
};

struct Thrower : Burner {
    const char *name() const override { return "burn_thrower"; }
    __attribute__((noinline)) uint64_t fall(int depth)
    {
        if (depth == 0)
            throw std::runtime_error("caught below");
        return fall(depth - 1) + 1;
    }
    __attribute__((noinline)) uint64_t burn_thrower()
    {
        uint64_t caught = 0;
        for (int i = 0; i < 50; i++)
            try {
                fall(20);
            } catch (const std::runtime_error &) {
                caught++;
            }
        return caught;
    }
    uint64_t burn() override { return burn_thrower() + 1; }
};

} // namespace truth

int main(int argc, char **argv)
{
    using truth::clock_ns;
    int64_t end = (argc > 1 ? atoll(argv[1]) : 1000) * 1000000;
    std::unique_ptr<truth::Burner> burners[] = {
        std::make_unique<truth::Mixer<uint64_t>>(),
        std::make_unique<truth::Sorter>(),
        std::make_unique<truth::Thrower>(),
    };
    volatile uint64_t sink = 0;
    for (int64_t now = clock_ns(CLOCK_THREAD_CPUTIME_ID); now < end;)
        for (auto &b : burners) {
            sink = sink + b->burn();
            int64_t then = now;
            now = clock_ns(CLOCK_THREAD_CPUTIME_ID);
            b->ns += now - then;
        }
    printf("tasks 1\n");
    for (auto &b : burners)
        printf("truth %s %lld\n", b->name(), (long long)b->ns);
    printf("total %lld\n", (long long)clock_ns(CLOCK_PROCESS_CPUTIME_ID));
}
