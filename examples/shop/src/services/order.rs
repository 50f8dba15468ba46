//! The till.

use dunlin::protobuf::Message;
use dunlin::{Sender, ServerContext, Status};
use sha2::{Digest, Sha256};
use tokio::sync::broadcast;

use crate::auth::{Caller, Role};
use crate::closing::Closing;
use crate::errors::{bad_field, not_found};
use crate::ids::OrderId;
use crate::messages;
use crate::page::{self, Fingerprint};
use crate::proto::{
    CreateOrderRequest, GetOrderRequest, ListOrdersRequest, ListOrdersResponse, Order, OrderEvent,
    OrderService, TrackOrderRequest, UpdateOrderStatusRequest,
};
use crate::store::orders::{self, NewOrder, OrderChange, OrderRow, OrderStatus};
use crate::store::{Change, Moment, Store};

/// Implements [`OrderService`].
#[derive(Clone, Debug)]
pub struct Orders {
    /// Where they are.
    pub store: Store,
    /// Ends those who track.
    pub closing: Closing,
}

impl OrderService for Orders {
    async fn create_order(
        &self,
        cx: &mut ServerContext,
        request: CreateOrderRequest,
    ) -> Result<Order, Status> {
        let caller = Caller::of(cx)?;
        let request_hash = Sha256::digest(request.encode_to_vec()).into();
        let order = request.order.unwrap_or_default();
        let new = NewOrder {
            customer: caller.name.clone(),
            idempotency_key: request.idempotency_key,
            request_hash,
            lines: messages::order_lines(&order),
            message: messages::order_message(&order),
        };
        // If the caller gives up now, the order may be there or not: the key tells, asked again.
        messages::order(self.store.write(move |tx| orders::create(tx, &new, Moment::now())).await?)
    }

    async fn get_order(&self, cx: &mut ServerContext, request: GetOrderRequest) -> Result<Order, Status> {
        let caller = Caller::of(cx)?;
        messages::order(self.order(&caller, &request.id).await?)
    }

    async fn list_orders(
        &self,
        cx: &mut ServerContext,
        request: ListOrdersRequest,
    ) -> Result<ListOrdersResponse, Status> {
        let caller = Caller::of(cx)?;
        let customer = match (caller.role, &*request.customer) {
            (Role::Admin, "") => None,
            (Role::Customer, "") => Some(caller.name.clone()),
            (_, customer) if caller.may_see(customer) => Some(customer.to_owned()),
            _ => return Err(Status::permission_denied("customers see their own orders")),
        };
        let size = page::size(request.page_size);
        let status = OrderStatus::from_number(request.status.0);
        let whose = customer.as_deref().unwrap_or_default();
        let list = Fingerprint::of(&["orders", whose, &request.status.0.to_string()]);
        let before = OrderId(page::last(list, &request.page_token)?.unwrap_or(i64::MAX));
        let rows = self.store.read(move |db| orders::page(db, before, customer.as_deref(), status, size + 1));
        let mut rows = rows.await?;
        let next_page_token = page::cut(list, &mut rows, size, |row| row.id.0);
        let orders = rows.into_iter().map(messages::order).collect::<Result<_, _>>()?;
        Ok(ListOrdersResponse { orders, next_page_token, ..Default::default() })
    }

    async fn update_order_status(
        &self,
        cx: &mut ServerContext,
        request: UpdateOrderStatusRequest,
    ) -> Result<Order, Status> {
        let caller = Caller::of(cx)?;
        let id = order_id(&request.id)?;
        let Some(to) = OrderStatus::from_number(request.status.0) else {
            return Err(bad_field("status", "must be the next step"));
        };
        let row = self.store.write(move |tx| {
            orders::update_status(tx, id, to, Moment::now(), |order| {
                if !caller.may_see(&order.customer) {
                    return Err(not_found("order", &id.to_string()));
                }
                if caller.role != Role::Admin && to != OrderStatus::Cancelled {
                    return Err(Status::permission_denied("customers can cancel orders, and nothing else"));
                }
                Ok(())
            })
        });
        messages::order(row.await?)
    }

    async fn track_order(
        &self,
        cx: &mut ServerContext,
        request: TrackOrderRequest,
        mut out: Sender<OrderEvent>,
    ) -> Result<(), Status> {
        let caller = Caller::of(cx)?;
        let mut changes = self.store.changes();
        let mut order = self.order(&caller, &request.id).await?;
        let mut event = OrderChange { id: order.id, status: order.status, at: order.updated_at };
        loop {
            out.send(order_event(&event)).await?;
            if event.status.next().is_empty() {
                return Ok(());
            }
            event = loop {
                let change = tokio::select! {
                    change = changes.recv() => change,
                    status = self.closing.begun() => return Err(status),
                };
                match change {
                    Ok(Change::Order(change)) if change.id == order.id && change.status != event.status => {
                        break change;
                    }
                    Ok(_) => {}
                    // Only the last step counts.
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        order = self.order(&caller, &request.id).await?;
                        if order.status != event.status {
                            break OrderChange { id: order.id, status: order.status, at: order.updated_at };
                        }
                    }
                    Err(broadcast::error::RecvError::Closed) => return Ok(()),
                }
            };
        }
    }
}

impl Orders {
    /// An order that the caller may see; as if it were not there otherwise.
    async fn order(&self, caller: &Caller, id: &str) -> Result<OrderRow, Status> {
        let number = order_id(id)?;
        let row = self.store.read(move |db| orders::get(db, number)).await?;
        if caller.may_see(&row.customer) { Ok(row) } else { Err(not_found("order", id)) }
    }
}

fn order_id(text: &str) -> Result<OrderId, Status> {
    match text.parse() {
        Ok(id) => Ok(id),
        Err(_) if text.is_empty() => Err(bad_field("id", "is missing")),
        Err(_) => Err(not_found("order", text)),
    }
}

fn order_event(change: &OrderChange) -> OrderEvent {
    OrderEvent {
        order_id: change.id.to_string(),
        status: messages::order_status(change.status),
        time: Some(change.at.into()),
        ..Default::default()
    }
}
