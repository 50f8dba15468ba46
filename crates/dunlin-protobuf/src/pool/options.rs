//! What the options of a file mean for the rest of the pool, and the features that hold in it.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::fault::{Fault, Path};
use super::features::{Features, is_legacy};
use super::table::{FieldTraits, FileTraits, enums_in_order, fields_in_order, join, messages_in_order};
use super::{DescriptorPool, FileId};
use crate::descriptor::{
    Edition, ExtensionRangeOptions, FeatureSet, FeatureSupport, FieldDescriptorProto, FieldOptions,
    FieldPresence, FileDescriptorProto, Label, MessageEncoding, OptimizeMode, OptionRetention,
    RepeatedFieldEncoding, Type,
};

/// The features of a file and the options that matter elsewhere; see
/// [`DescriptorPool::derive_options`].
#[derive(Debug)]
pub struct DerivedOptions {
    root: Features,
    traits: FileTraits,
    messages: Vec<DerivedMessage>,
    oneofs: Vec<Features>,
    enums: Vec<Features>,
    values: Vec<DerivedValue>,
    fields: Vec<DerivedField>,
    services: Vec<Features>,
    methods: Vec<Features>,
    faults: Vec<Fault>,
}

#[derive(Debug)]
struct DerivedMessage {
    features: Features,
    message_set: bool,
    rules: Vec<Option<Arc<ExtensionRangeOptions>>>,
}

#[derive(Debug)]
struct DerivedValue {
    features: Features,
    debug_redact: bool,
    support: Option<Arc<FeatureSupport>>,
}

#[derive(Debug)]
struct DerivedField {
    features: Features,
    own_features: Features,
    packed: Option<bool>,
    traits: FieldTraits,
}

impl DescriptorPool {
    /// Takes over the options in `proto`, which is `file`, and resolves the features of all its
    /// elements. Files it imports have to come first.
    pub fn apply_options(&mut self, file: FileId, proto: &FileDescriptorProto) -> Vec<Fault> {
        let derived = self.derive_options(file, proto);
        self.set_options(file, derived)
    }

