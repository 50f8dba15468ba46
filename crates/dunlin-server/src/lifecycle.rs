//! What services learn of the server that they are part of: what else it serves, and when it ends.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dunlin_protobuf::dynamic::DynamicPool;

use crate::methods::Methods;

/// What a server serves, for services that tell it, such as reflection; see [`Methods::on_build`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Served {
    /// The full names of the services, in their order.
    pub services: BTreeSet<String>,
    /// Their schemas, as far as they came with them.
    pub schemas: Vec<ServedSchema>,
}

/// The schema of services.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ServedSchema {
    /// An encoded `google.protobuf.FileDescriptorSet`, as generated code has it.
    Encoded(&'static [u8]),
    /// That of services that are served by their descriptors.
    Pool(Arc<DynamicPool>),
}

impl ServedSchema {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Encoded(one), Self::Encoded(other)) => std::ptr::eq(*one, *other),
            (Self::Pool(one), Self::Pool(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

/// A step of a server's end; see [`Builder::on_shutdown`](crate::Builder::on_shutdown).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ShutdownPhase {
    /// The end was asked for. Connections and calls are still taken, for as long as
    /// [`shutdown_delay`](crate::Builder::shutdown_delay) says.
    Leaving,
    /// Nothing is taken any longer, and clients are told so. Calls that would go on for ever should end.
    Draining,
}

pub(crate) type ShutdownHook = Arc<dyn Fn(ShutdownPhase) + Send + Sync>;
type BuildHook = Box<dyn FnOnce(&Served) + Send>;

/// How a server ends.
#[derive(Clone)]
pub(crate) struct End {
    pub(crate) hooks: Vec<ShutdownHook>,
    pub(crate) delay: Duration,
    pub(crate) grace: Duration,
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("End").field("delay", &self.delay).field("grace", &self.grace).finish_non_exhaustive()
    }
}

/// What was registered beside methods.
#[derive(Default)]
pub(crate) struct Hooks {
    services: BTreeSet<String>,
    schemas: Vec<ServedSchema>,
    on_build: Vec<BuildHook>,
    pub(crate) on_shutdown: Vec<ShutdownHook>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").field("services", &self.services).finish_non_exhaustive()
    }
}

impl Hooks {
    /// A service that may have no methods.
    pub(crate) fn add_service(&mut self, name: &str) {
        self.services.insert(name.to_owned());
    }

    /// Tells those who asked what the server serves, and leaves what is to be told at its end.
    pub(crate) fn built<'m>(mut self, methods: impl Iterator<Item = &'m str>) -> Vec<ShutdownHook> {
        self.services.extend(methods.map(str::to_owned));
        let served = Served { services: self.services, schemas: self.schemas };
        self.on_build.into_iter().for_each(|hook| hook(&served));
        self.on_shutdown
    }
}

impl Methods {
    /// The schema of services that are served here, for those who ask the server for it: an encoded
    /// `google.protobuf.FileDescriptorSet` with all imports. Generated code calls it.
    pub fn describe(&mut self, file_descriptor_set: &'static [u8]) {
        self.add_schema(ServedSchema::Encoded(file_descriptor_set));
    }

    pub(crate) fn add_schema(&mut self, schema: ServedSchema) {
        let known = &mut self.hooks.schemas;
        // Each service of a package has the same.
        if !known.iter().any(|other| other.is_same(&schema)) {
            known.push(schema);
        }
    }

    /// Tells what the server serves, all of it, once it is built.
    pub fn on_build(&mut self, hook: impl FnOnce(&Served) + Send + 'static) {
        self.hooks.on_build.push(Box::new(hook));
    }

    /// Tells when the server ends; see [`Builder::on_shutdown`](crate::Builder::on_shutdown).
    pub fn on_shutdown(&mut self, hook: impl Fn(ShutdownPhase) + Send + Sync + 'static) {
        self.hooks.on_shutdown.push(Arc::new(hook));
    }
}
