//! Messages of a schema, in every form: `cargo run -p messages-example`.
#![allow(clippy::print_stdout)] // It is what an example is for.

include!(concat!(env!("OUT_DIR"), "/mod.rs"));

use dunlin::protobuf::wkt::Timestamp;
use dunlin::protobuf::{Message, View, json, text};
use shop::v1::order::{Line, Payment};
use shop::v1::{Order, OrderView, Status};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let order = Order {
        id: "42".into(),
        lines: vec![Line { product: "kettle".into(), quantity: 2, ..Default::default() }],
        notes: [("gift".into(), "yes".into())].into(),
        placed_at: Some(Timestamp { seconds: 1_700_000_000, ..Default::default() }),
        payment: Some(Payment::Credit(995)),
        status: Status::STATUS_OPEN,
        ..Default::default()
    };

    let bytes = order.encode_to_vec();
    println!("{} bytes", bytes.len());
    assert_eq!(Order::decode(&bytes)?, order);

    // A view borrows its strings from the bytes.
    let view = OrderView::decode_view(&bytes)?;
    println!("{} x {}", view.lines[0].quantity, view.lines[0].product);

    println!("{}", json::to_string(&order)?);
    print!("{}", text::to_string(&order));
    Ok(())
}
