//! Looking for the bytes that need care in a string, sixteen or eight at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The position from `from` on of the first quote, backslash or control character; the length of
/// `bytes` if there is none.
#[inline]
pub(super) fn special(bytes: &[u8], from: usize) -> usize {
    let mut pos = from;
    while let Some(chunk) = bytes.get(pos..).and_then(|rest| rest.first_chunk::<8>()) {
        let found = marks(u64::from_le_bytes(*chunk));
        if found != 0 {
            return pos + (found.trailing_zeros() / 8) as usize;
        }
        pos += 8;
    }
    let rest = bytes.get(pos..).unwrap_or(&[]);
    if rest.is_empty() {
        return pos;
    }
    // The last bytes, from a word that ends with them; the zeros that are shifted in count as found.
    if let Some(chunk) = bytes.last_chunk::<8>() {
        let found = marks(u64::from_le_bytes(*chunk) >> (8 * (8 - rest.len())));
        return pos + (found.trailing_zeros() / 8) as usize;
    }
    rest.iter().position(|&byte| is_special(byte)).map_or(bytes.len(), |at| pos + at)
}

/// True if no byte needs care. Most texts are short: the pieces that are looked at overlap.
#[inline]
pub(super) fn is_clean(bytes: &[u8]) -> bool {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        if bytes.len() > 16 {
            return is_long_clean(bytes);
        }
        return marks(u64::from_le_bytes(*first)) | marks(u64::from_le_bytes(*last)) == 0;
    }
    let word = match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        _ => {
            let at = |index: usize| u64::from(bytes.get(index).copied().unwrap_or(b' '));
            (ONES * 0x20) ^ (at(0) ^ 0x20) ^ (at(1) ^ 0x20) << 8 ^ (at(2) ^ 0x20) << 16
        }
    };
    marks(word) == 0
}

fn is_long_clean(bytes: &[u8]) -> bool {
    let (blocks, _) = bytes.as_chunks::<16>();
    blocks.iter().all(is_block_clean) && bytes.last_chunk().is_none_or(is_block_clean)
}

/// The compiler makes one comparison of it for all bytes.
#[inline]
fn is_block_clean(block: &[u8; 16]) -> bool {
    !block.iter().fold(false, |found, &byte| found | is_special(byte))
}

#[inline]
fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// The high bit of every byte that needs care; above the lowest of them, others may be marked.
#[inline]
fn marks(word: u64) -> u64 {
    // A difference has a byte's high bit set where the byte is below what is taken away; so it is
    // where it was set before, in bytes that are no ASCII.
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let slash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (quote | slash | word.wrapping_sub(ONES * 0x20)) & !word & HIGH
}

#[cfg(test)]
mod tests {
    use super::{is_clean, is_special, special};

    #[test]
    fn every_special_byte_is_found_at_every_place() {
        for len in 0..40 {
            for at in 0..len {
                for byte in 0..=255u8 {
                    let mut text = alloc::vec![b'a'; len];
                    text[at] = byte;
                    let want = if is_special(byte) { at } else { len };
                    assert_eq!(is_clean(&text), want == len, "{byte} at {at} of {len}");
                    for from in 0..=at {
                        assert_eq!(special(&text, from), want, "{byte} at {at} of {len} from {from}");
                    }
                }
            }
        }
    }
}
