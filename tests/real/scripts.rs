//! Notification and reconfiguration scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::group::NAME;
use crate::support::{Group, Spec, eventually, poll};

/// A script that appends its arguments, one line a call, and its open descriptors to files, then runs `end`. Several run at
/// once: a line is one write.
fn script(dir: &Path, name: &str, end: &str) -> PathBuf {
    let path = dir.join(name);
    let text = format!(
        "#!/bin/sh\nline=$(for word in \"$@\"; do printf '<%s>' \"$word\"; done)\nprintf '%s\\n' \"$line\" >>{dir}/{name}.calls\n\
         ls -l /proc/self/fd >>{dir}/{name}.fds\n{end}\n",
        dir = dir.display()
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn calls(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(format!("{}.calls", path.display())).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn one_sentinel() -> Spec {
    Spec {
        programs: Spec::default().programs[..1].to_vec(),
        quorum: 1,
        head: vec!["sentinel deny-scripts-reconfig no".to_owned()],
        ..Spec::default()
    }
}

#[test]
fn scripts_get_sentinel_s_arguments_and_no_descriptor() {
    let dir = TempDir::with_prefix("vedette-scripts").unwrap();
    let scripts: Vec<[PathBuf; 2]> = (0..3)
        .map(|index| ["notify", "reconf"].map(|name| script(dir.path(), &format!("{name}{index}"), "exit 0")))
        .collect();
    let mut group =
        Spec { head: vec!["sentinel deny-scripts-reconfig no".to_owned()], ..Spec::default() }.start();
    for (sentinel, [notify, reconf]) in group.sentinels.iter().zip(&scripts) {
        let (notify, reconf) = (notify.to_str().unwrap(), reconf.to_str().unwrap());
        sentinel.ok(&[
            "SENTINEL",
            "SET",
            NAME,
            "notification-script",
            notify,
            "client-reconfig-script",
            reconf,
        ]);
        assert_eq!(sentinel.master_field(NAME, "notification-script"), notify);
        assert_eq!(sentinel.master_field(NAME, "client-reconfig-script"), reconf);
    }
    let old = group.primary_port();
    group.node(old).kill();
    let new = group.switched_from(old);
    let roles: Vec<String> = scripts
        .iter()
        .map(|[notify, reconf]| {
            let expected = format!("<+switch-master><{NAME} 127.0.0.1 {old} 127.0.0.1 {new}>");
            poll("the events were notified", || {
                let calls = calls(notify);
                if calls.contains(&expected) { Ok(()) } else { Err(calls) }
            });
            eventually("the reconfiguration script ran", || !calls(reconf).is_empty());
            let calls = calls(reconf);
            assert_eq!(calls.len(), 1, "{calls:?}");
            let end = format!("><start><127.0.0.1><{old}><127.0.0.1><{new}>");
            let role = calls[0].strip_prefix(&format!("<{NAME}><")).and_then(|rest| rest.strip_suffix(&end));
            role.unwrap_or_else(|| panic!("arguments: {calls:?}")).to_owned()
        })
        .collect();
    assert_eq!(roles.iter().filter(|role| *role == "leader").count(), 1, "{roles:?}");
    assert_eq!(roles.iter().filter(|role| *role == "observer").count(), 2, "{roles:?}");
    let inherited: Vec<PathBuf> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .collect();
    for path in scripts.iter().flatten() {
        let listing = fs::read_to_string(format!("{}.fds", path.display())).unwrap();
        for line in listing.lines() {
            let Some((left, target)) = line.split_once(" -> ") else { continue };
            let number: u32 = left.split_whitespace().next_back().unwrap().parse().unwrap();
            // 0 to 2 are the standard ones, 3 is the folder that ls reads; what this process has, it may have handed down.
            let known = number <= 3 || inherited.iter().any(|path| path.to_str() == Some(target));
            assert!(known, "descriptor {number} ({target}) leaked into {}", path.display());
        }
    }
    let _: &Group = &group;
}

#[test]
fn a_script_that_asks_for_it_is_tried_again() {
    let dir = TempDir::with_prefix("vedette-scripts").unwrap();
    let group = one_sentinel().start();
    let sentinel = &group.sentinels[0];
    sentinel.ok(&["SENTINEL", "DEBUG", "script-retry-delay", "200"]);
    // Fails twice, then works.
    let end = format!("[ $(wc -l <{}/again.calls) -ge 3 ] || exit 1", dir.path().display());
    let path = script(dir.path(), "again", &end);
    sentinel.ok(&["SENTINEL", "SET", NAME, "client-reconfig-script", path.to_str().unwrap()]);
    sentinel.ok(&["SENTINEL", "FAILOVER", NAME]);
    eventually("it ran a third time", || calls(&path).len() == 3);
    eventually("nothing is left to do", || {
        sentinel.call(&["SENTINEL", "PENDING-SCRIPTS"]).items().is_empty()
    });
    assert_eq!(calls(&path).len(), 3);
}

#[test]
fn a_script_with_another_status_is_dropped() {
    let dir = TempDir::with_prefix("vedette-scripts").unwrap();
    let group = one_sentinel().start();
    let sentinel = &group.sentinels[0];
    let path = script(dir.path(), "broken", "exit 3");
    sentinel.ok(&["SENTINEL", "SET", NAME, "client-reconfig-script", path.to_str().unwrap()]);
    sentinel.ok(&["SENTINEL", "FAILOVER", NAME]);
    eventually("it was given up", || sentinel.log().contains("-script-error"));
    assert_eq!(calls(&path).len(), 1);
    assert!(sentinel.call(&["SENTINEL", "PENDING-SCRIPTS"]).items().is_empty());
}

#[test]
fn a_script_that_hangs_is_killed_and_listed_meanwhile() {
    let dir = TempDir::with_prefix("vedette-scripts").unwrap();
    let group = one_sentinel().start();
    let sentinel = &group.sentinels[0];
    let path = script(dir.path(), "hang", "exec sleep 1000");
    sentinel.ok(&["SENTINEL", "SET", NAME, "client-reconfig-script", path.to_str().unwrap()]);
    sentinel.ok(&["SENTINEL", "FAILOVER", NAME]);
    eventually("it runs", || {
        sentinel.call(&["SENTINEL", "PENDING-SCRIPTS"]).items().iter().any(|job| {
            let items = job.items();
            let flags =
                items.iter().position(|item| matches!(item, crate::support::Value::Bulk(b) if b == b"flags"));
            flags.is_some_and(|at| items[at + 1].text() == "running")
                && items[1].texts()[0] == path.to_str().unwrap()
        })
    });
    assert!(sentinel.call(&["INFO", "sentinel"]).text().contains("sentinel_running_scripts:1"));
    sentinel.ok(&["SENTINEL", "DEBUG", "script-max-runtime", "500"]);
    eventually("it was killed", || sentinel.log().contains("-script-timeout"));
    eventually("it is no longer running", || {
        sentinel.call(&["INFO", "sentinel"]).text().contains("sentinel_running_scripts:0")
    });
}

#[test]
fn paths_of_scripts_are_refused_unless_allowed() {
    let group = Spec { head: Vec::new(), ..one_sentinel() }.start();
    let sentinel = &group.sentinels[0];
    let refused = sentinel.call(&["SENTINEL", "SET", NAME, "notification-script", "/bin/true"]);
    assert_eq!(
        refused.text(),
        "ERR Reconfiguration of scripts path is denied for security reasons. Check the deny-scripts-reconfig \
         configuration directive in your Sentinel configuration"
    );
}
