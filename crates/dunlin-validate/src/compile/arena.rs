//! All types that are compiled, and what each needs of the others.

use std::collections::HashMap;
use std::sync::Arc;

use dunlin_protobuf::Registry;
use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_protobuf::table::TableRef;

use super::{Compiler, Fault, FieldRules, Inner, Origin, TypeRules, ValueRules};

/// Where a table is: the address of a static one, or that of its pool and the position in it. The
/// rules keep their table, so that no other one comes to lie there.
type Key = (usize, u32);

fn key(table: &TableRef) -> Key {
    match table {
        TableRef::Static(table) => (std::ptr::from_ref(*table) as usize, u32::MAX),
        TableRef::Pool(pool, index) => (Arc::as_ptr(pool) as usize, *index),
    }
}

/// Compiled types. It only grows; to forget a type a new one is begun.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arena {
    types: Vec<Arc<TypeRules>>,
    by_key: HashMap<Key, u32>,
    origins: HashMap<usize, Arc<Origin>>,
}

/// What types are compiled with.
#[derive(Debug)]
pub(crate) struct Sources {
    /// Where the schemas of generated messages are.
    pub(crate) pools: Vec<Arc<DynamicPool>>,
    pub(crate) allow_unknown: bool,
}

impl Arena {
    pub(crate) fn len(&self) -> usize {
        self.types.len()
    }

    pub(crate) fn find(&self, table: &TableRef) -> Option<u32> {
        self.by_key.get(&key(table)).copied()
    }

    pub(crate) fn get(&self, index: u32) -> &TypeRules {
        &self.types[index as usize]
    }

    /// Compiles a type and all that its fields have.
    pub(crate) fn add(&mut self, root: TableRef, sources: &Sources) -> u32 {
        let first = self.types.len();
        let mut made: Vec<TypeRules> = Vec::new();
        let mut waiting = vec![root];
        let mut by_key = std::mem::take(&mut self.by_key);
        by_key.insert(key(&waiting[0]), first as u32);
        let mut at = 0;
        while let Some(table) = waiting.get(at).cloned() {
            at += 1;
            let mut child = |table: TableRef| {
                *by_key.entry(key(&table)).or_insert_with(|| {
                    waiting.push(table);
                    (first + waiting.len() - 1) as u32
                })
            };
            let compiled = self.compile(table, sources, &mut child);
            made.push(compiled);
        }
        self.by_key = by_key;
        self.keep(made);
        first as u32
    }

    fn compile(
        &mut self,
        table: TableRef,
        sources: &Sources,
        child: &mut dyn FnMut(TableRef) -> u32,
    ) -> TypeRules {
        let pool = match &table {
            TableRef::Pool(pool, _) => Some(pool.clone()),
            TableRef::Static(of) => {
                sources.pools.iter().find(|pool| pool.message(of.full_name()).is_some()).cloned()
            }
        };
        let origin = pool.map(|pool| {
            let origin = self.origins.entry(Arc::as_ptr(&pool) as usize).or_insert_with(|| {
                let mut registry = Registry::new();
                registry.add_pool(pool.clone());
                sources.pools.iter().for_each(|pool| registry.add_pool(pool.clone()));
                Arc::new(Origin { pool, registry })
            });
            origin.clone()
        });
        if let Some(origin) = &origin
            && let Some(view) = origin.pool.descriptors().message(table.full_name())
            // A pool that keeps no descriptors has no options, and so no rules to read.
            && view.proto().is_some()
        {
            return Compiler { origin, allow_unknown: sources.allow_unknown, child }.message(table, view);
        }
        // The well-known types have no rules.
        let is_known = table.full_name().starts_with("google.protobuf.");
        TypeRules {
            fault: (!is_known).then_some(Fault::Unknown),
            table,
            origin,
            expressions: Vec::new(),
            groups: Vec::new(),
            oneofs: Vec::new(),
            fields: Vec::new(),
        }
    }

    /// Drops fields that have no rules, in themselves or below, and keeps the rest.
    fn keep(&mut self, mut made: Vec<TypeRules>) {
        let first = self.types.len();
        let mut parents: Vec<Vec<usize>> = vec![Vec::new(); made.len()];
        let mut needed = vec![false; made.len()];
        let mut waiting = Vec::new();
        for (at, rules) in made.iter().enumerate() {
            let mut has_rules = rules.fault.is_some()
                || !rules.expressions.is_empty()
                || !rules.groups.is_empty()
                || !rules.oneofs.is_empty();
            for field in &rules.fields {
                has_rules |= field.is_required || field.fault.is_some() || field.value.has_rules();
                field.value.each_message(&mut |index| match (index as usize).checked_sub(first) {
                    Some(child) => parents[child].push(at),
                    None => has_rules |= self.types[index as usize].is_needed(),
                });
            }
            if has_rules {
                needed[at] = true;
                waiting.push(at);
            }
        }
        while let Some(at) = waiting.pop() {
            for &parent in &parents[at] {
                if !std::mem::replace(&mut needed[parent], true) {
                    waiting.push(parent);
                }
            }
        }
        let is_needed = |index: u32| match (index as usize).checked_sub(first) {
            Some(child) => needed[child],
            None => self.types[index as usize].is_needed(),
        };
        for rules in &mut made {
            rules.fields.iter_mut().for_each(|field| field.value.prune(&is_needed));
            rules.fields.retain(FieldRules::is_needed);
        }
        self.types.extend(made.into_iter().map(Arc::new));
    }
}

impl TypeRules {
    fn is_needed(&self) -> bool {
        self.fault.is_some()
            || !self.expressions.is_empty()
            || !self.groups.is_empty()
            || !self.oneofs.is_empty()
            || !self.fields.is_empty()
    }
}

impl FieldRules {
    fn is_needed(&self) -> bool {
        self.is_required || self.fault.is_some() || self.value.is_needed()
    }
}

impl ValueRules {
    /// Whether there are rules for the value or its parts, messages aside.
    fn has_rules(&self) -> bool {
        let inner = match &self.inner {
            Inner::Nothing | Inner::Message(_) => false,
            Inner::Items(items) => items.has_rules(),
            Inner::Entries(parts) => parts.iter().any(Self::has_rules),
        };
        self.standard.is_some() || !self.expressions.is_empty() || inner
    }

    fn is_needed(&self) -> bool {
        self.standard.is_some() || !self.expressions.is_empty() || !matches!(self.inner, Inner::Nothing)
    }

    fn each_message(&self, visit: &mut dyn FnMut(u32)) {
        match &self.inner {
            Inner::Nothing => {}
            Inner::Message(index) => visit(*index),
            Inner::Items(items) => items.each_message(visit),
            Inner::Entries(parts) => parts.iter().for_each(|part| part.each_message(visit)),
        }
    }

    fn prune(&mut self, is_needed: &dyn Fn(u32) -> bool) {
        let is_empty = match &mut self.inner {
            Inner::Nothing => true,
            Inner::Message(index) => !is_needed(*index),
            Inner::Items(items) => {
                items.prune(is_needed);
                !items.is_needed()
            }
            Inner::Entries(parts) => {
                parts.iter_mut().for_each(|part| part.prune(is_needed));
                !parts.iter().any(Self::is_needed)
            }
        };
        if is_empty {
            self.inner = Inner::Nothing;
        }
    }
}
