//! Where tasks live: 64 KiB pages of equal slots, one heap per thread that spawns, and the registry of all tasks.
//!
//! Invariant: *a slot leads to its page by masking the address, a page to its [`TaskSpace`], and a slot whose state word
//! is not vacant holds a task*. So a task needs no pointer to its scheduler, and shutdown finds every task without
//! a list.
//!
//! A [`Heap`] is used by one thread at a time, which allocates and frees without atomics. A slot freed by another thread goes to a stack of
//! its heap and class, and is adopted when the owner runs out. When a heap is retired, its pages with live tasks are
//! orphaned: the last task to go frees its page. Every page keeps its space alive, and so everything that a waker
//! needs outlives the runtime.
//!
//! Tasks above [`LARGEST_SLOT`] bytes get a page of their own.

#[cfg(all(test, polyloop_loom))]
mod loom_tests;

use super::cell::Header;
use super::meta::MetaWord;
use super::space::TaskSpace;
use super::state::State;
use crate::probe::Count;
use crate::shim::atomic::{
    AtomicPtr, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use crate::shim::sync::Mutex;
use crate::tick::Stamps;
use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::fmt;
use core::mem::offset_of;
use core::ptr::{NonNull, null_mut};
use std::sync::Arc;

/// Pages are as big as they are aligned, so that masking finds the page.
const PAGE_SIZE: usize = 64 * 1024;

/// Headers of neighbouring pages are shifted by a cache line each, modulo this many, so that they do not all fall into
/// one set of the cache.
const COLOURS: usize = 16;
const LINE: usize = 64;

/// Slots begin and end at multiples of this.
const GRAIN: usize = 16;

/// Bigger tasks get a page of their own. A page then holds at least 15.
pub(crate) const LARGEST_SLOT: usize = 4096;

/// Up to this alignment a page's only task lies behind the page's header. More aligned tasks begin with the page, and the
/// header lies in the gap between theirs and the future.
const LARGEST_ALIGN: usize = 4096;

/// Sizes in steps of 16 up to 512 bytes, then eight steps for each doubling.
const CLASSES: usize = 512 / GRAIN + 8 * 3;

/// Which class a task of `size` bytes belongs to.
const fn class_of(size: usize) -> usize {
    if size <= 512 {
        return size.div_ceil(GRAIN).saturating_sub(1);
    }
    let doubling = (size - 1).ilog2() - 9;
    let step = 64 << doubling;
    let base = 512 << doubling;
    32 + 8 * doubling as usize + (size - base).div_ceil(step) - 1
}

/// How big the slots of a class are.
const fn slot_size(class: usize) -> usize {
    if class < 32 {
        return (class + 1) * GRAIN;
    }
    let doubling = (class - 32) / 8;
    (512 << doubling) + (64 << doubling) * ((class - 32) % 8 + 1)
}

/// What a page begins with (after its colour's shift, which leaves room for a task's header).
#[repr(C)]
struct Page {
    space: Arc<TaskSpace>,
    /// The heap it belongs to; null for a page of one task. Heaps live as long as their space.
    heap: *const Heap,
    layout: Layout,
    /// Where the page stands in the space's list. Guarded by the list's lock.
    listed_at: UnsafeCell<usize>,
    /// Offset of the first slot from the page's base.
    first: usize,
    /// Slots below this offset have a state word. Stored by the owner after it wrote the word, read by the registry.
    filled: AtomicUsize,
    slot_size: usize,
    /// Once the page is orphaned: how many tasks are left in it.
    orphans: AtomicUsize,
    /// See [`MetaWord`].
    metas: Mutex<()>,
    owner: UnsafeCell<Owner>,
}

/// What only the heap's present user touches.
struct Owner {
    free: *mut Header,
    used: usize,
    /// Links among the pages of one class that have room.
    previous: *mut Page,
    following: *mut Page,
    linked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PagePtr(NonNull<Page>);

// SAFETY: a page pointer is only a name; who may touch what behind it is told at each field.
unsafe impl Send for PagePtr {}

fn header_offset(page_base: usize) -> usize {
    LINE + (page_base / PAGE_SIZE) % COLOURS * LINE
}

fn page_of(slot: NonNull<Header>) -> *mut Page {
    // The pointer keeps the provenance of the page's allocation, from which every slot pointer was made.
    slot.as_ptr()
        .map_addr(|addr| {
            let base = addr & !(PAGE_SIZE - 1);
            base + header_offset(base)
        })
        .cast()
}

/// The space of the task in `slot`. Valid as long as the task's cell is, which the caller sees to.
pub(crate) fn space_of<'a>(slot: NonNull<Header>) -> &'a Arc<TaskSpace> {
    // SAFETY: the slot's page lives as long as the slot is occupied; the field is constant.
    unsafe { &(*page_of(slot)).space }
}

/// The lock that guards the description of the task in `slot`. Valid as long as the slot is occupied, or the page listed.
pub(crate) fn meta_lock<'a>(slot: NonNull<Header>) -> &'a Mutex<()> {
    // SAFETY: as promised by the caller, the page is live.
    unsafe { &(*page_of(slot)).metas }
}

/// Makes a page for slots of `slot_size`, or for one task of `solo` layout.
fn new_page(
    space: &Arc<TaskSpace>,
    heap: *const Heap,
    layout: Layout,
    slot_size: usize,
    slot_align: usize,
) -> NonNull<Page> {
    // SAFETY: the layout's size is not zero.
    let base = unsafe { std::alloc::alloc(layout) };
    if base.is_null() {
        std::alloc::handle_alloc_error(layout);
    }
    let offset = header_offset(base.addr());
    // SAFETY: the offset plus the header lie within the allocation, aligned.
    let page = unsafe { base.add(offset) }.cast::<Page>();
    let first = first_slot(offset, slot_align);
    let owner =
        Owner { free: null_mut(), used: 0, previous: null_mut(), following: null_mut(), linked: false };
    // SAFETY: fresh memory of the right size and alignment.
    unsafe {
        page.write(Page {
            space: Arc::clone(space),
            heap,
            layout,
            listed_at: UnsafeCell::new(0),
            first,
            filled: AtomicUsize::new(first),
            slot_size,
            orphans: AtomicUsize::new(0),
            metas: Mutex::new(()),
            owner: UnsafeCell::new(owner),
        });
    }
    // SAFETY: `page` is not null.
    let page = unsafe { NonNull::new_unchecked(page) };
    let mut pages = space.pages().lock();
    // SAFETY: `listed_at` is guarded by the lock that is held.
    unsafe { *(*page.as_ptr()).listed_at.get() = pages.len() };
    pages.push(PagePtr(page));
    page
}

/// Offset from the page's base to its first slot.
fn first_slot(header_offset: usize, align: usize) -> usize {
    if align > LARGEST_ALIGN {
        return 0;
    }
    (header_offset + size_of::<Page>()).next_multiple_of(align)
}

fn base_of(page: *mut Page) -> *mut u8 {
    page.cast::<u8>().map_addr(|addr| addr & !(PAGE_SIZE - 1))
}

/// Gives a page back to the allocator.
///
/// # Safety
///
/// No task is left in it and nobody will look at it again, except the registry, which the list's lock keeps out.
unsafe fn drop_page(page: *mut Page) {
    // SAFETY: the page is live. The space is kept for the length of this function: the page may hold its last reference.
    let (space, layout) = unsafe { (Arc::clone(&(*page).space), (*page).layout) };
    {
        let mut pages = space.pages().lock();
        // SAFETY: `listed_at` of every listed page is guarded by the lock that is held.
        unsafe {
            let at = *(*page).listed_at.get();
            pages.swap_remove(at);
            if let Some(moved) = pages.get(at) {
                *(*moved.0.as_ptr()).listed_at.get() = at;
            }
            if pages.is_empty() {
                pages.shrink_to_fit();
            }
        }
    }
    // SAFETY: nobody else knows the page now; it was made by `new_page` with this layout.
    unsafe {
        core::ptr::drop_in_place(page);
        std::alloc::dealloc(base_of(page), layout);
    }
}

/// A slot for a task of `layout` in `space`, its state word vacant: from the heap that this thread has entered, else
/// from the one that outsiders share.
pub(crate) fn allocate(space: &Arc<TaskSpace>, layout: Layout) -> NonNull<Header> {
    // loom's atomics must be dropped when a task is, so a model gives every task a page of its own.
    if layout.size() > LARGEST_SLOT || layout.align() > GRAIN || cfg!(polyloop_loom) {
        space.tell_time();
        space.count_solo();
        return allocate_solo(space, layout);
    }
    let class = class_of(layout.size());
    if let Some(heap) = crate::context::heap_of(space) {
        // SAFETY: this thread has the heap checked out.
        return unsafe { heap.as_ref().allocate(space, class) };
    }
    space.tell_time();
    let outsiders = space.outsiders().lock();
    match *outsiders {
        // SAFETY: the lock makes this thread the heap's only user; heaps live as long as their space.
        Some(heap) => unsafe { heap.0.as_ref().allocate(space, class) },
        // The space has been retired; the task will be cancelled at once.
        None => {
            drop(outsiders);
            space.count_solo();
            allocate_solo(space, layout)
        }
    }
}

/// As [`allocate`], with memory that is the task's alone.
pub(crate) fn allocate_solo(space: &Arc<TaskSpace>, layout: Layout) -> NonNull<Header> {
    let align = layout.align().max(GRAIN);
    let page_layout =
        Layout::from_size_align(first_slot(COLOURS * LINE, align) + layout.size(), PAGE_SIZE.max(align))
            .unwrap_or_else(|_| std::alloc::handle_alloc_error(layout));
    let page = new_page(space, core::ptr::null(), page_layout, layout.size(), align);
    // SAFETY: the size covers every colour's offset, so slot and task lie within the allocation; the page is new.
    unsafe { fresh_slot(page.as_ptr()) }
}

/// Takes a vacant slot back.
///
/// # Safety
///
/// The slot came from [`allocate`], is vacant, and nobody will touch it again.
pub(crate) unsafe fn free(slot: NonNull<Header>) {
    let page = page_of(slot);
    // SAFETY: the page lives while a slot of it has not been given back; heaps live as long as their space.
    let (heap, class) = unsafe { ((*page).heap.as_ref(), class_of((*page).slot_size)) };
    match heap {
        None => {
            #[cfg(polyloop_loom)]
            // SAFETY: loom's types have drops; nobody else will look at them.
            unsafe {
                core::ptr::drop_in_place(&raw mut (*slot.as_ptr()).state);
                core::ptr::drop_in_place(&raw mut (*slot.as_ptr()).next);
                core::ptr::drop_in_place(&raw mut (*slot.as_ptr()).joiner);
                core::ptr::drop_in_place(&raw mut (*slot.as_ptr()).meta);
            }
            // SAFETY: the page's only task is gone.
            unsafe { drop_page(page) }
        }
        // SAFETY: this thread has the heap checked out.
        Some(heap) if crate::context::has_entered(heap) => unsafe { heap.free_local(class, slot) },
        // SAFETY: the slot is the caller's to give.
        Some(heap) => unsafe { heap.free_remote(class, slot) },
    }
}

/// Calls `f` with the state word of every slot that has one. The list of pages stays locked meanwhile: `f` runs no foreign code.
pub(crate) fn for_each_slot(space: &TaskSpace, mut f: impl FnMut(NonNull<Header>, &State)) {
    let pages = space.pages().lock();
    for page in pages.iter() {
        // SAFETY: a listed page is live while the lock is held.
        unsafe { each_slot_of(page.0.as_ptr(), &mut f) };
    }
}

/// So many pages are read at once.
const FEW_PAGES: usize = 8;

/// As [`for_each_slot`], but the list is free for a moment after each page, so that a thread that needs a page or gives one back
/// never waits for the whole walk. What is spawned into a page that is new since the call is left out.
pub(crate) fn for_each_slot_by_page(space: &TaskSpace, mut f: impl FnMut(NonNull<Header>, &State)) {
    let all = {
        let pages = space.pages().lock();
        if pages.len() <= FEW_PAGES {
            // SAFETY: a listed page is live while the lock is held.
            pages.iter().for_each(|page| unsafe { each_slot_of(page.0.as_ptr(), &mut f) });
            return;
        }
        pages.clone()
    };
    for (hint, page) in all.into_iter().enumerate() {
        let pages = space.pages().lock();
        // Whatever page is listed at this address, it is live while the lock is held, and listed once.
        if pages.get(hint) == Some(&page) || pages.contains(&page) {
            // SAFETY: as just said.
            unsafe { each_slot_of(page.0.as_ptr(), &mut f) };
        }
    }
}

/// # Safety
///
/// The page is listed, and the list locked.
unsafe fn each_slot_of(page: *mut Page, f: &mut impl FnMut(NonNull<Header>, &State)) {
    // SAFETY: a listed page is live while the lock is held. Ordering: Acquire pairs with the owner's Release.
    let (first, filled, slot_size) =
        unsafe { ((*page).first, (*page).filled.load(Acquire), (*page).slot_size) };
    for at in (first..filled).step_by(slot_size) {
        // SAFETY: below `filled`, every slot's state word was written.
        let slot = unsafe { NonNull::new_unchecked(base_of(page).add(at).cast::<Header>()) };
        // SAFETY: as above; only the state word is looked at.
        f(slot, unsafe { &(*slot.as_ptr()).state });
    }
}

/// Calls `f` with the slot at this address, if it is one of `space`'s that has a state word. The list of pages stays locked
/// meanwhile: `f` runs no foreign code.
pub(crate) fn with_slot_at<R>(
    space: &TaskSpace,
    address: usize,
    f: impl FnOnce(NonNull<Header>) -> R,
) -> Option<R> {
    let base = address & !(PAGE_SIZE - 1);
    let header = base + header_offset(base);
    let pages = space.pages().lock();
    let page = pages.iter().find(|page| page.0.addr().get() == header)?.0.as_ptr();
    // SAFETY: a listed page is live while the lock is held. Ordering: Acquire pairs with the owner's Release.
    let (first, filled, slot_size) =
        unsafe { ((*page).first, (*page).filled.load(Acquire), (*page).slot_size) };
    let at = address - base;
    if !(first..filled).contains(&at) || !(at - first).is_multiple_of(slot_size) {
        return None;
    }
    // SAFETY: below `filled`, every slot's state word was written.
    Some(f(unsafe { NonNull::new_unchecked(base_of(page).add(at).cast::<Header>()) }))
}

/// Bytes of all pages of `space`.
pub(crate) fn allocated_bytes(space: &TaskSpace) -> usize {
    let pages = space.pages().lock();
    // SAFETY: a listed page is live while the lock is held; the field is constant.
    pages.iter().map(|page| unsafe { (*page.0.as_ptr()).layout.size() }).sum()
}

/// One thread's pages, by class.
pub(crate) struct Heap {
    classes: [UnsafeCell<Class>; CLASSES],
    remote: [AtomicPtr<Header>; CLASSES],
    /// How many tasks were spawned from it.
    pub(crate) spawned: Count,
}

// SAFETY: `classes` is only touched by the thread that has the heap checked out (or holds the outsiders' lock);
// `remote` is atomic.
unsafe impl Sync for Heap {}
// SAFETY: nothing in a heap is bound to a thread; pages and slots go along.
unsafe impl Send for Heap {}

/// One size.
struct Class {
    /// Pages with room, the first one in use.
    roomy: *mut Page,
}

/// What a remote stack holds when its heap is retired: slots that come later go to their orphaned pages.
fn retired() -> *mut Header {
    core::ptr::without_provenance_mut(1)
}

impl Heap {
    pub(crate) fn new() -> Self {
        Self {
            classes: core::array::from_fn(|_| UnsafeCell::new(Class { roomy: null_mut() })),
            remote: core::array::from_fn(|_| AtomicPtr::new(null_mut())),
            spawned: Count::new(),
        }
    }

    /// # Safety
    ///
    /// The caller is the heap's only user.
    unsafe fn allocate(&self, space: &Arc<TaskSpace>, class: usize) -> NonNull<Header> {
        let pages = self.classes[class].get();
        // SAFETY: by the contract, nobody else touches `classes` or the owner parts of this heap's pages; pages in the
        // list are live.
        unsafe {
            if (*pages).roomy.is_null() {
                self.adopt_remote(class);
            }
            if (*pages).roomy.is_null() {
                let layout = Layout::from_size_align_unchecked(PAGE_SIZE, PAGE_SIZE);
                let page = new_page(space, self, layout, slot_size(class), GRAIN).as_ptr();
                self.link(class, page);
            }
            let page = (*pages).roomy;
            let owner = (*page).owner.get();
            let slot = if let Some(slot) = NonNull::new((*owner).free) {
                (*owner).free = (*slot.as_ptr()).next.with(|next| *next);
                slot
            } else {
                fresh_slot(page)
            };
            (*owner).used += 1;
            self.spawned.add(1);
            if (*owner).free.is_null() && !has_fresh_slot(page) {
                self.unlink(class, page);
            }
            slot
        }
    }

    /// # Safety
    ///
    /// The caller is the heap's only user; the slot is vacant and of this heap and class.
    unsafe fn free_local(&self, class: usize, slot: NonNull<Header>) {
        let page = page_of(slot);
        // SAFETY: by the contract, and because the page has a slot that was not given back until now.
        unsafe {
            let owner = (*page).owner.get();
            (*slot.as_ptr()).next.with_mut(|next| *next = (*owner).free);
            (*owner).free = slot.as_ptr();
            (*owner).used -= 1;
            if !(*owner).linked {
                self.link(class, page);
            }
            // One empty page per class stays, so that a single task that comes and goes does not ask the allocator.
            let only = (*owner).previous.is_null() && (*owner).following.is_null();
            if (*owner).used == 0 && !only {
                self.unlink(class, page);
                drop_page(page);
            }
        }
    }

    /// # Safety
    ///
    /// The slot is vacant, of this heap and class, and the caller's.
    unsafe fn free_remote(&self, class: usize, slot: NonNull<Header>) {
        let stack = &self.remote[class];
        let mut top = stack.load(Relaxed);
        loop {
            if top == retired() {
                let page = page_of(slot);
                // Ordering: AcqRel, so that whoever frees the page has seen all others leave it; the stack's Acquire
                // below made the count visible.
                stack.load(Acquire);
                // SAFETY: the page lives until the last of its orphans has gone.
                if unsafe { (*page).orphans.fetch_sub(1, AcqRel) } == 1 {
                    // SAFETY: that was the last one.
                    unsafe { drop_page(page) };
                }
                return;
            }
            // SAFETY: the slot is the caller's until it is in the stack.
            unsafe { (*slot.as_ptr()).next.with_mut(|next| *next = top) };
            // Ordering: Release publishes the link and the vacant word to the owner's Acquire.
            match stack.compare_exchange_weak(top, slot.as_ptr(), Release, Relaxed) {
                // From here on the heap may be gone: the slot may have been what kept its page, and so the space.
                Ok(_) => return,
                Err(moved) => top = moved,
            }
        }
    }

    /// Takes back what other threads have freed, of every class, so that empty pages go.
    ///
    /// # Safety
    ///
    /// The caller is the heap's only user.
    pub(crate) unsafe fn adopt_all(&self) {
        for class in 0..CLASSES {
            // SAFETY: as promised by the caller.
            unsafe { self.adopt_remote(class) };
        }
    }

    /// Takes back what other threads have freed.
    ///
    /// # Safety
    ///
    /// The caller is the heap's only user.
    unsafe fn adopt_remote(&self, class: usize) {
        let stack = &self.remote[class];
        let top = stack.load(Relaxed);
        if top.is_null() {
            return;
        }
        #[cfg(not(polyloop_mutant = "adopt_by_look"))]
        let mut slot = stack.swap(null_mut(), Acquire);
        #[cfg(polyloop_mutant = "adopt_by_look")]
        let mut slot = {
            stack.load(Acquire);
            stack.store(null_mut(), Relaxed);
            top
        };
        while let Some(freed) = NonNull::new(slot) {
            // SAFETY: the stack is this thread's now; each slot in it is vacant and of this heap and class.
            unsafe {
                slot = (*freed.as_ptr()).next.with(|next| *next);
                self.free_local(class, freed);
            }
        }
    }

    /// Ends the heap: empty pages are freed, the others are left to their last task.
    ///
    /// # Safety
    ///
    /// The caller is the heap's only user, and nobody will use it again.
    pub(crate) unsafe fn retire(&self, space: &TaskSpace) {
        let mine: Vec<PagePtr> = {
            let pages = space.pages().lock();
            // SAFETY: listed pages are live, and none of this heap can go before its tasks do.
            pages
                .iter()
                .copied()
                .filter(|page| core::ptr::eq(unsafe { (*page.0.as_ptr()).heap }, self))
                .collect()
        };
        let count = || {
            for page in &mine {
                // SAFETY: the owner part is this thread's.
                unsafe {
                    (*page.0.as_ptr()).orphans.store((*(*page.0.as_ptr()).owner.get()).used + 1, Relaxed)
                };
            }
        };
        #[cfg(not(polyloop_mutant = "retire_before_the_count"))]
        count();
        for (class, stack) in self.remote.iter().enumerate() {
            // Ordering: Release publishes the counts above to those who find the stack retired; Acquire takes over what
            // they had pushed before.
            let mut slot = stack.swap(retired(), AcqRel);
            #[cfg(polyloop_mutant = "retire_before_the_count")]
            count();
            debug_assert!(slot != retired(), "a heap is retired once");
            while let Some(freed) = NonNull::new(slot) {
                // SAFETY: the slot is this thread's to count; its page has not gone, because this thread's own count
                // in it has not.
                unsafe {
                    slot = (*freed.as_ptr()).next.with(|next| *next);
                    (*page_of(freed)).orphans.fetch_sub(1, AcqRel);
                }
            }
            // SAFETY: the lists end here; pages are reached through the space's list from now on.
            unsafe { (*self.classes[class].get()).roomy = null_mut() };
        }
        for page in mine {
            let page = page.0.as_ptr();
            // SAFETY: this thread's own count kept the page until now.
            unsafe {
                if (*page).orphans.fetch_sub(1, AcqRel) == 1 {
                    drop_page(page);
                }
            }
        }
    }

    /// # Safety
    ///
    /// The caller is the heap's only user; the page is of this class and not linked.
    unsafe fn link(&self, class: usize, page: *mut Page) {
        // SAFETY: by the contract; linked pages are live.
        unsafe {
            let first = &raw mut (*self.classes[class].get()).roomy;
            let owner = (*page).owner.get();
            (*owner).previous = null_mut();
            (*owner).following = *first;
            (*owner).linked = true;
            if !(*first).is_null() {
                (*(**first).owner.get()).previous = page;
            }
            *first = page;
        }
    }

    /// # Safety
    ///
    /// The caller is the heap's only user; the page is of this class and linked.
    unsafe fn unlink(&self, class: usize, page: *mut Page) {
        // SAFETY: by the contract; linked pages are live.
        unsafe {
            let owner = (*page).owner.get();
            let (previous, following) = ((*owner).previous, (*owner).following);
            if previous.is_null() {
                (*self.classes[class].get()).roomy = following;
            } else {
                (*(*previous).owner.get()).following = following;
            }
            if !following.is_null() {
                (*(*following).owner.get()).previous = previous;
            }
            (*owner).previous = null_mut();
            (*owner).following = null_mut();
            (*owner).linked = false;
        }
    }
}

/// Whether the page has slots that never held a task.
///
/// # Safety
///
/// The caller is the page's owner.
unsafe fn has_fresh_slot(page: *mut Page) -> bool {
    // SAFETY: the page is live.
    unsafe { (*page).filled.load(Relaxed) + (*page).slot_size <= PAGE_SIZE }
}

/// The next slot that never held a task.
///
/// # Safety
///
/// The caller is the page's owner, and there is one.
unsafe fn fresh_slot(page: *mut Page) -> NonNull<Header> {
    // SAFETY: by the contract, the slot lies within the page and is nobody's.
    unsafe {
        let at = (*page).filled.load(Relaxed);
        let slot = base_of(page).add(at).cast::<Header>();
        (&raw mut (*slot).state).write(State::vacant());
        (&raw mut (*slot).meta).write(MetaWord::empty());
        (&raw mut (*slot).stamps).write(Stamps::never());
        // Ordering: Release, so that the registry finds the state word written.
        (*page).filled.store(at + (*page).slot_size, Release);
        NonNull::new_unchecked(slot)
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").finish_non_exhaustive()
    }
}

const _: () = {
    assert!(slot_size(CLASSES - 1) == LARGEST_SLOT);
    assert!(class_of(LARGEST_SLOT) == CLASSES - 1);
    assert!(LARGEST_ALIGN <= PAGE_SIZE / 8);
    // Between the header of a task and its future there is room for the page's header, whatever its colour.
    assert!(size_of::<Header>() <= LINE && COLOURS * LINE + size_of::<Page>() <= LARGEST_ALIGN);
    assert!(align_of::<Page>() <= LINE);
    assert!(offset_of!(Header, state) == 0);
    let mut class = 0;
    while class < CLASSES {
        assert!(class_of(slot_size(class)) == class);
        assert!(slot_size(class).is_multiple_of(GRAIN));
        class += 1;
    }
};
