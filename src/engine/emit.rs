//! Where events leave the engine: numbered, dated, secrets taken out, written down, handed to every sink. There is no
//! other way out, and no action starts but by [`Emitter::announce`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use indexmap::IndexMap;

use super::cancel::{Cause, Flag};
use super::event::{Body, Event, Ledger, Part, Place, Published, Sink, State, expect_of};
use super::redact::Redactor;
use super::risk::Used;
use super::world::{Announced, Clock};

/// Where events go: who keeps them, and who shows them.
#[derive(Default)]
pub struct Outlets {
    pub ledger: Option<Box<dyn Ledger>>,
    pub sinks: Vec<Box<dyn Sink>>,
}

impl From<Vec<Box<dyn Sink>>> for Outlets {
    /// Shown, and not kept.
    fn from(sinks: Vec<Box<dyn Sink>>) -> Self {
        Self { ledger: None, sinks }
    }
}

/// Gives each event its number and time, and hands it on.
pub struct Emitter {
    clock: Arc<dyn Clock>,
    redactor: Arc<Redactor>,
    inner: Mutex<Inner>,
    /// Raised when events can't be kept any more: a run goes no further than its record.
    unkept: Flag,
}

struct Inner {
    seq: u64,
    ledger: Option<Box<dyn Ledger>>,
    sinks: Vec<Box<dyn Sink>>,
    tally: Tally,
    /// Something was done: what is recorded has to outlive a loss of power.
    acted: bool,
    /// What happens is in the record already: it is gone through again, and told to nobody.
    silent: bool,
    /// What was emitted before the run is announced.
    held: Option<Vec<Held>>,
    /// Why events can't be kept any more, or only in the room that is kept for the end of the run.
    unkept: Option<String>,
}

impl Inner {
    /// Whether an action may be announced. One that was undone by a full disk a moment ago is not begun because there
    /// is room again; but what ends the run has room of its own.
    fn may_announce(&self, ends_run: bool) -> Result<(), String> {
        match &self.unkept {
            Some(why) if !ends_run => Err(unkept(why)),
            _ => Ok(()),
        }
    }
}

/// An event that waits for the run to be announced.
pub type Held = (Place, Body);

/// What the sums at the end of a run are made of: a fold over the events, kept up as they pass.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// What the rows of each expect came to when it was last asked: one that was mended counts as it is now.
    expects: HashMap<String, Vec<Row>>,
    pub as_of_now: u32,
    pub planned: u32,
    pub possible: u32,
    pub probes: u32,
    /// By expect, as it is now.
    pub warnings: IndexMap<String, String>,
    /// What the expects that accepted risks cover came to.
    pub risks: Used,
}

/// What a row of an expect came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Blocking(State),
    /// It does not hold, and an accepted risk covers it.
    Waived(State),
}

impl Tally {
    /// How many expects came to this in the end.
    pub fn count_of(&self, state: State) -> u32 {
        self.count(|row| row == Row::Blocking(state))
    }

    /// The same, whether an accepted risk covers them or not.
    pub fn all_of(&self, state: State) -> u32 {
        self.count(|row| matches!(row, Row::Blocking(last) | Row::Waived(last) if last == state))
    }

    /// How many do not hold, and are covered.
    pub fn waived(&self) -> u32 {
        self.count(|row| matches!(row, Row::Waived(_)))
    }

    fn count(&self, counts: impl Fn(Row) -> bool) -> u32 {
        self.expects.values().flatten().filter(|row| counts(**row)).count().try_into().unwrap_or(u32::MAX)
    }

    /// The rows of the expect that a row belongs to.
    fn rows(&mut self, id: &str) -> &mut Vec<Row> {
        let expect = expect_of(id, |known| self.expects.contains_key(known)).to_owned();
        self.expects.entry(expect).or_default()
    }
}

