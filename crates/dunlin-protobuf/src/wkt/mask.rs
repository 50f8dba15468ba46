//! `FieldMask`: sets of fields by path.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::FieldMask;
use crate::message::{Fields, Message, Reflect};
use crate::reflect;
use crate::slot::{Slot, SlotRef};
use crate::table::{FieldTable, Shape, TableRef};
use crate::wire::MAX_DEPTH;

/// Why a field mask does not fit a message type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MaskError {
    /// A part of a path is no field of the message type there.
    #[error("{message} has no field `{field}`, in path `{path}`")]
    UnknownField {
        /// The path.
        path: String,
        /// The part of it.
        field: String,
        /// The full name of the message type.
        message: String,
    },
    /// A path goes on behind a field that is no single message: a scalar, a list, a map.
    #[error("`{field}` of {message} has no fields of its own, in path `{path}`")]
    NoFields {
        /// The path.
        path: String,
        /// The part of it.
        field: String,
        /// The full name of the message type that has the field.
        message: String,
    },
    /// More parts than messages may be nested.
    #[error("a path has more than {limit} parts")]
    TooDeep {
        /// The most parts that a path may have.
        limit: usize,
    },
    /// Source and target are of different types.
    #[error("fields of {from} cannot be copied to {to}")]
    DifferentTypes {
        /// The full name of the source's type.
        from: String,
        /// The full name of the target's type.
        to: String,
    },
}

