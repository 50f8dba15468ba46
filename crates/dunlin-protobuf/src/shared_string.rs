//! What makes [`SharedString`] behave as the text that it is.

use alloc::string::String;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;

pub use crate::raw::SharedString;

impl Default for SharedString {
    #[inline]
    fn default() -> Self {
        Self::from("")
    }
}

impl From<&str> for SharedString {
    #[inline]
    fn from(text: &str) -> Self {
        Self::short(text, &[]).unwrap_or_else(|| String::from(text).into())
    }
}

impl From<SharedString> for String {
    fn from(text: SharedString) -> Self {
        text.as_str().into()
    }
}

impl Deref for SharedString {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for SharedString {
    fn as_ref(&self) -> &str {
        self
    }
}

impl AsRef<[u8]> for SharedString {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.as_str().as_bytes()
    }
}

/// Equal text has an equal hash and the same order.
impl Borrow<str> for SharedString {
    fn borrow(&self) -> &str {
        self
    }
}

impl PartialEq for SharedString {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for SharedString {}

macro_rules! equal_to {
    ($($other:ty)*) => {$(
        impl PartialEq<$other> for SharedString {
            fn eq(&self, other: &$other) -> bool {
                let other: &str = other.as_ref();
                self.as_str() == other
            }
        }

        impl PartialEq<SharedString> for $other {
            fn eq(&self, other: &SharedString) -> bool {
                other == self
            }
        }
    )*};
}

equal_to! { str &str String }

impl PartialOrd for SharedString {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SharedString {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for SharedString {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for SharedString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for SharedString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use bytes::{Bytes, BytesMut};

    use super::*;

    #[test]
    fn text_of_every_length_comes_out_as_it_went_in() {
        for len in 0..100 {
            let text: String = "aü€".chars().cycle().take(len).collect();
            let mut buffer = BytesMut::with_capacity(4);
            let made = [
                SharedString::from(&*text),
                SharedString::from(text.clone()),
                SharedString::try_from(Bytes::from(text.clone())).unwrap(),
                SharedString::part(&text, &mut buffer),
            ];
            for made in made {
                assert_eq!(made, text);
                assert_eq!(made.clone(), &*text);
                assert_eq!(format!("{made} {made:?}"), format!("{text} {text:?}"));
                assert_eq!(String::from(made.clone()), text);
                assert_eq!(Bytes::from(made), text.as_bytes());
            }
        }
    }

    #[test]
    fn a_short_text_is_copied_with_what_lies_behind_it() {
        let from = b"abcdefghijklmnopqrstuvwxyz";
        for len in 0..=23 {
            let text = core::str::from_utf8(&from[..len]).unwrap();
            assert_eq!(SharedString::short(text, from).unwrap(), text);
            // Another place with the same bytes, and too few of them.
            assert_eq!(SharedString::short(text, &from.map(|_| 0xff)).unwrap(), text);
            assert_eq!(SharedString::short(text, &from[..len]).unwrap(), text);
        }
        assert!(SharedString::short("abcdefghijklmnopqrstuvwx", from).is_none());
    }

    #[test]
    fn bytes_that_are_not_text_are_refused() {
        assert!(SharedString::try_from(Bytes::from_static(b"\xff")).is_err());
        assert!(SharedString::try_from(Bytes::from_static(&[0x80; 40])).is_err());
    }

    #[test]
    fn maps_find_it_by_a_slice() {
        let key = SharedString::from("key");
        assert_eq!(BTreeMap::from([(key.clone(), 1)]).get("key"), Some(&1));
        assert_eq!(HashMap::from([(key, 2)]).get("key"), Some(&2));
    }

    #[test]
    fn it_is_as_large_as_a_part_of_a_buffer() {
        assert_eq!(size_of::<SharedString>(), 32);
    }
}
