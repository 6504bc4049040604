use super::*;
use crate::pod::BootCommand;

fn run(args: &[&str]) -> Invocation {
    run_with(args, None)
}

fn run_with(args: &[&str], identity: Option<&str>) -> Invocation {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    parse(&args, identity.map(OsStr::new))
}

fn daemon(args: &[&str]) -> Sources {
    match run(args) {
        Invocation::Daemon(sources) => sources,
        other @ (Invocation::Print { .. } | Invocation::Tool(_)) => panic!("{args:?}: {other:?}"),
    }
}

fn printed(args: &[&str]) -> (String, bool) {
    match run(args) {
        Invocation::Print { text, error } => (text, error),
        other @ (Invocation::Daemon(_) | Invocation::Tool(_)) => panic!("{args:?}: {other:?}"),
    }
}

fn options(args: &[&str]) -> String {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    String::from_utf8(option_lines(&args)).unwrap()
}

#[test]
fn options_become_lines_as_sentinel_makes_them() {
    assert_eq!(options(&["--bogus", "1"]), "bogus \"1\"");
    assert_eq!(options(&["--port", "--loglevel", "warning"]), "port \"--loglevel\" \"warning\"");
    assert_eq!(options(&["--save", "--x", "1"]), "save \"\"\nx \"1\"");
    assert_eq!(options(&["--save"]), "save \"\"");
    assert_eq!(options(&["--save", "", "--x"]), "save \"\"\nx");
    assert_eq!(options(&["--nosuch a b", "c"]), "nosuch a b \"c\"");
    assert_eq!(options(&["--sentinel", "--port", "5"]), "sentinel\nport \"5\"");
    assert_eq!(options(&["--port", "5", "--sentinel"]), "port \"5\"\nsentinel");
    assert_eq!(options(&["--sentinel", "monitor", "a b"]), "sentinel \"monitor\" \"a b\"");
    assert_eq!(options(&["--x", "", "a\"b", "a\nb"]), "x \"\" \"a\\\"b\" \"a\\nb\"");
    assert_eq!(options(&["--", "--x"]), "\nx");
}

#[test]
fn file_and_standard_input_are_found() {
    let sources = daemon(&["redis-sentinel", "s.conf", "--port", "5", "-"]);
    assert_eq!((sources.file, sources.stdin), (Some(PathBuf::from("s.conf")), true));
    assert_eq!(sources.options, b"port \"5\"");
    let sources = daemon(&["/usr/bin/redis-sentinel", "-", "--port", "5"]);
    assert_eq!((sources.file, sources.stdin), (None, true));
    assert_eq!(daemon(&["vedette"]), Sources::default());
}

#[test]
fn the_name_decides_about_identity_and_tools() {
    assert_eq!(daemon(&["valkey-sentinel", "f"]).identity, Identity::Valkey80);
    assert_eq!(daemon(&["redis-server", "f", "--sentinel"]).identity, Identity::Redis80);
    assert!(printed(&["redis-server", "f"]).1);
    match run_with(&["valkey-sentinel", "f"], Some("redis-7.0")) {
        Invocation::Daemon(sources) => assert_eq!(sources.identity, Identity::Redis70),
        other @ (Invocation::Print { .. } | Invocation::Tool(_)) => panic!("{other:?}"),
    }
    assert!(matches!(run_with(&["vedette", "f"], Some("x")), Invocation::Print { error: true, .. }));
    assert!(matches!(run(&["vedette", "demo", "--once"]), Invocation::Tool(Tool::Demo(_))));
    assert!(matches!(run(&["vedette", "man"]), Invocation::Tool(Tool::Man)));
    assert!(matches!(run(&["vedette", "completions", "bash"]), Invocation::Tool(Tool::Completions { .. })));
    assert!(matches!(run(&["vedette", "boot"]), Invocation::Tool(Tool::Boot(_))));
    let exec = ["vedette", "boot", "exec", "redis-server", "--port", "5", "--help"];
    match run(&exec) {
        Invocation::Tool(Tool::Boot(BootArgs { command: Some(BootCommand::Exec { server }), .. })) => {
            assert_eq!(server, exec[3..]);
        }
        other => panic!("{other:?}"),
    }
    assert!(printed(&["vedette", "boot", "exec"]).1);
    assert!(matches!(run(&["vedette", "leave", "mymaster"]), Invocation::Tool(Tool::Leave(_))));
    for wrong in [&["--vedettes", "vedette"][..], &["--node", ":6379"], &["--within", "0"], &["another"]] {
        assert!(printed(&[&["vedette", "leave", "mymaster"], wrong].concat()).1, "{wrong:?}");
    }
    assert!(printed(&["vedette", "leave"]).1);
    assert_eq!(daemon(&["redis-sentinel", "demo"]).file, Some(PathBuf::from("demo")));
    assert!(printed(&["vedette", "demo", "--nosuch"]).1);
}

#[test]
fn version_help_and_server_tools() {
    let (text, error) = printed(&["redis-sentinel", "--version"]);
    assert!(text.starts_with("Redis server v=8.0.") && !error, "{text}");
    assert!(printed(&["valkey-sentinel", "-v"]).0.starts_with("Valkey server v=8.0."));
    let (text, error) = printed(&["redis-sentinel", "-h"]);
    assert!(text.contains("vedette FILE") && error, "{text}");
    assert!(!printed(&["vedette", "--help"]).1);
    assert!(printed(&["vedette", "--test-memory", "5"]).1);
}

#[test]
fn manual_and_completions_name_the_tools() {
    let mut page = Vec::new();
    manual(&mut page).unwrap();
    let manual = String::from_utf8(page.clone()).unwrap();
    assert!(manual.contains(concat!("\"vedette ", env!("CARGO_PKG_VERSION"), "\"")), "{manual}");
    assert!(manual.contains(".SH \"VEDETTE DEMO\"") && manual.contains("\\-\\-once"), "{manual}");
    assert!(!manual.contains("vedette\\-demo(1)"), "a page that is not there: {manual}");
    assert_eq!(manual.matches(".SH OPTIONS").count(), 1, "{manual}");
    assert!(manual.contains(".SH \"VEDETTE BOOT EXEC\"") && manual.contains("\\-\\-within"), "{manual}");
    assert!(!manual.contains(".SH EXTRA"), "{manual}");
    let mut script = Vec::new();
    completions(clap_complete::Shell::Bash, &mut script);
    for text in [page, script] {
        let text = String::from_utf8(text).unwrap();
        for tool in Tool::NAMES {
            assert!(text.contains(tool), "{tool}");
        }
    }
}
