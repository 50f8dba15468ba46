//! Rules of enums, lists, maps, `Any` and `FieldMask`.

use std::collections::HashSet;

use dunlin_protobuf::Reflect;
use dunlin_protobuf::slot::SlotRef;
use dunlin_protobuf::table::{EnumTable, FieldTable, TableRef};

use super::Failures;
use crate::cel::slot_len;
use crate::proto::{AnyRules, EnumRules, FieldMaskRules, MapRules, RepeatedRules};
use crate::text;

/// The field that the rules are of, and its message's table.
#[derive(Clone, Copy)]
pub(crate) struct Items<'t> {
    pub(crate) field: &'t FieldTable,
    pub(crate) of: &'t TableRef,
}

#[derive(Debug)]
pub(crate) struct Enums {
    constant: Option<i32>,
    any_of: Vec<i32>,
    none_of: Vec<i32>,
    /// The numbers that have names.
    defined: Option<HashSet<i32>>,
}

impl Enums {
    pub(super) fn compile(rules: &EnumRules, items: Items<'_>) -> Option<Self> {
        let numbers = |table: &EnumTable| table.values().iter().map(|value| value.number()).collect();
        let compiled = Self {
            constant: rules.r#const,
            any_of: rules.r#in.clone(),
            none_of: rules.not_in.clone(),
            defined: rules.defined_only().then(|| items.field.enum_table(items.of).map(numbers)).flatten(),
        };
        let is_rule = compiled.constant.is_some()
            || !compiled.any_of.is_empty()
            || !compiled.none_of.is_empty()
            || compiled.defined.is_some();
        is_rule.then_some(compiled)
    }

    pub(super) fn check(&self, value: i32, out: &mut Failures) {
        if let Some(constant) = self.constant.filter(|constant| value != *constant) {
            out.add(1, "enum.const", format!("must equal {constant}"));
        }
        if !self.any_of.is_empty() && !self.any_of.contains(&value) {
            out.add(3, "enum.in", format!("must be in list {}", text::list(&self.any_of, i32::to_string)));
        }
        if self.none_of.contains(&value) {
            out.add(
                4,
                "enum.not_in",
                format!("must not be in list {}", text::list(&self.none_of, i32::to_string)),
            );
        }
        if self.defined.as_ref().is_some_and(|defined| !defined.contains(&value)) {
            out.add(2, "enum.defined_only", "value must be one of the defined enum values");
        }
    }
}

#[derive(Debug)]
pub(crate) struct Lists {
    least: Option<u64>,
    most: Option<u64>,
    is_unique: bool,
}

impl Lists {
    pub(super) fn compile(rules: &RepeatedRules, items: Items<'_>) -> Result<Option<Self>, String> {
        if rules.unique() && items.field.kind().is_message() {
            return Err("`unique` is for lists of scalars and enums".into());
        }
        let compiled = Self { least: rules.min_items, most: rules.max_items, is_unique: rules.unique() };
        let is_rule = compiled.least.is_some() || compiled.most.is_some() || compiled.is_unique;
        Ok(is_rule.then_some(compiled))
    }

    pub(super) fn check(&self, list: SlotRef<'_>, out: &mut Failures) {
        let count = slot_len(list) as u64;
        if let Some(least) = self.least.filter(|least| count < *least) {
            out.add(1, "repeated.min_items", format!("must contain at least {least} item(s)"));
        }
        if let Some(most) = self.most.filter(|most| count > *most) {
            out.add(2, "repeated.max_items", format!("must contain no more than {most} item(s)"));
        }
        if self.is_unique && !is_unique(list) {
            out.add(3, "repeated.unique", "repeated value must contain unique items");
        }
    }
}

