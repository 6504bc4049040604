//! SENTINEL SET: options of a group, from left to right. What comes before a mistake stays, and is saved.

use std::time::Duration;

use super::checks::Executables;
use super::words::Words;
use super::{NO_SUCH_GROUP, Outcome, refuse_when_saved, when_saved};
use crate::core::action::{Actions, Level};
use crate::core::engine::Engine;
use crate::core::group::{Group, Which};
use crate::core::ids::ClientId;
use crate::core::shared::Cx;
use crate::core::time::Time;
use crate::resp::Reply;

const DENIED: Reply = Reply::err(
    "ERR Reconfiguration of scripts path is denied for security reasons. Check the deny-scripts-reconfig \
     configuration directive in your Sentinel configuration",
);

/// What can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    DownAfter,
    FailoverTimeout,
    ParallelSyncs,
    Quorum,
    RebootDownAfter,
    NotificationScript,
    ReconfigScript,
    AuthPass,
    AuthUser,
    RenameCommand,
}

impl Name {
    fn parse(word: &[u8]) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_slice() {
            b"down-after-milliseconds" => Self::DownAfter,
            b"failover-timeout" => Self::FailoverTimeout,
            b"parallel-syncs" => Self::ParallelSyncs,
            b"quorum" => Self::Quorum,
            b"master-reboot-down-after-period" | b"primary-reboot-down-after-period" => Self::RebootDownAfter,
            b"notification-script" => Self::NotificationScript,
            b"client-reconfig-script" => Self::ReconfigScript,
            b"auth-pass" => Self::AuthPass,
            b"auth-user" => Self::AuthUser,
            b"rename-command" => Self::RenameCommand,
            _ => return None,
        })
    }

    const fn values(self) -> usize {
        if matches!(self, Self::RenameCommand) { 2 } else { 1 }
    }

    /// The directive that it is as an annotation of a Service; nothing for what a label's group takes from nowhere, and for
    /// a password, which is no annotation's business.
    const fn annotation(self) -> Option<&'static str> {
        match self {
            Self::DownAfter => Some("down-after-milliseconds"),
            Self::FailoverTimeout => Some("failover-timeout"),
            Self::ParallelSyncs => Some("parallel-syncs"),
            Self::Quorum => Some("quorum"),
            Self::RebootDownAfter => Some("master-reboot-down-after-period"),
            Self::AuthUser => Some("auth-user"),
            Self::NotificationScript | Self::ReconfigScript | Self::AuthPass | Self::RenameCommand => None,
        }
    }

    const fn is_credential(self) -> bool {
        matches!(self, Self::AuthPass | Self::AuthUser)
    }

    const fn is_script(self) -> bool {
        matches!(self, Self::NotificationScript | Self::ReconfigScript)
    }
}

/// One option: where its word is, and what it names unless that is unknown or lacks a value.
#[derive(Clone, Copy, Debug)]
struct Opt {
    at: usize,
    name: Option<Name>,
}

/// The options of the command, up to the first that can't be understood.
fn options(words: &Words<'_>) -> Vec<Opt> {
    let mut options = Vec::new();
    let mut at = 3;
    while at < words.len() {
        let name = Name::parse(words.bytes(at)).filter(|name| at + name.values() < words.len());
        options.push(Opt { at, name });
        let Some(name) = name else { break };
        at += 1 + name.values();
    }
    options
}

