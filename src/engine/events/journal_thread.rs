//! The thread that writes the journal: events are handed to it in their order, and who needs them on disk waits for that.
//!
//! In: published events. Out: a [`Ledger`] that holds them. A disk may take its time; the thread that keeps the run's time limits
//! does not wait for it, but an action does.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use tokio::sync::{Notify, oneshot};

use super::event::{Ledger, Published};
use crate::engine::cancel::{Cause, Flag};

/// How much may wait to be written, in bytes.
const WAITING: usize = 8 << 20;

/// A run that waited goes on when only so much is left: woken for each event that is written, it would wait again behind the next.
const GO_ON: usize = WAITING / 2;

/// Hands events to the thread. Dropped, it waits until all of them are written.
pub struct JournalThread {
    queue: Arc<Queue>,
    writer: Writer,
}

/// Who writes.
enum Writer {
    Thread(Option<JoinHandle<()>>),
    /// Whoever hands an event over: a ledger in memory keeps nobody waiting.
    Caller(Mutex<Box<dyn Ledger>>, Flag),
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    /// There is something to do.
    wake: Condvar,
    /// There is less to do than there was.
    less: Notify,
}

#[derive(Default)]
struct State {
    orders: VecDeque<Order>,
    /// How much is not written yet.
    bytes: usize,
    idle: bool,
    closed: bool,
    /// Why events can't be kept any more, or only in the room that is kept for the end of the run.
    failed: Option<String>,
}

enum Order {
    /// With its weight.
    Append(Published, usize),
    /// Write what is there; `true`: so that it survives a loss of power. Then say whether that was done.
    Finish(bool, oneshot::Sender<Result<(), String>>),
}

/// Resolves when what was handed over before is written.
pub struct Written(oneshot::Receiver<Result<(), String>>);

impl Written {
    pub async fn done(self) -> Result<(), String> {
        self.0.await.unwrap_or_else(|_| Err("the thread that writes it has ended".to_owned()))
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn failed(&self, flag: &Flag, why: &str) {
        self.lock().failed.get_or_insert_with(|| why.to_owned());
        flag.raise(Cause::Unkept(why.into()));
    }

    fn put(&self, order: Order, bytes: usize) {
        let mut state = self.lock();
        state.bytes += bytes;
        state.orders.push_back(order);
        if state.idle {
            self.wake.notify_one();
        }
    }
}

impl JournalThread {
    /// `failed` is raised when an event can't be written.
    pub fn start(ledger: Box<dyn Ledger>, failed: Flag) -> std::io::Result<Self> {
        let queue = Arc::<Queue>::default();
        if ledger.in_memory() {
            return Ok(Self { queue, writer: Writer::Caller(Mutex::new(ledger), failed) });
        }
        let orders = queue.clone();
        let work = move || write(ledger, &orders, &failed);
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(work)?;
        Ok(Self { queue, writer: Writer::Thread(Some(thread)) })
    }

    pub fn append(&self, event: &Published) {
        let weight = event.weight();
        self.put(Order::Append(event.clone(), weight), weight);
    }

    fn put(&self, order: Order, bytes: usize) {
        match &self.writer {
            Writer::Thread(_) => self.queue.put(order, bytes),
            Writer::Caller(ledger, failed) => {
                let mut ledger = ledger.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                carry_out(order, ledger.as_mut(), &self.queue, failed);
            }
        }
    }

    /// Has all that was handed over so far survive a loss of power.
    pub fn commit(&self) -> Written {
        self.finish(true)
    }

    /// Has all that was handed over so far written.
    pub fn flush(&self) -> Written {
        self.finish(false)
    }

    fn finish(&self, commit: bool) -> Written {
        let (done, written) = oneshot::channel();
        self.put(Order::Finish(commit, done), 0);
        Written(written)
    }

    /// Why an event could not be written, if so: known of those that were handed over before the last one which was waited for.
    pub fn failed(&self) -> Option<String> {
        self.queue.lock().failed.clone()
    }

    pub fn has_room(&self) -> bool {
        self.queue.lock().bytes < WAITING
    }