/// True if no item comes twice. Zeros of both signs are one, and NaN is unlike NaN.
fn is_unique(list: SlotRef<'_>) -> bool {
    fn distinct<T: std::hash::Hash + Eq>(items: impl IntoIterator<Item = T>) -> bool {
        let items = items.into_iter();
        let mut seen = HashSet::with_capacity(items.size_hint().0);
        items.into_iter().all(|item| seen.insert(item))
    }
    let double = |value: f64| (!value.is_nan()).then_some((value + 0.0).to_bits());
    match list {
        SlotRef::Bools(items) => distinct(items),
        SlotRef::I32s(items) => distinct(items),
        SlotRef::I64s(items) => distinct(items),
        SlotRef::U32s(items) => distinct(items),
        SlotRef::U64s(items) => distinct(items),
        SlotRef::F32s(items) => distinct(items.iter().filter_map(|item| double((*item).into()))),
        SlotRef::F64s(items) => distinct(items.iter().filter_map(|item| double(*item))),
        SlotRef::Strings(items) => distinct(items),
        SlotRef::SharedList(items) => distinct(items.iter().map(|item| item.as_str())),
        SlotRef::Strs(items) => distinct(items),
        SlotRef::BytesList(items) => distinct(items),
        SlotRef::ByteVecs(items) => distinct(items),
        SlotRef::Slices(items) => distinct(items),
        SlotRef::Enums(items) => distinct((0..items.len()).filter_map(|at| items.get(at))),
        _ => true,
    }
}

#[derive(Debug)]
pub(crate) struct Maps {
    least: Option<u64>,
    most: Option<u64>,
}

impl Maps {
    pub(super) fn compile(rules: &MapRules) -> Option<Self> {
        let compiled = Self { least: rules.min_pairs, most: rules.max_pairs };
        (compiled.least.is_some() || compiled.most.is_some()).then_some(compiled)
    }

    pub(super) fn check(&self, count: usize, out: &mut Failures) {
        if let Some(least) = self.least.filter(|least| (count as u64) < *least) {
            out.add(1, "map.min_pairs", format!("map must be at least {least} entries"));
        }
        if let Some(most) = self.most.filter(|most| count as u64 > *most) {
            out.add(2, "map.max_pairs", format!("map must be at most {most} entries"));
        }
    }
}

#[derive(Debug)]
pub(crate) struct Anys {
    any_of: HashSet<String>,
    none_of: HashSet<String>,
}

impl Anys {
    pub(super) fn compile(rules: &AnyRules) -> Option<Self> {
        let set = |urls: &[String]| urls.iter().cloned().collect();
        let compiled = Self { any_of: set(&rules.r#in), none_of: set(&rules.not_in) };
        (!compiled.any_of.is_empty() || !compiled.none_of.is_empty()).then_some(compiled)
    }

    pub(super) fn check(&self, message: &dyn Reflect, out: &mut Failures) {
        let index = message.table().index_of(1);
        let Some(SlotRef::String(url)) = index.map(|index| message.slot_ref(index)) else { return };
        if !self.any_of.is_empty() && !self.any_of.contains(url) {
            out.add(2, "any.in", "type URL must be in the allow list");
        }
        if self.none_of.contains(url) {
            out.add(3, "any.not_in", "type URL must not be in the block list");
        }
    }
}

#[derive(Debug)]
pub(crate) struct FieldMasks {
    constant: Option<Vec<String>>,
    any_of: Vec<String>,
    none_of: Vec<String>,
}

impl FieldMasks {
    pub(super) fn compile(rules: &FieldMaskRules) -> Option<Self> {
        let compiled = Self {
            constant: rules.r#const.as_ref().map(|mask| mask.paths.clone()),
            any_of: rules.r#in.clone(),
            none_of: rules.not_in.clone(),
        };
        let is_rule =
            compiled.constant.is_some() || !compiled.any_of.is_empty() || !compiled.none_of.is_empty();
        is_rule.then_some(compiled)
    }

    pub(super) fn check(&self, message: &dyn Reflect, out: &mut Failures) {
        let index = message.table().index_of(1);
        let paths = index.and_then(|index| message.slot_ref(index).texts()).unwrap_or_default();
        if let Some(constant) = &self.constant
            && paths != *constant
        {
            out.add(
                1,
                "field_mask.const",
                format!("must equal paths {}", text::list(constant, String::clone)),
            );
        }
        // A path stands for all that is below it.
        let covers = |list: &[String], path: &str| {
            list.iter().any(|item| {
                path.strip_prefix(item.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        };
        if !self.any_of.is_empty() && !paths.iter().all(|path| covers(&self.any_of, path)) {
            let list = text::list(&self.any_of, String::clone);
            out.add(2, "field_mask.in", format!("must only contain paths in {list}"));
        }
        if paths.iter().any(|path| covers(&self.none_of, path)) {
            let list = text::list(&self.none_of, String::clone);
            out.add(3, "field_mask.not_in", format!("must not contain any paths in {list}"));
        }
    }
}