impl Engine {
    /// `executables` is what the shell found out about the script paths; without it, it is asked if there are any.
    pub(super) fn set(
        &mut self,
        client: ClientId,
        words: &Words<'_>,
        executables: Option<&Executables>,
        now: Time,
        out: &mut Actions,
    ) -> Outcome {
        let Some(id) = self.named_id(words, 2) else { return NO_SUCH_GROUP.into() };
        let options = options(words);
        let secret = |index: usize| {
            options.iter().any(|opt| opt.at + 1 == index && opt.name.is_some_and(Name::is_credential))
        };
        if let Some(refusal) = words.refusal("SET", secret) {
            return refusal.into();
        }
        if executables.is_none() && self.shared.allow_scripts_reconfig {
            let scripts = options.iter().filter(|opt| opt.name.is_some_and(Name::is_script));
            let paths = scripts.filter_map(|opt| words.text(opt.at + 1)).filter(|path| !path.is_empty());
            let paths: Vec<String> = paths.map(str::to_owned).collect();
            if !paths.is_empty() {
                return self.park(client, words, paths, out);
            }
        }
        let service = self.service_of(id).map(str::to_owned);
        if let Some(service) = &service
            && let Some(opt) =
                options.iter().find(|opt| opt.name.is_some_and(|name| name.annotation().is_none()))
        {
            let option = words.shown(opt.at);
            let text = format!("ERR '{option}' can't be set for a group that comes from Service '{service}'");
            return Reply::error(text).into();
        }
        let annotations: Vec<(&'static str, String)> = options
            .iter()
            .filter_map(|opt| Some((opt.name?.annotation()?, words.text(opt.at + 1)?.to_owned())))
            .collect();
        let (mut cx, parts) = self.split(now, out);
        let Some(group) = parts.groups.get_mut(&id) else { return NO_SUCH_GROUP.into() };
        cx.shared.touched.insert(id);
        let mut changed = false;
        for opt in options {
            if let Err(refusal) = apply(opt, words, executables, group, &mut cx) {
                return if changed { refuse_when_saved(client, refusal, &mut cx) } else { refusal.into() };
            }
            changed = true;
        }
        if let Some(service) = service {
            self.annotate(client, service, annotations, out);
            return Outcome::Later;
        }
        when_saved(client, Reply::OK, &mut cx)
    }
}

fn apply(
    opt: Opt,
    words: &Words<'_>,
    executables: Option<&Executables>,
    group: &mut Group,
    cx: &mut Cx<'_>,
) -> Result<(), Reply> {
    let option = words.shown(opt.at);
    let Some(name) = opt.name else {
        let text = "ERR Unknown option or number of arguments for SENTINEL SET";
        return Err(Reply::error(format!("{text} '{option}'")));
    };
    let at = opt.at + 1;
    let value = words.text(at).unwrap_or_default();
    let invalid =
        |value: &str| Reply::error(format!("ERR Invalid argument '{value}' for SENTINEL SET '{option}'"));
    let at_least = |least: i64| words.integer(at).filter(|n| *n >= least).and_then(|n| u64::try_from(n).ok());
    let millis = |least| at_least(least).map(Duration::from_millis).ok_or_else(|| invalid(value));
    // Sentinel keeps these two as C's int.
    let count = || {
        let number = at_least(1).filter(|number| *number <= i32::MAX.unsigned_abs().into());
        number.and_then(|number| u32::try_from(number).ok()).ok_or_else(|| invalid(value))
    };
    let text = || Some(value.to_owned()).filter(|value| !value.is_empty());
    let mut shown = value.to_owned();
    match name {
        Name::DownAfter => group.options.down_after = millis(1)?,
        Name::FailoverTimeout => group.options.failover_timeout = millis(1)?,
        Name::RebootDownAfter => group.options.reboot_down_after = millis(0)?,
        Name::ParallelSyncs => group.options.parallel_syncs = count()?,
        Name::Quorum => group.options.quorum = count()?,
        Name::NotificationScript => {
            let script = script("Notification", words, at, executables, cx)?;
            group.options.notification_script = script;
        }
        Name::ReconfigScript => {
            let script = script("Client reconfiguration", words, at, executables, cx)?;
            group.options.client_reconfig_script = script;
        }
        Name::AuthPass => {
            group.options.auth_pass = text();
            "******".clone_into(&mut shown);
            group.drop_data_links(cx);
        }
        Name::AuthUser => {
            group.options.auth_user = text();
            shown = value.replace(|c: char| c.is_ascii_control(), " ");
            group.drop_data_links(cx);
        }
        Name::RenameCommand => {
            let to = words.text(at + 1).unwrap_or_default();
            if value.is_empty() || to.is_empty() {
                return Err(invalid(if value.is_empty() { value } else { to }));
            }
            let renamed = &mut group.options.renamed;
            renamed.retain(|(from, _)| !from.eq_ignore_ascii_case(value));
            if !value.eq_ignore_ascii_case(to) {
                renamed.push((value.to_owned(), to.to_owned()));
            }
            shown = format!("{value} {to}");
        }
    }
    cx.event(Level::Warning, "+set", group, &Which::Primary, &format!(" {option} {shown}"));
    Ok(())
}

/// The path at `at`, nothing for the empty word.
fn script(
    what: &str,
    words: &Words<'_>,
    at: usize,
    executables: Option<&Executables>,
    cx: &Cx<'_>,
) -> Result<Option<String>, Reply> {
    if !cx.shared.allow_scripts_reconfig {
        return Err(DENIED);
    }
    let path = words.text(at).filter(|path| !path.is_empty());
    let executable = |path: &str| executables.and_then(|paths| paths.get(path)).copied().unwrap_or(false);
    if path.is_some_and(|path| !executable(path)) {
        return Err(Reply::error(format!("ERR {what} script seems non existing or non executable")));
    }
    Ok(path.map(str::to_owned))
}
