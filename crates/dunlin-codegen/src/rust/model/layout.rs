//! Which messages borrow, and which fields lie in boxes.

use std::collections::{HashMap, HashSet};

use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_protobuf::pool::{FieldKind, FieldView, MessageId, MessageView};
use dunlin_protobuf::table::Kind;

use super::kind_of;
use crate::rust::options::Rules;

/// A message that is larger than this lies in a box where it is one field of another.
const INLINE_SIZE: usize = 64;

/// The messages that have a view: with a string or bytes somewhere below, unless it is not wanted.
pub(super) fn borrowing(pool: &DynamicPool, options: &Rules) -> HashSet<MessageId> {
    let mut users: HashMap<MessageId, Vec<MessageId>> = HashMap::new();
    let mut found = HashSet::new();
    let mut queue = Vec::new();
    for message in pool.descriptors().files().flat_map(|file| file.messages()) {
        for field in message.fields() {
            match field.kind() {
                FieldKind::Message(child) => users.entry(child.id()).or_default().push(message.id()),
                // Lists lie in memory of their own, which is no reason to borrow.
                FieldKind::Scalar(_) if matches!(kind_of(&field), Kind::String | Kind::Bytes) => {
                    queue.push(message.id());
                }
                _ => {}
            }
        }
    }
    let is_wanted = |id| {
        let full_name = pool.descriptors().message_by_id(id).full_name();
        options.flag("views", &full_name) != Some(false)
    };
    while let Some(id) = queue.pop() {
        if !found.contains(&id) && is_wanted(id) {
            found.insert(id);
            queue.extend(users.get(&id).into_iter().flatten());
        }
    }
    found
}

/// Which fields, by position in the table, hold their message in a box: those on a cycle, and
/// large ones unless an option says otherwise.
pub(super) fn boxes(pool: &DynamicPool, options: &Rules) -> HashMap<MessageId, Vec<bool>> {
    let messages: Vec<MessageView<'_>> =
        pool.descriptors().files().flat_map(|file| file.messages()).collect();
    let position: HashMap<MessageId, usize> = messages.iter().enumerate().map(|(i, m)| (m.id(), i)).collect();
    let singular: Vec<Vec<(usize, usize)>> = messages
        .iter()
        .map(|message| {
            let fields = sorted(message).into_iter().enumerate();
            fields
                .filter_map(|(at, field)| match field.kind() {
                    FieldKind::Message(child) if !field.is_repeated() => Some((at, position[&child.id()])),
                    _ => None,
                })
                .collect()
        })
        .collect();
    let (order, component) = components(&singular);
    let mut sizes = vec![0usize; messages.len()];
    let mut out: HashMap<MessageId, Vec<bool>> = HashMap::new();
    // Children come before those that hold them.
    for at in order {
        let message = &messages[at];
        let mut boxed = Vec::new();
        let mut size = 8;
        for (index, field) in sorted(message).iter().enumerate() {
            let child = singular[at].iter().find(|(i, _)| *i == index).map(|(_, child)| *child);
            let is_boxed = child.is_some_and(|c| {
                let said = || options.flag("boxed", &field.full_name());
                component[c] == component[at] || said().unwrap_or(sizes[c] > INLINE_SIZE)
            });
            boxed.push(is_boxed);
            size += match child {
                Some(_) if is_boxed => 8,
                Some(child) => sizes[child] + 8,
                None if field.is_repeated() => 24,
                None => match kind_of(field) {
                    Kind::String | Kind::Bytes => 32,
                    _ => 8,
                },
            };
        }
        sizes[at] = size;
        out.insert(message.id(), boxed);
    }
    out
}

pub(super) fn sorted<'p>(message: &MessageView<'p>) -> Vec<FieldView<'p>> {
    let mut fields: Vec<_> = message.fields().collect();
    fields.sort_by_key(FieldView::number);
    fields
}

/// Strongly connected components (Tarjan, without recursion): nodes in an order in which what they
/// point to comes first, and the component of each.
fn components(edges: &[Vec<(usize, usize)>]) -> (Vec<usize>, Vec<usize>) {
    const NONE: usize = usize::MAX;
    let count = edges.len();
    let (mut index, mut low) = (vec![NONE; count], vec![0; count]);
    let (mut component, mut on_stack) = (vec![NONE; count], vec![false; count]);
    let (mut stack, mut order, mut next) = (Vec::new(), Vec::new(), 0);
    for root in 0..count {
        if index[root] != NONE {
            continue;
        }
        let mut work = vec![(root, 0)];
        while let Some((node, edge)) = work.pop() {
            if edge == 0 {
                index[node] = next;
                low[node] = next;
                next += 1;
                stack.push(node);
                on_stack[node] = true;
            } else {
                let (_, child) = edges[node][edge - 1];
                low[node] = low[node].min(low[child]);
            }
            let mut edge = edge;
            let mut descend = None;
            while let Some(&(_, child)) = edges[node].get(edge) {
                edge += 1;
                if index[child] == NONE {
                    descend = Some(child);
                    break;
                }
                if on_stack[child] {
                    low[node] = low[node].min(index[child]);
                }
            }
            if let Some(child) = descend {
                work.push((node, edge));
                work.push((child, 0));
                continue;
            }
            if low[node] == index[node] {
                while let Some(member) = stack.pop() {
                    on_stack[member] = false;
                    component[member] = node;
                    order.push(member);
                    if member == node {
                        break;
                    }
                }
            }
        }
    }
    (order, component)
}
