//! How a call ended, for people and for programs.

use dunlin_grpc::Status;
use dunlin_proto::google::rpc;
use dunlin_protobuf::Message;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::online::output::{Printer, Style};
use crate::online::schema::Types;

/// The status as a message; details that can not be read are left out.
fn message(status: &Status) -> rpc::Status {
    let mut message = rpc::Status::decode(status.details()).unwrap_or_default();
    message.code = status.code().number() as i32;
    message.message = status.message().to_owned();
    message
}

/// The block that tells people of an error.
pub(super) async fn block(status: &Status, printer: &Printer<'_>, types: &Mutex<Types>) -> String {
    let mut out = format!("ERROR:\n  Code: {}\n  Message: {}\n", status.code().go_name(), status.message());
    let details = message(status).details;
    if details.is_empty() {
        return out;
    }
    out.push_str("  Details:\n");
    let mut types = types.lock().await;
    for (index, detail) in details.iter().enumerate() {
        let prefix = format!("  {})", index + 1);
        let text = match printer.print(detail, &mut types).await {
            Ok(text) => text,
            Err(error) => format!("Error parsing detail message: {error}"),
        };
        for (at, line) in text.split('\n').enumerate() {
            let prefix = if at == 0 { prefix.clone() } else { " ".repeat(prefix.len()) };
            out.push_str(&format!("{prefix}\t{line}\n"));
        }
    }
    out
}

/// The status as google.rpc.Status, in the style of messages.
pub(super) async fn formatted(status: &Status, printer: &Printer<'_>, types: &Mutex<Types>) -> String {
    let mut types = types.lock().await;
    match printer.print(&message(status), &mut types).await {
        Ok(text) => text,
        Err(error) => format!("ERROR: {error}"),
    }
}

/// The status as an object.
pub(super) async fn object(
    result: &Result<(), Status>,
    printer: &Printer<'_>,
    types: &Mutex<Types>,
) -> Value {
    let Err(status) = result else {
        return json!({ "code": 0, "name": "OK", "message": "", "details": [] });
    };
    let mut types = types.lock().await;
    let mut details = Vec::new();
    for detail in message(status).details {
        let text = printer.print_as(Style::Line, &detail, &mut types).await;
        let read = text.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
        details.push(read.unwrap_or_else(|error| json!({ "@type": detail.type_url, "error": error })));
    }
    json!({
        "code": status.code().number(),
        "name": status.code().name(),
        "message": status.message(),
        "details": details,
    })
}
