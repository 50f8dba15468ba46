//! Compiles the schema; what it imports from `money-example` is found there.

fn main() {
    dunlin_build::compile("proto/invoice/v1/invoice.proto");
}
