//! Generates the messages, services and clients of `shop.v1`.

fn main() -> Result<(), dunlin_build::Error> {
    let files = ["chat", "order", "price", "product", "upload"]
        .map(|name| format!("proto/shop/v1/{name}_service.proto"));
    dunlin_build::Builder::new()
        .files(files)
        // Category::Books in place of Category::CATEGORY_BOOKS, and Option<String> for StringValue.
        .options(|options| options.strip_enum_prefix(true).wrappers(".shop.v1"))
        .compile()
}
