//! The documentation of one command.

use super::argument::Argument;
use crate::resp::Reply;

/// The documentation of one command or subcommand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) full_name: &'static str,
    pub(super) summary: &'static str,
    pub(super) since: &'static str,
    group: &'static str,
    complexity: &'static str,
    /// Since when another command should be used, and which.
    replaced: Option<(&'static str, &'static str)>,
    /// Version and what it brought.
    history: &'static [(&'static str, &'static str)],
    arguments: &'static [Argument],
}

impl Entry {
    pub(super) const fn new(
        group: &'static str,
        full_name: &'static str,
        since: &'static str,
        complexity: &'static str,
        summary: &'static str,
    ) -> Self {
        Self { full_name, summary, since, group, complexity, replaced: None, history: &[], arguments: &[] }
    }

    pub(super) const fn replaced(mut self, since: &'static str, by: &'static str) -> Self {
        self.replaced = Some((since, by));
        self
    }

    pub(super) const fn history(mut self, history: &'static [(&'static str, &'static str)]) -> Self {
        self.history = history;
        self
    }

    pub(super) const fn arguments(mut self, arguments: &'static [Argument]) -> Self {
        self.arguments = arguments;
        self
    }

    /// All fields but the subcommands.
    pub(super) fn fields(&self) -> Vec<(Reply, Reply)> {
        let text = |key: &'static str, value: &'static str| (Reply::bulk(key), Reply::bulk(value));
        let mut fields =
            vec![text("summary", self.summary), text("since", self.since), text("group", self.group)];
        if !self.complexity.is_empty() {
            fields.push(text("complexity", self.complexity));
        }
        if let Some((since, by)) = self.replaced {
            fields.push((Reply::bulk("doc_flags"), Reply::Set(vec![Reply::Simple("deprecated".into())])));
            fields.push(text("deprecated_since", since));
            fields.push(text("replaced_by", by));
        }
        if !self.history.is_empty() {
            let history = self
                .history
                .iter()
                .map(|(version, change)| Reply::Array(vec![Reply::bulk(*version), Reply::bulk(*change)]));
            fields.push((Reply::bulk("history"), Reply::Set(history.collect())));
        }
        if !self.arguments.is_empty() {
            let arguments = self.arguments.iter().map(Argument::reply).collect();
            fields.push((Reply::bulk("arguments"), Reply::Array(arguments)));
        }
        fields
    }
}
