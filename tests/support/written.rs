//! How programs write a text: what a secret must be found in. For the unit tests of the redactor, and for the canaries.

use base64::Engine as _;

/// Awkward, each in its way.
pub const SECRETS: [&str; 9] = [
    "hunter22-very-secret",
    "12345678",
    "pa&ss<w>or/d+1\"x'",
    "p\"a\\s%41w&amp;ö$'x#{y}",
    "abc/def+ghi=",
    "a!b&c*(d)e f",
    "äöü-🦀-päss",
    "line one\nline two\tend",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\nVJTUt9Us8cKjMzEfYyjiWA4R4/M2bS1\n-----END PRIVATE KEY-----\n",
];

/// How others write a text.
pub fn written(secret: &str) -> Vec<(&'static str, String)> {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let json = serde_json::to_string(secret).expect("JSON");
    let inner = json[1..json.len() - 1].to_owned();
    let each = |of: &dyn Fn(char) -> String| secret.chars().map(of).collect::<String>();
    let units = |char: char| {
        let mut buffer = [0; 2];
        char.encode_utf16(&mut buffer).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>()
    };
    let percent = |keep: &str, space: &str| {
        secret
            .chars()
            .map(|char| match char {
                ' ' => space.to_owned(),
                char if char.is_ascii_alphanumeric() || keep.contains(char) => char.to_string(),
                char => char.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect(),
            })
            .collect::<String>()
    };
    let wrapped = |text: &str, width: usize, with: &str| {
        text.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line)).collect::<Vec<_>>().join(with)
    };
    let base64 = STANDARD.encode(secret);
    let inside = STANDARD.encode(format!("user:{secret}\nand more of it"));
    let mut all = vec![
        ("itself", secret.to_owned()),
        ("JSON", inner.clone()),
        ("JSON of JSON", serde_json::to_string(&json).expect("JSON")),
        ("Go", inner.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")),
        ("PHP", inner.replace('/', "\\/")),
        ("Python", inner.chars().map(|char| if char.is_ascii() { char.to_string() } else { units(char) }).collect()),
        ("all escaped", each(&units)),
        ("quote", percent("/_.-~", "%20")),
        ("encodeURIComponent", percent("-_.!~*'()", "%20")),
        ("a form", percent("*-._", "+")),
        (
            "a form, small",
            percent("*-._", "+")
                .split('%')
                .enumerate()
                .map(|(at, part)| match part.split_at_checked(2) {
                    Some((hex, rest)) if at > 0 => format!("%{}{rest}", hex.to_lowercase()),
                    _ => part.to_owned(),
                })
                .collect(),
        ),
        ("percent of JSON", {
            let secret = &inner;
            secret.bytes().map(|byte| format!("%{byte:02X}")).collect()
        }),
        (
            "printf %q",
            each(&|char| {
                if char.is_alphanumeric() {
                    char.to_string()
                } else if char == '\n' {
                    "$'\\n'".to_owned()
                } else {
                    format!("\\{char}")
                }
            }),
        ),
        (
            "$'…'",
            secret
                .bytes()
                .map(|byte| match byte {
                    b'\n' => "\\n".to_owned(),
                    b'\t' => "\\t".to_owned(),
                    b'\'' => "\\'".to_owned(),
                    b'\\' => "\\\\".to_owned(),
                    byte if byte.is_ascii() => char::from(byte).to_string(),
                    byte => format!("\\{byte:03o}"),
                })
                .collect(),
        ),
        ("Python bytes", secret.bytes().map(|byte| format!("\\x{byte:02x}")).collect()),
        ("single quotes", secret.replace('\'', "'\\''")),
        ("shlex.quote", secret.replace('\'', "'\"'\"'")),
        ("double quotes", secret.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$").replace('`', "\\`")),
        ("runbook", quoted(secret)),
        (
            "HTML",
            secret
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;")
                .replace('\'', "&#39;"),
        ),
        ("HTML by numbers", each(&|char| format!("&#{};", char as u32))),
        ("base64", base64.clone()),
        ("base64 for URLs", URL_SAFE_NO_PAD.encode(secret)),
        ("inside base64", inside.clone()),
        ("hexadecimal", secret.bytes().map(|byte| format!("{byte:02x}")).collect()),
        ("HEXADECIMAL", secret.bytes().map(|byte| format!("{byte:02X} ")).collect()),
    ];
    for (name, width, with) in
        [("base64 -w 64", 64, "\n"), ("base64 in pieces", 7, "\r\n  "), ("base64 in JSON", 16, "\\n")]
    {
        all.push((name, wrapped(&base64, width, with)));
        all.push((name, wrapped(&inside, width, with)));
    }
    if secret.is_ascii() && secret.len() >= 8 {
        all.push(("fold", wrapped(secret, 5, "\n")));
    }
    // A `\n` that stands for itself in what is not $'…' can't be told from one that doesn't.
    all.retain(|(name, _)| *name != "printf %q" || !secret.contains('\n'));
    all
}

/// As the language of runbooks writes it.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
    format!("\"{}\"", escaped.replace("#{", "\\#{"))
}
