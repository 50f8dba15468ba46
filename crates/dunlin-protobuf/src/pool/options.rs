//! What the options of a file mean for the rest of the pool, and the features that hold in it.

use std::sync::Arc;

use super::fault::{Fault, Path};
use super::features::{Features, is_legacy};
use super::table::{FieldTraits, FileTraits, enums_in_order, fields_in_order, join, messages_in_order};
use super::{DescriptorPool, FileId};
use crate::descriptor::{
    Edition, FeatureSet, FieldDescriptorProto, FieldPresence, FileDescriptorProto, Label, MessageEncoding,
    OptimizeMode, OptionRetention, RepeatedFieldEncoding, Type,
};

impl DescriptorPool {
    /// Takes over the options in `proto`, which is `file`, and resolves the features of all its
    /// elements. Files it imports have to come first.
    pub fn apply_options(&mut self, file: FileId, proto: &FileDescriptorProto) -> Vec<Fault> {
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
        let mut resolve = |parent: Features, inferred: Features, set: Option<&FeatureSet>, place: &dyn Fn() -> Path| {
            let Some(set) = set else { return parent.merged(inferred) };
            if is_legacy(edition) {
                faults.push(Fault::error(file, "feature-without-edition", place(), "features can only be set in editions"));
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

        let tables = &mut self.files[file.index()];
        tables.features = root;
        tables.options = FileTraits {
            lite: file_options.is_some_and(|o| o.optimize_for == Some(OptimizeMode::LITE_RUNTIME)),
        };
        for ((entry, proto), features) in tables.messages.iter_mut().zip(&messages).zip(message_features) {
            entry.features = features;
            entry.message_set = proto.options.as_ref().is_some_and(|o| o.message_set_wire_format == Some(true));
            for (range, proto) in entry.extension_ranges.iter_mut().zip(&proto.extension_range) {
                range.rules = proto
                    .options
                    .as_deref()
                    .filter(|o| !o.declaration.is_empty() || o.verification.is_some())
                    .map(|o| Arc::new(o.clone()));
            }
        }
        for (entry, features) in tables.oneofs.iter_mut().zip(oneof_features) {
            entry.features = features;
        }
        for (entry, features) in tables.enums.iter_mut().zip(enum_features) {
            entry.features = features;
        }
        let values = enums.iter().flat_map(|e| &e.value);
        for ((entry, proto), features) in tables.values.iter_mut().zip(values).zip(value_features) {
            entry.features = features;
            if let Some(options) = &proto.options {
                entry.debug_redact = options.debug_redact == Some(true);
                entry.support = options.feature_support.as_deref().map(|s| Arc::new(s.clone()));
            }
        }
        for ((entry, proto), features) in tables.fields.iter_mut().zip(&fields).zip(field_features) {
            entry.features = features;
            if let Some(options) = proto.options.as_deref() {
                entry.packed = options.packed;
                entry.own_features = options.features.as_deref().map(Features::explicit).unwrap_or_default();
                entry.traits = FieldTraits {
                    targets: options
                        .targets
                        .iter()
                        .filter(|target| (0..16).contains(&target.0))
                        .fold(0, |bits, target| bits | 1 << target.0),
                    source_only: options.retention == Some(OptionRetention::RETENTION_SOURCE),
                    support: options.feature_support.as_deref().map(|s| Arc::new(s.clone())),
                };
            }
        }
        for (entry, features) in tables.services.iter_mut().zip(service_features) {
            entry.features = features;
        }
        for (entry, features) in tables.methods.iter_mut().zip(method_features) {
            entry.features = features;
        }
        faults
    }
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