    /// Waits while much is waiting to be written, until little is.
    pub async fn room(&self) {
        let mut enough = WAITING;
        loop {
            let less = self.queue.less.notified();
            if self.queue.lock().bytes < enough {
                return;
            }
            enough = GO_ON;
            less.await;
        }
    }
}

impl Drop for JournalThread {
    fn drop(&mut self) {
        {
            let mut state = self.queue.lock();
            state.closed = true;
            self.queue.wake.notify_one();
        }
        if let Writer::Thread(thread) = &mut self.writer
            && let Some(thread) = thread.take()
        {
            let _ = thread.join();
        }
    }
}

fn write(mut ledger: Box<dyn Ledger>, queue: &Queue, failed: &Flag) {
    loop {
        let order = {
            let mut state = queue.lock();
            loop {
                if let Some(order) = state.orders.pop_front() {
                    break order;
                }
                if state.closed {
                    return;
                }
                state.idle = true;
                state = queue.wake.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
                state.idle = false;
            }
        };
        carry_out(order, ledger.as_mut(), queue, failed);
    }
}

fn carry_out(order: Order, ledger: &mut dyn Ledger, queue: &Queue, failed: &Flag) {
    match order {
        Order::Append(event, weight) => {
            if let Err(error) = ledger.append(&event) {
                queue.failed(failed, &error.to_string());
            }
            let mut state = queue.lock();
            let before = state.bytes;
            state.bytes = before.saturating_sub(weight);
            if before >= GO_ON && state.bytes < GO_ON {
                queue.less.notify_waiters();
            }
        }
        Order::Finish(commit, done) => {
            let finished = if commit { ledger.commit().map_err(|error| error.to_string()) } else { Ok(()) };
            if let Err(why) = &finished {
                queue.failed(failed, why);
            }
            let _ = done.send(finished);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::engine::events::event::{Body, Event, LedgerError, Place};
    use crate::engine::redact::Redactor;

    /// A disk that takes its time: each order waits until it is let through.
    struct Slow {
        let_through: mpsc::Receiver<()>,
        done: mpsc::Sender<String>,
    }

    impl Ledger for Slow {
        fn append(&mut self, event: &Published) -> Result<(), LedgerError> {
            self.let_through.recv().map_err(|_| std::io::Error::other("the disk is gone"))?;
            let _ = self.done.send(event.get().seq.to_string());
            Ok(())
        }

        fn commit(&mut self) -> Result<(), LedgerError> {
            self.let_through.recv().map_err(|_| std::io::Error::other("the disk is gone"))?;
            let _ = self.done.send("on disk".to_owned());
            Ok(())
        }
    }

    fn event(seq: u64, text: &str) -> Published {
        let body = Body::Shown { text: String::new(), value: text.to_owned() };
        Redactor::new().publish(Event { seq, time: jiff::Timestamp::UNIX_EPOCH, place: Place::default(), body })
    }

    fn slow() -> (JournalThread, mpsc::Sender<()>, mpsc::Receiver<String>, Flag) {
        let (through, let_through) = mpsc::channel();
        let (done, seen) = mpsc::channel();
        let failed = Flag::default();
        let journal = JournalThread::start(Box::new(Slow { let_through, done }), failed.clone()).expect("a thread");
        (journal, through, seen, failed)
    }

    #[tokio::test]
    async fn what_waits_for_the_disk_lets_others_go_on() {
        let (journal, through, seen, _) = slow();
        journal.append(&event(1, ""));
        let mut committed = std::pin::pin!(journal.commit().done());
        // The thread that keeps time goes on, and nothing is said to be on disk.
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut committed).await.is_err());
        through.send(()).expect("a disk");
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut committed).await.is_err());
        through.send(()).expect("a disk");
        assert_eq!(committed.await, Ok(()));
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["1", "on disk"]);
    }

    #[tokio::test]
    async fn a_disk_that_fails_raises_the_flag_and_says_so_to_who_waits() {
        let (journal, through, _, failed) = slow();
        drop(through);
        journal.append(&event(1, ""));
        assert_eq!(journal.commit().done().await, Err("the disk is gone".to_owned()));
        assert!(matches!(failed.cause(), Some(Cause::Unkept(_))));
    }

    #[tokio::test]
    async fn there_is_room_again_when_enough_is_written() {
        let (journal, through, _, _) = slow();
        let large = "x".repeat(WAITING / 4);
        for seq in 1..=5 {
            journal.append(&event(seq, &large));
        }
        assert!(!journal.has_room());
        let mut room = std::pin::pin!(journal.room());
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut room).await.is_err());
        for _ in 1..=5 {
            through.send(()).expect("a disk");
        }
        tokio::time::timeout(Duration::from_secs(10), room).await.expect("there is room");
    }

    #[test]
    fn all_of_it_is_written_when_it_is_dropped() {
        let (journal, through, seen, _) = slow();
        for seq in 1..=3 {
            journal.append(&event(seq, ""));
            through.send(()).expect("a disk");
        }
        drop(journal);
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["1", "2", "3"]);
    }
}
