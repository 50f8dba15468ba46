//! Generates the messages of `dunlin-proto` and `dunlin-validate`:
//! `cargo run -p dunlin-build --example messages`.

fn main() -> Result<(), dunlin_build::Error> {
    for package in ["crates/dunlin-proto", "crates/dunlin-validate"] {
        dunlin_build::product_messages(package, format!("{package}/src/generated"))?;
    }
    Ok(())
}
