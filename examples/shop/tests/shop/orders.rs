//! The till.

use dunlin::Code;
use dunlin::grpc::details::PreconditionFailure;
use shop_example::proto::order::Status;
use shop_example::proto::product::Status as ProductStatus;
use shop_example::proto::{
    CreateOrderRequest, GetOrderRequest, GetProductRequest, ListOrdersRequest, Order, TrackOrderRequest,
    UpdateOrderStatusRequest,
};
use shop_example::store::Moment;
use shop_example::store::products::insert;
use shop_example::{messages, store::audit::audit};

use crate::support::{Open, bad_fields, code, money, order, product, reason};

/// Products `p-1` and on, of which there are so many pieces; each costs 10 EUR.
async fn shop_with(available: &[u32]) -> Open {
    let shop = Open::with_products(0).await;
    for (number, pieces) in available.iter().enumerate() {
        let data = messages::product_data(product(&format!("N-{number}"), *pieces)).unwrap();
        shop.store.write(move |tx| insert(tx, data, Moment::now())).await.unwrap();
    }
    shop
}

fn create(order: Order, key: &str) -> CreateOrderRequest {
    CreateOrderRequest { order: Some(Box::new(order)), idempotency_key: key.into(), ..Default::default() }
}

fn get(id: &str) -> GetOrderRequest {
    GetOrderRequest { id: id.into(), ..Default::default() }
}

fn step(id: &str, status: Status) -> UpdateOrderStatusRequest {
    UpdateOrderStatusRequest { id: id.into(), status, ..Default::default() }
}

/// Pieces of a product that are available and reserved.
async fn stock(shop: &Open, id: &str) -> (u32, u32) {
    let request = GetProductRequest { id: id.into(), ..Default::default() };
    let inventory = shop.clients("").products.get_product(request).await.unwrap().inventory.unwrap();
    (inventory.available, inventory.reserved)
}

/// Nothing is wrong with the books; and what the orders bring, in units.
async fn income(shop: &Open) -> String {
    let audit = shop.store.read(audit).await.unwrap();
    assert_eq!(audit.faults, [""; 0]);
    audit.income.to_string()
}

#[tokio::test]
async fn an_order_reserves_stock_and_totals_money() {
    let shop = shop_with(&[5, 5]).await;
    let customer = shop.customer().orders;
    let created = customer.create_order(create(order(&[("p-1", 3), ("p-2", 1)]), "k-1")).await.unwrap();
    assert_eq!((&*created.id, &*created.customer, created.status), ("o-1", "demo-customer", Status::PENDING));
    assert_eq!(created.total, Some(money(40, 0)));
    let first = &created.lines[0];
    assert_eq!(
        (&*first.product_name, &first.unit_price, &first.total),
        ("a N-0", &Some(money(10, 0)), &Some(money(30, 0)))
    );
    assert_eq!((stock(&shop, "p-1").await, stock(&shop, "p-2").await), ((2, 3), (4, 1)));
    assert_eq!(customer.get_order(get("o-1")).await.unwrap(), created);
    assert_eq!(income(&shop).await, "40.00 EUR");

    // All or nothing.
    let status = customer.create_order(create(order(&[("p-2", 4), ("p-1", 3)]), "k-2")).await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::FailedPrecondition, "OUT_OF_STOCK"));
    let violations = status.error_details().unwrap().get::<PreconditionFailure>().unwrap().violations;
    assert_eq!((&*violations[0].subject, &*violations[0].r#type), ("order.lines[1]", "STOCK"));
    assert_eq!(stock(&shop, "p-2").await, (4, 1));
    let status = customer.create_order(create(order(&[("p-9", 1)]), "k-2")).await.unwrap_err();
    assert_eq!(&*reason(&status), "NOT_FOR_SALE");
    // A key is used up by an order alone.
    customer.create_order(create(order(&[("p-2", 4)]), "k-2")).await.unwrap();
    assert_eq!(income(&shop).await, "80.00 EUR");
    shop.close().await;
}

#[tokio::test]
async fn a_key_gives_one_order_however_often_it_is_used() {
    let shop = shop_with(&[100]).await;
    let customer = shop.customer().orders;
    let request = create(order(&[("p-1", 2)]), "k");
    let calls = (0..20).map(|_| {
        let call = customer.create_order(request.clone());
        tokio::spawn(async move { call.await.unwrap().id })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), "o-1");
    }
    assert_eq!(stock(&shop, "p-1").await, (98, 2));
    let status = customer.create_order(create(order(&[("p-1", 3)]), "k")).await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::AlreadyExists, "IDEMPOTENCY_KEY_TAKEN"));
    // Another customer's keys are other keys.
    assert_eq!(shop.admin().orders.create_order(request).await.unwrap().id, "o-2");
    assert_eq!(income(&shop).await, "40.00 EUR");
    shop.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_an_order_is_told_field_by_field() {
    let shop = shop_with(&[]).await;
    let customer = shop.customer().orders;
    let bad = Order { payment: None, shipping_address: None, ..order(&[("p-1", 0), ("p-1", 1), ("", 1)]) };
    let fields = bad_fields(customer.create_order(create(bad, "")).await);
    let wanted = [
        "idempotency_key",
        "order.payment",
        "order.shipping_address",
        "order.lines[0].quantity",
        "order.lines[1].product_id",
        "order.lines[2].product_id",
    ];
    assert_eq!(fields, wanted);
    assert_eq!(bad_fields(customer.create_order(create(order(&[]), "k")).await), ["order.lines"]);
    assert_eq!(
        bad_fields(customer.create_order(CreateOrderRequest::default()).await).last().unwrap(),
        "order"
    );
    assert_eq!(bad_fields(customer.update_order_status(step("o-1", Status(9))).await), ["status"]);
    assert_eq!(code(customer.get_order(get("o-1")).await), Code::NotFound);
    assert_eq!(bad_fields(customer.get_order(get("")).await), ["id"]);
    shop.close().await;
}

