//! What things are called outside of the database: a letter and their number, such as `p-42`.

use std::fmt;
use std::str::FromStr;

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};

/// A text that is not the id of such a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "-{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NoSuchId;

            fn from_str(text: &str) -> Result<Self, NoSuchId> {
                number(text, concat!($prefix, "-")).map(Self)
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                i64::column_result(value).map(Self)
            }
        }
    )*};
}

ids! {
    /// A product: `p-42`.
    ProductId "p";
    /// An order: `o-42`.
    OrderId "o";
    /// A file: `f-42`.
    FileId "f";
}

/// Each thing has one name: no sign, and no 0 before the number.
fn number(text: &str, prefix: &str) -> Result<i64, NoSuchId> {
    let digits = text.strip_prefix(prefix).ok_or(NoSuchId)?;
    let is_canonical = digits.starts_with(|first: char| ('1'..='9').contains(&first));
    digits.parse().ok().filter(|_| is_canonical).ok_or(NoSuchId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_not_otherwise() {
        assert_eq!(ProductId(42).to_string().parse(), Ok(ProductId(42)));
        for text in
            ["", "42", "p-", "p-0", "p-042", "p-+42", "p--42", "P-42", "o-42", "p-99999999999999999999"]
        {
            assert_eq!(text.parse::<ProductId>(), Err(NoSuchId), "{text}");
        }
    }
}
