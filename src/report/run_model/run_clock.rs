//! The time of a run: without that between its being cut off and resumed.

use jiff::Timestamp;

#[derive(Default)]
pub(in crate::report) struct RunClock {
    began: Option<Timestamp>,
    away: f64,
}

impl RunClock {
    /// Seconds of the run.
    pub fn at(&mut self, now: Timestamp) -> f64 {
        let began = *self.began.get_or_insert(now);
        (now.duration_since(began).as_secs_f64() - self.away).max(0.0)
    }

    pub fn away(&mut self, from: Timestamp, to: Timestamp) {
        self.away += to.duration_since(from).as_secs_f64().max(0.0);
    }
}
