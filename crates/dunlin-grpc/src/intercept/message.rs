//! A message, as those see it who do not know its type.

use std::any::Any;
use std::fmt;
use std::ops::Deref;

use dunlin_protobuf::Reflect;

/// Any message: its fields by reflection, or itself for those who know its type.
#[derive(Clone, Copy)]
pub struct MessageRef<'m> {
    message: &'m dyn Reflect,
    any: &'m dyn Any,
}

impl<'m> MessageRef<'m> {
    /// Of a message, and the same value.
    pub fn new(message: &'m dyn Reflect, any: &'m dyn Any) -> Self {
        Self { message, any }
    }

    /// Its fields.
    pub fn as_reflect(self) -> &'m dyn Reflect {
        self.message
    }

    /// The message, if it is of this type.
    pub fn downcast_ref<M: Any>(self) -> Option<&'m M> {
        self.any.downcast_ref()
    }
}

impl<'m> Deref for MessageRef<'m> {
    type Target = dyn Reflect + 'm;

    fn deref(&self) -> &(dyn Reflect + 'm) {
        self.message
    }
}

impl fmt::Debug for MessageRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MessageRef").field(&self.message.table().full_name()).finish()
    }
}
