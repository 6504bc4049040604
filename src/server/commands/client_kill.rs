//! CLIENT KILL.

use bytes::Bytes;
use tokio::time::Instant;

use super::super::client::{Client, Ending};
use super::super::inner::Inner;
use super::super::session::Session as _;
use super::client_list::ClientType;
use super::{SYNTAX, integer, is, show};
use crate::core::ids::ClientId;
use crate::resp::Reply;

/// What a client must be like to be closed; what is `None` is of no interest.
#[derive(Debug, Default)]
struct Filter {
    id: Option<ClientId>,
    remote: Option<String>,
    local: Option<String>,
    user: Option<String>,
    kind: Option<ClientType>,
    /// Seconds.
    min_age: Option<u64>,
    spare: Option<ClientId>,
}

/// `CLIENT KILL ip:port` or `CLIENT KILL option value ...`. A caller among the killed gets its reply first.
pub(super) fn kill(server: &Inner, client: &Client, args: &[Bytes]) -> Result<Reply, Reply> {
    let old_form = args.len() == 3;
    let filter = if old_form {
        Filter { remote: Some(show(&args[2]).into_owned()), ..Filter::default() }
    } else {
        parse(server, client, &args[2..])?
    };
    let now = Instant::now();
    let mut killed = 0;
    for other in server.clients.borrow().values() {
        if filter.holds(other, now) {
            other.end(if other.id == client.id { Ending::Flushed } else { Ending::Now });
            killed += 1;
        }
    }
    match (old_form, killed) {
        (true, 0) => Err(Reply::err("ERR No such client")),
        (true, _) => Ok(Reply::OK),
        (false, _) => Ok(Reply::Int(killed)),
    }
}

fn parse(server: &Inner, client: &Client, mut rest: &[Bytes]) -> Result<Filter, Reply> {
    let mut filter = Filter { spare: Some(client.id), ..Filter::default() };
    while let [option, tail @ ..] = rest {
        let [value, more @ ..] = tail else { return Err(SYNTAX) };
        if is(option, "id") {
            let id = integer(value).filter(|id| *id > 0).and_then(|id| u64::try_from(id).ok());
            filter.id = Some(ClientId(id.ok_or(Reply::err("ERR client-id should be greater than 0"))?));
        } else if is(option, "maxage") {
            let age = integer(value).ok_or(Reply::err("ERR maxage is not an integer or out of range"))?;
            let age = u64::try_from(age).ok().filter(|age| *age > 0);
            filter.min_age = Some(age.ok_or(Reply::err("ERR maxage should be greater than 0"))?);
        } else if is(option, "type") {
            filter.kind = Some(ClientType::parse(value)?);
        } else if is(option, "addr") {
            filter.remote = Some(show(value).into_owned());
        } else if is(option, "laddr") {
            filter.local = Some(show(value).into_owned());
        } else if is(option, "user") {
            let user = show(value).into_owned();
            if !server.acl.borrow().has_user(&user) {
                return Err(Reply::error(format!("ERR No such user '{user}'")));
            }
            filter.user = Some(user);
        } else if is(option, "skipme") {
            filter.spare = if is(value, "yes") {
                Some(client.id)
            } else if is(value, "no") {
                None
            } else {
                return Err(SYNTAX);
            };
        } else {
            return Err(SYNTAX);
        }
        rest = more;
    }
    Ok(filter)
}

impl Filter {
    fn holds(&self, client: &Client, now: Instant) -> bool {
        self.id.is_none_or(|id| id == client.id)
            && self.spare != Some(client.id)
            && self.kind.is_none_or(|kind| kind.holds(client))
            && self.min_age.is_none_or(|age| now.duration_since(client.connected_at).as_secs() >= age)
            && self.user.as_ref().is_none_or(|user| **user == *client.user())
            && self.remote.as_ref().is_none_or(|addr| *addr == client.peer.remote())
            && self.local.as_ref().is_none_or(|addr| *addr == client.peer.local())
    }
}
