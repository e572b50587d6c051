//! What reads like a secret: the one list of names, and of values that are plainly none.
//!
//! It decides which variables of a container are sealed, which values of a text are not shown, and what
//! `docker.no_plaintext_secrets` finds.

/// Anywhere in a name.
const ANYWHERE: [&str; 9] =
    ["SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "TOKEN", "CREDENTIAL", "APIKEY", "CONNECTIONSTRING", "CONNSTR"];

/// A word of a name: `API_KEY`, `dbPass`.
const WORDS: [&str; 16] = [
    "KEY",
    "KEYS",
    "PASS",
    "PWD",
    "CRED",
    "CREDS",
    "DSN",
    "PSK",
    "BEARER",
    "COOKIE",
    "AUTHORIZATION",
    "PRIVATE",
    "AUTH",
    "JWT",
    "SALT",
    "PAT",
];

/// The last word of a name that says something of a secret, and is none: `TOKEN_TTL`, `PASSWORD_FILE`.
const ABOUT: [&str; 42] = [
    "FILE",
    "PATH",
    "DIR",
    "FOLDER",
    "NAME",
    "TYPE",
    "TTL",
    "EXPIRY",
    "EXPIRES",
    "EXPIRATION",
    "LIFETIME",
    "LENGTH",
    "SIZE",
    "COUNT",
    "LIMIT",
    "ENABLED",
    "DISABLED",
    "REQUIRED",
    "ALG",
    "ALGORITHM",
    "VERSION",
    "POLICY",
    "TIMEOUT",
    "ISSUER",
    "AUDIENCE",
    "PROVIDER",
    "MODE",
    "METHOD",
    "FORMAT",
    "PORT",
    "HOST",
    "USER",
    "USERNAME",
    "IP",
    "SUBNET",
    "NETWORK",
    "ADDRESS",
    "ROUNDS",
    "ITERATIONS",
    "REALM",
    "PREFIX",
    "HEADER",
];

/// As [`ABOUT`], where nothing but one of the weaker words says that it is a secret: `AUTH_URL`, `SALT_ID`.
const ABOUT_WEAK: [&str; 6] = ["URL", "URI", "ENDPOINT", "ID", "SERVICE", "SERVER"];

/// The most of a URL that is looked at for credentials, in characters.
const LONGEST_AUTHORITY: usize = 1024;

/// Keys that everybody may know: the word before `KEY`.
const OPEN_KEYS: [&str; 14] = [
    "PUBLIC",
    "PRIMARY",
    "FOREIGN",
    "CACHE",
    "SORT",
    "PARTITION",
    "ROUTING",
    "UNIQUE",
    "HOST",
    "OBJECT",
    "SHARD",
    "ROW",
    "GPG",
    "IDEMPOTENCY",
];

/// Whether something of this name is a secret: a variable, a field, a header. `JWT_SECRET` is; `JWT_SECRET_FILE` says
/// where it lies.
pub fn says_secret(name: &str) -> bool {
    let words = words(name);
    let Some(last) = words.last() else { return false };
    let before_last = words.len().checked_sub(2).and_then(|at| words.get(at)).map(String::as_str);
    if ABOUT.contains(&last.as_str()) || matches!((before_last, last.as_str()), (Some("EXPIRES"), "IN" | "AT")) {
        return false;
    }
    let joined = words.concat();
    if ANYWHERE.iter().any(|word| joined.contains(word)) {
        return true;
    }
    let open = |at: usize| at > 0 && OPEN_KEYS.contains(&words[at - 1].as_str());
    let mut found = words.iter().enumerate().filter(|(at, word)| match word.as_str() {
        "KEY" | "KEYS" => !open(*at),
        word => WORDS.contains(&word),
    });
    found.any(|(_, word)| match word.as_str() {
        "AUTH" | "JWT" | "SALT" | "PAT" | "COOKIE" | "PRIVATE" => {
            !ABOUT_WEAK.contains(&last.as_str()) && !open(words.len() - 1)
        }
        _ => true,
    })
}

/// The words of a name, in capitals: `db_pass`, `dbPass` and `DB-PASS` have the same.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut lower = false;
    for char in name.chars() {
        if !char.is_ascii_alphanumeric() || lower && char.is_ascii_uppercase() {
            words.push(String::new());
        }
        lower = char.is_ascii_lowercase();
        if let Some(word) = words.last_mut().filter(|_| char.is_ascii_alphanumeric()) {
            word.push(char.to_ascii_uppercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a value is none, whatever it is called: empty, a short number, a duration, a switch, a path, a reference to
/// what is elsewhere, or a mark that something was left out.
pub fn plainly_none(value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'', '`']).trim();
    let bytes = value.as_bytes();
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if value.is_empty() || digits == bytes.len() && digits <= 4 {
        return true;
    }
    if digits > 0 && matches!(&value[digits..], "ms" | "s" | "m" | "h" | "d") {
        return true;
    }
    const SWITCHES: [&str; 19] = [
        "true",
        "false",
        "yes",
        "no",
        "on",
        "off",
        "null",
        "none",
        "nil",
        "undefined",
        "redacted",
        "[redacted]",
        "<redacted>",
        "masked",
        "hidden",
        "absent",
        "unknown",
        "expected",
        "present",
    ];
    if SWITCHES.iter().any(|switch| value.eq_ignore_ascii_case(switch)) {
        return true;
    }
    if value.chars().all(|char| matches!(char, '*' | '•' | '.' | '…' | '-' | '·'))
        || value.len() > 2 && bytes.iter().all(|byte| matches!(byte, b'x' | b'X'))
    {
        return true;
    }
    let between = |open: &str, close: char| {
        value
            .strip_prefix(open)
            .and_then(|rest| rest.find(close))
            .is_some_and(|at| at + open.len() + close.len_utf8() == value.len())
    };
    if between("${", '}') || between("$(", ')') || between("#{", '}') || between("<", '>') || between("‹", '›') {
        return true;
    }
    if value.starts_with("{{") && value.ends_with("}}") || matches!(value, "%s" | "%v" | "{}" | "[]" | "?") {
        return true;
    }
    if let Some(variable) = value.strip_prefix('$')
        && variable.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        && !variable.starts_with(|first: char| first.is_ascii_digit())
    {
        return true;
    }
    is_path(value)
}

/// `/run/secrets/db`, `./key.pem`, `~/.ssh/id`; not base64 that happens to begin with a slash.
fn is_path(value: &str) -> bool {
    let rooted = ["/", "./", "../", "~/"].iter().any(|root| value.starts_with(root));
    rooted
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-~@:{}$*#".contains(&byte))
        && !value.split('/').any(looks_random)
}

/// Long, and of small letters, capitals and digits: nobody chose it to be read.
pub fn looks_random(value: &str) -> bool {
    let has = |of: fn(&u8) -> bool| value.as_bytes().iter().any(of);
    value.len() >= 16
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte))
        && (has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase)
            || value.bytes().all(|byte| byte.is_ascii_hexdigit()) && value.len() >= 24)
}

