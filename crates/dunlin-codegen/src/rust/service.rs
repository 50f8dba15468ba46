//! A service: a trait for servers, a client, and constants that describe its methods.

mod client;
mod server;

use dunlin_protobuf::descriptor::IdempotencyLevel;
use dunlin_protobuf::pool::FileView;

use super::code::{Code, literal};
use super::model::{CallKind, Model, Rpc, Service};

/// What is wide enough for a line of its own.
const WIDTH: usize = 100;

/// Where services find what they are made of.
struct Context<'c> {
    /// The path of the RPC runtime.
    runtime: &'c str,
    /// The type parameter for an implementation of the service.
    parameter: String,
    /// `Err`, or its whole path.
    err: String,
    /// The constant with the descriptors of the package.
    descriptors: &'c str,
}

/// Writes the services of a file, into the module of its package. Whether one of them names the constant
/// with the descriptors of the package.
pub(super) fn services(model: &Model<'_>, file: &FileView<'_>, descriptors: &str, code: &mut Code) -> bool {
    let Some(runtime) = model.options.rpc_runtime() else { return false };
    let mut are_described = false;
    let cx = Context {
        runtime,
        descriptors,
        parameter: model.type_parameter(file.package()),
        err: model.std("Err", model.package_module(file.package())),
    };
    for service in model.services(file) {
        if model.options.outside(&service.full_name, file.path()).is_some() {
            continue;
        }
        let is_on = |option| model.options.flag(option, &service.full_name) != Some(false);
        let (has_server, has_client) = (is_on("server"), is_on("client"));
        let is_described = has_server && is_on("service_descriptors");
        if has_server {
            server::server(&cx, &service, is_described, code);
        }
        are_described |= is_described;
        // Documentation names the trait where there is one.
        let title = if has_server {
            format!("[`{}`]", service.names.name)
        } else {
            format!("`{}`", service.full_name)
        };
        if has_client {
            client::client(&cx, &service, &title, code);
        }
        if has_server || has_client {
            constants(&cx, &service, &title, code);
        }
    }
    are_described
}

fn constants(cx: &Context<'_>, service: &Service, title: &str, code: &mut Code) {
    let runtime = cx.runtime;
    let full_name = &service.full_name;
    code.gap();
    code.line(format!("/// The methods of {title}."));
    code.block(format!("pub mod {} {{", service.names.module), "}", |code| {
        code.line(format!("pub const NAME: &str = {};", literal(full_name)));
        for rpc in &service.rpcs {
            let start = format!(
                "pub const {}: {runtime}::grpc::Method = {runtime}::grpc::Method::new(",
                rpc.constant
            );
            let builder = match rpc.idempotency {
                IdempotencyLevel::NO_SIDE_EFFECTS => "\n.no_side_effects()",
                IdempotencyLevel::IDEMPOTENT => "\n.idempotent()",
                _ => "",
            };
            code.gap();
            code.block(start, format!("){builder};"), |code| {
                code.line("NAME,");
                code.line(format!("{},", literal(&rpc.in_schema)));
                code.line(format!("{},", literal(&format!("/{full_name}/{}", rpc.in_schema))));
                code.line(format!("{runtime}::grpc::CallKind::{:?},", rpc.kind));
            });
        }
    });
}

impl Service {
    fn mark_deprecated(&self, code: &mut Code) {
        if self.deprecated {
            code.line("#[deprecated]");
        }
    }
}

impl Rpc {
    /// The function of the runtime, on its clients and servers, for calls of this kind.
    fn runtime_function(&self) -> &'static str {
        match self.kind {
            CallKind::Unary => "unary",
            CallKind::ClientStreaming => "client_streaming",
            CallKind::ServerStreaming => "server_streaming",
            CallKind::BidiStreaming => "bidi_streaming",
        }
    }

    /// The path of the constant that describes it.
    fn constant_path(&self, service: &Service) -> String {
        format!("{}::{}", service.names.module, self.constant)
    }

    fn docs(&self, code: &mut Code) {
        code.gap();
        code.doc(self.comments.iter().map(String::as_str));
        if self.deprecated {
            code.line("#[deprecated]");
        }
    }
}

/// Writes a function of an `impl` or a trait: with its arguments in one line if they fit.
fn function(code: &mut Code, start: &str, arguments: &[String], returns: &str, body: impl FnOnce(&mut Code)) {
    const INDENT: usize = 4;
    let in_one_line = format!("{start}({}) -> {returns} {{", arguments.join(", "));
    if in_one_line.len() + INDENT <= WIDTH {
        code.block(in_one_line, "}", body);
        return;
    }
    code.line(format!("{start}("));
    for argument in arguments {
        code.line(format!("    {argument},"));
    }
    code.block(format!(") -> {returns} {{"), "}", body);
}
