/* SPDX-License-Identifier: MIT
 *
 * The same as body.c with what C++ brings: templates, methods, lambdas, local classes,
 * constructors, operators, unnamed namespaces. */
#include <cstdint>
#include <cstdio>

#define NEVER  __attribute__((noinline))
#define ALWAYS inline __attribute__((always_inline))
#define KEEP() __asm__ volatile("" ::: "memory")
#define TEXT2(x) #x
#define TEXT(x)  TEXT2(x)
#ifdef __clang__ /* which mangles a lambda that nobody else can see in a way of its own */
#define LAMBDA "$_0"
#else
#define LAMBDA "{lambda(int)#1}"
#endif

NEVER void here(const char *frames)
{
    KEEP();
    printf("at %lx %s\n", (unsigned long)(uintptr_t)__builtin_return_address(0) - 1, frames);
}

namespace ns {

template <class T> class Box {
public:
    NEVER explicit Box(T v) : value(v)
    {
        here("ns::Box::Box:" TEXT(__LINE__));
        KEEP();
    }
    NEVER T get(int times) const
    {
        here("ns::Box::get:" TEXT(__LINE__));
        KEEP();
        return value * times;
    }
    NEVER explicit operator bool() const
    {
        here("ns::Box::operator bool:" TEXT(__LINE__));
        KEEP();
        return value != 0;
    }
    NEVER bool operator<(const Box &other) const
    {
        here("ns::Box::operator<:" TEXT(__LINE__));
        KEEP();
        return value < other.value;
    }

private:
    T value;
};

namespace {

template <class F> ALWAYS int apply(F f)
{
    here("~apply:" TEXT(__LINE__) " ns::work:83");
    KEEP();
    return f(1);
}

} // namespace

NEVER int work(int x)
{
    struct Local {
        NEVER int run(int y)
        {
            here("ns::work()::Local::run:" TEXT(__LINE__));
            KEEP();
            return y + 2;
        }
    };
    auto twice = [x](int y) NEVER {
        here("ns::work()::" LAMBDA "::operator():" TEXT(__LINE__));
        KEEP();
        return x * y;
    };
    int sum = apply(twice);
    Local local;
    return sum + local.run(x) + twice(3);
}

} // namespace ns

static void print_mappings()
{
    char line[4500], path[4096], mode[8];
    unsigned long lo, hi, offset;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        path[0] = 0;
        int n = sscanf(line, "%lx-%lx %7s %lx %*s %*s %4095[^\n]", &lo, &hi, mode, &offset, path);
        if (n >= 4 && mode[2] == 'x')
            printf("map %lx %lx %lx %s\n", lo, hi, offset, path);
    }
}

int main(int argc, char **argv)
{
    print_mappings();
    ns::Box<int> a(argc);
    ns::Box<double> b(argc);
    int x = a.get(2) + (int)b.get(3) + (b < b) + (bool)a + ns::work(argc);
    here("main:" TEXT(__LINE__));
    KEEP();
    return x == 12345 && argv[1];
}
