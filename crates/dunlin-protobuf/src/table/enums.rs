//! The tables of enum types.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::NameIndex;

/// One value of an enum.
#[derive(Clone, Debug)]
pub struct EnumValue {
    pub(crate) number: i32,
    pub(crate) name: Cow<'static, str>,
    pub(crate) json_name: Option<Cow<'static, str>>,
}

impl EnumValue {
    /// A value by its number and name.
    pub const fn new(number: i32, name: &'static str) -> Self {
        Self { number, name: Cow::Borrowed(name), json_name: None }
    }

    /// With a string of its own in JSON (edition 2026, `(pb.enumvalue.json).string`).
    pub const fn json(mut self, name: &'static str) -> Self {
        core::mem::forget(self.json_name.replace(Cow::Borrowed(name)));
        self
    }

    /// The number.
    pub const fn number(&self) -> i32 {
        self.number
    }

    /// The name in the schema.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// An enum type.
#[derive(Clone, Debug)]
pub struct EnumTable {
    pub(crate) full_name: Cow<'static, str>,
    pub(crate) closed: bool,
    /// In the order of declaration.
    pub(crate) values: Cow<'static, [EnumValue]>,
    /// Numbers strictly ascend, so that they can be searched.
    pub(crate) ascending: bool,
    /// The first number, if each value has the number after the one before.
    pub(crate) consecutive: Option<i32>,
    /// Positions sorted by number (first of each number), where numbers do not ascend.
    pub(crate) by_number: Vec<u32>,
    /// Positions by name, for tables made from descriptors.
    pub(crate) by_name: NameIndex,
}

/// Whether the numbers of values ascend, and the first if each is the one after the one before.
pub(crate) const fn order(values: &[EnumValue]) -> (bool, Option<i32>) {
    let (mut ascending, mut consecutive) = (true, true);
    let mut i = 1;
    while i < values.len() {
        let (last, number) = (values[i - 1].number, values[i].number);
        ascending &= last < number;
        consecutive &= last < number && last + 1 == number;
        i += 1;
    }
    let first = if consecutive && !values.is_empty() { Some(values[0].number) } else { None };
    (ascending, first)
}

impl EnumTable {
    /// An enum by its values in the order of declaration.
    pub const fn new(full_name: &'static str, closed: bool, values: &'static [EnumValue]) -> Self {
        let (ascending, consecutive) = order(values);
        Self {
            full_name: Cow::Borrowed(full_name),
            closed,
            values: Cow::Borrowed(values),
            ascending,
            consecutive,
            by_number: Vec::new(),
            by_name: NameIndex(None),
        }
    }

    /// The full name, without a leading dot.
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// True if numbers without a name are no values of the enum.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The values in the order of declaration.
    pub fn values(&self) -> &[EnumValue] {
        &self.values
    }

    /// True if there is a value with this number.
    #[inline]
    pub fn has_number(&self, number: i32) -> bool {
        match self.consecutive {
            Some(first) => (number.wrapping_sub(first) as u32 as usize) < self.values.len(),
            None => self.by_number(number).is_some(),
        }
    }

    /// The first value with this number.
    pub fn by_number(&self, number: i32) -> Option<&EnumValue> {
        if let Some(first) = self.consecutive {
            return self.values.get(number.wrapping_sub(first) as u32 as usize);
        }
        if self.ascending {
            let found = self.values.binary_search_by_key(&number, |value| value.number).ok()?;
            return self.values.get(found);
        }
        if !self.by_number.is_empty() {
            let key = |&position: &u32| self.values[position as usize].number;
            let found = self.by_number.binary_search_by_key(&number, key).ok()?;
            return self.values.get(self.by_number[found] as usize);
        }
        self.values.iter().find(|value| value.number == number)
    }

    /// The value with this name.
    pub fn by_name(&self, name: &str) -> Option<&EnumValue> {
        match &self.by_name.0 {
            Some(index) => self.values.get(*index.get(name)? as usize),
            None => self.values.iter().find(|value| value.name == name),
        }
    }

    /// The value that JSON means by `name`: its own JSON string, or its name.
    pub fn by_json_name(&self, name: &str) -> Option<&EnumValue> {
        self.by_name(name)
            .or_else(|| self.values.iter().find(|value| value.json_name.as_deref() == Some(name)))
    }

    /// The string of a number in JSON.
    pub fn json_name(&self, number: i32) -> Option<&str> {
        let value = self.by_number(number)?;
        Some(value.json_name.as_deref().unwrap_or(&value.name))
    }

    /// What a field of this type holds when nothing sets it.
    pub fn default_number(&self) -> i32 {
        self.values.first().map_or(0, |value| value.number)
    }
}
