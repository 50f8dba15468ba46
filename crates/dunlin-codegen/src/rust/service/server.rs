//! The trait of a service, and what adds it to a server.

use super::{Context, function};
use crate::rust::code::{Code, literal};
use crate::rust::model::{CallKind, Rpc, Service};

const ARC: &str = "::std::sync::Arc";

pub(super) fn server(cx: &Context<'_>, service: &Service, is_described: bool, code: &mut Code) {
    service_trait(cx, service, code);
    shared(cx, service, code);
    structure(cx, service, code);
    registration(cx, service, is_described, code);
}

fn service_trait(cx: &Context<'_>, service: &Service, code: &mut Code) {
    let name = &service.names.name;
    code.gap();
    code.doc(service.comments.iter().map(String::as_str));
    service.mark_deprecated(code);
    let bounds = "::core::marker::Send + ::core::marker::Sync + 'static";
    each_rpc(service, format!("pub trait {name}: {bounds} {{"), code, |rpc, code| {
        rpc.docs(code);
        method(cx, rpc, code, |code| {
            let constant = rpc.constant_path(service);
            code.line(format!("let _ = (cx, {});", rpc.argument_names()));
            let status = format!("{}::server::unimplemented(&{constant})", cx.runtime);
            code.line(format!("::core::future::ready({}({status}))", cx.err));
        });
    });
}

/// An implementation that is shared is one too.
fn shared(cx: &Context<'_>, service: &Service, code: &mut Code) {
    let (name, t) = (&service.names.name, &cx.parameter);
    code.gap();
    each_rpc(service, format!("impl<{t}: {name}> {name} for {ARC}<{t}> {{"), code, |rpc, code| {
        code.gap();
        method(cx, rpc, code, |code| {
            code.line(format!("{t}::{}(self, cx, {})", rpc.ident, rpc.argument_names()));
        });
    });
}

fn structure(cx: &Context<'_>, service: &Service, code: &mut Code) {
    let (name, server, t) = (&service.names.name, &service.names.server, &cx.parameter);
    code.gap();
    code.line(format!("/// [`{name}`], ready to be added to a server."));
    service.mark_deprecated(code);
    code.block(format!("pub struct {server}<{t}> {{"), "}", |code| {
        code.line(format!("service: {ARC}<{t}>,"));
    });
    code.gap();
    code.block(format!("impl<{t}: {name}> {server}<{t}> {{"), "}", |code| {
        code.block(format!("pub fn new(service: {t}) -> Self {{"), "}", |code| {
            code.line(format!("Self::from_arc({ARC}::new(service))"));
        });
        code.gap();
        code.block(format!("pub fn from_arc(service: {ARC}<{t}>) -> Self {{"), "}", |code| {
            code.line("Self { service }");
        });
    });
    // Derived ones would ask for the same of the implementation.
    code.gap();
    code.block(format!("impl<{t}> ::core::clone::Clone for {server}<{t}> {{"), "}", |code| {
        code.block("fn clone(&self) -> Self {", "}", |code| {
            code.line(format!("Self {{ service: {ARC}::clone(&self.service) }}"));
        });
    });
    code.gap();
    code.block(format!("impl<{t}> ::core::fmt::Debug for {server}<{t}> {{"), "}", |code| {
        let start = "fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {";
        code.block(start, "}", |code| {
            code.line(format!("f.debug_struct({}).finish_non_exhaustive()", literal(server)));
        });
    });
}

fn registration(cx: &Context<'_>, service: &Service, is_described: bool, code: &mut Code) {
    let Context { runtime, parameter: t, .. } = cx;
    let (name, server) = (&service.names.name, &service.names.server);
    code.gap();
    let start = format!("impl<{t}: {name}> {runtime}::server::Service for {server}<{t}> {{");
    code.block(start, "}", |code| {
        code.block("fn name(&self) -> &'static str {", "}", |code| {
            code.line(format!("{}::NAME", service.names.module));
        });
        code.gap();
        if service.rpcs.is_empty() && !is_described {
            code.line(format!("fn register(self, _: &mut {runtime}::server::Methods) {{}}"));
            return;
        }
        let start = format!("fn register(self, methods: &mut {runtime}::server::Methods) {{");
        code.block(start, "}", |code| {
            if is_described {
                code.line(format!("methods.describe({});", cx.descriptors));
            }
            if !service.rpcs.is_empty() {
                code.line("let service = self.service;");
            }
            for rpc in &service.rpcs {
                register(cx, service, rpc, code);
            }
        });
    });
}

fn register(cx: &Context<'_>, service: &Service, rpc: &Rpc, code: &mut Code) {
    let arguments = rpc.argument_names();
    let clone = format!("let service = {ARC}::clone(&service);");
    let start = format!("methods.{}({}, {{", rpc.runtime_function(), rpc.constant_path(service));
    code.block(start, "});", |code| {
        code.line(&clone);
        code.block(format!("move |mut cx, {arguments}| {{"), "}", |code| {
            code.line(&clone);
            code.block("async move {", "}", |code| {
                // By its path: a shared implementation has methods of its own, which could be meant.
                let call = format!("{}::{}(&service, &mut cx, {arguments})", cx.parameter, rpc.ident);
                code.line(format!("let result = {call}.await;"));
                code.line("(cx, result)");
            });
        });
    });
}

/// Writes a block with something for each method.
fn each_rpc(service: &Service, start: String, code: &mut Code, write: impl Fn(&Rpc, &mut Code)) {
    if service.rpcs.is_empty() {
        code.line(start + "}");
        return;
    }
    code.block(start, "}", |code| service.rpcs.iter().for_each(|rpc| write(rpc, code)));
}

/// Writes a method of the trait.
fn method(cx: &Context<'_>, rpc: &Rpc, code: &mut Code, body: impl FnOnce(&mut Code)) {
    let runtime = cx.runtime;
    let request = format!("request: {}", rpc.request);
    let messages = format!("messages: {runtime}::grpc::Receiver<{}>", rpc.request);
    let out = format!("out: {runtime}::grpc::Sender<{}>", rpc.response);
    let mut arguments = vec!["&self".to_owned(), format!("cx: &mut {runtime}::server::ServerContext")];
    let (takes, output) = match rpc.kind {
        CallKind::Unary => (vec![request], rpc.response.as_str()),
        CallKind::ClientStreaming => (vec![messages], rpc.response.as_str()),
        CallKind::ServerStreaming => (vec![request, out], "()"),
        CallKind::BidiStreaming => (vec![messages, out], "()"),
    };
    arguments.extend(takes);
    let output = format!("::core::result::Result<{output}, {runtime}::grpc::Status>");
    let returns = format!("impl ::core::future::Future<\n    Output = {output},\n> + ::core::marker::Send");
    function(code, &format!("fn {}", rpc.ident), &arguments, &returns, body);
}

impl Rpc {
    /// What a method of the trait takes behind the context.
    fn argument_names(&self) -> &'static str {
        match self.kind {
            CallKind::Unary => "request",
            CallKind::ClientStreaming => "messages",
            CallKind::ServerStreaming => "request, out",
            CallKind::BidiStreaming => "messages, out",
        }
    }
}
