//! HELLO and AUTH.

use bytes::Bytes;

use super::super::access;
use super::super::client::Client;
use super::super::inner::Inner;
use super::client::check_name;
use super::{SYNTAX, integer, is, show};
use crate::resp::{Protocol, Reply};

const UNAUTHENTICATED: &str = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO \
     AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same \
     time";

/// `AUTH [user] password`.
pub(crate) fn auth(server: &Inner, client: &Client, args: &[Bytes]) -> Reply {
    let (user, password) = match args {
        [_, password] => {
            if server.acl.borrow().default_user_has_nopass() {
                return Reply::err(
                    "ERR AUTH <password> called without any password configured for the default user. Are you sure \
                     your configuration is correct?",
                );
            }
            (&b"default"[..], password)
        }
        [_, user, password] => (user.as_ref(), password),
        _ => return SYNTAX,
    };
    match access::login(server, client, &args[0], user, password) {
        Ok(()) => Reply::OK,
        Err(error) => error,
    }
}

/// `HELLO [2|3 [AUTH user password] [SETNAME name]]`.
pub(crate) fn hello(server: &Inner, client: &Client, args: &[Bytes]) -> Result<Reply, Reply> {
    let protocol = match args.get(1) {
        None => None,
        Some(word) => match integer(word) {
            None => return Err(Reply::err("ERR Protocol version is not an integer or out of range")),
            Some(2) => Some(Protocol::Resp2),
            Some(3) => Some(Protocol::Resp3),
            Some(_) => return Err(Reply::err("NOPROTO unsupported protocol version")),
        },
    };
    let (mut credentials, mut name) = (None, None);
    let mut rest = args.get(2..).unwrap_or_default();
    while let [option, tail @ ..] = rest {
        rest = match tail {
            [user, password, more @ ..] if is(option, "auth") => {
                credentials = Some((user, password));
                more
            }
            [wanted, more @ ..] if is(option, "setname") => {
                name = Some(wanted);
                check_name(wanted)?;
                more
            }
            _ => return Err(Reply::error(format!("ERR Syntax error in HELLO option '{}'", show(option)))),
        };
    }
    if let Some((user, password)) = credentials {
        access::login(server, client, &args[0], user, password)?;
    }
    if access::must_authenticate(server, client) {
        return Err(Reply::err(UNAUTHENTICATED));
    }
    if let Some(name) = name {
        client.label(|labels| labels.name = Bytes::copy_from_slice(name));
    }
    if let Some(protocol) = protocol {
        client.protocol.set(protocol);
    }
    let (name, version) = server.config.shown_as();
    Ok(Reply::Map(vec![
        (Reply::bulk("server"), Reply::bulk(name)),
        (Reply::bulk("version"), Reply::bulk(version)),
        (Reply::bulk("proto"), Reply::Int(client.protocol.get().number())),
        (Reply::bulk("id"), Reply::Int(i64::try_from(client.id.0).unwrap_or(i64::MAX))),
        (Reply::bulk("mode"), Reply::bulk("sentinel")),
        (Reply::bulk("modules"), Reply::Array(Vec::new())),
    ]))
}