/// Where in a text a URL's credentials stand: the password of `scheme://user:password@host`, or a token that is its user.
/// `from`: just behind the `://`.
pub fn url_credentials(text: &str, from: usize) -> Option<std::ops::Range<usize>> {
    let rest = text.get(from..)?;
    let ends = |char: char| char.is_whitespace() || char.is_control() || "\"'`<>\\‹›{}|".contains(char);
    let marked = rest.starts_with('‹');
    if marked {
        return None;
    }
    // A URL that goes on for pages has its credentials at its beginning.
    let near = rest.char_indices().nth(LONGEST_AUTHORITY).map_or(rest, |(at, _)| &rest[..at]);
    let span = &near[..near.find(ends).unwrap_or(near.len())];
    let authority = &span[..span.find(['/', '?', '#']).unwrap_or(span.len())];
    let userinfo = match (authority.rfind('@'), authority.split_once(':')) {
        (Some(at), _) => &span[..at],
        // A password with a slash that nobody encoded: what follows the colon is no port.
        (None, Some((_, port))) if !port.is_empty() && !port.bytes().all(|byte| byte.is_ascii_digit()) => {
            &span[..span.rfind('@')?]
        }
        _ => return None,
    };
    let secret = match userinfo.split_once(':') {
        Some((user, password)) => from + user.len() + 1..from + user.len() + 1 + password.len(),
        None if looks_random(userinfo) => from..from + userinfo.len(),
        None => return None,
    };
    (!plainly_none(&text[secret.clone()])).then_some(secret)
}

/// Whether a URL with credentials stands in the text.
fn holds_credentials(text: &str) -> bool {
    text.match_indices("://").any(|(at, found)| url_credentials(text, at + found.len()).is_some())
}

/// Whether the text holds a private key as PEM writes it (RFC 7468).
fn holds_private_key(text: &str) -> bool {
    text.split("-----BEGIN ")
        .skip(1)
        .any(|rest| rest.split("-----").next().is_some_and(|label| label.contains("PRIVATE KEY")))
}

/// Whether a variable is a secret: by its name and a value that can be one, or by its value alone. `DB_PASSWORD_FILE` is one
/// where its value is no path.
pub fn is_secret(name: &str, value: &str) -> bool {
    let named = name.trim_end_matches("_FILE");
    (says_secret(name) || says_secret(named)) && !plainly_none(value)
        || holds_credentials(value)
        || holds_private_key(value)
}

