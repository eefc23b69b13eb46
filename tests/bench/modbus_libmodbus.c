/* The peer of the Modbus benchmarks in C: libmodbus reads the same blocks and throws them away.
 *
 *     modbus_libmodbus tcp PERIOD_MS UNITS PORT...        each unit of each port once a period
 *     modbus_libmodbus rtu PATH BAUD UNITS REGISTERS      one unit after the other, as fast as it goes
 */

#include <errno.h>
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REGISTERS = 2000, BLOCK = 125, MOST_PORTS = 64 };

static void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, modbus_strerror(errno));
    exit(1);
}

static void read_block(modbus_t *line, int unit, int address, int count) {
    uint16_t words[BLOCK];
    if (modbus_set_slave(line, unit) != 0) die("unit");
    if (modbus_read_registers(line, address, count, words) != count) die("read");
}

static int tcp(int argc, char **argv) {
    int ports = argc - 4, units = atoi(argv[3]);
    long long period = atoll(argv[2]) * 1000000LL;
    modbus_t *lines[MOST_PORTS];
    if (ports < 1 || ports > MOST_PORTS) return 2;
    for (int i = 0; i < ports; i++) {
        lines[i] = modbus_new_tcp("127.0.0.1", atoi(argv[4 + i]));
        if (!lines[i] || modbus_connect(lines[i]) != 0) die("connect");
    }
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (;;) {
        for (int unit = 1; unit <= units; unit++)
            for (int i = 0; i < ports; i++)
                for (int at = 0; at < REGISTERS; at += BLOCK) read_block(lines[i], unit, at, BLOCK);
        long long next = due.tv_nsec + period;
        due.tv_sec += next / 1000000000LL;
        due.tv_nsec = next % 1000000000LL;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    }
}

static int rtu(char **argv) {
    modbus_t *line = modbus_new_rtu(argv[2], atoi(argv[3]), 'N', 8, 1);
    if (!line || modbus_connect(line) != 0) die("connect");
    modbus_set_response_timeout(line, 2, 0);
    int units = atoi(argv[4]), registers = atoi(argv[5]);
    for (;;)
        for (int unit = 1; unit <= units; unit++) read_block(line, unit, 0, registers);
}

int main(int argc, char **argv) {
    if (argc >= 5 && strcmp(argv[1], "tcp") == 0) return tcp(argc, argv);
    if (argc == 6 && strcmp(argv[1], "rtu") == 0) return rtu(argv);
    fprintf(stderr, "tcp PERIOD_MS UNITS PORT... | rtu PATH BAUD UNITS REGISTERS\n");
    return 2;
}
