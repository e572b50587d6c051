//! `time`: the calendar.

use crate::engine::world::Clock;
use crate::value::{Answer, Value};

pub(super) fn now(clock: &dyn Clock) -> impl Future<Output = Answer> + Send + 'static {
    std::future::ready(Answer::Known(Value::Time(clock.now())))
}