impl Emitter {
    /// What the calendar says.
    pub fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    pub fn new(clock: Arc<dyn Clock>, redactor: Arc<Redactor>, outlets: Outlets, unkept: Flag) -> Self {
        let Outlets { ledger, sinks } = outlets;
        let inner = Inner {
            seq: 0,
            ledger,
            sinks,
            tally: Tally::default(),
            acted: false,
            silent: false,
            held: None,
            unkept: None,
        };
        Self { clock, redactor, inner: Mutex::new(inner), unkept }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Goes on behind what a record holds.
    pub fn continue_behind(&self, events: &[Published]) {
        let mut inner = self.lock();
        for event in events.iter().map(Published::get) {
            inner.seq = event.seq;
            inner.tally.take(&event.place, &event.body);
        }
    }

    pub fn silent(&self, silent: bool) {
        self.lock().silent = silent;
    }

    pub fn emit(&self, place: Place, body: Body) {
        let mut inner = self.lock();
        if let Some(held) = &mut inner.held {
            held.push((place, body));
        } else if !inner.silent {
            self.publish(&mut inner, place, body);
        }
    }

    /// Holds back what is emitted from now on, until [`Emitter::held`] takes it.
    pub fn hold(&self) {
        self.lock().held = Some(Vec::new());
    }

    pub fn held(&self) -> Vec<Held> {
        self.lock().held.take().unwrap_or_default()
    }

    pub fn emit_held(&self, held: Vec<Held>) {
        held.into_iter().for_each(|(place, body)| self.emit(place, body));
    }

    /// Whether an action was announced.
    pub fn has_acted(&self) -> bool {
        self.lock().acted
    }

    /// Announces an action: what it returns is what lets the action start. Without it, the action could not be recorded.
    pub fn announce(&self, place: Place, body: Body) -> Result<Announced, String> {
        let mut inner = self.lock();
        let ends_run = matches!(place.part, Some(Part::Finally | Part::Rollback));
        inner.may_announce(ends_run)?;
        self.publish(&mut inner, place, body);
        inner.may_announce(ends_run)?;
        inner.acted = true;
        self.commit(&mut inner).map_err(|why| unkept(&why))?;
        Ok(Announced::written_down())
    }

    /// Has all that was emitted so far outlive a loss of power, where something was done. Who only looked can look again.
    pub fn settle(&self) {
        let mut inner = self.lock();
        if inner.acted {
            let _ = self.commit(&mut inner);
        }
    }

    fn publish(&self, inner: &mut Inner, place: Place, body: Body) {
        inner.seq += 1;
        inner.tally.take(&place, &body);
        let event = Event { seq: inner.seq, time: self.clock.now(), place, body };
        let published = self.redactor.publish(event);
        if let Some(ledger) = &mut inner.ledger
            && let Err(why) = ledger.append(&published)
        {
            self.unkept.raise(Cause::Unkept(why.as_str().into()));
            inner.unkept.get_or_insert(why);
        }
        for sink in &mut inner.sinks {
            sink.take(&published);
        }
    }

    fn commit(&self, inner: &mut Inner) -> Result<(), String> {
        let committed = inner.ledger.as_mut().map_or(Ok(()), |ledger| ledger.commit());
        if let Err(why) = &committed {
            self.unkept.raise(Cause::Unkept(why.as_str().into()));
            inner.unkept.get_or_insert(why.clone());
        }
        committed
    }

    /// Whether what happens is kept.
    pub fn records(&self) -> bool {
        self.lock().ledger.is_some()
    }

    pub fn tally(&self) -> Tally {
        self.lock().tally.clone()
    }

    pub fn redactor(&self) -> &Arc<Redactor> {
        &self.redactor
    }
}

fn unkept(why: &str) -> String {
    format!("was not started, since it could not be recorded: {why}")
}

impl Tally {
    fn take(&mut self, place: &Place, body: &Body) {
        match body {
            Body::ExpectStarted { .. } => {
                self.expects.insert(place.expect.clone().unwrap_or_default(), Vec::new());
            }
            Body::ExpectEnded(result) => {
                let row = if result.waived { Row::Waived(result.state) } else { Row::Blocking(result.state) };
                self.rows(place.expect.as_deref().unwrap_or_default()).push(row);
                if let Some(risk) = &result.risk {
                    let id = place.expect.clone().unwrap_or_default();
                    self.risks.entry(risk.clone()).or_default().insert(id, result.state);
                }
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
