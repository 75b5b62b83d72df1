//! What this thread is in the middle of: which task it polls, and which executors it belongs to.
//!
//! Invariant: everything here is a pointer to something on this thread's own stack, or kept alive by it, for as long as
//! a closure runs. So nothing is looked up by name, and nothing outlives its scope.

use crate::budget::Budget;
use crate::schedule::Why;
use crate::shim::atomic::{
    AtomicPtr,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::shim::sync::Mutex;
use crate::task::{Header, Heap, HeapPtr, Id, TaskPtr, TaskSpace};
use core::any::TypeId;
use core::cell::Cell;
use core::fmt;
use core::ptr::{NonNull, null, null_mut};
use std::sync::Arc;
use std::thread::{Thread, ThreadId};

/// A space of whose heaps this thread has one checked out.
struct Home {
    space: *const TaskSpace,
    /// `None` while the thread sleeps, and after the end of the space.
    heap: Cell<Option<HeapPtr>>,
    /// What it was, while the thread sleeps.
    resting: Cell<Option<HeapPtr>>,
    previous: *const Self,
    visit: Visit,
}

/// A value that code further down may ask for by its type.
struct Scope {
    kind: TypeId,
    value: *const (),
    previous: *const Self,
}

struct Context {
    current: Current,
    poll: Cell<ThisPoll>,
    why: Cell<Why>,
    homes: Cell<*const Home>,
    scopes: Cell<*const Scope>,
}

/// What is noted about the poll that is going on, in one word, so that a poll begins with one store: what it may still do,
/// and above that the bits that the task has woken itself, and that its budget is one of time.
#[derive(Clone, Copy)]
struct ThisPoll(u64);

const SELF_WOKEN: u64 = 1 << 32;
const TIMED: u64 = 1 << 33;

impl ThisPoll {
    const BEGIN: Self = Self::with(Budget::FULL);
    const NONE: Self = Self::with(Budget::UNLIMITED);

    const fn with(budget: Budget) -> Self {
        Self(budget.to_bits() as u64)
    }

    fn budget(self) -> Budget {
        // Truncates to the lower half.
        Budget::from_bits(self.0 as u32)
    }

    fn set_budget(self, budget: Budget) -> Self {
        Self(self.0 & (SELF_WOKEN | TIMED) | u64::from(budget.to_bits()))
    }

    fn set_timed(self, timed: bool) -> Self {
        Self(if timed { self.0 | TIMED } else { self.0 & !TIMED })
    }

    fn timed(self) -> bool {
        self.0 & TIMED != 0
    }

    fn self_woken(self) -> bool {
        self.0 & SELF_WOKEN != 0
    }
}

/// The task that a thread polls, or null: shown while the runnable keeps the task. Written by the thread alone, without a
/// read-modify-write; others read it to compare it, and follow it nowhere.
///
/// For the thread itself it tells a wake of the own task from others; for dumps, who polls what; for the monitor, the name of a
/// stalled poll, whose number is at the thread's [desk](crate::Desk).
struct Current(AtomicPtr<Header>);

/// The task's poll has gone [outside of tasks](outside_of_tasks).
const OUTSIDE: usize = 1;
const _: () = assert!(align_of::<Header>() > OUTSIDE);

impl Current {
    /// No task.
    #[cfg(not(polyloop_loom))]
    const fn nobody() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    #[cfg(polyloop_loom)]
    fn nobody() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    fn get(&self) -> *const Header {
        self.0.load(Relaxed)
    }

    /// Shows `task`, whose poll has begun at the desk.
    #[inline(always)]
    fn show(&self, task: *const Header) {
        // Ordering: Release pairs with the Acquire of who looks twice (`Desk::polled`): who has seen this task sees that its
        // poll has begun.
        #[cfg(not(polyloop_mutant = "desk_shows_relaxed"))]
        self.0.store(task.cast_mut(), Release);
        #[cfg(polyloop_mutant = "desk_shows_relaxed")]
        self.0.store(task.cast_mut(), Relaxed);
    }

    fn replace(&self, task: *const Header) -> *const Header {
        let before = self.get();
        self.show(task);
        before
    }

    /// The task, unless there is none or its poll has gone outside.
    fn task(&self) -> Option<TaskPtr> {
        NonNull::new(self.get().cast_mut()).filter(|task| task.addr().get() & OUTSIDE == 0).map(TaskPtr)
    }
}

/// That a thread is inside a space, where others find it: a link in the space's list, on the thread's stack.
struct Visit {
    current: *const Current,
    /// The task within whose poll the thread has come in, as it does to a set of tasks; null if there is none. Compared only.
    within: *const Header,
    thread: Thread,
    next: Cell<*const Self>,
}

/// The threads that are inside a space and may poll its tasks.
///
/// Invariant: a visit is in the list exactly while its thread is in [`enter_home`], and the list is only looked at under its
/// lock. So whatever is found in it is there.
pub(crate) struct Visitors(Mutex<First>);

/// The first link.
struct First(*const Visit);

// SAFETY: links are followed under the list's lock only, under which they do not go away; what is looked at there is a `Thread`,
// which is `Sync`, an atomic, and the links, which the lock guards.
unsafe impl Send for First {}

/// Who polls a task.
#[derive(Clone, Debug)]
pub(crate) struct Poller {
    pub(crate) thread: Thread,
    /// It has left the poll for code that may block.
    pub(crate) outside: bool,
}

impl Visitors {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(First(null())))
    }

    fn join(&self, visit: &Visit) {
        let mut first = self.0.lock();
        visit.next.set(first.0);
        first.0 = visit;
    }

    fn leave(&self, visit: &Visit) {
        let mut first = self.0.lock();
        if core::ptr::eq(first.0, visit) {
            first.0 = visit.next.get();
            return;
        }
        let before = Self::each(&first).find(|other| core::ptr::eq(other.next.get(), visit));
        if let Some(before) = before {
            before.next.set(visit.next.get());
        }
    }

    fn each<'a>(first: &'a First) -> impl Iterator<Item = &'a Visit> {
        // SAFETY: the list is locked, as the borrow of what the lock guards shows; links are there as long as they are listed.
        let follow = |link: *const Visit| unsafe { link.as_ref::<'a>() };
        core::iter::successors(follow(first.0), move |visit| follow(visit.next.get()))
    }

    /// What `thread` shows as the task that it polls at this moment, if it is one of them.
    pub(crate) fn shown_by(&self, thread: ThreadId) -> Option<Option<NonNull<Header>>> {
        let first = self.0.lock();
        let visit = Self::each(&first).find(|visit| visit.thread.id() == thread)?;
        // SAFETY: a thread's context is there as long as the thread is, and so as long as it visits. Ordering: see `show`.
        let current = unsafe { (*visit.current).0.load(Acquire) };
        Some(NonNull::new(current).filter(|task| task.addr().get() & OUTSIDE == 0))
    }

    /// Which of the threads has come in within a poll of the task in `slot`, which is not one of this space's: it polls that
    /// task, too, whatever it shows at this moment.
    pub(crate) fn visitor_within(&self, slot: NonNull<Header>) -> Option<Poller> {
        let first = self.0.lock();
        let visit = Self::each(&first).find(|visit| visit.within == slot.as_ptr().cast_const())?;
        Some(Poller { thread: visit.thread.clone(), outside: false })
    }

    /// Which of the threads polls the task in `slot` at this moment.
    pub(crate) fn poller_of(&self, slot: NonNull<Header>) -> Option<Poller> {
        let first = self.0.lock();
        Self::each(&first).find_map(|visit| {
            // SAFETY: a thread's context is there as long as the thread is, and so as long as it visits.
            let current = unsafe { (*visit.current).get() };
            let is_it = current.map_addr(|addr| addr & !OUTSIDE) == slot.as_ptr().cast_const();
            is_it.then(|| Poller { thread: visit.thread.clone(), outside: current.addr() & OUTSIDE != 0 })
        })
    }
}

