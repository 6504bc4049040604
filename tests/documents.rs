//! What the documents say, held against the program: names of metrics, access rules, samples, links.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use vedette::config::directives::Directives;
use vedette::config::load::{Loaded, Sources, load};
use vedette::config::system::{RealSystem, System};
use vedette::core::Engine;
use vedette::core::action::{Level, Observation};
use vedette::core::claim::Kind;
use vedette::core::ids::GroupName;
use vedette::core::settings::{GroupSettings, HostPort, Node, Settings};
use vedette::core::time::Time;
use vedette::metrics::{Metrics, Snapshot};
use vedette::runtime::FrontStats;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What stands between backquotes, on one line.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// A core that watches one group.
fn engine() -> Engine {
    let name = GroupName::from("mymaster");
    let primary = HostPort { host: "127.0.0.1".to_owned(), port: 6379 };
    let settings = Settings { groups: vec![GroupSettings::new(name, primary, 2)], ..Settings::default() };
    Engine::new(settings, Node::default(), 7, Level::Notice, Time::ZERO)
}

/// The metrics that a daemon with one group shows, without the suffixes of histograms.
fn shown_metrics() -> BTreeSet<String> {
    let engine = engine();
    let metrics = Metrics::new(prometheus::Registry::new()).unwrap();
    let _cluster = metrics.cluster().unwrap();
    metrics.core.event("+sdown");
    metrics.core.observe(&Observation::Right { group: "m".into(), right: "client|pause", missing: true });
    metrics.core.observe(&Observation::Claim { kind: Kind::Failover, resumed: true });
    let snapshot = Snapshot {
        view: engine.view(Time::ZERO),
        simulate_failure_flags: 0,
        front: FrontStats { calls: vec![("ping".to_owned(), 1)], ..FrontStats::default() },
        ready: true,
    };
    let text = metrics.exposition().text(&snapshot, true).unwrap();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|rest| rest.split(' ').next().map(str::to_owned)).collect()
}

