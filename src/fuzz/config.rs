//! The configuration file.

use super::files::read;
use crate::config::rewrite::{State, rewrite};
use crate::config::{Config, grammar};
use crate::core::ids::RunId;
use crate::server::acl::{Acl, AclConfig};

/// Any bytes as a configuration file. What can be read can be written, and then says the same; so do the users' rules.
pub fn config(text: &[u8]) {
    let mut config = match read(text) {
        Ok(config) => config,
        Err(refusal) => {
            assert!(refusal.log_line().is_some() || !refusal.block().is_empty());
            return;
        }
    };
    config.settings.my_id.get_or_insert(RunId::from("7921d7f4f6d6ed2de9a18b8a1f9a4ae13edc4ed4"));
    let Some(users) = users(&config) else { return };
    let once = written(text, &config, &users);
    let second = again(&once);
    same(&config, &second, &once);
    let twice = written(&once, &second, &users);
    same(&second, &again(&twice), &twice);
}

/// The `user` lines as the daemon writes them; nothing if it would not start with them.
fn users(config: &Config) -> Option<Vec<String>> {
    let general = &config.general;
    let acl = |users| {
        Acl::new(AclConfig {
            identity: config.identity,
            requirepass: None,
            users,
            aclfile: None,
            log_max_len: 1,
            all_channels: general.acl_pubsub_default_all,
        })
    };
    let lines = acl(general.users.iter().map(|line| line.words.clone()).collect()).ok()?.lines();
    let words = |line: &String| {
        let words = grammar::split_words(line.as_bytes()).unwrap();
        words.into_iter().skip(1).map(|word| String::from_utf8(word).unwrap()).collect()
    };
    // A default user that is read bears the mark of it, as Sentinel's does.
    let second = acl(lines.iter().map(words).collect()).unwrap().lines();
    let third = acl(second.iter().map(words).collect()).unwrap().lines();
    assert_eq!(second, third, "users written and read again");
    // An aclfile keeps the users to itself.
    Some(if general.aclfile.is_some() { Vec::new() } else { lines })
}

fn written(old: &[u8], config: &Config, users: &[String]) -> Vec<u8> {
    rewrite(Some(old), &State { general: &config.general, users, settings: &config.settings })
}

fn again(text: &[u8]) -> Config {
    match read(text) {
        Ok(config) => config,
        Err(refusal) => panic!("{refusal}:\n{}", String::from_utf8_lossy(text)),
    }
}

/// All but the users, which are written in another form, and the order of what is known: a line goes where there was one
/// of its kind.
fn same(one: &Config, other: &Config, text: &[u8]) {
    let shown = || String::from_utf8_lossy(text).into_owned();
    let settings = [one, other].map(|config| {
        let mut settings = config.settings.clone();
        for group in &mut settings.groups {
            group.known_replicas.sort();
            group.known_sentinels.sort_by(|a, b| (&a.addr, &a.run_id).cmp(&(&b.addr, &b.run_id)));
            group.renamed_commands.sort();
        }
        settings
    });
    assert_eq!(settings[0], settings[1], "{}", shown());
    assert_eq!((&one.own, one.identity), (&other.own, other.identity), "{}", shown());
    let [mut one, mut other] = [one.general.clone(), other.general.clone()];
    one.users.clear();
    other.users.clear();
    assert_eq!(one, other, "{}", shown());
}
