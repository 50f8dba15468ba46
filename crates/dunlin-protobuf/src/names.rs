//! Names that are derived from names: JSON names, map entries, naming styles.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// The default ProtoJSON name of a field: each `_` is dropped and the letter after it becomes
/// upper-case; nothing else changes.
///
/// ```
/// use dunlin_protobuf::names::json_name;
/// assert_eq!(json_name("page_size"), "pageSize");
/// assert_eq!(json_name("_FOO__bar_1"), "FOOBar1");
/// ```
pub fn json_name(field: &str) -> String {
    without_underscores(field, false)
}

/// The name of the entry message that stands for `map<K, V> field`: Pascal case and `Entry`.
///
/// ```
/// assert_eq!(dunlin_protobuf::names::map_entry_name("unit_prices"), "UnitPricesEntry");
/// ```
pub fn map_entry_name(field: &str) -> String {
    let mut name = without_underscores(field, true);
    name.push_str("Entry");
    name
}

fn without_underscores(name: &str, capitalize_first: bool) -> String {
    let mut out = String::with_capacity(name.len() + 5);
    let mut capitalize = capitalize_first;
    for c in name.chars() {
        if c == '_' {
            capitalize = true;
        } else if capitalize {
            out.push(c.to_ascii_uppercase());
            capitalize = false;
        } else {
            out.push(c);
        }
    }
    out
}

/// True for a letter or underscore followed by letters, digits and underscores.
pub fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Why a name does not follow a naming style; reads after "name X ...".
pub type StyleFault = &'static str;

/// `TitleCase`: letters and digits only, starting with a capital.
pub fn check_title_case(name: &str) -> Result<(), StyleFault> {
    if !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err("should be TitleCase");
    }
    if !name.starts_with(|c: char| c.is_ascii_uppercase()) {
        return Err("should begin with a capital letter");
    }
    Ok(())
}

/// `lower_snake_case`, in packages with dots between the parts.
pub fn check_lower_snake_case(name: &str) -> Result<(), StyleFault> {
    if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'.') {
        return Err("should be lower_snake_case");
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err("should begin with a lower-case letter");
    }
    check_underscores(name)
}

/// `UPPER_SNAKE_CASE`.
pub fn check_upper_snake_case(name: &str) -> Result<(), StyleFault> {
    if !name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') {
        return Err("should be UPPER_SNAKE_CASE");
    }
    if !name.starts_with(|c: char| c.is_ascii_uppercase()) {
        return Err("should begin with an upper-case letter");
    }
    check_underscores(name)
}

fn check_underscores(name: &str) -> Result<(), StyleFault> {
    let fine = !name.starts_with('_')
        && !name.ends_with('_')
        && name.as_bytes().windows(2).all(|pair| pair[0] != b'_' || pair[1].is_ascii_alphabetic());
    if fine { Ok(()) } else { Err("should have a letter after each underscore and none at its ends") }
}

/// The candidate that is most like `name`, if one is so much like it that it may be meant.
///
/// Looks at no more than 2,000 candidates, and at no name longer than 64 bytes.
///
/// ```
/// use dunlin_protobuf::names::closest;
/// assert_eq!(closest("packd", ["lazy", "packed"]), Some("packed"));
/// assert_eq!(closest("color", ["lazy", "packed"]), None);
/// ```
pub fn closest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if name.len() > 64 {
        return None;
    }
    let allowed = (name.len() / 3).min(2);
    candidates
        .into_iter()
        .take(2_000)
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= allowed)
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .min()
        .filter(|(distance, _)| *distance <= allowed)
        .map(|(_, candidate)| candidate)
}

/// How many letters have to be changed, added, dropped or swapped with a neighbour.
pub(crate) fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<u8> = a.bytes().map(|b| b.to_ascii_lowercase()).collect();
    let b: Vec<u8> = b.bytes().map(|b| b.to_ascii_lowercase()).collect();
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = change.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = core::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// The Pascal-case form of an enum value without the prefix that repeats the enum's name, which
/// code generators use and which therefore has to be unique.
pub(crate) fn enum_value_key(prefix: &EnumPrefix, value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut upper = true;
    for c in prefix.strip(value).chars() {
        if c == '_' {
            upper = true;
        } else {
            out.push(if upper { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() });
            upper = false;
        }
    }
    out
}

/// The name of an enum as its values may repeat it: any case, underscores anywhere.
pub(crate) struct EnumPrefix(Vec<u8>);

impl EnumPrefix {
    pub(crate) fn new(enum_name: &str) -> Self {
        Self(enum_name.bytes().filter(|&b| b != b'_').map(|b| b.to_ascii_lowercase()).collect())
    }

    fn strip<'v>(&self, value: &'v str) -> &'v str {
        let mut prefix = self.0.iter();
        let mut rest = value;
        while !prefix.as_slice().is_empty() {
            let Some(&b) = rest.as_bytes().first() else { return value };
            if b != b'_' && Some(&b.to_ascii_lowercase()) != prefix.next() {
                return value;
            }
            // Names reach this point only after they were checked to be ASCII identifiers.
            rest = rest.get(1..).unwrap_or_default();
        }
        let rest = rest.trim_start_matches('_');
        if rest.is_empty() { value } else { rest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enum_values_lose_the_prefix_only_as_a_whole() {
        let prefix = EnumPrefix::new("FooBar");
        for (value, want) in [
            ("FOO_BAR_BAZ", "Baz"),
            ("FOOBAR__BAZ", "Baz"),
            ("FOO_BAR", "FooBar"), // nothing would be left
            ("FOO_BAZ", "FooBaz"),
            ("FOO_BARBAZ", "Baz"),
        ] {
            assert_eq!(enum_value_key(&prefix, value), want, "{value}");
        }
    }

    #[test]
    fn every_underscore_is_followed_by_a_letter() {
        for name in ["foo", "foo_bar2", "a.b_c"] {
            assert_eq!(check_lower_snake_case(name), Ok(()), "{name}");
        }
        for name in ["foo_1", "foo__a", "_foo", "foo_", "Foo", "1a", ""] {
            assert!(check_lower_snake_case(name).is_err(), "{name}");
        }
        assert!(check_title_case("M_N").is_err());
        assert!(check_upper_snake_case("A_1").is_err());
    }
}