/// A set of fields. A path names fields as the schema spells them, with dots between a message
/// field and one inside of it; a field stands for all that is in it.
///
/// ```
/// use dunlin_protobuf::Message;
/// use dunlin_protobuf::wkt::{Api, FieldMask, SourceContext};
///
/// let update = Api {
///     version: "v2".into(),
///     source_context: Some(SourceContext { file_name: "shop.proto".into(), ..Default::default() }),
///     ..Default::default()
/// };
/// let mut stored = Api { name: "shop.Orders".into(), version: "v1".into(), ..Default::default() };
///
/// let mask = FieldMask::from_paths(["version", "source_context.file_name"]);
/// mask.apply(&update, &mut stored)?;
/// assert_eq!(stored.name, "shop.Orders"); // not in the mask
/// assert_eq!(stored.version, "v2");
///
/// let error = FieldMask::from_paths(["verson"]).validate(&stored.table()).unwrap_err();
/// assert_eq!(error.to_string(), "google.protobuf.Api has no field `verson`, in path `verson`");
/// # use dunlin_protobuf::Reflect;
/// # Ok::<(), dunlin_protobuf::wkt::MaskError>(())
/// ```
///
/// Operations on sets see parts of paths only; whether there are such fields is for
/// [`FieldMask::validate`] to say. The wildcard `*` of some APIs is no path here.
impl FieldMask {
    /// A mask with these paths, as they are.
    pub fn from_paths<P: Into<String>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self { paths: paths.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Checks that each path leads through single messages to a field of any kind.
    ///
    /// # Errors
    /// Names the first path that does not; also one of more than 100 parts.
    pub fn validate(&self, table: &TableRef) -> Result<(), MaskError> {
        self.paths.iter().try_for_each(|path| validate(path, table))
    }

    /// [`FieldMask::validate`] for a generated type.
    ///
    /// # Errors
    /// As there.
    pub fn validate_for<M: Message>(&self) -> Result<(), MaskError> {
        self.validate(&TableRef::Static(M::message_table()))
    }

    /// The same set with each field once: sorted, without paths inside of other paths.
    ///
    /// ```
    /// use dunlin_protobuf::wkt::FieldMask;
    ///
    /// let mask = FieldMask::from_paths(["b.c", "a", "b", "a"]).normalize();
    /// assert_eq!(mask.paths, ["a", "b"]);
    /// ```
    pub fn normalize(mut self) -> Self {
        self.paths.sort_unstable_by(|a, b| compare(a, b));
        self.paths.dedup_by(|path, before| covers(before, path));
        self
    }

    /// True if the field at `path` is in the set, by itself or inside of another.
    pub fn contains(&self, path: &str) -> bool {
        self.paths.iter().any(|own| covers(own, path))
    }

    /// The fields that are in either set, normalized.
    pub fn union(&self, other: &Self) -> Self {
        Self::from_paths(self.paths.iter().chain(&other.paths).cloned()).normalize()
    }

    /// The fields that are in both sets, normalized.
    pub fn intersect(&self, other: &Self) -> Self {
        let (a, b) = (self.clone().normalize(), other.clone().normalize());
        let in_b = a.paths.iter().filter(|path| b.has_sorted(path));
        let in_a = b.paths.iter().filter(|path| a.has_sorted(path));
        Self::from_paths(in_b.chain(in_a).cloned()).normalize()
    }

    /// The fields that are in this set and not in the other, normalized. The type of the message
    /// tells what is left of a field whose parts are taken away.
    ///
    /// ```
    /// use dunlin_protobuf::Reflect;
    /// use dunlin_protobuf::wkt::{FieldMask, Option};
    ///
    /// let option = Option::default().table();
    /// let mask = FieldMask::from_paths(["name", "value"]);
    /// let rest = mask.subtract(&FieldMask::from_paths(["name", "value.type_url"]), &option)?;
    /// assert_eq!(rest.paths, ["value.value"]);
    /// # Ok::<(), dunlin_protobuf::wkt::MaskError>(())
    /// ```
    ///
    /// # Errors
    /// When a path of either is not [valid](Self::validate).
    pub fn subtract(&self, other: &Self, table: &TableRef) -> Result<Self, MaskError> {
        let (from, without) = (self.tree(table)?, other.tree(table)?);
        let mut rest = Self::default();
        subtract(&from, &without, table, &mut String::new(), &mut rest.paths);
        Ok(rest.normalize())
    }

    /// Makes the fields of the set in `to` what they are in `from`: what is not set there is cleared,
    /// lists, maps and whole messages are replaced. Other fields stay.
    ///
    /// `to` must own its fields; a view cannot hold what is copied.
    ///
    /// # Errors
    /// When a path is not [valid](Self::validate), or the messages are of different types; nothing
    /// was copied then.
    pub fn apply(&self, from: &dyn Reflect, to: &mut dyn Fields<'_>) -> Result<(), MaskError> {
        let table = to.table();
        if from.table().full_name() != table.full_name() {
            let (from, to) = (from.table().full_name().to_owned(), table.full_name().to_owned());
            return Err(MaskError::DifferentTypes { from, to });
        }
        copy(&self.tree(&table)?, Some(from), to);
        Ok(())
    }

    /// Clears all fields that are not in the set, unknown fields and extensions too; those inside of
    /// a field that is in the set as a whole stay.
    ///
    /// # Errors
    /// When a path is not [valid](Self::validate); nothing was cleared then.
    pub fn prune(&self, message: &mut dyn Fields<'_>) -> Result<(), MaskError> {
        let tree = self.tree(&message.table())?;
        prune(&tree, message);
        Ok(())
    }

    /// [`FieldMask::contains`] in a normalized mask.
    fn has_sorted(&self, path: &str) -> bool {
        let after = self.paths.partition_point(|own| compare(own, path) != Ordering::Greater);
        // What stands between a path and one inside of it would be inside of it too.
        after.checked_sub(1).is_some_and(|at| covers(&self.paths[at], path))
    }

    fn tree(&self, table: &TableRef) -> Result<Tree, MaskError> {
        let mut root = Tree::default();
        for path in &self.paths {
            validate(path, table)?;
            insert(&mut root, path, table);
        }
        Ok(root)
    }
}

/// By parts, so that what is inside of a path directly follows it.
fn compare(a: &str, b: &str) -> Ordering {
    a.split('.').cmp(b.split('.'))
}

/// True if `inner` is `outer` or inside of it.
fn covers(outer: &str, inner: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// True for a field that paths may lead through.
fn has_fields(field: &FieldTable) -> bool {
    field.kind().is_message() && !field.cardinality().is_list() && field.cardinality() != Shape::Map
}

fn validate(path: &str, table: &TableRef) -> Result<(), MaskError> {
    let limit = MAX_DEPTH as usize;
    let mut table = table.clone();
    let mut parts = path.split('.').enumerate().peekable();
    while let Some((depth, part)) = parts.next() {
        if depth == limit {
            return Err(MaskError::TooDeep { limit });
        }
        let (path, name, message) = (path.to_owned(), part.to_owned(), table.full_name().to_owned());
        let Some(field) = table.index_of_name(part).map(|index| &table.fields()[index]) else {
            return Err(MaskError::UnknownField { path, field: name, message });
        };
        if parts.peek().is_none() {
            return Ok(());
        }
        let inner = field.message_table(&table).filter(|_| has_fields(field));
        table = inner.ok_or(MaskError::NoFields { path, field: name, message })?;
    }
    Ok(())
}

/// A mask by positions of fields. No branches: the whole field.
#[derive(Default)]
struct Tree(BTreeMap<usize, Tree>);

impl Tree {
    fn is_whole(&self) -> bool {
        self.0.is_empty()
    }
}

/// Adds a valid path.
fn insert(root: &mut Tree, path: &str, table: &TableRef) {
    let mut table = table.clone();
    let mut tree = root;
    let mut is_new = true;
    for part in path.split('.') {
        // A path inside of one that is there adds nothing.
        if !is_new && tree.is_whole() {
            return;
        }
        let Some(index) = table.index_of_name(part) else { return };
        is_new = !tree.0.contains_key(&index);
        tree = tree.0.entry(index).or_default();
        if let Some(inner) = table.fields()[index].message_table(&table) {
            table = inner;
        }
    }
    tree.0.clear();
}

fn subtract(from: &Tree, without: &Tree, table: &TableRef, prefix: &mut String, rest: &mut Vec<String>) {
    // A field that is there as a whole has all of its fields, once some are taken away.
    let indices: Vec<usize> = if from.is_whole() && !prefix.is_empty() {
        (0..table.fields().len()).collect()
    } else {
        from.0.keys().copied().collect()
    };
    let whole = Tree::default();
    for index in indices {
        let own = from.0.get(&index).unwrap_or(&whole);
        let field = &table.fields()[index];
        let len = prefix.len();
        if len > 0 {
            prefix.push('.');
        }
        prefix.push_str(field.name());
        match without.0.get(&index) {
            None => paths(own, field, table, prefix, rest),
            Some(taken) if taken.is_whole() => {}
            Some(taken) => {
                if let Some(inner) = field.message_table(table) {
                    subtract(own, taken, &inner, prefix, rest);
                }
            }
        }
        prefix.truncate(len);
    }
}

/// The paths of a tree, which is at `field`.
fn paths(tree: &Tree, field: &FieldTable, of: &TableRef, prefix: &mut String, out: &mut Vec<String>) {
    let Some(table) = field.message_table(of).filter(|_| !tree.is_whole()) else {
        out.push(prefix.clone());
        return;
    };
    for (&index, inner) in &tree.0 {
        let len = prefix.len();
        prefix.push('.');
        prefix.push_str(table.fields()[index].name());
        paths(inner, &table.fields()[index], &table, prefix, out);
        prefix.truncate(len);
    }
}

/// `from` is `None` where the message is not set.
fn copy(tree: &Tree, from: Option<&dyn Reflect>, to: &mut dyn Fields<'_>) {
    for (&index, inner) in &tree.0 {
        let from = from.filter(|from| reflect::is_set(*from, index));
        if inner.is_whole() {
            reflect::clear(to, index);
            if let Some(from) = from {
                reflect::copy_field(from.slot_ref(index), &from.table().fields()[index], to, index);
            }
            continue;
        }
        let from = match from.map(|from| from.slot_ref(index)) {
            Some(SlotRef::Message(from)) => Some(from),
            _ if reflect::is_set(to.as_reflect(), index) => None,
            // There is nothing to copy, and nothing to clear.
            _ => continue,
        };
        in_message(to.slot(index), |to| copy(inner, from, to));
    }
}

fn prune(tree: &Tree, message: &mut dyn Fields<'_>) {
    for index in 0..message.table().fields().len() {
        if !reflect::is_set(message.as_reflect(), index) {
            continue;
        }
        match tree.0.get(&index) {
            None => reflect::clear(message, index),
            Some(inner) if inner.is_whole() => {}
            Some(inner) => in_message(message.slot(index), |message| prune(inner, message)),
        }
    }
    if let Some(unknown) = message.try_unknown_fields_mut() {
        *unknown = crate::UnknownFields::default();
    }
}

fn in_message<'a>(slot: Slot<'_, 'a>, act: impl FnOnce(&mut dyn Fields<'a>)) {
    match slot {
        Slot::Present(message) => act(message),
        Slot::Message(place) => act(place.get_or_insert()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wkt::{Any, Api, Method, SourceContext, Struct, Value};

    fn mask(paths: &str) -> FieldMask {
        FieldMask::from_paths(paths.split_whitespace())
    }

    #[test]
    fn paths_inside_of_other_paths_go() {
        for (given, want) in [
            ("", ""),
            ("b a b", "a b"),
            ("a.b a.b.c a", "a"),
            ("a.b a_b ab a", "a ab a_b"), // a name that starts alike is another
            ("a.b ab a.c a-b", "a.b a.c a-b ab"),
        ] {
            let got = mask(given).normalize();
            let mut want = mask(want);
            want.paths.sort_by(|a, b| compare(a, b));
            assert_eq!(got, want, "{given}");
        }
    }

    #[test]
    fn sets_are_united_and_intersected() {
        for (a, b, union, intersection) in [
            ("a", "b", "a b", ""),
            ("a.b a.c", "a", "a", "a.b a.c"),
            ("a", "a.b a.c", "a", "a.b a.c"),
            ("a.b.c d", "a.b x", "a.b d x", "a.b.c"),
            ("ab", "a", "a ab", ""),
            ("", "a", "a", ""),
        ] {
            assert_eq!(mask(a).union(&mask(b)), mask(union), "{a} and {b}");
            assert_eq!(mask(a).intersect(&mask(b)), mask(intersection), "{a} and {b}");
        }
        assert!(mask("a.b").contains("a.b.c"));
        assert!(!mask("a.b").contains("a"));
        assert!(!mask("a.b").contains("a.bc"));
    }

    #[test]
    fn what_is_left_of_a_message_is_spelt_out() {
        let table = crate::wkt::Type::default().table();
        for (from, without, want) in [
            ("name fields", "name", "fields"),
            ("name", "fields", "name"),
            ("source_context", "source_context.file_name", ""),
            ("name source_context.file_name", "source_context", "name"),
            ("name source_context.file_name", "syntax", "name source_context.file_name"),
            ("", "name", ""),
            ("name", "", "name"),
        ] {
            assert_eq!(
                mask(from).subtract(&mask(without), &table),
                Ok(mask(want)),
                "{from} without {without}"
            );
        }
        let option = crate::wkt::Option::default().table();
        assert_eq!(
            mask("value name").subtract(&mask("value.value"), &option),
            Ok(mask("name value.type_url"))
        );
        assert!(mask("name").subtract(&mask("nothing"), &option).is_err());
    }

    #[test]
    fn paths_end_at_any_field_and_lead_through_single_messages() {
        let table = Api::default().table();
        for path in ["name", "methods", "source_context", "source_context.file_name"] {
            assert_eq!(mask(path).validate(&table), Ok(()), "{path}");
        }
        for (path, want) in [
            ("nothing", "google.protobuf.Api has no field `nothing`, in path `nothing`"),
            ("sourceContext", "google.protobuf.Api has no field `sourceContext`, in path `sourceContext`"),
            ("name.x", "`name` of google.protobuf.Api has no fields of its own, in path `name.x`"),
            (
                "methods.name",
                "`methods` of google.protobuf.Api has no fields of its own, in path `methods.name`",
            ),
            ("name.", "`name` of google.protobuf.Api has no fields of its own, in path `name.`"),
            ("source_context.", "google.protobuf.SourceContext has no field ``, in path `source_context.`"),
        ] {
            assert_eq!(alloc::string::ToString::to_string(&mask(path).validate(&table).unwrap_err()), want);
        }
        let empty = FieldMask::from_paths([""]);
        assert!(matches!(empty.validate_for::<Api>(), Err(MaskError::UnknownField { .. })));
        assert!(mask("fields.value").validate_for::<Struct>().is_err()); // a map
        let deep = ["struct_value.fields"; 1].join(".");
        assert!(mask(&deep).validate_for::<Value>().is_ok());
    }

    fn context(file: &str) -> Option<SourceContext> {
        Some(SourceContext { file_name: file.into(), ..Default::default() })
    }

    #[test]
    fn masked_fields_become_what_they_are_in_the_source() {
        let method = |name: &str| Method { name: name.into(), ..Default::default() };
        let from = Api { version: "v2".into(), methods: vec![method("new")], ..Default::default() };
        let stored = Api {
            name: "name".into(),
            version: "v1".into(),
            methods: vec![method("old")],
            source_context: context("old.proto"),
            ..Default::default()
        };
        for (paths, want) in [
            ("", stored.clone()),
            ("version", Api { version: "v2".into(), ..stored.clone() }),
            ("name", Api { name: "".into(), ..stored.clone() }),
            ("methods", Api { methods: vec![method("new")], ..stored.clone() }),
            ("source_context", Api { source_context: None, ..stored.clone() }),
            ("source_context.file_name", Api { source_context: context(""), ..stored.clone() }),
        ] {
            let mut to = stored.clone();
            mask(paths).apply(&from, &mut to).unwrap();
            assert_eq!(to, want, "{paths}");
        }
        // Nothing is made where there is nothing on either side.
        let mut to = Api::default();
        mask("source_context.file_name").apply(&from, &mut to).unwrap();
        assert_eq!(to, Api::default());
        mask("source_context.file_name").apply(&stored, &mut to).unwrap();
        assert_eq!(to.source_context, context("old.proto"));
        assert!(matches!(mask("").apply(&from, &mut Any::default()), Err(MaskError::DifferentTypes { .. })));
    }

    #[test]
    fn a_oneof_keeps_the_member_that_is_not_masked() {
        let from = Value::from(true);
        let mut to = Value::from("text");
        mask("number_value").apply(&from, &mut to).unwrap();
        assert_eq!(to, Value::from("text"));
        mask("bool_value").apply(&from, &mut to).unwrap();
        assert_eq!(to, from);
    }

    #[test]
    fn pruning_keeps_what_is_masked() {
        let mut api = Api {
            name: "name".into(),
            version: "v1".into(),
            source_context: context("a.proto"),
            ..Default::default()
        };
        api.unknown_fields.extend_from_wire(&[0x78, 0x01]);
        api.source_context.as_mut().unwrap().unknown_fields.extend_from_wire(&[0x78, 0x01]);
        let mut whole = api.clone();
        mask("version source_context").prune(&mut whole).unwrap();
        assert_eq!(
            whole,
            Api { version: "v1".into(), source_context: api.source_context.clone(), ..Default::default() }
        );
        mask("source_context.file_name").prune(&mut api).unwrap();
        assert_eq!(api, Api { source_context: context("a.proto"), ..Default::default() });
        mask("").prune(&mut api).unwrap();
        assert_eq!(api, Api::default());
    }
}
