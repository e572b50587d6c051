//! `http`: requests by reqwest, with connections that are kept.
//!
//! What a server answers is untrusted: it is read to a limit, by a deadline, and never taken for what it is not.

use std::collections::HashMap;
use std::error::Error as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use indexmap::IndexMap;
use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response};

use crate::engine::world::{Outcome, Request};
use crate::value::size::{NotRead, read_json};
use crate::value::{Answer, Map, Number, Unknown, UnknownCause, Value, display};

use super::native::{Order, Registered, action, probe, vouched};
use super::tls::{self, tls_words};

pub(super) const NATIVES: &[Registered] = &[
    probe("http.get", |eyes, request| eyes.backends.http.look(Method::GET, request).boxed()).by_field(),
    probe("http.head", |eyes, request| eyes.backends.http.look(Method::HEAD, request).boxed()).by_field(),
    vouched("http.post_query", |eyes, request, trust| {
        let asking = eyes.backends.http.look(Method::POST, request);
        super::on_trust(trust, ONLY_QUERIES, asking).boxed()
    })
    .by_field(),
    action("http.post", |hands, order| hands.backends.http.act(Method::POST, order).boxed()),
    action("http.put", |hands, order| hands.backends.http.act(Method::PUT, order).boxed()),
    action("http.patch", |hands, order| hands.backends.http.act(Method::PATCH, order).boxed()),
    action("http.delete", |hands, order| hands.backends.http.act(Method::DELETE, order).boxed()),
];

/// Why a dry run does not ask a query that is sent by POST.
const ONLY_QUERIES: &str = "its author vouches that it only queries, and no sandbox holds a server to that";

/// The largest body that is read.
const LARGEST: usize = 8 << 20;

/// What sets clients apart: whose certificates they trust besides, whether they never meet a certificate.
type Kind = (Option<String>, bool);

/// The most redirects that are followed.
const REDIRECTS: usize = 50;

/// Clients by what sets them apart. Each keeps its connections.
#[derive(Clone, Default)]
pub(super) struct Http {
    clients: Arc<Mutex<HashMap<Kind, Client>>>,
}

