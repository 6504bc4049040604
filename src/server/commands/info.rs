//! INFO.

use bytes::Bytes;

use super::super::inner::Inner;
use super::{info_text, is};
use crate::resp::Reply;

/// The sections that exist here, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Server,
    Clients,
    Stats,
    Cpu,
    Sentinel,
}

impl Section {
    const ALL: [Self; 5] = [Self::Server, Self::Clients, Self::Stats, Self::Cpu, Self::Sentinel];

    const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Clients => "clients",
            Self::Stats => "stats",
            Self::Cpu => "cpu",
            Self::Sentinel => "sentinel",
        }
    }

    fn text(self, server: &Inner) -> String {
        match self {
            Self::Server => info_text::server(server),
            Self::Clients => info_text::clients(server),
            Self::Stats => info_text::stats(server),
            Self::Cpu => info_text::cpu(),
            Self::Sentinel => server.backend.info_sentinel(),
        }
    }

    /// Whether a word of the request asks for the section. Words that mean nothing here ask for none.
    fn is_asked_by(self, word: &[u8]) -> bool {
        ["default", "all", "everything", self.name()].iter().any(|name| is(word, name))
    }
}

/// `INFO [section ...]`: the sections asked for, parted by empty lines.
pub(crate) fn info(server: &Inner, args: &[Bytes]) -> Reply {
    let words = &args[1..];
    let sections: Vec<String> = Section::ALL
        .into_iter()
        .filter(|section| words.is_empty() || words.iter().any(|word| section.is_asked_by(word)))
        .map(|section| section.text(server))
        .collect();
    Reply::bulk(sections.join("\r\n"))
}
