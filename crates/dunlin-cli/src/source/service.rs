//! Services and their methods.

use dunlin_protobuf::descriptor::{MethodDescriptorProto, ServiceDescriptorProto};

use super::message::{child, join};
use super::names::Keep;
use super::options::Setting;
use super::order::{Key, Ranked, sorted};
use super::{Printer, Style};

enum Part {
    Option(Setting),
    Method(usize),
}

impl<'p> Printer<'p> {
    pub(super) fn service(
        &mut self,
        service: &'p ServiceDescriptorProto,
        path: &[i32],
        full_name: &str,
        indent: usize,
    ) {
        self.before(path, indent);
        self.out.indent(indent);
        self.out.push(&format!("service {} {{\n", service.name.as_deref().unwrap_or_default()));
        self.behind_brace(path, indent + 1);
        let mut options_path = path.to_vec();
        options_path.push(3);
        let mut parts = Vec::new();
        for setting in self.options(service.options.as_deref(), "ServiceOptions", full_name) {
            let span = self.option_span(&options_path, &setting);
            parts.push(Ranked::option(Part::Option(setting.clone()), &setting, span));
        }
        for (at, method) in service.method.iter().enumerate() {
            let span = self.location(&child(path, 2, at)).map(|location| location.span.clone());
            let key = Key::Name(method.name.clone().unwrap_or_default());
            parts.push(Ranked::new(Part::Method(at), 2, key, span));
        }
        for (at, part) in sorted(parts, self.style).into_iter().enumerate() {
            if at > 0 {
                self.gap();
            }
            match part {
                Part::Option(setting) => self.long_option(&setting, &options_path, indent + 1),
                Part::Method(index) => {
                    let method = &service.method[index];
                    let full_name = join(full_name, &method.name);
                    self.method(method, &child(path, 2, index), &full_name, indent + 1);
                }
            }
        }
        self.out.indent(indent);
        self.out.push("}\n");
    }

    pub(super) fn method(
        &mut self,
        method: &'p MethodDescriptorProto,
        path: &[i32],
        full_name: &str,
        indent: usize,
    ) {
        self.before(path, indent);
        self.out.indent(indent);
        let package = self.package.clone();
        // All methods of the file, in the order of its services.
        let before: usize =
            self.proto.service[..path[1] as usize].iter().map(|other| other.method.len()).sum();
        let resolved = self.view.methods().nth(before + path[3] as usize);
        let (input, output) = resolved.map_or((None, None), |(input, output)| {
            (input.map(|view| view.full_name()), output.map(|view| view.full_name()))
        });
        let side = |streams: Option<bool>, resolved: Option<String>, given: &Option<String>| {
            let name = resolved.or_else(|| given.clone()).unwrap_or_default();
            let name = self.name(&name, &package, Keep::Needed);
            if streams == Some(true) { format!("stream {name}") } else { name }
        };
        let input = side(method.client_streaming, input, &method.input_type);
        let output = side(method.server_streaming, output, &method.output_type);
        let name = method.name.as_deref().unwrap_or_default();
        self.out.push(&format!("rpc {name} ( {input} ) returns ( {output} )"));
        let settings = self.options(method.options.as_deref(), "MethodOptions", full_name);
        if settings.is_empty() {
            self.out.push(";");
            if self.style == Style::Source {
                let location = self.location(path);
                self.out.trailing(location, indent);
            }
            self.out.end_line();
            return;
        }
        self.out.push(" {\n");
        self.behind_brace(path, indent + 1);
        let mut options_path = path.to_vec();
        options_path.push(4);
        let settings = self.in_order(settings, &options_path);
        for (at, setting) in settings.iter().enumerate() {
            if at > 0 {
                self.gap();
            }
            self.long_option(setting, &options_path, indent + 1);
        }
        self.out.indent(indent);
        self.out.push("}\n");
    }
}
