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
pub mod net;
pub mod people;
mod prompt;
pub mod shell;
pub mod time;

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::check::program::Native;
use crate::engine::world::{Act, Announced, Clock, Confinement, Look, Outcome, Output, Request, Trust, Vouch};
use crate::value::{Answer, UnknownCause};

/// Every native that asks or changes the world, by its full name. A test holds it against the stdlib's declarations.
pub const NATIVES: &[&str] = &[
    "compose.build",
    "compose.down",
    "compose.drift",
    "compose.logs",
    "compose.pull",
    "compose.restart",
    "compose.services",
    "compose.up",
    "compose.version",
    "docker.container",
    "docker.containers",
    "docker.engine",
    "docker.exec",
    "docker.file",
    "docker.image",
    "docker.images",
    "docker.kill",
    "docker.logs",
    "docker.network",
    "docker.networks",
    "docker.pause",
    "docker.processes",
    "docker.remove",
    "docker.restart",
    "docker.start",
    "docker.stats",
    "docker.stop",
    "docker.unpause",
    "docker.volume",
    "docker.volumes",
    "env",
    "file",
    "file.glob",
    "http.get",
    "http.head",
    "http.post_query",
    "http.post",
    "http.put",
    "http.patch",
    "http.delete",
    "net.port",
    "net.resolve",
    "net.certificate",
    "prompt",
    "sh",
    "shell.run",
    "shell.exec",
    "time.now",
];

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
        !native.name.starts_with("docker.") || matches!(&*native.name, "docker.file" | "docker.stats")
    }

    fn look(&self, request: Request) -> BoxFuture<'static, Answer> {
        match &*request.native.name.clone() {
            "prompt" if self.asks == Asks::Nobody => left_out().boxed(),
            "prompt" => prompt::ask(request).boxed(),
            "env" => env::variable(&request).boxed(),
            "file" => file::look(request).boxed(),
            "file.glob" => file::glob(request).boxed(),
            "net.port" => net::port(request).boxed(),
            "net.resolve" => net::resolve(request).boxed(),
            "net.certificate" => certificate::look(request).boxed(),
            "time.now" => time::now(&*self.clock).boxed(),
            "http.get" | "http.head" => self.backends.http.look(request).boxed(),
            name if name.starts_with("docker.") => self.backends.docker.look(request).boxed(),
            name if name.starts_with("compose.") => self.backends.compose.look(&self.backends.docker, request).boxed(),
            other => none(other).boxed(),
        }
    }
}

impl Vouch for Eyes {
    fn ask(&self, request: Request, trust: Trust) -> BoxFuture<'static, (Answer, Confinement)> {
        match (&*request.native.name.clone(), trust) {
            ("sh", trust) => shell::probe(request, trust).boxed(),
            ("http.post_query", Trust::Sandboxed) => {
                not_trusted("its author vouches that it only queries, and no sandbox holds a server to that").boxed()
            }
            ("docker.exec", Trust::Sandboxed) => not_trusted(
                "its author vouches that it only looks, and no sandbox of this host reaches into a container",
            )
            .boxed(),
            ("docker.exec", Trust::AuthorsWord) => {
                let asked = self.backends.docker.look(request);
                async move { (asked.await, Confinement::Trusted) }.boxed()
            }
            ("http.post_query", Trust::AuthorsWord) => {
                let asked = self.backends.http.look(request);
                async move { (asked.await, Confinement::Trusted) }.boxed()
            }
            (other, _) => {
                let answer = none(other);
                async move { (answer.await, Confinement::NotAsked) }.boxed()
            }
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
        _announced: Announced,
        request: Request,
        output: Arc<dyn Output>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Outcome> {
        match &*request.native.name.clone() {
            "shell.run" | "shell.exec" => shell::act(request, output, cancel).boxed(),
            "http.post" | "http.put" | "http.patch" | "http.delete" => self.backends.http.act(request, cancel).boxed(),
            name if name.starts_with("docker.") => self.backends.docker.act(request, output, cancel).boxed(),
            name if name.starts_with("compose.") => self.backends.compose.clone().act(request, output, cancel).boxed(),
            other => {
                let failure = Some(format!("`{other}` is nothing that this program can do"));
                let answer = none(other);
                async move { Outcome { result: answer.await, failure } }.boxed()
            }
        }
    }
}

fn none(name: &str) -> impl Future<Output = Answer> + Send + 'static {
    let reason = format!("this program can't ask `{name}`");
    async move { Answer::unknown(UnknownCause::Invalid, reason) }
}

async fn left_out() -> Answer {
    Answer::unknown(UnknownCause::LeftOut, "typed by a person when it is run; a dry run asks nobody")
}

async fn not_trusted(why: &str) -> (Answer, Confinement) {
    let reason = format!("{why}; `--trust-probes` asks it");
    (Answer::unknown(UnknownCause::NotTrusted, reason), Confinement::NotAsked)
}

/// Does what may block (a file system, a scan of /proc) on a thread for such; none if the program is ending.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
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

/// What the system says of an error, without its number.
fn io_words(error: &std::io::Error) -> String {
    error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase()
}
