//! A small client for the demo: one connection, one request at a time, every wait bounded.

use std::io;
use std::time::Duration;

use tokio::time::timeout;

use crate::link::dialogue::{Dialogue, words as sent};
use crate::resp::Reply;

/// A connection to 127.0.0.1.
pub(super) struct Conn {
    dialogue: Dialogue,
    limit: Duration,
}

impl Conn {
    /// Connect to `port`; the connection and every later answer may take `limit` at most.
    pub(super) async fn open(port: u16, limit: Duration) -> io::Result<Self> {
        let dialogue = within(limit, Dialogue::open(([127, 0, 0, 1], port).into(), None)).await?;
        Ok(Self { dialogue, limit })
    }

    /// Send one request and wait for its answer. An error reply is an answer. After an error the
    /// connection is of no further use: a late answer would be taken for that of the next request.
    pub(super) async fn ask(&mut self, args: &[&str]) -> io::Result<Reply> {
        within(self.limit, async {
            self.dialogue.send(&sent(args)).await?;
            self.dialogue.receive().await
        })
        .await
    }

    /// Send one request without waiting.
    pub(super) async fn send(&mut self, args: &[&str]) -> io::Result<()> {
        self.dialogue.send(&sent(args)).await
    }

    /// The next reply or message, however long it takes. Nothing is lost when the future is dropped.
    pub(super) async fn receive(&mut self) -> io::Result<Reply> {
        self.dialogue.receive().await
    }
}

/// One question on a connection of its own.
pub(super) async fn ask(port: u16, limit: Duration, args: &[&str]) -> io::Result<Reply> {
    Conn::open(port, limit).await?.ask(args).await
}

/// `work`, or an error when `limit` is over.
async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The words of an array of texts; empty for anything else.
pub(super) fn words(reply: &Reply) -> Vec<&str> {
    reply.elements().unwrap_or_default().iter().filter_map(Reply::text).collect()
}

/// A field of a flat array of names and values in turn.
pub(super) fn field<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let words = words(reply);
    words.chunks_exact(2).find(|pair| pair[0] == name).map(|pair| pair[1])
}

/// A line `name:value` of INFO's text.
pub(super) fn info_line<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

/// A reply in a few words, for error messages.
pub(super) fn shown(reply: &Reply) -> String {
    match reply {
        Reply::Simple(text) | Reply::Error(text) => text.to_string(),
        Reply::Bulk(bytes) | Reply::Verbatim(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Reply::Int(value) => value.to_string(),
        Reply::Double(value) => value.to_string(),
        Reply::Nil | Reply::NilArray => "nothing".to_owned(),
        Reply::Array(_) | Reply::Map(_) | Reply::Set(_) | Reply::Push(_) => words(reply).join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_fields_and_lines() {
        let reply = Reply::Array(["name", "demo", "flags", "master"].map(Reply::bulk).to_vec());
        assert_eq!(field(&reply, "flags"), Some("master"));
        assert_eq!(field(&reply, "master"), None);
        let info = "# Replication\r\nrole:slave\r\nmaster_link_status:up\r\n";
        assert_eq!(info_line(info, "role"), Some("slave"));
        assert_eq!(info_line(info, "master_link_status"), Some("up"));
        assert_eq!(info_line(info, "master"), None);
    }

    #[tokio::test]
    async fn an_answer_that_does_not_come_is_an_error() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let error = ask(port, Duration::from_millis(20), &["PING"]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
