// SPDX-License-Identifier: MIT
//
// C++ exceptions in four threads, or as many as are asked for, through frames with destructors:
// stress_throw SECONDS [THREADS]. Prints that all were caught; on standard error, for who compares
// speeds, how many a second of CPU in a slice of 20 ms: the best tenth of the slices reached that
// or more, which other load on the machine hardly changes.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <mutex>
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

static std::mutex rates_mutex;
static std::vector<double> rates; // of slices

static void throw_for(double s)
{
    const double slice_s = 0.02;
    std::vector<double> mine;
    double start = cpu_s(CLOCK_THREAD_CPUTIME_ID), now = start, slice = start;
    long in_slice = 0;
    for (int i = 0; now < start + s; i++) {
        try {
            fall(i % 8);
        } catch (const std::exception &) {
            caught++;
            in_slice++;
        }
        now = cpu_s(CLOCK_THREAD_CPUTIME_ID);
        if (now - slice < slice_s)
            continue;
        mine.push_back(double(in_slice) / (now - slice));
        slice = now;
        in_slice = 0;
    }
    std::lock_guard<std::mutex> lock(rates_mutex);
    rates.insert(rates.end(), mine.begin(), mine.end());
}

int main(int argc, char **argv)
{
    double s = argc > 1 ? atof(argv[1]) : 0.3;
    int n = argc > 2 ? atoi(argv[2]) : 4;
    std::vector<std::thread> threads;
    for (int i = 0; i < n; i++)
        threads.emplace_back(throw_for, s / n);
    for (auto &t : threads)
        t.join();
    std::printf("%s\n", thrown == caught && thrown > 0 ? "all were caught" : "some were lost");
    if (rates.empty())
        return 0;
    std::sort(rates.begin(), rates.end());
    std::fprintf(stderr, "throws %.0f a second\n", rates[rates.size() * 9 / 10]);
}