#[cfg(all(test, polyloop_loom))]
impl Visitors {
    pub(crate) fn count(&self) -> usize {
        Self::each(&self.0.lock()).count()
    }
}

impl fmt::Debug for Visitors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.0.lock();
        f.debug_list().entries(Self::each(&first).map(|visit| visit.thread.id())).finish()
    }
}

#[cfg(not(polyloop_loom))]
thread_local! {
    static CONTEXT: Context = const {
        Context {
            current: Current::nobody(),
            poll: Cell::new(ThisPoll::NONE),
            why: Cell::new(Why::Wake),
            homes: Cell::new(null()),
            scopes: Cell::new(null()),
        }
    };
}

// loom runs its threads on one thread of the system, so that std's thread-locals would be shared.
#[cfg(polyloop_loom)]
loom::thread_local! {
    static CONTEXT: Context = Context {
        current: Current::nobody(),
        poll: Cell::new(ThisPoll::NONE),
        why: Cell::new(Why::Wake),
        homes: Cell::new(null()),
        scopes: Cell::new(null()),
    };
}

/// The task that this thread polls, whether it woke itself, and what it may still do; put back when the guard goes.
pub(crate) struct Polling {
    task: *const Header,
    outer: *const Header,
    outer_poll: ThisPoll,
}