#[tokio::test]
async fn more_money_than_can_be_counted_is_refused() {
    let shop = shop_with(&[]).await;
    let dear = shop_example::proto::Product { price: Some(money(9_000_000_000, 0)), ..product("DEAR", 10) };
    let data = messages::product_data(dear).unwrap();
    shop.store.write(move |tx| insert(tx, data, Moment::now())).await.unwrap();
    let status = shop.customer().orders.create_order(create(order(&[("p-1", 2)]), "k")).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    assert_eq!(stock(&shop, "p-1").await, (10, 0));
    shop.close().await;
}

#[tokio::test]
async fn an_order_goes_from_step_to_step_and_gives_back_what_it_reserved() {
    let shop = shop_with(&[10]).await;
    let (customer, admin) = (shop.customer().orders, shop.admin().orders);
    for key in ["a", "b", "c"] {
        customer.create_order(create(order(&[("p-1", 2)]), key)).await.unwrap();
    }
    assert_eq!(stock(&shop, "p-1").await, (4, 6));
    // A product that orders wait for stays.
    let delete = shop_example::proto::DeleteProductRequest { id: "p-1".into(), ..Default::default() };
    assert_eq!(code(shop.admin().products.delete_product(delete).await), Code::FailedPrecondition);

    for status in [Status::PAID, Status::SHIPPED, Status::DELIVERED] {
        assert_eq!(code(customer.update_order_status(step("o-1", status)).await), Code::PermissionDenied);
        assert_eq!(admin.update_order_status(step("o-1", status)).await.unwrap().status, status);
    }
    assert_eq!(stock(&shop, "p-1").await, (4, 4));
    admin.update_order_status(step("o-2", Status::PAID)).await.unwrap();
    let cancelled = customer.update_order_status(step("o-2", Status::CANCELLED)).await.unwrap();
    assert_eq!(cancelled.status, Status::CANCELLED);
    assert_eq!(stock(&shop, "p-1").await, (6, 2));
    for (id, to) in [("o-1", Status::CANCELLED), ("o-2", Status::PAID), ("o-3", Status::SHIPPED)] {
        let status = admin.update_order_status(step(id, to)).await.unwrap_err();
        assert_eq!((status.code(), &*reason(&status)), (Code::FailedPrecondition, "NO_SUCH_STEP"), "{id}");
    }
    assert_eq!(income(&shop).await, "40.00 EUR");
    // The cancelled order is still what the key means.
    let again = customer.create_order(create(order(&[("p-1", 2)]), "b")).await.unwrap();
    assert_eq!((&*again.id, again.status), ("o-2", Status::CANCELLED));
    shop.close().await;
}

