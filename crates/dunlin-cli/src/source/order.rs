//! In which order the parts of an element are printed.

use super::Style;
use super::options::Setting;

/// A part, and what its place follows from.
#[derive(Debug)]
pub(super) struct Ranked<T> {
    pub(super) item: T,
    /// Kinds of parts stand together, options first.
    class: i32,
    key: Key,
    span: Option<Vec<i32>>,
}

/// What parts of one kind are sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Number(i64),
    Name(String),
    Option {
        is_custom: bool,
        name: String,
    },
    Extension {
        of: String,
        number: i32,
    },
    /// Open enums begin with zero.
    Value {
        is_behind_zero: bool,
        number: i32,
        name: String,
    },
}

/// The class of what stands first, if the source does not say otherwise.
pub(super) const OPTIONS: i32 = -1;

impl<T> Ranked<T> {
    pub(super) fn new(item: T, class: i32, key: Key, span: Option<Vec<i32>>) -> Self {
        Self { item, class, key, span }
    }

    pub(super) fn option(item: T, setting: &Setting, span: Option<Vec<i32>>) -> Self {
        let key = Key::Option { is_custom: setting.name.starts_with('('), name: setting.name.clone() };
        Self::new(item, OPTIONS, key, span)
    }

    /// In the source: what has no place there stands in front, if it is of the kinds that do, else behind.
    fn place(&self) -> (i32, &Option<Vec<i32>>) {
        let rank = match (&self.span, self.class < 0) {
            (Some(_), _) => 0,
            (None, true) => self.class,
            (None, false) => 1,
        };
        (rank, &self.span)
    }
}

/// The parts in the order in which they are printed.
pub(super) fn sorted<T>(mut parts: Vec<Ranked<T>>, style: Style) -> Vec<T> {
    match style {
        Style::Shown => parts.sort_by(|a, b| (a.class, &a.key).cmp(&(b.class, &b.key))),
        Style::Source => parts.sort_by(|a, b| a.place().cmp(&b.place())),
    }
    parts.into_iter().map(|part| part.item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(style: Style) -> Vec<char> {
        let number = |item, class, number, span: Option<i32>| {
            Ranked::new(item, class, Key::Number(number), span.map(|line| vec![line]))
        };
        sorted(
            vec![
                number('b', 2, 7, Some(3)),
                number('a', 2, 3, Some(9)),
                number('x', 3, 1, None),
                number('o', OPTIONS, 1, None),
            ],
            style,
        )
    }

    #[test]
    fn parts_stand_by_kind_and_key_or_as_in_the_source() {
        assert_eq!(order(Style::Shown), ['o', 'a', 'b', 'x']);
        assert_eq!(order(Style::Source), ['o', 'b', 'a', 'x']);
    }
}
