//! Messages that hold those of another crate: `cargo run -p invoice-example`.
#![allow(clippy::print_stdout)] // It is what an example is for.

include!(concat!(env!("OUT_DIR"), "/mod.rs"));

use dunlin::protobuf::{Message, json};
use invoice::v1::Invoice;
use money_example::money::v1::Money;

fn invoice() -> Invoice {
    let total = Money { currency: Some("EUR".into()), cents: Some(1234), ..Default::default() };
    Invoice {
        id: Some("7".into()),
        total: Some(total.clone()),
        lines: [("kettle".into(), total)].into(),
        ..Default::default()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let invoice = invoice();
    assert_eq!(Invoice::decode(&invoice.encode_to_vec())?, invoice);
    println!("{}", json::to_string(&invoice)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin::protobuf::View;
    use invoice::v1::InvoiceView;
    use money_example::money::v1::{Rounding, Tax, money::Rate};

    #[test]
    fn types_of_the_other_crate_are_its_own() {
        let mut invoice = invoice();
        invoice.rates.push(Rate { factor: Some(0.5), ..Default::default() });
        invoice.tax = Some(Tax { name: Some("VAT".into()), ..Default::default() });
        let bytes = invoice.encode_to_vec();
        let view = InvoiceView::decode_view(&bytes).unwrap();
        assert_eq!(view.total.as_ref().unwrap().currency, Some("EUR"));
        assert_eq!(view.to_message(), invoice);
        // A constant without its prefix, as the other crate has it.
        assert_eq!(invoice.rounding(), Rounding::HALF_EVEN);
    }
}
