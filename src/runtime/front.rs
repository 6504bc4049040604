//! The server's side of the driver: [`Front`] by the server, [`Backend`] by the driver.

use bytes::Bytes;

use super::driver::Driver;
use super::ports::{Front, FrontStats};
use crate::core::action::Level;
use crate::core::ids::ClientId;
use crate::resp::Reply;
use crate::server::{Backend, Server};

impl Front for Server {
    fn reply(&self, client: ClientId, reply: Reply) {
        self.reply(client, reply);
    }

    fn publish(&self, channel: &str, payload: &str) -> usize {
        self.publish(channel, payload)
    }

    fn stats(&self) -> FrontStats {
        let stats = self.stats();
        FrontStats {
            connected: u64::try_from(stats.connected_clients).unwrap_or(u64::MAX),
            accepted: stats.connections_received,
            rejected: stats.rejected_connections,
            calls: stats.commands.iter().map(|(name, calls)| ((*name).to_owned(), *calls)).collect(),
        }
    }

    fn reload(&self) -> Vec<String> {
        self.reload()
    }

    fn close_all(&self) {
        self.close_all();
    }
}

impl Backend for Driver {
    fn command(&self, client: ClientId, args: Vec<Bytes>) {
        self.command(client, args);
    }

    fn info_sentinel(&self) -> String {
        self.info_section()
    }

    fn shutdown(&self) {
        self.stop();
    }

    fn log(&self, level: Level, text: &str) {
        self.journal().line(level, None, text);
    }
}
