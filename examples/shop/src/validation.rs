//! What requests should be like. What is not is refused with all faults at once.

use dunlin::interceptors::{Validation, Violations};
use dunlin::protobuf::wkt::FieldMask;

use crate::messages::net_price;
use crate::money::{Amount, MoneyError};
use crate::proto::product::{Discount, Status as ProductStatus};
use crate::proto::{
    Address, Category, CreateOrderRequest, CreateProductRequest, DownloadFileRequest, GetQuoteRequest,
    ListOrdersRequest, ListProductsRequest, Money, Order, Product, UpdateOrderStatusRequest,
    UpdateProductRequest, WatchProductsRequest, order,
};

/// The most pieces that one request may be about.
pub const MAX_QUANTITY: u32 = 10_000;
/// The most pieces that may be there of a product.
pub const MAX_AVAILABLE: u32 = 1_000_000;
const MAX_LINES: usize = 100;
const MAX_WATCHED: usize = 100;

/// Fields that the shop decides.
const OUTPUT_ONLY: [&str; 4] = ["id", "inventory.reserved", "create_time", "update_time"];

/// Refuses requests that are not as they should be, before a method sees them. Items of bulk requests are
/// left to their methods, which go on behind one that is refused.
pub fn interceptor() -> Validation {
    Validation::new()
        .check(|request: &CreateProductRequest| wanted_product("product", request.product.as_deref()))
        .check(update_product)
        .check(|request: &ListProductsRequest| page_size(request.page_size).and(category(request.category)))
        .check(|request: &WatchProductsRequest| {
            let few = request.ids.len() <= MAX_WATCHED;
            category(request.category).require(few, "ids", format!("must be at most {MAX_WATCHED}"))
        })
        .check(create_order)
        .check(|request: &ListOrdersRequest| {
            let is_status = (0..=order::Status::CANCELLED.0).contains(&request.status.0);
            page_size(request.page_size).require(is_status, "status", "is not known")
        })
        .check(|request: &UpdateOrderStatusRequest| {
            let is_status = (1..=order::Status::CANCELLED.0).contains(&request.status.0);
            Violations::new().require(is_status, "status", "must be the next step")
        })
        .check(|request: &GetQuoteRequest| {
            let fits = request.quantity <= MAX_QUANTITY;
            Violations::new().require(fits, "quantity", format!("must be at most {MAX_QUANTITY}"))
        })
        .check(|request: &DownloadFileRequest| {
            Violations::new().require(request.offset >= 0, "offset", "must not be negative").require(
                request.limit >= 0,
                "limit",
                "must not be negative",
            )
        })
}

/// A product that somebody has to give, at `path` of a request.
pub fn wanted_product(path: &str, given: Option<&Product>) -> Violations {
    match given {
        Some(given) => product(path, given),
        None => Violations::new().field(path, "is missing"),
    }
}

/// A product at `path` of a request.
pub fn product(path: &str, product: &Product) -> Violations {
    let at = |field: &str| format!("{path}.{field}");
    let is_sku = !product.sku.is_empty()
        && product.sku.len() <= 40
        && product.sku.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-');
    let has_category = (1..=Category::SPORTS.0).contains(&product.category.0);
    let has_status = (0..=ProductStatus::DISCONTINUED.0).contains(&product.status.0);
    let available = product.inventory.as_ref().map_or(0, |inventory| inventory.available);
    let attributes = product.attributes.len() <= 32
        && product.attributes.iter().all(|(name, value)| text(name, 1, 64) && text(value, 0, 1000));
    let tags = product.tags.len() <= 16 && product.tags.iter().all(|tag| text(tag, 1, 64));
    let weight = product.weight_kg.is_none_or(|weight| weight.is_finite() && weight > 0.0);
    let warranty = product.warranty.as_ref().is_none_or(|span| span.validate().is_ok() && span.seconds >= 0);
    Violations::new()
        .require(is_sku, at("sku"), "must be 1 to 40 upper-case letters, digits and dashes")
        .require(text(&product.name, 1, 200), at("name"), "must have 1 to 200 characters")
        .require(text(&product.description, 0, 4000), at("description"), "must have up to 4,000 characters")
        .require(has_category, at("category"), "must be a category of this shop")
        .require(has_status, at("status"), "is not known")
        .and(price(&at("price"), product.price.as_ref()))
        .and(discount(path, product))
        .require(available <= MAX_AVAILABLE, at("inventory.available"), "must be at most 1,000,000")
        .require(attributes, at("attributes"), "must be up to 32 names of up to 64 characters")
        .require(tags, at("tags"), "must be up to 16 words of up to 64 characters")
        .require(weight, at("weight_kg"), "must be more than 0")
        .require(warranty, at("warranty"), "must be a span of time")
}

/// What something costs, at `path` of a request.
pub fn price(path: &str, price: Option<&Money>) -> Violations {
    let Some(price) = price else { return Violations::new().field(path, "is missing") };
    match Amount::try_from(price) {
        Ok(price) => Violations::new().require(price > Amount::ZERO, path, "must be more than 0"),
        Err(error) => Violations::new().field(path, error.to_string()),
    }
}

