//! The static Huffman code (RFC 7541 §5.2, appendix B).
//!
//! The code is canonical: within a length the symbols ascend, and each length goes on where the one
//! before ended. So the symbols by length are all that has to be written down.

use super::DecodeError;

/// Symbols by the length of their codes, as ranges that include their ends.
const SYMBOLS: [(u8, &[(u16, u16)]); 21] = [
    (5, &[(48, 50), (97, 97), (99, 99), (101, 101), (105, 105), (111, 111), (115, 116)]),
    (
        6,
        &[
            (32, 32),
            (37, 37),
            (45, 47),
            (51, 57),
            (61, 61),
            (65, 65),
            (95, 95),
            (98, 98),
            (100, 100),
            (102, 104),
            (108, 110),
            (112, 112),
            (114, 114),
            (117, 117),
        ],
    ),
    (7, &[(58, 58), (66, 87), (89, 89), (106, 107), (113, 113), (118, 122)]),
    (8, &[(38, 38), (42, 42), (44, 44), (59, 59), (88, 88), (90, 90)]),
    (10, &[(33, 34), (40, 41), (63, 63)]),
    (11, &[(39, 39), (43, 43), (124, 124)]),
    (12, &[(35, 35), (62, 62)]),
    (13, &[(0, 0), (36, 36), (64, 64), (91, 91), (93, 93), (126, 126)]),
    (14, &[(94, 94), (125, 125)]),
    (15, &[(60, 60), (96, 96), (123, 123)]),
    (19, &[(92, 92), (195, 195), (208, 208)]),
    (20, &[(128, 128), (130, 131), (162, 162), (184, 184), (194, 194), (224, 224), (226, 226)]),
    (
        21,
        &[
            (153, 153),
            (161, 161),
            (167, 167),
            (172, 172),
            (176, 177),
            (179, 179),
            (209, 209),
            (216, 217),
            (227, 227),
            (229, 230),
        ],
    ),
    (
        22,
        &[
            (129, 129),
            (132, 134),
            (136, 136),
            (146, 146),
            (154, 154),
            (156, 156),
            (160, 160),
            (163, 164),
            (169, 170),
            (173, 173),
            (178, 178),
            (181, 181),
            (185, 187),
            (189, 190),
            (196, 196),
            (198, 198),
            (228, 228),
            (232, 233),
        ],
    ),
    (
        23,
        &[
            (1, 1),
            (135, 135),
            (137, 141),
            (143, 143),
            (147, 147),
            (149, 152),
            (155, 155),
            (157, 158),
            (165, 166),
            (168, 168),
            (174, 175),
            (180, 180),
            (182, 183),
            (188, 188),
            (191, 191),
            (197, 197),
            (231, 231),
            (239, 239),
        ],
    ),
    (
        24,
        &[
            (9, 9),
            (142, 142),
            (144, 145),
            (148, 148),
            (159, 159),
            (171, 171),
            (206, 206),
            (215, 215),
            (225, 225),
            (236, 237),
        ],
    ),
    (25, &[(199, 199), (207, 207), (234, 235)]),
    (
        26,
        &[
            (192, 193),
            (200, 202),
            (205, 205),
            (210, 210),
            (213, 213),
            (218, 219),
            (238, 238),
            (240, 240),
            (242, 243),
            (255, 255),
        ],
    ),
    (27, &[(203, 204), (211, 212), (214, 214), (221, 223), (241, 241), (244, 248), (250, 254)]),
    (28, &[(2, 8), (11, 12), (14, 21), (23, 31), (127, 127), (220, 220), (249, 249)]),
    (30, &[(10, 10), (13, 13), (22, 22), (256, 256)]),
];

const LONGEST: usize = 30;
const END_OF_STRING: u16 = 256;
/// Codes of up to so many bits are decoded by one look into a table.
const FAST_BITS: u32 = 10;

struct Tables {
    /// By symbol: its code, and the bits of the code.
    codes: [(u32, u8); 257],
    /// By the next ten bits: the symbol and the bits of its code, 0 for a longer one.
    fast: [(u8, u8); 1 << FAST_BITS],
    /// By length: the first code, and where its symbol stands in `sorted`.
    first: [(u32, u16); LONGEST + 2],
    sorted: [u16; 257],
}

static TABLES: Tables = tables();

const fn tables() -> Tables {
    let mut tables = Tables {
        codes: [(0, 0); 257],
        fast: [(0, 0); 1 << FAST_BITS],
        first: [(0, 0); LONGEST + 2],
        sorted: [0; 257],
    };
    let (mut code, mut position, mut row, mut length) = (0u32, 0usize, 0, 5usize);
    while length <= LONGEST {
        tables.first[length] = (code, position as u16);
        if row < SYMBOLS.len() && SYMBOLS[row].0 as usize == length {
            let ranges = SYMBOLS[row].1;
            let mut range = 0;
            while range < ranges.len() {
                let mut symbol = ranges[range].0;
                while symbol <= ranges[range].1 {
                    tables.codes[symbol as usize] = (code, length as u8);
                    tables.sorted[position] = symbol;
                    if length as u32 <= FAST_BITS {
                        let free = FAST_BITS - length as u32;
                        let mut low = 0;
                        while low < (1 << free) {
                            tables.fast[((code << free) | low) as usize] = (symbol as u8, length as u8);
                            low += 1;
                        }
                    }
                    code += 1;
                    position += 1;
                    symbol += 1;
                }
                range += 1;
            }
            row += 1;
        }
        code <<= 1;
        length += 1;
    }
    tables.first[LONGEST + 1] = (code, position as u16);
    tables
}

