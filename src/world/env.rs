//! `env`: the environment that runbook was started in.

use futures_util::FutureExt;

use crate::engine::world::Request;
use crate::value::{Answer, UnknownCause, Value};

use super::native::{Registered, probe};

pub(super) const NATIVES: &[Registered] = &[probe("env", |_, request| variable(request).boxed())];

async fn variable(request: Request) -> Answer {
    let name = request.text("name").unwrap_or_default().to_owned();
    if name.is_empty() || name.contains(['=', '\0']) {
        return Answer::unknown(UnknownCause::Invalid, "that is no name of a variable");
    }
    match std::env::var(&name) {
        Ok(value) => Answer::Known(Value::text(value)),
        Err(std::env::VarError::NotPresent) => Answer::absent(format!("the variable `{name}` is not set")),
        Err(std::env::VarError::NotUnicode(_)) => {
            Answer::unknown(UnknownCause::Unreadable, format!("the variable `{name}` is not UTF-8"))
        }
    }
}
