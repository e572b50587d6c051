//! Who shows a run, each on a thread of its own: a reader that stands still keeps the run from nothing.
//!
//! In: events, as they happen. Out: the same events, to sinks that may take their time. What a sink falls behind by is bounded: it
//! then reads the journal until it has caught up, so that it loses no event.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use crate::engine::events::event::{Published, Sink};
use crate::record::Replay;

use super::streams::{Moved, STALLED};

/// How much may wait for a sink, in bytes; what comes then it reads in the journal.
const WAITING: usize = 4 << 20;

/// How long it is waited for what is not in the journal yet, when the run is over.
const WRITTEN: Duration = Duration::from_secs(2);

/// Sinks that are told one after another, on one thread.
pub struct Viewer {
    /// "standard output", "the report `x.html`"
    pub what: String,
    queue: Arc<Queue>,
    moved: Moved,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    change: Condvar,
    /// All was shown, and the sinks are gone.
    done: AtomicBool,
}

#[derive(Default)]
struct State {
    events: VecDeque<(Published, usize)>,
    bytes: usize,
    /// The number of the first event that is to be read in the journal, and of the last.
    behind: Option<(u64, u64)>,
    /// Who wants to know when nothing waits any more.
    asked: Vec<oneshot::Sender<()>>,
    over: bool,
    /// How many events could not be read in the journal.
    lost: u64,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn put(&self, event: &Published) {
        let mut state = self.lock();
        let (seq, weight) = (event.get().seq, event.weight());
        if let Some((_, last)) = &mut state.behind {
            *last = seq;
        } else if state.bytes + weight > WAITING && !state.events.is_empty() {
            state.behind = Some((seq, seq));
        } else {
            state.bytes += weight;
            state.events.push_back((event.clone(), weight));
        }
        drop(state);
        self.change.notify_one();
    }
}

/// What hands events to the thread. Dropped, it says that there are no more.
struct Handing(Arc<Queue>);

impl Sink for Handing {
    fn take(&mut self, event: &Published) {
        self.0.put(event);
    }

    fn shown(&mut self) -> BoxFuture<'static, ()> {
        let (shown, resolved) = oneshot::channel();
        self.0.lock().asked.push(shown);
        self.0.change.notify_one();
        resolved.map(drop).boxed()
    }
}

impl Drop for Handing {
    fn drop(&mut self) {
        self.0.lock().over = true;
        self.0.change.notify_one();
    }
}

/// How a viewer ended.
pub enum Shown {
    Whole,
    /// Whoever reads it took nothing for this long.
    Stalled(Duration),
    /// So many events could not be read in the journal.
    Lost(u64),
}

impl Viewer {
    /// Starts the thread. `settled` is called when nothing waits: it returns when what was written is where it belongs.
    pub fn start(
        what: String,
        sinks: Vec<Box<dyn Sink>>,
        replay: Replay,
        moved: Moved,
        settled: impl Fn() + Send + 'static,
    ) -> std::io::Result<(Box<dyn Sink>, Self)> {
        let queue = Arc::<Queue>::default();
        let (work, shown) = (queue.clone(), moved.clone());
        let show = move || {
            show(sinks, replay, &work, &shown, settled);
            work.done.store(true, Ordering::Release);
        };
        std::thread::Builder::new().name("viewer".to_owned()).spawn(show)?;
        Ok((Box::new(Handing(queue.clone())), Self { what, queue, moved }))
    }

    /// When the run is over: waits for the thread as long as anything moves.
    pub fn finish(&self) -> Shown {
        let (mut moved, mut since) = (self.moved.count(), Instant::now());
        let mut pause = Duration::from_micros(50);
        while !self.queue.done.load(Ordering::Acquire) {
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
            let now = self.moved.count();
            if now != moved {
                (moved, since) = (now, Instant::now());
            }
            // Those who wait themselves give up a little sooner.
            if since.elapsed() > STALLED + Duration::from_secs(1) {
                return Shown::Stalled(STALLED);
            }
        }
        match self.queue.lock().lost {
            0 => Shown::Whole,
            lost => Shown::Lost(lost),
        }
    }
}

fn show(mut sinks: Vec<Box<dyn Sink>>, mut replay: Replay, queue: &Queue, moved: &Moved, settled: impl Fn()) {
    loop {
        let mut state = queue.lock();
        if let Some((event, weight)) = state.events.pop_front() {
            state.bytes -= weight;
            drop(state);
            sinks.iter_mut().for_each(|sink| sink.take(&event));
            // What is written when the run is over takes them one after another, and waits for no reader meanwhile.
            moved.add(1);
            continue;
        }
        if let Some((first, _)) = state.behind {
            drop(state);
            catch_up(&mut sinks, &mut replay, queue, moved, first);
            continue;
        }
        if !state.asked.is_empty() {
            let asked = std::mem::take(&mut state.asked);
            drop(state);
            settled();
            for asked in asked {
                // Who asked may have gone on.
                let _ = asked.send(());
            }
            continue;
        }
        if state.over {
            drop(state);
            drop(sinks);
            settled();
            return;
        }
        drop(queue.change.wait(state));
    }
}

/// Shows what the journal holds from this event on, until nothing is left that the queue could not take.
fn catch_up(sinks: &mut [Box<dyn Sink>], replay: &mut Replay, queue: &Queue, moved: &Moved, first: u64) {
    let mut next = first;
    let mut since = Instant::now();
    loop {
        match replay.next_event() {
            Some(event) if event.get().seq < next => {}
            Some(event) => {
                next = event.get().seq + 1;
                since = Instant::now();
                sinks.iter_mut().for_each(|sink| sink.take(&event));
                moved.add(1);
            }
            None => {
                let mut state = queue.lock();
                let last = state.behind.map_or(0, |(_, last)| last);
                if state.over && since.elapsed() > WRITTEN {
                    state.lost += (last + 1).saturating_sub(next);
                    state.behind = None;
                    return;
                }
                drop(state);
                // It is written soon.
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let mut state = queue.lock();
        if state.behind.is_none_or(|(_, last)| next > last) {
            state.behind = None;
            return;
        }
    }
}
