//! `net`: ports and names.

use std::time::Instant;

use futures_util::FutureExt;

use crate::engine::world::Request;
use crate::value::{Answer, Unknown, UnknownCause, Value};

use super::native::{Registered, probe};

pub(super) const NATIVES: &[Registered] = &[
    probe("net.port", |_, request| port(request).boxed()),
    probe("net.resolve", |_, request| resolve(request).boxed()),
];

/// `net.port(host, port)`
async fn port(request: Request) -> Answer {
    let host = request.text("host").unwrap_or_default().to_owned();
    let limit = request.duration("timeout").unwrap_or(request.limit);
    let port = match port_number(&request) {
        Ok(port) => port,
        Err(unknown) => return Answer::Unknown(unknown),
    };
    let began = Instant::now();
    let addresses = match tokio::time::timeout(limit, tokio::net::lookup_host((host.as_str(), port))).await {
        Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
        Ok(Err(_)) => return Answer::unknown(UnknownCause::NoAnswer, format!("the name `{host}` does not resolve")),
        Err(_) => {
            return Answer::unknown(UnknownCause::NoAnswer, format!("nothing resolved the name `{host}` in time"));
        }
    };
    let mut reason = Answer::absent("it is open");
    let mut open = false;
    match tokio::time::timeout(limit, tokio::net::TcpStream::connect(addresses.as_slice())).await {
        Ok(Ok(_)) => open = true,
        Ok(Err(error)) => {
            let why = match error.kind() {
                std::io::ErrorKind::ConnectionRefused => "refused".to_owned(),
                _ => super::io_words(&error),
            };
            reason = Answer::Known(Value::text(why));
        }
        Err(_) => reason = Answer::Known(Value::text("no answer")),
    }
    let time = super::measured(began.elapsed());
    let fields = [
        ("open", Answer::Known(Value::Bool(open))),
        ("reason", reason),
        ("time", Answer::Known(Value::Duration(time))),
    ];
    Answer::Known(Value::record("net.tcp", fields))
}

pub(super) fn port_number(request: &Request) -> Result<u16, Unknown> {
    let number = request.number("port").and_then(|port| port.as_i64());
    number
        .and_then(|port| u16::try_from(port).ok())
        .filter(|port| *port > 0)
        .ok_or_else(|| Unknown::new(UnknownCause::Invalid, "a port is a whole number from 1 to 65535"))
}

/// `net.resolve(name)`
async fn resolve(request: Request) -> Answer {
    let name = request.text("name").unwrap_or_default().to_owned();
    let limit = request.duration("timeout").unwrap_or(request.limit);
    match tokio::time::timeout(limit, tokio::net::lookup_host((name.as_str(), 0))).await {
        Ok(Ok(addresses)) => {
            let mut texts: Vec<String> = addresses.map(|address| address.ip().to_string()).collect();
            texts.sort();
            texts.dedup();
            if texts.is_empty() {
                return Answer::absent(format!("the name `{name}` has no address"));
            }
            Answer::Known(Value::list(texts.into_iter().map(Value::text)))
        }
        Ok(Err(error)) => {
            let text = error.to_string();
            // What getaddrinfo(3) says of a name that there is not, beside a resolver that fails.
            if text.contains("not known") || text.contains("No address") {
                Answer::absent(format!("the name `{name}` has no address"))
            } else {
                Answer::unknown(UnknownCause::NoAnswer, format!("the name `{name}` could not be looked up"))
            }
        }
        Err(_) => Answer::unknown(UnknownCause::NoAnswer, format!("nothing resolved the name `{name}` in time")),
    }
}
