//! Requests as the user gives them: values one behind the other, on the command line, in a file, or as they come
//! on standard input.

mod set;
mod splitter;

use std::io::{IsTerminal, Read};

use dunlin_grpc::dynamic::MethodDescriptor;
use dunlin_protobuf::dynamic::DynamicMessage;
use dunlin_protobuf::{json, text};
use tokio::sync::mpsc;

use super::failure::{Failure, Stage};
use super::schema::{Source, Types};
pub(crate) use set::Setting;
use splitter::{Part, Splitter};

/// How requests are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON values, one behind the other.
    Json,
    /// Text format, with U+001E between messages.
    Text,
}

/// Where requests come from, one by one.
#[derive(Debug)]
pub(crate) struct Requests {
    format: Format,
    ignore_unknown: bool,
    input: Input,
    splitter: Splitter,
    settings: Vec<Setting>,
    /// Whether `{"$file": "PATH"}` stands for content: what comes from elsewhere may not read our files.
    reads_files: bool,
    /// Requests so far.
    pub(crate) count: usize,
    is_over: bool,
}

#[derive(Debug)]
enum Input {
    Given(Option<Vec<u8>>),
    /// What a thread reads: standard input can not be read without one that blocks.
    Read(mpsc::Receiver<std::io::Result<Vec<u8>>>),
}

impl Input {
    async fn next(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        match self {
            Self::Given(bytes) => Ok(bytes.take()),
            Self::Read(chunks) => chunks.recv().await.transpose(),
        }
    }
}

impl Requests {
    /// `data` is the value of `-d`: the requests, `@` or `@-` for standard input, `@PATH` for a file. Without
    /// it, a call whose client streams is asked for them where there is a terminal.
    pub(crate) fn new(
        data: Option<&str>,
        format: Format,
        ignore_unknown: bool,
        is_stream: bool,
    ) -> Result<Self, Failure> {
        let input = match data {
            Some("@" | "@-") => standard_input(),
            Some(data) => match data.strip_prefix('@') {
                Some(path) => Input::Given(Some(std::fs::read(path).map_err(|error| {
                    Failure::local(Stage::Encode, format!("cannot read {path}: {error}"))
                })?)),
                None => Input::Given(Some(data.as_bytes().to_vec())),
            },
            None if is_stream && std::io::stdin().is_terminal() => {
                let how = match format {
                    Format::Json => "one JSON value behind the other",
                    Format::Text => "text format, with U+001E between messages",
                };
                crate::print::complain(&format!("Write requests, {how}; Ctrl-D ends them, Ctrl-C the call."));
                standard_input()
            }
            None => Input::Given(Some(Vec::new())),
        };
        Ok(Self {
            format,
            ignore_unknown,
            input,
            splitter: Splitter::new(format),
            settings: Vec::new(),
            reads_files: data.is_some_and(|data| !data.starts_with('@')),
            count: 0,
            is_over: false,
        })
    }

    /// Sets these fields in every request; in an empty one, if none is given.
    pub(crate) fn set(mut self, settings: &[Setting], data: Option<&str>) -> Result<Self, Failure> {
        if self.format == Format::Text && !settings.is_empty() {
            return Err(Failure::Usage(
                "--set is for JSON, and -format says text; leave out one of them".into(),
            ));
        }
        if !settings.is_empty() && data.is_none() {
            self.input = Input::Given(Some(b"{}".to_vec()));
        }
        self.settings = settings.to_vec();
        Ok(self)
    }

    /// The JSON of a request with what is set besides it.
    fn completed(&self, given: Vec<u8>, method: &MethodDescriptor) -> Result<Vec<u8>, Failure> {
        let has_files = self.reads_files && given.windows(7).any(|window| window == b"\"$file\"");
        if self.settings.is_empty() && !has_files {
            return Ok(given);
        }
        // What is no JSON is for the parser of messages to complain about.
        let Ok(mut request) = serde_json::from_slice(&given) else { return Ok(given) };
        let complete = |request: &mut serde_json::Value| {
            if has_files {
                set::read_files(request)?;
            }
            self.settings.iter().try_for_each(|setting| setting.apply(request, method.request_type()))
        };
        complete(&mut request).map_err(|why| Failure::local(Stage::Encode, why))?;
        Ok(request.to_string().into_bytes())
    }

