//! CLIENT and its subcommands.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::super::client::{Client, Silence};
use super::super::describe;
use super::super::inner::Inner;
use super::super::pause::{self, Pause};
use super::{NOT_AN_INTEGER, SYNTAX, client_kill, client_list, client_tracking, help, integer, is, show};
use crate::resp::Reply;

/// Longest pause that is told apart from for ever.
const LONGEST_PAUSE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Carries a subcommand out; `None` where the client must not be answered.
pub(crate) fn execute(
    server: &Rc<Inner>,
    client: &Rc<Client>,
    command: &str,
    args: &[Bytes],
) -> Option<Reply> {
    let result = match command {
        "client|id" => Ok(Reply::Int(i64::try_from(client.id.0).unwrap_or(i64::MAX))),
        "client|info" => Ok(Reply::Verbatim(Bytes::from(describe::line(client) + "\n"))),
        "client|list" => client_list::list(server, args),
        "client|kill" => client_kill::kill(server, client, args),
        "client|getname" => {
            let name = client.name();
            Ok(if name.is_empty() { Reply::Nil } else { Reply::Bulk(name) })
        }
        "client|setname" => set_name(client, &args[2]),
        "client|setinfo" => set_info(client, &args[2], &args[3]),
        "client|reply" => return set_reply(client, &args[2]),
        "client|no-evict" => on_or_off(&args[2]).map(|on| {
            client.no_evict.set(on);
            Reply::OK
        }),
        "client|tracking" => client_tracking::tracking(server, client, args),
        "client|trackinginfo" => Ok(client_tracking::info(client)),
        "client|getredir" => Ok(client_tracking::redirect(client)),
        "client|caching" => client_tracking::caching(client, &args[2]),
        "client|pause" => begin_pause(server, args),
        "client|unpause" => {
            pause::end(server);
            Ok(Reply::OK)
        }
        "client|unblock" => unblock(args),
        "client|help" => Ok(help("CLIENT", HELP)),
        _ => Err(no_such_form(args)),
    };
    Some(result.unwrap_or_else(|error| error))
}

/// A name or attribute that a client gives itself goes into lists of words.
fn is_plain(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_graphic)
}

/// Refuses a name that CLIENT LIST could not show.
pub(super) fn check_name(name: &[u8]) -> Result<(), Reply> {
    if is_plain(name) {
        Ok(())
    } else {
        Err(Reply::err("ERR Client names cannot contain spaces, newlines or special characters."))
    }
}

fn set_name(client: &Client, name: &Bytes) -> Result<Reply, Reply> {
    check_name(name)?;
    client.label(|labels| labels.name = Bytes::copy_from_slice(name));
    Ok(Reply::OK)
}

fn set_info(client: &Client, option: &Bytes, value: &Bytes) -> Result<Reply, Reply> {
    let (name, version) = (is(option, "lib-name"), is(option, "lib-ver"));
    if !name && !version {
        return Err(Reply::error(format!("ERR Unrecognized option '{}'", show(option))));
    }
    if !is_plain(value) {
        let option = if name { "lib-name" } else { "lib-ver" };
        let text = format!("ERR {option} cannot contain spaces, newlines or special characters.");
        return Err(Reply::error(text));
    }
    let value = Bytes::copy_from_slice(value);
    client.label(|labels| if name { labels.lib_name = value } else { labels.lib_version = value });
    Ok(Reply::OK)
}

fn set_reply(client: &Client, word: &[u8]) -> Option<Reply> {
    if is(word, "on") {
        client.silence.set(Silence::Off);
        return Some(Reply::OK);
    }
    if is(word, "off") {
        client.silence.set(Silence::On);
    } else if is(word, "skip") {
        if client.silence.get() != Silence::On {
            client.silence.set(Silence::NextCommand);
        }
    } else {
        return Some(SYNTAX);
    }
    None
}

pub(super) fn on_or_off(word: &[u8]) -> Result<bool, Reply> {
    if is(word, "on") {
        Ok(true)
    } else if is(word, "off") {
        Ok(false)
    } else {
        Err(SYNTAX)
    }
}

fn begin_pause(server: &Rc<Inner>, args: &[Bytes]) -> Result<Reply, Reply> {
    let all = match args.get(3) {
        _ if args.len() > 4 => return Err(no_such_form(args)),
        None => true,
        Some(word) if is(word, "all") => true,
        Some(word) if is(word, "write") => false,
        Some(_) => return Err(Reply::err("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let millis = integer(&args[2]).ok_or(Reply::err("ERR timeout is not an integer or out of range"))?;
    let millis = u64::try_from(millis).map_err(|_| Reply::err("ERR timeout is negative"))?;
    let until = Instant::now() + Duration::from_millis(millis).min(LONGEST_PAUSE);
    pause::begin(server, Pause { until, all });
    Ok(Reply::OK)
}

/// No command of this daemon blocks in a way that could be unblocked.
fn unblock(args: &[Bytes]) -> Result<Reply, Reply> {
    match args.get(3) {
        _ if args.len() > 4 => return Err(no_such_form(args)),
        Some(word) if !is(word, "timeout") && !is(word, "error") => {
            return Err(Reply::err("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"));
        }
        Some(_) | None => {}
    }
    integer(&args[2]).map(|_| Reply::Int(0)).ok_or(NOT_AN_INTEGER)
}

fn no_such_form(args: &[Bytes]) -> Reply {
    Reply::error(format!(
        "ERR unknown subcommand or wrong number of arguments for '{}'. Try CLIENT HELP.",
        show(&args[1])
    ))
}

const HELP: &[&str] = &[
    "CACHING (YES|NO)",
    "    Say whether the next command's keys are tracked.",
    "GETNAME",
    "    The name of this connection.",
    "GETREDIR",
    "    The client that invalidation messages go to.",
    "ID",
    "    The id of this connection.",
    "INFO",
    "    This connection's line of LIST.",
    "KILL <ip:port>",
    "    Close the connection from that address.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Close the connections that meet all of these:",
    "    * ID <client-id>",
    "      The connection with this id.",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      Connections from this address.",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      Connections to this address.",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Connections of this kind.",
    "    * USER <username>",
    "      Connections with this user's rights.",
    "    * MAXAGE <seconds>",
    "      Connections that are at least so old.",
    "    * SKIPME (YES|NO)",
    "      Whether to spare this connection (default: yes).",
    "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <client-id> [...]]",
    "    One line for each connection.",
    "NO-EVICT (ON|OFF)",
    "    Never close this connection to save memory.",
    "PAUSE <milliseconds> [WRITE|ALL]",
    "    Hold commands back.",
    "REPLY (ON|OFF|SKIP)",
    "    Choose whether commands on this connection are answered.",
    "SETINFO (LIB-NAME|LIB-VER) <value>",
    "    Name this connection's library or its version.",
    "SETNAME <name>",
    "    Name this connection.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Switch the tracking of keys.",
    "TRACKINGINFO",
    "    The state of the tracking of keys.",
    "UNBLOCK <client-id> [TIMEOUT|ERROR]",
    "    Release a client that a command blocks.",
    "UNPAUSE",
    "    End a pause.",
];
