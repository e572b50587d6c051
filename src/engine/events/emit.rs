//! Where events leave the engine: numbered, dated, secrets taken out, handed to the journal's thread and to every sink. There is
//! no other way out, and no action starts but by [`Emitter::announce`], which waits until its event is on disk.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use indexmap::IndexMap;

use super::event::{Body, Event, Ledger, Part, Place, Published, Sink, State, StopState, expect_of};
use super::journal_thread::JournalThread;
use crate::engine::cancel::{Cause, Flag};
use crate::engine::redact::Redactor;
use crate::engine::risk::Used;
use crate::engine::world::{Announced, Clock};

/// How long who asks a person waits for those who show the run.
const SHOWN: Duration = Duration::from_secs(1);

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
    run: OnceLock<Arc<str>>,
    journal: Option<JournalThread>,
    /// Why there is none, though there should be: nothing is done then.
    no_journal: Option<String>,
}

struct Inner {
    seq: u64,
    sinks: Vec<Box<dyn Sink>>,
    tally: Tally,
    /// Something was done: what is recorded has to outlive a loss of power.
    acted: bool,
    /// What happens is in the record already: it is gone through again, and told to nobody.
    silent: bool,
    /// What was emitted before the run is announced.
    held: Option<Vec<Held>>,
}

/// An event that waits for the run to be announced.
pub type Held = (Place, Body);

/// What the sums at the end of a run are made of: a fold over the events, kept up as they pass.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// What the rows of each expect came to when it was last asked: one that was mended counts as it is now.
    expects: Arc<Rows>,
    pub as_of_now: u32,
    pub planned: u32,
    pub possible: u32,
    /// How many of the actions lie behind the place where the run would end.
    pub actions_not_reached: u32,
    /// How many stop conditions are not quiet now.
    pub stops_not_quiet: u32,
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
    /// In a dry run: judged on what an action declares that it sets.
    Assumed,
    /// In a dry run: behind the place where the run would end.
    NotReached,
}

impl Tally {
    /// How many expects came to this in the end.
    pub fn count_of(&self, state: State) -> u32 {
        self.count(|row| row == Row::Blocking(state))
    }

    /// How many rest on what an action would set.
    pub fn assumed(&self) -> u32 {
        self.count(|row| row == Row::Assumed)
    }

    /// How many lie behind the place where the run would end.
    pub fn not_reached(&self) -> u32 {
        self.count(|row| row == Row::NotReached)
    }

    /// How many do not hold, and are covered.
    pub fn waived(&self) -> u32 {
        self.count(|row| matches!(row, Row::Waived(_)))
    }

    fn count(&self, counts: impl Fn(Row) -> bool) -> u32 {
        let held = if counts(Row::Blocking(State::Holds)) { self.expects.held.len() } else { 0 };
        let others = self.expects.others.values().flatten().filter(|row| counts(**row)).count();
        (held + others).try_into().unwrap_or(u32::MAX)
    }
}

/// The rows of every expect, by its id. Of those that hold, a run may have a million: of each nothing is kept but a hash.
#[derive(Clone, Debug, Default)]
struct Rows {
    /// They have one row, which holds.
    held: HashSet<Id>,
    others: HashMap<Id, Vec<Row>>,
}

/// An expect's id, in 64 bits: among a million of them, two are the same once in thirty million runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Id(u64);