fn discount(path: &str, product: &Product) -> Violations {
    let none = Violations::new();
    match &product.discount {
        None => none,
        Some(Discount::PercentOff(percent)) => {
            let field = format!("{path}.percent_off");
            none.require((1..=90).contains(percent), field, "must be from 1 to 90")
        }
        Some(Discount::AmountOff(amount)) => {
            let field = format!("{path}.amount_off");
            match (Amount::try_from(amount), net_price(product)) {
                (Err(error), _) => none.field(field, error.to_string()),
                (Ok(amount), _) if amount <= Amount::ZERO => none.field(field, "must be more than 0"),
                (_, Ok(net)) => none.require(net > Amount::ZERO, field, "must be less than the price"),
                // Told of the price itself.
                (_, Err(MoneyError::TooLarge | _)) => none,
            }
        }
    }
}

fn update_product(request: &UpdateProductRequest) -> Violations {
    let missing = Violations::new().require(request.product.is_some(), "product", "is missing");
    let Some(mask) = &request.update_mask else { return missing };
    let output_only = FieldMask::from_paths(OUTPUT_ONLY);
    let decided = mask.intersect(&output_only).paths;
    match mask.validate_for::<Product>() {
        Err(error) => missing.field("update_mask", error.to_string()),
        // The whole inventory is meant without what is reserved of it.
        Ok(()) if decided.iter().any(|path| mask.paths.contains(path)) => {
            missing.field("update_mask", format!("{} is decided by the shop", decided.join(", ")))
        }
        Ok(()) => missing,
    }
}

fn create_order(request: &CreateOrderRequest) -> Violations {
    let key = &request.idempotency_key;
    let is_key = text(key, 1, 64) && key.bytes().all(|byte| byte.is_ascii_graphic());
    let violations =
        Violations::new().require(is_key, "idempotency_key", "must be 1 to 64 visible characters of ASCII");
    match &request.order {
        Some(given) => violations.and(order(given)),
        None => violations.field("order", "is missing"),
    }
}

/// An order of a request.
pub fn order(order: &Order) -> Violations {
    let count = order.lines.len();
    let mut violations = Violations::new()
        .require((1..=MAX_LINES).contains(&count), "order.lines", format!("must be 1 to {MAX_LINES}"))
        .and(payment(order))
        .and(address(order.shipping_address.as_deref()));
    if let Some(note) = &order.note {
        violations =
            violations.require(text(note, 0, 1000), "order.note", "must have up to 1,000 characters");
    }
    let mut seen = std::collections::BTreeSet::new();
    for (number, line) in order.lines.iter().take(MAX_LINES).enumerate() {
        let at = |field: &str| format!("order.lines[{number}].{field}");
        let is_first = seen.insert(&line.product_id);
        let fits = (1..=MAX_QUANTITY).contains(&line.quantity);
        violations = violations
            .require(!line.product_id.is_empty(), at("product_id"), "is missing")
            .require(is_first, at("product_id"), "must be on one line only")
            .require(fits, at("quantity"), format!("must be from 1 to {MAX_QUANTITY}"));
    }
    violations
}

fn payment(order: &Order) -> Violations {
    use order::Payment;
    let none = Violations::new();
    match &order.payment {
        None => none.field("order.payment", "must be one of card, bank_transfer and gift_card"),
        Some(Payment::Card(card)) => {
            let digits =
                card.last_four.len() == 4 && card.last_four.bytes().all(|byte| byte.is_ascii_digit());
            none.require(text(&card.token, 1, 200), "order.card.token", "must have 1 to 200 characters")
                .require(digits, "order.card.last_four", "must be four digits")
        }
        Some(Payment::BankTransfer(transfer)) => {
            let iban = &transfer.iban;
            let is_iban =
                (15..=34).contains(&iban.len()) && iban.bytes().all(|byte| byte.is_ascii_alphanumeric());
            none.require(is_iban, "order.bank_transfer.iban", "must be 15 to 34 letters and digits")
        }
        Some(Payment::GiftCard(card)) => {
            none.require(text(&card.code, 1, 64), "order.gift_card.code", "must have 1 to 64 characters")
        }
    }
}

fn address(address: Option<&Address>) -> Violations {
    let none = Violations::new();
    let Some(address) = address else { return none.field("order.shipping_address", "is missing") };
    let at = |field: &str| format!("order.shipping_address.{field}");
    let lines = (1..=4).contains(&address.lines.len()) && address.lines.iter().all(|line| text(line, 1, 200));
    let country = &address.country_code;
    let is_country = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
    none.require(text(&address.recipient, 1, 200), at("recipient"), "must have 1 to 200 characters")
        .require(lines, at("lines"), "must be 1 to 4 of up to 200 characters")
        .require(text(&address.postal_code, 0, 20), at("postal_code"), "must have up to 20 characters")
        .require(text(&address.city, 1, 200), at("city"), "must have 1 to 200 characters")
        .require(is_country, at("country_code"), "must be two upper-case letters")
}

fn page_size(size: i32) -> Violations {
    Violations::new().require(size >= 0, "page_size", "must not be negative")
}

fn category(category: Category) -> Violations {
    let is_known = (0..=Category::SPORTS.0).contains(&category.0);
    Violations::new().require(is_known, "category", "is not known")
}

/// So many characters, and none that steers terminals.
pub fn text(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.chars().count())
        && !text.chars().any(|char| char.is_control() && !matches!(char, '\n' | '\t'))
}
