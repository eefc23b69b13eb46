/* For 32-bit programs that are tried under QEMU's user-mode emulation, and never for those that are given away: where such a
 * program shrinks a mapping with mremap, QEMU 7.2 reserves the pages after the mapping's old end, not those after its new
 * one, and what the program has there is gone. A mapping is shrunk with munmap here; everything else goes to the kernel. */
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *mremap(void *from, size_t has, size_t wanted, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    void *to = flags & 2 /* MREMAP_FIXED */ ? va_arg(rest, void *) : NULL;
    va_end(rest);

    if (wanted < has && flags == 0)
        return munmap((char *)from + wanted, has - wanted) == 0 ? from : MAP_FAILED;
    return (void *)syscall(SYS_mremap, from, has, wanted, flags, to);
}
