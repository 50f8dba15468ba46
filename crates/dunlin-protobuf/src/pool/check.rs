//! The rules of the language that a linked file is held against.

mod declarations;
mod enums;
mod fields;
mod files;
mod json_names;
mod messages;
mod ranges;
mod style;
mod visibility;

use alloc::string::String;
use alloc::vec::Vec;

use super::fault::{Fault, Path};
use super::table::{File, enums_in_order, fields_in_order, messages_in_order};
use super::{DescriptorPool, FileId};
use crate::descriptor::{
    DescriptorProto, Edition, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

/// Why a file is in the pool; files that are only imported are held to a little less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// For its own sake.
    Input,
    /// Because another file imports it: field numbers that belong to the implementation pass.
    Import,
    /// As a descriptor that was compiled before, held to no more than an import. It may have lost
    /// the options that are kept in sources only, and with them what turns naming styles, size
    /// limits and visibility off, so it is not held to these again.
    Compiled,
}

/// Everything that the checks of one file look at.
struct Check<'c> {
    pool: &'c DescriptorPool,
    id: FileId,
    file: &'c File,
    proto: &'c FileDescriptorProto,
    scope: Scope,
    /// In the order of the file's tables.
    messages: Vec<&'c DescriptorProto>,
    enums: Vec<&'c EnumDescriptorProto>,
    fields: Vec<&'c FieldDescriptorProto>,
    faults: &'c mut Vec<Fault>,
}

impl DescriptorPool {
    /// Holds `proto`, which is `file`, against the rules of the language.
    ///
    /// Names have to be resolved and options applied, in this file and all that it imports.
    pub fn check(&self, file: FileId, proto: &FileDescriptorProto, scope: Scope, faults: &mut Vec<Fault>) {
        let messages = messages_in_order(proto);
        let mut check = Check {
            pool: self,
            id: file,
            file: self.tables(file),
            proto,
            scope,
            enums: enums_in_order(proto, &messages),
            fields: fields_in_order(proto, &messages),
            messages,
            faults,
        };
        check.file();
        check.messages();
        check.fields();
        check.enums();
        if scope != Scope::Compiled {
            check.visibility();
            check.style();
        }
    }
}

impl<'c> Check<'c> {
    fn error(&mut self, code: &'static str, path: Path, message: impl Into<String>) -> &mut Fault {
        self.faults.push(Fault::error(self.id, code, path, message));
        self.faults.last_mut().expect("pushed just now")
    }

    fn warning(&mut self, code: &'static str, path: Path, message: impl Into<String>) {
        self.faults.push(Fault::warning(self.id, code, path, message));
    }

    fn edition(&self) -> Edition {
        self.file.edition
    }

    fn is_proto3(&self) -> bool {
        self.edition() == Edition::EDITION_PROTO3
    }

    fn is_legacy(&self) -> bool {
        super::features::is_legacy(self.edition())
    }
}