impl Http {
    /// A request that only looks.
    fn look(&self, method: Method, request: Request) -> impl Future<Output = Answer> + Send + 'static {
        let http = self.clone();
        async move {
            match http.send(method, &request).await {
                Ok(answer) => answer,
                Err(unknown) => Answer::Unknown(unknown),
            }
        }
    }

    /// A request that changes something.
    fn act(&self, method: Method, order: Order) -> impl Future<Output = Outcome> + Send + 'static {
        let http = self.clone();
        let Order { request, cancel, .. } = order;
        async move {
            let sent = tokio::select! {
                sent = http.send(method, &request) => sent,
                () = cancel.cancelled() => {
                    let unknown = Unknown::new(UnknownCause::NoAnswer, "it was ended before it was answered");
                    return Outcome { result: Answer::Unknown(unknown.clone()), failure: Some(unknown.reason.to_string()) };
                }
            };
            match sent {
                Err(unknown) => {
                    let failure = Some(unknown.reason.to_string());
                    Outcome { result: Answer::Unknown(unknown), failure }
                }
                Ok(answer) => {
                    let failure = refused(&request, &answer);
                    Outcome { result: answer, failure }
                }
            }
        }
    }

    async fn send(&self, method: Method, request: &Request) -> Result<Answer, Unknown> {
        let limit = request.duration("timeout").unwrap_or(request.limit).min(request.limit);
        let began = Instant::now();
        let invalid = |reason: String| Unknown::new(UnknownCause::Invalid, reason);
        let text = request.text("url").unwrap_or_default();
        let url = reqwest::Url::parse(text).map_err(|error| invalid(format!("the URL can't be read: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid(format!(
                "`{}` is no scheme of HTTP: URLs start with http:// or https://",
                url.scheme()
            )));
        }
        let place = place(&url);
        match tokio::time::timeout(limit, self.followed(method, request, url, began)).await {
            Ok(answered) => answered,
            Err(_) => {
                let limit = display::duration_text(limit.try_into().unwrap_or_default());
                Err(Unknown::new(UnknownCause::NoAnswer, format!("no answer from {place} within {limit}")))
            }
        }
    }

    /// Asks, and follows redirects.
    async fn followed(
        &self,
        method: Method,
        request: &Request,
        url: reqwest::Url,
        began: Instant,
    ) -> Result<Answer, Unknown> {
        let redirects =
            request.number("redirects").and_then(Number::as_i64).and_then(|count| usize::try_from(count).ok());
        let mut left = redirects.unwrap_or(0).min(REDIRECTS);
        let follows = left > 0;
        let mut hop = Hop::first(method, request, url);
        loop {
            let place = place(&hop.url);
            let client = self.client(request, &hop.url).await?;
            let response = hop.build(&client, request)?.send().await.map_err(|error| told(&error, &place))?;
            hop = match hop.next(request, &response) {
                Ok(Some(_)) if follows && left == 0 => {
                    let why = format!("{place} redirects more often than is followed");
                    return Err(Unknown::new(UnknownCause::NoAnswer, why));
                }
                Ok(Some(next)) if follows => next,
                Err(unknown) if follows => return Err(unknown),
                _ => return answered(response, request, began).await.map_err(|error| told(&error, &place)),
            };
            left -= 1;
        }
    }

    async fn client(&self, request: &Request, url: &reqwest::Url) -> Result<Client, Unknown> {
        let plain = url.scheme() == "http" && !proxied();
        let key = (request.text("ca").map(str::to_owned), plain);
        if let Some(client) = self.clients.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&key) {
            return Ok(client.clone());
        }
        // ring's ciphers; a second call finds them installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            // They are followed here: reqwest would hand the author's headers and a Referer to whoever is named.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("runbook/", env!("CARGO_PKG_VERSION")))
            .pool_max_idle_per_host(64)
            .tls_info(true);
        if let Some(ca) = &key.0 {
            let authority = tls::authority(Path::new(ca)).await?;
            builder = builder.tls_certs_merge(
                authority.iter().filter_map(|certificate| reqwest::Certificate::from_der(certificate).ok()),
            );
        }
        if plain {
            // The system's certificates take milliseconds to read, and nothing here would ask for one.
            builder = builder.tls_certs_only([]);
        }
        // It reads the certificates of the system.
        let built = if plain { Some(builder.build()) } else { super::blocking(move || builder.build()).await };
        let ending = || Unknown::new(UnknownCause::NoAnswer, "the program is ending");
        let client = built
            .ok_or_else(ending)?
            .map_err(|error| Unknown::new(UnknownCause::Invalid, format!("no HTTP client could be made: {error}")))?;
        self.clients.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(key, client.clone());
        Ok(client)
    }
}

/// A proxy may be asked by HTTPS, whatever is asked of it.
fn proxied() -> bool {
    ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].iter().any(|name| std::env::var_os(name).is_some())
}

/// Who is asked, without what a URL may hold beside that: no user, no password, no query.
fn place(url: &reqwest::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// One request on the way to the answer.
struct Hop {
    url: reqwest::Url,
    method: Method,
    /// It goes to the origin that the author named: with their headers, their credentials, their body.
    own: bool,
    body: bool,
}

impl Hop {
    fn first(method: Method, request: &Request, mut url: reqwest::Url) -> Self {
        let query = texts(request, "query");
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Self { url, method, own: true, body: true }
    }

    /// Where a response sends the request on to, if it does (RFC 9110, section 15.4). Within the origin everything goes
    /// along. Another origin was not named by the author, but by the server: it is asked with GET and HEAD alone, without
    /// headers, credentials or body of theirs, and not at all if the new URL holds a secret.
    fn next(&self, request: &Request, response: &Response) -> Result<Option<Self>, Unknown> {
        let status = response.status().as_u16();
        let location = response.headers().get(reqwest::header::LOCATION);
        let (301 | 302 | 303 | 307 | 308, Some(location)) = (status, location) else { return Ok(None) };
        let place = place(&self.url);
        let refused = |why: String| Unknown::new(UnknownCause::Invalid, format!("{place} redirects {why}"));
        let location = String::from_utf8_lossy(location.as_bytes());
        let Ok(mut url) = self.url.join(&location) else { return Ok(None) };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused(format!("to a URL of the scheme `{}`, which is not followed", url.scheme())));
        }
        let own = self.own && url.origin() == self.url.origin();
        let to_get =
            status == 303 && self.method != Method::HEAD || matches!(status, 301 | 302) && self.method == Method::POST;
        let method = if to_get { Method::GET } else { self.method.clone() };
        // A URL's credentials are the author's; those that a server puts there are nobody's.
        let (user, password) = match own {
            true => (self.url.username().to_owned(), self.url.password().map(str::to_owned)),
            false => (String::new(), None),
        };
        let _ = url.set_username(&user);
        let _ = url.set_password(password.as_deref());
        let next = self::place(&url);
        if !own && !matches!(method, Method::GET | Method::HEAD) {
            return Err(refused(format!("to another origin ({next}), and a {method} is not sent on to one")));
        }
        if !own && request.secrets.holds(url.as_str()) {
            return Err(refused(format!("to another origin ({next}) with a secret in the URL, which is not followed")));
        }
        Ok(Some(Self { url, method, own, body: self.body && !to_get }))
    }

    fn build(&self, client: &Client, request: &Request) -> Result<reqwest::RequestBuilder, Unknown> {
        let building = client.request(self.method.clone(), self.url.clone());
        match self.own {
            true => dressed(building, request, self.body),
            false => Ok(building),
        }
    }
}

