//! The system's allocator, and how much of it is in use.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static RUNS: Mutex<()> = Mutex::new(());

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn took(bytes: usize) {
    PEAK.fetch_max(USED.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

// SAFETY: every call is handed on as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // Both are there while the one is copied into the other.
        took(bytes);
        USED.fetch_sub(layout.size(), Relaxed);
        unsafe { System.realloc(at, layout, bytes) }
    }
}

/// Lets one test run at a time: what another one gives back would be taken off.
pub fn alone() -> MutexGuard<'static, ()> {
    // A test that failed leaves nothing behind.
    RUNS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns what `work` returns, and the most that was in use beyond what was before.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = USED.load(Relaxed);
    PEAK.store(before, Relaxed);
    let done = work();
    (done, PEAK.load(Relaxed).saturating_sub(before))
}

#[test]
fn what_is_taken_and_given_back_meanwhile_counts() {
    let _alone = alone();
    let (kept, peak) = peak_of(|| {
        drop(Vec::<u8>::with_capacity(3_000_000));
        vec![0_u8; 1_000_000].len()
    });
    assert_eq!(kept, 1_000_000);
    // The threads that run the tests may give a little back meanwhile.
    assert!((2_990_000..3_500_000).contains(&peak), "{peak}");
}
