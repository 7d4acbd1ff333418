/* SPDX-License-Identifier: MIT
 *
 * Preloaded: a libc that cannot search its modules for an unwinder, as glibc before 2.35. */
int _dl_find_object(void *pc, void *result);

int _dl_find_object(void *pc, void *result)
{
    (void)pc, (void)result;
    return -1;
}
