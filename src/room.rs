//! Memory that several share, counted in bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that those who share them may take, all of them together.
#[derive(Debug)]
pub struct Room {
    bytes: usize,
    left: AtomicUsize,
}

/// What one of them has taken; it is given back with the value.
#[derive(Debug)]
pub struct Share {
    room: Arc<Room>,
    bytes: usize,
}

impl Room {
    /// Makes room for so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { bytes, left: AtomicUsize::new(bytes) })
    }

    /// Returns how many bytes there are, taken or not.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns how many bytes are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    /// Returns a share in which nothing is taken yet.
    #[must_use]
    pub fn share(self: &Arc<Self>) -> Share {
        Share { room: Arc::clone(self), bytes: 0 }
    }
}

impl Share {
    /// Takes so many bytes more, if as many are left.
    #[must_use]
    pub fn take(&mut self, bytes: usize) -> bool {
        let take = |left: usize| left.checked_sub(bytes);
        let taken = self.room.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        self.bytes += if taken { bytes } else { 0 };
        taken
    }

    /// Gives back so many of the bytes that were taken.
    pub fn give_back(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.room.left.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_what_others_have_until_it_is_given_back() {
        let room = Room::new(10);
        let (mut one, mut other) = (room.share(), room.share());
        assert!(one.take(6) && !other.take(5) && other.take(4));
        one.give_back(2);
        assert!(!other.take(3) && other.take(2));
        drop(one);
        assert_eq!((room.left(), room.bytes()), (4, 10));
        drop(other);
        assert_eq!(room.left(), 10);
    }
}
