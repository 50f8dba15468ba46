//! Generated messages in a program without the standard library: this library has a panic handler
//! and an allocator of its own. `main.c` calls it.
#![no_std]

mod arena;

use core::panic::PanicInfo;
use core::slice;

use dunlin_protobuf::alloc::string::ToString;
use dunlin_protobuf::{Message, View, json, text};

use station::{Reading, Report, ReportView};

/// What `build.rs` generated.
mod generated {
    include!(concat!(env!("OUT_DIR"), "/mod.rs"));
}
use generated::station;

unsafe extern "C" {
    safe fn abort() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    abort()
}

/// Decodes a report, adds a reading and encodes it again. Gives the length, or less than zero if the
/// input is no report or the output has no room for it.
///
/// # Safety
/// `input` is `len` bytes, `out` has room for `capacity` bytes, and they are apart.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn next_report(input: *const u8, len: usize, out: *mut u8, capacity: usize) -> isize {
    // SAFETY: as the caller promises.
    let (input, out) =
        unsafe { (slice::from_raw_parts(input, len), slice::from_raw_parts_mut(out, capacity)) };
    let Ok(mut report) = Report::decode(input) else { return -1 };
    let sequence = report.sequence.unwrap_or(0) + 1;
    report.sequence = Some(sequence);
    report.readings.push(Reading { note: sequence.to_string(), ..Default::default() });
    copy(&report.encode_to_vec(), out)
}

/// A report as JSON, from a view that borrows, a line feed, and the same as text format.
///
/// # Safety
/// As `next_report`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn print_report(input: *const u8, len: usize, out: *mut u8, capacity: usize) -> isize {
    // SAFETY: as the caller promises.
    let (input, out) =
        unsafe { (slice::from_raw_parts(input, len), slice::from_raw_parts_mut(out, capacity)) };
    let Ok(report) = ReportView::decode_view(input) else { return -1 };
    let Ok(mut printed) = json::to_string(&report) else { return -1 };
    printed.push('\n');
    printed.push_str(&text::EncodeOptions::new().single_line(true).to_string(&report));
    copy(printed.as_bytes(), out)
}

fn copy(from: &[u8], to: &mut [u8]) -> isize {
    let Some(place) = to.get_mut(..from.len()) else { return -2 };
    place.copy_from_slice(from);
    from.len() as isize
}
