/// A scalar in the place of the message that wraps it.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Wrapper<T>(pub(crate) T);

impl<T> Wrapper<T> {
    /// Lends a scalar as the message.
    #[inline]
    pub fn of(scalar: &T) -> &Self {
        // SAFETY: the struct has the layout of its only member, and both lend for as long.
        unsafe { &*core::ptr::from_ref(scalar).cast() }
    }

    /// Lends a scalar as the message, for writing.
    #[inline]
    pub fn of_mut(scalar: &mut T) -> &mut Self {
        // SAFETY: the struct has the layout of its only member, and both lend for as long; every value
        // of the member is one of the struct.
        unsafe { &mut *core::ptr::from_mut(scalar).cast() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_is_read_and_written_through_its_wrapper() {
        let mut text = alloc::string::String::from("a");
        Wrapper::of_mut(&mut text).0.push('b');
        assert_eq!(Wrapper::of(&text).0, "ab");
        let mut number = 1u64;
        Wrapper::of_mut(&mut number).0 = 2;
        assert_eq!((number, Wrapper::of(&number).0), (2, 2));
    }
}
