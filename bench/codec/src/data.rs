//! The messages, made from nothing but constants, and their encoding.

use prost::Message;

#[allow(clippy::all, dead_code)]
pub mod schema {
    include!(concat!(env!("OUT_DIR"), "/data/mod.rs"));
}

use schema::codec::property::Value;
use schema::codec::*;
use schema::google::protobuf::{FileDescriptorProto, FileDescriptorSet};

pub struct Data {
    /// About 200 bytes, where a product has about a kilobyte.
    pub item: Input,
    pub product: Input,
    pub order: Input,
    pub numbers: Input,
    pub strings: Input,
    pub event: Input,
    pub media: Input,
    pub descriptor: Input,
}

impl Data {
    pub fn new() -> Self {
        Self {
            item: Input::new("item", &card()),
            product: Input::new("product", &product(7, 2)),
            order: Input::new("order", &order()),
            numbers: Input::new("numbers", &numbers()),
            strings: Input::new("strings", &strings()),
            event: Input::new("event", &event()),
            media: Input::new("media", &media()),
            descriptor: Input::new("descriptor", &descriptor()),
        }
    }
}

/// An encoded message, the same bytes in every run and for every peer.
pub struct Input {
    pub message: &'static str,
    pub bytes: &'static [u8],
    equal: fn(&[u8], &[u8]) -> bool,
}

impl Input {
    fn new<M: Message + Default + PartialEq>(message: &'static str, value: &M) -> Self {
        let equal = |left: &[u8], right: &[u8]| {
            let right = M::decode(right);
            right.is_ok() && M::decode(left) == right
        };
        Self { message, bytes: value.encode_to_vec().leak(), equal }
    }

    /// Panics unless a peer's encoding says what the input says; a map's entries may stand in
    /// another order. Else its times would be those of other work.
    pub fn check(&self, peer: &str, encoded: &[u8]) {
        let equal = self.bytes.len() == encoded.len() && (self.equal)(self.bytes, encoded);
        assert!(equal, "{peer} changes {}", self.message);
    }
}

fn product(index: usize, reviews: usize) -> Product {
    let seed = index * 31;
    Product {
        id: format!("SKU-{:012}", index * 7919),
        name: letters(seed + 1, 28),
        description: letters(seed + 2, 180),
        price_minor: 129_900 + index as i64,
        currency: "EUR".into(),
        stock: 40 + (index % 400) as u32,
        rating: 4.25,
        active: true,
        tags: (0..6).map(|tag| letters(seed + 3 + tag, 9)).collect(),
        attributes: (0..5).map(|n| (format!("attr_{n}"), letters(seed + 20 + n, 12))).collect(),
        dimensions: Some(Dimensions { width: 10.5, height: 2.25, depth: 33.0, unit: "cm".into() }),
        reviews: (0..reviews)
            .map(|review| Review {
                author: letters(seed + 30 + review, 14),
                stars: 1 + (review % 5) as u32,
                text: letters(seed + 40 + review, 90),
                written_at: 1_700_000_000_000 + review as i64,
            })
            .collect(),
        status: Status::Listed.into(),
        created_at: 1_700_000_000_123,
        adjustment: -42,
        thumbnail: noise(index as u64).flat_map(u64::to_le_bytes).take(64).collect(),
    }
}

fn card() -> Product {
    Product {
        id: "SKU-000000047514".into(),
        name: letters(5, 28),
        price_minor: 129_900,
        currency: "EUR".into(),
        stock: 40,
        rating: 4.25,
        active: true,
        tags: (0..4).map(|tag| letters(7 + tag, 9)).collect(),
        attributes: (0..2).map(|n| (format!("attr_{n}"), letters(11 + n, 12))).collect(),
        dimensions: Some(Dimensions { width: 10.5, height: 2.25, depth: 33.0, unit: "cm".into() }),
        status: Status::Listed.into(),
        created_at: 1_700_000_000_123,
        adjustment: -42,
        ..Default::default()
    }
}

fn order() -> Order {
    let line = |index| OrderLine {
        product: Some(product(index, 4)),
        quantity: 2,
        unit_minor: 995,
        note: "gift".into(),
    };
    Order {
        order_id: "O-1".into(),
        customer_id: "C-9".into(),
        lines: (0..97).map(line).collect(),
        ship_to: Some(Address {
            street: "Long Street 1".into(),
            city: "Town".into(),
            zip: "12345".into(),
            country: "DE".into(),
        }),
        total_minor: 177_110,
        currency: "EUR".into(),
        placed_at: 1_700_000_000,
    }
}

fn numbers() -> Numbers {
    let random = |seed| noise(seed).take(1000);
    Numbers {
        // All lengths of a varint in about the same number.
        any_size: random(1).map(|n| (n >> (n % 60)) as i64).collect(),
        small: random(2).map(|n| (n % 100) as u32).collect(),
        signed: random(3).map(|n| (n % 20_000) as i64 - 10_000).collect(),
        doubles: random(4).map(|n| n as f64).collect(),
        words: random(5).map(|n| n as u32).collect(),
        flags: random(6).map(|n| n & 1 == 1).collect(),
    }
}

fn strings() -> Strings {
    Strings {
        short: (0..200).map(|n| format!("key{n}")).collect(),
        medium: (0..100).map(|n| "lorem ipsum dolor ".repeat(3 + n % 3)).collect(),
        not_ascii: (0..50).map(|n| format!("Grüße aus Köln, 東京 №{n}")).collect(),
        long: "The quick brown fox. ".repeat(400),
    }
}

