//! `export` and `local`.

use alloc::borrow::ToOwned;
use alloc::format;

use super::Check;
use crate::descriptor::{DefaultSymbolVisibility, SymbolVisibility};
use crate::pool::fault::Path;
use crate::pool::symbols::SymbolKind;
use crate::pool::table::{Message, Target, join};
use crate::pool::{FileId, MessageId};
use crate::wire::MAX_FIELD_NUMBER;

impl Check<'_> {
    pub(super) fn visibility(&mut self) {
        let file = self.file;
        for (index, field) in file.fields.iter().enumerate() {
            let place = |step: i32| join(file.field_path(index as u32), &[step]);
            if let Some(extendee) = field.extendee {
                self.visible(SymbolKind::Message, extendee, "as the target of an extend ", place(2));
            }
            match field.target {
                Target::Message(id) => self.visible(SymbolKind::Message, id, "", place(6)),
                Target::Enum(id) => {
                    self.visible(
                        SymbolKind::Enum,
                        MessageId { file: id.file, index: id.index },
                        "",
                        place(6),
                    );
                }
                Target::None => {}
            }
        }
        for (index, method) in file.methods.iter().enumerate() {
            let place = |step: i32| join(file.method_path(index as u32), &[step]);
            if let Some(id) = method.input {
                self.visible(SymbolKind::Message, id, "", place(2));
            }
            if let Some(id) = method.output {
                self.visible(SymbolKind::Message, id, "", place(3));
            }
        }
        if file.features.default_symbol_visibility == DefaultSymbolVisibility::STRICT {
            self.strict();
        }
    }

    fn visible(&mut self, kind: SymbolKind, id: MessageId, usage: &str, place: Path) {
        if id.file == self.id {
            return;
        }
        let tables = self.pool.tables(id.file);
        let (written, nested, symbol) = match kind {
            SymbolKind::Message => {
                let message = &tables.messages[id.index as usize];
                (message.visibility, message.parent.is_some(), message.symbol)
            }
            _ => {
                let entry = &tables.enums[id.index as usize];
                (entry.visibility, entry.parent.is_some(), entry.symbol)
            }
        };
        let default = tables.features.default_symbol_visibility;
        let local = match written {
            SymbolVisibility::VISIBILITY_LOCAL => true,
            SymbolVisibility::VISIBILITY_EXPORT => false,
            _ => match default {
                DefaultSymbolVisibility::EXPORT_TOP_LEVEL => nested,
                DefaultSymbolVisibility::LOCAL_ALL | DefaultSymbolVisibility::STRICT => true,
                _ => false,
            },
        };
        if !local {
            return;
        }
        let name = self.pool.symbols.full_name(&self.pool.files, symbol);
        let path = &tables.path;
        let marked = written == SymbolVisibility::VISIBILITY_LOCAL;
        let why = if marked {
            "it is marked `local`".to_owned()
        } else {
            format!("`default_symbol_visibility` of that file is {default:?}")
        };
        let declared: (FileId, Path) = (id.file, join(tables.declaration(kind, id.index), &[1]));
        let fault = self.error(
            "not-visible",
            place,
            format!("\"{name}\" cannot be used {usage}outside \"{path}\": {why}"),
        );
        fault.related.push((declared.0, declared.1, "declared here".into()));
        fault.help = (!marked).then(|| "mark it `export` in its own file".into());
    }

    // Nested types cannot be exported, except enums in a message that is only their namespace.
    fn strict(&mut self) {
        let file = self.file;
        for (index, message) in file.messages.iter().enumerate() {
            if message.parent.is_some() && message.visibility == SymbolVisibility::VISIBILITY_EXPORT {
                let place = join(file.message_path(index as u32), &[1]);
                self.error(
                    "strict-export",
                    place,
                    "a nested message cannot be exported under STRICT visibility",
                )
                .help
                .replace("move it to the top level".into());
            }
        }
        for (index, entry) in file.enums.iter().enumerate() {
            let Some(parent) = entry.parent else { continue };
            let exported = entry.visibility == SymbolVisibility::VISIBILITY_EXPORT;
            if exported && !is_namespace(&file.messages[parent as usize]) {
                let place = join(file.enum_path(index as u32), &[1]);
                self.error(
                    "strict-export",
                    place,
                    "a nested enum cannot be exported under STRICT visibility",
                )
                .help
                .replace(
                    "move it to the top level, or into a top-level local message with nothing but \
                         `reserved 1 to max;`"
                        .into(),
                );
            }
        }
    }
}

fn is_namespace(message: &Message) -> bool {
    message.parent.is_none()
        && message.visibility != SymbolVisibility::VISIBILITY_EXPORT
        && message.reserved_ranges == [(1, MAX_FIELD_NUMBER as i32 + 1)]
}
