//! Values that belong to a task.
//!
//! Invariant: a value is in the thread's place exactly while its future is polled or dropped; else the future has it. So it goes
//! with the task from thread to thread, and is seen by nothing beside it.

use pin_project_lite::pin_project;
use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

/// Declares values that belong to tasks, each a [`LocalKey`](crate::task::LocalKey).
///
/// # Examples
///
/// ```
/// # let runtime = polyloop::Runtime::from_name("fifo+poll+heap").unwrap();
/// polyloop::task_local! {
///     /// Whom the request that is answered came from.
///     pub static USER: u32;
///     static TRACE: bool;
/// }
///
/// # runtime.block_on(async {
/// async fn answer() -> u32 {
///     USER.get() + 1
/// }
/// assert_eq!(USER.scope(41, answer()).await, 42);
/// assert!(TRACE.try_get().is_err(), "nobody has set it here");
/// # });
/// ```
#[macro_export]
macro_rules! task_local {
    () => {};
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty; $($rest:tt)*) => {
        $crate::task_local!($(#[$attribute])* $visibility static $name: $type);
        $crate::task_local!($($rest)*);
    };
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty) => {
        $(#[$attribute])*
        $visibility static $name: $crate::task::LocalKey<$type> = {
            ::std::thread_local! {
                static PLACE: ::std::cell::RefCell<::core::option::Option<$type>> =
                    const { ::std::cell::RefCell::new(::core::option::Option::None) };
            }
            $crate::task::LocalKey::__new(&PLACE)
        };
    };
}

/// Where a thread has the value of the task that it polls.
type Place<T> = thread::LocalKey<RefCell<Option<T>>>;

/// A value that belongs to a task; made by [`task_local!`](crate::task_local).
///
/// [`scope`](Self::scope) gives it to a future and whatever that awaits. Tasks that are spawned within do not inherit it.
pub struct LocalKey<T: 'static> {
    place: &'static Place<T>,
}

impl<T: 'static> LocalKey<T> {
    #[doc(hidden)]
    pub const fn __new(place: &'static Place<T>) -> Self {
        Self { place }
    }

    /// `future`, for which the value is `value`, also when it is dropped.
    ///
    /// # Panics
    ///
    /// The future, when it is polled while somebody [looks](Self::with) at the value.
    ///
    /// # Cancel safety
    ///
    /// As `future`.
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> TaskLocalFuture<T, F> {
        TaskLocalFuture { key: self, slot: Some(value), future: Some(future), pinned: PhantomPinned }
    }

    /// Runs `f`, for which the value is `value`.
    ///
    /// # Panics
    ///
    /// With the panic of `f`, and within [`with`](Self::with).
    #[track_caller]
    pub fn sync_scope<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        let mut value = Some(value);
        match self.swapped(&mut value, f) {
            Ok(result) => result,
            Err(error) => error.panic(),
        }
    }

    /// Runs `f` with what is in `slot` in the thread's place.
    fn swapped<R>(&'static self, slot: &mut Option<T>, f: impl FnOnce() -> R) -> Result<R, NoScope> {
        struct Back<'a, T: 'static>(&'static Place<T>, &'a mut Option<T>);
        impl<T: 'static> Drop for Back<'_, T> {
            fn drop(&mut self) {
                // The place was there and nobody looked at it when this began, and so it is at the end.
                let _ = swap(self.0, self.1);
            }
        }
        swap(self.place, slot)?;
        let _back = Back(self.place, slot);
        Ok(f())
    }

    /// Calls `f` with the value.
    ///
    /// # Panics
    ///
    /// Outside of a [`scope`](Self::scope).
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        match self.try_with(f) {
            Ok(result) => result,
            Err(error) => panic!("cannot access a task-local: {error}"),
        }
    }

    /// As [`with`](Self::with).
    ///
    /// # Errors
    ///
    /// [`AccessError`] outside of a [`scope`](Self::scope).
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        let found = self.place.try_with(|place| {
            let place = place.borrow();
            place.as_ref().map(f)
        });
        found.ok().flatten().ok_or(AccessError(()))
    }
}

impl<T: Clone + 'static> LocalKey<T> {
    /// A copy of the value.
    ///
    /// # Panics
    ///
    /// Outside of a [`scope`](Self::scope).
    #[track_caller]
    pub fn get(&'static self) -> T {
        self.with(T::clone)
    }

    /// A copy of the value.
    ///
    /// # Errors
    ///
    /// [`AccessError`] outside of a [`scope`](Self::scope).
    pub fn try_get(&'static self) -> Result<T, AccessError> {
        self.try_with(T::clone)
    }
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalKey")
    }
}

/// Why there is no scope.
enum NoScope {
    Looking,
    ThreadEnds,
}

impl NoScope {
    #[track_caller]
    fn panic(self) -> ! {
        match self {
            Self::Looking => panic!("a task-local was set while somebody looks at it"),
            Self::ThreadEnds => panic!("a task-local was set on a thread that has ended"),
        }
    }
}

fn swap<T: 'static>(place: &'static Place<T>, slot: &mut Option<T>) -> Result<(), NoScope> {
    let swapped = place.try_with(|place| {
        let mut place = place.try_borrow_mut().map_err(|_| NoScope::Looking)?;
        mem::swap(&mut *place, slot);
        Ok(())
    });
    swapped.unwrap_or(Err(NoScope::ThreadEnds))
}

pin_project! {
    /// The future of [`LocalKey::scope`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct TaskLocalFuture<T, F>
    where
        T: 'static,
    {
        key: &'static LocalKey<T>,
        slot: Option<T>,
        // `None` once it is ready, so that it is dropped with the value in its place.
        #[pin]
        future: Option<F>,
        #[pin]
        pinned: PhantomPinned,
    }

    impl<T: 'static, F> PinnedDrop for TaskLocalFuture<T, F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let mut future = this.future;
            if future.is_some() {
                // Where there is no place it is dropped without.
                let _ = this.key.swapped(this.slot, || future.set(None));
            }
        }
    }
}

impl<T: 'static, F> TaskLocalFuture<T, F> {
    /// Takes the value out of a future that is ready or not polled, `None` if that was done before. The future has none then.
    pub fn take_value(self: Pin<&mut Self>) -> Option<T> {
        self.project().slot.take()
    }
}

impl<T: 'static, F: Future> Future for TaskLocalFuture<T, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut future = this.future;
        let polled = this.key.swapped(this.slot, || {
            let polled = future.as_mut().as_pin_mut().map(|future| future.poll(cx));
            if matches!(polled, Some(Poll::Ready(_))) {
                future.set(None);
            }
            polled
        });
        match polled {
            Ok(Some(polled)) => polled,
            Ok(None) => panic!("the future of a scope was polled after it was ready"),
            Err(error) => error.panic(),
        }
    }
}

impl<T: fmt::Debug + 'static, F> fmt::Debug for TaskLocalFuture<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskLocalFuture").field("value", &self.slot).finish_non_exhaustive()
    }
}

/// The value is not set: the calling code runs in no [`LocalKey::scope`] of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessError(());

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task-local is not set here: run this within its `scope`")
    }
}

impl std::error::Error for AccessError {}
