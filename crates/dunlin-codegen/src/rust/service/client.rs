//! The client of a service.

use super::{Context, function};
use crate::rust::code::Code;
use crate::rust::model::{CallKind, Service};

pub(super) fn client(cx: &Context<'_>, service: &Service, title: &str, code: &mut Code) {
    let runtime = cx.runtime;
    let client = &service.names.client;
    code.gap();
    code.line(format!("/// Calls {title}."));
    service.mark_deprecated(code);
    code.line("#[derive(Clone, Debug)]");
    code.block(format!("pub struct {client} {{"), "}", |code| {
        code.line(format!("client: {runtime}::client::Client,"));
    });
    code.gap();
    code.block(format!("impl {client} {{"), "}", |code| {
        let channel = format!("channel: impl ::core::convert::Into<{runtime}::client::Client>");
        function(code, "pub fn new", &[channel], "Self", |code| {
            code.line("Self { client: channel.into() }");
        });
        code.gap();
        code.line("/// The same client with other defaults for its calls.");
        let options = ["self".to_owned(), format!("options: {runtime}::client::CallOptions")];
        function(code, "pub fn with_options", &options, "Self", |code| {
            code.line("Self { client: self.client.with_options(options) }");
        });
        code.gap();
        function(
            code,
            "pub fn channel",
            &["&self".into()],
            &format!("&{runtime}::client::Channel"),
            |code| {
                code.line("self.client.channel()");
            },
        );
        for rpc in &service.rpcs {
            rpc.docs(code);
            let mut arguments = vec!["&self".to_owned()];
            let constant = rpc.constant_path(service);
            let call = rpc.runtime_function();
            let call = match rpc.kind {
                CallKind::Unary | CallKind::ServerStreaming => {
                    arguments.push(format!("request: {}", rpc.request));
                    format!("self.client.{call}({constant}, request)")
                }
                CallKind::ClientStreaming | CallKind::BidiStreaming => {
                    format!("self.client.{call}({constant})")
                }
            };
            let returns = format!("{runtime}::client::{:?}Call<{}, {}>", rpc.kind, rpc.request, rpc.response);
            function(code, &format!("pub fn {}", rpc.ident), &arguments, &returns, |code| code.line(call));
        }
    });
}
