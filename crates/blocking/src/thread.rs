//! How a thread of the runtime is made, and how one waits by itself.
//!
//! Invariant: whatever a program asks for, a thread starts or an error says why not; nothing panics.

use polyloop_core::park::ThreadParker;
use std::io;
use std::thread::Thread;
use std::time::Duration;

/// A thread, parked by the standard library.
#[derive(Debug)]
pub struct OsThread(Thread);

impl OsThread {
    /// The calling thread, which alone may park by it.
    pub fn current() -> Self {
        Self(std::thread::current())
    }
}

impl ThreadParker for OsThread {
    fn park(&self) {
        std::thread::park();
    }

    fn park_for(&self, most: Duration) {
        std::thread::park_timeout(most);
    }

    fn unpark(&self) {
        self.0.unpark();
    }
}

/// A thread of this name and, unless it is left to the standard library, with a stack of so many bytes.
///
/// # Errors
///
/// `InvalidInput`, for a name with a zero byte in it and for a stack that no address space can hold.
pub fn thread(name: String, stack_size: Option<usize>) -> io::Result<std::thread::Builder> {
    // The standard library panics on such a name and, on some systems, on such a size.
    if name.contains('\0') {
        let what = format!("the name {name:?} of a thread has a zero byte in it");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let mut builder = std::thread::Builder::new().name(name);
    if let Some(size) = stack_size {
        if size > usize::MAX / 8 {
            let what = format!("a stack of {size} bytes fits in no address space");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        builder = builder.stack_size(size);
    }
    Ok(builder)
}
