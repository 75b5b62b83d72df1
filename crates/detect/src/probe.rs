//! What stands between a task and a future that is watched.
//!
//! Invariant: a probe stands before its future in every struct, so it is dropped first, and a waker that falls with the
//! future is no finding.

use crate::ambient;
use crate::detect::Detect;
use crate::state::{Id, Role};
use crate::tap::Tap;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

#[derive(Debug)]
pub(crate) struct Probe {
    label: Label,
    /// Unknown until the first poll for what takes the detectors of its surroundings.
    detect: Option<Detect>,
    id: Option<Id>,
}

/// What is known of a future before it runs.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub(crate) name: Arc<str>,
    pub(crate) role: Role,
    pub(crate) named_at: &'static Location<'static>,
}

impl Probe {
    pub(crate) fn new(label: Label, detect: Option<Detect>) -> Self {
        Self { label, detect, id: None }
    }

    /// Polls with a waker that is watched, if there are detectors.
    pub(crate) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        if self.detect.is_none() {
            self.detect = ambient::detect();
        }
        let Some(detect) = self.detect.clone() else { return poll(cx) };
        let enclosing = ambient::enclosing(&detect);
        let mut id = self.id;
        let mut begun = None;
        detect.note(|state| {
            let id = *id.get_or_insert_with(|| state.enlist(&self.label));
            let (begin, found) = state.begin(id, enclosing);
            begun = Some((id, begin));
            found
        });
        let Some((id, begin)) = begun else { return poll(cx) };
        self.id = Some(id);
        let tap =
            Tap { detect: detect.clone(), id, name: begin.name, poll: begin.poll, inner: cx.waker().clone() };
        // Falls after the poll's end was noted: until then, a waker that nobody kept says nothing.
        let waker = Waker::from(Arc::new(tap));
        let mut end = End { detect: &detect, id, ready: true };
        let leave = ambient::enter(&detect, id, begin.task, self.label.role.owns());
        let polled = poll(&mut Context::from_waker(&waker));
        drop(leave);
        end.ready = polled.is_ready();
        drop(end);
        polled
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let (Some(detect), Some(id)) = (&self.detect, self.id) {
            detect.note(|state| state.strike(id));
        }
    }
}

/// The end of a poll. A future that panicked has ended.
struct End<'a> {
    detect: &'a Detect,
    id: Id,
    ready: bool,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.detect.note(|state| state.end(self.id, self.ready));
    }
}
