//! Lists, page by page. A page token says behind which row the next page begins, and which list it is of.

use dunlin::Status;
use sha2::{Digest, Sha256};

use crate::errors::bad_field;

const DEFAULT_SIZE: u32 = 50;
/// The largest page.
pub const MAX_SIZE: u32 = 500;

/// Rows of a page, for what the caller has asked.
pub fn size(asked: i32) -> u32 {
    match u32::try_from(asked) {
        Ok(0) | Err(_) => DEFAULT_SIZE,
        Ok(asked) => asked.min(MAX_SIZE),
    }
}

/// Tells lists apart, by all that decides what is in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 8]);

impl Fingerprint {
    /// That of a list.
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut first = [0; 8];
        first.copy_from_slice(&hash.finalize()[..8]);
        Self(first)
    }
}

/// The token of the page behind the row with this number.
pub fn token(list: Fingerprint, last: i64) -> String {
    list.0.into_iter().chain(last.to_be_bytes()).map(|byte| format!("{byte:02x}")).collect()
}

/// The number in a token; `None` for the first page.
///
/// # Errors
/// INVALID_ARGUMENT for a token of another list, or one that was made up.
pub fn last(list: Fingerprint, token: &str) -> Result<Option<i64>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let made_up = || bad_field("page_token", "is not a `next_page_token` of this shop");
    let (fingerprint, last) = token.split_at_checked(16).ok_or_else(made_up)?;
    let number = |digits: &str| {
        let is_hex = digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        u64::from_str_radix(digits, 16).ok().filter(|_| is_hex).ok_or_else(made_up)
    };
    if number(fingerprint)?.to_be_bytes() != list.0 {
        return Err(bad_field("page_token", "belongs to a list with other filters; begin without a token"));
    }
    Ok(Some(number(last)?.cast_signed()))
}

/// A page of up to `size` rows out of one row more, and the token of the next page, empty if there is none.
pub fn cut<R>(list: Fingerprint, rows: &mut Vec<R>, size: u32, number: impl Fn(&R) -> i64) -> String {
    let size = size as usize;
    if rows.len() <= size {
        return String::new();
    }
    rows.truncate(size);
    rows.last().map(|row| token(list, number(row))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_list_only() {
        let list = Fingerprint::of(&["products", "1"]);
        assert_eq!(last(list, &token(list, 42)).unwrap(), Some(42));
        assert_eq!(last(list, "").unwrap(), None);
        // Parts do not run into each other.
        let others = [Fingerprint::of(&["products1", ""]), Fingerprint::of(&["products", "2"])];
        let tokens = others.map(|other| token(other, 42)).into_iter().chain(
            ["x", "0", "zz", "+0000000000000000000000000000000", "é000000000000000é00000000000000"]
                .map(str::to_owned),
        );
        for token in tokens {
            assert_eq!(last(list, &token).unwrap_err().code(), dunlin::Code::InvalidArgument, "{token}");
        }
    }

    #[test]
    fn a_page_is_cut_off_one_row_more() {
        let list = Fingerprint::of(&["x"]);
        let mut rows = vec![1, 2, 3];
        assert_eq!(cut(list, &mut rows, 3, |row| *row), "");
        assert_eq!(cut(list, &mut rows, 2, |row| *row), token(list, 2));
        assert_eq!(rows, [1, 2]);
    }
}