    /// The next request; `None` behind the last one.
    pub(crate) async fn next(
        &mut self,
        method: &MethodDescriptor,
        source: &Source,
        types: &tokio::sync::Mutex<Types>,
    ) -> Result<Option<DynamicMessage>, Failure> {
        let Some(mut part) = self.next_part().await? else { return Ok(None) };
        self.count += 1;
        if self.format == Format::Json {
            part.bytes = self.completed(part.bytes, method)?;
        }
        let mut types = types.lock().await;
        for name in any_types(&part.bytes, self.format) {
            source.learn(&mut types, &name).await;
        }
        let mut request = method.request();
        let merged = match self.format {
            Format::Json => {
                // Masks in both ways: as other tools take them, and as they are written.
                let options = json::DecodeOptions::new().registry(&types.registry).mask_objects();
                let options = if self.ignore_unknown { options.ignore_unknown() } else { options };
                options.merge(&mut request, &part.bytes).map_err(|error| error.to_string())
            }
            Format::Text => text::DecodeOptions::new()
                .registry(&types.registry)
                .ignore_unknown(self.ignore_unknown)
                .merge_bytes(&mut request, &part.bytes)
                .map_err(|error| error.to_string()),
        };
        match merged {
            Ok(()) => Ok(Some(request)),
            Err(why) => Err(Failure::local(
                Stage::Encode,
                format!(
                    "request {}, from line {} column {} on, is no {}: {why}{}",
                    self.count,
                    part.line,
                    part.column,
                    method.request_type().full_name(),
                    if why.contains(" has no field ") { "; -allow-unknown-fields skips it" } else { "" },
                ),
            )),
        }
    }

    async fn next_part(&mut self) -> Result<Option<Part>, Failure> {
        loop {
            if let Some(part) = self.splitter.next() {
                return Ok(Some(part));
            }
            if self.is_over {
                return Ok(None);
            }
            let chunk = self.input.next().await.map_err(|error| {
                Failure::local(Stage::Encode, format!("cannot read standard input: {error}"))
            })?;
            match chunk {
                Some(chunk) => self.splitter.push(&chunk),
                None => {
                    self.is_over = true;
                    self.splitter.finish();
                }
            }
        }
    }
}

/// Reads in a thread that nobody waits for: it may read for ever.
fn standard_input() -> Input {
    let (sender, chunks) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = match std::io::stdin().lock().read(&mut buffer) {
                Ok(0) => return,
                Ok(len) => Ok(buffer[..len].to_vec()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let is_over = read.is_err();
            if sender.blocking_send(read).is_err() || is_over {
                return;
            }
        }
    });
    Input::Read(chunks)
}

/// The types of what requests have in `Any`: behind `"@type"` in JSON, in brackets in text.
fn any_types(bytes: &[u8], format: Format) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut names = Vec::new();
    let (mark, close) = match format {
        Format::Json => ("\"@type\"", '"'),
        Format::Text => ("[", ']'),
    };
    for rest in text.split(mark).skip(1) {
        let value = match format {
            Format::Json => {
                let value = rest.trim_start().strip_prefix(':').unwrap_or_default().trim_start();
                value.strip_prefix('"').unwrap_or_default()
            }
            Format::Text => rest,
        };
        let url = value.split(close).next().unwrap_or_default().trim();
        if let Some((_, name)) = url.rsplit_once('/').filter(|(_, name)| !name.is_empty()) {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_in_any_are_found_before_requests_are_read() {
        let json = br#"{"a": {"@type" : "t/p.A", "b": [{"@type":"type.googleapis.com/p.B"}]}}"#;
        assert_eq!(any_types(json, Format::Json), ["p.A", "p.B"]);
        assert_eq!(any_types(b"a { [t/p.A] { x: [1] } }", Format::Text), ["p.A"]);
    }
}
