//! Local tasks for runtimes whose own local queue must be driven by hand.
//!
//! Invariant: a queue belongs to one call of `block_on` on one thread, is made when the first local task comes, is
//! polled beside the future of that call, and is dropped, with its tasks, before the call returns. A call that never
//! sees a local task pays for one comparison per poll.

use std::cell::{OnceCell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread::LocalKey;

/// The calls of `block_on` that this thread is in, the innermost last.
pub(crate) type Scopes<Q> = RefCell<Vec<Rc<Scope<Q>>>>;

/// Makes the future that polls a queue's tasks.
pub(crate) type Drive<Q> = fn(Rc<Q>) -> Pin<Box<dyn Future<Output = ()>>>;

/// One call of `block_on`.
#[derive(Debug)]
pub(crate) struct Scope<Q> {
    /// Which runtime's call it is.
    owner: usize,
    queue: OnceCell<Rc<Q>>,
    /// Wakes the call's future, so that it looks at the queue.
    waker: RefCell<Option<Waker>>,
}

/// Runs `future` as `block_on` of the runtime `owner`, through `run`, with a place for local tasks beside it.
pub(crate) fn enter<Q, F, R>(
    scopes: &'static LocalKey<Scopes<Q>>,
    owner: usize,
    drive: Drive<Q>,
    future: F,
    run: R,
) -> F::Output
where
    F: Future,
    R: FnOnce(WithLocals<'_, Q, F>) -> F::Output,
{
    let scope = Rc::new(Scope { owner, queue: OnceCell::new(), waker: RefCell::new(None) });
    scopes.with_borrow_mut(|stack| stack.push(scope.clone()));
    let _leave = Leave(scopes);
    let future = pin!(future);
    run(WithLocals { future, scope, drive, driver: None })
}

/// The queue of the innermost call, if that is one of the runtime `owner`; made on first use. Its call will look at it.
pub(crate) fn current<Q>(
    scopes: &'static LocalKey<Scopes<Q>>,
    owner: usize,
    make: fn() -> Q,
) -> Option<Rc<Q>> {
    let scope = scopes.with_borrow(|stack| stack.last().cloned())?;
    if scope.owner != owner {
        return None;
    }
    if let Some(waker) = scope.waker.borrow().as_ref() {
        waker.wake_by_ref();
    }
    Some(scope.queue.get_or_init(|| Rc::new(make())).clone())
}

/// Pops the scope, also when the future panics.
struct Leave<Q: 'static>(&'static LocalKey<Scopes<Q>>);

impl<Q> Drop for Leave<Q> {
    fn drop(&mut self) {
        // The scope is dropped after the borrow ends: its tasks' destructors may ask for the scopes.
        drop(self.0.with_borrow_mut(Vec::pop));
    }
}

/// The future of a `block_on` with its local tasks.
pub(crate) struct WithLocals<'a, Q, F> {
    future: Pin<&'a mut F>,
    scope: Rc<Scope<Q>>,
    drive: Drive<Q>,
    driver: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl<Q, F: Future> Future for WithLocals<'_, Q, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        this.scope.remember(cx.waker());
        if let Poll::Ready(output) = this.future.as_mut().poll(cx) {
            return Poll::Ready(output);
        }
        if this.driver.is_none() {
            this.driver = this.scope.queue.get().map(|queue| (this.drive)(queue.clone()));
        }
        if let Some(driver) = &mut this.driver
            && driver.as_mut().poll(cx).is_ready()
        {
            this.driver = None;
        }
        Poll::Pending
    }
}

impl<Q> Scope<Q> {
    fn remember(&self, waker: &Waker) {
        let mut kept = self.waker.borrow_mut();
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
    }
}
