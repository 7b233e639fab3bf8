// The data of ICU that Foundation links statically, empty: 30 MB less in the executable and its image.
//
// swift-mustache imports all of Foundation, and with it comes the data of every language and script. Nothing in accounts
// asks for it: templates are plain text, and times in zones are computed by AccountsDomain. A symbol found here is not taken
// from the archive. Should a toolchain bring another version of ICU, its symbol has another name, the data is linked again,
// and nothing else changes.
//
// The form is that of ICU's common data (unicode/udata.h, UDataInfo): a header, and a table of contents without entries.

#include <stdint.h>

struct no_data {
    uint16_t header_size;
    uint8_t magic[2];
    uint16_t info_size;
    uint16_t reserved;
    uint8_t is_big_endian;
    uint8_t charset_family;
    uint8_t size_of_char;
    uint8_t reserved_byte;
    uint8_t format[4];
    uint8_t format_version[4];
    uint8_t data_version[4];
    uint8_t padding[8];
    uint32_t entries;
    uint32_t end;
};

// Hidden: a Foundation that is linked dynamically, as in a debug build, keeps its own.
__attribute__((visibility("hidden"), aligned(16)))
const struct no_data icudt76_dat = {
    .header_size = 32,
    .magic = {0xda, 0x27},
    .info_size = 20,
    .is_big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__,
    .size_of_char = 2,
    .format = {'T', 'o', 'C', 'P'},
    .format_version = {1},
};
