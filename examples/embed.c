/* SPDX-License-Identifier: MIT
 *
 * A program that profiles a part of itself: cc embed.c $(pkg-config --cflags --libs strobe)
 * It writes cpu.pb.gz (or the file named on its command line); `strobe top cpu.pb.gz` reads it. */
#include <strobe/strobe.h>

#include <stdio.h>
#include <stdlib.h>

static int digit_sum(int n)
{
    int sum = 0;
    for (; n; n /= 10)
        sum += n % 10;
    return sum;
}

static int by_digit_sum(const void *a, const void *b)
{
    return digit_sum(*(const int *)a) - digit_sum(*(const int *)b);
}

static int sort_numbers(int count)
{
    int *numbers = malloc((size_t)count * sizeof *numbers);
    if (!numbers)
        return 0;
    for (int i = 0; i < count; i++)
        numbers[i] = (int)((unsigned)i * 2654435761u >> 4);
    qsort(numbers, (size_t)count, sizeof *numbers, by_digit_sum);
    int middle = numbers[count / 2];
    free(numbers);
    return middle;
}

int main(int argc, char **argv)
{
    if (strobe_cpu_start(argc > 1 ? argv[1] : "cpu.pb.gz") != 0) {
        fprintf(stderr, "%s\n", strobe_last_error());
        return 1;
    }
    int middle = 0;
    for (int i = 0; i < 10; i++)
        middle += sort_numbers(200000);
    if (strobe_cpu_stop() != 0) {
        fprintf(stderr, "%s\n", strobe_last_error());
        return 1;
    }
    printf("%d\n", middle);
    return 0;
}