impl Id {
    fn of(id: &str) -> Self {
        let mut hasher = std::hash::DefaultHasher::new();
        id.hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl Rows {
    /// An expect is asked, or asked anew: what it came to before counts no more.
    fn start(&mut self, id: &str) {
        self.held.remove(&Id::of(id));
        self.others.insert(Id::of(id), Vec::new());
    }

    fn push(&mut self, row_id: &str, row: Row) {
        let known = |id: &str| self.held.contains(&Id::of(id)) || self.others.contains_key(&Id::of(id));
        let id = Id::of(expect_of(row_id, known));
        let before = self.held.remove(&id).then_some(Row::Blocking(State::Holds));
        let rows = self.others.entry(id).or_default();
        rows.extend(before);
        rows.push(row);
        if *rows == [Row::Blocking(State::Holds)] {
            self.others.remove(&id);
            self.held.insert(id);
        }
    }
}

impl Emitter {
    /// What the calendar says.
    pub fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    pub fn new(clock: Arc<dyn Clock>, redactor: Arc<Redactor>, outlets: Outlets, unkept: Flag) -> Self {
        let Outlets { ledger, sinks } = outlets;
        let inner = Inner { seq: 0, sinks, tally: Tally::default(), acted: false, silent: false, held: None };
        let (mut journal, mut no_journal) = (None, None);
        match ledger.map(|ledger| JournalThread::start(ledger, unkept.clone())) {
            Some(Ok(started)) => journal = Some(started),
            Some(Err(error)) => {
                let why = format!("no thread could be started: {error}");
                unkept.raise(Cause::Unkept(why.as_str().into()));
                no_journal = Some(why);
            }
            None => {}
        }
        Self { clock, redactor, inner: Mutex::new(inner), run: OnceLock::new(), journal, no_journal }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Goes on behind what a record holds.
    pub fn continue_behind(&self, events: &[Published]) {
        let mut inner = self.lock();
        for event in events.iter().map(Published::get) {
            self.note(&event.body);
            inner.seq = event.seq;
            inner.tally.take(&event.place, &event.body);
        }
    }

    pub fn silent(&self, silent: bool) {
        self.lock().silent = silent;
    }

    fn note(&self, body: &Body) {
        if let Body::RunStarted { run: Some(run), .. } = body {
            let _ = self.run.set(run.as_str().into());
        }
    }

    /// The id of the run that was announced; a dry run has none.
    pub fn run(&self) -> Option<&Arc<str>> {
        self.run.get()
    }

    pub fn emit(&self, place: Place, body: Body) {
        self.note(&body);
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
    pub async fn announce(&self, place: Place, body: Body) -> Result<Announced, String> {
        let ends_run = matches!(place.part, Some(Part::Finally | Part::Rollback));
        self.may_announce(ends_run)?;
        let on_disk = {
            let mut inner = self.lock();
            self.publish(&mut inner, place, body);
            self.journal.as_ref().map(JournalThread::commit)
        };
        if let Some(on_disk) = on_disk {
            on_disk.done().await.map_err(|why| unkept(&why))?;
        }
        self.may_announce(ends_run)?;
        self.lock().acted = true;
        Ok(Announced::written_down())
    }

    /// Whether an action may be announced. One that was undone by a full disk a moment ago is not begun because there
    /// is room again; but what ends the run has room of its own.
    fn may_announce(&self, ends_run: bool) -> Result<(), String> {
        if let Some(why) = &self.no_journal {
            return Err(unkept(why));
        }
        match self.journal.as_ref().and_then(JournalThread::failed) {
            Some(why) if !ends_run => Err(unkept(&why)),
            _ => Ok(()),
        }
    }

    /// Has all that was emitted so far written; where something was done, so that it survives a loss of power. Who only looked
    /// can look again.
    pub async fn settle(&self) {
        let acted = self.has_acted();
        if let Some(journal) = &self.journal {
            let written = if acted { journal.commit() } else { journal.flush() };
            // That it could not be written is what the flag says.
            let _ = written.done().await;
        }
    }

    /// Waits until all that was emitted so far is written, or could not be.
    pub async fn written(&self) {
        if let Some(journal) = &self.journal {
            let _ = journal.flush().done().await;
        }
    }

    /// Waits while much of what was emitted is not written yet: before more of what can wait is emitted.
    pub async fn room(&self) {
        if let Some(journal) = &self.journal {
            journal.room().await;
        }
    }

    /// Whether [`Self::room`] would not wait.
    pub fn has_room(&self) -> bool {
        self.journal.as_ref().is_none_or(JournalThread::has_room)
    }

    /// Waits until what was emitted so far is shown, as far as someone reads it: a person who is asked has seen what is asked about.
    pub async fn shown(&self) {
        let shown: Vec<_> = self.lock().sinks.iter_mut().map(|sink| sink.shown()).collect();
        let _ = tokio::time::timeout(SHOWN, futures_util::future::join_all(shown)).await;
    }

    fn publish(&self, inner: &mut Inner, place: Place, body: Body) {
        inner.seq += 1;
        inner.tally.take(&place, &body);
        let event = Event { seq: inner.seq, time: self.clock.now(), place, body };
        let published = self.redactor.publish(event);
        if let Some(journal) = &self.journal {
            journal.append(&published);
        }
        for sink in &mut inner.sinks {
            sink.take(&published);
        }
    }

    /// Whether what happens is kept.
    pub fn records(&self) -> bool {
        self.journal.is_some()
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
                Arc::make_mut(&mut self.expects).start(place.expect.as_deref().unwrap_or_default());
            }
            Body::ExpectEnded(result) => {
                let row = match result {
                    _ if place.not_reached => Row::NotReached,
                    result if result.assumed.is_some() => Row::Assumed,
                    result if result.waived => Row::Waived(result.state),
                    result => Row::Blocking(result.state),
                };
                Arc::make_mut(&mut self.expects).push(place.expect.as_deref().unwrap_or_default(), row);
                if let Some(risk) = &result.risk {
                    let id = place.expect.clone().unwrap_or_default();
                    self.risks.entry(risk.clone()).or_default().insert(id, result.state);
                }
                self.as_of_now += u32::from(result.as_of_now.is_some());
                if !result.warn {
                    return;
                }
                let id = place.expect.clone().unwrap_or_default();
                if result.state != State::Holds {
                    let what = result.message.as_deref().unwrap_or(&result.text);
                    let who = if result.named { &id } else { result.asked.as_ref().unwrap_or(&result.text) };
                    self.warnings.insert(id.clone(), format!("{who}: {what}"));
                } else {
                    self.warnings.shift_remove(&id);
                }
            }
            Body::StopPredicted { state, .. } => self.stops_not_quiet += u32::from(*state != StopState::Quiet),
            Body::ActionPlanned { .. } if place.not_reached => self.actions_not_reached += 1,
            Body::ActionPlanned { .. } => {
                self.planned += 1;
                self.possible += u32::from(place.possible.is_some());
            }
            Body::Probed { .. } => self.probes += 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rows: &Rows) -> [u32; 3] {
        let tally = Tally { expects: Arc::new(rows.clone()), ..Tally::default() };
        [State::Holds, State::Differs, State::Unknown].map(|state| tally.count_of(state))
    }

    #[test]
    fn an_expect_counts_as_it_was_when_it_was_asked_last() {
        let mut rows = Rows::default();
        for id in ["a.up", "a.state", "a.up[\"x\"]"] {
            rows.start(id);
        }
        rows.push("a.up", Row::Blocking(State::Differs));
        // Rows of a block belong to the expect that their id begins with.
        rows.push("a.state.size", Row::Blocking(State::Holds));
        rows.push("a.state.kind", Row::Blocking(State::Holds));
        rows.push("a.state.mode", Row::Waived(State::Unknown));
        rows.push("a.up[\"x\"]", Row::Blocking(State::Holds));
        assert_eq!(counts(&rows), [3, 1, 0]);
        // Mended: the one expect is asked again.
        rows.start("a.up");
        rows.push("a.up", Row::Blocking(State::Holds));
        assert_eq!(counts(&rows), [4, 0, 0]);
        assert_eq!((rows.held.len(), rows.others.len()), (2, 1));
        // And again, and it does not hold any more.
        rows.start("a.up[\"x\"]");
        rows.push("a.up[\"x\"]", Row::Blocking(State::Unknown));
        assert_eq!(counts(&rows), [3, 0, 1]);
    }
}
