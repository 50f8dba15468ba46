//! Flow-control windows (RFC 9113 §5.2, §6.9).

/// 2^31 - 1.
pub(crate) const MAX_WINDOW: i32 = i32::MAX;
/// The window that streams and connections begin with, until a setting or an update says otherwise.
pub(crate) const INITIAL_WINDOW: i32 = 65_535;

/// What we may still send. It can be negative, after the peer has reduced its initial window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SendWindow(i32);

impl SendWindow {
    pub(crate) fn new(size: i32) -> Self {
        Self(size)
    }

    pub(crate) fn available(self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    /// The caller has seen that it is available.
    pub(crate) fn spend(&mut self, len: usize) {
        self.0 -= len as i32;
    }

    /// WINDOW_UPDATE, or the difference of two initial windows; `None` if the sum is above 2^31 - 1.
    #[must_use]
    pub(crate) fn add(self, more: i32) -> Option<Self> {
        self.0.checked_add(more).map(Self)
    }
}

/// What the peer may still send, and what of it was consumed but not told yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReceiveWindow {
    /// What the peer may send by all that we have told it.
    open: i32,
    /// Consumed, and not told. Negative if the window has become smaller by more than that.
    credit: i32,
    /// The size that the window is brought back to.
    size: i32,
}

impl ReceiveWindow {
    pub(crate) fn new(size: i32) -> Self {
        Self { open: size, credit: 0, size }
    }

    pub(crate) fn size(self) -> i32 {
        self.size
    }

    /// Whether the peer was allowed to send so much.
    #[must_use]
    pub(crate) fn receive(&mut self, len: u32) -> bool {
        // A frame has less than 2^24 bytes; an empty one needs no window, however negative it is.
        if len > 0 && i64::from(len) > i64::from(self.open) {
            return false;
        }
        self.open -= len as i32;
        true
    }

    /// Bytes were consumed. Returns the increment of the WINDOW_UPDATE that is due, once it is worth
    /// a frame: half of the window.
    pub(crate) fn release(&mut self, len: u32) -> Option<u32> {
        self.credit = self.credit.saturating_add_unsigned(len);
        self.due(self.size / 2)
    }

    /// What is to be told if the window has at least `least` to give.
    fn due(&mut self, least: i32) -> Option<u32> {
        if self.credit <= 0 || self.credit < least {
            return None;
        }
        let credit = self.credit.min(MAX_WINDOW - self.open.max(0));
        self.credit = 0;
        self.open += credit;
        u32::try_from(credit).ok().filter(|credit| *credit > 0)
    }

    /// Makes the window larger, and tells the peer at once.
    pub(crate) fn grow(&mut self, size: i32) -> Option<u32> {
        let more = size.checked_sub(self.size).filter(|more| *more > 0)?;
        self.size = size;
        self.credit = self.credit.saturating_add(more);
        self.due(1)
    }

    /// Makes the window smaller, by what is released from now on: what was told cannot be taken back.
    pub(crate) fn shrink(&mut self, size: i32) {
        if size < self.size {
            self.credit -= self.size - size;
            self.size = size;
        }
    }

    /// Our initial window changed by so much, and the peer has acknowledged it. What was too little to
    /// tell may be enough for a smaller window, and nothing else would bring it up again.
    pub(crate) fn resize(&mut self, by: i32) -> Option<u32> {
        self.open = self.open.saturating_add(by);
        self.size = self.size.saturating_add(by);
        self.due(self.size / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_come_once_half_of_the_window_is_consumed() {
        let mut window = ReceiveWindow::new(100);
        assert!(window.receive(80));
        assert_eq!(window.release(30), None);
        assert_eq!(window.release(20), Some(50));
        assert!(!window.receive(71));
        assert!(window.receive(70));
    }

    #[test]
    fn a_window_of_nothing_takes_only_empty_frames() {
        let mut window = ReceiveWindow::new(0);
        assert!(window.receive(0));
        assert!(!window.receive(1));
        assert_eq!(window.release(0), None);
    }

    #[test]
    fn windows_may_be_negative_and_may_not_be_too_large() {
        let window = SendWindow::new(10).add(-30).expect("negative is legal");
        assert_eq!(window.available(), 0);
        assert_eq!(window.add(25).map(SendWindow::available), Some(5));
        assert_eq!(SendWindow::new(1).add(MAX_WINDOW), None);
    }

    #[test]
    fn what_a_large_window_kept_back_is_told_when_it_becomes_small() {
        let mut window = ReceiveWindow::new(100);
        assert!(window.receive(40));
        assert_eq!(window.release(40), None);
        // The peer has 100 - 80 - 40 by its count: it can send nothing until it is told.
        assert_eq!(window.resize(-80), Some(40));
    }

    #[test]
    fn a_window_shrinks_by_what_is_released() {
        let mut window = ReceiveWindow::new(1000);
        assert!(window.receive(900));
        window.shrink(100);
        assert_eq!(window.release(900), None);
        // All that is left of the large window is used up; the small one begins.
        assert!(window.receive(100));
        assert_eq!(window.release(49), None);
        assert_eq!(window.release(1), Some(50));
        assert!(window.receive(50));
        assert!(!window.receive(1));
        assert_eq!(window.grow(300), Some(200));
    }

    #[test]
    fn growing_is_told_at_once() {
        let mut window = ReceiveWindow::new(100);
        assert!(window.receive(60));
        assert_eq!(window.release(10), None);
        assert_eq!(window.grow(200), Some(110));
        assert_eq!(window.grow(150), None);
        assert!(window.receive(150));
        assert!(!window.receive(1));
    }
}
