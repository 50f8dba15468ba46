//! What an empty shop begins with: believable products, the same ones each time.

use std::time::Duration;

use dunlin::Status;

use crate::messages::product_data;
use crate::money::Amount;
use crate::proto::product::{Dimensions, Discount, Inventory};
use crate::proto::{Category, Product};
use crate::store::{Moment, Store, products};

/// What a category sells, made how, of what.
struct Shelf {
    category: Category,
    code: &'static str,
    things: &'static [&'static str],
    kinds: &'static [&'static str],
    brands: &'static [&'static str],
    /// In cents.
    prices: (u32, u32),
    /// In grams.
    weights: (u32, u32),
}

const SHELVES: [Shelf; 8] = [
    Shelf {
        category: Category::BOOKS,
        code: "BK",
        things: &[
            "Atlas",
            "Cookbook",
            "Notebook",
            "Novel",
            "Field Guide",
            "Calendar",
            "Sketchbook",
            "Dictionary",
        ],
        kinds: &["Illustrated", "Pocket", "Hardcover", "Annotated", "Large Print", "Linen-Bound"],
        brands: &["Marsh & Reed", "Tidewater Press", "Northlight"],
        prices: (450, 5900),
        weights: (120, 2400),
    },
    Shelf {
        category: Category::ELECTRONICS,
        code: "EL",
        things: &[
            "Headphones",
            "Speaker",
            "Desk Lamp",
            "Charger",
            "Keyboard",
            "Radio",
            "Camera",
            "Thermometer",
        ],
        kinds: &["Wireless", "Compact", "Foldable", "Solar", "Waterproof", "Silent"],
        brands: &["Voltano", "Kestrel Audio", "Brightwave", "Ohmly"],
        prices: (1290, 49900),
        weights: (60, 3200),
    },
    Shelf {
        category: Category::FOOD,
        code: "FD",
        things: &["Coffee", "Green Tea", "Olive Oil", "Honey", "Chocolate", "Muesli", "Pasta", "Jam"],
        kinds: &["Organic", "Dark", "Mild", "Smoked", "Mountain", "Spiced"],
        brands: &["Hof Linden", "Casa Verde", "Old Mill"],
        prices: (190, 2490),
        weights: (100, 1500),
    },
    Shelf {
        category: Category::GARDEN,
        code: "GD",
        things: &["Watering Can", "Spade", "Pruner", "Plant Pot", "Bird Feeder", "Hose", "Rake", "Seed Box"],
        kinds: &["Galvanised", "Terracotta", "Telescopic", "Lightweight", "Forged", "Self-Watering"],
        brands: &["Greenfinch", "Loam & Co", "Borderline"],
        prices: (490, 8900),
        weights: (150, 4800),
    },
    Shelf {
        category: Category::HOME,
        code: "HM",
        things: &["Kettle", "Teapot", "Frying Pan", "Cushion", "Wall Clock", "Blanket", "Knife", "Vase"],
        kinds: &["Enamel", "Cast-Iron", "Stoneware", "Woollen", "Oak", "Copper"],
        brands: &["Dunlin Home", "Hearthside", "Kupfer & Sohn"],
        prices: (890, 18900),
        weights: (200, 5200),
    },
    Shelf {
        category: Category::TOYS,
        code: "TY",
        things: &[
            "Puzzle",
            "Building Blocks",
            "Kite",
            "Train Set",
            "Card Game",
            "Teddy Bear",
            "Spinning Top",
        ],
        kinds: &["Wooden", "Magnetic", "Glow-in-the-Dark", "Giant", "Travel", "Classic"],
        brands: &["Plover Toys", "Kinderlei", "Little Fjord"],
        prices: (390, 7900),
        weights: (50, 2600),
    },
    Shelf {
        category: Category::CLOTHING,
        code: "CL",
        things: &["Scarf", "Rain Jacket", "Jumper", "Socks", "Cap", "Gloves", "Shirt", "Belt"],
        kinds: &["Merino", "Linen", "Quilted", "Striped", "Recycled", "Hand-Knitted"],
        brands: &["Sandpiper", "Nordwind", "Selvedge"],
        prices: (690, 22900),
        weights: (40, 1400),
    },
    Shelf {
        category: Category::SPORTS,
        code: "SP",
        things: &[
            "Yoga Mat",
            "Bicycle Pump",
            "Climbing Rope",
            "Football",
            "Water Bottle",
            "Tent",
            "Rucksack",
        ],
        kinds: &["Ultralight", "Inflatable", "Professional", "Junior", "Insulated", "All-Weather"],
        brands: &["Ridgeline", "Avocet Sport", "Ostrava"],
        prices: (590, 39900),
        weights: (80, 4200),
    },
];

