//! Rules of durations and timestamps.

use dunlin_protobuf::Reflect;

use super::Failures;
use super::number::{Bound, Number, Range};
use crate::cel::time::{Instant, Span};
use crate::proto::{DurationRules, TimestampRules, duration_rules, timestamp_rules};
use crate::text;

impl Number for Span {
    fn show(&self) -> String {
        self.to_text()
    }
}

impl Number for Instant {
    fn show(&self) -> String {
        self.to_text()
    }
}

#[derive(Debug)]
pub(crate) struct Durations {
    constant: Option<Span>,
    range: Range<Span>,
    any_of: Vec<Span>,
    none_of: Vec<Span>,
}

impl Durations {
    pub(super) fn compile(rules: &DurationRules) -> Option<Self> {
        use duration_rules::{GreaterThan, LessThan};
        let bound = |number, value, is_inclusive| Bound { number, value: Span::of(value), is_inclusive };
        let compiled = Self {
            constant: rules.r#const.as_ref().map(Span::of),
            range: Range {
                lower: rules.greater_than.as_ref().map(|end| match end {
                    GreaterThan::Gt(value) => bound(5, value, false),
                    GreaterThan::Gte(value) => bound(6, value, true),
                }),
                upper: rules.less_than.as_ref().map(|end| match end {
                    LessThan::Lt(value) => bound(3, value, false),
                    LessThan::Lte(value) => bound(4, value, true),
                }),
            },
            any_of: rules.r#in.iter().map(Span::of).collect(),
            none_of: rules.not_in.iter().map(Span::of).collect(),
        };
        let is_rule = compiled.constant.is_some()
            || !compiled.range.is_none()
            || !compiled.any_of.is_empty()
            || !compiled.none_of.is_empty();
        is_rule.then_some(compiled)
    }

    pub(super) fn check(&self, message: &dyn Reflect, out: &mut Failures) {
        let value = Span::of_message(message);
        if let Some(constant) = self.constant.filter(|constant| value != *constant) {
            out.add(2, "duration.const", format!("must equal {}", constant.show()));
        }
        self.range.check("duration", value, out);
        if !self.any_of.is_empty() && !self.any_of.contains(&value) {
            out.add(7, "duration.in", format!("must be in list {}", text::list(&self.any_of, Span::show)));
        }
        if self.none_of.contains(&value) {
            let list = text::list(&self.none_of, Span::show);
            out.add(8, "duration.not_in", format!("must not be in list {list}"));
        }
    }
}

#[derive(Debug)]
pub(crate) struct Timestamps {
    constant: Option<Instant>,
    range: Range<Instant>,
    before_now: bool,
    after_now: bool,
    within: Option<Span>,
}

impl Timestamps {
    pub(super) fn compile(rules: &TimestampRules) -> Option<Self> {
        use timestamp_rules::{GreaterThan, LessThan};
        let bound =
            |number, value, is_inclusive| Some(Bound { number, value: Instant::of(value), is_inclusive });
        let compiled = Self {
            constant: rules.r#const.as_ref().map(Instant::of),
            range: Range {
                lower: rules.greater_than.as_ref().and_then(|end| match end {
                    GreaterThan::Gt(value) => bound(5, value, false),
                    GreaterThan::Gte(value) => bound(6, value, true),
                    GreaterThan::GtNow(_) => None,
                }),
                upper: rules.less_than.as_ref().and_then(|end| match end {
                    LessThan::Lt(value) => bound(3, value, false),
                    LessThan::Lte(value) => bound(4, value, true),
                    LessThan::LtNow(_) => None,
                }),
            },
            before_now: matches!(rules.less_than, Some(LessThan::LtNow(true))),
            after_now: matches!(rules.greater_than, Some(GreaterThan::GtNow(true))),
            within: rules.within.as_ref().map(Span::of),
        };
        let is_rule = compiled.constant.is_some()
            || !compiled.range.is_none()
            || compiled.before_now
            || compiled.after_now
            || compiled.within.is_some();
        is_rule.then_some(compiled)
    }

    pub(super) fn check(&self, message: &dyn Reflect, now: &dyn Fn() -> Instant, out: &mut Failures) {
        let value = Instant::of_message(message);
        if let Some(constant) = self.constant.filter(|constant| value != *constant) {
            out.add(2, "timestamp.const", format!("must equal {}", constant.show()));
        }
        self.range.check("timestamp", value, out);
        if self.before_now && value > now() {
            out.add(7, "timestamp.lt_now", "must be less than now");
        }
        if self.after_now && value < now() {
            out.add(8, "timestamp.gt_now", "must be greater than now");
        }
        if let Some(within) = self.within
            && (value.nanos() - now().nanos()).abs() > within.nanos()
        {
            out.add(9, "timestamp.within", format!("must be within {} of now", within.show()));
        }
    }
}
