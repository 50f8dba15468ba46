//! What is printed of a call, and when.

use std::io::Write;
use std::time::{Duration, Instant};

use dunlin_grpc::{MessageInfo, Metadata};
use dunlin_protobuf::EncodeOptions;
use dunlin_protobuf::dynamic::DynamicMessage;
use dunlin_protobuf::wire::write;
use serde_json::json;
use tokio::sync::Mutex;

use super::exchange::Ended;
use super::status;
use crate::online::failure::Failure;
use crate::online::headers;
use crate::online::output::{Printer, Style};
use crate::online::schema::Types;
use crate::print;

/// What goes to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Responses, and what `-v` asks for.
    Messages,
    /// One object per line: responses, and the end of the call.
    Objects,
    /// Responses as bytes.
    Binary,
}

/// What was before the call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) began: Instant,
    pub(super) tls_setup: Option<Duration>,
    pub(super) connected: Duration,
}

pub(super) struct Report<'p> {
    shape: Shape,
    verbose: u8,
    printer: Printer<'p>,
    path: String,
    times: Times,
    called: Instant,
    first_response: Option<Duration>,
    headers: Metadata,
    responses: usize,
}

impl<'p> Report<'p> {
    pub(super) fn new(shape: Shape, verbose: u8, printer: Printer<'p>, path: &str, times: Times) -> Self {
        Self {
            shape,
            verbose: if shape == Shape::Messages { verbose } else { 0 },
            printer,
            path: path.trim_start_matches('/').to_owned(),
            times,
            called: Instant::now(),
            first_response: None,
            headers: Metadata::new(),
            responses: 0,
        }
    }

    /// The method, as its schema has it.
    pub(super) fn method(&self, text: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.verbose > 0 {
            print::write(&format!("\nResolved method descriptor:\n{}\n", text()))?;
        }
        Ok(())
    }

    pub(super) fn request_metadata(&self, metadata: &Metadata) -> Result<(), Failure> {
        if self.verbose > 0 {
            print::write(&format!("\nRequest metadata to send:\n{}\n", headers::shown(metadata)))?;
        }
        Ok(())
    }

    pub(super) fn headers(&mut self, metadata: &Metadata) -> Result<(), Failure> {
        self.headers = metadata.clone();
        if self.verbose > 0 {
            print::write(&format!("\nResponse headers received:\n{}\n", headers::shown(metadata)))?;
        }
        Ok(())
    }

    /// A response; the only one there can be, or one of a stream.
    pub(super) async fn response(
        &mut self,
        message: &DynamicMessage,
        info: MessageInfo,
        is_only: bool,
        types: &Mutex<Types>,
    ) -> Result<(), Failure> {
        self.responses += 1;
        self.first_response.get_or_insert(self.called.elapsed());
        if self.shape == Shape::Binary {
            return self.binary(message, is_only);
        }
        let text = self.printer.print(message, &mut *types.lock().await).await;
        if self.shape == Shape::Objects {
            let member = match text {
                // The message is JSON already, in the order of its fields.
                Ok(text) => format!("\"message\":{text}"),
                Err(error) => format!("\"error\":{}", json!(error)),
            };
            let wire_len = info.wire_len;
            print::write(&format!("{{\"type\":\"message\",{member},\"wireBytes\":{wire_len}}}\n"))?;
            return Ok(());
        }
        let text = match text {
            Ok(text) => text,
            Err(error) => format!("Failed to format response message {}: {error}", self.responses),
        };
        let mut out = String::new();
        if self.verbose > 1 {
            let size = message.encode_to_vec().len();
            out.push_str(&format!("\nEstimated response size: {size} bytes\n"));
        }
        if self.verbose > 0 {
            out.push_str("\nResponse contents:\n");
        } else if self.printer.style() == Style::Text && self.responses > 1 {
            out.push('\u{1e}');
        }
        print::write(&format!("{out}{text}\n"))?;
        Ok(())
    }

    fn binary(&self, message: &DynamicMessage, is_only: bool) -> Result<(), Failure> {
        let bytes = EncodeOptions::new().deterministic().encode_to_vec(message);
        let mut out = Vec::with_capacity(bytes.len() + 5);
        if !is_only {
            write::varint(bytes.len() as u64, &mut out);
        }
        out.extend(bytes);
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&out)?;
        stdout.flush()?;
        Ok(())
    }

    /// Trailers, counts, and what went wrong.
    pub(super) async fn end(
        &mut self,
        ended: &Ended,
        format_error: bool,
        types: &Mutex<Types>,
    ) -> Result<(), Failure> {
        if self.shape == Shape::Objects {
            return self.end_object(ended, types).await;
        }
        if self.verbose > 0 {
            print::write(&format!(
                "\nResponse trailers received:\n{}\nSent {} and received {}\n",
                headers::shown(&ended.trailers),
                count(ended.requests, "request"),
                count(self.responses, "response"),
            ))?;
        }
        let Err(status) = &ended.result else {
            if self.verbose > 1 {
                print::write(&self.times())?;
            }
            return Ok(());
        };
        let text = if format_error {
            status::formatted(status, &self.printer, types).await
        } else {
            status::block(status, &self.printer, types).await
        };
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes());
        // A server that finds a request too large says so in its trailers; this one is our own limit.
        let is_own = ended.trailers.is_empty() && !self.headers.is_empty();
        if is_own && status.message().contains("`max_receive_message_size`") && !format_error {
            let _ = stderr.write_all(b"-max-msg-sz BYTES allows larger responses\n");
        }
        Ok(())
    }

    fn times(&self) -> String {
        let Times { began, tls_setup, connected } = self.times;
        let tls = tls_setup.map(|time| format!("    TLS Setup: {time:?}\n")).unwrap_or_default();
        format!(
            "Timing Data: {:?}\n  Dial: {connected:?}\n{tls}    BlockingDial: {:?}\n  InvokeRPC: {:?}\n",
            began.elapsed(),
            connected.saturating_sub(tls_setup.unwrap_or_default()),
            self.called.elapsed(),
        )
    }

    async fn end_object(&self, ended: &Ended, types: &Mutex<Types>) -> Result<(), Failure> {
        let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        let object = json!({
            "type": "end",
            "method": self.path,
            "headers": headers::json(&self.headers),
            "trailers": headers::json(&ended.trailers),
            "status": status::object(&ended.result, &self.printer, types).await,
            "requests": ended.requests,
            "responses": self.responses,
            "timing": {
                "connectMs": ms(self.times.connected),
                "firstResponseMs": self.first_response.map(ms),
                "callMs": ms(self.called.elapsed()),
                "totalMs": ms(self.times.began.elapsed()),
            },
        });
        print::write(&format!("{object}\n"))?;
        Ok(())
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
