/* SPDX-License-Identifier: MIT
 *
 * Rules of call frame information that real files rarely show, on entries made by hand: what each
 * instruction and each expression means, and that malformed ones are refused. All others are
 * compared with libdw on real files (tests/unwind/cfi_rows.c). */
#include "unwind/cfi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define START 0x10000u

static uint8_t image[512];

/* A CIE that says CFA = r7 + 8, RA at CFA - 8, and an FDE with `ops` for [START, START + 256). */
static int row_at(const void *ops, size_t n, uintptr_t offset, struct cfi_row *row)
{
    static const uint8_t cie[] = {
        20,   0, 0, 0,    0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x04 /* udata8 */,
        0x0c, 7, 8, 0x90, 1, 0, 0};
    struct cfi_fde fde;
    struct span seg = {image, image + sizeof image};
    uint32_t length = (uint32_t)(4 + 16 + 1 + n), back = sizeof cie + 4;
    uint64_t range[2] = {START, 256};
    memset(image, 0, sizeof image);
    memcpy(image, cie, sizeof cie);
    uint8_t *p = image + sizeof cie;
    memcpy(p, &length, 4);
    memcpy(p + 4, &back, 4);
    memcpy(p + 8, range, 16);
    memcpy(p + 25, ops, n);
    int ret = cfi_parse(&seg, image + sizeof cie, &fde);
    return ret < 0 ? ret : cfi_row_at(&fde, START + offset, row);
}

#define ROW(offset, row, ...)                                                                      \
    row_at((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), offset, row)

static void a_register_after_an_expression_keeps_the_last_offset(void **state)
{
    struct cfi_row row;
    /* offset 56; expression; register 7 */
    assert_int_equal(ROW(9, &row, 0x0e, 56, 0x41, 0x0f, 2, 0x77, 0, 0x42, 0x0d, 7), 0);
    assert_int_equal(row.cfa_reg, 7);
    assert_int_equal(row.cfa_offset, 56);
    assert_int_equal(ROW(1, &row, 0x0e, 56, 0x41, 0x0f, 2, 0x77, 0, 0x42, 0x0d, 7), 0);
    assert_int_equal(row.cfa_reg, CFI_CFA_EXPR);
}

static void a_row_holds_from_its_location_on(void **state)
{
    struct cfi_row row;
    for (uintptr_t offset = 0; offset < 20; offset++) {
        assert_int_equal(ROW(offset, &row, 0x45, 0x0e, 16, 0x02, 10, 0x0e, 8), 0);
        assert_int_equal(row.cfa_offset, offset < 5 ? 8 : offset < 15 ? 16 : 8);
    }
}

static void states_are_remembered_with_their_cfa(void **state)
{
    struct cfi_row row;
    assert_int_equal(ROW(3, &row, 0x86, 2, 0x0a, 0x41, 0x0e, 99, 0xc6, 0x41, 0x0b), 0);
    assert_int_equal(row.cfa_offset, 8);
    assert_int_equal(row.kind[6], CFI_OFFSET);
    assert_int_equal(row.value[6], -16);
    assert_int_equal(ROW(1, &row, 0x86, 2, 0x0a, 0x41, 0x0e, 99, 0xc6, 0x41, 0x0b), 0);
    assert_int_equal(row.cfa_offset, 99);
    assert_int_equal(row.kind[6], CFI_UNSPECIFIED);
}

static void every_rule_of_a_register(void **state)
{
    struct cfi_row row;
    assert_int_equal(ROW(0, &row, 0x07, 3, 0x08, 6, 0x09, 12, 13, 0x05, 14, 3, 0x11, 15, 0x7f, /**/
                         0x14, 0, 2, 0x15, 1, 0x7e, 0x10, 2, 2, 0x76, 0, 0x16, 4, 1, 0x30,     /**/
                         0x2e, 16, 0x2d, 0x2f, 5, 4, 0x05, 40, 1),
                     0);
    const uint8_t kinds[] = {CFI_VAL_OFFSET,  CFI_VAL_OFFSET,  CFI_EXPR,        CFI_UNDEFINED,
                             CFI_VAL_EXPR,    CFI_OFFSET,      CFI_SAME,        CFI_UNSPECIFIED,
                             CFI_UNSPECIFIED, CFI_UNSPECIFIED, CFI_UNSPECIFIED, CFI_UNSPECIFIED,
                             CFI_REGISTER,    CFI_UNSPECIFIED, CFI_OFFSET,      CFI_OFFSET,
                             CFI_OFFSET};
    assert_memory_equal(row.kind, kinds, sizeof kinds);
    assert_int_equal(row.value[0], -16);
    assert_int_equal(row.value[1], 16);
    assert_int_equal(row.value[5], 32);
    assert_int_equal(row.value[12], 13);
    assert_int_equal(row.value[14], -24);
    assert_int_equal(row.value[15], 8);
}

