//! The real world behind the engine's traits: one file or folder a backend. Nothing else asks or changes anything.
//!
//! In: requests. Out: answers and outcomes. [`Eyes`] can look and ask vouched probes; [`Hands`] can act. A dry run is
//! given the first alone.

mod certificate;
mod compose;
mod docker;
pub mod env;
pub mod file;
pub mod http;
mod native;
pub mod net;
pub mod people;
mod prompt;
mod registry;
pub mod shell;
pub mod time;
mod tls;

pub use registry::natives;

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::check::program::{Effect, Native};
use crate::engine::world::{Act, Announced, Clock, Confinement, Look, Outcome, Output, Request, Trust, Vouch};
use crate::value::display::io_words;
use crate::value::{Answer, Unknown, UnknownCause};

use native::{Function, Order};

/// The backends that keep connections: one of each for a run, whether it looks or acts.
#[derive(Clone, Default)]
pub struct Backends {
    http: http::Http,
    docker: docker::Docker,
    compose: compose::Compose,
}

/// Looks at the real world.
pub struct Eyes {
    backends: Backends,
    clock: Arc<dyn Clock>,
    asks: Asks,
}

/// Who may be asked for what only a person knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// Who sits at the terminal.
    Terminal,
    /// In a dry run.
    Nobody,
}

impl Eyes {
    pub fn new(backends: Backends, clock: Arc<dyn Clock>, asks: Asks) -> Arc<Self> {
        Arc::new(Self { backends, clock, asks })
    }
}

impl Look for Eyes {
    fn heeds_wants(&self, native: &Native) -> bool {
        registry::is_by_field(&native.name, native.effect)
    }

    fn look(&self, request: Request) -> BoxFuture<'static, Answer> {
        match registry::function(&request.native.name, Effect::Probe) {
            Some(Function::Probe(probe)) => probe(self, request),
            _ => std::future::ready(none(&request.native.name)).boxed(),
        }
    }
}

impl Vouch for Eyes {
    fn ask(&self, request: Request, trust: Trust) -> BoxFuture<'static, (Answer, Confinement)> {
        match registry::function(&request.native.name, Effect::Vouched) {
            Some(Function::Vouched(vouched)) => vouched(self, request, trust),
            _ => std::future::ready((none(&request.native.name), Confinement::NotAsked)).boxed(),
        }
    }
}

/// Changes the real world.
pub struct Hands {
    backends: Backends,
}

impl Hands {
    pub fn new(backends: Backends) -> Arc<Self> {
        Arc::new(Self { backends })
    }
}

impl Act for Hands {
    fn act(
        &self,
        announced: Announced,
        request: Request,
        output: Arc<dyn Output>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Outcome> {
        match registry::function(&request.native.name, Effect::Action) {
            Some(Function::Action(action)) => action(self, Order::new(announced, request, output, cancel)),
            _ => {
                let failure = Some(format!("`{}` is nothing that this program can do", request.native.name));
                std::future::ready(Outcome { result: none(&request.native.name), failure }).boxed()
            }
        }
    }
}

fn none(name: &str) -> Answer {
    Answer::unknown(UnknownCause::Invalid, format!("this program can't ask `{name}`"))
}

/// What no sandbox holds to only looking: asked where its author is trusted.
async fn on_trust(
    trust: Trust,
    why_not: &'static str,
    asking: impl Future<Output = Answer> + Send,
) -> (Answer, Confinement) {
    match trust {
        Trust::AuthorsWord => (asking.await, Confinement::Trusted),
        Trust::Sandboxed => {
            let reason = format!("{why_not}; `--trust-probes` asks it");
            (Answer::unknown(UnknownCause::NotTrusted, reason), Confinement::NotAsked)
        }
    }
}

/// Does what may block (a file system, a scan of /proc) on a thread for such; none if the program is ending.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// Asks within the time that the request has.
fn in_time<F>(request: Request, asking: impl FnOnce(Request) -> F) -> BoxFuture<'static, Answer>
where
    F: Future<Output = Result<Answer, Unknown>> + Send + 'static,
{
    let limit = request.duration("timeout").unwrap_or(request.limit).min(request.limit);
    let asking = asking(request);
    within(limit, async move { asking.await.unwrap_or_else(Answer::Unknown) }).boxed()
}

/// Ends what takes longer than it may.
async fn within(limit: std::time::Duration, asking: impl Future<Output = Answer>) -> Answer {
    match tokio::time::timeout(limit, asking).await {
        Ok(answer) => answer,
        Err(_) => {
            let limit = crate::value::display::duration_text(limit.try_into().unwrap_or_default());
            Answer::unknown(UnknownCause::NoAnswer, format!("no answer within {limit}"))
        }
    }
}

/// A time that was measured, to the millisecond, or to the hundredth of one below ten: what is shown is what is compared.
fn measured(elapsed: std::time::Duration) -> jiff::SignedDuration {
    let unit = if elapsed < std::time::Duration::from_millis(10) { 10_000 } else { 1_000_000 };
    let nanos = elapsed.as_nanos().div_ceil(unit) * unit;
    jiff::SignedDuration::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}
