//! The table that the program prints.

use std::fmt::Write;

use dunlin_testkit::http2::code;

use crate::attack::{End, Report};

/// The columns of [`row`], as Markdown.
pub const HEAD: &str = "| attack | outcome | frames | seconds | honest calls (slowest) | after | memory |\n\
                        |---|---|---:|---:|---|---|---:|";

/// A report as a line of a table.
pub fn row(report: &Report) -> String {
    let honest = match &report.served.fault {
        None => format!("{} ({} ms)", report.served.calls, report.served.slowest.as_millis()),
        Some(fault) => format!("{}, then {fault}", report.served.calls),
    };
    let after = if report.is_served_after { "served" } else { "NOT SERVED" };
    let memory = report.growth.map_or_else(|| "-".to_owned(), |bytes| format!("+{} KiB", bytes / 1024));
    format!(
        "| {} | {} | {} | {:.1} | {honest} | {after} | {memory} |",
        report.name,
        outcome(report),
        report.frames,
        report.time.as_secs_f64()
    )
}

fn outcome(report: &Report) -> String {
    let mut text = match report.end {
        End::Survived => "survives".to_owned(),
        End::GoAway(code) => format!("GOAWAY {}", name(code)),
        End::Closed => "closes".to_owned(),
        End::Stalled => "stops reading".to_owned(),
        End::Waits => "waits on".to_owned(),
        End::Impossible(why) => return format!("({why})"),
    };
    for (code, count) in &report.seen.resets {
        let _ = write!(text, ", {count} × RST {}", name(*code));
    }
    text
}

fn name(number: u32) -> String {
    let name = match number {
        code::NO_ERROR => "NO_ERROR",
        code::PROTOCOL_ERROR => "PROTOCOL_ERROR",
        code::INTERNAL_ERROR => "INTERNAL_ERROR",
        code::FLOW_CONTROL_ERROR => "FLOW_CONTROL_ERROR",
        code::SETTINGS_TIMEOUT => "SETTINGS_TIMEOUT",
        code::STREAM_CLOSED => "STREAM_CLOSED",
        code::FRAME_SIZE_ERROR => "FRAME_SIZE_ERROR",
        code::REFUSED_STREAM => "REFUSED_STREAM",
        code::CANCEL => "CANCEL",
        code::COMPRESSION_ERROR => "COMPRESSION_ERROR",
        code::CONNECT_ERROR => "CONNECT_ERROR",
        code::ENHANCE_YOUR_CALM => "ENHANCE_YOUR_CALM",
        code::INADEQUATE_SECURITY => "INADEQUATE_SECURITY",
        code::HTTP_1_1_REQUIRED => "HTTP_1_1_REQUIRED",
        _ => return format!("{number:#x}"),
    };
    name.to_owned()
}
