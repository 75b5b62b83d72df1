//! The one door to concurrency: std, `parking_lot` or loom behind the same names.
//!
//! Under `--cfg polyloop_loom` every atomic, cell and lock below is loom's, so that a model explores the real code.
//! What has a model goes through here: core, the pool's idle sets and roster, and the monitor's bell. Locks and counters of other
//! crates that no model looks at name `std` or `parking_lot` directly.

#[cfg(not(polyloop_loom))]
mod imp {
    /// Atomics.
    pub mod atomic {
        pub use core::sync::atomic::*;
    }

    /// Interior mutability through closures, as loom wants it.
    pub mod cell {
        /// An `UnsafeCell` that is only reached through [`with`](Self::with) and [`with_mut`](Self::with_mut).
        #[derive(Debug)]
        #[repr(transparent)]
        pub struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

        impl<T> UnsafeCell<T> {
            /// Wraps `value`.
            pub const fn new(value: T) -> Self {
                Self(core::cell::UnsafeCell::new(value))
            }

            /// Gives a pointer for reading to `f`.
            #[inline(always)]
            pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
                f(self.0.get())
            }

            /// Gives a pointer for writing to `f`.
            #[inline(always)]
            pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
                f(self.0.get())
            }
        }
    }

    /// Locks and shared ownership.
    pub mod sync {
        pub use parking_lot::{Condvar, Mutex, MutexGuard};
        /// A lock that nobody waits for.
        pub use parking_lot::{Mutex as TryLock, MutexGuard as TryLockGuard};
        pub use std::sync::{Arc, Weak};
    }

    /// Threads.
    pub mod thread {
        pub use std::thread::*;
    }

    /// A pause in a loop that waits for another thread's next step.
    pub mod hint {
        pub use core::hint::spin_loop;
    }
}

#[cfg(polyloop_loom)]
mod imp {
    pub mod atomic {
        pub use loom::sync::atomic::*;
    }

    pub mod cell {
        pub use loom::cell::UnsafeCell;
    }

    pub mod sync {
        pub use loom::sync::Arc;
        pub use std::sync::Weak;

        /// loom's mutex without poisoning, in the shape of `parking_lot`'s.
        #[derive(Debug)]
        pub struct Mutex<T>(loom::sync::Mutex<T>);

        /// `None` while a [`Condvar`] has it.
        #[derive(Debug)]
        pub struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

        impl<T> Mutex<T> {
            pub fn new(value: T) -> Self {
                Self(loom::sync::Mutex::new(value))
            }

            pub fn lock(&self) -> MutexGuard<'_, T> {
                MutexGuard(Some(self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())))
            }

            pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
                self.0.try_lock().ok().map(|guard| MutexGuard(Some(guard)))
            }
        }

        impl<T> std::ops::Deref for MutexGuard<'_, T> {
            type Target = T;

            fn deref(&self) -> &T {
                self.0.as_ref().expect("not being waited with")
            }
        }

        impl<T> std::ops::DerefMut for MutexGuard<'_, T> {
            fn deref_mut(&mut self) -> &mut T {
                self.0.as_mut().expect("not being waited with")
            }
        }

        impl<T: Default> Default for Mutex<T> {
            fn default() -> Self {
                Self::new(T::default())
            }
        }

        /// A lock that nobody waits for. loom's own `try_lock` does wait if another thread gets in just before it, so that a
        /// model of two threads that try would miss what happens when one of them fails.
        #[derive(Debug)]
        pub struct TryLock<T> {
            held: loom::sync::atomic::AtomicBool,
            value: Mutex<T>,
        }

        #[derive(Debug)]
        pub struct TryLockGuard<'a, T> {
            held: &'a loom::sync::atomic::AtomicBool,
            /// `None` once it is dropped.
            value: Option<MutexGuard<'a, T>>,
        }

        impl<T> TryLock<T> {
            pub fn new(value: T) -> Self {
                Self { held: loom::sync::atomic::AtomicBool::new(false), value: Mutex::new(value) }
            }

            pub fn try_lock(&self) -> Option<TryLockGuard<'_, T>> {
                let held = self.held.swap(true, loom::sync::atomic::Ordering::Acquire);
                (!held).then(|| TryLockGuard { held: &self.held, value: Some(self.value.lock()) })
            }
        }

        impl<T> Drop for TryLockGuard<'_, T> {
            fn drop(&mut self) {
                self.value = None;
                self.held.store(false, loom::sync::atomic::Ordering::Release);
            }
        }

        impl<T> std::ops::Deref for TryLockGuard<'_, T> {
            type Target = T;

            fn deref(&self) -> &T {
                self.value.as_ref().expect("not dropped yet")
            }
        }

        impl<T> std::ops::DerefMut for TryLockGuard<'_, T> {
            fn deref_mut(&mut self) -> &mut T {
                self.value.as_mut().expect("not dropped yet")
            }
        }

        /// loom's condition variable in the shape of `parking_lot`'s.
        #[derive(Debug)]
        pub struct Condvar(loom::sync::Condvar);

        impl Condvar {
            pub fn new() -> Self {
                Self(loom::sync::Condvar::new())
            }

            pub fn notify_one(&self) -> bool {
                self.0.notify_one();
                true
            }

            pub fn wait_while<T>(
                &self,
                guard: &mut MutexGuard<'_, T>,
                mut goes_on: impl FnMut(&mut T) -> bool,
            ) {
                while goes_on(guard) {
                    let held = guard.0.take().expect("not being waited with");
                    guard.0 = Some(self.0.wait(held).unwrap_or_else(|poisoned| poisoned.into_inner()));
                }
            }

            /// There is no time in a model: a limit has passed at once, before anybody else could have the lock. No model waits like this.
            pub fn wait_for<T>(
                &self,
                _: &mut MutexGuard<'_, T>,
                _: std::time::Duration,
            ) -> WaitTimeoutResult {
                WaitTimeoutResult(true)
            }

            /// As [`wait_for`](Self::wait_for).
            pub fn wait_while_for<T>(
                &self,
                guard: &mut MutexGuard<'_, T>,
                mut goes_on: impl FnMut(&mut T) -> bool,
                _: std::time::Duration,
            ) -> WaitTimeoutResult {
                WaitTimeoutResult(goes_on(guard))
            }
        }

        /// Whether a wait ended by its limit.
        #[derive(Clone, Copy, Debug)]
        pub struct WaitTimeoutResult(bool);

        impl WaitTimeoutResult {
            pub fn timed_out(&self) -> bool {
                self.0
            }
        }
    }

    pub mod thread {
        pub use loom::thread::*;
    }

    pub mod hint {
        pub use loom::hint::spin_loop;
    }
}

pub use imp::*;
