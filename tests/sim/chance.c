/* Loaded before a program's own libraries: what the system gives as random is counted on from STEWARD_CHANCE, so that two
 * runs of the program draw the same keys, the same order of hash tables and the same turns. For simulations only. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>

/* Each thread draws for itself: how many there are, and when they begin, is no matter of the seed. */
static __thread uint64_t drawn;

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next(void) {
  static uint64_t from;
  if (!from) {
    const char *seed = getenv("STEWARD_CHANCE");
    from = (seed ? strtoull(seed, NULL, 10) : 0) * 2 + 1;
  }
  uint64_t z = from + drawn++ * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

ssize_t getrandom(void *into, size_t length, unsigned int flags) {
  (void)flags;
  unsigned char *byte = into;
  for (size_t i = 0; i < length;) {
    uint64_t z = next();
    for (int k = 0; k < 8 && i < length; k++, i++, z >>= 8) byte[i] = (unsigned char)z;
  }
  return (ssize_t)length;
}

int getentropy(void *into, size_t length) {
  return getrandom(into, length, 0) < 0;
}

long syscall(long number, ...) {
  static long (*rest)(long, ...);
  long a[6];
  va_list list;
  va_start(list, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
  va_end(list);
  if (number == SYS_getrandom) return getrandom((void *)a[0], (size_t)a[1], (unsigned int)a[2]);
  if (!rest) {
    rest = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    if (!rest) {
      errno = ENOSYS;
      return -1;
    }
  }
  return rest(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
