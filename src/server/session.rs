//! What command families may see of connected clients, and do to them. Keeps them apart from sockets and buffers.

use std::rc::Rc;

use crate::core::ids::ClientId;
use crate::resp::Protocol;

/// One connected client.
pub trait Session {
    /// Its id, as CLIENT ID shows it.
    fn id(&self) -> ClientId;
    /// The protocol it speaks.
    fn protocol(&self) -> Protocol;
    /// The user whose rights it has. Says nothing about whether it has authenticated.
    fn user(&self) -> Rc<str>;
    /// Whether it need not authenticate any more.
    fn authenticated(&self) -> bool;
    /// Gives it the rights of `user`, and marks it as authenticated.
    fn login(&self, user: Rc<str>);
    /// Its line of CLIENT LIST, without the line's end.
    fn describe(&self) -> String;
    /// Calls `visit` with each channel (`false`) and each pattern (`true`) that it is subscribed to.
    fn subscriptions(&self, visit: &mut dyn FnMut(&[u8], bool));
}

/// All connected clients.
pub trait Sessions {
    /// Ends each client for which `hit` says so, and returns how many that were. `caller`, if it is among them, ends only
    /// after the reply to its present command has been sent.
    fn end_where(&self, caller: ClientId, hit: &mut dyn FnMut(&dyn Session) -> bool) -> usize;
}