/// Whether what stands everywhere may be taken for this secret: a plain word, a short number.
pub fn is_common(value: &str) -> bool {
    value.len() < 4
        || plainly_none(value)
        || value.len() < 12 && value.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_'))
        || value.len() < 6 && value.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_whether_they_are_of_a_secret() {
        for name in [
            "PASSWORD",
            "DB_PASSWORD",
            "dbPassword",
            "PASSPHRASE",
            "AUTH",
            "BEARER",
            "JWT",
            "GH_PAT",
            "CREDS",
            "SALT",
            "CONNECTION_STRING",
            "connectionString",
            "SENTRY_DSN",
            "ADMIN_PASS",
            "MYSQL_PWD",
            "API_KEY",
            "apiKey",
            "AWS_SECRET_ACCESS_KEY",
            "client-secret",
            "access_token",
            "X-Auth-Token",
            "Authorization",
            "Cookie",
            "Set-Cookie",
            "PRIVATE_KEY",
            "REDIS_AUTH",
            "VAULT_SECRET_ID",
            "spring.datasource.password",
            "REGISTRY_AUTH",
            "JWT_SIGNING_KEY",
        ] {
            assert!(says_secret(name), "{name}");
        }
        for name in [
            "PASSWORD_FILE",
            "passwordFile",
            "TOKEN_TTL",
            "token_type",
            "expires",
            "TOKEN_EXPIRES_IN",
            "AUTH_URL",
            "AUTH_SERVICE_URL",
            "JWT_ISSUER",
            "JWT_AUDIENCE",
            "JWT_PUBLIC_KEY",
            "primary_key",
            "PATH",
            "monkey",
            "author",
            "passed",
            "compass",
            "path",
            "pattern",
            "basalt",
            "secretName",
            "SECRET_VERSION",
            "KEYBOARD",
            "GPG_KEYS",
            "",
            "PRIVATE_IP",
            "authority",
        ] {
            assert!(!says_secret(name), "{name}");
        }
    }

    #[test]
    fn values_that_are_none() {
        for value in [
            "",
            "\"\"",
            "1234",
            "30s",
            "true",
            "null",
            "${DB_PASSWORD}",
            "$TOKEN",
            "$(cat x)",
            "***",
            "xxxx",
            "‹secret db›",
            "‹value not shown›",
            "/run/secrets/db",
            "./key.pem",
            "<password>",
            "{{ .Values.x }}",
            "#{key}",
            "[REDACTED]",
        ] {
            assert!(plainly_none(value), "{value}");
        }
        for value in [
            "12345",
            "hunter22",
            "x",
            "/Abc1d+efGh2iJKl3mNOPq4R",
            "$1abc",
            "${a}b${c}",
            "postgres",
            "***x",
            "‹secret a›b",
            "p@ss",
            "/9j4AAQSkZJRgABAQEASABIAAD",
        ] {
            assert!(!plainly_none(value), "{value}");
        }
    }

    #[test]
    fn a_variable_is_a_secret_by_its_name_or_by_its_value() {
        for (name, value) in [
            ("JWT_SECRET", "do-not-show-me"),
            ("REDIS_PASSWORD_FILE", "do-not-show-me"),
            ("DATABASE_URL", "postgres://app:S3cretPw99@db/x"),
            ("CERT", "-----BEGIN EC PRIVATE KEY-----\nabc"),
        ] {
            assert!(is_secret(name, value), "{name}");
        }
        for (name, value) in [
            ("REDIS_PASSWORD_FILE", "/run/secrets/redis"),
            ("GPG_KEYS", "ABCDEF0123456789ABCDEF0123456789"),
            ("TOKEN_TTL", "15m"),
            ("CASSANDRA_KEYSPACE", "shop_ks"),
            ("DATABASE_URL", "postgres://db/x"),
            ("CERT", "-----BEGIN CERTIFICATE-----\nabc"),
            ("PASSWORD", ""),
        ] {
            assert!(!is_secret(name, value), "{name}");
        }
    }

    #[test]
    fn credentials_of_a_url_are_found() {
        for (url, secret) in [
            ("postgres://app:S3cretPw99@db/x", Some("S3cretPw99")),
            ("https://u:p@ss:w@host:80/x?a=b@c", Some("p@ss:w")),
            ("amqp://u:pa/ss@host/x", Some("pa/ss")),
            ("https://ghp0A1b2C3d4E5f6G7h8@github.com/x", Some("ghp0A1b2C3d4E5f6G7h8")),
            ("redis://:hunter22@cache:6379", Some("hunter22")),
            ("http://host:80/path@x", None),
            ("http://host/a:b@c", None),
            ("https://user@host/", None),
            ("http://u:${PW}@host/", None),
            ("http://u:***@host/", None),
            ("http://u:‹secret pw›@host/", None),
        ] {
            let at = url.find("://").expect("a scheme") + 3;
            assert_eq!(url_credentials(url, at).map(|range| &url[range]), secret, "{url}");
        }
    }
}
