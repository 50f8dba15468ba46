//! What services and their methods are called in Rust, and which types they take.

use dunlin_protobuf::descriptor::{IdempotencyLevel, MethodDescriptorProto, ServiceDescriptorProto};
use dunlin_protobuf::pool::{FileView, MessageView};

use super::{Flavor, Model};
use crate::rust::comments;
use crate::rust::names::{constant, field, module, type_name, unique};

/// What a service is called in the module of its package.
#[derive(Clone, Debug, Default)]
pub(in crate::rust) struct ServiceNames {
    /// The trait.
    pub(in crate::rust) name: String,
    pub(in crate::rust) server: String,
    pub(in crate::rust) client: String,
    /// The module of the constants.
    pub(in crate::rust) module: String,
}

/// A service with its methods.
#[derive(Clone, Debug)]
pub(in crate::rust) struct Service {
    pub(in crate::rust) full_name: String,
    pub(in crate::rust) names: ServiceNames,
    pub(in crate::rust) comments: Vec<String>,
    pub(in crate::rust) deprecated: bool,
    pub(in crate::rust) rpcs: Vec<Rpc>,
}

/// One method of a service.
#[derive(Clone, Debug)]
pub(in crate::rust) struct Rpc {
    pub(in crate::rust) in_schema: String,
    /// The method of the client and the trait.
    pub(in crate::rust) ident: String,
    /// What describes it, in the service's module.
    pub(in crate::rust) constant: String,
    pub(in crate::rust) kind: CallKind,
    /// The types of its messages, from the module of the package.
    pub(in crate::rust) request: String,
    pub(in crate::rust) response: String,
    pub(in crate::rust) comments: Vec<String>,
    pub(in crate::rust) deprecated: bool,
    pub(in crate::rust) idempotency: IdempotencyLevel,
}

/// Which sides of a call are streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rust) enum CallKind {
    Unary,
    ClientStreaming,
    ServerStreaming,
    BidiStreaming,
}

impl CallKind {
    fn of(method: &MethodDescriptorProto) -> Self {
        match (method.client_streaming == Some(true), method.server_streaming == Some(true)) {
            (false, false) => Self::Unary,
            (true, false) => Self::ClientStreaming,
            (false, true) => Self::ServerStreaming,
            (true, true) => Self::BidiStreaming,
        }
    }
}

/// What every client has beside the methods of its service.
const EVERY_CLIENT: [&str; 4] = ["new", "with_options", "channel", "clone"];

/// The services of a file with their full names, in the order of declaration.
pub(in crate::rust) fn services<'p>(
    file: &FileView<'p>,
) -> impl Iterator<Item = (String, &'p ServiceDescriptorProto)> + use<'p> {
    let package = file.package();
    file.proto().into_iter().flat_map(|proto| &proto.service).map(move |service| {
        let name = service.name.as_deref().unwrap_or_default();
        let full_name = if package.is_empty() { name.to_owned() } else { format!("{package}.{name}") };
        (full_name, service)
    })
}

impl<'p> Model<'p> {
    /// Names all services, those of files that are not generated too: what is generated together
    /// changes no name.
    pub(super) fn name_services(&mut self) {
        // Traits before the rest: they are called what the schema calls them.
        for file in self.pool.descriptors().files() {
            let modules = self.package_module(file.package()).to_vec();
            let names = services(&file).map(|(_, service)| {
                let name = type_name(service.name.as_deref().unwrap_or_default());
                let name = unique(name, self.taken.entry(modules.clone()).or_default());
                ServiceNames { name, ..ServiceNames::default() }
            });
            let names = names.collect();
            self.services.insert(file.id(), names);
        }
        for file in self.pool.descriptors().files() {
            let modules = self.package_module(file.package()).to_vec();
            let types = self.taken.entry(modules.clone()).or_default();
            let own_modules = self.taken_modules.entry(modules).or_default();
            let all = self.services.get_mut(&file.id()).into_iter().flatten();
            for (names, (_, service)) in all.zip(services(&file)) {
                let in_schema = service.name.as_deref().unwrap_or_default();
                let name = type_name(in_schema);
                names.server = unique(format!("{name}Server"), types);
                names.client = unique(format!("{name}Client"), types);
                // A service always has both, and `_1` is a name for either.
                let mut taken = [types.as_slice(), own_modules].concat();
                names.module = unique(module(in_schema), &mut taken);
                own_modules.push(names.module.clone());
            }
        }
    }

    /// The services of a file.
    pub(in crate::rust) fn services(&self, file: &FileView<'p>) -> Vec<Service> {
        let mut messages = file.methods();
        let mut out = Vec::new();
        for (index, (full_name, proto)) in services(file).enumerate() {
            let path = [6, index as i32];
            let mut idents = EVERY_CLIENT.map(str::to_owned).to_vec();
            let mut constants = vec!["NAME".to_owned()];
            let rpcs = proto.method.iter().zip(&mut messages).enumerate().map(|(at, (method, messages))| {
                let in_schema = method.name.clone().unwrap_or_default();
                let options = method.options.as_deref();
                Rpc {
                    ident: unique(field(&in_schema), &mut idents),
                    constant: unique(constant(&in_schema), &mut constants),
                    kind: CallKind::of(method),
                    request: self.type_of_rpc(file, messages.0),
                    response: self.type_of_rpc(file, messages.1),
                    comments: comments::lines(self.comments_at(file.id(), &[path[0], path[1], 2, at as i32])),
                    deprecated: options.and_then(|o| o.deprecated) == Some(true),
                    idempotency: options.and_then(|o| o.idempotency_level).unwrap_or_default(),
                    in_schema,
                }
            });
            let rpcs = rpcs.collect();
            out.push(Service {
                full_name,
                names: self.services[&file.id()][index].clone(),
                comments: comments::lines(self.comments_at(file.id(), &path)),
                deprecated: proto.options.as_deref().and_then(|o| o.deprecated) == Some(true),
                rpcs,
            });
        }
        out
    }

    fn type_of_rpc(&self, file: &FileView<'p>, message: Option<MessageView<'p>>) -> String {
        let message = message.expect("the pool linked every type");
        self.message_path(message.id(), Flavor::Owned, self.package_module(file.package()))
    }

    /// A name for a type parameter in a package, where a message may have it.
    pub(in crate::rust) fn type_parameter(&self, package: &str) -> String {
        let types = self.taken.get(self.package_module(package)).cloned();
        unique("T".into(), &mut types.unwrap_or_default())
    }
}
