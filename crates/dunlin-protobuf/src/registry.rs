//! Types by name: what `Any`, extensions, JSON and text format look up.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::DecodeError;
use crate::dynamic::{DynamicMessage, DynamicPool, is_within};
use crate::extension::{ExtensionValue, read_dynamic};
use crate::message::{Fields, Message, Reflect};
use crate::table::{FieldTable, MessageTable, TableRef};

type Make = fn() -> Box<dyn Fields<'static>>;

/// Message types by full name, and extensions by message and number.
///
/// Generated modules add what they declare by their `register` function; pools add all their types.
///
/// ```
/// use dunlin_protobuf::Registry;
/// use dunlin_protobuf::wkt;
///
/// let mut registry = Registry::new();
/// wkt::register(&mut registry);
/// assert!(registry.message("google.protobuf.Timestamp").is_some());
/// assert!(registry.message("shop.Order").is_none());
/// ```
#[derive(Clone, Default)]
pub struct Registry {
    messages: HashMap<&'static str, (&'static MessageTable, Make), RandomState>,
    extensions: HashMap<(&'static str, u32), &'static FieldTable, RandomState>,
    extension_names: HashMap<&'static str, (&'static str, &'static FieldTable), RandomState>,
    pools: Vec<Arc<DynamicPool>>,
}

impl core::fmt::Debug for Registry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Registry")
            .field("messages", &self.messages.len())
            .field("extensions", &self.extensions.len())
            .field("pools", &self.pools.len())
            .finish()
    }
}

/// An extension that was found, with the table that its types are looked up in.
#[derive(Clone, Debug)]
pub(crate) struct Found<'r> {
    pub(crate) field: &'r FieldTable,
    pub(crate) of: TableRef,
}

impl Found<'_> {
    /// The name of the message type, if the extension is one of that type and declared inside it.
    pub(crate) fn names_its_type(&self) -> Option<String> {
        let table = self.field.message_table(&self.of)?;
        is_within(self.field.name(), table.full_name()).then(|| table.full_name().into())
    }
}

impl Registry {
    /// Without any type.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a generated message type.
    pub fn add_message<M: Message>(&mut self) {
        if let TableRef::Static(table) = M::default().table() {
            self.messages.insert(M::FULL_NAME, (table, || Box::new(M::default())));
        }
    }

    /// Adds a generated extension of the message with this full name.
    pub fn add_extension(&mut self, message: &'static str, field: &'static FieldTable) {
        self.extensions.insert((message, field.number()), field);
        self.extension_names.insert(field.name(), (message, field));
    }

    /// Adds all types of a pool, for names that no generated type has.
    pub fn add_pool(&mut self, pool: Arc<DynamicPool>) {
        self.pools.push(pool);
    }

    /// An empty message of the type with this full name.
    pub fn message(&self, full_name: &str) -> Option<Box<dyn Fields<'static>>> {
        if let Some((_, make)) = self.messages.get(full_name) {
            return Some(make());
        }
        let table = self.pools.iter().find_map(|pool| pool.message(full_name))?;
        Some(Box::new(DynamicMessage::new(table)))
    }

    /// The table of the type with this full name.
    pub fn table(&self, full_name: &str) -> Option<TableRef> {
        if let Some((table, _)) = self.messages.get(full_name) {
            return Some(TableRef::Static(table));
        }
        self.pools.iter().find_map(|pool| pool.message(full_name))
    }

    /// The value that an extension with this number has in a message; `None` if it is not set, or the
    /// registry does not know it.
    ///
    /// # Errors
    /// When the bytes that are there are no value of the extension's type.
    pub fn extension_value(
        &self,
        message: &dyn Reflect,
        number: u32,
    ) -> Result<Option<ExtensionValue>, DecodeError> {
        let Some(found) = self.extension(message.table().full_name(), number) else { return Ok(None) };
        Ok(read_dynamic(message, &found)?.map(ExtensionValue))
    }

    pub(crate) fn extension(&self, message: &str, number: u32) -> Option<Found<'_>> {
        // Keys borrow forever, so that what is asked for must be compared by itself.
        let static_name = self.messages.get_key_value(message).map(|(name, _)| *name);
        if let Some(field) = static_name.and_then(|name| self.extensions.get(&(name, number))) {
            return Some(Found { field, of: TableRef::Static(&NO_TYPE) });
        }
        self.pools.iter().find_map(|pool| {
            let field = pool.extension(message, number)?;
            Some(Found { field, of: pool.message(message)? })
        })
    }

    /// The extension of `message` with this full name.
    pub(crate) fn extension_by_name(&self, message: &str, full_name: &str) -> Option<Found<'_>> {
        if let Some((extended, field)) = self.extension_names.get(full_name) {
            return (*extended == message).then(|| Found { field, of: TableRef::Static(&NO_TYPE) });
        }
        self.pools.iter().find_map(|pool| {
            let (extended, field) = pool.extension_by_name(full_name)?;
            if extended != message {
                return None;
            }
            Some(Found { field, of: pool.message(message)? })
        })
    }

    /// The extension of a message set that text format names by its message type: one that the type
    /// declares inside itself, of its own type.
    pub(crate) fn message_set_extension(&self, message: &str, type_name: &str) -> Option<Found<'_>> {
        let own = self
            .extension_names
            .iter()
            .filter(|(name, (of, _))| *of == message && is_within(name, type_name));
        let own = own.map(|(_, (_, field))| field.number());
        let pools = self.pools.iter().flat_map(|pool| pool.extensions_within(message, type_name));
        own.chain(pools)
            .filter_map(|number| self.extension(message, number))
            .find(|found| found.names_its_type().is_some_and(|name| name == type_name))
    }

    /// The names of all message types.
    pub fn message_names(&self) -> Vec<String> {
        let own = self.messages.keys().map(|name| String::from(*name));
        let pools = self.pools.iter().flat_map(|pool| pool.messages().map(|table| table.full_name().into()));
        own.chain(pools).collect()
    }
}

/// Stands where static fields have their types with them.
static NO_TYPE: MessageTable = MessageTable::new("", &[], &[]);
