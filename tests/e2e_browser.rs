//! The page of a run, in a real browser: in both schemes, on a desk and on a phone, with what a reader who sees little or does
//! not use a mouse needs. It needs Debian's `chromium`.

mod support;

use runbook::report::html::html;
use runbook::report::texts::Texts;
use serde_json::{Value, json};
use support::Story;
use support::browser::Browser;
use support::by_hand::dry_run;

/// A bit of everything, with a server's worst words.
const PLAN: &str = r##"runbook "Everything <b>bold</b>" {
  owner = "tests"
  longest-risk = 36500d
}
step prepare "Things are in place" {
  run "printf 'a\tb\n<script>alert(1)</script>\n'; printf '\\033[31mred\n' >&2"
  expect 1 == 1
}
step wait "It comes up" {
  run "setsid sh -c 'sleep 0.4; echo up > up' >/dev/null 2>&1 &"
  expect up: file("up") is present within 5s every 50ms
  checklist "Doors" {
    expect 2 == 2
    confirm "It is said" by "tests"
  }
}
step mend {
  expect file("mended") is present
  on-failure {
    run "touch mended"
  }
}
step wide {
  expect long: "x" == "<img src=x onerror=alert(1)>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  expect unknown: http.get("http://127.0.0.1:1/").status == 200
  expect 1 == 2 else warn "one is not two"
  expect risk: 1 == 3
  for name in ["one", "two"] {
    expect name != "two"
  }
}
accept-risk "Three is close" {
  covers   = [wide.risk]
  until    = 2100-01-01
  approver = "tests"
  reason   = "it is one on purpose"
}
"##;

fn page(story: &Story) -> std::path::PathBuf {
    story.write(
        "answers.toml",
        &format!(
            "[[answer]]\nitem = \"wait.It is said\"\nrole = \"tests\"\nby = \"Ana\"\nat = {:.0}\nconfirmed = true\n",
            jiff::Timestamp::now()
        ),
    );
    let told = story.run(&["exec", "plan.runbook", "--answers", "answers.toml", "--report", "r.html"]);
    assert_eq!(told.status, 1, "{}", told.text);
    story.path("r.html")
}