static void malformed_instructions_are_refused(void **state)
{
    struct cfi_row row;
    assert_int_equal(ROW(0, &row, 0x3f), -UNWIND_BAD_CFI);           /* no such instruction */
    assert_int_equal(ROW(0, &row, 0x0b), -UNWIND_BAD_CFI);           /* restore without remember */
    assert_int_equal(ROW(0, &row, 0x0d, 17), -UNWIND_BAD_CFI);       /* CFA of no register */
    assert_int_equal(ROW(0, &row, 0x0e), -UNWIND_BAD_CFI);           /* cut off */
    assert_int_equal(ROW(0, &row, 0x0f, 60, 0x30), -UNWIND_BAD_CFI); /* expression cut off */
    assert_int_equal(ROW(0, &row, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a), -UNWIND_BAD_CFI);
    assert_int_equal(ROW(0, &row, 0x0e, 0xff, 0xff, 0xff, 0xff, 0xff, 1), -UNWIND_BAD_CFI);
}

static int evaluate(const void *ops, size_t n, uint64_t *value)
{
    static uint64_t stack[4] = {0x1122334455667788, 2, 3, 4};
    struct unwind_bounds bounds = {0x5000, 0x5000 + sizeof stack, (const unsigned char *)stack};
    struct unwind_regs regs = {{0}};
    struct span expr = {ops, (const uint8_t *)ops + n};
    regs.r[7] = 0x5000;
    regs.r[3] = 40;
    return cfi_evaluate(&expr, &regs, &bounds, NULL, value);
}

#define VALUE(...)                                                                                 \
    evaluate((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), &value)

static void expressions_compute(void **state)
{
    uint64_t value;
    assert_int_equal(VALUE(0x77, 8, 0x06), 0); /* *(r7 + 8) */
    assert_int_equal(value, 2);
    assert_int_equal(VALUE(0x77, 1, 0x94, 2), 0); /* two bytes of *(r7 + 1) */
    assert_int_equal(value, 0x6677);
    assert_int_equal(VALUE(0x77, 0x1f, 0x94, 1), 0); /* the last byte that may be read */
    assert_int_equal(value, 0);
    assert_int_equal(VALUE(0x73, 0x7e, 0x38, 0x1b), 0); /* (r3 - 2) / 8 */
    assert_int_equal(value, 4);
    assert_int_equal(VALUE(0x09, 0xf8, 0x33, 0x26), 0); /* -8 >> 3, arithmetic */
    assert_int_equal((int64_t)value, -1);
    assert_int_equal(VALUE(0x35, 0x36, 0x37, 0x17, 0x1c, 0x1c), 0); /* 5 6 7 rot: 7 5 6; 7-(5-6) */
    assert_int_equal(value, 8);
    assert_int_equal(VALUE(0x31, 0x28, 1, 0, 0x32, 0x39), 0); /* a jump over one instruction */
    assert_int_equal(value, 9);
}

static void bad_expressions_end(void **state)
{
    uint64_t value;
    assert_int_equal(VALUE(0x2f, 0xfd, 0xff), -UNWIND_BAD_CFI); /* jumps to itself for ever */
    assert_int_equal(VALUE(0x2f, 0xf0, 0xff), -UNWIND_BAD_CFI); /* before its start */
    assert_int_equal(VALUE(0x22), -UNWIND_BAD_CFI);             /* nothing to add */
    assert_int_equal(VALUE(0x31, 0x30, 0x1b), -UNWIND_BAD_CFI); /* division by 0 */
    assert_int_equal(VALUE(0x77, 0x20, 0x06), -UNWIND_BOUNDS);  /* beyond the stack */
    assert_int_equal(VALUE(0x31, 0x12, 0x2f, 0xfc, 0xff), -UNWIND_BAD_CFI); /* pushes for ever */
    assert_int_equal(VALUE(0x8f, 0), -UNWIND_BAD_CFI);                      /* no such register */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_register_after_an_expression_keeps_the_last_offset),
        cmocka_unit_test(a_row_holds_from_its_location_on),
        cmocka_unit_test(states_are_remembered_with_their_cfa),
        cmocka_unit_test(every_rule_of_a_register),
        cmocka_unit_test(malformed_instructions_are_refused),
        cmocka_unit_test(expressions_compute),
        cmocka_unit_test(bad_expressions_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
