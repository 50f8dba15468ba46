//! Amounts of money, which are never rounded but where a discount says so, and never overflow.

use std::fmt;

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};

use crate::proto::Money;

/// The one currency of this shop.
pub const CURRENCY: &str = "EUR";

const NANOS_PER_UNIT: i64 = 1_000_000_000;
const NANOS_PER_CENT: i128 = 10_000_000;

/// An amount of money in billionths of the unit: up to 9 billion units, of either sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i64);

/// Why a `Money` is not an amount of this shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Another currency.
    #[error("must be in {CURRENCY}")]
    Currency,
    /// Nanos of a whole unit and more.
    #[error("nanos must be from -999,999,999 to 999,999,999")]
    Nanos,
    /// Units and nanos that contradict each other.
    #[error("units and nanos must have the same sign")]
    Signs,
    /// Nine billion and more.
    #[error("is more money than this shop can count")]
    TooLarge,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many cents.
    pub const fn from_cents(cents: i32) -> Self {
        // 2^31 cents are 2.1e16 nanos.
        Self(cents as i64 * 10_000_000)
    }

    /// The sum, unless it is more than can be counted.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.0.checked_add(other.0).map(Self).ok_or(MoneyError::TooLarge)
    }

    /// The difference, unless it is more than can be counted.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.0.checked_sub(other.0).map(Self).ok_or(MoneyError::TooLarge)
    }

    /// So many times this, unless it is more than can be counted.
    pub fn times(self, count: u32) -> Result<Self, MoneyError> {
        self.0.checked_mul(count.into()).map(Self).ok_or(MoneyError::TooLarge)
    }

    /// So many per mille of it, in whole cents: half a cent is rounded up.
    pub fn per_mille(self, part: u32) -> Result<Self, MoneyError> {
        // 2^63 * 2^32 is far below 2^127.
        let thousandfold = i128::from(self.0) * i128::from(part);
        let divisor = 1000 * NANOS_PER_CENT;
        let cents = (thousandfold + divisor / 2).div_euclid(divisor);
        i64::try_from(cents * NANOS_PER_CENT).map(Self).map_err(|_| MoneyError::TooLarge)
    }

    /// Billionths of the unit.
    pub fn nanos(self) -> i64 {
        self.0
    }
}

impl From<Amount> for Money {
    fn from(amount: Amount) -> Self {
        Self {
            currency_code: CURRENCY.to_owned(),
            units: amount.0 / NANOS_PER_UNIT,
            // Below 2^31: the rest of a division by a billion.
            nanos: (amount.0 % NANOS_PER_UNIT) as i32,
            ..Self::default()
        }
    }
}

impl TryFrom<&Money> for Amount {
    type Error = MoneyError;

    fn try_from(money: &Money) -> Result<Self, MoneyError> {
        if !matches!(&*money.currency_code, "" | CURRENCY) {
            return Err(MoneyError::Currency);
        }
        let nanos = i64::from(money.nanos);
        if nanos.abs() >= NANOS_PER_UNIT {
            return Err(MoneyError::Nanos);
        }
        if money.units.signum() * nanos.signum() < 0 {
            return Err(MoneyError::Signs);
        }
        let whole = money.units.checked_mul(NANOS_PER_UNIT);
        whole.and_then(|whole| whole.checked_add(nanos)).map(Self).ok_or(MoneyError::TooLarge)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nanos = self.0.unsigned_abs();
        let (units, rest) = (nanos / NANOS_PER_UNIT as u64, nanos % NANOS_PER_UNIT as u64);
        let digits = format!("{rest:09}");
        // At least cents.
        let end = digits.trim_end_matches('0').len().max(2);
        write!(f, "{sign}{units}.{} {CURRENCY}", &digits[..end])
    }
}

impl ToSql for Amount {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for Amount {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(units: i64, nanos: i32) -> Money {
        Money { units, nanos, ..Money::default() }
    }

    #[test]
    fn amounts_go_to_messages_and_back() {
        for (units, nanos, shown) in [
            (0, 0, "0.00 EUR"),
            (12, 990_000_000, "12.99 EUR"),
            (0, -500_000_000, "-0.50 EUR"),
            (-3, -1, "-3.000000001 EUR"),
            (9_223_372_036, 854_775_807, "9223372036.854775807 EUR"),
        ] {
            let amount = Amount::try_from(&money(units, nanos)).unwrap();
            assert_eq!(amount.to_string(), shown);
            let back = Money::from(amount);
            assert_eq!((back.units, back.nanos), (units, nanos));
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for (money, want) in [
            (Money { currency_code: "USD".into(), ..money(1, 0) }, MoneyError::Currency),
            (money(0, 1_000_000_000), MoneyError::Nanos),
            (money(0, i32::MIN), MoneyError::Nanos),
            (money(1, -1), MoneyError::Signs),
            (money(-1, 1), MoneyError::Signs),
            (money(9_223_372_037, 0), MoneyError::TooLarge),
            (money(i64::MIN, 0), MoneyError::TooLarge),
        ] {
            assert_eq!(Amount::try_from(&money), Err(want), "{money:?}");
        }
    }

    #[test]
    fn nothing_overflows() {
        let most = Amount(i64::MAX);
        assert_eq!(most.plus(Amount(1)), Err(MoneyError::TooLarge));
        assert_eq!(Amount(i64::MIN).minus(Amount(1)), Err(MoneyError::TooLarge));
        assert_eq!(Amount::from_cents(i32::MAX).times(u32::MAX), Err(MoneyError::TooLarge));
        assert_eq!(most.per_mille(2000), Err(MoneyError::TooLarge));
    }

    #[test]
    fn parts_are_rounded_to_cents() {
        // 12.99 less 15 % is 11.0415, and 0.05 less 50 % is 0.025.
        assert_eq!(Amount::from_cents(1299).per_mille(850), Ok(Amount::from_cents(1104)));
        assert_eq!(Amount::from_cents(5).per_mille(500), Ok(Amount::from_cents(3)));
    }
}
