// SPDX-License-Identifier: MIT
//
// C++ exceptions in four threads, through frames with destructors: stress_throw SECONDS. Prints
// that all were caught; on standard error how many a second of CPU, for who compares speeds.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static std::atomic<long> thrown, caught;

struct Guard {
    std::string text = "something to destroy, longer than the small string buffer";
    ~Guard() { caught.fetch_add(0, std::memory_order_relaxed); }
};

static double cpu_s(clockid_t clock)
{
    timespec t;
    clock_gettime(clock, &t);
    return double(t.tv_sec) + double(t.tv_nsec) / 1e9;
}

__attribute__((noinline)) static int fall(int n)
{
    Guard guard;
    if (n == 0) {
        thrown++;
        throw std::runtime_error("bottom");
    }
    return fall(n - 1) + int(guard.text.size());
}

static void throw_for(double s)
{
    double end = cpu_s(CLOCK_THREAD_CPUTIME_ID) + s;
    for (int i = 0; cpu_s(CLOCK_THREAD_CPUTIME_ID) < end; i++) {
        try {
            fall(i % 8);
        } catch (const std::exception &) {
            caught++;
        }
    }
}

int main(int argc, char **argv)
{
    double s = argc > 1 ? atof(argv[1]) : 0.3;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back(throw_for, s / 4);
    for (auto &t : threads)
        t.join();
    std::printf("%s\n", thrown == caught && thrown > 0 ? "all were caught" : "some were lost");
    double rate = double(thrown) / cpu_s(CLOCK_PROCESS_CPUTIME_ID);
    std::fprintf(stderr, "throws %.0f a second\n", rate);
}