/// A map of texts that a request is given.
fn texts(request: &Request, name: &str) -> Vec<(String, String)> {
    request.map(name).map_or_else(Vec::new, |map| {
        map.entries
            .iter()
            .filter_map(|(key, value)| Some((key.to_string(), value.unsealed().to_text()?.to_string())))
            .collect()
    })
}

/// With what the author sends: headers, credentials, a body.
fn dressed(
    mut building: reqwest::RequestBuilder,
    request: &Request,
    body: bool,
) -> Result<reqwest::RequestBuilder, Unknown> {
    let invalid = |reason: String| Unknown::new(UnknownCause::Invalid, reason);
    let mut headers = HeaderMap::new();
    for (name, value) in texts(request, "headers") {
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid(format!("`{name}` is no name of a header")))?;
        let mut value = HeaderValue::from_str(&value)
            .map_err(|_| invalid(format!("the value of the header `{name}` holds characters that a header can't")))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    building = building.headers(headers);
    if let Some(user) = request.text("user") {
        building = building.basic_auth(user, request.text("password"));
    }
    if let Some(token) = request.text("bearer") {
        if HeaderValue::from_str(token).is_err() {
            return Err(invalid("the bearer token holds characters that a header can't".to_owned()));
        }
        building = building.bearer_auth(token);
    }
    let bodies = ["json", "form", "body"].into_iter().filter(|name| request.value(name).is_some()).count();
    if bodies > 1 {
        return Err(invalid("only one of `json`, `form` and `body` can be the body".to_owned()));
    }
    if !body {
        return Ok(building);
    }
    if let Some(json) = request.value("json") {
        let body = serde_json::to_vec(&json.to_json(true)).map_err(|error| invalid(error.to_string()))?;
        building = building.header("content-type", "application/json").body(body);
    } else if request.value("form").is_some() {
        building = building.form(&texts(request, "form"));
    } else if let Some(body) = request.text("body") {
        building = building.body(body.to_owned());
    }
    Ok(building)
}

async fn answered(mut response: Response, request: &Request, began: Instant) -> reqwest::Result<Answer> {
    let mut body = Vec::new();
    let mut whole = true;
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LARGEST {
            whole = false;
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(record(request, &response, body, whole, began.elapsed()))
}

fn record(request: &Request, response: &Response, body: Vec<u8>, whole: bool, elapsed: Duration) -> Answer {
    let known = Answer::Known;
    let mut headers: IndexMap<Arc<str>, Value> = IndexMap::new();
    for (name, value) in response.headers() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers
            .entry(name.as_str().into())
            .and_modify(|before| *before = Value::text(format!("{}, {value}", before.to_text().unwrap_or_default())))
            .or_insert_with(|| Value::text(value.as_str()));
    }
    let mut url = response.url().clone();
    // Who asked is nobody's business.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    let size = i64::try_from(body.len()).unwrap_or(i64::MAX);
    let mut fields = vec![
        ("status", known(Value::Number(Number::Int(i64::from(response.status().as_u16()))))),
        ("headers", known(Value::Map(Arc::new(Map { entries: headers, ignore_case: true, hidden: false })))),
        ("time", known(Value::Duration(super::measured(elapsed)))),
        ("url", known(Value::text(url.as_str()))),
        ("size", if whole { known(Value::Size(size)) } else { too_large() }),
        ("certificate_expires", expires(response)),
    ];
    if request.wants("text") || request.wants("json") {
        let text = if whole { String::from_utf8(body) } else { Ok(String::new()) };
        for field in ["text", "json"].into_iter().filter(|field| request.wants(field)) {
            let answer = match (&text, field) {
                _ if !whole => too_large(),
                (Err(error), "text") => {
                    let at = error.utf8_error().valid_up_to();
                    Answer::unknown(UnknownCause::Unreadable, format!("the body is not UTF-8 (at byte {at})"))
                }
                (Err(_), _) => Answer::absent("the body is not JSON: it is not UTF-8"),
                (Ok(text), "text") => known(Value::text(text.as_str())),
                (Ok(text), _) => match read_json(text) {
                    Ok(json) => known(json),
                    Err(NotRead::TooLarge) => crate::value::size::too_large(),
                    Err(NotRead::NotJson(error)) => Answer::absent(format!("the body is not JSON: {error}")),
                },
            };
            fields.push((field, answer));
        }
    }
    known(Value::record("http.response", fields))
}

