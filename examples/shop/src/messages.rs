//! Rows of the database as messages, and the other way round.

use dunlin::protobuf::Message;
use dunlin::protobuf::wkt::Timestamp;
use dunlin::{Code, ResultExt, Status};

use crate::ids::ProductId;
use crate::money::{Amount, MoneyError};
use crate::proto::product::{Discount, Inventory, Status as ProductStatus};
use crate::proto::{Category, File, Order, Product, order};
use crate::store::Moment;
use crate::store::files::FileRow;
use crate::store::orders::{LineRow, OrderRow, OrderStatus};
use crate::store::products::{ProductData, ProductRow};

impl From<Moment> for Timestamp {
    fn from(moment: Moment) -> Self {
        Self {
            seconds: moment.0.div_euclid(1_000_000),
            // Below a billion.
            nanos: moment.0.rem_euclid(1_000_000) as i32 * 1000,
            ..Self::default()
        }
    }
}

/// What a piece costs: the price less the discount.
pub fn net_price(product: &Product) -> Result<Amount, MoneyError> {
    let price = product.price.as_ref().map_or(Ok(Amount::ZERO), Amount::try_from)?;
    match &product.discount {
        None => Ok(price),
        Some(Discount::PercentOff(percent)) => price.per_mille(1000 - 10 * (*percent).min(100)),
        Some(Discount::AmountOff(amount)) => price.minus(Amount::try_from(amount)?),
    }
}

/// What the database is to know of a product, which is [as it should be](crate::validation::product).
pub fn product_data(mut product: Product) -> Result<ProductData, Status> {
    let price = net_price(&product).status(Code::InvalidArgument)?;
    if product.status == ProductStatus::UNSPECIFIED {
        product.status = ProductStatus::ACTIVE;
    }
    let inventory = product.inventory.as_ref();
    let available = inventory.map_or(0, |inventory| inventory.available);
    let reorder_level = inventory.map_or(0, |inventory| inventory.reorder_level);
    let is_for_sale = product.status == ProductStatus::ACTIVE;
    // What has a column of its own is not kept twice.
    product.id.clear();
    product.inventory = Some(Inventory { reorder_level, ..Inventory::default() });
    (product.create_time, product.update_time) = (None, None);
    Ok(ProductData {
        sku: std::mem::take(&mut product.sku),
        name: std::mem::take(&mut product.name),
        category: std::mem::take(&mut product.category).0,
        is_for_sale,
        price,
        available,
        message: product.encode_to_vec(),
    })
}

/// A product, as everyone sees it.
pub fn product(row: ProductRow) -> Result<Product, Status> {
    let mut product = Product::decode(&row.data.message).status(Code::DataLoss)?;
    let inventory = product.inventory.get_or_insert_default();
    (inventory.available, inventory.reserved) = (row.data.available, row.reserved);
    product.id = row.id.to_string();
    product.sku = row.data.sku;
    product.name = row.data.name;
    product.category = Category(row.data.category);
    product.create_time = Some(row.created_at.into());
    product.update_time = Some(row.updated_at.into());
    Ok(product)
}

/// Products and pieces of an order, which is [as it should be](crate::validation::order).
pub fn order_lines(order: &Order) -> Vec<(ProductId, u32)> {
    // A text that is no id is that of no product, too.
    let number = |line: &order::Line| (line.product_id.parse().unwrap_or(ProductId(0)), line.quantity);
    order.lines.iter().map(number).collect()
}

/// Of an order, what has no column of its own.
pub fn order_message(order: &Order) -> Vec<u8> {
    let rest = Order {
        payment: order.payment.clone(),
        shipping_address: order.shipping_address.clone(),
        note: order.note.clone(),
        ..Order::default()
    };
    rest.encode_to_vec()
}

/// An order, as its customer sees it.
pub fn order(row: OrderRow) -> Result<Order, Status> {
    let rest = Order::decode(&row.message).status(Code::DataLoss)?;
    Ok(Order {
        id: row.id.to_string(),
        customer: row.customer,
        status: order_status(row.status),
        lines: row.lines.into_iter().map(order_line).collect(),
        total: Some(row.total.into()),
        create_time: Some(row.created_at.into()),
        update_time: Some(row.updated_at.into()),
        ..rest
    })
}

fn order_line(row: LineRow) -> order::Line {
    order::Line {
        product_id: row.product_id.to_string(),
        quantity: row.quantity,
        product_name: row.product_name,
        unit_price: Some(row.unit_price.into()),
        total: Some(row.total.into()),
        ..order::Line::default()
    }
}

/// How far an order is.
pub fn order_status(status: OrderStatus) -> order::Status {
    order::Status(status.number())
}

/// A file, as everyone sees it.
pub fn file(row: FileRow) -> File {
    File {
        id: row.id.to_string(),
        name: row.data.name,
        content_type: row.data.content_type,
        size: row.data.size,
        sha256: row.data.sha256.into(),
        owner: row.data.owner,
        create_time: Some(row.created_at.into()),
        ..File::default()
    }
}