    /// Reads the options in `proto`, which is `file`, and resolves the features of its elements.
    pub fn derive_options(&self, file: FileId, proto: &FileDescriptorProto) -> DerivedOptions {
        let mut faults = Vec::new();
        let messages = messages_in_order(proto);
        let enums = enums_in_order(proto, &messages);
        let fields = fields_in_order(proto, &messages);
        let tables = &self.files[file.index()];
        let edition = tables.edition;
        // An unknown edition is reported elsewhere; proto2 is as good a guess as any.
        let defaults = Features::defaults(edition)
            .or_else(|| Features::defaults(Edition::EDITION_PROTO2))
            .unwrap_or_default();
        let mut resolve =
            |parent: Features, inferred: Features, set: Option<&FeatureSet>, place: &dyn Fn() -> Path| {
                let Some(set) = set else { return parent.merged(inferred) };
                if is_legacy(edition) {
                    faults.push(Fault::error(
                        file,
                        "feature-without-edition",
                        place(),
                        "features can only be set in editions",
                    ));
                }
                if let Some(feature) = Features::unresolvable(set) {
                    let message = format!("feature `{feature}` has to be set to a known value");
                    faults.push(Fault::error(file, "unknown-feature-value", place(), message));
                }
                parent.merged(inferred).merged(Features::explicit(set))
            };
        let none = Features::default();

        let file_options = proto.options.as_deref();
        let root = resolve(defaults, none, file_options.and_then(|o| o.features.as_deref()), &|| vec![8, 50]);

        let mut message_features = Vec::with_capacity(messages.len());
        for (index, message) in messages.iter().enumerate() {
            let parent = tables.messages[index].parent.map_or(root, |p| message_features[p as usize]);
            let options = message.options.as_deref();
            let place = || join(tables.message_path(index as u32), &[7, 12]);
            let features = resolve(parent, none, options.and_then(|o| o.features.as_deref()), &place);
            for (range_index, range) in message.extension_range.iter().enumerate() {
                let set = range.options.as_deref().and_then(|o| o.features.as_deref());
                let place = || join(tables.message_path(index as u32), &[5, range_index as i32, 3, 50]);
                resolve(features, none, set, &place);
            }
            message_features.push(features);
        }

        let mut oneof_features = Vec::with_capacity(tables.oneofs.len());
        for (index, proto) in messages.iter().flat_map(|m| &m.oneof_decl).enumerate() {
            let parent = message_features[tables.oneofs[index].parent as usize];
            let set = proto.options.as_deref().and_then(|o| o.features.as_deref());
            let place = || join(tables.oneof_path(index as u32), &[2, 1]);
            oneof_features.push(resolve(parent, none, set, &place));
        }

        let mut enum_features = Vec::with_capacity(enums.len());
        let mut value_features = Vec::with_capacity(tables.values.len());
        for (index, proto) in enums.iter().enumerate() {
            let parent = tables.enums[index].parent.map_or(root, |p| message_features[p as usize]);
            let set = proto.options.as_deref().and_then(|o| o.features.as_deref());
            let place = || join(tables.enum_path(index as u32), &[3, 7]);
            let features = resolve(parent, none, set, &place);
            enum_features.push(features);
            for value in &proto.value {
                let value_index = value_features.len() as u32;
                let set = value.options.as_deref().and_then(|o| o.features.as_deref());
                let place = || join(tables.value_path(value_index), &[3, 2]);
                value_features.push(resolve(features, none, set, &place));
            }
        }

        let mut field_features = Vec::with_capacity(fields.len());
        for (index, proto) in fields.iter().enumerate() {
            let entry = &tables.fields[index];
            let parent = match (entry.oneof, entry.parent) {
                (Some(oneof), _) => oneof_features[oneof as usize],
                (None, Some(message)) => message_features[message as usize],
                (None, None) => root,
            };
            let set = proto.options.as_deref().and_then(|o| o.features.as_deref());
            let place = || join(tables.field_path(index as u32), &[8, 21]);
            field_features.push(resolve(parent, inferred(edition, proto), set, &place));
        }

        let mut service_features = Vec::new();
        let mut method_features = Vec::with_capacity(tables.methods.len());
        for (index, service) in proto.service.iter().enumerate() {
            let set = service.options.as_deref().and_then(|o| o.features.as_deref());
            let features = resolve(root, none, set, &|| vec![6, index as i32, 3, 34]);
            service_features.push(features);
            for method in &service.method {
                let method_index = method_features.len() as u32;
                let set = method.options.as_deref().and_then(|o| o.features.as_deref());
                let place = || join(tables.method_path(method_index), &[4, 35]);
                method_features.push(resolve(features, none, set, &place));
            }
        }

        let messages = messages
            .iter()
            .zip(message_features)
            .map(|(proto, features)| DerivedMessage {
                features,
                message_set: proto.options.as_ref().is_some_and(|o| o.message_set_wire_format == Some(true)),
                rules: proto
                    .extension_range
                    .iter()
                    .map(|range| range_rules(range.options.as_deref()))
                    .collect(),
            })
            .collect();
        let values = enums.iter().flat_map(|e| &e.value).zip(value_features);
        let values = values
            .map(|(proto, features)| {
                let options = proto.options.as_deref();
                DerivedValue {
                    features,
                    debug_redact: options.is_some_and(|o| o.debug_redact == Some(true)),
                    support: options.and_then(|o| o.feature_support.as_deref()).map(|s| Arc::new(s.clone())),
                }
            })
            .collect();
        let fields = fields.iter().zip(field_features);
        let fields =
            fields.map(|(proto, features)| derived_field(proto.options.as_deref(), features)).collect();
        DerivedOptions {
            root,
            traits: FileTraits {
                lite: file_options.is_some_and(|o| o.optimize_for == Some(OptimizeMode::LITE_RUNTIME)),
            },
            messages,
            oneofs: oneof_features,
            enums: enum_features,
            values,
            fields,
            services: service_features,
            methods: method_features,
            faults,
        }
    }

