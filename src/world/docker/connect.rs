//! The way to the engine: its socket, over connections that are kept.
//!
//! bollard's own transport for sockets opens a connection a request; inspecting takes a third longer that way, and twenty
//! at once four times as long.

use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, BollardRequest, ClientVersion, Docker as Client};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use hyperlocal::UnixConnector;
use tokio::sync::Semaphore;

/// The longest that one answer may take in seconds; what asks sets a shorter limit of its own.
const LONGEST: u64 = 3600;

/// How many questions that are answered at once are asked at the same time. More of them would each open a connection, and
/// wait for the engine all the same; what the engine has to measure or to wait for is not among them.
const AT_ONCE: usize = 16;

/// Connections that nobody uses are closed after this.
const IDLE: Duration = Duration::from_secs(30);

/// A client of the engine at `DOCKER_HOST`, else at this host's socket, in the newest version that both sides speak.
pub(super) async fn client() -> Result<Client, Error> {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    let path = match host.strip_prefix("unix://") {
        Some(path) => path,
        None if host.is_empty() => "/var/run/docker.sock",
        None => return Client::connect_with_defaults()?.negotiate_version().await,
    };
    if !std::path::Path::new(path).exists() {
        return Err(Error::SocketNotFoundError(path.to_owned()));
    }
    let pool: legacy::Client<UnixConnector, _> =
        legacy::Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).build(UnixConnector);
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
    // The connector reads the socket's path from where a host's name stands, in hexadecimal.
    let address = format!("unix://{}", path.bytes().map(|byte| format!("{byte:02x}")).collect::<String>());
    let version = version(&address).await?;
    Client::connect_with_custom_transport(send, Some(address), LONGEST, &version)
}

/// The newest version that both sides speak. `/_ping` tells it at once; for `/version`, which bollard asks, the engine
/// starts programs.
async fn version(address: &str) -> Result<ClientVersion, Error> {
    let asker: legacy::Client<UnixConnector, String> =
        legacy::Client::builder(TokioExecutor::new()).build(UnixConnector);
    let uri = format!("{address}/_ping").parse().map_err(|_| Error::SocketNotFoundError(address.to_owned()))?;
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