impl Polling {
    /// Marks `task` as the one that this thread polls from here on.
    pub(crate) fn begin(task: TaskPtr) -> Self {
        let task = task.0.as_ptr().cast_const();
        CONTEXT.with(|context| Self {
            task,
            outer: context.current.replace(task),
            outer_poll: context.poll.replace(ThisPoll::BEGIN),
        })
    }

    /// Whether the task has woken itself since.
    pub(crate) fn woke_itself(&self) -> bool {
        CONTEXT.with(|context| {
            debug_assert!(context.current.get() == self.task, "polls nest");
            context.poll.get().self_woken()
        })
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        CONTEXT.with(|context| {
            // Whoever finds another task in the place of this one has gone through that one's spawn, which comes after this, and
            // so sees it.
            context.current.show(self.outer);
            context.poll.set(self.outer_poll);
        });
    }
}

/// If this thread is polling `task`, notes that it woke itself. No atomic is touched: the runnable is this thread's
/// already, and stays.
pub(crate) fn note_self_wake(task: TaskPtr) -> bool {
    // A thread whose thread-locals are gone polls nothing.
    with_context(|context| {
        let is_current = context.current.get() == task.0.as_ptr().cast_const();
        if is_current {
            context.poll.set(ThisPoll(context.poll.get().0 | SELF_WOKEN));
        }
        is_current
    })
    .unwrap_or(false)
}

fn with_context<R>(f: impl FnOnce(&Context) -> R) -> Option<R> {
    CONTEXT.try_with(f).ok()
}

/// What the poll that is going on may still do.
#[inline]
pub(crate) fn budget() -> Budget {
    with_context(|context| context.poll.get().budget()).unwrap_or(Budget::UNLIMITED)
}

#[inline]
pub(crate) fn set_budget(budget: Budget) {
    with_context(|context| context.poll.set(context.poll.get().set_budget(budget)));
}

/// Whether the budget of the poll that is going on is one of time. A poll within it begins without.
pub(crate) fn is_timed() -> bool {
    with_context(|context| context.poll.get().timed()).unwrap_or(false)
}

pub(crate) fn set_timed(timed: bool) {
    with_context(|context| context.poll.set(context.poll.get().set_timed(timed)));
}

/// Why tasks that are woken now are woken, unless said otherwise.
pub(crate) fn why() -> Why {
    with_context(|context| context.why.get()).unwrap_or(Why::Wake)
}

/// Runs `f`, during which wakes are for the reason `why`.
pub fn waking_because<R>(why: Why, f: impl FnOnce() -> R) -> R {
    struct Restore(Why);
    impl Drop for Restore {
        fn drop(&mut self) {
            with_context(|context| context.why.set(self.0));
        }
    }
    let _restore = Restore(CONTEXT.with(|context| context.why.replace(why)));
    f()
}

