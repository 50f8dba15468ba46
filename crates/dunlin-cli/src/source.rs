//! Descriptors as proto source: one element as `dunlin describe` shows it, whole files as `-proto-out-dir` writes
//! them. To the letter as grpcurl does it, so [`Style`] has its two ways.
//!
//! [`writer`] puts lines and comments, [`names`] shortens names, [`options`] reads options and [`literal`] writes
//! their values; [`message`], [`enumeration`], [`service`] and [`file`](mod@file) print elements.

mod enumeration;
mod field;
mod file;
mod literal;
mod message;
mod names;
mod options;
mod order;
mod ranges;
mod service;
mod writer;

use std::collections::HashMap;
use std::sync::Arc;

use dunlin_protobuf::descriptor::{FileDescriptorProto, Location};
use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_protobuf::pool::{DescriptorPool, FileId, FileView};

use crate::online::schema::{Element, Found, Types};
use writer::Writer;

/// How elements are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// Dense, sorted, with full names, and only with the comments that document elements.
    Shown,
    /// As people write files, in the order of the source, with all comments.
    Source,
}

/// Prints elements of one file.
struct Printer<'p> {
    descriptors: &'p DescriptorPool,
    view: FileView<'p>,
    proto: &'p FileDescriptorProto,
    package: String,
    types: Types,
    locations: HashMap<&'p [i32], &'p Location>,
    style: Style,
    out: Writer,
}

/// A whole file.
pub(crate) fn file(pool: &Arc<DynamicPool>, id: FileId) -> String {
    let Some(mut printer) = Printer::new(pool, id, Style::Source) else { return String::new() };
    printer.file();
    printer.out.finish()
}

/// What was found, without a line end.
pub(crate) fn element(found: &Found) -> String {
    let Some(mut printer) = Printer::new(&found.pool, found.file, Style::Shown) else { return String::new() };
    printer.element(found);
    let mut text = printer.out.finish();
    if text.ends_with('\n') {
        text.pop();
    }
    text
}

/// The method of this path, `/pkg.Service/Method`.
pub(crate) fn method(pool: &Arc<DynamicPool>, path: &str) -> String {
    let name = path.trim_start_matches('/').replace('/', ".");
    Found::in_pool(pool, &name).map(|found| element(&found)).unwrap_or_default()
}

impl<'p> Printer<'p> {
    fn new(pool: &'p Arc<DynamicPool>, id: FileId, style: Style) -> Option<Self> {
        let descriptors = pool.descriptors();
        let view = descriptors.file(id);
        let proto = view.proto()?;
        let info = proto.source_code_info.as_deref();
        // Of several locations of one path, the first has the comments.
        let mut locations = HashMap::new();
        for location in info.into_iter().flat_map(|info| &info.location) {
            locations.entry(location.path.as_slice()).or_insert(location);
        }
        let package = view.package().to_owned();
        Some(Self {
            descriptors,
            view,
            proto,
            package,
            types: Types::new(pool.clone()),
            locations,
            style,
            out: Writer::default(),
        })
    }

    fn location(&self, path: &[i32]) -> Option<&'p Location> {
        self.locations.get(path).copied()
    }

    /// Between elements, where files have an empty line.
    fn gap(&mut self) {
        if self.style == Style::Source {
            self.out.blank_line();
        }
    }

    fn element(&mut self, found: &Found) {
        let path = found.element.path();
        let scope = found.full_name.rsplit_once('.').map_or("", |(scope, _)| scope).to_owned();
        let proto = self.proto;
        match &found.element {
            Element::Message(_) => match self.group_or_map(path) {
                Some(field) => self.field_at(&field, &scope),
                None => self.message_at(path, &found.full_name),
            },
            Element::Field(_) => self.field_at(path, &scope),
            Element::Extension(_) => self.extension_at(path, &scope),
            Element::Oneof(_) => self.oneof_at(path, &scope),
            Element::Enum(_) => self.enumeration_at(path, &found.full_name),
            Element::EnumValue(_) => {
                let (parent, index) = path.split_at(path.len() - 2);
                if let Some(declared) = self.enum_of(parent) {
                    self.enum_value(&declared.value[index[1] as usize], path, &scope, 0);
                }
            }
            Element::Service(_) => {
                self.service(&proto.service[path[1] as usize], path, &found.full_name, 0);
            }
            Element::Method(_) => {
                let method = &proto.service[path[1] as usize].method[path[3] as usize];
                self.method(method, path, &found.full_name, 0);
            }
        }
    }
}
