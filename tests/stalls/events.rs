//! The events of `tracing`.

use crate::BLOCKED;
use crate::naming::LANE;
use crate::subjects::builder;
use polyloop::task;
use polyloop_conformance::{LIMIT, block_thread};
use std::fmt::Debug;
use std::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

struct Collector(mpsc::Sender<(Level, Vec<(String, String)>)>);

#[derive(Default)]
struct Fields(Vec<(String, String)>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push((field.name().to_owned(), format!("{value:?}")));
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "polyloop::stall"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.0.send((*event.metadata().level(), fields.0)).unwrap();
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn a_stall_is_an_event_of_tracing() {
    let _alone = LANE.enter();
    let (tell, told) = mpsc::channel();
    tracing::subscriber::set_global_default(Collector(tell)).unwrap();
    let runtime = builder("steal:1").on_stall(|_| ()).build().unwrap();
    let _entered = runtime.enter();
    let handle = task::Builder::new().name("traced").spawn(async { block_thread(2 * BLOCKED) });
    runtime.block_on(handle).unwrap();
    let (level, fields) = loop {
        let (level, fields) = told.recv_timeout(LIMIT).unwrap();
        // Others of this process may end meanwhile.
        if fields.contains(&("task.name".to_owned(), "\"traced\"".to_owned())) {
            break (level, fields);
        }
    };
    assert_eq!(level, Level::WARN);
    let has = |name: &str, value: &str| {
        fields.iter().any(|(field, said)| field == name && (value.is_empty() || said == value))
    };
    assert!(has("task.file", &format!("{:?}", file!())) && has("task.line", ""), "{fields:?}");
    assert!(has("phase", "Lasting") && has("lasted_ms", "") && has("message", ""), "{fields:?}");
}