/// Makes `space` one of this thread's homes while `f` runs: its tasks are allocated and freed without atomics, and
/// its scheduler is reached without counting a reference.
pub(crate) fn enter_home<R>(space: &Arc<TaskSpace>, f: impl FnOnce() -> R) -> R {
    let home = Home::of(space);
    #[cfg(not(polyloop_mutant = "visit_stays_listed"))]
    let home = &home;
    // The mutant leaks it: the model is to see the list, not to crash.
    #[cfg(polyloop_mutant = "visit_stays_listed")]
    let home: &Home = Box::leak(Box::new(home));
    let _inside = AtHome::enter(space, home);
    f()
}

impl Home {
    fn of(space: &Arc<TaskSpace>) -> Self {
        let heap = Cell::new(Some(space.check_out()));
        CONTEXT.with(|context| Self {
            space: Arc::as_ptr(space),
            heap,
            resting: Cell::new(None),
            previous: context.homes.get(),
            visit: Visit {
                current: &raw const context.current,
                within: context.current.get(),
                thread: std::thread::current(),
                next: Cell::new(null()),
            },
        })
    }
}

/// What [`enter_home`] does before and after its closure, apart from it, so that it is compiled once for all of them.
struct AtHome<'a> {
    space: &'a TaskSpace,
    home: &'a Home,
}

impl<'a> AtHome<'a> {
    fn enter(space: &'a TaskSpace, home: &'a Home) -> Self {
        space.visitors().join(&home.visit);
        let inside = Self { space, home };
        CONTEXT.with(|context| context.homes.set(home));
        inside
    }
}

impl Drop for AtHome<'_> {
    fn drop(&mut self) {
        with_context(|context| context.homes.set(self.home.previous));
        #[cfg(not(polyloop_mutant = "visit_stays_listed"))]
        self.space.visitors().leave(&self.home.visit);
        if let Some(heap) = self.home.heap.take() {
            self.space.check_in(heap);
        }
    }
}

fn find_home<R>(pick: impl Fn(&Home) -> Option<R>) -> Option<R> {
    with_context(|context| {
        let mut at = context.homes.get();
        while !at.is_null() {
            // SAFETY: homes are linked for the length of the closure in `enter_home`, further down this thread's stack.
            let home = unsafe { &*at };
            if let Some(found) = pick(home) {
                return Some(found);
            }
            at = home.previous;
        }
        None
    })
    .flatten()
}

/// The heap of `space` that this thread has checked out.
pub(crate) fn heap_of(space: &Arc<TaskSpace>) -> Option<NonNull<Heap>> {
    find_home(|home| home.heap.get().filter(|_| home.space == Arc::as_ptr(space))).map(|heap| heap.0)
}

/// Runs `f`, in which this thread sleeps: its heaps are nobody's meanwhile, so that others, and the thread itself
/// before it sleeps, give the memory back that was freed for them.
pub(crate) fn resting<R>(f: impl FnOnce() -> R) -> R {
    struct Rise;
    impl Drop for Rise {
        fn drop(&mut self) {
            each_home(|space, home| home.heap.set(home.resting.take().filter(|heap| space.rise(*heap))));
        }
    }
    each_home(|space, home| {
        home.resting.set(home.heap.take());
        home.resting.get().inspect(|heap| space.lie_down(*heap));
    });
    let _rise = Rise;
    f()
}

fn each_home(f: impl Fn(&TaskSpace, &Home)) {
    find_home(|home| -> Option<()> {
        // SAFETY: whoever entered the home keeps its space.
        f(unsafe { &*home.space }, home);
        None
    });
}

/// Whether this thread has `heap` checked out.
pub(crate) fn has_entered(heap: &Heap) -> bool {
    find_home(|home| home.heap.get().filter(|mine| core::ptr::eq(mine.0.as_ptr(), heap))).is_some()
}

/// Whether `space` is one of this thread's homes.
pub(crate) fn is_home(space: &TaskSpace) -> bool {
    find_home(|home| core::ptr::eq(home.space, space).then_some(())).is_some()
}

/// Whether this thread polls a task just now.
pub fn is_polling() -> bool {
    with_context(|context| context.current.task().is_some()).unwrap_or(false)
}

/// The id of the task that this thread polls.
pub(crate) fn current_id() -> Option<Id> {
    // The task lives: its runnable is further down this thread's stack.
    with_context(|context| context.current.task()).flatten().map(TaskPtr::id)
}