fn event() -> Event {
    Event {
        event_id: "0190a6d2-7c1e-7b53-9f0e-3d5b2a6c4e81".into(),
        name: "checkout_step_completed".into(),
        occurred_at_micros: 1_720_000_123_456_789,
        received_at_micros: 1_720_000_124_001_203,
        session: Some(session()),
        device: Some(device()),
        page: Some(page()),
        geo: Some(Geo {
            country: "DE".into(),
            region: "Nordrhein-Westfalen".into(),
            city: "Köln".into(),
            latitude: 50.9375,
            longitude: 6.9603,
        }),
        user_properties: (0..30).map(|n| property(100 + n)).collect(),
        properties: (0..12).map(|n| property(200 + n)).collect(),
        items: (0..31).map(item).collect(),
        experiments: (0..8)
            .map(|n| Experiment {
                key: format!("exp_{}", letters(n, 14)),
                variant: ["control", "treatment", "holdout"][n % 3].into(),
                assigned_at: 1_719_000_000_000 + n as u64,
            })
            .collect(),
        trace_id: noise(7).flat_map(u64::to_le_bytes).take(16).collect(),
        referrer: None,
        consent: Some(true),
        revenue: Some(412.65),
    }
}

fn session() -> Session {
    Session {
        session_id: "s_5f0c2b7d9a1e4c38".into(),
        user_id: "u_18446744".into(),
        anonymous_id: "8c0f6a9e-52d1-4d0b-8f8e-0a6e1c9b7d24".into(),
        started_at_micros: 1_719_999_871_000_000,
        sequence: 41,
        page_views: 9,
        first: false,
        campaign: Some(Campaign {
            source: "newsletter".into(),
            medium: "email".into(),
            name: "summer_sale_2024".into(),
            term: None,
            content: Some("hero_button".into()),
        }),
    }
}

fn device() -> Device {
    Device {
        kind: DeviceKind::Phone.into(),
        maker: "Google".into(),
        model: "Pixel 8 Pro".into(),
        os: "Android".into(),
        os_version: "14".into(),
        browser: "Chrome Mobile".into(),
        browser_version: "126.0.6478.122".into(),
        language: "de-DE".into(),
        screen_width: 1008,
        screen_height: 2244,
        pixel_ratio: 2.625,
        utc_offset_minutes: 120,
    }
}

fn page() -> Page {
    Page {
        url: "https://shop.example.com/de/checkout/shipping?cart=7f3a91&step=2".into(),
        path: "/de/checkout/shipping".into(),
        title: "Versand – Kasse".into(),
        referrer: "https://shop.example.com/de/cart".into(),
        breadcrumbs: ["Start", "Warenkorb", "Kasse", "Versand"].map(String::from).into(),
        timings_ms: vec![12, 48, 131, 260, 418, 902, 1377],
    }
}

fn item(index: usize) -> Item {
    Item {
        item_id: format!("sku_{:06}", index * 7919 % 1_000_000),
        name: letters(index + 5, 24),
        brand: letters(index % 4, 8),
        categories: ["Home", "Kitchen", "Coffee"].map(String::from).into(),
        price: Some(Money { currency: "EUR".into(), units: 10 + index as i64, nanos: 990_000_000 }),
        quantity: 1 + (index % 3) as u32,
        position: index as u32,
        attributes: (0..6).map(|n| property(index * 6 + n)).collect(),
        coupon: (index.is_multiple_of(4)).then(|| "SUMMER10".into()),
        discount: (index.is_multiple_of(4)).then_some(0.1),
    }
}

/// Half of them are text, as in life; the others are of each type in turn.
fn property(index: usize) -> Property {
    let value = match index % 10 {
        0 => Value::Integer(index as i64 * 37 - 1000),
        1 => Value::Number(index as f64 / 8.0),
        2 => Value::Flag(index.is_multiple_of(4)),
        3 => Value::Moment(1_720_000_000_000 + index as u64),
        4 => Value::Texts(TextList { values: (0..3).map(|n| letters(index + n, 6)).collect() }),
        _ => Value::Text(letters(index, 6 + index % 13)),
    };
    Property { key: format!("{}_{}", letters(index + 9, 5), letters(index + 3, 6)), value: Some(value) }
}

fn media() -> Media {
    let plane = |seed| noise(seed).flat_map(u64::to_le_bytes).take(64 << 10).collect();
    Media {
        stream_id: "camera-17/main".into(),
        sequence: 123_456,
        captured_at: 1_720_000_123_456_789,
        clock_skew: -1_250,
        width: 256,
        height: 256,
        key_frame: true,
        gain: 1.5,
        luma: plane(11),
        chroma: plane(12),
        digest: noise(13).flat_map(u64::to_le_bytes).take(32).collect(),
    }
}

/// The file that describes descriptors, described.
fn descriptor() -> FileDescriptorProto {
    let set: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.binpb"));
    let set = FileDescriptorSet::decode(set).expect("protoc writes a descriptor set");
    set.file.into_iter().next().expect("it holds the file asked for")
}

fn letters(seed: usize, len: usize) -> String {
    (0..len).map(|n| char::from(b'a' + ((seed * 17 + n * 7) % 26) as u8)).collect()
}

/// Numbers without a pattern (xorshift64).
fn noise(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ seed;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    })
}
