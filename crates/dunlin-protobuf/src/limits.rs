use crate::wire::MAX_DEPTH;

/// What one decoding may cost, whatever the format: binary, JSON or text, into generated types,
/// views or dynamic messages.
///
/// ```
/// use dunlin_protobuf::Limits;
///
/// let limits = Limits::default().depth(20).memory(1 << 20, 4);
/// # let _ = limits;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) depth: u32,
    pub(crate) size: usize,
    pub(crate) elements: usize,
    pub(crate) memory: usize,
    pub(crate) expansion: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: MAX_DEPTH, size: i32::MAX as usize, elements: 1 << 26, memory: 64 << 20, expansion: 16 }
    }
}

impl Limits {
    /// How many messages and groups may lie in one another, below the outermost; 100 by default,
    /// as in the C++, Java and Python runtimes. More takes more stack.
    pub const fn depth(mut self, depth: u32) -> Self {
        self.depth = depth;
        self
    }

    /// How many bytes a message may have; 2 GiB - 1 by default, which is the most that the format
    /// allows.
    pub const fn size(mut self, bytes: usize) -> Self {
        self.size = bytes;
        self
    }

    /// How many elements of repeated fields and entries of maps one message may hold, all fields
    /// and all nested messages together; 67,108,864 by default.
    pub const fn elements(mut self, count: usize) -> Self {
        self.elements = count;
        self
    }

    /// How much memory lists, maps, strings and nested messages may take: `bytes`, and
    /// `expansion` more for every byte of input. 64 MiB and 16 by default.
    ///
    /// Two bytes on the wire can announce an empty message that takes hundreds in memory.
    pub const fn memory(mut self, bytes: usize, expansion: usize) -> Self {
        self.memory = bytes;
        self.expansion = expansion;
        self
    }

    /// What is left to spend on an input of `len` bytes.
    pub(crate) fn budget(&self, len: usize) -> Budget {
        Budget {
            depth: self.depth,
            elements: self.elements,
            memory: self.memory.saturating_add(self.expansion.saturating_mul(len)),
            limits: *self,
        }
    }
}

/// What one decoding may still spend.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    pub(crate) depth: u32,
    pub(crate) elements: usize,
    pub(crate) memory: usize,
    pub(crate) limits: Limits,
}

/// A limit that was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// More nested messages than `Limits::depth`.
    #[error("messages are nested deeper than {limit} levels (Limits::depth)")]
    Depth {
        /// The limit.
        limit: u32,
    },
    /// More bytes than `Limits::size`.
    #[error("the message has {size} bytes, more than {limit} (Limits::size)")]
    Size {
        /// What there is.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// More elements than `Limits::elements`.
    #[error("more than {limit} elements in lists and maps (Limits::elements)")]
    Elements {
        /// The limit.
        limit: usize,
    },
    /// More memory than `Limits::memory`.
    #[error(
        "the message would take more memory than {memory} bytes and {expansion} for each byte of input (Limits::memory)"
    )]
    Memory {
        /// The fixed part of the limit.
        memory: usize,
        /// The part for each byte of input.
        expansion: usize,
    },
}

impl Budget {
    /// Takes one level of nesting; the caller gives it back.
    #[inline]
    pub(crate) fn enter(&mut self) -> Result<(), LimitError> {
        if self.depth == 0 {
            return Err(LimitError::Depth { limit: self.limits.depth });
        }
        self.depth -= 1;
        Ok(())
    }

    #[inline]
    pub(crate) fn leave(&mut self) {
        self.depth += 1;
    }

    #[inline]
    pub(crate) fn elements(&mut self, count: usize) -> Result<(), LimitError> {
        match self.elements.checked_sub(count) {
            Some(left) => {
                self.elements = left;
                Ok(())
            }
            None => Err(LimitError::Elements { limit: self.limits.elements }),
        }
    }

    #[inline]
    pub(crate) fn memory(&mut self, bytes: usize) -> Result<(), LimitError> {
        match self.memory.checked_sub(bytes) {
            Some(left) => {
                self.memory = left;
                Ok(())
            }
            None => Err(LimitError::Memory { memory: self.limits.memory, expansion: self.limits.expansion }),
        }
    }
}