fn too_large() -> Answer {
    Answer::unknown(UnknownCause::Unreadable, "the body has more than the 8 MiB that are read")
}

fn expires(response: &Response) -> Answer {
    let Some(der) = response.extensions().get::<reqwest::tls::TlsInfo>().and_then(|info| info.peer_certificate())
    else {
        return Answer::absent("there was no TLS");
    };
    let unreadable = || Answer::unknown(UnknownCause::Unreadable, "the server's certificate can't be read");
    match x509_parser::parse_x509_certificate(der) {
        Ok((_, certificate)) => Timestamp::from_second(certificate.validity().not_after.timestamp())
            .map_or_else(|_| unreadable(), |time| Answer::Known(Value::Time(time))),
        Err(_) => unreadable(),
    }
}

/// Why an answer is a failure of the action: 400 and more, unless the call accepts that.
fn refused(request: &Request, answer: &Answer) -> Option<String> {
    let Some(Value::Record(record)) = answer.known() else { return None };
    let Some(Answer::Known(Value::Number(status))) = record.get("status") else { return None };
    let status = status.as_i64()?;
    let accepted = request.list("accept").is_some_and(|accepted| {
        accepted
            .iter()
            .any(|value| matches!(value.unsealed(), Value::Number(number) if number.as_i64() == Some(status)))
    });
    (status >= 400 && !accepted).then(|| format!("was answered with status {status}"))
}

/// What lies behind an error. The source of an error of input and output is what lies behind the error that it wraps:
/// that one would be passed over.
pub(super) fn behind<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> Option<&'e (dyn std::error::Error + 'static)> {
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    wrapped.map(|wrapped| wrapped as _).or_else(|| error.source())
}

/// What kept a request from being answered, in plain words; the causes told apart.
fn told(error: &reqwest::Error, place: &str) -> Unknown {
    let mut chain = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            let why = match io.kind() {
                std::io::ErrorKind::ConnectionRefused => Some(format!("the connection to {place} was refused")),
                std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe => {
                    Some(format!("{place} reset the connection"))
                }
                std::io::ErrorKind::UnexpectedEof => {
                    Some(format!("{place} closed the connection before it had answered"))
                }
                _ => None,
            };
            if let Some(why) = why {
                return Unknown::new(UnknownCause::NoAnswer, why);
            }
        }
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return Unknown::new(UnknownCause::NoAnswer, format!("TLS with {place}: {}", tls_words(tls)));
        }
        chain.push(cause.to_string());
        source = behind(cause);
    }
    let all = chain.join(": ");
    let why = if all.contains("dns error") || all.contains("lookup address") {
        format!("the name of {place} does not resolve")
    } else if all.contains("invalid HTTP") || all.contains("parse") {
        format!("{place} answered something that is not HTTP")
    } else if all.contains("closed before") || all.contains("incomplete") || all.contains("end of file") {
        format!("{place} closed the connection before it had answered")
    } else if all.contains("UnknownIssuer") || all.contains("certificate") {
        format!("TLS with {place}: {}", chain.last().cloned().unwrap_or_default())
    } else if error.is_timeout() {
        format!("no answer from {place} in time")
    } else {
        format!("{place} could not be asked: {}", chain.last().cloned().unwrap_or_else(|| "unknown reason".to_owned()))
    };
    Unknown::new(UnknownCause::NoAnswer, why)
}
