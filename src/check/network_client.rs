//! Well-known programs that ask over the network or a socket, in an `sh` that may not.
//!
//! In: the command of a vouched probe. Out: the first such program in it, and the typed probe that asks the same, where there
//! is one. It is a hint, so it reads words and no shell: what it misses the sandbox refuses.

use super::program::{Arg, ExprKind, ShellPart, TextPart};

/// A program, and what to write in its stead.
pub(super) struct Client {
    pub program: &'static str,
    pub probe: Option<&'static str>,
}

const CLIENTS: &[Client] = &[
    Client { program: "curl", probe: Some("http.get(…)") },
    Client { program: "wget", probe: Some("http.get(…)") },
    Client { program: "nc", probe: Some("net.port(…)") },
    Client { program: "ncat", probe: Some("net.port(…)") },
    Client { program: "netcat", probe: Some("net.port(…)") },
    Client { program: "telnet", probe: Some("net.port(…)") },
    Client { program: "pg_isready", probe: Some("net.port(…)") },
    Client { program: "dig", probe: Some("net.resolve(…)") },
    Client { program: "host", probe: Some("net.resolve(…)") },
    Client { program: "nslookup", probe: Some("net.resolve(…)") },
    Client { program: "docker", probe: Some("docker.container(…)") },
    Client { program: "docker-compose", probe: Some("compose.services(…)") },
    Client { program: "podman", probe: None },
    Client { program: "kubectl", probe: None },
    Client { program: "helm", probe: None },
    Client { program: "psql", probe: None },
    Client { program: "redis-cli", probe: None },
    Client { program: "mysql", probe: None },
    Client { program: "mysqladmin", probe: None },
    Client { program: "mongosh", probe: None },
    Client { program: "ssh", probe: None },
    Client { program: "scp", probe: None },
    Client { program: "rsync", probe: None },
    Client { program: "systemctl", probe: None },
    Client { program: "ping", probe: None },
    Client { program: "traceroute", probe: None },
];

/// Words behind which a command begins.
const OPENERS: [&str; 13] =
    ["if", "then", "elif", "else", "while", "until", "do", "!", "{", "exec", "command", "time", "nohup"];

/// The first client of a command.
pub(super) fn first(command: &Arg) -> Option<&'static Client> {
    match command {
        Arg::Shell(text) => {
            let parts = text.parts.iter().map(|part| match part {
                ShellPart::Source(source) => source,
                // A value is part of a word, and never a program's name that could be read here.
                ShellPart::Hole { .. } => "\u{fffd}",
            });
            of_source(&parts.collect::<String>())
        }
        Arg::Value(list) => match &list.kind {
            ExprKind::List(items) => match &items.first()?.kind {
                ExprKind::Text(text) => match &text.parts[..] {
                    [TextPart::Text(program)] => named(program),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        },
    }
}

fn of_source(source: &str) -> Option<&'static Client> {
    source.split([';', '|', '&', '(', ')', '`', '\n']).find_map(|command| {
        let mut words = command.split_whitespace().map(|word| word.trim_matches(['"', '\'', '\\']));
        let first = words.find(|word| !OPENERS.contains(word) && !is_assignment(word))?;
        match program_of(first) {
            // The program that these run stands behind their own options.
            "timeout" | "env" | "sudo" | "nice" | "xargs" | "stdbuf" => words.find_map(named),
            _ => named(first),
        }
    })
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
    })
}

fn program_of(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

fn named(word: &str) -> Option<&'static Client> {
    let program = program_of(word);
    CLIENTS.iter().find(|client| client.program == program)
}

#[cfg(test)]
mod tests {
    use super::of_source;

    #[test]
    fn a_client_is_found_where_a_command_begins() {
        let found = |source: &str| of_source(source).map(|client| client.program);
        for (source, program) in [
            ("curl -f http://x", "curl"),
            ("/usr/bin/curl x", "curl"),
            ("PGHOST=db psql -c 'select 1'", "psql"),
            ("true && pg_isready -q", "pg_isready"),
            ("if ! systemctl is-active cron; then echo down; fi", "systemctl"),
            ("test -z \"$(docker ps -q)\"", "docker"),
            ("timeout 5 nc -z localhost 22", "nc"),
        ] {
            assert_eq!(found(source), Some(program), "{source}");
        }
        for source in ["echo curl", "grep -c docker /etc/group", "cat ssh/config", "test -x /usr/bin/psql"] {
            assert_eq!(found(source), None, "{source}");
        }
    }
}