fn is_metric(word: &&str) -> bool {
    let prefixes = ["redis_sentinel_", "vedette_", "process_"];
    prefixes.iter().any(|prefix| word.starts_with(prefix) && word.len() > prefix.len())
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// The real system, except that nothing is changed.
struct Onlooker;

impl System for Onlooker {
    fn executable(&self, path: &str) -> bool {
        RealSystem.executable(path)
    }
    fn writable(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn appendable(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        RealSystem.read(path)
    }
    fn read_stdin(&self) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        RealSystem.list(folder)
    }
    fn change_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn current_dir(&self) -> io::Result<PathBuf> {
        RealSystem.current_dir()
    }
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

fn loaded(file: PathBuf) -> Loaded {
    let sources = Sources { file: Some(file.clone()), ..Sources::default() };
    load(&sources, &Onlooker).unwrap_or_else(|refusal| panic!("{}: {refusal:?}", file.display()))
}

#[test]
fn samples_are_accepted() {
    for name in ["sentinel", "demo", "tls", "acl", "nat-sentinel"] {
        let config = loaded(path(&format!("config/{name}.conf"))).config;
        assert_eq!(config.settings.groups.len(), 1, "{name}");
        assert_eq!(config.own, Directives::default(), "{name} must start redis-sentinel, too");
    }
}

#[test]
fn what_the_sample_comments_out_is_accepted_where_it_is_taken_in() {
    let sample = read("config/sentinel.conf").replace("# vedette ", "vedette ");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sentinel.conf");
    fs::write(&file, sample).unwrap();
    let own = loaded(file).config.own;
    assert_eq!(own.admin, Some("127.0.0.1:9355".parse().unwrap()));
    assert_eq!(own.credential_files.len(), 3);
}

#[test]
fn the_readme_names_directives_that_exist() {
    let text = read("README.md");
    let named: BTreeSet<&str> =
        quoted(&text).filter_map(|words| words.strip_prefix("vedette ")?.split(' ').next()).collect();
    let subcommands =
        BTreeSet::from(["demo", "man", "completions", "boot", "leave", "/etc/redis/sentinel.conf"]);
    let directives: Vec<&str> = named.difference(&subcommands).copied().collect();
    assert_eq!(directives.len(), 10, "{directives:?}");
    for name in directives {
        let complaint = Directives::default().set(name, &[]).unwrap_err();
        assert!(complaint.starts_with(&format!("vedette {name} takes")), "{complaint}");
    }
}

#[test]
fn every_metric_is_documented_and_none_besides() {
    let page = read("docs/metrics.md");
    let documented: BTreeSet<String> = quoted(&page).filter(is_metric).map(str::to_owned).collect();
    assert_eq!(documented, shown_metrics());
}

/// All keys of objects in `value`.
fn keys(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    if let Some(object) = value.as_object() {
        found.extend(object.keys().cloned());
        object.values().for_each(|inner| keys(inner, found));
    }
    value.as_array().into_iter().flatten().for_each(|inner| keys(inner, found));
}

#[test]
fn every_field_of_the_state_is_documented_and_none_besides() {
    let mut shown = BTreeSet::new();
    keys(&serde_json::to_value(engine().view(Time::ZERO)).unwrap(), &mut shown);
    let page = read("docs/state.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    assert_eq!(rows.map(|(field, _)| field.to_owned()).collect::<BTreeSet<String>>(), shown);
}

#[test]
fn alerts_use_metrics_that_exist_and_are_explained() {
    let rules = read("deploy/alerts.yml");
    let shown = shown_metrics();
    let mut used = 0;
    for rule in rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")) {
        let words = rule.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        for word in words.filter(is_metric) {
            let name = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| word.strip_suffix(suffix));
            assert!(shown.contains(name.unwrap_or(word)), "{word} is no metric");
            used += 1;
        }
    }
    assert!(used > 5);
    let page = read("docs/operations.md");
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(!alerts.is_empty());
    for alert in alerts {
        assert!(page.contains(&format!("| {alert} |")), "{alert} is not explained");
    }
}

#[test]
fn promtool_accepts_the_alert_rules() {
    let output = std::process::Command::new("promtool")
        .args(["check", "rules"])
        .arg(path("deploy/alerts.yml"))
        .output()
        .expect("promtool (Debian: prometheus)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_least_rights_are_the_same_everywhere() {
    let rights = "allchannels -@all +multi +slaveof +ping +exec +subscribe +config|rewrite +role +publish +info \
                  +client|setname +client|kill +script|kill +client|pause +client|unpause +failover";
    for file in ["README.md", "config/acl.conf"] {
        assert!(read(file).lines().any(|line| line.ends_with(rights)), "{file}");
    }
    // What the tests on real data nodes grant, in a Rust string over several lines.
    let tested = read("tests/real/security.rs").replace("\\\n", "");
    let tested: Vec<&str> = tested.split_ascii_whitespace().collect();
    assert!(tested.join(" ").contains(rights));
}

#[test]
fn the_nat_page_shows_the_samples() {
    let page = read("docs/nat-and-docker.md");
    for file in ["config/nat-node.conf", "config/nat-sentinel.conf"] {
        let sample = read(file);
        let lines: Vec<&str> =
            sample.lines().filter(|line| line.contains("announce") || line.contains("monitor")).collect();
        assert!(lines.iter().filter(|line| !line.starts_with('#')).count() >= 2, "{file}");
        for line in lines.iter().filter(|line| !line.starts_with('#')) {
            assert!(page.lines().any(|shown| shown == *line), "{file}: {line}");
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut pages: Vec<String> =
        ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(str::to_owned).into();
    for entry in fs::read_dir(path("docs")).unwrap() {
        pages.push(format!("docs/{}", entry.unwrap().file_name().to_string_lossy()));
    }
    let mut followed = 0;
    for page in &pages {
        let text = read(page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let linked = path(page).parent().unwrap().join(file);
            assert!(linked.exists(), "{page}: {target}");
            if !anchor.is_empty() {
                let headings = fs::read_to_string(&linked).unwrap();
                let mut headings = headings.lines().filter_map(|line| line.strip_prefix("## "));
                assert!(
                    headings.any(|heading| heading.to_lowercase().replace(' ', "-") == anchor),
                    "{page}: {target}"
                );
            }
            followed += 1;
        }
    }
    assert!(followed > 10);
}
