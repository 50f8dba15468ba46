//! Compiles the schema and tells dependents of it.

fn main() {
    dunlin_build::Builder::new()
        .file("proto/money/v1/money.proto")
        .options(|options| options.strip_enum_prefix(true).views((".money.v1.Tax", false)))
        .publish("::money_example")
        .compile()
        .unwrap_or_else(|error| panic!("{error}"));
}
