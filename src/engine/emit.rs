//! Where events leave the engine: numbered, dated, secrets taken out, handed to every sink. There is no other way out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use indexmap::IndexMap;

use super::event::{Body, Event, Place, Sink, State};
use super::redact::Redactor;
use super::world::Clock;

/// Gives each event its number and time, and hands it on.
pub struct Emitter {
    clock: Arc<dyn Clock>,
    redactor: Arc<Redactor>,
    inner: Mutex<Inner>,
}

struct Inner {
    seq: u64,
    sinks: Vec<Box<dyn Sink>>,
    tally: Tally,
}

/// What the sums at the end of a run are made of: a fold over the events, kept up as they pass.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// What the rows of each expect came to when it was last asked: one that was mended counts as it is now.
    expects: HashMap<String, Vec<State>>,
    pub as_of_now: u32,
    pub planned: u32,
    pub possible: u32,
    pub probes: u32,
    /// By expect, as it is now.
    pub warnings: IndexMap<String, String>,
}

impl Tally {
    /// How many expects came to this in the end.
    pub fn count_of(&self, state: State) -> u32 {
        self.expects.values().flatten().filter(|last| **last == state).count().try_into().unwrap_or(u32::MAX)
    }

    /// The rows of the expect that a row belongs to: its id goes on where the expect's own ends.
    fn rows(&mut self, id: &str) -> &mut Vec<State> {
        let mut expect = id;
        while !self.expects.contains_key(expect) {
            match expect.rfind(['.', '[']) {
                Some(end) => expect = &expect[..end],
                None => {
                    expect = id;
                    break;
                }
            }
        }
        self.expects.entry(expect.to_owned()).or_default()
    }
}

impl Emitter {
    /// What the calendar says.
    pub fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    pub fn new(clock: Arc<dyn Clock>, redactor: Arc<Redactor>, sinks: Vec<Box<dyn Sink>>) -> Self {
        Self { clock, redactor, inner: Mutex::new(Inner { seq: 0, sinks, tally: Tally::default() }) }
    }

    pub fn emit(&self, place: Place, body: Body) {
        let mut inner = self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        inner.seq += 1;
        inner.tally.count(&place, &body);
        let event = Event { seq: inner.seq, time: self.clock.now(), place, body };
        let published = self.redactor.publish(event);
        for sink in &mut inner.sinks {
            sink.take(&published);
        }
    }

    pub fn tally(&self) -> Tally {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).tally.clone()
    }

    pub fn redactor(&self) -> &Arc<Redactor> {
        &self.redactor
    }
}

impl Tally {
    fn count(&mut self, place: &Place, body: &Body) {
        match body {
            Body::ExpectStarted { .. } => {
                self.expects.insert(place.expect.clone().unwrap_or_default(), Vec::new());
            }
            Body::ExpectEnded(result) => {
                self.rows(place.expect.as_deref().unwrap_or_default()).push(result.state);
                self.as_of_now += u32::from(result.as_of_now.is_some());
                let id = place.expect.clone().unwrap_or_default();
                if result.warn && result.state != State::Holds {
                    let what = result.message.as_deref().unwrap_or(&result.text);
                    let who = if result.named { &id } else { result.asked.as_ref().unwrap_or(&result.text) };
                    self.warnings.insert(id.clone(), format!("{who}: {what}"));
                } else {
                    self.warnings.shift_remove(&id);
                }
            }
            Body::ActionPlanned { .. } => {
                self.planned += 1;
                self.possible += u32::from(place.possible.is_some());
            }
            Body::Probed { .. } => self.probes += 1,
            _ => {}
        }
    }
}