/// The id of the task that this thread polls, and what it asks of its scheduler. Nothing [outside of tasks](outside_of_tasks).
pub fn current_wishes() -> Option<(Id, crate::task::Wishes)> {
    // The task lives: as in `current_id`.
    let current = with_context(|context| context.current.task()).flatten();
    current.map(|task| (task.id(), task.wishes()))
}

/// Runs `f` as if this thread polled no task: what `f` does is no poll, and may block.
///
/// For a blocking job, which is a task only so that it can be joined and aborted like one.
pub fn outside_of_tasks<R>(f: impl FnOnce() -> R) -> R {
    struct Back(*const Header, ThisPoll);
    impl Drop for Back {
        fn drop(&mut self) {
            with_context(|context| {
                context.current.show(self.0);
                context.poll.set(self.1);
            });
        }
    }
    let _back = CONTEXT.with(|context| {
        let outside = context.current.get().map_addr(|addr| addr | OUTSIDE);
        Back(context.current.replace(outside), context.poll.replace(ThisPoll::NONE))
    });
    f()
}

/// Lets code that `f` runs on this thread find `value` by its type, through [`with_scope`].
pub fn enter_scope<T: 'static, R>(value: &T, f: impl FnOnce() -> R) -> R {
    let scope =
        Scope { kind: TypeId::of::<T>(), value: core::ptr::from_ref(value).cast(), previous: innermost() };
    let _inside = InScope::enter(&scope);
    f()
}

/// What [`enter_scope`] does before and after its closure, apart from it, so that a debug build has it once; where speed counts it may
/// be inlined.
struct InScope {
    previous: *const Scope,
}

impl InScope {
    #[inline]
    fn enter(scope: &Scope) -> Self {
        CONTEXT.with(|context| context.scopes.set(scope));
        Self { previous: scope.previous }
    }
}

impl Drop for InScope {
    #[inline]
    fn drop(&mut self) {
        with_context(|context| context.scopes.set(self.previous));
    }
}

/// The scope that this thread has entered last, or null: a thread whose thread-locals are gone is in none.
#[inline]
fn innermost() -> *const Scope {
    with_context(|context| context.scopes.get()).unwrap_or(null())
}

/// Calls `f` with the values of type `T` whose [`enter_scope`] this thread is in, the innermost first, until it finds something.
pub fn find_scope<T: 'static, R>(mut f: impl FnMut(&T) -> Option<R>) -> Option<R> {
    let mut at = innermost();
    while !at.is_null() {
        // SAFETY: scopes are linked for the length of the closure in `enter_scope`, further down this thread's stack.
        let scope = unsafe { &*at };
        if scope.kind == TypeId::of::<T>() {
            // SAFETY: the type is right, and the borrow of the value outlives the scope.
            let found = f(unsafe { &*scope.value.cast::<T>() });
            if found.is_some() {
                return found;
            }
        }
        at = scope.previous;
    }
    None
}

/// Calls `f` with the innermost value of type `T` whose [`enter_scope`] this thread is in, or with `None`.
///
/// # Examples
///
/// ```
/// use polyloop_core::context::{enter_scope, with_scope};
///
/// struct Worker(usize);
/// let seen = enter_scope(&Worker(3), || with_scope(|worker: Option<&Worker>| worker.map(|worker| worker.0)));
/// assert_eq!(seen, Some(3));
/// assert!(with_scope(|worker: Option<&Worker>| worker.is_none()));
/// ```
pub fn with_scope<T: 'static, R>(f: impl FnOnce(Option<&T>) -> R) -> R {
    let mut at = innermost();
    while !at.is_null() {
        // SAFETY: scopes are linked for the length of the closure in `enter_scope`, further down this thread's stack.
        let scope = unsafe { &*at };
        if scope.kind == TypeId::of::<T>() {
            // SAFETY: the type is right, and the borrow of the value outlives the scope.
            return f(Some(unsafe { &*scope.value.cast::<T>() }));
        }
        at = scope.previous;
    }
    f(None)
}
