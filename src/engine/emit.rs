//! Where events leave the engine: numbered, dated, secrets taken out, handed to every sink. There is no other way out.

use std::sync::{Arc, Mutex};

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
    pub holds: u32,
    pub differs: u32,
    pub unknown: u32,
    pub as_of_now: u32,
    pub planned: u32,
    pub possible: u32,
    pub probes: u32,
    pub warnings: Vec<String>,
}

impl Emitter {
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
            Body::ExpectEnded(result) => {
                match result.state {
                    State::Holds => self.holds += 1,
                    State::Differs => self.differs += 1,
                    State::Unknown => self.unknown += 1,
                }
                self.as_of_now += u32::from(result.as_of_now.is_some());
                if result.warn && result.state != State::Holds {
                    let what = result.message.as_deref().unwrap_or(&result.text);
                    self.warnings.push(format!("{}: {what}", place.expect.as_deref().unwrap_or_default()));
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
