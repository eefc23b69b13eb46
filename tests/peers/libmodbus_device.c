/* A Modbus device that Steward did not write: libmodbus serves it over TCP and over RTU on a pseudo-terminal.
 *
 *     libmodbus_device FOLDER TCP_PORT
 *
 * Writes FOLDER/serial, the path that the other side opens, when both serve; it ends when it is killed. Every number is
 * put into registers by libmodbus: what they are stands in tests/it/libmodbus.rs.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <modbus/modbus.h>
#include <pthread.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UNIT = 3, BAUD = 19200, REGISTERS = 11 };

static void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, modbus_strerror(errno));
    exit(1);
}

static modbus_mapping_t *device(void) {
    modbus_mapping_t *map = modbus_mapping_new_start_address(5, 2, 9, 2, 1000, REGISTERS, 100, 1);
    if (!map) die("registers");
    map->tab_bits[0] = 1;
    map->tab_input_bits[1] = 1;
    map->tab_input_registers[0] = (uint16_t)-77;
    uint16_t *words = map->tab_registers;
    words[0] = 48879;
    int32_t of_32_bits = -2000000001;
    int64_t of_64_bits = -9007199254740991;
    MODBUS_SET_INT32_TO_INT16(words, 1, of_32_bits);
    MODBUS_SET_INT64_TO_INT16(words, 3, of_64_bits);
    /* What modbus_set_float_abcd and its sisters write depends on libmodbus' version; modbus_set_float never changed. */
    float real = 49.98f;
    int32_t bits;
    memcpy(&bits, &real, sizeof bits);
    MODBUS_SET_INT32_TO_INT16(words, 7, bits);
    modbus_set_float(-1.5e-7f, words + 9);
    return map;
}

static int answer(modbus_t *line, modbus_mapping_t *map) {
    uint8_t question[MODBUS_MAX_ADU_LENGTH];
    int length = modbus_receive(line, question);
    /* Nothing is 0: it is for another unit. */
    return length > 0 ? modbus_reply(line, question, length, map) : length;
}

static void *serve_tcp(void *port) {
    modbus_t *line = modbus_new_tcp("127.0.0.1", atoi(port));
    int listening = line ? modbus_tcp_listen(line, 1) : -1;
    if (listening < 0) die("listen");
    modbus_mapping_t *map = device();
    for (;;) {
        if (modbus_tcp_accept(line, &listening) < 0) die("accept");
        while (answer(line, map) >= 0) {
        }
        modbus_close(line);
    }
    return NULL;
}

static void *serve_rtu(void *path) {
    modbus_t *line = modbus_new_rtu(path, BAUD, 'N', 8, 2);
    if (!line || modbus_set_slave(line, UNIT) != 0 || modbus_connect(line) != 0) die("serial line");
    modbus_mapping_t *map = device();
    /* A question that is damaged is for nobody. */
    for (;;) answer(line, map);
    return NULL;
}

static void *carry(void *ends) {
    int from = ((int *)ends)[0], to = ((int *)ends)[1];
    char bytes[512];
    for (ssize_t length; (length = read(from, bytes, sizeof bytes)) > 0;)
        if (write(to, bytes, (size_t)length) != length) die("carry");
    return NULL;
}

static void start(void *(*task)(void *), void *with) {
    pthread_t thread;
    errno = pthread_create(&thread, NULL, task, with);
    if (errno) die("thread");
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    /* Two pseudo-terminals, back to back; each side opens the outer end of its own. */
    static int inner[2], outer[2], back[2];
    static char paths[2][64];
    for (int i = 0; i < 2; i++) {
        struct termios raw;
        if (openpty(&inner[i], &outer[i], paths[i], NULL, NULL) != 0) die("pseudo-terminal");
        tcgetattr(outer[i], &raw);
        cfmakeraw(&raw);
        tcsetattr(outer[i], TCSANOW, &raw);
    }
    back[0] = inner[1];
    back[1] = inner[0];
    start(carry, inner);
    start(carry, back);
    start(serve_tcp, argv[2]);
    start(serve_rtu, paths[0]);
    if (chdir(argv[1]) != 0) die("folder");
    FILE *file = fopen("serial.new", "w");
    if (!file || fputs(paths[1], file) < 0 || fclose(file) != 0 || rename("serial.new", "serial") != 0) die("serial");
    for (;;) pause();
}
