//! Buffers of one worker thread, lent while bytes are on their way: a session that is silent holds none.

use std::cell::RefCell;

/// Bytes of one: as much as a socket is mostly willing to take at once, and the most that a datagram can have.
pub const SIZE: usize = 64 << 10;

/// Buffers that a worker keeps for the next time.
const KEPT: usize = 8;

thread_local! {
    static IDLE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of [`SIZE`] bytes, whatever is in it.
pub fn take() -> Box<[u8]> {
    let idle = IDLE.with(|idle| idle.borrow_mut().pop());
    idle.unwrap_or_else(|| vec![0; SIZE].into_boxed_slice())
}

/// Gives one back.
pub fn give(buffer: Box<[u8]>) {
    IDLE.with(|idle| {
        let mut idle = idle.borrow_mut();
        if idle.len() < KEPT {
            idle.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_kept() {
        let taken: Vec<_> = (0..3 * KEPT).map(|_| take()).collect();
        assert!(taken.iter().all(|buffer| buffer.len() == SIZE));
        taken.into_iter().for_each(give);
        assert_eq!(IDLE.with(|idle| idle.borrow().len()), KEPT);
    }
}
