//! Rules of numbers.

use super::Failures;
use crate::text;

/// A number of the rules, in its widest form.
pub(crate) trait Number: Copy + PartialOrd + std::fmt::Debug {
    fn show(&self) -> String;

    fn is_finite(&self) -> bool {
        true
    }
}

impl Number for i64 {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Number for u64 {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Number for f64 {
    fn show(&self) -> String {
        text::double(*self)
    }

    fn is_finite(&self) -> bool {
        f64::is_finite(*self)
    }
}

/// One end of a range: the number of the rule, its value, and whether the value belongs to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound<T> {
    pub(crate) number: u32,
    pub(crate) value: T,
    pub(crate) is_inclusive: bool,
}

/// What lies above the lower and below the upper end; if the upper end is below the lower one, what
/// does not lie between them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range<T> {
    pub(crate) lower: Option<Bound<T>>,
    pub(crate) upper: Option<Bound<T>>,
}

impl<T: Number> Range<T> {
    pub(crate) fn is_none(&self) -> bool {
        self.lower.is_none() && self.upper.is_none()
    }

    #[inline]
    pub(crate) fn check(&self, name: &str, value: T, out: &mut Failures) {
        let above = |bound: &Bound<T>| value > bound.value || (bound.is_inclusive && value == bound.value);
        let below = |bound: &Bound<T>| value < bound.value || (bound.is_inclusive && value == bound.value);
        match (&self.lower, &self.upper) {
            (None, None) => {}
            (Some(lower), None) => {
                if !above(lower) {
                    out.add(
                        lower.number,
                        format!("{name}.{}", lower.id("g")),
                        format!("must be {}", lower.greater()),
                    );
                }
            }
            (None, Some(upper)) => {
                if !below(upper) {
                    out.add(
                        upper.number,
                        format!("{name}.{}", upper.id("l")),
                        format!("must be {}", upper.less()),
                    );
                }
            }
            (Some(lower), Some(upper)) => {
                let is_between = upper.value >= lower.value;
                // With NaN as an end there is neither a between nor a beyond.
                let is_beyond = upper.value < lower.value;
                if !is_between && !is_beyond {
                    return;
                }
                let holds =
                    if is_between { above(lower) && below(upper) } else { above(lower) || below(upper) };
                if holds {
                    return;
                }
                let (and, exclusive) = if is_between { ("and", "") } else { ("or", "_exclusive") };
                out.add(
                    lower.number,
                    format!("{name}.{}_{}{exclusive}", lower.id("g"), upper.id("l")),
                    format!("must be {} {and} {}", lower.greater(), upper.less()),
                );
            }
        }
    }
}

impl<T: Number> Bound<T> {
    fn id(&self, first: &str) -> String {
        format!("{first}t{}", if self.is_inclusive { "e" } else { "" })
    }

    fn or_equal(&self) -> &'static str {
        if self.is_inclusive { "or equal to " } else { "" }
    }

    fn greater(&self) -> String {
        format!("greater than {}{}", self.or_equal(), self.value.show())
    }

    fn less(&self) -> String {
        format!("less than {}{}", self.or_equal(), self.value.show())
    }
}

#[derive(Debug)]
pub(crate) struct Numbers<T> {
    pub(crate) name: &'static str,
    pub(crate) constant: Option<T>,
    pub(crate) range: Range<T>,
    pub(crate) any_of: Vec<T>,
    pub(crate) none_of: Vec<T>,
    pub(crate) is_finite: bool,
}

/// The rules of `$rules`, whose messages all have the same members.
macro_rules! compile {
    ($rules:expr, $name:literal, $module:ident) => {{
        use crate::proto::$module::{GreaterThan, LessThan};
        let rules = $rules;
        let bound = |number, value, is_inclusive| Some(number::Bound { number, value, is_inclusive });
        let numbers = number::Numbers {
            name: $name,
            constant: rules.r#const.map(Into::into),
            range: number::Range {
                lower: match rules.greater_than {
                    Some(GreaterThan::Gt(value)) => bound(4, value.into(), false),
                    Some(GreaterThan::Gte(value)) => bound(5, value.into(), true),
                    None => None,
                },
                upper: match rules.less_than {
                    Some(LessThan::Lt(value)) => bound(2, value.into(), false),
                    Some(LessThan::Lte(value)) => bound(3, value.into(), true),
                    None => None,
                },
            },
            any_of: rules.r#in.iter().copied().map(Into::into).collect(),
            none_of: rules.not_in.iter().copied().map(Into::into).collect(),
            is_finite: false,
        };
        numbers.is_some_rule().then_some(numbers)
    }};
}

pub(super) use compile;

/// Adds what only floats have.
pub(super) fn finite(
    numbers: Option<Numbers<f64>>,
    name: &'static str,
    is_finite: bool,
) -> Option<Numbers<f64>> {
    let none = || Numbers {
        name,
        constant: None,
        range: Range { lower: None, upper: None },
        any_of: Vec::new(),
        none_of: Vec::new(),
        is_finite,
    };
    match numbers {
        Some(numbers) => Some(Numbers { is_finite, ..numbers }),
        None => is_finite.then(none),
    }
}

impl<T: Number> Numbers<T> {
    pub(super) fn is_some_rule(&self) -> bool {
        self.constant.is_some()
            || !self.range.is_none()
            || !self.any_of.is_empty()
            || !self.none_of.is_empty()
    }

    pub(super) fn check(&self, value: T, out: &mut Failures) {
        let name = self.name;
        if let Some(constant) = &self.constant
            && value != *constant
        {
            out.add(1, format!("{name}.const"), format!("must equal {}", constant.show()));
        }
        self.range.check(name, value, out);
        if !self.any_of.is_empty() && !self.any_of.contains(&value) {
            out.add(
                6,
                format!("{name}.in"),
                format!("must be in list {}", text::list(&self.any_of, T::show)),
            );
        }
        if self.none_of.contains(&value) {
            let list = text::list(&self.none_of, T::show);
            out.add(7, format!("{name}.not_in"), format!("must not be in list {list}"));
        }
        if self.is_finite && !value.is_finite() {
            out.add(8, format!("{name}.finite"), "must be finite");
        }
    }
}