const COLOURS: [&str; 9] = ["black", "white", "navy", "olive", "rust", "sand", "teal", "grey", "plum"];

/// Fills the shop, all at once, if it is empty. How many products there are then.
///
/// # Errors
/// If the database can not be written.
pub async fn seed(store: &Store, count: u32) -> Result<u32, Status> {
    let rows = (0..count).map(|number| product_data(product(number))).collect::<Result<Vec<_>, _>>()?;
    let seeded = store.write(move |tx| {
        let there = products::count(tx.db(), 0)?;
        if there > 0 {
            return Ok(there);
        }
        let now = Moment::now();
        for row in rows {
            products::insert(tx, row, now)?;
        }
        products::count(tx.db(), 0)
    });
    Ok(seeded.await?)
}

/// The product of this number, from 0.
fn product(number: u32) -> Product {
    let mut dice = Dice(u64::from(number));
    let shelf = &SHELVES[number as usize % SHELVES.len()];
    let (thing, kind, colour) = (dice.pick(shelf.things), dice.pick(shelf.kinds), dice.pick(&COLOURS));
    let brand = *dice.pick(shelf.brands);
    // 12.37 becomes 12.90: nobody sells for 12.37.
    let price =
        Amount::from_cents(i32::try_from(dice.roll(shelf.prices) / 100 * 100 + 90).unwrap_or(i32::MAX));
    let grams = dice.roll(shelf.weights);
    let model = number / 8 + 1;
    let mut side = || dice.roll((40, 600));
    let dimensions =
        Dimensions { width_mm: side(), height_mm: side(), depth_mm: side(), ..Default::default() };
    let discount = match dice.roll((0, 9)) {
        0 => Some(Discount::PercentOff(5 * dice.roll((1, 8)))),
        1 => Some(Discount::AmountOff(Amount::from_cents(50).into())),
        _ => None,
    };
    let is_durable = !matches!(shelf.category, Category::FOOD | Category::BOOKS);
    let warranty = Duration::from_secs(365 * 86_400 * u64::from(dice.roll((1, 3))));
    Product {
        sku: format!("{}-{model:05}", shelf.code),
        name: format!("{kind} {thing} {model}"),
        description: format!("{kind} {} by {brand}, in {colour}.", thing.to_lowercase()),
        category: shelf.category,
        price: Some(price.into()),
        inventory: Some(Inventory {
            available: dice.roll((0, 400)),
            reorder_level: 10,
            ..Default::default()
        }),
        discount,
        attributes: [("colour".to_owned(), (*colour).to_owned())].into(),
        tags: vec![thing.to_lowercase(), kind.to_lowercase()],
        brand: Some(brand.to_owned()),
        weight_kg: Some(f64::from(grams) / 1000.0),
        dimensions: Some(dimensions),
        warranty: is_durable.then(|| warranty.try_into().ok()).flatten(),
        ..Default::default()
    }
}

/// Numbers that look like chance, and are the same each time: SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From the first to the last.
    fn roll(&mut self, (first, last): (u32, u32)) -> u32 {
        // Below 2^32, as the span is.
        first + (self.next() % (u64::from(last - first) + 1)) as u32
    }

    fn pick<'p, T>(&mut self, of: &'p [T]) -> &'p T {
        &of[self.next() as usize % of.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validation;

    #[test]
    fn seeded_products_are_as_products_should_be_and_always_the_same() {
        let mut skus = std::collections::BTreeSet::new();
        for number in 0..5000 {
            let made = product(number);
            assert_eq!(validation::product("product", &made), Default::default(), "{made:?}");
            assert_eq!(made, product(number));
            assert!(skus.insert(made.sku.clone()), "{}", made.sku);
        }
    }
}