    /// Takes over what [`DescriptorPool::derive_options`] found; returns its faults.
    pub fn set_options(&mut self, file: FileId, derived: DerivedOptions) -> Vec<Fault> {
        let tables = &mut self.files[file.index()];
        tables.features = derived.root;
        tables.options = derived.traits;
        for (entry, message) in tables.messages.iter_mut().zip(derived.messages) {
            entry.features = message.features;
            entry.message_set = message.message_set;
            for (range, rules) in entry.extension_ranges.iter_mut().zip(message.rules) {
                range.rules = rules;
            }
        }
        for (entry, features) in tables.oneofs.iter_mut().zip(derived.oneofs) {
            entry.features = features;
        }
        for (entry, features) in tables.enums.iter_mut().zip(derived.enums) {
            entry.features = features;
        }
        for (entry, value) in tables.values.iter_mut().zip(derived.values) {
            entry.features = value.features;
            entry.debug_redact = value.debug_redact;
            entry.support = value.support;
        }
        for (entry, field) in tables.fields.iter_mut().zip(derived.fields) {
            entry.features = field.features;
            entry.own_features = field.own_features;
            entry.packed = field.packed;
            entry.traits = field.traits;
        }
        for (entry, features) in tables.services.iter_mut().zip(derived.services) {
            entry.features = features;
        }
        for (entry, features) in tables.methods.iter_mut().zip(derived.methods) {
            entry.features = features;
        }
        derived.faults
    }
}

fn range_rules(options: Option<&ExtensionRangeOptions>) -> Option<Arc<ExtensionRangeOptions>> {
    let has_rules = |o: &&ExtensionRangeOptions| !o.declaration.is_empty() || o.verification.is_some();
    options.filter(has_rules).map(|o| Arc::new(o.clone()))
}

fn derived_field(options: Option<&FieldOptions>, features: Features) -> DerivedField {
    let mut field = DerivedField {
        features,
        own_features: Features::default(),
        packed: None,
        traits: FieldTraits::default(),
    };
    let Some(options) = options else { return field };
    field.packed = options.packed;
    field.own_features = options.features.as_deref().map(Features::explicit).unwrap_or_default();
    let targets = options.targets.iter().filter(|target| (0..16).contains(&target.0));
    field.traits = FieldTraits {
        targets: targets.fold(0, |bits, target| bits | 1 << target.0),
        source_only: options.retention == Some(OptionRetention::RETENTION_SOURCE),
        debug_redact: options.debug_redact == Some(true),
        support: options.feature_support.as_deref().map(|s| Arc::new(s.clone())),
    };
    field
}

/// What labels, `packed` and group syntax of proto2 and proto3 say in terms of features.
fn inferred(edition: Edition, proto: &FieldDescriptorProto) -> Features {
    let mut features = Features::default();
    if !is_legacy(edition) {
        return features;
    }
    if proto.label == Some(Label::LABEL_REQUIRED) {
        features.field_presence = FieldPresence::LEGACY_REQUIRED;
    }
    if proto.proto3_optional == Some(true) {
        features.field_presence = FieldPresence::EXPLICIT;
    }
    if proto.r#type == Some(Type::TYPE_GROUP) {
        features.message_encoding = MessageEncoding::DELIMITED;
    }
    match proto.options.as_deref().and_then(|o| o.packed) {
        Some(true) => features.repeated_field_encoding = RepeatedFieldEncoding::PACKED,
        Some(false) if edition == Edition::EDITION_PROTO3 => {
            features.repeated_field_encoding = RepeatedFieldEncoding::EXPANDED;
        }
        _ => {}
    }
    features
}
