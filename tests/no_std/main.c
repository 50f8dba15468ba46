/* Gives a report to the library and prints what comes back. */
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

ssize_t next_report(const uint8_t *input, size_t len, uint8_t *out, size_t capacity);
ssize_t print_report(const uint8_t *input, size_t len, uint8_t *out, size_t capacity);

int main(void) {
    static const uint8_t report[] = "\x0a\x04Oslo"             /* name */
                                    "\x1a\x06\x08\x01\x12\x02\x03\x04" /* a reading in pascal */
                                    "\x22\x0c\x0a\x01w\x11\0\0\0\0\0\0\xf8\x3f" /* a limit */
                                    "\x28\x29"                 /* sequence 41 */
                                    "\x3a\x02\x08\x07"         /* time */
                                    "\x40\x5a"                 /* battery */
                                    "\xf8\x07\x01";            /* an unknown field */
    uint8_t next[256], text[1024];
    ssize_t len = next_report(report, sizeof report - 1, next, sizeof next);
    if (len < 0) return 1;
    printf("%zd bytes\n", len);
    ssize_t printed = print_report(next, (size_t)len, text, sizeof text);
    if (printed < 0) return 2;
    printf("%.*s\n", (int)printed, (const char *)text);
    if (next_report((const uint8_t *)"\x0a\x05", 2, next, sizeof next) != -1) return 3;
    return 0;
}
