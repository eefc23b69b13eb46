/* For programs that are tried under QEMU's user-mode emulation, and never for those that are given away: that emulation does
 * not know termios2, in which the serial port asks for its speed, before version 10.2. This says the same in the older words,
 * which know the usual speeds only. Everything else goes to the kernel as it is. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { GET = 0x5401, SET = 0x5402, SPEED_BITS = 0010017 };

/* linux/termbits.h: termios is what stands before the speeds. */
struct termios2 {
    unsigned int input, output, control, local;
    unsigned char discipline, characters[19];
    unsigned int input_speed, output_speed;
};

static const struct { unsigned int bits, speed; } usual[] = {
    {0000007, 300},   {0000010, 600},   {0000011, 1200},  {0000013, 2400},  {0000014, 4800},
    {0000015, 9600},  {0000016, 19200}, {0000017, 38400}, {0010001, 57600}, {0010002, 115200},
};

enum { USUAL = sizeof usual / sizeof usual[0] };

static int plain(int fd, int request, void *argument)
{
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

static int get(int fd, struct termios2 *asked)
{
    if (plain(fd, GET, asked) != 0)
        return -1;
    asked->input_speed = asked->output_speed = 0;
    for (size_t i = 0; i < USUAL; i++)
        if (usual[i].bits == (asked->control & SPEED_BITS))
            asked->input_speed = asked->output_speed = usual[i].speed;
    return 0;
}

static int set(int fd, int request, const struct termios2 *given)
{
    struct termios2 wanted;
    memcpy(&wanted, given, sizeof wanted);
    wanted.control &= ~(unsigned int)SPEED_BITS;
    for (size_t i = 0; i < USUAL; i++)
        if (usual[i].speed == wanted.output_speed) {
            wanted.control |= usual[i].bits;
            return plain(fd, request, &wanted);
        }
    errno = EINVAL;
    return -1;
}

int ioctl(int fd, int request, ...)
{
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);

    unsigned int kind = (unsigned int)request;
    if (kind == 0x802c542au) /* TCGETS2 */
        return get(fd, argument);
    if (kind >= 0x402c542bu && kind <= 0x402c542du) /* TCSETS2, TCSETSW2, TCSETSF2 */
        return set(fd, SET + (int)(kind - 0x402c542bu), argument);
    return plain(fd, request, argument);
}
