//! The answer to the query that there are most of, kept until the address is another one.

use super::address::Address;
use crate::resp::Reply;

/// An address as clients are told it.
#[derive(Debug)]
pub(crate) struct Told {
    address: Address,
    hostnames: bool,
    /// Host and port.
    pub(crate) reply: Reply,
}

impl Told {
    pub(crate) fn new(address: Address, hostnames: bool) -> Self {
        let reply = Reply::Array(vec![Reply::bulk(address.shown(hostnames)), Reply::number(address.port)]);
        Self { address, hostnames, reply }
    }

    /// Whether it is still the answer.
    pub(crate) fn is_of(&self, address: &Address, hostnames: bool) -> bool {
        self.hostnames == hostnames && self.address == *address
    }
}
