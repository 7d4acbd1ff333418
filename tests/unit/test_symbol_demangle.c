/* SPDX-License-Identifier: MIT
 *
 * Names as pprof shows them by default. What is expected was printed by the demangler that pprof
 * itself uses, with the options that it uses. */
#include "symbol/demangle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *mangled, *shown;
} names[] = {
    {"main", "main"},
    {"_start", "_start"},
    {"libsqlite3.so.0!0x4f2a0", "libsqlite3.so.0!0x4f2a0"},
    {"_Z", "_Z"},
    {"_Z3fooi", "foo"},
    {"__Z3fooi", "foo"},
    {"_ZN3fooILi3EE3barEv", "foo::bar"},
    {"_ZNK3FooIiEcvT_IcEEv", "Foo::operator char"},
    {"_ZN1ScvT_IiEEv", "S::operator int"},
    {"_ZN1AIiE1BIcEcvPT_IdEEv", "A::B::operator double*"},
    {"_Z1fIiEDTcvT_LNS0_E0EES0_", "f"},
    {"_ZN3fooC2Ev.cold", "foo::foo"},
    {"_ZN12_GLOBAL__N_13fooEv", "(anonymous namespace)::foo"},
    {"_Z3fooIJiicEEvDpT_", "foo"},
    {"_ZNKSt8functionIFvvEEclEv", "std::function::operator()"},
    {"_ZlsIcERSoS0_T_", "operator<<"},
    {"_ZltIiEbT_S0_", "operator<"},
    {"_ZNSsC5ERKSsmm", "std::basic_string::basic_string"},
    {"_ZTv0_n24_NSiD1Ev", "virtual thunk to std::basic_istream::~basic_istream()"},
    {"_ZZ4mainENKUliE_clEi.constprop.0", "main::{lambda(int)#1}::operator()"},
    {"_ZZN3FooIiE3barIcEEvT_ENKUlS1_E_clEi", "Foo::bar()::{lambda(Foo::bar)#1}::operator()"},
    {"_ZZN3FooIiE3barIcEEvT_ENKUlT_E_clIiEEDaS2_", "Foo::bar()::{lambda(auto:1)#1}::operator()"},
    {"_ZNK1AcvNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEEv",
     "A::operator std::__cxx11::basic_string"},
    {"_ZN6icu_726number4impl10MicroPropsUt_D1Ev",
     "icu_72::number::impl::MicroProps::{unnamed type#1}::~{unnamed type#1}"},
    {"_GLOBAL__sub_I_main", "_GLOBAL__sub_I_main"},
    {"_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt"},
    {"_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$"
     "3bar17h930b740aa94"
     "f1d3aE",
     "<Test + 'static as foo::Bar<Test>>::bar"},
    {"_RNvNtCs8NwYtU1Mohg_4core9panicking9panic_fmt", "core::panicking::panic_fmt"},
    {"_RINvNtNtNtCsi4IsKQVxMg0_3std3sys7helpers14small_c_string24run_with_cstr_allocatingNtNtNtB6_2"
     "fs4unix4FileEB8_.llvm.13635108115331039107",
     "std::sys::helpers::small_c_string::run_with_cstr_allocating::<>"},
    {"_RINvMsq_Csb3h5E4eLUA4_9rustc_abiNtB6_9Primitive4sizeNtNtNtCsjxQzBqb8aDj_12rustc_middle2ty6la"
     "yout8LayoutCxECs7OIiR8D4QJZ_14rustc_ty_utils",
     "<rustc_abi::Primitive>::size::<>"},
    /* No linkage name: DWARF's own, shortened as pprof does it. */
    {"operator()<std::vector<int> >", "operator"},
    {"foo::bar<int>(char)", "foo::bar"},
    /* Java's and Go's names keep what looks like it. */
    {"java.lang.Object.<init>", "java.lang.Object.<init>"},
    {"foo.(*Bar[...]).Method", "foo.(*Bar[...]).Method"},
};

static void shows_names_as_pprof_does(void **state)
{
    struct arena a = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_string_equal(demangle(&a, names[i].mangled), names[i].shown);
    arena_free(&a);
}

/* Each stands for something endless, or too deep for a stack. */
static void gives_up_on_names_without_end(void **state)
{
    struct arena a = {0};
    const char *binder = "_RMC0FGzzzzzzzzz_uEu";
    assert_string_equal(demangle(&a, binder), binder);
    /* Every pair is made of the pair before, twice. */
    char twice[512] = "_Z1fSt4pairIiiE";
    for (int i = 0; i < 40; i++) {
        char more[16], digit = (char)(i <= 10 ? '0' + i - 1 : 'A' + i - 11);
        if (i == 0 || i > 36)
            continue;
        snprintf(more, sizeof more, "S_IS%c_S%c_E", digit, digit);
        strcat(twice, more);
    }
    assert_non_null(demangle(&a, twice));
    size_t deep = 1u << 20;
    char *pointers = malloc(deep + 8);
    strcpy(pointers, "_ZN1AcvP");
    memset(pointers + 8, 'P', deep - 8);
    strcpy(pointers + deep, "iEv");
    assert_ptr_equal(demangle(&a, pointers), pointers);
    strcpy(pointers + 8000, "iEv");
    assert_non_null(demangle(&a, pointers));
    free(pointers);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_names_as_pprof_does),
        cmocka_unit_test(gives_up_on_names_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
