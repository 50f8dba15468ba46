//! Looking for the bytes that need care in a string, eight at a time.

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
    if is_clean(rest) {
        return bytes.len();
    }
    rest.iter().position(|&byte| is_special(byte)).map_or(bytes.len(), |at| pos + at)
}

/// True if none of up to seven bytes needs care.
#[inline]
fn is_clean(bytes: &[u8]) -> bool {
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

#[inline]
fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
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
    use super::{is_special, special};

    #[test]
    fn every_special_byte_is_found_at_every_place() {
        for len in 0..40 {
            for at in 0..len {
                for byte in 0..=255u8 {
                    let mut text = alloc::vec![b'a'; len];
                    text[at] = byte;
                    let want = if is_special(byte) { at } else { len };
                    for from in 0..=at {
                        assert_eq!(special(&text, from), want, "{byte} at {at} of {len} from {from}");
                    }
                }
            }
        }
    }
}
