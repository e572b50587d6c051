//! The way to the engine: its socket, over connections that are kept, and how much of what it answers is read.
//!
//! bollard's own transport for sockets opens a connection a request; inspecting takes a third longer that way, and twenty
//! at once four times as long. Nor does it bound an answer: it is counted here, as it comes from the socket, so that an engine
//! (or what answers in its place) can't fill this program's memory.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, BollardRequest, ClientVersion, Docker as Client};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;

/// The longest that one answer may take in seconds; what asks sets a shorter limit of its own.
const LONGEST: u64 = 3600;

/// How many questions that are answered at once are asked at the same time. More of them would each open a connection, and
/// wait for the engine all the same; what the engine has to measure or to wait for is not among them.
const AT_ONCE: usize = 16;

/// Connections that nobody uses are closed after this.
const IDLE: Duration = Duration::from_secs(30);

/// The largest answer that is read, in bytes; of a stream, the largest piece.
const LARGEST: usize = 16 << 20;

/// The most objects that an answer may hold. Three bytes of JSON, `{},`, become a record of half a kilobyte.
const OBJECTS: usize = 50_000;

/// An engine, the way to it, and the version that both sides speak.
pub(super) struct Engine {
    pub client: Client,
    to: Arc<To>,
    version: ClientVersion,
}

/// Where an engine listens.
enum To {
    Unix(PathBuf),
    Tcp(String),
}

impl Engine {
    /// The engine at `DOCKER_HOST`, else at this host's socket, in the newest version that both sides speak.
    pub async fn find() -> Result<Self, Error> {
        let host = std::env::var("DOCKER_HOST").unwrap_or_default();
        let to = match host.split_once("://") {
            None if host.is_empty() => To::Unix("/var/run/docker.sock".into()),
            Some(("unix", path)) => To::Unix(path.into()),
            Some(("tcp" | "http", address)) => To::Tcp(address.trim_end_matches('/').to_owned()),
            _ => return Err(Error::UnsupportedURISchemeError { uri: host }),
        };
        if let To::Unix(path) = &to
            && !path.exists()
        {
            return Err(Error::SocketNotFoundError(path.display().to_string()));
        }
        let to = Arc::new(to);
        let version = version(&to).await?;
        let client = client(&to, None, &version)?;
        Ok(Self { client, to, version })
    }

    /// Over a connection of its own, for an answer that is a stream: its budget is filled up again with each piece that came.
    pub fn streaming(&self) -> Result<(Client, Budget), Error> {
        let budget = Budget::default();
        let client = client(&self.to, Some(&budget), &self.version)?;
        Ok((client, budget))
    }
}

fn client(to: &Arc<To>, budget: Option<&Budget>, version: &ClientVersion) -> Result<Client, Error> {
    let connector = Connector { to: to.clone(), budget: budget.cloned() };
    let pool: legacy::Client<Connector, _> =
        legacy::Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).build(connector);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let send = move |request: BollardRequest| {
        let quick = request.method() == "GET" && request.uri().path().ends_with("/json");
        let place = quick.then(|| places.clone());
        let sent = pool.request(request);
        async move {
            let _place = match &place {
                Some(places) => places.acquire().await.ok(),
                None => None,
            };
            sent.await.map_err(Error::from)
        }
    };
    Client::connect_with_custom_transport(send, Some(to.address()), LONGEST, version)
}

/// The newest version that both sides speak. `/_ping` tells it at once; for `/version`, which bollard asks, the engine
/// starts programs.
async fn version(to: &Arc<To>) -> Result<ClientVersion, Error> {
    let asker: legacy::Client<Connector, String> =
        legacy::Client::builder(TokioExecutor::new()).build(Connector { to: to.clone(), budget: None });
    let address = to.address();
    let uri = format!("{address}/_ping").parse().map_err(|_| Error::SocketNotFoundError(address))?;
    let pong = asker.get(uri).await?;
    let told = pong.headers().get("api-version").and_then(|version| version.to_str().ok());
    let told = told.and_then(|version| {
        let (major, minor) = version.split_once('.')?;
        Some(ClientVersion { major_version: major.parse().ok()?, minor_version: minor.parse().ok()? })
    });
    let ours = ClientVersion {
        major_version: API_DEFAULT_VERSION.major_version,
        minor_version: API_DEFAULT_VERSION.minor_version,
    };
    let older =
        |told: &ClientVersion| (told.major_version, told.minor_version) < (ours.major_version, ours.minor_version);
    Ok(match told {
        Some(told) if older(&told) => told,
        _ => ours,
    })
}

impl To {
    /// What stands in a request in a host's place; connections go where the connector says.
    fn address(&self) -> String {
        match self {
            To::Unix(_) => "http://localhost".to_owned(),
            To::Tcp(address) => format!("http://{address}"),
        }
    }
}

/// What of an answer has been read. Filled up again with each request, and with each piece of a stream that came whole.
#[derive(Clone)]
pub(super) struct Budget(Arc<Read>);

struct Read {
    bytes: AtomicUsize,
    /// None where the answer is no JSON of the engine's own.
    objects: Option<AtomicUsize>,
}

impl Default for Budget {
    /// Of a stream.
    fn default() -> Self {
        Self(Arc::new(Read { bytes: AtomicUsize::new(0), objects: None }))
    }
}

impl Budget {
    fn of_answer() -> Self {
        Self(Arc::new(Read { bytes: AtomicUsize::new(0), objects: Some(AtomicUsize::new(0)) }))
    }

    pub fn fill_up(&self) {
        self.0.bytes.store(0, Ordering::Relaxed);
        self.0.objects.iter().for_each(|objects| objects.store(0, Ordering::Relaxed));
    }

    fn spend(&self, bytes: &[u8]) -> io::Result<()> {
        let mut over = self.0.bytes.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len() > LARGEST;
        if let Some(objects) = &self.0.objects {
            let count = bytes.iter().filter(|byte| **byte == b'{').count();
            over |= objects.fetch_add(count, Ordering::Relaxed) + count > OBJECTS;
        }
        if over { Err(io::Error::other(TooLarge)) } else { Ok(()) }
    }
}

/// An answer is larger than what is read.
#[derive(Debug)]
pub(super) struct TooLarge;

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the answer has more than the {} MiB, or the {OBJECTS} objects, that are read", LARGEST >> 20)
    }
}

impl std::error::Error for TooLarge {}

/// Opens connections to one engine.
#[derive(Clone)]
struct Connector {
    to: Arc<To>,
    budget: Option<Budget>,
}

impl<R> tower_service::Service<R> for Connector {
    type Response = TokioIo<Bounded>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: R) -> Self::Future {
        let (to, budget) = (self.to.clone(), self.budget.clone());
        Box::pin(async move {
            let socket: Box<dyn Socket> = match &*to {
                To::Unix(path) => Box::new(UnixStream::connect(path).await?),
                To::Tcp(address) => Box::new(TcpStream::connect(address).await?),
            };
            Ok(TokioIo::new(Bounded { socket, budget: budget.unwrap_or_else(Budget::of_answer) }))
        })
    }
}

trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// A connection on which what is answered is counted.
struct Bounded {
    socket: Box<dyn Socket>,
    budget: Budget,
}

impl Connection for Bounded {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Bounded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.socket).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => Poll::Ready(self.budget.spend(&buf.filled()[before..])),
            other => other,
        }
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // Something is asked: what was answered before is read.
        self.budget.fill_up();
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