#[tokio::test]
async fn customers_see_their_own_orders_the_newest_first() {
    let shop = shop_with(&[100]).await;
    let (customer, admin) = (shop.customer().orders, shop.admin().orders);
    for key in ["1", "2", "3", "4", "5"] {
        customer.create_order(create(order(&[("p-1", 1)]), key)).await.unwrap();
    }
    admin.create_order(create(order(&[("p-1", 1)]), "1")).await.unwrap();
    admin.update_order_status(step("o-2", Status::PAID)).await.unwrap();

    let list = |page_size, page_token: &str| ListOrdersRequest {
        page_size,
        page_token: page_token.into(),
        ..Default::default()
    };
    let ids = |orders: &[Order]| orders.iter().map(|order| order.id.clone()).collect::<Vec<_>>();
    let first = customer.list_orders(list(3, "")).await.unwrap();
    assert_eq!(ids(&first.orders), ["o-5", "o-4", "o-3"]);
    let second = customer.list_orders(list(3, &first.next_page_token)).await.unwrap();
    assert_eq!((ids(&second.orders), &*second.next_page_token), (vec!["o-2".into(), "o-1".into()], ""));
    assert_eq!(admin.list_orders(list(0, "")).await.unwrap().orders.len(), 6);
    assert_eq!(bad_fields(admin.list_orders(list(3, &first.next_page_token)).await), ["page_token"]);
    assert_eq!(bad_fields(admin.list_orders(list(3, "?")).await), ["page_token"]);
    let paid = ListOrdersRequest { status: Status::PAID, ..Default::default() };
    assert_eq!(ids(&customer.list_orders(paid).await.unwrap().orders), ["o-2"]);
    let others = ListOrdersRequest { customer: "demo-admin".into(), ..Default::default() };
    assert_eq!(code(customer.list_orders(others.clone()).await), Code::PermissionDenied);
    assert_eq!(ids(&admin.list_orders(others).await.unwrap().orders), ["o-6"]);

    // What is not theirs is not there for them.
    assert_eq!(code(customer.get_order(get("o-6")).await), Code::NotFound);
    assert_eq!(code(customer.update_order_status(step("o-6", Status::CANCELLED)).await), Code::NotFound);
    let request = TrackOrderRequest { id: "o-6".into(), ..Default::default() };
    assert_eq!(code(customer.track_order(request).await.unwrap().next().await), Code::NotFound);
    shop.close().await;
}

#[tokio::test]
async fn an_order_is_tracked_until_nothing_follows() {
    let shop = shop_with(&[10]).await;
    let (customer, admin) = (shop.customer().orders, shop.admin().orders);
    customer.create_order(create(order(&[("p-1", 2)]), "a")).await.unwrap();
    let request = TrackOrderRequest { id: "o-1".into(), ..Default::default() };
    let mut events = customer.track_order(request.clone()).await.unwrap();
    for status in [Status::PENDING, Status::PAID, Status::SHIPPED, Status::DELIVERED] {
        if status != Status::PENDING {
            admin.update_order_status(step("o-1", status)).await.unwrap();
        }
        let event = events.next().await.unwrap().unwrap();
        assert_eq!((&*event.order_id, event.status), ("o-1", status));
    }
    assert_eq!(events.next().await.unwrap(), None);
    // One that is over already is told at once.
    let mut events = customer.track_order(request).await.unwrap();
    assert_eq!(events.next().await.unwrap().unwrap().status, Status::DELIVERED);
    assert_eq!(events.next().await.unwrap(), None);
    shop.close().await;
}

#[tokio::test]
async fn what_is_not_sold_now_is_not_ordered() {
    let shop = shop_with(&[]).await;
    let resting = shop_example::proto::Product { status: ProductStatus::SUSPENDED, ..product("A", 5) };
    let data = messages::product_data(resting).unwrap();
    shop.store.write(move |tx| insert(tx, data, Moment::now())).await.unwrap();
    let status = shop.customer().orders.create_order(create(order(&[("p-1", 1)]), "k")).await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::FailedPrecondition, "NOT_FOR_SALE"));
    shop.close().await;
}