/// Words that stand out less from their ground than 4.5 to 1 (WCAG 2.2, 1.4.3), what reaches out of the page at its side, doubled
/// ids, jumps between headings, and a tab order of its own.
const LOOK: &str = r##"(() => {
  const wrong = [];
  const colour = text => (text.match(/[\d.]+/g) || []).map(Number);
  const luminance = ([r, g, b]) => {
    const linear = [r, g, b].map(part => part / 255).map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const ground = element => {
    for (; element; element = element.parentElement) {
      const found = colour(getComputedStyle(element).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return null;
  };
  let words = 0;
  for (const element of document.querySelectorAll("body *")) {
    const said = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    const box = element.getBoundingClientRect();
    if (box.width > 0 && box.right > innerWidth + 1 && !element.closest(".wide")) wrong.push(`${element.tagName}.${element.className} reaches to ${box.right}`);
    if (element.tabIndex > 0) wrong.push(`${element.tagName} has a tab order of its own`);
    if (!said || !element.checkVisibility()) continue;
    words += 1;
    const style = getComputedStyle(element);
    const [a, b] = [luminance(colour(style.color)), luminance(ground(element) || [255, 0, 255])];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) wrong.push(`${element.tagName}.${element.className} "${element.textContent.slice(0, 30)}": ${contrast.toFixed(2)}`);
    if (parseFloat(style.fontSize) < 12) wrong.push(`${element.tagName}.${element.className}: ${style.fontSize}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) wrong.push(`the page is ${document.documentElement.scrollWidth} wide`);
  const ids = [...document.querySelectorAll("[id]")].map(element => element.id);
  if (new Set(ids).size !== ids.length) wrong.push("an id is there twice");
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) wrong.push(`${heading.tagName} behind H${level}: ${heading.textContent}`);
    level = next;
  }
  if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
  if (document.querySelectorAll("main").length !== 1) wrong.push("not one main");
  if (!document.documentElement.lang) wrong.push("no language");
  return { words, wrong };
})()"##;

/// Everything that can be pressed or followed, and every picture, has a name.
fn nameless(browser: &mut Browser) -> (usize, Vec<String>) {
    let tree = browser.ask("Accessibility.getFullAXTree", json!({}));
    let nodes: Vec<&Value> =
        tree["nodes"].as_array().expect("nodes").iter().filter(|node| node["ignored"] == false).collect();
    let wants = ["link", "button", "checkbox", "DisclosureTriangle", "image", "navigation", "heading", "table"];
    let named: Vec<(&str, &str)> = nodes
        .iter()
        .map(|node| {
            (node["role"]["value"].as_str().unwrap_or_default(), node["name"]["value"].as_str().unwrap_or_default())
        })
        .filter(|(role, _)| wants.contains(role))
        .collect();
    let nameless = named.iter().filter(|(role, name)| name.trim().is_empty() && *role != "table");
    (named.len(), nameless.map(|(role, _)| (*role).to_owned()).collect())
}

/// Nothing was said on the console, and nothing but the page was asked for.
#[track_caller]
fn is_quiet(browser: &Browser) {
    for event in &browser.told {
        match event["method"].as_str().unwrap_or_default() {
            "Log.entryAdded"
            | "Runtime.exceptionThrown"
            | "Runtime.consoleAPICalled"
            | "Page.javascriptDialogOpening" => {
                panic!("{event:#}")
            }
            "Network.requestWillBeSent" => {
                let url = event["params"]["request"]["url"].as_str().expect("an address");
                assert!(url.starts_with("file://") && url.ends_with("r.html"), "{url} was asked for");
            }
            _ => {}
        }
    }
}

#[test]
fn a_page_is_read_in_both_schemes_on_a_desk_and_on_a_phone() {
    let story = Story::new(PLAN);
    let page = page(&story);
    let mut browser = Browser::start();
    let mut grounds = Vec::new();
    for (width, dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
        browser.open(&page, width, dark);
        // What is folded is read, too.
        browser.value("document.querySelectorAll('details').forEach(row => row.open = true)");
        let look = browser.value(LOOK);
        assert_eq!(look["wrong"], json!([]), "{width} wide, dark: {dark}");
        assert!(look["words"].as_u64().expect("a count") > 80, "{look}");
        let (count, nameless) = nameless(&mut browser);
        assert!(count > 30 && nameless.is_empty(), "{count}: {nameless:?}");
        is_quiet(&browser);
        grounds.push(browser.value("getComputedStyle(document.body).backgroundColor"));
    }
    assert_ne!(grounds[0], grounds[1], "there is a dark scheme");
}

#[test]
fn a_page_opens_with_its_decision_and_shows_what_is_asked_of_it() {
    let story = Story::new(PLAN);
    let page = page(&story);
    let mut browser = Browser::start();
    browser.open(&page, 1280, false);
    let shown =
        |what: &str| format!("[...document.querySelectorAll('{what}')].filter(row => row.checkVisibility()).length");
    // The decision is the first thing in sight.
    let decision = browser.value(
        "(box => box.top >= 0 && box.bottom < 200)(document.querySelector('.decision').getBoundingClientRect())",
    );
    assert_eq!(decision, true);
    assert_eq!(browser.value("document.querySelector('.decision').innerText.includes('NO-GO')"), true);
    // What failed is open, what holds is folded.
    let open = |class: &str| format!("[...document.querySelectorAll('.row.{class}')].map(row => row.open).join()");
    assert!(!browser.value(&open("good")).as_str().expect("a list").contains("true"));
    assert!(!browser.value(&open("bad")).as_str().expect("a list").contains("false"));
    // Only what does not hold; by the keyboard.
    let (all, good) = (browser.value(&shown(".row")), browser.value(&shown(".row.good")));
    assert!(all.as_u64() > good.as_u64() && good.as_u64() > Some(4), "{all} {good}");
    browser.value("document.getElementById('only').focus()");
    for kind in ["keyDown", "keyUp"] {
        browser.ask(
            "Input.dispatchKeyEvent",
            json!({ "type": kind, "key": " ", "code": "Space", "text": " ", "windowsVirtualKeyCode": 32 }),
        );
    }
    assert_eq!(browser.value(&shown(".row.good")), 0);
    // One of these was mended later.
    assert_eq!(browser.value(&shown(".row.bad")), 3);
    // An expect that was waited for tells its attempts, and its own lines, which are the runbook's.
    let up = "[...document.querySelectorAll('.row')].find(row => row.innerText.startsWith('✓ up') || row.textContent.includes('wait.up'))";
    let told = browser.value(&format!("{up}.querySelector('.attempts').textContent"));
    assert!(
        told.as_str().expect("words").contains("times") && told.as_str().expect("words").contains("holds"),
        "{told}"
    );
    let line = browser.value(&format!("{up}.querySelector('.lines mark').textContent"));
    let line = line.as_str().expect("a line").trim_start_matches(|char: char| char == ' ' || char.is_ascii_digit());
    assert_eq!(line, "expect up: file(\"up\") is present within 5s every 50ms");
    // Each step has its place in the time of the run.
    let bars = browser.value("[...document.querySelectorAll('nav li i')].map(bar => [parseFloat(bar.style.left), parseFloat(bar.style.width)])");
    let bars: Vec<(f64, f64)> = serde_json::from_value(bars).expect("bars");
    assert_eq!(bars.len(), 4);
    assert!(bars.iter().all(|(left, width)| *left >= 0.0 && left + width <= 100.1), "{bars:?}");
    assert!(bars.is_sorted_by(|(one, _), (next, _)| one <= next) && bars[1].1 > bars[0].1, "{bars:?}");
    // A way to each step.
    browser.value("document.querySelectorAll('nav a')[3].click()");
    let hash = browser.value("location.hash");
    assert_eq!(browser.value(&format!("document.querySelector({hash}).querySelector('h2 a').textContent")), "wide");
    is_quiet(&browser);
    // It is read without JavaScript, since there is none.
    assert_eq!(browser.value("document.scripts.length"), 0);
    assert_eq!(browser.value("document.querySelectorAll('b').length > 0 && !document.querySelector('h1 b')"), true);
    // On paper.
    let paper = browser.ask("Page.printToPDF", json!({}));
    assert!(paper["data"].as_str().expect("a document").len() > 10_000);
}

#[test]
fn a_page_of_a_dry_run_is_read_alike() {
    let story = Story::new(PLAN);
    assert_eq!(story.run(&["dry-run", "plan.runbook", "--report", "r.html"]).status, 0);
    let mut browser = Browser::start();
    for (width, dark) in [(1280, false), (390, true)] {
        browser.open(&story.path("r.html"), width, dark);
        browser.value("document.querySelectorAll('details').forEach(row => row.open = true)");
        let look = browser.value(LOOK);
        assert_eq!(look["wrong"], json!([]), "{width} wide, dark: {dark}");
        let (count, nameless) = nameless(&mut browser);
        assert!(count > 20 && nameless.is_empty(), "{count}: {nameless:?}");
        is_quiet(&browser);
    }
    assert_eq!(browser.value("document.querySelector('.decision').innerText.includes('Dry run')"), true);
    assert_eq!(browser.value("document.querySelectorAll('.lines mark').length > 4"), true);
    let way = browser.value("document.querySelector('nav li .would').innerText");
    assert_eq!(way, "1 would run · 1 hold now");
    // What an action before it may change says so before it is opened.
    let now = browser.value("document.querySelector('summary .now').innerText");
    assert!(now.as_str().expect("words").starts_with("as of now; line "), "{now}");
}

#[test]
fn a_page_with_states_that_are_hard_to_bring_about_is_read_alike() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("r.html");
    let file = std::fs::File::create(&page).expect("a file");
    dry_run().tell(Box::new(html(file, Texts::default())));
    let mut browser = Browser::start();
    for (width, dark) in [(1280, false), (390, true)] {
        browser.open(&page, width, dark);
        browser.value("document.querySelectorAll('details').forEach(row => row.open = true)");
        let look = browser.value(LOOK);
        assert_eq!(look["wrong"], json!([]), "{width} wide, dark: {dark}");
        let (count, nameless) = nameless(&mut browser);
        assert!(count > 20 && nameless.is_empty(), "{count}: {nameless:?}");
        is_quiet(&browser);
    }
    let seen = browser.value("document.body.innerText");
    for words in
        ["Preflight: 1 of 5 refused", "would stop now", "as things stand the run would stop here", "not reached"]
    {
        assert!(seen.as_str().expect("words").contains(words), "{words:?} is not in:\n{seen}");
    }
}
