//! serde_json on plain structs: what JSON costs without protobuf's rules.
//!
//! 64-bit integers are JSON numbers here, which protobuf writes as strings, and every field is
//! written; so the text differs a little in size. Bytes are base64 as in protobuf's.

use std::collections::HashMap;
use std::hint::black_box;

use ::serde::de::DeserializeOwned;
use ::serde::{Deserialize, Serialize};
use prost::Message;

use crate::case::Case;
use crate::data::{Data, Input, schema};

pub const PEER: &str = "serde";

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Product {
    id: String,
    name: String,
    description: String,
    price_minor: i64,
    currency: String,
    stock: u32,
    rating: f64,
    active: bool,
    tags: Vec<String>,
    attributes: HashMap<String, String>,
    dimensions: Option<Dimensions>,
    reviews: Vec<Review>,
    status: Status,
    created_at: u64,
    adjustment: i32,
    #[serde(with = "base64_text")]
    thumbnail: Vec<u8>,
}

#[derive(Serialize, Deserialize, PartialEq)]
enum Status {
    #[serde(rename = "STATUS_UNKNOWN")]
    Unknown,
    #[serde(rename = "STATUS_LISTED")]
    Listed,
    #[serde(rename = "STATUS_HIDDEN")]
    Hidden,
}

#[derive(Serialize, Deserialize, PartialEq)]
struct Dimensions {
    width: f32,
    height: f32,
    depth: f32,
    unit: String,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Review {
    author: String,
    stars: u32,
    text: String,
    written_at: i64,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Order {
    order_id: String,
    customer_id: String,
    lines: Vec<OrderLine>,
    ship_to: Option<Address>,
    total_minor: i64,
    currency: String,
    placed_at: u64,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct OrderLine {
    product: Option<Product>,
    quantity: u32,
    unit_minor: i64,
    note: String,
}

#[derive(Serialize, Deserialize, PartialEq)]
struct Address {
    street: String,
    city: String,
    zip: String,
    country: String,
}

pub fn cases(data: &Data) -> Vec<Case> {
    let mut cases = Vec::new();
    json::<schema::codec::Product, Product>(&data.product, &mut cases);
    json::<schema::codec::Order, Order>(&data.order, &mut cases);
    cases
}

fn json<M, T>(input: &Input, cases: &mut Vec<Case>)
where
    M: Message + Default,
    T: From<M> + Serialize + DeserializeOwned + PartialEq + 'static,
{
    let value = T::from(M::decode(input.bytes).expect("the input is valid"));
    let value: &'static T = Box::leak(Box::new(value));
    let text: &'static [u8] = serde_json::to_vec(value).expect("every value has a JSON form").leak();
    assert!(*value == serde_json::from_slice(text).expect("the text is ours"), "{}", input.message);

    cases.push(Case::new(PEER, input.message, "json_encode", move || serde_json::to_vec(black_box(value))));
    cases.push(Case::new(PEER, input.message, "json_decode", move || {
        serde_json::from_slice::<T>(black_box(text))
    }));
}

mod base64_text {
    use std::borrow::Cow;

    use ::serde::{Deserialize, Deserializer, Serializer, de};
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&base64::display::Base64Display::new(bytes, &BASE64_STANDARD))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text.as_bytes()).map_err(de::Error::custom)
    }
}

impl From<schema::codec::Product> for Product {
    fn from(product: schema::codec::Product) -> Self {
        Self {
            status: match product.status() {
                schema::codec::Status::Unknown => Status::Unknown,
                schema::codec::Status::Listed => Status::Listed,
                schema::codec::Status::Hidden => Status::Hidden,
            },
            id: product.id,
            name: product.name,
            description: product.description,
            price_minor: product.price_minor,
            currency: product.currency,
            stock: product.stock,
            rating: product.rating,
            active: product.active,
            tags: product.tags,
            attributes: product.attributes.into_iter().collect(),
            dimensions: product.dimensions.map(Dimensions::from),
            reviews: product.reviews.into_iter().map(Review::from).collect(),
            created_at: product.created_at,
            adjustment: product.adjustment,
            thumbnail: product.thumbnail,
        }
    }
}

impl From<schema::codec::Dimensions> for Dimensions {
    fn from(schema::codec::Dimensions { width, height, depth, unit }: schema::codec::Dimensions) -> Self {
        Self { width, height, depth, unit }
    }
}

impl From<schema::codec::Review> for Review {
    fn from(schema::codec::Review { author, stars, text, written_at }: schema::codec::Review) -> Self {
        Self { author, stars, text, written_at }
    }
}

impl From<schema::codec::Order> for Order {
    fn from(order: schema::codec::Order) -> Self {
        Self {
            order_id: order.order_id,
            customer_id: order.customer_id,
            lines: order.lines.into_iter().map(OrderLine::from).collect(),
            ship_to: order.ship_to.map(Address::from),
            total_minor: order.total_minor,
            currency: order.currency,
            placed_at: order.placed_at,
        }
    }
}

impl From<schema::codec::OrderLine> for OrderLine {
    fn from(line: schema::codec::OrderLine) -> Self {
        Self {
            product: line.product.map(Product::from),
            quantity: line.quantity,
            unit_minor: line.unit_minor,
            note: line.note,
        }
    }
}

impl From<schema::codec::Address> for Address {
    fn from(schema::codec::Address { street, city, zip, country }: schema::codec::Address) -> Self {
        Self { street, city, zip, country }
    }
}