/// Bytes that `text` takes as Huffman code.
pub(super) fn encoded_len(text: &[u8]) -> usize {
    let bits: usize = text.iter().map(|&byte| usize::from(TABLES.codes[usize::from(byte)].1)).sum();
    bits.div_ceil(8)
}

pub(super) fn encode(text: &[u8], out: &mut Vec<u8>) {
    let (mut bits, mut count) = (0u64, 0u32);
    for &byte in text {
        let (code, length) = TABLES.codes[usize::from(byte)];
        bits = (bits << length) | u64::from(code);
        count += u32::from(length);
        while count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    if count > 0 {
        // Padding is the beginning of the code for the end of the string, which is all ones.
        out.push(((bits << (8 - count)) as u8) | (0xff >> count));
    }
}

/// Appends what `code` stands for.
pub(super) fn decode(code: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    // The next bits stand at the top; below the `count` that are known are zeros.
    let (mut bits, mut count) = (0u64, 0u32);
    let mut input = code.iter();
    // The shortest code has five bits.
    out.reserve(code.len() * 8 / 5);
    loop {
        while count <= 56 {
            let Some(&byte) = input.next() else { break };
            bits |= u64::from(byte) << (56 - count);
            count += 8;
        }
        let (mut symbol, mut length) = {
            let (symbol, length) = TABLES.fast[(bits >> (64 - FAST_BITS)) as usize];
            (u16::from(symbol), u32::from(length))
        };
        if length == 0 {
            (symbol, length) = long((bits >> 32) as u32);
        }
        if length > count {
            break;
        }
        if symbol == END_OF_STRING {
            return Err(DecodeError::Huffman);
        }
        out.push(symbol as u8);
        bits <<= length;
        count -= length;
    }
    // RFC 7541 §5.2: padding is shorter than an octet, and all ones.
    let is_padding = count < 8 && bits == !(u64::MAX >> count);
    if is_padding { Ok(()) } else { Err(DecodeError::Huffman) }
}

/// The symbol of a code of more than ten bits, at the top of `bits`, and the bits of the code.
fn long(bits: u32) -> (u16, u32) {
    for length in FAST_BITS as usize + 1..=LONGEST {
        let ((code, position), (_, next)) = (TABLES.first[length], TABLES.first[length + 1]);
        let above = (bits >> (32 - length)).wrapping_sub(code);
        if above < u32::from(next - position) {
            return (TABLES.sorted[usize::from(position) + above as usize], length as u32);
        }
    }
    // All codes of 30 bits are taken, so this is not reached; as a code it would be an error.
    (END_OF_STRING, LONGEST as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(code: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let mut out = Vec::new();
        decode(code, &mut out).map(|()| out)
    }

    #[test]
    fn strings_of_the_specification_are_encoded_and_decoded() {
        for (text, code) in [
            (
                &b"www.example.com"[..],
                &[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff][..],
            ),
            (b"no-cache", &[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]),
            (b"302", &[0x64, 0x02]),
            (b"", &[]),
        ] {
            let mut out = Vec::new();
            encode(text, &mut out);
            assert_eq!(out, code);
            assert_eq!(encoded_len(text), code.len());
            assert_eq!(decoded(code).as_deref(), Ok(text));
        }
    }

    #[test]
    fn every_octet_survives_next_to_every_other() {
        for first in 0..=255u8 {
            for second in 0..=255u8 {
                let mut out = Vec::new();
                encode(&[first, second], &mut out);
                assert_eq!(out.len(), encoded_len(&[first, second]));
                assert_eq!(decoded(&out), Ok(vec![first, second]));
            }
        }
    }

    #[test]
    fn lengths_end_where_the_next_begin() {
        // First codes of the specification's table.
        for (symbol, code) in [
            (48, 0),
            (32, 0x14),
            (58, 0x5c),
            (38, 0xf8),
            (33, 0x3f8),
            (92, 0x7fff0),
            (2, 0xffffffe2u32 & 0xfffffe2),
        ] {
            assert_eq!(TABLES.codes[symbol].0, code, "{symbol}");
        }
        assert_eq!(TABLES.codes[256], (0x3fff_ffff, 30));
    }

    #[test]
    fn bad_endings_are_refused() {
        for (code, why) in [
            (&[0x07, 0xff][..], "padding of more than seven bits"),
            (&[0x00], "padding that is not ones: `0` and three zeros"),
            (&[0xff, 0xff, 0xff, 0xff], "the end of the string is spelled out"),
            (&[0xff], "only padding, a whole octet"),
        ] {
            assert_eq!(decoded(code), Err(DecodeError::Huffman), "{why}");
        }
    }
}
